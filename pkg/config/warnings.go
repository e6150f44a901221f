// This file finds what is legal and worth a look: settings that contradict each
// other, that weaken a promise or a fence, or that come from another worker.

package config

import (
	"fmt"
	"net"
	"net/netip"

	"queue-worker/pkg/duration"
)

// warningsOf judges a configuration that is otherwise right. Set reports whether
// a variable is set, changed whether it has another value than its default.
func warningsOf(c *Config, set, changed func(name string) bool) []string {
	var all []string
	warn := func(when bool, format string, args ...any) {
		if when {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	warnOfNames(c, set, warn)
	warnOfDurability(c, warn)
	warnOfFences(c, warn)
	warnOfVoid(c, changed, warn)
	return all
}

type warner func(when bool, format string, args ...any)

// warnOfNames reports names that do not do what their writer may think.
func warnOfNames(c *Config, set func(string) bool, warn warner) {
	old := gatewayFrom(c.GatewayAddress, c.GatewayPort)
	warn(set("gateway_url") && set("faas_gateway_address") && c.GatewayURL.String() != old.String(),
		"gateway_url (%s) and faas_gateway_address (%s) are both set and differ: gateway_url is used", c.GatewayURL, old)
	warn(set("nats_host") || set("nats_stream"),
		"nats_host or nats_stream is set, as for the commercial worker: the stream that its gateway fills in NATS JetStream is not read; this worker reads %v from NATS Streaming at %s",
		c.Channels, net.JoinHostPort(c.NATSAddress, fmt.Sprint(c.NATSPort)))
	for _, name := range c.Channels {
		warn(c.QueueLimits[name] > c.MaxInflight, "faas_nats_channel=%s:%d: no more than max_inflight (%d) calls run at a time", name, c.QueueLimits[name], c.MaxInflight)
	}
	warn(set("http_retry_codes"), "http_retry_codes is not read: the name is retry_http_codes")
	warn(c.StanEmbedded && set("faas_nats_address"),
		"faas_nats_address is not used: stan_embedded=true opens NATS Streaming in this process, on %s", c.StanListenAddress)
	warn(c.AdminOpen && c.BasicAuth, "admin_open has no effect: basic_auth=true asks for credentials")
	warn(c.InitialRetryWait == 0 && c.MaxRetryAttempts > 0,
		"initial_retry_wait is 0: up to %d retries follow each other without a wait", c.MaxRetryAttempts)
}

// warnOfDurability reports what a crash may lose.
func warnOfDurability(c *Config, warn warner) {
	warn(!c.IsDurable() && !c.StanEmbedded,
		"data_dir is not set: messages stay unacked with NATS Streaming until they are settled, and the dead set is lost at a restart")
	warn(!c.IsDurable() && c.StanEmbedded,
		"data_dir is not set and stan_embedded=true: everything is in memory, and a restart loses what was accepted")
	warn(c.DataDir != "" && c.DataDirWait > 0 && c.DataDirWait < c.DrainTimeout,
		"data_dir_wait (%s) is below drain_timeout (%s): a worker that replaces this one may exit before this one has drained",
		duration.Format(c.DataDirWait), duration.Format(c.DrainTimeout))
	warn(c.DataDir != "" && c.StoreSync > 0,
		"store_sync=%s: a kill or a power cut may take what was accepted and settled in the last %s; always loses nothing",
		duration.Format(c.StoreSync), duration.Format(c.StoreSync))
	warn(c.DeadSet && c.StoreMaxBytes > 0 && (c.DeadSetMaxBytes == 0 || c.DeadSetMaxBytes >= c.StoreMaxBytes),
		"the dead set may fill the store: set dead_set_max_bytes (%s) below store_max_bytes (%s)",
		formatBytes(c.DeadSetMaxBytes), formatBytes(c.StoreMaxBytes))
}

// warnOfFences reports what is open to others.
func warnOfFences(c *Config, warn warner) {
	warn(c.CallbackPolicy == "open", "callback_policy=open: callers can make this worker post to any address that it reaches, cloud metadata included")
	warn(c.TLSInsecure, "tls_insecure=true: the certificates of https callbacks are not checked")
	warn(c.AdminOpen && !c.BasicAuth, "admin_open=true: anyone who reaches %s can read, replay and drop what is stored", c.ListenAddress)
	warn(c.StanEmbedded && c.StanCredentials == "" && !isLoopback(c.StanListenAddress),
		"stan_listen_address=%s: without stan_credentials_file there is no authentication, so let only the gateway reach it", c.StanListenAddress)
	warn(c.StanEmbedded && (c.StanCA != "" || c.StanCert != ""),
		"stan_ca_file and stan_cert_file are not used: stan_embedded=true connects within the process")
}

// isLoopback reports whether only this machine reaches a listen address.
func isLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
