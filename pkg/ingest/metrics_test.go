package ingest_test

import (
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/ingest"
)

func TestRefusedSubmissionsAreCountedByReason(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	r := newRig(t, func(o *apitest.Options) { o.Ingest.Metrics = ingest.NewMetrics(registry) })
	refused := func() map[string]float64 {
		t.Helper()
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		counts := map[string]float64{}
		for _, m := range families[0].GetMetric() {
			counts[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
		}
		return counts
	}
	if got, has := refused()["store_full"]; !has || got != 0 {
		t.Errorf("got %v (%t) before any, want 0", got, has)
	}
	for _, s := range []struct {
		path, body string
		status     int
	}{
		{"/async-function/fn", "hello", http.StatusAccepted},
		{"/async-function/-", "", http.StatusBadRequest},
		{"/deadletter/-", "", http.StatusBadRequest},
		{"/queue/producer", "{}", http.StatusBadRequest},
		{"/async-function/fn", string(make([]byte, 65<<10)), http.StatusRequestEntityTooLarge},
	} {
		if got := r.Post(t, s.path, s.body).Status; got != s.status {
			t.Errorf("%s: got status %d, want %d", s.path, got, s.status)
		}
	}
	counts := refused()
	if got := counts["bad_request"]; got != 3 {
		t.Errorf("got %v of bad_request, want 3", got)
	}
	if got := counts["too_large"]; got != 1 {
		t.Errorf("got %v of too_large, want 1", got)
	}
}
