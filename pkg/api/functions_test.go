package api

// Functions: their views, pauses, policies.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"queue-worker/pkg/finished"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
	"queue-worker/pkg/throttle"
	"queue-worker/pkg/worker"
)

// busy are lanes in which something happens.
type busyLanes struct{ lane invocation.Lane }

func (b busyLanes) InFlight() map[invocation.Lane]int { return map[invocation.Lane]int{b.lane: 1} }
func (b busyLanes) Activity() map[invocation.Lane]worker.Activity {
	return map[invocation.Lane]worker.Activity{b.lane: {
		Rate: 2.5, LastError: &worker.LastError{At: begin, Status: 503, Cause: invocation.CauseTimeout},
	}}
}

func (b busyLanes) Throttle(invocation.Lane) worker.Throttle {
	return worker.Throttle{
		Limit: 3, Until: begin.Add(time.Hour),
		Breaker: throttle.Status{Open: true, Since: begin, Cause: invocation.CauseRefused, Next: begin.Add(time.Minute)},
	}
}

func TestWhatABreakerShows(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status throttle.Status
		want   breakerView
	}{
		{throttle.Status{}, breakerView{State: "closed"}},
		{
			throttle.Status{Open: true, Since: begin, Cause: invocation.CauseDNS, Next: begin},
			breakerView{State: "open", Since: begin.UTC(), Cause: "dns", Next: begin.UTC()},
		},
		{throttle.Status{Open: true, Since: begin}, breakerView{State: "probing", Since: begin.UTC(), Cause: "internal"}},
	} {
		if got := breakerViewOf(tt.status); got != tt.want {
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

// views reads an answer about functions.
func (a answer) views(t testing.TB) []functionView {
	t.Helper()
	var list functionList
	if err := json.Unmarshal([]byte(a.body), &list); err != nil || a.status != http.StatusOK {
		t.Fatalf("the answer is %d %s", a.status, a.body)
	}
	return list.Functions
}

func TestAViewOfAFunctionHasEverything(t *testing.T) {
	t.Parallel()
	lane := invocation.Lane{Queue: "faas-request", Name: "figlet"}
	r := newRig(t, func(o *Options) { o.Activity = busyLanes{lane} })
	for n := range 3 {
		r.put(t, pendingAt(n, "figlet"), nil)
	}
	r.put(t, delayedAt(3, "figlet"), nil)
	r.put(t, deadAt(4), nil)
	if got := r.ask(t, http.MethodPost, "/v1/functions/figlet/pause", withBody(`{"reason":"rollout","author":"ann","until":"2999-01-01T00:00:00Z"}`)); got.status != http.StatusBadRequest {
		t.Errorf("a pause of a thousand years is answered %d", got.status)
	}
	if got := r.ask(t, http.MethodPost, "/v1/functions/figlet/pause", withBody(`{"reason":"rollout","author":"ann"}`)); len(got.views(t)) != 1 {
		t.Errorf("the pause is answered %s", got.body)
	}
	got := r.ask(t, http.MethodGet, "/v1/functions/figlet.openfaas-fn")
	v := got.views(t)[0]
	if v.Oldest <= 0 || time.Since(v.Paused.Since) > time.Minute {
		t.Errorf("it is %+v, %+v", v, v.Paused)
	}
	v.Oldest, v.Paused.Since = 1, begin
	b, err := encode(functionList{Functions: []functionView{v}})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "function.json", string(b))
}

func TestTheListHasEveryLaneByNameAndQueue(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n, name := range []string{"b", "a", "url:cb.example:80", ""} {
		inv := pendingAt(n, name)
		inv.Lane.Queue = []string{"faas-request", "q1"}[n%2]
		r.put(t, inv, nil)
	}
	other := pendingAt(9, "b")
	other.Lane.Queue = "q1"
	r.put(t, other, nil)
	r.ask(t, http.MethodPost, "/v1/functions/new/pause")
	var got []string
	for _, v := range r.ask(t, http.MethodGet, "/v1/functions").views(t) {
		got = append(got, v.Function+" "+v.Queue)
	}
	want := []string{"a.openfaas-fn q1", "b.openfaas-fn faas-request", "b.openfaas-fn q1", "new.openfaas-fn faas-request", "url:cb.example:80 faas-request"}
	if !slices.Equal(got, want) {
		t.Errorf("the list has %q, want %q", got, want)
	}
	if n := len(r.ask(t, http.MethodGet, "/v1/functions/b").views(t)); n != 2 {
		t.Errorf("of two queues there are %d views", n)
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
		r := newRig(t, func(o *Options) {
			o.Functions, o.Activity = tt.known, busyLanes{invocation.Lane{Queue: "faas-request", Name: "quiet"}}
		})
		r.put(t, deadAt(0), nil)
		got := r.ask(t, http.MethodGet, "/v1/functions/"+tt.function)
		if got.status != tt.status || tt.status == 404 && got.reasonOf(t) != notFound {
			t.Errorf("%s: it is answered %d %s", tt.name, got.status, got.body)
		}
	}
}

func TestAPauseThatCannotBeWrittenIsToldAndPausesNothing(t *testing.T) {
	t.Parallel()
	s := openStore(t, embedded.Options{})
	r := newRigOn(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"pause", "resume"} {
		got := r.ask(t, http.MethodPost, "/v1/functions/figlet/"+verb)
		if verb == "pause" && (got.status != http.StatusServiceUnavailable || got.reasonOf(t) != busy) {
			t.Errorf("%s is answered %d %s", verb, got.status, got.body)
		}
	}
	if len(r.Pauses.All()) != 0 {
		t.Errorf("there are %v", r.Pauses.All())
	}
}

func TestWhoPausesIsRemembered(t *testing.T) {
	t.Parallel()
	r := newRig(t, withBasicAuth(t))
	got := r.ask(t, http.MethodPost, "/v1/functions/figlet/pause", as(testUser, testPassword), withBody(`{"author":"ann"}`))
	if p := got.views(t)[0].Paused; p.By != testUser || p.Author != "ann" || p.Until != nil {
		t.Errorf("the pause is %+v", p)
	}
}

func TestThePolicyOfAFunctionHasItsSchedule(t *testing.T) {
	t.Parallel()
	got := newRig(t).ask(t, http.MethodGet, "/v1/functions/figlet/policy")
	golden(t, "policy.json", got.body)
	unlimited := policyViewOf(worker.InForce{})
	if unlimited.TotalWait != "0s" {
		t.Errorf("no retry waits %s", unlimited.TotalWait)
	}
	var p worker.InForce
	p.Attempts, p.Initial, p.Max = -1, time.Second, time.Minute
	if v := policyViewOf(p); v.TotalWait != "unlimited" || len(v.Schedule) != mostWaits {
		t.Errorf("retries without end are shown as %+v", v)
	}
}

func TestAResultFromBeforeAReplayIsNotShownAsThatOfTheReplay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	inv := pendingAt(0, "figlet")
	r.put(t, inv, nil)
	inv.State, inv.DiedAt, inv.Reason = invocation.Dead, begin, invocation.AttemptsExhausted
	res := &store.Result{Inv: inv, Outcome: invocation.OutcomeDead, Status: 500, Body: []byte("broken"), At: begin, Expires: time.Now().Add(time.Hour)}
	r.settle(t, inv, invocation.OutcomeDead, res)
	if got := r.ask(t, http.MethodGet, "/v1/invocations/call/result"); got.status != 500 || got.body != "broken" || got.header.Get(headerOutcome) != "dead" {
		t.Errorf("of a dead one it is %d %s", got.status, got.body)
	}
	if err := r.store.Replay(t.Context(), idOf(0)); err != nil {
		t.Fatal(err)
	}
	if got := r.ask(t, http.MethodGet, "/v1/invocations/call/result"); got.status != http.StatusConflict || got.reasonOf(t) != notOver {
		t.Errorf("while it is replayed it is %d %s", got.status, got.body)
	}
	cancelled, err := r.store.Cancel(t.Context(), idOf(0))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"dropped", "cancelled"} { // forgotten, and remembered
		for _, key := range []string{"call", idOf(0).String()} {
			var got shown
			r.get(t, "/v1/invocations/"+key, &got)
			if v := got.Invocations[0]; v.State != want || !v.Result {
				t.Errorf("after it was cancelled %s is %+v, want %s", key, v, want)
			}
		}
		r.Watch.Ended(finished.End{Inv: cancelled, Outcome: invocation.OutcomeCancelled, At: time.Now()})
	}
}

// manyLanes is a store that does not count all lanes by themselves.
type manyLanes struct{ *embedded.Store }

func (manyLanes) Rest() map[string]store.LaneStats {
	return map[string]store.LaneStats{"q1": {Ready: 3, Delayed: 2, Dead: 1}}
}

func TestTheListOfFunctionsHasPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) { o.Store = manyLanes{o.Store.(*embedded.Store)} })
	for n := range 1001 {
		inv := pendingAt(n, fmt.Sprintf("fn%04d", n/2))
		inv.Lane.Queue = []string{"faas-request", "q1"}[n%2]
		r.put(t, inv, nil)
	}
	seen, sizes := map[string]bool{}, []int{}
	for query := ""; ; {
		a := r.ask(t, http.MethodGet, "/v1/functions"+query)
		var list functionList
		if err := json.Unmarshal([]byte(a.body), &list); err != nil || len(list.Others) != 1 || list.Others[0] != (othersView{"q1", 3, 2, 1}) {
			t.Fatalf("%v: others are %+v", err, list.Others)
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
	if len(seen) != 1001 || !slices.Equal(sizes, []int{500, 500, 1}) {
		t.Errorf("%d are listed, in pages of %v", len(seen), sizes)
	}
	for _, query := range []string{"limit=0", "limit=501", "cursor=x", "cursor=_", "all=true"} {
		if a := r.ask(t, http.MethodGet, "/v1/functions?"+query); a.status != http.StatusBadRequest {
			t.Errorf("%s is answered %d", query, a.status)
		}
	}
}
