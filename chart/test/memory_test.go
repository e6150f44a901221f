package chart

// The memory limit that follows from the settings; docs/operations.md has the formula.

import (
	"testing"
)

func TestTheMemoryLimitFollowsFromTheSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, values, want string }{
		// e2e/flood_linux_test.go compares what a flood needs with this one.
		{"the defaults", "{}", "1290Mi"},
		{"resources as OpenFaaS has them", "{queueWorker: {resources: {requests: {memory: 120Mi, cpu: 50m}}}}", "1290Mi"},
		{"one call", "{queueWorkerPro: {maxInflight: 1}}", "497Mi"},
		{"many calls", "{queueWorker: {maxInflight: 1000}}", "16668Mi"},
		{"all that there may be", "{queueWorkerPro: {maxInflight: 10000}, settings: {max_request_bytes: 256MiB, max_response_bytes: 256MiB}}", "5126435Mi"},
		{"small bodies, in bytes", "{settings: {max_request_bytes: 1048576, max_response_bytes: '65536'}}", "590Mi"},
		{"the embedded NATS Streaming", "{stanEmbedded: true}", "1674Mi"},
		{"no volume", "{persistence: {enabled: false}}", "2922Mi"},
		{"no volume and no dead set", "{persistence: {enabled: false}, settings: {dead_set: 'off'}}", "1386Mi"},
		{"no bound of what is in memory", "{persistence: {enabled: false}, settings: {dead_set_max_bytes: '0'}}", "0"},
		{"a request above it", "{queueWorker: {resources: {requests: {memory: 1.5Gi}}}}", "1536Mi"},
		{"the operator's own", "{queueWorker: {resources: {limits: {memory: 300M}}}}", "300M"},
		{"other limits", "{queueWorker: {resources: {limits: {cpu: 2}}}}", "1290Mi"},
		{"none", "{queueWorker: {resources: {limits: {memory: null}}}}", "0"},
		{"no limits", "{queueWorker: {resources: {limits: null}}}", "0"},
		{"no resources", "{queueWorker: {resources: null}}", "0"},
	} {
		r := render(t, tt.values)
		if got := r.pod(t).Spec.Containers[0].Resources.Limits.Memory().String(); got != tt.want {
			t.Errorf("%s: the limit is %s, want %s", tt.name, got, tt.want)
		}
	}
}
