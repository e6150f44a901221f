package api

// Cancelling, and what it may meet.

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/finished"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
)

// reporting is a store that tells of what was cancelled, as the program's does.
type reporting struct {
	*embedded.Store
	watch *finished.Watch
}

func (s reporting) Cancel(ctx context.Context, id invocation.ID) (*invocation.Invocation, error) {
	if inv, err := s.Get(id); err == nil {
		defer s.watch.Ending(finished.End{Inv: inv, Outcome: invocation.OutcomeCancelled, At: time.Now()})()
	}
	inv, err := s.Store.Cancel(ctx, id)
	if err == nil {
		s.watch.Ended(finished.End{Inv: inv, Outcome: invocation.OutcomeCancelled, At: time.Now()})
	}
	return inv, err
}

func withReports(o *Options) { o.Store = reporting{o.Store.(*embedded.Store), o.Watch} }

func TestCancellingMeetsAnInvocationAtAnyPoint(t *testing.T) {
	t.Parallel()
	settles := func(r *rig, outcome invocation.Outcome) func(invocation.ID) {
		return func(id invocation.ID) {
			inv, err := r.store.Get(id)
			if err != nil {
				t.Error(err)
				return
			}
			at := store.Ready{Lane: inv.Lane, Since: inv.Since, ID: id}
			switch outcome {
			case invocation.OutcomeRetry:
				inv.Since = time.Now().Add(time.Hour)
			case invocation.OutcomeDead:
				inv.State, inv.DiedAt, inv.Reason = invocation.Dead, time.Now(), invocation.AttemptsExhausted
			case invocation.OutcomeDone, invocation.OutcomeDropped, invocation.OutcomeCancelled:
			}
			if outcome.Leaves() {
				defer r.Watch.Ending(finished.End{Inv: inv, Outcome: outcome, At: time.Now()})()
			}
			if err := r.store.Settle(context.Background(), store.Settlement{At: at, Outcome: outcome, Inv: inv}); err != nil {
				t.Error(err)
			}
			if !outcome.Leaves() {
				r.Watch.Changed(inv)
				return
			}
			r.Watch.Ended(finished.End{Inv: inv, Outcome: outcome, At: time.Now()})
		}
	}
	tests := []struct {
		name    string
		settled func(*rig) func(invocation.ID) // what the worker makes of it; nil: it waits
		status  int
		reason  reason
	}{
		{"it waits", nil, 202, ""},
		{"its call is ended", func(r *rig) func(invocation.ID) {
			return settles(r, invocation.OutcomeCancelled)
		}, 202, ""},
		{"its call failed just then and it waits for a retry", func(r *rig) func(invocation.ID) { return settles(r, invocation.OutcomeRetry) }, 202, ""},
		{"its call succeeded just then", func(r *rig) func(invocation.ID) { return settles(r, invocation.OutcomeDone) }, 409, isOver},
		{"its call was the last and it died", func(r *rig) func(invocation.ID) { return settles(r, invocation.OutcomeDead) }, 409, isDead},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, withReports)
			r.Watch.Close() // the same while the process drains
			r.put(t, pendingAt(0, "figlet"), nil)
			if tt.settled != nil {
				r.hands().take(idOf(0))
				r.hands().settled = tt.settled(r)
			}
			got := r.ask(t, http.MethodDelete, "/v1/invocations/call")
			if got.status != tt.status || tt.reason != "" && got.reasonOf(t) != tt.reason {
				t.Errorf("it answers %d %s", got.status, got.body)
			}
			_, err := r.store.Get(idOf(0))
			if gone := errors.Is(err, store.ErrNotFound); gone != (tt.reason != isDead) {
				t.Errorf("afterwards the store says %v", err)
			}
			if reported := strings.Contains(r.logs.String(), `"invocation cancelled" id=`+idOf(0).String()+" by=loopback"); reported != (tt.status == 202) {
				t.Errorf("the log is\n%s", r.logs)
			}
			if tt.status == 202 {
				golden(t, "cancel.json", got.body)
			}
		})
	}
}

func TestManyWhoCancelOneAreAllToldAndItIsDroppedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, withReports)
	r.put(t, pendingAt(0, "figlet"), nil)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if got := r.ask(t, http.MethodDelete, "/v1/invocations/"+idOf(0).String()); got.status != http.StatusAccepted {
				t.Errorf("it answers %d %s", got.status, got.body)
			}
		})
	}
	all.Wait()
	if s := r.store.Stats(); s.Dropped != 1 || s.Difference() != 0 {
		t.Errorf("the counts are %+v", s)
	}
}

func TestACallIDThatCameTwiceIsNotCancelledByIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, withReports)
	r.put(t, pendingAt(0, "figlet"), nil)
	r.put(t, deadAt(1), nil)
	callback := pendingAt(2, "url:cb.example:80")
	callback.Kind, callback.Origin, callback.URL = invocation.KindCallback, idOf(1), "http://cb.example"
	r.put(t, callback, nil)
	got := r.ask(t, http.MethodDelete, "/v1/invocations/call")
	if got.status != http.StatusConflict || got.reasonOf(t) != isAmbiguous {
		t.Errorf("it answers %d %s", got.status, got.body)
	}
	golden(t, "ambiguous.json", got.body)
	for _, id := range []invocation.ID{idOf(0), idOf(2)} { // its callback too, by its own id
		if got := r.ask(t, http.MethodDelete, "/v1/invocations/"+id.String()); got.status != http.StatusAccepted {
			t.Errorf("by its own id it answers %d %s", got.status, got.body)
		}
	}
}

func TestWhatCannotBeMadeSureIsNotAnswered202(t *testing.T) {
	t.Parallel()
	r := newRig(t, withReports, func(o *Options) {
		o.Forget = func(context.Context) error { return errors.New("not connected") }
	})
	r.put(t, pendingAt(0, "figlet"), nil)
	if got := r.ask(t, http.MethodDelete, "/v1/invocations/call"); got.status != http.StatusServiceUnavailable || got.reasonOf(t) != stalled {
		t.Errorf("it answers %d %s", got.status, got.body)
	}
}

func TestACallWhoseEndCannotBeStoredIsNotAnswered202(t *testing.T) {
	t.Parallel()
	r := newRig(t, withReports)
	r.wait = 10 * time.Millisecond
	r.put(t, pendingAt(0, "figlet"), nil)
	r.hands().take(idOf(0))
	r.hands().settled = func(invocation.ID) {} // the disk stands still
	if got := r.ask(t, http.MethodDelete, "/v1/invocations/call"); got.status != http.StatusServiceUnavailable || got.reasonOf(t) != stalled {
		t.Errorf("it answers %d %s", got.status, got.body)
	}
	if !strings.Contains(r.logs.String(), "cancellation not confirmed in time") {
		t.Errorf("the log is\n%s", r.logs)
	}
}

func TestWithoutADurableStoreCancellingWaitsForWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	for _, durable := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s, w := &callStore{}, finished.New()
			a, err := newAPI(Options{
				Store: s, Watch: w, Hands: &hands{}, Policies: noPolicy{}, Durable: durable, Queues: []string{"q"},
				Gatherer: noMetrics, Healthy: fine, Ready: fine, AdminOpen: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			if _, err := a.findArriving(t.Context(), "call"); !errors.Is(err, problemNoInvocation) || (time.Since(start) > 0) == durable {
				t.Errorf("what does not come is answered after %s with %v", time.Since(start), err)
			}
			go func() {
				time.Sleep(arrival / 2)
				inv := readyNow()
				s.inv.Store(inv)
				w.Changed(inv)
			}()
			start = time.Now()
			id, err := a.findArriving(t.Context(), "call")
			if found := err == nil && id == idOf(0); found == durable || found && time.Since(start) != arrival/2 {
				t.Errorf("what comes is found after %s: %v", time.Since(start), err)
			}
			time.Sleep(arrival) // the bubble waits for all that it has begun
		})
	}
}
