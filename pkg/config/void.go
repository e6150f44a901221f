// This file finds settings that another one makes void.

package config

// void is a setting that has no effect while another one has a value.
type void struct {
	name string
	by   string // what makes it void, and why
	is   func(*Config) bool
}

// voids are warned of when they have another value than their default: charts write every default.
var voids = []void{
	{"faas_nats_port", "stan_embedded=true opens NATS Streaming in this process", func(c *Config) bool { return c.StanEmbedded }},
	{"stan_listen_address", "stan_embedded=false", func(c *Config) bool { return !c.StanEmbedded }},
	{"max_unsettled", "with a durable store a message is acked when it is on disk", func(c *Config) bool { return c.IsDurable() }},
	{"max_unsettled_bytes", "with a durable store a message is acked when it is on disk", func(c *Config) bool { return c.IsDurable() }},
	{"data_dir_wait", "without data_dir everything is in memory", func(c *Config) bool { return !c.IsDurable() }},
	{"data_dir_wait", "the store is on a server", func(c *Config) bool { return c.IsShared() }},
	{"store_sync", "without data_dir everything is in memory", func(c *Config) bool { return !c.IsDurable() }},
	{"store_sync", "the store is on a server", func(c *Config) bool { return c.IsShared() }},
	{"store_min_free", "without data_dir everything is in memory", func(c *Config) bool { return !c.IsDurable() }},
	{"store_min_free", "the store is on a server", func(c *Config) bool { return c.IsShared() }},
	{"dead_set_codes", "dead_set=off keeps no dead letter", func(c *Config) bool { return !c.DeadSet }},
	{"dead_set_max_age", "dead_set=off keeps no dead letter", func(c *Config) bool { return !c.DeadSet }},
	{"dead_set_max_bytes", "dead_set=off keeps no dead letter", func(c *Config) bool { return !c.DeadSet }},
	{"callback_allow", "callback_policy=open allows every host", func(c *Config) bool { return c.CallbackPolicy == "open" }},
	{"callback_timeout", "upstream_timeout is shorter", func(c *Config) bool { return c.UpstreamTimeout > 0 && c.UpstreamTimeout < c.CallbackTimeout }},
	{"max_retry_wait", "backoff=constant always waits initial_retry_wait", func(c *Config) bool { return c.Backoff == "constant" && len(c.retries) == 0 }},
}

// warnOfVoid reports them, without their values.
func warnOfVoid(c *Config, changed func(string) bool, warn warner) {
	for _, v := range voids {
		warn(v.is(c) && changed(v.name), "%s has no effect: %s", v.name, v.by)
	}
	warn(changed("faas_gateway_port") && changed("gateway_url") && !changed("faas_gateway_address"), "faas_gateway_port has no effect: gateway_url is used")
}
