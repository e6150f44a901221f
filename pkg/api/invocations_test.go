package api

// Asking what became of an invocation.

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/finished"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// shown are the invocations in an answer.
type shown struct {
	Invocations []invocationView `json:"invocations"`
	Next        string           `json:"next"`
}

// states are pairs of id and state, in their order.
func (s shown) states() []string {
	var all []string
	for _, v := range s.Invocations {
		all = append(all, v.ID.String()[30:]+" "+v.State)
	}
	return all
}

// num is how states names the n-th id.
func num(n int) string { return idOf(n).String()[30:] }

func endAt(n int, call string, outcome invocation.Outcome) finished.End {
	inv := pendingAt(n, "figlet")
	inv.CallID = call
	return finished.End{Inv: inv, Outcome: outcome, At: begin.Add(time.Hour)}
}

func TestAnInvocationIsFoundInEveryStateByItsIDAndByItsCallID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n, inv := range []*invocation.Invocation{pendingAt(0, "figlet"), pendingAt(1, "figlet"), delayedAt(2, "figlet"), deadAt(3)} {
		inv.CallID = "call " + num(n) // with a space, as callers may have them
		r.put(t, inv, request(t, types.QueueRequest{Function: "figlet"}))
	}
	r.hands().take(idOf(1))
	finished := pendingAt(4, "figlet")
	finished.CallID = "call " + num(4)
	r.put(t, finished, nil)
	r.settle(t, finished, invocation.OutcomeDone, &store.Result{Inv: finished, Outcome: invocation.OutcomeDone, Status: 200, At: begin, Expires: time.Now().Add(time.Hour)})
	for n, outcome := range map[int]invocation.Outcome{5: invocation.OutcomeDone, 6: invocation.OutcomeDropped, 7: invocation.OutcomeCancelled} {
		r.Watch.Ended(endAt(n, "call "+num(n), outcome))
	}
	for n, want := range []string{"ready", "running", "delayed", "dead", "done", "done", "dropped", "cancelled"} {
		for _, key := range []string{idOf(n).String(), "call " + num(n)} {
			var got shown
			r.get(t, "/v1/invocations/"+url.PathEscape(key), &got)
			if !slices.Equal(got.states(), []string{num(n) + " " + want}) {
				t.Errorf("%s is %v, want %s", key, got.states(), want)
				continue
			}
			v := got.Invocations[0]
			if v.Due.IsZero() == (want == "delayed") || v.Died.IsZero() == (want == "dead") ||
				v.Finished.IsZero() != (n < 4) || v.Result != (n == 4) || (v.Policy == nil) != (n > 3) {
				t.Errorf("%s, which is %s, is shown as %+v", key, want, v)
			}
		}
	}
	all := r.ask(t, http.MethodGet, "/v1/invocations/"+idOf(3).String())
	golden(t, "invocation_dead.json", all.body)
}

func TestACallIDThatCameTwiceShowsBothNewestFirstAndItsCallbacks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	old, young := deadAt(1), pendingAt(3, "figlet")
	callback := pendingAt(2, "figlet")
	callback.Kind, callback.Origin, callback.URL, callback.Lane.Name = invocation.KindCallback, idOf(1), "http://user:secret@cb.example/x?y=z", "url:cb.example:80"
	for _, inv := range []*invocation.Invocation{young, old, callback} {
		r.put(t, inv, nil)
	}
	r.Watch.Ended(endAt(0, "call", invocation.OutcomeDone))
	r.Watch.Ended(endAt(3, "call", invocation.OutcomeDropped)) // it was replayed since: the store knows better
	var got shown
	r.get(t, "/v1/invocations/call", &got)
	if want := []string{num(3) + " ready", num(2) + " ready", num(1) + " dead", num(0) + " done"}; !slices.Equal(got.states(), want) {
		t.Errorf("the call has %v, want %v", got.states(), want)
	}
	if cb := got.Invocations[1]; cb.Target != "http://cb.example:80" || cb.Origin != idOf(1).String() || cb.Kind != "callback" {
		t.Errorf("the callback is %+v", cb)
	}
}

func TestAnIDThatIsBothAnInvocationAndACallIsTheInvocation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, b := pendingAt(0, "figlet"), pendingAt(1, "figlet")
	a.CallID, b.CallID = idOf(1).String(), "other"
	r.put(t, a, nil)
	r.put(t, b, nil)
	var got shown
	r.get(t, "/v1/invocations/"+idOf(1).String(), &got)
	if !slices.Equal(got.states(), []string{num(1) + " ready"}) {
		t.Errorf("it is %v", got.states())
	}
	b.CallID = "gone"
	if _, err := r.store.Cancel(t.Context(), idOf(1)); err != nil {
		t.Fatal(err)
	}
	r.get(t, "/v1/invocations/"+idOf(1).String(), &got)
	if !slices.Equal(got.states(), []string{num(0) + " ready"}) {
		t.Errorf("as a call id it is %v", got.states())
	}
}

func TestBadRequestsForInvocationsAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(t, pendingAt(0, "figlet"), nil)
	one := "/v1/invocations/" + idOf(0).String()
	for _, tt := range []struct {
		name, method, path string
		status             int
		reason             reason
	}{
		{"unknown call id", "GET", "/v1/invocations/nope", 404, notFound},
		{"unknown id", "GET", "/v1/invocations/" + idOf(9).String(), 404, notFound},
		{"an id of 256 bytes may be a call id", "GET", "/v1/invocations/" + strings.Repeat("x", 256), 404, notFound},
		{"a longer one is none", "GET", "/v1/invocations/" + strings.Repeat("x", 257), 400, badRequest},
		{"bytes that are no text", "GET", "/v1/invocations/%ff%00", 404, notFound},
		{"no id", "GET", "/v1/invocations/", 404, notFound},
		{"unknown parameter", "GET", one + "?wiat=1s", 400, badRequest},
		{"a wait that is none", "GET", one + "?wait=soon", 400, badRequest},
		{"an empty wait", "GET", one + "?wait=", 400, badRequest},
		{"a wait below zero", "GET", one + "?wait=-1s", 400, badRequest},
		{"a wait with a sign", "GET", one + "?wait=%2B1s", 400, badRequest},
		{"a wait beyond the bound", "GET", one + "?wait=5m1s", 400, badRequest},
		{"a huge wait", "GET", one + "?wait=99999999999999999999", 400, badRequest},
		{"a wait twice", "GET", one + "?wait=1s&wait=2s", 400, badRequest},
		{"a query that cannot be read", "GET", one + "?wait=%zz", 400, badRequest},
		{"cancel with a parameter", "DELETE", one + "?force=true", 400, badRequest},
		{"cancel of nothing", "DELETE", "/v1/invocations/nope", 404, notFound},
		{"result of nothing", "GET", "/v1/invocations/nope/result", 404, notFound},
		{"result with a parameter", "GET", one + "/result?body=true", 400, badRequest},
		{"result of what is pending", "GET", one + "/result", 409, notOver},
		{"unknown state", "GET", "/v1/invocations?state=dead", 400, badRequest},
		{"state in capitals", "GET", "/v1/invocations?state=READY", 400, badRequest},
		{"empty function", "GET", "/v1/invocations?function=", 400, badRequest},
		{"empty queue", "GET", "/v1/invocations?queue=", 400, badRequest},
		{"bad cursor", "GET", "/v1/invocations?cursor=nope", 400, badRequest},
		{"a cursor of another listing", "GET", "/v1/invocations?cursor=" + strings.Repeat("00", 24), 400, badRequest},
		{"bad cursor of what runs", "GET", "/v1/invocations?state=running&cursor=nope", 400, badRequest},
		{"limit 0", "GET", "/v1/invocations?limit=0", 400, badRequest},
		{"limit beyond", "GET", "/v1/invocations?limit=501", 400, badRequest},
		{"huge limit", "GET", "/v1/invocations?limit=99999999999999999999", 400, badRequest},
		{"unknown filter", "GET", "/v1/invocations?fn=figlet", 400, badRequest},
	} {
		if got := r.ask(t, tt.method, tt.path); got.status != tt.status || got.reasonOf(t) != tt.reason {
			t.Errorf("%s: %s %s answers %d %s", tt.name, tt.method, tt.path, got.status, got.body)
		}
	}
	if _, err := r.store.Get(idOf(0)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// callStore has what a test puts in it.
type callStore struct {
	emptyStore
	inv atomic.Pointer[invocation.Invocation]
}

func (s *callStore) Get(id invocation.ID) (*invocation.Invocation, error) {
	if inv := s.inv.Load(); inv != nil && inv.ID == id {
		return inv, nil
	}
	return nil, store.ErrNotFound
}

func (s *callStore) FindCall(call string, _ int) ([]*invocation.Invocation, error) {
	if inv := s.inv.Load(); inv != nil && inv.CallID == call {
		return []*invocation.Invocation{inv}, nil
	}
	return nil, nil
}

func (*callStore) Result(invocation.ID, bool) (*store.Result, error) { return nil, store.ErrNotFound }
func (*callStore) ResultsOf(string, int) ([]*store.Result, error)    { return nil, nil }

// waiting is a server in a bubble, and a request to it that is running.
type waiting struct {
	store *callStore
	watch *finished.Watch
	ask   func(path string) <-chan answer
}

func newWaiting(t *testing.T) *waiting {
	w := &waiting{store: &callStore{}, watch: finished.New()}
	w.store.inv.Store(readyNow())
	p := servePipes(t, func(o *Options) {
		o.Store, o.Watch, o.Hands, o.Policies = w.store, w.watch, &hands{}, noPolicy{}
	})
	w.ask = func(path string) <-chan answer {
		c := make(chan answer, 1)
		go func() { c <- p.fetch(t, path) }()
		synctest.Wait()
		return c
	}
	return w
}

// readyNow is an invocation by the clock of a bubble.
func readyNow() *invocation.Invocation {
	inv := pendingAt(0, "figlet")
	inv.Accepted, inv.Since = time.Now(), time.Now()
	return inv
}

// arrived reports whether an answer is there.
func arrived(c <-chan answer) bool {
	synctest.Wait()
	return len(c) > 0
}

func TestWaitAnswersAsSoonAsItIsOver(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"call", idOf(0).String()} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWaiting(t)
				c := w.ask("/v1/invocations/" + by + "?wait=5m")
				for _, change := range []func(*invocation.Invocation){
					func(inv *invocation.Invocation) { inv.Retries, inv.Since = 1, time.Now().Add(time.Minute) },
					func(inv *invocation.Invocation) { inv.Since = time.Now() },
				} {
					time.Sleep(2 * time.Minute) // longer than the server's timeouts
					inv := readyNow()
					change(inv)
					w.store.inv.Store(inv)
					w.watch.Changed(inv)
					if arrived(c) {
						t.Fatal("it answered before the end")
					}
				}
				inv := w.store.inv.Swap(nil)
				start := time.Now()
				w.watch.Ended(finished.End{Inv: inv, Outcome: invocation.OutcomeDone, At: start})
				got := <-c
				if took := time.Since(start); got.status != http.StatusOK || !strings.Contains(got.body, `"state":"done"`) || took > 0 {
					t.Errorf("after %s it answers %d %s", took, got.status, got.body)
				}
			})
		})
	}
}

func TestWaitAnswersWithTheStateThenWhenTheTimeHasPassed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWaiting(t)
		for text, want := range map[string]time.Duration{"30s": 30 * time.Second, "40": 40 * time.Second, "5m": 5 * time.Minute, "0": 0} {
			start := time.Now()
			got := <-w.ask("/v1/invocations/call?wait=" + text)
			if took := time.Since(start); got.status != http.StatusOK || !strings.Contains(got.body, `"state":"ready"`) || took != want {
				t.Errorf("wait=%s answers after %s with %d %s", text, took, got.status, got.body)
			}
		}
	})
}

func TestWaitWaitsForWhatIsNotThereYet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWaiting(t)
		inv := w.store.inv.Swap(nil)
		c := w.ask("/v1/invocations/call?wait=1m")
		time.Sleep(20 * time.Second)
		w.store.inv.Store(inv)
		w.watch.Changed(inv)
		if arrived(c) {
			t.Fatal("it answered when it was taken in")
		}
		w.store.inv.Store(nil)
		w.watch.Ended(finished.End{Inv: inv, Outcome: invocation.OutcomeDone, At: time.Now()})
		if got := <-c; got.status != http.StatusOK || !strings.Contains(got.body, `"state":"done"`) {
			t.Errorf("it answers %d %s", got.status, got.body)
		}
		start := time.Now()
		got := <-w.ask("/v1/invocations/never?wait=1m")
		if took := time.Since(start); got.status != http.StatusNotFound || got.reasonOf(t) != notFound || took != time.Minute {
			t.Errorf("what never comes is answered after %s with %d %s", took, got.status, got.body)
		}
	})
}

func TestWaitEndsWithTheProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWaiting(t)
		start := time.Now()
		c := w.ask("/v1/invocations/call?wait=1m")
		w.watch.Close()
		if got := <-c; got.status != http.StatusOK || !strings.Contains(got.body, `"state":"ready"`) || time.Since(start) > 0 {
			t.Errorf("after %s it answers %d %s", time.Since(start), got.status, got.body)
		}
	})
}
