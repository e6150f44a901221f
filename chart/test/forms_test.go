package chart

// Values that are no settings of the worker: a wrong one is refused with what is expected, in words.

import (
	"strings"
	"testing"
)

func TestAWrongValueIsRefusedInWords(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"fullnameOverride: Queue_Worker":                            "is not a name of Kubernetes",
		"fullnameOverride: ''":                                      "is not a name of Kubernetes",
		"queueWorker: {replicas: -1}":                               "is not a whole number",
		"queueWorker: {replicas: many}":                             "is not a whole number",
		"queueWorkerPro: {replicas: many}":                          "is not a whole number",
		"nats: {streamReplication: x}":                              "is not a whole number",
		"persistence: {size: 5 GB}":                                 "is not a size as Kubernetes writes it",
		"service: {port: 0}":                                        "is not a port from 1 to 65535",
		"service: {port: 65536}":                                    "is not a port from 1 to 65535",
		"serviceMonitor: {interval: often}":                         "is not a duration such as 30s",
		"keda: {minReplicas: 0}":                                    "is not a whole number from 1",
		"keda: {pendingPerWorker: 0}":                               "is not a whole number from 1",
		"keda: {minReplicas: 3, maxReplicas: 2}":                    "is below keda.minReplicas, which is 3",
		"keda: {prometheusUrl: prometheus}":                         "is not a URL such as",
		"podDisruptionBudget: {maxUnavailable: some}":               "is not a whole number or a percentage",
		"podDisruptionBudget: {minAvailable: some}":                 "is not a whole number or a percentage",
		"gatewayUrl: gateway":                                       "expects a URL such as http://gateway:8080",
		"queues: {other: {maxRetryAttempts: 1}}":                    "nats.channel has no such queue; it has faas-request",
		"queues: {faas-request: {maxRetryAttempts: x}}":             `queues.faas-request.maxRetryAttempts: "x" is refused by the worker, which expects a whole number`,
		"queues: {faas-request: {maxRetryWait: 5s}}":                `queues.faas-request.maxRetryWait: "5s" is refused by the worker, which expects at least initialRetryWait, which is 10s`,
		"queues: {faas-request: {initialRetryWait: 1d}}":            "expects at least initialRetryWait, which is 1d",
		"queues: {faas-request: {retries: 1}}":                      "additional properties 'retries' not allowed",
		"nats: {channel: 'a-b,a.b'}\nqueues: {a-b: {}, a.b: {}}":    "differ in '-', '_' and '.' only",
		"extraEnv: [{name: max_retry_attempts__slow, value: '1'}]":  "which is a setting of one queue: set it under queues",
		"stanEmbedded: true\nstanTLS: {secret: s}":                  "stays within the process",
		"stanTLS: {clientCertificate: true}":                        "without stanTLS.secret",
		"readAuthSecret: s\nbasic_auth: false":                      "Set basic_auth=true",
		"caSecret: s\nextraEnv: [{name: SSL_CERT_DIR, value: /x}]":  "which caSecret sets too",
		"nats: {external: {enabled: true, host: 'u:hunter2@nats'}}": `nats.external.host: "[redacted]@nats" is refused`,
		"queueWorkerPro: {maxRetryWait: 1s}":                        "expects at least initialRetryWait, which is 10s",
		"queueWorker: {initialRetryWait: 3m}":                       "expects at least initialRetryWait, which is 3m",
		"podDisruptionBudget: {enabled: true, minAvailable: '50%'}": "would let no node be drained",
	} {
		_, err := files(t, values)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", values, err, want)
			continue
		}
		if strings.Contains(err.Error(), "pattern") {
			t.Errorf("%s: got %v, want no regular expression", values, err)
		}
	}
}

// TestTheSchemaHasNoPatterns: a schema shows a regular expression in place of what is expected.
func TestTheSchemaHasNoPatterns(t *testing.T) {
	t.Parallel()
	if strings.Contains(read(t, "../queue-worker/values.schema.json"), `"pattern"`) {
		t.Error("got a pattern in values.schema.json, want it in templates/_forms.tpl, with words")
	}
}

func TestAQueueHasRetryValuesOfItsOwn(t *testing.T) {
	t.Parallel()
	env := render(t, `
nats: {channel: "faas-request,slow-queue.eu:5"}
queues:
  slow-queue.eu: {maxRetryAttempts: 1000000, initialRetryWait: 1m, maxRetryWait: 1h, httpRetryCodes: "429", backoff: full}
  faas-request:
`).env(t)
	for name, want := range map[string]string{
		"max_retry_attempts__slow_queue_eu": "1000000",
		"initial_retry_wait__slow_queue_eu": "1m",
		"max_retry_wait__slow_queue_eu":     "1h",
		"retry_http_codes__slow_queue_eu":   "429",
		"backoff__slow_queue_eu":            "full",
		"max_retry_attempts":                "10",
	} {
		if got := env[name]; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got, set := env["max_retry_attempts__faas_request"]; set {
		t.Errorf("got %q for a queue without values, want none", got)
	}
}
