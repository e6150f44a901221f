// What the charts of OpenFaaS have set since 2021 loads without a problem, and
// what of it is ignored here, or should be checked, is reported.

package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEveryGenerationOfChartsLoads(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file string // in testdata/charts
		gateway    string
		inflight   int
		codes      string
		ignored    string
	}{
		{
			"the chart of 2021 with the retry settings", "2021-community",
			"http://gateway.openfaas.svc.cluster.local:8080", 1, "429,502,500,504,408",
			"faas_function_suffix gateway_invoke print_request_body print_response_body",
		},
		{
			"the chart of 2022 to 2025, Community Edition", "2022-2025-community",
			"http://gateway.openfaas.svc.cluster.local:8080", 50, "408,429,500,502,503,504",
			"print_request_body print_response_body",
		},
		{
			"today's Community Edition", "2026-community",
			"http://gateway.openfaas.svc.cluster.local:8080", 1, "408,429,500,502,503,504",
			"faas_function_suffix",
		},
		{
			"faasd with the worker of 2022", "2022-faasd",
			"http://gateway:8080", 1, "408,429,500,502,503,504",
			"gateway_invoke write_debug print_request_body print_response_body",
		},
		{
			"the commercial worker on JetStream", "2026-jetstream",
			"http://gateway.openfaas.svc.cluster.local:8080", 50, "408,429,500,502,503,504",
			"nats_host nats_stream nats_durable nats_stream_replicas scaling_mode consumer_inactive_threshold",
		},
		{
			"the commercial chart of one queue", "2026-jetstream-one-queue",
			"http://gateway.openfaas:8080", 1, "408,429,500,502,503,504",
			"nats_host nats_port nats_stream nats_durable nats_stream_replicas queue_partitions filter_partition scaling_mode consumer_inactive_threshold consumer_pull_max_messages max_waiting max_reconnect reconnect_delay",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			environ := chartEnv(t, tt.file)
			c := load(t, environ...)
			switch {
			case c.GatewayURL.String() != tt.gateway:
				t.Errorf("gateway %s, max_inflight %d, codes %s: c.GatewayURL.String() = %q, want %q", c.GatewayURL, c.MaxInflight, c.RetryCodes, c.GatewayURL.String(), tt.gateway)
			case c.MaxInflight != tt.inflight:
				t.Errorf("max_inflight %d, want %d", c.MaxInflight, tt.inflight)
			case c.RetryCodes != tt.codes:
				t.Errorf("codes %s, want %q", c.RetryCodes, tt.codes)
			}
			switch {
			case c.InitialRetryWait != 10*time.Second:
				t.Errorf("waits are %s and %s: c.InitialRetryWait = %v, want %v", c.InitialRetryWait, c.MaxRetryWait, c.InitialRetryWait, 10*time.Second)
			case c.MaxRetryWait != 2*time.Minute:
				t.Errorf("waits are %s and %s: c.MaxRetryWait = %v, want %v", c.InitialRetryWait, c.MaxRetryWait, c.MaxRetryWait, 2*time.Minute)
			}
			if d := cmp.Diff(strings.Fields(tt.ignored), c.Ignored()); d != "" {
				t.Errorf("ignored (-want +got):\n%s", d)
			}
			jetstream := slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, "nats_host=") })
			if got := warnedOf(c, "JetStream"); got != jetstream {
				t.Errorf("warns of JetStream: %v, want %v", got, jetstream)
			}
		})
	}
}

// chartEnv is the environment that a generation of charts gives its worker. The
// tests of the image (tools/image) use the same files.
func chartEnv(t testing.TB, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "charts", name+".env"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func warnedOf(c *Config, part string) bool {
	return slices.ContainsFunc(c.Warnings(), func(w string) bool { return strings.Contains(w, part) })
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	durable := "data_dir=/data "
	tests := []struct{ name, environ, want string }{
		{"nothing to say", durable, ""},
		{"no data_dir", "", "data_dir is not set: messages stay"},
		{"no data_dir and embedded NATS Streaming", "stan_embedded=true", "a restart loses what was accepted"},
		{"two gateways that differ", durable + "gateway_url=http://a:8080 faas_gateway_address=b", "gateway_url (http://a:8080) and faas_gateway_address (http://b:8080) are both set"},
		{"two gateways that are one", durable + "gateway_url=http://a:8080/ faas_gateway_address=a", ""},
		{"the name that never was", durable + "http_retry_codes=500", "the name is retry_http_codes"},
		{"the commercial gateway's stream", durable + "nats_stream=faas-request", "is not read; this worker reads [faas-request] from NATS Streaming at nats:4222"},
		{"embedded NATS Streaming beside an address", durable + "stan_embedded=true faas_nats_address=nats", "faas_nats_address is not used"},
		{"the store is synced at an interval", durable + "store_sync=100ms", "may take what was accepted and settled in the last 100ms"},
		{"the dead set may fill the store", durable + "store_max_bytes=1GiB", "set dead_set_max_bytes (1GiB) below store_max_bytes (1GiB)"},
		{"the dead set leaves room in the store", durable + "store_max_bytes=2GiB", ""},
		{"the dead set is off", durable + "store_max_bytes=1GiB dead_set=off", ""},
		{"callbacks anywhere", durable + "callback_policy=open", "callback_policy=open"},
		{"certificates unchecked", durable + "tls_insecure=1", "tls_insecure=true"},
		{"the dead set open to all", durable + "admin_open=1", "anyone who reaches :8081"},
		{"the dead set open to all, but for credentials", durable + "admin_open=1 basic_auth=1", "admin_open has no effect"},
		{"the embedded NATS Streaming open to others", durable + "stan_embedded=1 stan_listen_address=:4222", "there is no authentication"},
		{"the embedded NATS Streaming open to others, with credentials", durable + "stan_embedded=1 stan_listen_address=:4222 stan_credentials_file=/run/secrets/nats", ""},
		{"credentials without embedded NATS Streaming", durable + "stan_credentials_file=/run/secrets/nats", ""},
		{"a CA with embedded NATS Streaming", durable + "stan_embedded=1 stan_ca_file=/run/secrets/ca", "stan_ca_file and stan_cert_file are not used"},
		{"embedded NATS Streaming on loopback", durable + "stan_embedded=1 stan_listen_address=localhost:4222", ""},
		{"retries without a wait", durable + "initial_retry_wait=0", "up to 10 retries follow each other without a wait"},
		{"no wait and no retry", durable + "initial_retry_wait=0 max_retry_attempts=0", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := load(t, strings.Fields(tt.environ)...).Warnings()
			if tt.want == "" && len(got) == 0 {
				return
			}
			if len(got) != 1 || tt.want == "" || !strings.Contains(got[0], tt.want) {
				t.Errorf("warnings are %q, want one with %q", got, tt.want)
			}
		})
	}
}

func TestIgnoredNamesAreNoSettings(t *testing.T) {
	t.Parallel()
	var seen []string
	for _, i := range ignorables {
		if slices.Contains(seen, i.name) || slices.ContainsFunc(settings, func(s setting) bool { return s.name == i.name }) {
			t.Errorf("%s is listed twice, or is a setting", i.name)
		}
		seen = append(seen, i.name)
	}
}
