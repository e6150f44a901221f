// File repeat.go makes one call of several messages under one idempotency key. The first that is
// about to be called claims the key; the others repeat it: they are not called, and end as it does,
// each with its own call id and its own callback.

package worker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/retry"
	"queue-worker/pkg/store"
)

// Bounds of the wait between two looks at the first of a key. In between it is a quarter of the
// time that the repetition has waited already.
const (
	leastLook = 100 * time.Millisecond
	mostLook  = 10 * time.Second
)

// repetition is what is known of the invocation that another one repeats.
type repetition struct {
	first  invocation.ID
	answer invoke.Result // of the first, as its callback has it
}

// repeats reports whether an invocation repeats another one, whose outcome it gets then. One that
// does not has claimed its key, if it has any that counts.
func (w *Worker) repeats(ctx context.Context, a *attempt) bool {
	k := w.keyOf(a)
	if k == nil {
		return false
	}
	err := w.Store.Claim(ctx, *k, a.inv.ID, a.inv.CallID)
	known, isKnown := errors.AsType[*store.KeyError](err)
	switch {
	case err == nil, isKnown && known.ID == a.inv.ID:
		a.keyed = true
		return false
	case !isKnown:
		a.result.Canceled = ctx.Err() != nil
		a.look(leastLook)
	case !known.Same:
		if w.warned.first(a.inv.Lane.Name + "\x00" + invoke.HeaderIdempotencyKey) {
			w.Logger.Warn("idempotency key used with other content, called", attrs(a)...)
		}
		return false
	default:
		w.repeat(ctx, a, known.ID)
	}
	return true
}

// keyOf is the idempotency key of a message; nil when it has none, or none that counts.
func (w *Worker) keyOf(a *attempt) *store.Key {
	if w.IdempotencyWindow == 0 || !a.policy.Idempotent || a.req == nil || !reads(a.inv) || a.inv.Source() != invocation.SourceGateway {
		return nil
	}
	h := a.req.Header
	values := h[invoke.HeaderIdempotencyKey]
	if len(values) != 1 || values[0] == "" || len(values[0]) > invocation.MaxIdempotencyKey {
		return nil
	}
	content := invocation.ContentDigest(a.req.Path, a.req.QueryString, h.Get("Content-Type"))
	if _, err := io.Copy(content, a.req.Body()); err != nil {
		return nil // its call says why
	}
	k := &store.Key{
		Hash: invocation.KeyHash(a.inv.Lane.Name, values[0]), Sender: invocation.SenderDigest(http.MethodPost, h),
		Expires: w.Store.Now().Add(w.IdempotencyWindow),
	}
	content.Sum(k.Payload[:0])
	return k
}

// look lets an attempt wait for another look, which is no retry.
func (a *attempt) look(wait time.Duration) {
	a.uncalled, a.unspent = true, true
	a.Decision = retry.Decision{Outcome: invocation.OutcomeRetry, Wait: wait}
}

// repeat gives an invocation the outcome of the first of its key, or lets it wait for that.
func (w *Worker) repeat(ctx context.Context, a *attempt, first invocation.ID) {
	a.uncalled, a.repeated = true, &repetition{first: first}
	a.markRepetition()
	inv, err := w.Store.Get(ctx, first)
	switch {
	case err == nil && inv.State == invocation.Pending, err != nil && !errors.Is(err, store.ErrNotFound):
		a.look(min(max(w.Store.Now().Sub(a.inv.Accepted)/4, leastLook), mostLook))
	case !w.holdAnswer(ctx, a):
		a.result.Canceled = true
		a.look(leastLook)
	case err == nil:
		w.repeatDeath(ctx, a, inv)
	default:
		w.repeatEnd(ctx, a)
	}
}

// holdAnswer waits until no other repetition has the answer of its first in memory, which may be
// large: it has that until it is settled. False when ctx ends first.
func (w *Worker) holdAnswer(ctx context.Context, a *attempt) bool {
	select {
	case w.repeating <- struct{}{}:
		a.large.release = func() { <-w.repeating }
		return true
	case <-ctx.Done():
		return false
	}
}

// markRepetition keeps in the record which invocation it repeats.
func (a *attempt) markRepetition() {
	terms := invocation.Terms{}
	if a.inv.Terms != nil {
		terms = *a.inv.Terms
	}
	terms.Repeats = a.repeated.first
	a.inv.Terms = &terms
}

// repeatDeath makes a repetition a dead letter like the first of its key. When both are replayed, only
// the first is called.
func (w *Worker) repeatDeath(ctx context.Context, a *attempt, first *invocation.Invocation) {
	w.giveUp(a, first.Reason, "It repeats "+first.ID.String()+" under the same Idempotency-Key, which is dead. Replay that one first.")
	a.repeated.answer = invoke.Result{Status: first.LastStatus(), Truncated: true}
	if r, err := w.Store.Result(ctx, first.ID, true); err == nil {
		a.repeated.answer = answerIn(r)
	}
}

// repeatEnd ends a repetition as the first of its key has ended: done, discarded, or cancelled by
// whatever has removed it. What was answered is kept for as long as the key; without it the callback
// has the status alone and says that the body was cut.
func (w *Worker) repeatEnd(ctx context.Context, a *attempt) {
	outcome := invocation.OutcomeCancelled
	if r, err := w.Store.Result(ctx, a.repeated.first, true); err == nil && r.Outcome != invocation.OutcomeDead {
		outcome, a.repeated.answer, a.Reason = r.Outcome, answerIn(r), r.Inv.Reason
	} else if end, err := w.Store.End(ctx, a.repeated.first); err == nil && end.Outcome == invocation.OutcomeDone {
		outcome, a.repeated.answer = end.Outcome, invoke.Result{Status: end.Inv.LastStatus(), Truncated: true}
	}
	a.Outcome = outcome
}

// answerIn is the answer that a result has.
func answerIn(r *store.Result) invoke.Result {
	return invoke.Result{Status: r.Status, Header: r.Header, Body: r.Body, Truncated: r.Truncated}
}

// answered is an attempt with the answer that its callback carries: of a repetition that of the
// first of its key.
func (a *attempt) answered() *attempt {
	if a.repeated == nil {
		return a
	}
	b := *a
	b.result = a.repeated.answer
	return &b
}
