package api_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/api"
	"queue-worker/pkg/api/apitest"
)

// rig is the whole surface with its store.
type rig struct{ *apitest.Rig }

func newRig(t testing.TB, edits ...func(*apitest.Options)) *rig {
	t.Helper()
	return &rig{apitest.New(t, edits...)}
}

// operations are the rows of the table.
func (r *rig) operations() []api.Operation {
	all, err := api.Operations(api.Options{
		Admin: r.Admin, Ingest: r.Ingest, Gatherer: prometheus.NewRegistry(), Healthy: apitest.Fine, Ready: apitest.Fine, Console: true, ConsoleActions: true,
	})
	if err != nil {
		panic(err)
	}
	return all
}
