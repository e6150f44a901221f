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
	user := ""
	var err error
	if c.StanEmbedded {
		address = reachable(c.StanListenAddress)
		user, err = c.StanUser()
	}
	if err != nil {
		return []Finding{wrong("door", "Mount the file, readable for the user of this process.", "%s", firstLine(err))}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, errNoAnswer)
	defer cancel()
	err = intake.Probe(ctx, natsURL(user, address), c.NATSCluster, e.Hostname)
	switch {
	case err == nil:
		return []Finding{fine("door", "NATS Streaming at %s answers as cluster %s", address, c.NATSCluster)}
	case c.StanEmbedded:
		return []Finding{look("door", "Start the worker; while it runs, see its log and /readyz.",
			"embedded NATS Streaming at %s is not reachable: %s", address, firstLine(err))}
	}
	return []Finding{wrong("door", "Check that the server runs, and faas_nats_address, faas_nats_port and faas_nats_cluster_name; no messages are received until it answers.",
		"NATS Streaming at %s: %s", address, firstLine(err))}
}

// natsURL has the user in front that embedded NATS Streaming asks publishers for.
func natsURL(user, address string) string {
	u := url.URL{Scheme: "nats", Host: address}
	if name, password, two := strings.Cut(user, ":"); two {
		u.User = url.UserPassword(name, password)
	} else if user != "" {
		u.User = url.User(user)
	}
	return u.String()
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
