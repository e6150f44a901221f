package admin_test

// Functions: their views, pauses, policies.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/retry"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
	"queue-worker/pkg/throttle"
	"queue-worker/pkg/wire"
	"queue-worker/pkg/worker"
)

// busy are lanes in which something happens.
type busyLanes struct{ lane invocation.Lane }

func (b busyLanes) InFlight() map[invocation.Lane]int      { return map[invocation.Lane]int{b.lane: 1} }
func (b busyLanes) Waiting() map[invocation.Lane]time.Time { return nil }
func (b busyLanes) Throttle(invocation.Lane) worker.Throttle {
	return worker.Throttle{
		Limit: 3, Until: apitest.Begin.Add(time.Hour),
		Breaker: throttle.Status{Open: true, Since: apitest.Begin, Cause: invocation.CauseRefused, Next: apitest.Begin.Add(time.Minute)},
	}
}

// withBusy makes a lane busy.
func withBusy(lane invocation.Lane) func(*apitest.Options) {
	return func(o *apitest.Options) {
		o.Admin.Lanes = busyLanes{lane}
		o.Admin.Calls.(*apitest.Calls).Lately = map[invocation.Lane]worker.Activity{lane: {
			Rate: 2.5, LastError: &worker.LastError{At: apitest.Begin, Status: 503, Cause: invocation.CauseTimeout},
		}}
	}
}

func TestWhatABreakerShows(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status throttle.Status
		want   wire.Breaker
	}{
		{throttle.Status{}, wire.Breaker{State: "closed"}},
		{
			throttle.Status{Open: true, Since: apitest.Begin, Cause: invocation.CauseDNS, Next: apitest.Begin},
			wire.Breaker{State: "open", Since: apitest.Begin.UTC(), Cause: "dns", Next: apitest.Begin.UTC()},
		},
		{throttle.Status{Open: true, Since: apitest.Begin}, wire.Breaker{State: "probing", Since: apitest.Begin.UTC(), Cause: "internal"}},
	} {
		if got := admin.BreakerViewOf(tt.status); got != tt.want {
			t.Errorf("%+v shows %+v, want %+v", tt.status, got, tt.want)
		}
	}
}

// knownFunctions are those that a gateway has.
type knownFunctions struct {
	names []string
	sure  bool
}

func (k knownFunctions) Known(_ context.Context, name string) (known, sure bool) {
	return slices.Contains(k.names, name), k.sure
}

func (k knownFunctions) Names(context.Context) []string { return k.names }

func TestAViewOfAFunctionHasEverything(t *testing.T) {
	t.Parallel()
	lane := invocation.Lane{Queue: "faas-request", Name: "figlet"}
	r := newRig(t, withBusy(lane))
	for n := range 3 {
		r.Put(t, apitest.PendingAt(n, "figlet"), nil)
	}
	r.Put(t, apitest.DelayedAt(3, "figlet"), nil)
	r.Put(t, apitest.DeadAt(4), nil)
	if got := r.Ask(t, http.MethodPost, "/v1/functions/figlet/pause", withBody(`{"reason":"rollout","author":"ann","until":"2999-01-01T00:00:00Z"}`)); got.Status != http.StatusBadRequest {
		t.Errorf("a pause of a thousand years is answered %d, want %d", got.Status, http.StatusBadRequest)
	}
	if got := r.Ask(t, http.MethodPost, "/v1/functions/figlet/pause", withBody(`{"reason":"rollout","author":"ann"}`)); len(got.Functions(t)) != 1 {
		t.Errorf("the pause is answered %s, want 1", got.Body)
	}
	got := r.Ask(t, http.MethodGet, "/v1/functions/figlet.openfaas-fn")
	v := got.Functions(t)[0]
	switch {
	case v.OldestAge <= 0:
		t.Errorf("it is %+v, %+v, want OldestAge above 0", v, v.Paused)
	case time.Since(v.Paused.Since) > time.Minute:
		t.Errorf("it is %+v, %+v, want time.Since(v.Paused.Since) at most %v", v, v.Paused, time.Minute)
	}
	v.OldestAge, v.Paused.Since = 1, apitest.Begin
	b, err := respond.Encode(wire.FunctionList{Functions: []wire.Function{v}})
	if err != nil {
		t.Fatal(err)
	}
	apitest.Golden(t, "function.json", string(b))
}

func TestTheListHasEveryLaneByNameAndQueue(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n, name := range []string{"b", "a", "url:cb.example:80", ""} {
		inv := apitest.PendingAt(n, name)
		inv.Lane.Queue = []string{"faas-request", "q1"}[n%2]
		r.Put(t, inv, nil)
	}
	other := apitest.PendingAt(9, "b")
	other.Lane.Queue = "q1"
	r.Put(t, other, nil)
	r.Ask(t, http.MethodPost, "/v1/functions/new/pause")
	var got []string
	for _, v := range r.Ask(t, http.MethodGet, "/v1/functions").Functions(t) {
		got = append(got, v.Function+" "+v.Queue)
	}
	want := []string{"a.openfaas-fn q1", "b.openfaas-fn faas-request", "b.openfaas-fn q1", "new.openfaas-fn faas-request", "url:cb.example:80 faas-request"}
	if !slices.Equal(got, want) {
		t.Errorf("the list has %q, want %q", got, want)
	}
	if n := len(r.Ask(t, http.MethodGet, "/v1/functions/b").Functions(t)); n != 2 {
		t.Errorf("of two queues there are %d views, want 2", n)
	}
}

func TestAFunctionIsFoundWhereAnythingKnowsIt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, function string
		known          knownFunctions
		status         int
	}{
		{"the gateway has it", "new", knownFunctions{[]string{"new"}, true}, 200},
		{"the gateway does not have it", "nope", knownFunctions{nil, true}, 404},
		{"the gateway cannot be asked", "nope", knownFunctions{nil, false}, 200},
		{"the store has something of it", "figlet", knownFunctions{nil, true}, 200},
		{"it was called lately", "quiet", knownFunctions{nil, true}, 200},
		{"a host of callbacks that nothing goes to", "url:cb.example:80", knownFunctions{nil, false}, 404},
	} {
		r := newRig(t, func(o *apitest.Options) {
			o.Admin.Functions = tt.known
			withBusy(invocation.Lane{Queue: "faas-request", Name: "quiet"})(o)
		})
		r.Put(t, apitest.DeadAt(0), nil)
		got := r.Ask(t, http.MethodGet, "/v1/functions/"+tt.function)
		switch {
		case got.Status != tt.status:
			t.Errorf("%s: it is answered %d %s, want status %v", tt.name, got.Status, got.Body, tt.status)
		case tt.status == 404 && got.ReasonOf(t) != wire.NotFound:
			t.Errorf("%s: it is answered %d %s, want reason %v", tt.name, got.Status, got.Body, wire.NotFound)
		}
	}
}

func TestAPauseThatCannotBeWrittenPausesNothing(t *testing.T) {
	t.Parallel()
	s := apitest.OpenStore(t, embedded.Options{})
	r := newRigOn(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"pause", "resume"} {
		got := r.Ask(t, http.MethodPost, "/v1/functions/figlet/"+verb)
		if verb == "pause" && (got.Status != http.StatusServiceUnavailable || got.ReasonOf(t) != wire.Busy) {
			t.Errorf("%s is answered %d %s", verb, got.Status, got.Body)
		}
	}
	if len(r.Pauses.All()) != 0 {
		t.Errorf("there are %v, want 0", r.Pauses.All())
	}
}

func TestWhoPausesIsRemembered(t *testing.T) {
	t.Parallel()
	r := newRig(t, apitest.WithBasicAuth(t))
	got := r.Ask(t, http.MethodPost, "/v1/functions/figlet/pause", apitest.As(apitest.TestUser, apitest.TestPassword), withBody(`{"author":"ann"}`))
	switch p := got.Functions(t)[0].Paused; {
	case p.By != apitest.TestUser:
		t.Errorf("the pause is %+v, want by %v", p, apitest.TestUser)
	case p.Author != "ann":
		t.Errorf(`the pause is %+v, want author "ann"`, p)
	case p.Until != nil:
		t.Errorf("the pause is %+v, want until nil", p)
	}
}

func TestThePolicyOfAFunctionHasItsSchedule(t *testing.T) {
	t.Parallel()
	got := newRig(t).Ask(t, http.MethodGet, "/v1/functions/figlet/policy")
	apitest.Golden(t, "policy.json", got.Body)
	unlimited := admin.PolicyViewOf(worker.InForce{})
	if unlimited.TotalWait != "0s" {
		t.Errorf(`no retry waits %s, want "0s"`, unlimited.TotalWait)
	}
	var p worker.InForce
	p.Attempts, p.Initial, p.Max = -1, time.Second, time.Minute
	switch v := admin.PolicyViewOf(p); {
	case v.TotalWait != "unlimited":
		t.Errorf(`retries without end are shown as %+v, want TotalWait "unlimited"`, v)
	case len(v.Schedule) != admin.MostWaits:
		t.Errorf("retries without end are shown as %+v, want %d schedule", v, admin.MostWaits)
	}
}

func TestAResultFromBeforeAReplayIsNotShownAsThatOfTheReplay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	inv := apitest.PendingAt(0, "figlet")
	r.Put(t, inv, nil)
	inv.State, inv.DiedAt, inv.Reason = invocation.Dead, apitest.Begin, invocation.AttemptsExhausted
	res := &store.Result{Inv: inv, Outcome: invocation.OutcomeDead, Status: 500, Body: []byte("broken"), At: apitest.Begin, Expires: time.Now().Add(time.Hour)}
	r.Settle(t, inv, invocation.OutcomeDead, res)
	switch got := r.Ask(t, http.MethodGet, "/v1/invocations/call/result"); {
	case got.Status != 500:
		t.Errorf("of a dead one it is %d %s, want status 500", got.Status, got.Body)
	case got.Body != "broken":
		t.Errorf(`of a dead one it is %d %s, want body "broken"`, got.Status, got.Body)
	case got.Header.Get(wire.HeaderOutcome) != "dead":
		t.Errorf(`of a dead one it is %d %s, want got.Header.Get(wire.HeaderOutcome) "dead"`, got.Status, got.Body)
	}
	if err := r.Store.Replay(t.Context(), apitest.IDOf(0)); err != nil {
		t.Fatal(err)
	}
	switch got := r.Ask(t, http.MethodGet, "/v1/invocations/call/result"); {
	case got.Status != http.StatusConflict:
		t.Errorf("while it is replayed it is %d %s, want status %d", got.Status, got.Body, http.StatusConflict)
	case got.ReasonOf(t) != wire.NotOver:
		t.Errorf("while it is replayed it is %d %s, want reason %v", got.Status, got.Body, wire.NotOver)
	}
	cancelled, err := r.Store.Cancel(t.Context(), apitest.IDOf(0))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"dropped", "cancelled"} { // forgotten, and remembered
		for _, key := range []string{"call", apitest.IDOf(0).String()} {
			var got shown
			r.Get(t, "/v1/invocations/"+key, &got)
			if v := got.Invocations[0]; v.State != want || !v.HasResult {
				t.Errorf("after it was cancelled %s is %+v, want %s", key, v, want)
			}
		}
		r.Watch.Ended(store.End{Inv: cancelled, Outcome: invocation.OutcomeCancelled, At: time.Now()})
	}
}

// manyLanes is a store that does not count all lanes by themselves.
type manyLanes struct{ *embedded.Store }

func (manyLanes) Rest() map[string]store.LaneStats {
	return map[string]store.LaneStats{"q1": {Ready: 3, Delayed: 2, Dead: 1}}
}

func TestTheListOfFunctionsHasPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *apitest.Options) { o.Admin.Store = manyLanes{o.Admin.Store.(*embedded.Store)} })
	for n := range 1001 {
		inv := apitest.PendingAt(n, fmt.Sprintf("fn%04d", n/2))
		inv.Lane.Queue = []string{"faas-request", "q1"}[n%2]
		r.Put(t, inv, nil)
	}
	seen, sizes := map[string]bool{}, []int{}
	for query := ""; ; {
		a := r.Ask(t, http.MethodGet, "/v1/functions"+query)
		var list wire.FunctionList
		switch err := json.Unmarshal([]byte(a.Body), &list); {
		case err != nil:
			t.Fatalf("%v: others are %+v, want no error", err, list.Others)
		case len(list.Others) != 1:
			t.Fatalf("%v: others are %+v, want 1 other", err, list.Others)
		case list.Others[0] != (wire.Others{Queue: "q1", Ready: 3, Delayed: 2, Dead: 1}):
			t.Fatalf("%v: others are %+v, want list.Others[0] %v", err, list.Others, wire.Others{Queue: "q1", Ready: 3, Delayed: 2, Dead: 1})
		}
		for _, v := range list.Functions {
			seen[v.Function+" "+v.Queue] = true
		}
		sizes = append(sizes, len(list.Functions))
		if list.Next == "" {
			break
		}
		query = "?cursor=" + list.Next
	}
	switch {
	case len(seen) != 1001:
		t.Errorf("%d are listed, in pages of %v, want 1001 seen", len(seen), sizes)
	case !slices.Equal(sizes, []int{500, 500, 1}):
		t.Errorf("%d are listed, in pages of %v, want %v", len(seen), sizes, []int{500, 500, 1})
	}
	for _, query := range []string{"limit=0", "limit=501", "cursor=x", "cursor=_", "all=true"} {
		if a := r.Ask(t, http.MethodGet, "/v1/functions?"+query); a.Status != http.StatusBadRequest {
			t.Errorf("%s is answered %d, want %d", query, a.Status, http.StatusBadRequest)
		}
	}
}

func TestWhatBecomesDueIsCountedByMinute(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	now := time.Now()
	for n, in := range []time.Duration{-time.Second, 30 * time.Second, 90 * time.Second, 90 * time.Second, 59*time.Minute + 30*time.Second, 2 * time.Hour} {
		inv := apitest.PendingAt(n, "figlet")
		inv.Since = now.Add(in).Round(0)
		r.Put(t, inv, nil)
	}
	other := apitest.DelayedAt(10, "other")
	other.Since = now.Add(time.Minute).Round(0)
	r.Put(t, other, nil)
	var got wire.Due
	r.Get(t, "/v1/functions/figlet/due", &got)
	if got.Step != 60 || len(got.Due) != 60 || !got.Whole {
		t.Fatalf("got %d counts, whole %v, one for %d s, want 60, whole, one for a minute", len(got.Due), got.Whole, got.Step)
	}
	want := make([]int, 60)
	want[0], want[1], want[59] = 1, 2, 1 // what was due at once is ready
	if !slices.Equal(got.Due, want) {
		t.Errorf("got %v, want %v", got.Due, want)
	}
	r.Get(t, "/v1/functions/figlet/due?queue=faas-request", &got)
	if got.Due[1] != 2 {
		t.Errorf("got %d in its queue, want 2", got.Due[1])
	}
	if a := r.Ask(t, http.MethodGet, "/v1/functions/figlet/due?queue=other"); a.Status != http.StatusNotFound {
		t.Errorf("got %d for an unknown queue, want 404", a.Status)
	}
}

func TestARunningInvocationSaysSinceWhen(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	inv := apitest.PendingAt(0, "figlet")
	r.Put(t, inv, nil)
	r.Calls.Start(inv.ID)
	for _, path := range []string{"/v1/invocations/" + inv.ID.String(), "/v1/invocations?state=running"} {
		var got wire.InvocationList
		r.Get(t, path, &got)
		if len(got.Invocations) != 1 {
			t.Fatalf("%s: got %d invocations, want 1", path, len(got.Invocations))
		}
		if since := got.Invocations[0].Running; !since.Equal(apitest.RunningSince) {
			t.Errorf("%s: got a call since %v, want %v", path, since, apitest.RunningSince)
		}
	}
}

func TestAPolicyWithJitterHasTheShortestWaits(t *testing.T) {
	t.Parallel()
	for mode, want := range map[retry.Mode][]string{
		retry.Exponential: nil, retry.Constant: nil, retry.Full: {"0s", "0s"}, retry.Equal: {"5s", "10s"},
	} {
		var p worker.InForce
		p.Attempts, p.Initial, p.Max, p.Mode = 2, 10*time.Second, time.Minute, mode
		if got := admin.PolicyViewOf(p).Shortest; !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", mode, got, want)
		}
	}
}
