package chart

// What the worker refuses at its start is refused by the chart, in the worker's words, before a running pod is
// touched. files/bounds.yaml is written from pkg/config, whose own test keeps it true.

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// bound is the range of one setting.
type bound struct {
	Kind    string   `json:"kind"`
	Zero    string   `json:"zero"`
	Words   []string `json:"words"`
	Min     float64  `json:"min"`
	Max     float64  `json:"max"`
	OrZero  bool     `json:"orZero"`
	Expects string   `json:"expects"`
}

func readBounds(t *testing.T) map[string]bound {
	t.Helper()
	all := map[string]bound{}
	if err := yaml.UnmarshalStrict([]byte(read(t, "../queue-worker/files/bounds.yaml")), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 35 {
		t.Fatalf("bounds.yaml has %d settings, want at least 35", len(all))
	}
	return all
}

// valuesFor are the values with which a setting gets a value; %q stands for it.
var valuesFor = map[string]string{
	"faas_nats_port":         "nats: {external: {enabled: true, host: h, port: %q}}",
	"ack_wait":               "queueWorker: {ackWait: %q}",
	"max_inflight":           "queueWorkerPro: {maxInflight: %q}\nsettings: {callback_max_inflight: half}",
	"max_retry_attempts":     "queueWorkerPro: {maxRetryAttempts: %q}",
	"initial_retry_wait":     "queueWorkerPro: {initialRetryWait: %q, maxRetryWait: 720h}",
	"max_retry_wait":         "queueWorkerPro: {initialRetryWait: 0s, maxRetryWait: %q}",
	"retry_http_codes":       "queueWorkerPro: {httpRetryCodes: %q}",
	"backoff":                "queueWorkerPro: {backoff: %q}",
	"tls_insecure":           "queueWorkerPro: {insecureTLS: %q}",
	"drain_timeout":          "drainSeconds: %q",
	"faas_nats_address":      "nats: {external: {enabled: true, host: %q}}",
	"faas_nats_cluster_name": "nats: {external: {enabled: true, host: h, clusterName: %q}}",
	"faas_nats_queue_group":  "queueWorker: {queueGroup: %q}",
	"gateway_url":            "gatewayUrl: %q",
	"default_function_name":  "functionNamespace: %q",
	// At most as many as all calls.
	"callback_max_inflight": "queueWorkerPro: {maxInflight: 10000}\nsettings: {callback_max_inflight: %q}",
}

// unreached are bounds of settings that no value reaches, or only one that is true or false.
var unreached = map[string]bool{"faas_gateway_port": true, "basic_auth": true, "stan_embedded": true}

// texts are values of each kind of text that the worker takes, and some that it refuses.
var texts = map[string]struct{ within, beyond []string }{
	"host":      {[]string{"nats", "nats.openfaas.svc.cluster.local.", "10.0.0.1", "fd00::1", "[fd00::1]", "a_b-c"}, []string{"nats://nats", "nats:4222", "a b", "a..b", "127.1"}},
	"hosts":     {[]string{"hooks.example.com, 10.0.0.0/8", "fd00::/8,::1"}, []string{"http://a/", "a b", "a,*.b", "10.0.0.0/8/8"}},
	"url":       {[]string{"http://gateway:8080", "https://gw.example/openfaas/", "http://[fd00::1]:8080"}, []string{"gateway:8080", "ftp://gateway", "http://", "http://user@gateway", "http://gateway/?a=b"}},
	"subject":   {[]string{"faas", "a.b-c"}, []string{"a b", "a..b", "a*", ">"}},
	"namespace": {[]string{"openfaas-fn", "a_b"}, []string{"a.b", "a b"}},
}

// within are values that the worker takes, and beyond those that it refuses.
func (b bound) within() (values []string) {
	if text, is := texts[b.Kind]; is {
		return text.within
	}
	switch b.Kind {
	case "word":
		values = b.Words
	case "yesno":
		values = []string{"true", "false"}
	case "codes":
		values = []string{"500", "5xx,!501", "408, 429"}
	default:
		values = []string{b.write(b.Min), b.write(b.Max)}
		if b.OrZero {
			values = append(values, "0")
		}
	}
	if b.Zero != "" {
		values = append(values, b.Zero)
	}
	return values
}

func (b bound) beyond() []string {
	if text, is := texts[b.Kind]; is {
		return text.beyond
	}
	switch b.Kind {
	case "word":
		return []string{b.Words[0] + "x", "never"}
	case "yesno":
		return []string{"maybe"}
	case "codes":
		return []string{"600", "99", "5x", "abc"}
	}
	step := 1.0
	all := []string{b.write(b.Max + step), "soon", "-1", "1.5.5"}
	if b.Min >= step && !(b.OrZero && b.Min == step) {
		all = append(all, b.write(b.Min-step))
	}
	if b.Kind == "size" {
		all = append(all, "1MB")
	}
	return all
}

// write is a number in the form of its kind.
func (b bound) write(n float64) string {
	text := strconv.FormatFloat(n, 'f', -1, 64)
	if b.Kind == "duration" {
		return text + "s"
	}
	return text
}

// set are the values that give a setting a value.
func set(name, value string) string {
	if form, ok := valuesFor[name]; ok {
		return fmt.Sprintf(form, value)
	}
	return fmt.Sprintf("settings: {%s: %q}", name, value)
}

func TestEveryBoundOfTheWorkerIsTheCharts(t *testing.T) {
	t.Parallel()
	for name, b := range readBounds(t) {
		if unreached[name] {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, value := range b.within() {
				if name == "drain_timeout" && value == "0.001s" {
					continue // whole seconds
				}
				if name == "drain_timeout" {
					value = strings.TrimSuffix(value, "s")
				}
				if _, err := files(t, set(name, value)); err != nil {
					t.Errorf("%s is refused, want it taken: %v", value, err)
				}
			}
			for _, value := range b.beyond() {
				_, err := files(t, set(name, value))
				if err == nil {
					t.Errorf("%s is taken, want it refused", value)
				} else if text := err.Error(); !strings.Contains(text, b.Expects) && !strings.Contains(text, "value must be one of") {
					t.Errorf("%s is refused with %q, want what is expected: %s", value, text, b.Expects)
				}
			}
		})
	}
}

func TestContradictionsAreRefusedByTheChart(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ values, want string }{
		"a first wait above the longest":     {"queueWorkerPro: {initialRetryWait: 5m, maxRetryWait: 1m}", "at least initialRetryWait, which is 5m"},
		"a first wait above the default":     {"queueWorkerPro: {initialRetryWait: 121s}", "at least initialRetryWait, which is 121s"},
		"a longest wait of 9000h":            {"queueWorkerPro: {maxRetryWait: 9000h}", "a duration from 0s to 720h"},
		"callbacks above all calls":          {"queueWorkerPro: {maxInflight: 5}\nsettings: {callback_max_inflight: 6}", "at most maxInflight, which is 5"},
		"a queue twice":                      {"nats: {channel: 'a,b,a:5'}", "none twice"},
		"a queue without calls":              {"nats: {channel: 'a:0'}", "from 1 to 10000"},
		"a queue with a space":               {"nats: {channel: 'a b'}", "names of letters"},
		"thirteen queues":                    {"nats: {channel: 'a,b,c,d,e,f,g,h,i,j,k,l,m'}", "from 1 to 12 names"},
		"no queue":                           {"nats: {channel: ','}", "from 1 to 12 names"},
		"two levels of the log":              {"settings: {debug: true, log_level: warn}", "log_level"},
		"minutes and seconds that are mixed": {"queueWorkerPro: {initialRetryWait: 1m1s, maxRetryWait: 60s}", "which is 1m1s"},
	} {
		_, err := files(t, tt.values)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
	for _, taken := range []string{
		"queueWorkerPro: {initialRetryWait: 1m, maxRetryWait: 60s}", "nats: {channel: 'a:1,b.c-d_e:10000'}", "settings: {debug: true}",
		"queueWorkerPro: {initialRetryWait: 1d, maxRetryWait: 24h}", "settings: {store_max_bytes: 10Gi}", "settings: {store_max_bytes: 1PiB}",
	} {
		if _, err := files(t, taken); err != nil {
			t.Errorf("%s is refused, want it taken: %v", taken, err)
		}
	}
}
