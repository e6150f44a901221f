// File stan.go checks NATS Streaming.

package doctor

import (
	"context"
	"net"
	"net/url"
	"strconv"
	"strings"

	"queue-worker/pkg/intake"
)

func (e *examiner) door(ctx context.Context) []Finding {
	c := e.Config
	address := net.JoinHostPort(c.NATSAddress, strconv.Itoa(c.NATSPort))
	login := intake.Login{Credentials: c.StanUser, TLS: c.StanTLS}
	if c.StanEmbedded {
		address, login.TLS = reachable(c.StanListenAddress), nil
	}
	if err := readable(login); err != nil {
		return []Finding{wrong("door", "Mount the file, readable for the user of this process.", "%s", firstLine(err))}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, errNoAnswer)
	defer cancel()
	server, err := intake.Probe(ctx, (&url.URL{Scheme: "nats", Host: address}).String(), c.NATSCluster, e.Hostname, login)
	switch {
	case err == nil && c.StanCredentials != "" && !server.Encrypted && !c.StanEmbedded:
		return []Finding{look("door", "Let the server use TLS, and name its CA in stan_ca_file.",
			"NATS Streaming at %s answers as cluster %s; the credentials travel unencrypted", address, c.NATSCluster)}
	case err == nil && server.Encrypted:
		return []Finding{fine("door", "NATS Streaming at %s answers as cluster %s, encrypted", address, c.NATSCluster)}
	case err == nil:
		return []Finding{fine("door", "NATS Streaming at %s answers as cluster %s", address, c.NATSCluster)}
	case c.StanEmbedded:
		return []Finding{look("door", "Start the worker; while it runs, see its log and /readyz.",
			"embedded NATS Streaming at %s is not reachable: %s", address, firstLine(err))}
	}
	return []Finding{wrong("door", "Check that the server runs, and the settings named in the error, faas_nats_address, faas_nats_port and faas_nats_cluster_name; no messages are received until it answers.",
		"NATS Streaming at %s: %s", address, firstLine(err))}
}

// readable is the error of reading the files that a connection needs.
func readable(login intake.Login) error {
	_, err := login.Credentials()
	if err == nil && login.TLS != nil {
		_, err = login.TLS()
	}
	return err
}

// reachable is the address under which a listener can be reached from here.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
