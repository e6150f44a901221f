package policy

import (
	"strings"
	"testing"
)

func TestAnAnnotationCloseToOneIsReported(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"com.openfaas.retry.attempt":    AnnotationAttempts,
		"com.openfaas.retries.attempts": "",
		"com.openfaas.retry.max-wait":   AnnotationMaxWait,
		"Com.OpenFaaS.Retry.Codes":      AnnotationCodes,
		"com.openfaas.retry.maxWait":    AnnotationMaxWait,
		"queueworker.max_age":           AnnotationMaxAge,
		"queue-worker/timeout":          AnnotationTimeout,
		"queue_worker.max_inflight":     AnnotationMaxInflight,
		"queue-worker.rates":            AnnotationRate,
		AnnotationAttempts:              "",
		AnnotationMaxAge:                "",
		"com.openfaas.health.http.path": "",
		"prometheus.io.scrape":          "",
		"topic":                         "",
	} {
		for _, from := range []Source{GatewayAnnotation, Annotation} {
			_, problems := Policy{}.With(map[string]string{key: "5"}, from)
			if want == "" {
				if len(problems) > 0 {
					t.Errorf("%s is reported: %v, want nothing", key, problems)
				}
				continue
			}
			if len(problems) != 1 {
				t.Errorf("%s is reported %d times, want once", key, len(problems))
				continue
			}
			p := problems[0]
			if p.Value != "" {
				t.Errorf("%s is reported with the value %s, want none", key, p.Value)
			}
			if text := "did you mean " + want + "?"; p.Key != key || !strings.Contains(p.Expected, text) {
				t.Errorf("%s is reported as %v, want %q in it", key, p, text)
			}
		}
		if got := Concerns(key); got != (want != "" || strings.HasPrefix(key, openfaasPrefix) || strings.HasPrefix(key, ourPrefix)) {
			t.Errorf("%s concerns us: %t", key, got)
		}
	}
}
