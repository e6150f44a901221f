package api

// Groups, and how long they may take.

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/store"
)

func TestGroupsHaveTheShapeOfTheGoldenFile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cast(t, r)
	got := r.ask(t, http.MethodGet, "/v1/dead_set/groups")
	if got.status != http.StatusOK {
		t.Errorf("status %d", got.status)
	}
	golden(t, "groups.json", got.body)
	if got := r.ask(t, http.MethodGet, "/v1/dead_set/groups?function=nobody"); got.body != `{"groups":[],"total":0}`+"\n" {
		t.Errorf("of nothing it is %s", got.body)
	}
}

// slowStore counts until its context ends.
type slowStore struct{ emptyStore }

func (slowStore) Groups(ctx context.Context, _ store.Filter) ([]store.Group, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestCountingThatTakesTooLongIsA503(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, err := newAPI(Options{Store: slowStore{}, Queues: []string{"q"}, Gatherer: noMetrics, Healthy: fine, Ready: fine, AdminOpen: true})
		if err != nil {
			t.Fatal(err)
		}
		w, began := httptest.NewRecorder(), time.Now()
		a.routes().ServeHTTP(w, arriving("GET /v1/dead_set/groups"))
		if took := time.Since(began); w.Code != http.StatusServiceUnavailable || took != planTimeout || took >= writeTimeout {
			t.Errorf("after %s it answers %d %s", took, w.Code, w.Body)
		}
	})
}
