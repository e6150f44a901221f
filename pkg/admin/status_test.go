package admin_test

// The state in words, histories, and the pages of the console.

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/wire"
	"queue-worker/pkg/worker"
)

func TestStatusSaysWhatNeedsAnOperator(t *testing.T) {
	t.Parallel()
	lane := invocation.Lane{Queue: "faas-request", Name: "figlet"}
	r := newRig(t, func(o *apitest.Options) {
		o.Admin.Calls.(*apitest.Calls).Lately = map[invocation.Lane]worker.Activity{lane: {GivenUp15m: 2, GivenUp1h: 3}}
	})
	r.Bury(t, 2)
	var got wire.Status
	r.Get(t, "/v1/status", &got)
	if want := "One function needs attention. Nothing is lost."; got.Summary.Headline != want {
		t.Errorf("got the headline %q, want %q", got.Summary.Headline, want)
	}
	want := []wire.Finding{{
		Level: wire.LevelCritical, Rule: "given_up", Function: "figlet.openfaas-fn", Queue: "faas-request",
		Title: "figlet.openfaas-fn: 2 invocations given up in the last 15 minutes", Text: "2 dead letters in all.",
	}}
	if d := cmp.Diff(want, got.Summary.Findings); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	if !got.Worker.Ready || got.Store.Path != "/data" {
		t.Errorf("got %+v and %+v, want what State says", got.Worker, got.Store)
	}
	if a := r.Ask(t, http.MethodGet, "/v1/status?x=1"); a.Status != http.StatusBadRequest {
		t.Errorf("got %d for an unknown parameter, want 400", a.Status)
	}
}

func TestHistoryBeginsWithTheWorker(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 2, 47, 31, 0, time.UTC)
	minutes := make([]worker.Minute, worker.HistoryMinutes)
	minutes[59] = worker.Minute{Done: 1, Retried: 2, GivenUp: 3}
	for name, c := range map[string]struct {
		started time.Time
		from    time.Time
		length  int
	}{
		"started long ago":   {now.Add(-72 * time.Hour), time.Date(2026, 11, 30, 1, 48, 0, 0, time.UTC), 60},
		"started just now":   {now, time.Date(2026, 11, 30, 2, 47, 0, 0, time.UTC), 1},
		"started before":     {now.Add(-32 * time.Second), time.Date(2026, 11, 30, 2, 46, 0, 0, time.UTC), 2},
		"the clock set back": {now.Add(time.Hour), time.Date(2026, 11, 30, 3, 47, 0, 0, time.UTC), 0},
	} {
		h := admin.HistoryOf(minutes, now, c.started)
		if !h.From.Equal(c.from) {
			t.Errorf("%s: got it from %s, want from %s", name, h.From, c.from)
		}
		if len(h.Done) != c.length {
			t.Fatalf("%s: got %d minutes, want %d", name, len(h.Done), c.length)
		}
		if n := c.length; n > 0 && (h.Done[n-1] != 1 || h.Retried[n-1] != 2 || h.GivenUp[n-1] != 3) {
			t.Errorf("%s: got %v, %v, %v, want the last minute last", name, h.Done, h.Retried, h.GivenUp)
		}
	}
}

func TestFunctionsHaveAHistoryWhenItIsAskedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, 1)
	for path, want := range map[string]bool{"/v1/functions": false, "/v1/functions?history=1h": true, "/v1/functions/figlet?history=1h": true} {
		f := r.Ask(t, http.MethodGet, path).Functions(t)
		if len(f) != 1 || (f[0].History != nil) != want {
			t.Errorf("%s: got %+v, want a history: %v", path, f, want)
		}
	}
	if a := r.Ask(t, http.MethodGet, "/v1/functions?history=2h"); a.Status != http.StatusBadRequest {
		t.Errorf("got %d for a history of two hours, want 400", a.Status)
	}
}

// waitingLanes are lanes that know which invocation waits.
type waitingLanes struct {
	admin.Lanes
	waiting map[invocation.Lane]time.Time
}

func (l waitingLanes) Waiting() map[invocation.Lane]time.Time { return l.waiting }

func TestTheOldestReadyIsNotInFlight(t *testing.T) {
	t.Parallel()
	lane := invocation.Lane{Queue: "faas-request", Name: "fn"}
	r := newRig(t, func(o *apitest.Options) {
		o.Admin.Lanes = waitingLanes{busyLanes{lane}, map[invocation.Lane]time.Time{lane: time.Now().Add(-time.Minute)}}
	})
	for n := range 2 { // the first is in flight, for months
		r.Put(t, apitest.PendingAt(n, "fn"), apitest.Request(t, types.QueueRequest{Function: "fn"}))
	}
	f := r.Ask(t, http.MethodGet, "/v1/functions/fn").Functions(t)[0]
	if f.OldestAge < 59 || f.OldestAge > 3600 {
		t.Errorf("got %v seconds, want those of the invocation that is not in flight, about 60", f.OldestAge)
	}
}

// page asks for a page as a browser does.
func (r *rig) page(t testing.TB, path string) apitest.Answer {
	t.Helper()
	return r.Ask(t, http.MethodGet, path, func(q *http.Request) {
		q.Header.Set("Accept", "text/html")
		q.Header.Set("Accept-Encoding", "identity")
	})
}

// shows holds that a page has texts.
func shows(t testing.TB, a apitest.Answer, status int, texts ...string) {
	t.Helper()
	if a.Status != status {
		t.Errorf("got %d, want %d", a.Status, status)
	}
	if got := a.Header.Get("Content-Type"); got != admin.ContentHTML {
		t.Errorf("got the type %q, want %q", got, admin.ContentHTML)
	}
	for _, text := range texts {
		if !strings.Contains(a.Body, text) {
			t.Errorf("got no %q on the page, want it:\n%s", text, a.Body)
		}
	}
}

func TestTheOverviewShowsTheSummary(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	shows(t, r.page(t, "/"), http.StatusOK, "No invocations yet. The worker is ready.", "Try it")
	r.Bury(t, 3)
	for path, want := range map[string]string{"/": "those in trouble first", "/?by=name": "in trouble first</a>", "/?by=name&after=": "by name"} {
		shows(t, r.page(t, path), http.StatusOK, "All is well.", "figlet.openfaas-fn", want)
	}
	for _, path := range []string{"/?by=age", "/?by=", "/?after=x", "/?x=1", "/?by=name&by=name"} {
		shows(t, r.page(t, path), http.StatusBadRequest, "<h1")
	}
}
