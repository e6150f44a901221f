package admin_test

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

	"queue-worker/pkg/admin"
	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/finished"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// newWatchedRig is a rig whose store reports what becomes of invocations.
func newWatchedRig(t *testing.T, edits ...func(*apitest.Options)) *rig {
	t.Helper()
	return &rig{apitest.NewWatched(t, edits...)}
}

func TestCancellingMeetsAnInvocationAtAnyPoint(t *testing.T) {
	t.Parallel()
	settles := func(r *rig, outcome invocation.Outcome) func(invocation.ID) {
		return func(id invocation.ID) {
			inv, err := r.Store.Get(t.Context(), id)
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
			if err := r.Store.Settle(context.Background(), store.Settlement{At: at, Outcome: outcome, Inv: inv}); err != nil {
				t.Error(err)
			}
		}
	}
	tests := []struct {
		name    string
		settled func(*rig) func(invocation.ID) // what the worker makes of it; nil: it waits
		status  int
		reason  wire.Reason
	}{
		{"it waits", nil, 202, ""},
		{"its call is ended", func(r *rig) func(invocation.ID) {
			return settles(r, invocation.OutcomeCancelled)
		}, 202, ""},
		{"its call failed just then and it waits for a retry", func(r *rig) func(invocation.ID) { return settles(r, invocation.OutcomeRetry) }, 202, ""},
		{"its call succeeded just then", func(r *rig) func(invocation.ID) { return settles(r, invocation.OutcomeDone) }, 409, wire.IsOver},
		{"its call was the last and it died", func(r *rig) func(invocation.ID) { return settles(r, invocation.OutcomeDead) }, 409, wire.IsDead},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newWatchedRig(t)
			r.Watch.Close() // the same while the process drains
			r.Put(t, apitest.PendingAt(0, "figlet"), nil)
			if tt.settled != nil {
				r.Calls.Start(apitest.IDOf(0))
				r.Calls.Settled = tt.settled(r)
			}
			got := r.Ask(t, http.MethodDelete, "/v1/invocations/call")
			switch {
			case got.Status != tt.status:
				t.Errorf("it answers %d %s, want status %v", got.Status, got.Body, tt.status)
			case tt.reason != "" && got.ReasonOf(t) != tt.reason:
				t.Errorf("it answers %d %s, want reason %v", got.Status, got.Body, tt.reason)
			}
			_, err := r.Store.Get(t.Context(), apitest.IDOf(0))
			if gone := errors.Is(err, store.ErrNotFound); gone != (tt.reason != wire.IsDead) {
				t.Errorf("afterwards the store says %v: got gone %v, want %v", err, gone, tt.reason != wire.IsDead)
			}
			if reported := strings.Contains(r.Logs.String(), `"invocation cancelled" id=`+apitest.IDOf(0).String()+" by=loopback"); reported != (tt.status == 202) {
				t.Errorf("the log is\n%s: got reported %v, want %v", r.Logs, reported, tt.status == 202)
			}
			if tt.status == 202 {
				apitest.Golden(t, "cancel.json", got.Body)
			}
		})
	}
}

func TestManyCancelsOfOneSucceedAndDropItOnce(t *testing.T) {
	t.Parallel()
	r := newWatchedRig(t)
	r.Put(t, apitest.PendingAt(0, "figlet"), nil)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if got := r.Ask(t, http.MethodDelete, "/v1/invocations/"+apitest.IDOf(0).String()); got.Status != http.StatusAccepted {
				t.Errorf("it answers %d %s, want %d", got.Status, got.Body, http.StatusAccepted)
			}
		})
	}
	all.Wait()
	switch s := r.Store.Stats(); {
	case s.Dropped != 1:
		t.Errorf("the counts are %+v, want dropped 1", s)
	case s.Difference() != 0:
		t.Errorf("the counts are %+v, want difference 0", s)
	}
}

func TestACallIDThatCameTwiceIsNotCancelledByIt(t *testing.T) {
	t.Parallel()
	r := newWatchedRig(t)
	r.Put(t, apitest.PendingAt(0, "figlet"), nil)
	r.Put(t, apitest.DeadAt(1), nil)
	callback := apitest.PendingAt(2, "url:cb.example:80")
	callback.Kind, callback.Origin, callback.URL = invocation.KindCallback, apitest.IDOf(1), "http://cb.example"
	r.Put(t, callback, nil)
	got := r.Ask(t, http.MethodDelete, "/v1/invocations/call")
	switch {
	case got.Status != http.StatusConflict:
		t.Errorf("it answers %d %s, want status %d", got.Status, got.Body, http.StatusConflict)
	case got.ReasonOf(t) != wire.Ambiguous:
		t.Errorf("it answers %d %s, want reason %v", got.Status, got.Body, wire.Ambiguous)
	}
	apitest.Golden(t, "ambiguous.json", got.Body)
	for _, id := range []invocation.ID{apitest.IDOf(0), apitest.IDOf(2)} { // its callback too, by its own id
		if got := r.Ask(t, http.MethodDelete, "/v1/invocations/"+id.String()); got.Status != http.StatusAccepted {
			t.Errorf("by its own id it answers %d %s, want %d", got.Status, got.Body, http.StatusAccepted)
		}
	}
}

func TestWhatCannotBeMadeSureIsNotAnswered202(t *testing.T) {
	t.Parallel()
	r := newWatchedRig(t, func(o *apitest.Options) {
		o.Admin.Forget = func(context.Context) error { return errors.New("not connected") }
	})
	r.Put(t, apitest.PendingAt(0, "figlet"), nil)
	switch got := r.Ask(t, http.MethodDelete, "/v1/invocations/call"); {
	case got.Status != http.StatusServiceUnavailable:
		t.Errorf("it answers %d %s, want status %d", got.Status, got.Body, http.StatusServiceUnavailable)
	case got.ReasonOf(t) != wire.Stalled:
		t.Errorf("it answers %d %s, want reason %v", got.Status, got.Body, wire.Stalled)
	}
}

func TestACallWhoseEndCannotBeStoredIsNotAnswered202(t *testing.T) {
	t.Parallel()
	r := newWatchedRig(t)
	r.SetWait(10 * time.Millisecond)
	r.Put(t, apitest.PendingAt(0, "figlet"), nil)
	r.Calls.Start(apitest.IDOf(0))
	r.Calls.Settled = func(invocation.ID) {} // the disk stands still
	switch got := r.Ask(t, http.MethodDelete, "/v1/invocations/call"); {
	case got.Status != http.StatusServiceUnavailable:
		t.Errorf("it answers %d %s, want status %d", got.Status, got.Body, http.StatusServiceUnavailable)
	case got.ReasonOf(t) != wire.Stalled:
		t.Errorf("it answers %d %s, want reason %v", got.Status, got.Body, wire.Stalled)
	}
	if !strings.Contains(r.Logs.String(), "cancellation not confirmed in time") {
		t.Errorf("the log is\n%s, want \"cancellation not confirmed in time\" in it", r.Logs)
	}
}

func TestWithoutADurableStoreCancellingWaitsForWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	for _, durable := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s, w := &callStore{}, finished.New()
			r := apitest.Pipe(t, func(o *apitest.Options) {
				o.Admin.Store, o.Admin.Watch = s, w
				if !durable {
					o.Admin.Arrival = admin.Arrival
				}
			})
			start := time.Now()
			switch _, err := r.FindArriving(t.Context(), "call"); {
			case !errors.Is(err, admin.ProblemNoInvocation):
				t.Errorf("what does not come is answered after %s with %v, want %v", time.Since(start), err, admin.ProblemNoInvocation)
			case (time.Since(start) > 0) == durable:
				t.Errorf("what does not come is answered after %s with %v, want time.Since(start) > 0 other than %v", time.Since(start), err, durable)
			}
			go func() {
				time.Sleep(admin.Arrival / 2)
				inv := readyNow()
				s.inv.Store(inv)
				w.Changing([]store.Change{{Inv: inv}})(nil)
			}()
			start = time.Now()
			id, err := r.FindArriving(t.Context(), "call")
			switch found := err == nil && id == apitest.IDOf(0); {
			case found == durable:
				t.Errorf("what comes is found after %s: %v: got found %v, want other than %v", time.Since(start), err, found, durable)
			case found && time.Since(start) != admin.Arrival/2:
				t.Errorf("what comes is found after %s: %v, want time.Since(start) %v", time.Since(start), err, admin.Arrival/2)
			}
			time.Sleep(admin.Arrival) // the bubble waits for all that it has begun
		})
	}
}
