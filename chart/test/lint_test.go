package chart

// What `helm lint --strict` says.

import (
	"testing"

	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
)

func TestHelmHasNothingAgainstTheChart(t *testing.T) {
	t.Parallel()
	for _, m := range lint.AllWithKubeVersion("../queue-worker", nil, "openfaas", nil).Messages {
		if m.Severity >= support.WarningSev {
			t.Errorf("%v, want Severity less than %d", m, support.WarningSev)
		}
	}
}
