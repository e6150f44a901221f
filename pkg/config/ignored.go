// This file lists the names of OpenFaaS workers that mean nothing here, and why.

package config

// family is the worker that reads a name.
type family string

const (
	community  family = "the Community worker"
	commercial family = "the commercial worker on NATS Streaming"
	jetstream  family = "the commercial worker on JetStream"
	anyone     family = "all of them"
)

// ignorable is a name that is accepted and without effect.
type ignorable struct {
	name string
	from family
	why  string
}

// Reasons that several names share.
const (
	whyNoPayload   = "Bodies are never logged."
	whyReconnect   = "The worker reconnects for as long as it lives, with growing waits."
	whyClusterOnly = "For a store in NATS JetStream, which this version does not have: it takes invocations from NATS Streaming and keeps them in data_dir."
	whyQueues      = "Queues are the channels of faas_nats_channel."
	whyOneConsumer = "Every function has a lane of its own, always; there is no consumer to tune."
	whyNoProxy     = "Functions and callbacks are called directly. A proxy would hide from callback_policy which address is dialled."
)

// ignorables are in the order of the families' own lists.
var ignorables = []ignorable{
	{"faas_function_suffix", community, "Functions are called through the gateway only."},
	{"gateway_invoke", community, "Functions are always called through the gateway."},
	{"faas_max_reconnect", community, whyReconnect},
	{"faas_reconnect_delay", community, whyReconnect},
	{"faas_nats_durable_queue_subscription", community, "The subscription is always durable."},
	{"faas_print_body", community, whyNoPayload},
	{"write_debug", community, whyNoPayload},
	{"print_request_body", commercial, whyNoPayload},
	{"print_response_body", commercial, whyNoPayload},
	{"nats_host", jetstream, whyClusterOnly},
	{"nats_port", jetstream, whyClusterOnly},
	{"nats_stream", jetstream, whyClusterOnly},
	{"nats_durable", jetstream, whyClusterOnly},
	{"nats_stream_replicas", jetstream, whyClusterOnly},
	{"nats_stream_replication", jetstream, whyClusterOnly},
	{"queue_name", jetstream, whyQueues},
	{"queue_partitions", jetstream, whyQueues},
	{"filter_partition", jetstream, whyQueues},
	{"gateway_address", jetstream, "Was the name of gateway_url for some days of July 2022. Set gateway_url."},
	{"scaling_mode", jetstream, whyOneConsumer},
	{"consumer_inactive_threshold", jetstream, whyOneConsumer},
	{"inactive_threshold", jetstream, whyOneConsumer},
	{"consumer_pull_max_messages", jetstream, whyOneConsumer},
	{"max_waiting", jetstream, whyOneConsumer},
	{"max_reconnect", jetstream, whyReconnect},
	{"reconnect_delay", jetstream, whyReconnect},
	{"http_proxy", anyone, whyNoProxy},
	{"https_proxy", anyone, whyNoProxy},
	{"no_proxy", anyone, whyNoProxy},
	{"HTTP_PROXY", anyone, whyNoProxy},
	{"HTTPS_PROXY", anyone, whyNoProxy},
	{"NO_PROXY", anyone, whyNoProxy},
}

// IgnoredFlags are the command line flags that charts pass to OpenFaaS workers.
// They are accepted, with one dash or two, and have no effect: this worker needs
// no licence, and serves no profiles.
func IgnoredFlags() []string { return []string{"license-file", "pprof"} }

// ignoredIn lists the ignorable names that are set.
func ignoredIn(vars map[string]string) []string {
	var names []string
	for _, i := range ignorables {
		if vars[i.name] != "" {
			names = append(names, i.name)
		}
	}
	return names
}
