package chart

// From values to the worker's environment.

import (
	"strings"
	"testing"
)

func TestValuesReachTheEnvironment(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, values string
		want         map[string]string // "-": must not be set
	}{
		{"the retry values of the OpenFaaS chart", "queueWorkerPro: {maxRetryAttempts: 100, maxRetryWait: 5m, initialRetryWait: 0s, httpRetryCodes: '429', backoff: full, insecureTLS: true}", map[string]string{
			"max_retry_attempts": "100", "max_retry_wait": "5m", "initial_retry_wait": "0s", "retry_http_codes": "429", "backoff": "full", "tls_insecure": "true"}},
		{"where they stood from July to October 2021", "queueWorker: {maxRetryAttempts: 3, maxRetryWait: 1m, initialRetryWait: 1s, httpRetryCodes: '500'}", map[string]string{
			"max_retry_attempts": "3", "max_retry_wait": "1m", "initial_retry_wait": "1s", "retry_http_codes": "500"}},
		{"no retry", "queueWorker: {maxRetryAttempts: 0}", map[string]string{"max_retry_attempts": "0"}},
		{"text where a number stood", "queueWorkerPro: {maxRetryAttempts: '1000000', maxInflight: '200', insecureTLS: 'true'}", map[string]string{
			"max_retry_attempts": "1000000", "max_inflight": "200", "tls_insecure": "true"}},
		{"calls at a time by the Community name win", "queueWorkerPro: {maxInflight: 50}\nqueueWorker: {maxInflight: '7'}", map[string]string{"max_inflight": "7"}},
		{"a NATS Streaming of one's own", "nats: {channel: 'a,b', external: {enabled: true, host: stan.infra, port: 4223, clusterName: c}}", map[string]string{
			"faas_nats_address": "stan.infra", "faas_nats_port": "4223", "faas_nats_cluster_name": "c", "faas_nats_channel": "a,b"}},
		{"a gateway elsewhere", "gatewayUrl: 'https://gw.example'", map[string]string{"gateway_url": "https://gw.example", "faas_gateway_address": "-"}},
		{"OpenFaaS in another namespace", "openfaasNamespace: faas\nkubernetesDNSDomain: corp.local", map[string]string{
			"faas_nats_address": "nats.faas.svc.corp.local", "faas_gateway_address": "gateway.faas.svc.corp.local"}},
		{"no namespace of functions", "functionNamespace: null", map[string]string{"default_function_name": "openfaas"}},
		{"embedded NATS Streaming", "stanEmbedded: true\nnats: {external: {enabled: true, host: h, clusterName: c}}", map[string]string{
			"stan_embedded": "true", "stan_listen_address": ":4222", "faas_nats_address": "-", "faas_nats_cluster_name": "c"}},
		{"without a volume", "persistence: {enabled: false}", map[string]string{"data_dir": "-"}},
		{"settings, numbers and text alike", "settings: {store_max_bytes: 5000000000, max_unsettled: 1000000, debug: true, dead_set: off, dead_set_codes: '', callback_timeout: 30}", map[string]string{
			"store_max_bytes": "5000000000", "max_unsettled": "1000000", "debug": "true", "dead_set": "false", "dead_set_codes": "", "callback_timeout": "30"}},
		{"a setting that is taken back is the worker's default", "settings: {callback_policy: null}", map[string]string{"callback_policy": "-"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := render(t, tt.values).env(t)
			for k, want := range tt.want {
				got, set := env[k]
				if (want == "-") == set || set && got != want {
					t.Errorf("%s is %q (set: %t), want %q", k, got, set, want)
				}
			}
		})
	}
}

func TestWhichImageRuns(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, values, want, note string }{
		{"none is named", "{}", "queue-worker:0.1.0", "names no registry"},
		{"ours, by tag", "image: r.example/qw:1", "r.example/qw:1", ""},
		{"ours, by digest", "image: 'r.example/qw@sha256:0'", "r.example/qw@sha256:0", ""},
		{"ours in the old place", "queueWorker: {image: 'r.example/qw:1'}", "r.example/qw:1", ""},
		{"ours in both places", "image: r.example/qw:2\nqueueWorker: {image: 'r.example/qw:1'}", "r.example/qw:2", "queueWorker.image is r.example/qw:1, and is ignored"},
		{"the Community worker's", "image: r.example/qw:2\nqueueWorker: {image: 'ghcr.io/openfaas/queue-worker:0.14.2'}", "r.example/qw:2", "queueWorker.image is ghcr.io/openfaas/queue-worker:0.14.2, and is ignored"},
		{"only the Community worker's", "queueWorker: {image: 'ghcr.io/openfaas/queue-worker:0.14.2'}", "queue-worker:0.1.0", "is ignored"},
		{"the Community worker's, from a mirror", "queueWorker: {image: 'mirror.example/ghcr.io/openfaas/queue-worker:0.14.2'}", "queue-worker:0.1.0", "is ignored"},
		{"the Community worker's, from Docker Hub", "queueWorker: {image: 'openfaas/queue-worker'}", "queue-worker:0.1.0", "is ignored"},
		{"the commercial worker's", "image: i:1\nqueueWorkerPro: {enabled: true, image: 'ghcr.io/openfaasltd/queue-worker:0.4.0'}", "i:1", "queueWorkerPro.image is ghcr.io/openfaasltd/queue-worker:0.4.0, and is ignored"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := render(t, tt.values)
			if got := r.pod(t).Spec.Containers[0].Image; got != tt.want || !strings.Contains(r.notes, tt.note) {
				t.Errorf("image is %s, want %s; notes want %q:\n%s", got, tt.want, tt.note, r.notes)
			}
			if tt.note == "" && (strings.Contains(r.notes, "ignored") || strings.Contains(r.notes, "no registry")) {
				t.Errorf("the notes have something against it:\n%s", r.notes)
			}
		})
	}
}

func TestTheNotesSayWhatTheValuesMean(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, values, want string }{
		{"one call at a time", "queueWorker: {maxInflight: 1}", "One call at a time"},
		{"the commercial gateway", "openfaasPro: true", "publishes to NATS JetStream, which this worker does not read"},
		{"the Secret in another namespace", "openfaasNamespace: faas", "kubectl -n faas get secret basic-auth"},
		{"embedded NATS Streaming", "stanEmbedded: true", "--set nats.external.host=nats.openfaas.svc.cluster.local"},
		{"embedded NATS Streaming beside another", "stanEmbedded: true\nnats: {external: {enabled: true, host: h}}", "nats.external is ignored"},
		{"the mailbox", "{}", "http://mailbox.openfaas:8080/deadletter/<function>"},
		{"the mailbox by its short name", "mailbox: {inFunctionNamespace: true}", "http://mailbox:8080/deadletter/<function>"},
		{"no credentials", "basic_auth: false", "     curl localhost:8081/v1/dead_set\n"},
		{"the claim", "{}", "The claim queue-worker stays when the release is uninstalled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if notes := render(t, tt.values).notes; !strings.Contains(notes, tt.want) {
				t.Errorf("the notes do not have %q, want %q in it\n%s", tt.want, tt.want, notes)
			}
		})
	}
}
