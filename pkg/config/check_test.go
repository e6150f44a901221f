// Checks of single values and of pairs, and what a gateway's URL comes to.

package config

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"queue-worker/pkg/egress"
)

func TestValues(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 254)
	tests := []struct {
		setting         string
		accepted, wrong []string
	}{
		{"faas_nats_address", []string{"nats", "nats.openfaas.svc.cluster.local", "nats.", "my_nats", "nats.4a", "10.0.0.1", "::1", "[::1]"}, []string{"127.1", "10.0.0.256", "0x7f000001", "0.08", "99999999999999999999999", "fe80::1%eth0", "nats:4222", "nats://nats", "a b", "a..b", ".", "u:p@nats", "[nats]", "[10.0.0.1]", "[::1", "näts", long}},
		{"faas_nats_port", []string{"1", "4222", "65535"}, []string{"0", "-1", "65536", "4222.0", "tcp://10.0.0.1:4222", "0x10"}},
		{"faas_nats_cluster_name", []string{"faas-cluster", "a.b", "test:1"}, []string{"a b", "a.", "*", "a\x00b"}},
		{"faas_nats_channel", []string{"a", "a:1", "faas-request,slow-queue:5", "a:10000", "com.example.q_1", "A-1", "a,b,c,d,e,f,g,h,i,j,k,l"}, []string{"a,a", "a:1,a:2", "a,a:1", "a:", "a:0", "a:-1", "a:+1", "a:10001", "a:b", "a:1:2", ":5", "a b", "a/b", "-a", "a..b", "a.", ">", ",", "a,b,c,d,e,f,g,h,i,j,k,l,m", strings.Repeat("a", 257)}},
		{"ack_wait", []string{"1s", "60", "5m5s", "720h"}, []string{"0", "999ms", "721h", "10 minutes"}},
		{"gateway_url", []string{"http://gateway", "https://gateway:8443/a/b/", "HTTP://gateway/", "http://[::1]:8080", "http://10.0.0.1"}, []string{"gateway", "ftp://gateway", "http://", "http:///path", "http://gateway:0", "http://gateway:70000", "http://gateway?a=b", "http://gateway?", "http://gateway#a", "http://gateway#", "http://u:p@gateway", "http://@gateway", "http://a b", "//gateway", "/", "unix:///run/gw"}},
		{"faas_gateway_address", []string{"gateway.openfaas"}, []string{"gateway:8080", "http://gateway", "gateway/"}},
		{"default_function_name", []string{"openfaas-fn", "fn_1"}, []string{"a.b", "a/b", "-a"}},
		{"max_inflight", []string{"1", "10000"}, []string{"0", "-1", "10001", "1e3", "99999999999999999999", "2.5"}},
		{"max_retry_attempts", []string{"0", "100", "1000000"}, []string{"-1", "1000001", "ten"}},
		{"initial_retry_wait", []string{"0", "0s", "10ms", "120"}, []string{"-1s", "3m", "721h"}},
		{"max_retry_wait", []string{"10s", "720h"}, []string{"9s", "0", "721h"}},
		{"retry_http_codes", []string{"500", "429,502,500,504,408", "5xx,!501", " 408 , 429 "}, []string{"600", "50", "5x", "500 502", "!500", "abc"}},
		{"backoff", []string{"exponential", "full", "equal", "constant"}, []string{"Full", "linear", "none"}},
		{"upstream_timeout", []string{"none", "0", "60s", "1m", "48h"}, []string{"-1", "1ns", "never"}},
		{"max_response_memory", []string{"1MiB", "64MiB", "64GiB"}, []string{"0", "1MiB-1", "65GiB"}},
		{"max_response_bytes", []string{"1", "1MiB", "256Mi"}, []string{"0", "257MiB", "1MB"}},
		{"drain_timeout", []string{"1ms", "25", "24h"}, []string{"0", "-1s", "25h"}},
		{"data_dir", []string{"/data", "data", "none"}, []string{"a\x00b"}},
		{"store_sync", []string{"always", "0", "10ms", "1m"}, []string{"never", "61s", "-1ms", "Always"}},
		{"store_max_bytes", []string{"0", "1MiB", "1PiB"}, []string{"1", "-1", "2PiB"}},
		{"dead_set_codes", []string{"none", "404", "4xx,5xx,!404"}, []string{"off", "700"}},
		{"dead_set_answer_bytes", []string{"0", "1", "4KiB"}, []string{"4097", "-1", "1kB"}},
		{"dead_set_max_age", []string{"0", "1s", "30d", "87600h"}, []string{"3651d", "87601h", "-1h"}},
		{"callback_policy", []string{"guarded", "strict", "open"}, []string{"on", "private"}},
		{"callback_max_inflight", []string{"half", "1", "50"}, []string{"none", "0.5", "-1", "51", "10001", "many"}},
		{"callback_allow", []string{"none", "hooks.example.com", "10.1.2.3", "10.0.0.0/8,fd00::/8", "::1", "[::1]", "a, b"}, []string{"http://a", "a:80", "10.0.0.0/33", "a/8", "*.example.com", "a,a", "10.0.0"}},
		{"http_listen_address", []string{":8081", "127.0.0.1:0", "[::1]:8081", "localhost:80"}, []string{"8081", ":", ":http", ":65536", ":-1", "a b:80", "http://:80", "::1:80"}},
		{"log_encoding", []string{"console", "json"}, []string{"text", "JSON"}},
		{"log_level", []string{"info", "warn", "debug"}, []string{"error", "WARN"}},
	}
	for _, tt := range tests {
		t.Run(tt.setting, func(t *testing.T) {
			t.Parallel()
			for _, value := range tt.accepted {
				if _, err := Load([]string{tt.setting + "=" + value}); err != nil {
					t.Errorf("%q is refused: %v, want nil", value, err)
				}
			}
			for _, value := range tt.wrong {
				_, err := Load([]string{tt.setting + "=" + value})
				if err == nil {
					t.Errorf("%q is accepted: got %v, want an error", value, err)
					continue
				}
				var p *Problem
				if !errors.As(err, &p) || p.Name != tt.setting || strings.ContainsAny(err.Error(), "\n\x00") {
					t.Errorf("%q is reported as %q, want one line that names the setting", value, err)
				}
			}
		})
	}
}

func TestPropertyTheGuardOfCallbacksTakesWhatIsAccepted(t *testing.T) {
	t.Parallel()
	hosts := rapid.OneOf(rapid.StringMatching(`\[?[a-z0-9._:x-]{1,12}\]?(/[0-9]{1,3})?`), rapid.StringMatching(`[0-9]{1,3}(\.[0-9]{1,3}){1,4}(/[0-9]{1,2})?`), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		entry := hosts.Draw(t, "entry")
		c, err := Load([]string{"callback_allow=" + entry, "gateway_url=http://" + entry})
		if err != nil {
			c, err = Load([]string{"callback_allow=" + entry})
		}
		if err != nil {
			return
		}
		if _, err := egress.New(egress.Options{Allow: c.CallbackAllow, Gateway: c.GatewayURL}); err != nil {
			t.Fatalf("callback_allow=%q and gateway %s are accepted here, and there: %v, want nil", entry, c.GatewayURL, err)
		}
	})
}

func TestSettingsThatHaveToFitTogether(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, environ, want string
	}{
		{"the longest wait is below the first", "initial_retry_wait=30s max_retry_wait=20s", `max_retry_wait="20s": expected at least initial_retry_wait, which is 30s`},
		{"the first wait is above the default of the longest", "initial_retry_wait=3m", `initial_retry_wait="3m": expected at most max_retry_wait, which is 2m`},
		{"both waits are the same", "initial_retry_wait=3m max_retry_wait=3m", ""},
		{"both waits are zero", "initial_retry_wait=0 max_retry_wait=0", ""},
		{"two listeners on one port", "stan_embedded=true http_listen_address=:4222", `stan_listen_address="127.0.0.1:4222": expected another port than that of http_listen_address, which is :4222`},
		{"two listeners on one port of all addresses", "stan_embedded=true http_listen_address=127.0.0.1:9 stan_listen_address=[::]:9", `stan_listen_address="[::]:9": expected another port than that of http_listen_address, which is 127.0.0.1:9`},
		{"two listeners on one port of two addresses", "stan_embedded=true http_listen_address=127.0.0.2:4222", ""},
		{"two listeners on any free port", "stan_embedded=true http_listen_address=:0 stan_listen_address=:0", ""},
		{"more calls of URLs than there are", "max_inflight=4 callback_max_inflight=5", `callback_max_inflight="5": expected at most max_inflight, which is 4`},
		{"as many calls of URLs as there are", "max_inflight=4 callback_max_inflight=4", ""},
		{"the second listener is off", "http_listen_address=:4222", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if _, err := Load(strings.Fields(tt.environ)); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("%s is reported as\n%s\nwant\n%s", tt.environ, got, tt.want)
			}
		})
	}
}

func TestGatewayURL(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, environ, want string }{
		{"neither is set", "", "http://gateway:8080"},
		{"an address", "faas_gateway_address=gw", "http://gw:8080"},
		{"an address and a port", "faas_gateway_address=gw.openfaas faas_gateway_port=80", "http://gw.openfaas:80"},
		{"an IPv6 address", "faas_gateway_address=::1", "http://[::1]:8080"},
		{"an IPv6 address in brackets", "faas_gateway_address=[::1]", "http://[::1]:8080"},
		{"the URL wins", "gateway_url=http://a:1 faas_gateway_address=b faas_gateway_port=2", "http://a:1"},
		{"a slash at the end is cut", "gateway_url=http://gw/", "http://gw"},
		{"slashes at the end are cut", "gateway_url=http://gw///", "http://gw"},
		{"a path prefix is kept", "gateway_url=https://gw/of/", "https://gw/of"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := load(t, strings.Fields(tt.environ)...).GatewayURL.String(); got != tt.want {
				t.Errorf("the gateway is %s, want %s", got, tt.want)
			}
		})
	}
}

func TestDebugIsAWordForTheLogLevel(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		environ string
		want    string // log_level; "" stops the start
	}{
		{"", "info"},
		{"debug=false", "info"},
		{"debug=true", "debug"},
		{"log_level=debug", "debug"},
		{"log_level=warn", "warn"},
		{"log_level=warn debug=false", "warn"},
		{"log_level=debug debug=true", "debug"},
		{"log_level=warn debug=true", ""},
		{"log_level=info debug=true", ""},
		{"log_level=debug debug=false", ""},
	} {
		c, err := Load(strings.Fields(tt.environ))
		got := ""
		if err == nil {
			got = c.LogLevel
		}
		if got != tt.want {
			t.Errorf("%q: got level %q and %v, want %q", tt.environ, got, err, tt.want)
		}
		if c != nil && c.Debug != (tt.want == "debug") {
			t.Errorf("%q: got debug %v, want %v", tt.environ, c.Debug, !c.Debug)
		}
	}
}
