// Loading: defaults, empty values, and every problem of a start at once.

package config

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"queue-worker/internal/testkit"
)

// load is Load for environments that are known to be right.
func load(t *testing.T, environ ...string) *Config {
	t.Helper()
	c, err := Load(environ)
	if err != nil {
		t.Fatalf("load, want nil\n%v", err)
	}
	return c
}

// defaults are those of the design's table.
func defaults() *Config {
	return &Config{
		NATSAddress: "nats", NATSPort: 4222, NATSCluster: "faas-cluster",
		Channels: []string{"faas-request"}, QueueGroup: "faas",
		GatewayURL:     &url.URL{Scheme: "http", Host: "gateway:8080"},
		GatewayAddress: "gateway", GatewayPort: 8080, DefaultNamespace: "openfaas-fn",
		MaxInflight: 50, MaxRetryAttempts: 10,
		InitialRetryWait: 10 * time.Second, MaxRetryWait: 120 * time.Second,
		RetryCodes: "408,429,500,502,503,504", Backoff: "exponential",
		AckWait: 60 * time.Second, ListenAddress: ":8081",
		SecretMountPath: "/var/secrets/gateway", Console: true, LogEncoding: "console", LogLevel: "info",
		DeadSet: true, DeadSetCodes: "4xx,5xx", DeadSetMaxAge: 720 * time.Hour, DeadSetMaxBytes: 1 << 30, DeadSetAnswerBytes: 4 << 10,
		StoreMinFree: 256 << 20, EndTTL: 24 * time.Hour, EndBytes: 256 << 20, StanListenAddress: "127.0.0.1:4222",
		MaxUnsettled: 10_000, MaxUnsettledBytes: 64 << 20, MaxResponseBytes: 8 << 20, MaxResponseMemory: 64 << 20,
		LimiterEnabled: true, Breaker: true, MaxRetryAfter: time.Hour, UnknownGrace: 30 * time.Second, HeaderPolicy: "lower", DrainTimeout: 25 * time.Second, DataDirWait: 10 * time.Minute,
		CallbackPolicy: "guarded", CallbackTimeout: 10 * time.Second,
		MaxRequestBytes: 8 << 20, IdempotencyWindow: time.Hour, IngestCheck: true,
	}
}

func diff(want, got *Config) string {
	return cmp.Diff(want, got, cmpopts.IgnoreUnexported(Config{}))
}

func TestAnEmptyEnvironmentIsTheDefaults(t *testing.T) {
	// The process's own environment must not be looked at. Setenv forbids t.Parallel.
	t.Setenv("max_inflight", "7")
	for name, environ := range map[string][]string{"nil": nil, "none": {}, "only unknown names": {"PATH=/bin", "NATS_PORT=tcp://10.0.0.1:4222", "=x", "y"}} {
		if d := diff(defaults(), load(t, environ...)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestAnEmptyValueIsTheDefault(t *testing.T) {
	t.Parallel()
	for _, empty := range []string{"", " ", "\t\n"} {
		var environ []string
		for _, s := range settings {
			if s.name != "dead_set_codes" {
				environ = append(environ, s.name+"="+empty)
			}
		}
		if d := diff(defaults(), load(t, environ...)); d != "" {
			t.Errorf("all set to %q (-want +got):\n%s", empty, d)
		}
	}
}

func TestTheDefaultOfEverySettingCanBeWritten(t *testing.T) {
	t.Parallel()
	var environ []string
	for _, s := range settings {
		if value := s.standard(); value != "not set" {
			environ = append(environ, s.name+"="+value)
		}
	}
	if d := diff(defaults(), load(t, environ...)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestEveryFieldCanBeSet(t *testing.T) {
	t.Parallel()
	got := load(t, "faas_nats_address=[fd00::1]", "faas_nats_port=4333", "faas_nats_cluster_name=c1", "faas_nats_channel=a, b.c", "faas_nats_queue_group=g",
		"stan_credentials_file=/c", "stan_ca_file=/ca", "stan_cert_file=/crt", "stan_key_file=/key",
		"ack_wait=5m5s", "max_unsettled=20", "max_unsettled_bytes=2MiB",
		"gateway_url=https://gw.example:8443/openfaas//", "faas_gateway_address=gw", "faas_gateway_port=80", "default_function_name=fns",
		"max_inflight=1", "max_retry_attempts=0", "initial_retry_wait=0", "max_retry_wait=1", "retry_http_codes=5xx, !501", "backoff=constant", "limiter_enabled=false", "breaker=off",
		"max_retry_after=0", "upstream_timeout=48h", "unknown_function_grace=1m", "header_policy=trust", "max_response_bytes=10", "max_response_memory=2MiB", "drain_timeout=1m",
		"data_dir=/data", "store_sync=200ms", "store_max_bytes=10GiB", "store_min_free=0", "result_ttl=1h", "outcome_ttl=2h", "outcome_max_bytes=0",
		"dead_set=off", "dead_set_codes=404", "dead_set_max_age=0", "dead_set_max_bytes=0", "dead_set_answer_bytes=0",
		"callback_policy=strict", "callback_allow=hooks.example.com,10.0.0.0/8,::1", "callback_timeout=3", "tls_insecure=1",
		"http_listen_address=127.0.0.1:9000", "basic_auth=true", "secret_mount_path=/run/secrets", "admin_open=yes", "console=no",
		"max_request_bytes=2MiB", "idempotency_window=0", "ingest_check=off", "ingest_auth=on",
		"log_encoding=json", "debug=1", "stan_embedded=true", "stan_listen_address=:4223")
	want := &Config{
		NATSAddress: "fd00::1", NATSPort: 4333, NATSCluster: "c1", Channels: []string{"a", "b.c"}, QueueGroup: "g",
		StanCredentials: "/c", StanCA: "/ca", StanCert: "/crt", StanKey: "/key",
		AckWait: 305 * time.Second, MaxUnsettled: 20, MaxUnsettledBytes: 2 << 20,
		GatewayURL:     &url.URL{Scheme: "https", Host: "gw.example:8443", Path: "/openfaas"},
		GatewayAddress: "gw", GatewayPort: 80, DefaultNamespace: "fns",
		MaxInflight: 1, MaxRetryWait: time.Second, RetryCodes: "5xx, !501", Backoff: "constant",
		ResultTTL: time.Hour, EndTTL: 2 * time.Hour, UpstreamTimeout: 48 * time.Hour, UnknownGrace: time.Minute, HeaderPolicy: "trust", MaxResponseBytes: 10, MaxResponseMemory: 2 << 20, DrainTimeout: time.Minute,
		DataDir: "/data", DataDirWait: 10 * time.Minute, StoreSync: 200 * time.Millisecond, StoreMaxBytes: 10 << 30,
		DeadSetCodes:   "404",
		CallbackPolicy: "strict", CallbackAllow: []string{"hooks.example.com", "10.0.0.0/8", "::1"}, CallbackTimeout: 3 * time.Second, TLSInsecure: true,
		ListenAddress: "127.0.0.1:9000", BasicAuth: true, SecretMountPath: "/run/secrets", AdminOpen: true,
		MaxRequestBytes: 2 << 20, IngestAuth: true,
		LogEncoding: "json", LogLevel: "debug", Debug: true, StanEmbedded: true, StanListenAddress: ":4223",
	}
	if d := diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestWordsForZero(t *testing.T) {
	t.Parallel()
	c := load(t, "store_sync=always", "upstream_timeout=none", "data_dir=none", "callback_allow=none", "dead_set_codes=none")
	switch {
	case c.StoreSync != 0:
		t.Errorf("not all are zero: %+v, want StoreSync 0", c)
	case c.UpstreamTimeout != 0:
		t.Errorf("not all are zero: %+v, want UpstreamTimeout 0", c)
	case c.DataDir != "":
		t.Errorf("not all are zero: %+v, want DataDir \"\"", c)
	case c.CallbackAllow != nil:
		t.Errorf("not all are zero: %+v, want CallbackAllow nil", c)
	case c.DeadSetCodes != "":
		t.Errorf("not all are zero: %+v, want DeadSetCodes \"\"", c)
	}
	if c = load(t, "dead_set_codes="); c.DeadSetCodes != "" {
		t.Errorf("an empty dead_set_codes is %q, want no status", c.DeadSetCodes)
	}
}

func TestTheLastOfTwoCounts(t *testing.T) {
	t.Parallel()
	if c := load(t, "max_inflight=1", "max_inflight=2"); c.MaxInflight != 2 {
		t.Errorf("max_inflight is %d, want 2", c.MaxInflight)
	}
}

func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Load([]string{
		"faas_nats_address=nats://nats:4222", "faas_nats_port=0", "faas_nats_cluster_name=a b", "faas_nats_channel=ok,no/slash", "faas_nats_queue_group=>",
		"ack_wait=500ms", "max_unsettled=0", "max_unsettled_bytes=1KiB",
		"gateway_url=gateway:8080", "faas_gateway_address=http://gateway", "faas_gateway_port=65536", "default_function_name=a.b",
		"max_inflight=many", "max_retry_attempts=-1", "initial_retry_wait=5m", "max_retry_wait=2m", "retry_http_codes=500,oops", "backoff=linear",
		"max_retry_after=-1", "upstream_timeout=1us", "max_response_bytes=1GB", "drain_timeout=0",
		"store_sync=sometimes", "store_max_bytes=1", "store_min_free=-1",
		"dead_set=maybe", "dead_set_codes=600", "dead_set_max_age=1ms", "dead_set_max_bytes=1",
		"callback_policy=closed", "callback_allow=good.example,http://bad.example/", "callback_timeout=2h", "tls_insecure=2",
		"http_listen_address=8081", "basic_auth=enabled", "admin_open=x",
		"log_encoding=xml", "debug=verbose", "stan_embedded=here", "stan_listen_address=127.0.0.1:http",
		"max_unknown=?",
	})
	if err == nil {
		t.Fatalf("all of it is accepted: err = %v, want an error", err)
	}
	testkit.Golden(t, filepath.Join("testdata", "problems.txt"), err.Error()+"\n")
}

func TestAProblemIsReportedOnce(t *testing.T) {
	t.Parallel()
	_, err := Load([]string{"max_retry_wait=-1", "initial_retry_wait=5m", "stan_embedded=x", "http_listen_address=:4222"})
	if got := strings.Count(err.Error(), "\n") + 1; got != 2 {
		t.Errorf("%d problems, want those of max_retry_wait and stan_embedded:\n%v", got, err)
	}
}

func TestAProblemShowsNoSecret(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"http://admin:CANARY@gateway:8080", "http://CANARY@gateway", "ftp://admin:CANARY@gateway", "admin:CANARY@gateway:8080",
		"http://admin:CANARY", "http://admin:CANARY@gate way", "http://a:CANARY@b@gateway", "http://gateway/?token=CANARY", "http://gateway/#CANARY",
		"http://admin:CANARY@gateway:99999", "http://admin:%zzCANARY@gateway", "https:/admin:CANARY@gateway", "http://a:CANARY?x@gateway", "http://a:CANARY#x@gateway",
	} {
		for _, s := range settings {
			_, err := Load([]string{s.name + "=" + value})
			if err != nil && strings.Contains(err.Error(), "CANARY") {
				t.Errorf("%s=%s is reported as\n%v", s.name, value, err)
			}
			if s.name == "gateway_url" && err == nil {
				t.Errorf("gateway_url=%s is accepted", value)
			}
		}
	}
}
