package chart

// Every setting of the worker can be reached by a value of the chart, every
// default of the chart is the worker's, and every value is explained.

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
)

// setting is one line of the tables in docs/settings.md, which pkg/config writes.
type setting struct{ name, fallback string }

var settingLine = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (?:`([^`]*)`|not set) \\|")

func documented(t *testing.T) []setting {
	t.Helper()
	var found []setting
	for _, m := range settingLine.FindAllStringSubmatch(read(t, "../../docs/settings.md"), -1) {
		found = append(found, setting{m[1], m[2]})
	}
	if len(found) < 40 {
		t.Fatalf("docs/settings.md has %d settings: its form has changed, want at least 40", len(found))
	}
	return found
}

// reached are values that are not under settings, and what becomes of them.
var reached = map[string]struct{ values, want string }{
	"faas_nats_address":      {"nats: {external: {enabled: true, host: h}}", "h"},
	"faas_nats_port":         {"nats: {external: {enabled: true, host: h, port: 4223}}", "4223"},
	"faas_nats_cluster_name": {"nats: {external: {enabled: true, host: h, clusterName: c}}", "c"},
	"faas_nats_channel":      {"nats: {channel: 'a,b'}", "a,b"},
	"faas_nats_queue_group":  {"queueWorker: {queueGroup: g}", "g"},
	"ack_wait":               {"queueWorker: {ackWait: 30}", "30"},
	"gateway_url":            {"gatewayUrl: 'https://gw.example/x'", "https://gw.example/x"},
	"faas_gateway_address":   {"openfaasNamespace: faas", "gateway.faas.svc.cluster.local"},
	"default_function_name":  {"functionNamespace: fn", "fn"},
	"max_inflight":           {"queueWorkerPro: {maxInflight: 10000}", "10000"},
	"max_retry_attempts":     {"queueWorkerPro: {maxRetryAttempts: 1000000}", "1000000"},
	"initial_retry_wait":     {"queueWorkerPro: {initialRetryWait: 0s}", "0s"},
	"max_retry_wait":         {"queueWorkerPro: {maxRetryWait: 5m}", "5m"},
	"retry_http_codes":       {"queueWorkerPro: {httpRetryCodes: 429}", "429"},
	"backoff":                {"queueWorkerPro: {backoff: full}", "full"},
	"tls_insecure":           {"queueWorkerPro: {insecureTLS: true}", "true"},
	"drain_timeout":          {"drainSeconds: '60'", "60s"},
	"data_dir":               {"persistence: {enabled: true}", "/var/lib/queue-worker/data"},
	"basic_auth":             {"basic_auth: false", "false"},
	"debug":                  {"settings: {debug: true}", "true"},
	"stan_embedded":          {"stanEmbedded: true", "true"},
	"stan_listen_address":    {"stanEmbedded: true", ":4222"},
	"stan_credentials_file":  {"stanCredentialsSecret: nats-credentials", "/var/secrets/nats/credentials"},
	"stan_ca_file":           {"stanTLS: {secret: nats-tls}", "/var/secrets/nats-tls/ca.crt"},
	"stan_cert_file":         {"stanTLS: {secret: nats-tls, clientCertificate: true}", "/var/secrets/nats-tls/tls.crt"},
	"stan_key_file":          {"stanTLS: {secret: nats-tls, clientCertificate: true}", "/var/secrets/nats-tls/tls.key"},
}

// fixed are settings that no value reaches, and why.
var fixed = map[string]string{
	"faas_gateway_port":   "the gateway's Service has port 8080; gatewayUrl takes any",
	"http_listen_address": "ports inside the pod are the chart's own",
	"store_url":           "the chart does not support PostgreSQL yet: it is set in extraEnv",
	"store_url_file":      "the chart does not support PostgreSQL yet: it is set in extraEnv",
	"secret_mount_path":   "paths inside the pod are the chart's own",
}

// TestAPodWaitsLongerThanADrain: the volume is free when the pod before has drained.
func TestAPodWaitsLongerThanADrain(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"drainSeconds: 100":  "10m",
		"drainSeconds: 3600": "3660s",
		"drainSeconds: 3600\nsettings: {data_dir_wait: 2h}": "2h",
	} {
		if got := render(t, values).env(t)["data_dir_wait"]; got != want {
			t.Errorf("%s: data_dir_wait is %q, want %q", values, got, want)
		}
	}
}

func TestEverySettingIsReachedByAValue(t *testing.T) {
	t.Parallel()
	byName := load(t).Values["settings"].(map[string]any)
	names := map[string]bool{}
	for _, s := range documented(t) {
		names[s.name] = true
		value, is := byName[s.name]
		r, isElsewhere := reached[s.name]
		_, isFixed := fixed[s.name]
		switch {
		case isFixed && !is && !isElsewhere:
		case isElsewhere && !is && !isFixed:
			if got := render(t, r.values).env(t)[s.name]; got != r.want {
				t.Errorf("%s: %s is %q, want %q", r.values, s.name, got, r.want)
			}
		case is && !isElsewhere && !isFixed:
			if got := render(t, "{}").env(t)[s.name]; got != s.fallback {
				t.Errorf("settings.%s is %v in values.yaml, and %s is %q by default, want %q", s.name, value, s.name, got, s.fallback)
			}
		default:
			t.Errorf("%s is reached by no value, or by two: add it to settings in values.yaml and values.schema.json, or to a table of this test", s.name)
		}
	}
	for name := range byName {
		if !names[name] {
			t.Errorf("settings.%s is no setting of the worker: names[name] = false, want true", name)
		}
	}
}

// The chart's defaults are the worker's, but for these.
var differs = map[string]string{
	"basic_auth":           "true: on Kubernetes the Secret is there",
	"data_dir":             "a volume",
	"faas_gateway_address": "by its full name",
	"faas_nats_address":    "by its full name",
}

func TestTheDefaultsAreTheWorkers(t *testing.T) {
	t.Parallel()
	env := render(t, "{}").env(t)
	for _, s := range documented(t) {
		got, set := env[s.name]
		if _, may := differs[s.name]; may || !set || got == "" {
			continue
		}
		if got != s.fallback {
			t.Errorf("%s is %q, and %q without the chart, want %v", s.name, got, s.fallback, s.fallback)
		}
	}
	for name := range env {
		if !slices.ContainsFunc(documented(t), func(s setting) bool { return s.name == name }) {
			t.Errorf("%s is no setting of the worker", name)
		}
	}
}

func TestEveryValueIsExplained(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, f := range load(t).Raw {
		if f.Name == chartutil.ValuesfileName {
			lines = strings.Split(string(f.Data), "\n")
		}
	}
	resources := false // below this key the names are those of Kubernetes
	for i, line := range lines {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case key == "" || strings.HasPrefix(key, "#"):
			resources = false
		case key == "resources" || key == "labels" && value == "":
			resources = true
		case value != "" && !resources && (i == 0 || !strings.HasPrefix(strings.TrimSpace(lines[i-1]), "#")):
			t.Errorf("values.yaml:%d: %s has no comment", i+1, key)
		}
	}
}

func TestNoBlockOfOursIsOneOfOpenFaaS(t *testing.T) {
	t.Parallel()
	known := strings.Fields(read(t, "../queue-worker/files/openfaas-keys.txt"))
	shared := strings.Fields(`openfaasImagePullPolicy imagePullSecrets functionNamespace kubernetesDNSDomain basic_auth
		queueWorkerPro queueWorker nats nodeSelector tolerations affinity`)
	for key := range load(t).Values {
		if slices.Contains(known, key) != slices.Contains(shared, key) {
			t.Errorf("%s: a key of the OpenFaaS chart means the same here, and what is ours has a name of its own: slices.Contains(known, key) = %v, want %v", key, slices.Contains(known, key), slices.Contains(shared, key))
		}
	}
}

func TestAnUnknownKeyIsNamedInTheNotes(t *testing.T) {
	t.Parallel()
	all := "monitoring: {enabled: false}\nglobal: {}\ntags: {}\n"
	for _, key := range strings.Fields(read(t, "../queue-worker/files/openfaas-keys.txt")) {
		if _, ours := load(t).Values[key]; !ours {
			all += key + ": {}\n"
		}
	}
	notes := render(t, all).notes
	switch n := strings.Count(notes, "is ignored"); {
	case n != 1:
		t.Errorf("%d keys are not read, want 1\n%s", n, notes)
	case !strings.Contains(notes, "monitoring is no value"):
		t.Errorf("%d keys are not read, want \"monitoring is no value\" in it\n%s", n, notes)
	}
}
