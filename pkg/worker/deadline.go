// File deadline.go gives up what is pending when its deadline has passed, whatever holds its lane
// back: a pause, the breaker, a limit, Retry-After. What is in flight by then is left to the
// outcome of its call.
//
// No call begins after its invocation's deadline, and one that begins is in flight before that is
// checked. So an invocation that is not in flight after its deadline has no call.

package worker

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"queue-worker/pkg/crash"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/policy"
	"queue-worker/pkg/store"
)

// deadlinePeriod is how often deadlines are looked at, at least: they pass by the clock of the
// store, and earlier ones may be accepted at any time.
const deadlinePeriod = 500 * time.Millisecond

// runDeadlines gives up what is overdue until the calls are to end.
func (w *Worker) runDeadlines(c contexts) {
	defer crash.LogPanic(w.Logger, "deadlines")
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-c.calls.Done():
			return
		case <-timer.C:
		}
		if w.Store.Err() == nil && w.Store.NextDeadline().Before(w.Store.Now()) {
			w.giveUpOverdue(c)
		}
		wait := w.Store.NextDeadline().Sub(w.Store.Now()) + 1
		if wait <= 0 { // of calls in flight
			wait = deadlinePeriod
		}
		timer.Reset(min(wait, deadlinePeriod))
	}
}

// giveUpOverdue goes once over all that is overdue, step by step. What cannot be read or stored
// is tried again the next time.
func (w *Worker) giveUpOverdue(c contexts) {
	for from := (store.Deadline{}); c.calls.Err() == nil; {
		step, err := w.Store.Overdue(c.calls, from)
		if err != nil || len(step) == 0 {
			return // the store has said why
		}
		w.giveUpStep(c.settlements, step)
		from = step[len(step)-1]
	}
}

// giveUpStep settles one step, all at once, so that they share commits.
func (w *Worker) giveUpStep(ctx context.Context, step []store.Deadline) {
	calling := map[invocation.ID]bool{}
	for _, id := range w.InFlight() {
		calling[id] = true
	}
	var settling sync.WaitGroup
	for _, d := range step {
		if calling[d.ID] {
			continue
		}
		if a := w.overdue(ctx, d.ID); a != nil {
			settling.Go(func() { w.settleOverdue(ctx, a) })
		}
	}
	settling.Wait()
}

// overdue makes the attempt that gives up an invocation; nil when there is nothing to do. It
// keeps no request: there may be a thousand at a time.
func (w *Worker) overdue(ctx context.Context, id invocation.ID) *attempt {
	inv, raw, err := w.Store.Load(ctx, id)
	if err != nil || inv.State != invocation.Pending || inv.Expires().IsZero() || !w.Store.Now().After(inv.Expires()) {
		return nil
	}
	a := &attempt{at: store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}, inv: inv, policy: w.base(inv.Lane.Queue)}
	if req, err := decode(raw); err == nil {
		a.req = w.withoutBody(req)
		a.policy, _ = w.inForce(inv, w.recall(inv), req)
	}
	w.giveUp(a, invocation.MaxAgeExceeded, expired)
	return a
}

// withoutBody is what a callback and the traces need of a request. It shares no memory with it.
func (w *Worker) withoutBody(req *invocation.Request) *invocation.Request {
	small := &invocation.Request{CallbackURL: strings.Clone(req.CallbackURL)}
	if w.Tracer == nil {
		return small
	}
	small.Header = http.Header{}
	for key, values := range req.Header {
		for _, v := range values {
			small.Header[strings.Clone(key)] = append(small.Header[strings.Clone(key)], strings.Clone(v))
		}
	}
	return small
}

// settleOverdue writes and reports that an invocation was given up.
func (w *Worker) settleOverdue(ctx context.Context, a *attempt) {
	st := store.Settlement{At: a.at, Inv: a.inv}
	w.conclude(a, &st)
	begun := time.Now()
	if err := w.Store.Settle(ctx, st); err != nil {
		return // it has left, or the store has said why
	}
	w.Lanes.left(a.at)
	w.traced(a, begun, nil)
	w.report(a, st)
}

// recall are the annotations of the function of an invocation as far as they are known.
func (w *Worker) recall(inv *invocation.Invocation) map[string]string {
	if w.Functions == nil || !reads(inv) {
		return nil
	}
	return w.Functions.Recall(inv.Lane.Name)
}

// bound gives an invocation that is being accepted the deadline that is in force: what its header
// asked for is in it already, and its function's annotation is added. req may be nil.
func (w *Worker) bound(inv *invocation.Invocation, req *invocation.Request) {
	if inv.Kind == invocation.KindCallback || inv.Source() == invocation.SourceMailbox || w.TrustHeader && !inv.Expires().IsZero() {
		return
	}
	age := policy.AnnotatedAge(w.recall(inv))
	if req != nil {
		if own := policy.AnnotatedAge(req.Annotations); own > 0 {
			age = own
		}
	}
	expire(inv, age)
}
