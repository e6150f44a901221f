package admin_test

// Asking what became of an invocation.

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/finished"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// shown are the invocations in an answer.
type shown struct {
	Invocations []wire.Invocation `json:"invocations"`
	Next        string            `json:"next"`
}

// states are pairs of id and state, in their order.
func (s shown) states() []string {
	var all []string
	for _, v := range s.Invocations {
		all = append(all, v.ID[30:]+" "+v.State)
	}
	return all
}

// num is how states names the n-th id.
func num(n int) string { return apitest.IDOf(n).String()[30:] }

func endAt(n int, call string, outcome invocation.Outcome) store.End {
	inv := apitest.PendingAt(n, "figlet")
	inv.CallID = call
	return store.End{Inv: inv, Outcome: outcome, At: apitest.Begin.Add(time.Hour)}
}

func TestAnInvocationIsFoundInEveryStateByItsIDAndByItsCallID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n, inv := range []*invocation.Invocation{apitest.PendingAt(0, "figlet"), apitest.PendingAt(1, "figlet"), apitest.DelayedAt(2, "figlet"), apitest.DeadAt(3)} {
		inv.CallID = "call " + num(n) // with a space, as callers may have them
		r.Put(t, inv, apitest.Request(t, types.QueueRequest{Function: "figlet"}))
	}
	r.Calls.Start(apitest.IDOf(1))
	finished := apitest.PendingAt(4, "figlet")
	finished.CallID = "call " + num(4)
	r.Put(t, finished, nil)
	r.Settle(t, finished, invocation.OutcomeDone, &store.Result{Inv: finished, Outcome: invocation.OutcomeDone, Status: 200, Truncated: true, At: apitest.Begin, Expires: time.Now().Add(time.Hour)})
	for n, outcome := range map[int]invocation.Outcome{5: invocation.OutcomeDone, 6: invocation.OutcomeDropped, 7: invocation.OutcomeCancelled} {
		r.Watch.Ended(endAt(n, "call "+num(n), outcome))
	}
	for n, want := range []string{"ready", "running", "delayed", "dead", "done", "done", "dropped", "cancelled"} {
		for _, key := range []string{apitest.IDOf(n).String(), "call " + num(n)} {
			var got shown
			r.Get(t, "/v1/invocations/"+url.PathEscape(key), &got)
			if !slices.Equal(got.states(), []string{num(n) + " " + want}) {
				t.Errorf("%s is %v, want %s", key, got.states(), want)
				continue
			}
			v := got.Invocations[0]
			switch {
			case v.Due.IsZero() == (want == "delayed"):
				t.Errorf("%s, which is %s, is shown as %+v, want IsZero other than %v", key, want, v, want == "delayed")
			case v.Died.IsZero() == (want == "dead"):
				t.Errorf("%s, which is %s, is shown as %+v, want IsZero other than %v", key, want, v, want == "dead")
			case v.Finished.IsZero() != (n < 4):
				t.Errorf("%s, which is %s, is shown as %+v, want IsZero %v", key, want, v, n < 4)
			case v.HasResult != (n == 4):
				t.Errorf("%s, which is %s, is shown as %+v, want HasResult %v", key, want, v, n == 4)
			case v.Truncated != (n == 4):
				t.Errorf("%s: got truncated %t, want %t", key, v.Truncated, n == 4)
			case (v.Policy == nil) != (n > 3):
				t.Errorf("%s, which is %s, is shown as %+v, want v.Policy == nil %v", key, want, v, n > 3)
			}
		}
	}
	all := r.Ask(t, http.MethodGet, "/v1/invocations/"+apitest.IDOf(3).String())
	apitest.Golden(t, "invocation_dead.json", all.Body)
}

func TestACallIDOfAnyCharactersIsFoundAndCancelled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n, call := range []string{"//", ".", "..", "...", "https://", "a//b", "a/../b", "../../metrics", "a%2Fb", "?", " "} {
		inv := apitest.DelayedAt(n, "figlet")
		inv.CallID = call
		r.Put(t, inv, nil)
		path := strings.ReplaceAll(url.PathEscape(call), ".", "%2E")
		var got shown
		r.Get(t, "/v1/invocations/"+path, &got)
		if want := []string{num(n) + " delayed"}; !slices.Equal(got.states(), want) {
			t.Errorf("%q: got %q, want %q", call, got.states(), want)
		}
		if got := r.Ask(t, http.MethodDelete, "/v1/invocations/"+path); got.Status != http.StatusAccepted {
			t.Errorf("DELETE %s: got %d %s, want 202", path, got.Status, got.Body)
		}
	}
}

func TestACallIDThatCameTwiceShowsBothNewestFirstAndItsCallbacks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	old, young := apitest.DeadAt(1), apitest.PendingAt(3, "figlet")
	callback := apitest.PendingAt(2, "figlet")
	callback.Kind, callback.Origin, callback.URL, callback.Lane.Name = invocation.KindCallback, apitest.IDOf(1), "http://user:secret@cb.example/x?y=z", "url:cb.example:80"
	for _, inv := range []*invocation.Invocation{young, old, callback} {
		r.Put(t, inv, nil)
	}
	r.Watch.Ended(endAt(0, "call", invocation.OutcomeDone))
	r.Watch.Ended(endAt(3, "call", invocation.OutcomeDropped)) // it was replayed since: the store knows better
	var got shown
	r.Get(t, "/v1/invocations/call", &got)
	if want := []string{num(3) + " ready", num(2) + " ready", num(1) + " dead", num(0) + " done"}; !slices.Equal(got.states(), want) {
		t.Errorf("the call has %v, want %v", got.states(), want)
	}
	switch cb := got.Invocations[1]; {
	case cb.Target != "http://cb.example:80":
		t.Errorf(`the callback is %+v, want target "http://cb.example:80"`, cb)
	case cb.Origin != apitest.IDOf(1).String():
		t.Errorf("the callback is %+v, want origin %v", cb, apitest.IDOf(1).String())
	case cb.Kind != "callback":
		t.Errorf(`the callback is %+v, want kind "callback"`, cb)
	}
}

func TestAnIDThatIsBothAnInvocationAndACallIsTheInvocation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, b := apitest.PendingAt(0, "figlet"), apitest.PendingAt(1, "figlet")
	a.CallID, b.CallID = apitest.IDOf(1).String(), "other"
	r.Put(t, a, nil)
	r.Put(t, b, nil)
	var got shown
	r.Get(t, "/v1/invocations/"+apitest.IDOf(1).String(), &got)
	if !slices.Equal(got.states(), []string{num(1) + " ready"}) {
		t.Errorf("it is %v, want %v", got.states(), []string{num(1) + " ready"})
	}
	b.CallID = "gone"
	if _, err := r.Store.Cancel(t.Context(), apitest.IDOf(1)); err != nil {
		t.Fatal(err)
	}
	r.Get(t, "/v1/invocations/"+apitest.IDOf(1).String(), &got)
	if !slices.Equal(got.states(), []string{num(0) + " ready"}) {
		t.Errorf("as a call id it is %v, want %v", got.states(), []string{num(0) + " ready"})
	}
}

func TestBadRequestsForInvocationsAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Put(t, apitest.PendingAt(0, "figlet"), nil)
	one := "/v1/invocations/" + apitest.IDOf(0).String()
	for _, tt := range []struct {
		name, method, path string
		status             int
		reason             wire.Reason
	}{
		{"unknown call id", "GET", "/v1/invocations/nope", 404, wire.NotFound},
		{"unknown id", "GET", "/v1/invocations/" + apitest.IDOf(9).String(), 404, wire.NotFound},
		{"an id of 256 bytes may be a call id", "GET", "/v1/invocations/" + strings.Repeat("x", 256), 404, wire.NotFound},
		{"a longer one is none", "GET", "/v1/invocations/" + strings.Repeat("x", 257), 400, wire.BadRequest},
		{"bytes that are no text", "GET", "/v1/invocations/%ff%00", 404, wire.NotFound},
		{"no id", "GET", "/v1/invocations/", 404, wire.NotFound},
		{"unknown parameter", "GET", one + "?wiat=1s", 400, wire.BadRequest},
		{"a wait that is none", "GET", one + "?wait=soon", 400, wire.BadRequest},
		{"an empty wait", "GET", one + "?wait=", 400, wire.BadRequest},
		{"a wait below zero", "GET", one + "?wait=-1s", 400, wire.BadRequest},
		{"a wait with a sign", "GET", one + "?wait=%2B1s", 400, wire.BadRequest},
		{"a wait beyond the bound", "GET", one + "?wait=5m1s", 400, wire.BadRequest},
		{"a huge wait", "GET", one + "?wait=99999999999999999999", 400, wire.BadRequest},
		{"a wait twice", "GET", one + "?wait=1s&wait=2s", 400, wire.BadRequest},
		{"a query that cannot be read", "GET", one + "?wait=%zz", 400, wire.BadRequest},
		{"cancel with a parameter", "DELETE", one + "?force=true", 400, wire.BadRequest},
		{"cancel of nothing", "DELETE", "/v1/invocations/nope", 404, wire.NotFound},
		{"result of nothing", "GET", "/v1/invocations/nope/result", 404, wire.NotFound},
		{"result with a parameter", "GET", one + "/result?body=true", 400, wire.BadRequest},
		{"result of what is pending", "GET", one + "/result", 409, wire.NotOver},
		{"unknown state", "GET", "/v1/invocations?state=dead", 400, wire.BadRequest},
		{"state in capitals", "GET", "/v1/invocations?state=READY", 400, wire.BadRequest},
		{"empty function", "GET", "/v1/invocations?function=", 400, wire.BadRequest},
		{"empty queue", "GET", "/v1/invocations?queue=", 400, wire.BadRequest},
		{"bad cursor", "GET", "/v1/invocations?cursor=nope", 400, wire.BadRequest},
		{"a cursor of another listing", "GET", "/v1/invocations?cursor=" + strings.Repeat("00", 24), 400, wire.BadRequest},
		{"bad cursor of what runs", "GET", "/v1/invocations?state=running&cursor=nope", 400, wire.BadRequest},
		{"limit 0", "GET", "/v1/invocations?limit=0", 400, wire.BadRequest},
		{"limit beyond", "GET", "/v1/invocations?limit=501", 400, wire.BadRequest},
		{"huge limit", "GET", "/v1/invocations?limit=99999999999999999999", 400, wire.BadRequest},
		{"unknown filter", "GET", "/v1/invocations?fn=figlet", 400, wire.BadRequest},
	} {
		switch got := r.Ask(t, tt.method, tt.path); {
		case got.Status != tt.status:
			t.Errorf("%s: %s %s answers %d %s, want status %v", tt.name, tt.method, tt.path, got.Status, got.Body, tt.status)
		case got.ReasonOf(t) != tt.reason:
			t.Errorf("%s: %s %s answers %d %s, want reason %v", tt.name, tt.method, tt.path, got.Status, got.Body, tt.reason)
		}
	}
	if _, err := r.Store.Get(t.Context(), apitest.IDOf(0)); err != nil {
		t.Errorf("afterwards: %v, want no error", err)
	}
}

// callStore has what a test puts in it.
type callStore struct {
	apitest.EmptyStore
	inv atomic.Pointer[invocation.Invocation]
}

func (s *callStore) Get(ctx context.Context, id invocation.ID) (*invocation.Invocation, error) {
	if inv := s.inv.Load(); inv != nil && inv.ID == id {
		return inv, nil
	}
	return nil, store.ErrNotFound
}

func (s *callStore) FindCall(_ context.Context, call string, _ int) ([]*invocation.Invocation, []*store.Result, error) {
	if inv := s.inv.Load(); inv != nil && inv.CallID == call {
		return []*invocation.Invocation{inv}, nil, nil
	}
	return nil, nil, nil
}

func (*callStore) Result(context.Context, invocation.ID, bool) (*store.Result, error) {
	return nil, store.ErrNotFound
}

func (*callStore) End(context.Context, invocation.ID) (*store.End, error) {
	return nil, store.ErrNotFound
}

func (*callStore) EndsOfCall(context.Context, string, int) ([]*store.End, error) { return nil, nil }

// waiting is a server in a bubble, and a request to it that is running.
type waiting struct {
	store *callStore
	watch *finished.Watch
	ask   func(path string) <-chan apitest.Answer
}

func newWaiting(t *testing.T) *waiting {
	w := &waiting{store: &callStore{}, watch: finished.New()}
	w.store.inv.Store(readyNow())
	p := apitest.Pipe(t, func(o *apitest.Options) {
		o.Admin.Store, o.Admin.Watch = w.store, w.watch
	})
	w.ask = func(path string) <-chan apitest.Answer {
		c := make(chan apitest.Answer, 1)
		go func() { c <- p.Fetch(t, path) }()
		synctest.Wait()
		return c
	}
	return w
}

// readyNow is an invocation by the clock of a bubble.
func readyNow() *invocation.Invocation {
	inv := apitest.PendingAt(0, "figlet")
	inv.Accepted, inv.Since = time.Now(), time.Now()
	return inv
}

// arrived reports whether an answer is there.
func arrived(c <-chan apitest.Answer) bool {
	synctest.Wait()
	return len(c) > 0
}

func TestWaitAnswersAsSoonAsItIsOver(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"call", apitest.IDOf(0).String()} {
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
					w.watch.Changing([]store.Change{{Inv: inv}})(nil)
					if arrived(c) {
						t.Fatal("it answered before the end")
					}
				}
				inv := w.store.inv.Swap(nil)
				start := time.Now()
				w.watch.Ended(store.End{Inv: inv, Outcome: invocation.OutcomeDone, At: start})
				got := <-c
				switch took := time.Since(start); {
				case got.Status != http.StatusOK:
					t.Errorf("after %s it answers %d %s, want status %d", took, got.Status, got.Body, http.StatusOK)
				case !strings.Contains(got.Body, `"state":"done"`):
					t.Errorf(`after %s it answers %d %s, want "state":"done" in it`, took, got.Status, got.Body)
				case took > 0:
					t.Errorf("after %s it answers %d %s, want at most 0", took, got.Status, got.Body)
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
			switch took := time.Since(start); {
			case got.Status != http.StatusOK:
				t.Errorf("wait=%s answers after %s with %d %s, want status %d", text, took, got.Status, got.Body, http.StatusOK)
			case !strings.Contains(got.Body, `"state":"ready"`):
				t.Errorf(`wait=%s answers after %s with %d %s, want "state":"ready" in it`, text, took, got.Status, got.Body)
			case took != want:
				t.Errorf("wait=%s answers after %s with %d %s, want %v", text, took, got.Status, got.Body, want)
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
		w.watch.Changing([]store.Change{{Inv: inv}})(nil)
		if arrived(c) {
			t.Fatal("it answered when it was taken in")
		}
		w.store.inv.Store(nil)
		w.watch.Ended(store.End{Inv: inv, Outcome: invocation.OutcomeDone, At: time.Now()})
		switch got := <-c; {
		case got.Status != http.StatusOK:
			t.Errorf("it answers %d %s, want status %d", got.Status, got.Body, http.StatusOK)
		case !strings.Contains(got.Body, `"state":"done"`):
			t.Errorf(`it answers %d %s, want "state":"done" in it`, got.Status, got.Body)
		}
		start := time.Now()
		got := <-w.ask("/v1/invocations/never?wait=1m")
		switch took := time.Since(start); {
		case got.Status != http.StatusNotFound:
			t.Errorf("what never comes is answered after %s with %d %s, want status %d", took, got.Status, got.Body, http.StatusNotFound)
		case got.ReasonOf(t) != wire.NotFound:
			t.Errorf("what never comes is answered after %s with %d %s, want reason %v", took, got.Status, got.Body, wire.NotFound)
		case took != time.Minute:
			t.Errorf("what never comes is answered after %s with %d %s, want %v", took, got.Status, got.Body, time.Minute)
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
		switch got := <-c; {
		case got.Status != http.StatusOK:
			t.Errorf("after %s it answers %d %s, want status %d", time.Since(start), got.Status, got.Body, http.StatusOK)
		case !strings.Contains(got.Body, `"state":"ready"`):
			t.Errorf(`after %s it answers %d %s, want "state":"ready" in it`, time.Since(start), got.Status, got.Body)
		case time.Since(start) > 0:
			t.Errorf("after %s it answers %d %s, want time.Since(start) at most 0", time.Since(start), got.Status, got.Body)
		}
	})
}
