package storetest

import (
	"errors"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// sent is a dead invocation, and the callback of its death as it is pending.
func (w *world) sent() (origin, callback *invocation.Invocation) {
	w.Helper()
	origin = w.now("fn")
	w.take(origin)
	x := w.callback(origin)
	x.Inv.CallID = origin.CallID
	x.Raw = raw(x.Inv)
	origin.Sequence, x.Inv.Sequence = 1, 1
	origin.Reason, origin.DiedAt = invocation.AttemptsExhausted, w.clock.Now()
	w.settle(origin, invocation.OutcomeDead, x)
	return origin, x.Inv
}

// replays replays one dead letter, and returns what it says.
func (w *world) replays(inv *invocation.Invocation, force bool) store.Taken {
	w.Helper()
	return w.act(store.Batch{Verb: store.ActReplay, IDs: idsOf(inv), Force: force})[0]
}

var superseding = []test{
	{"a replay cancels the pending callbacks of its origin, ready or delayed, and no others", func(w *world) {
		origin, ready := w.sent()
		delayed := w.callback(origin)
		delayed.Inv.CallID, delayed.Inv.Since = origin.CallID, w.clock.Now().Add(time.Hour)
		other, foreign := w.sent()
		if err := w.try(*delayed); err != nil {
			w.Fatalf("accept: %v", err)
		}
		taken := w.replays(origin, false)
		if len(taken.Superseded) != 2 || taken.Err != nil {
			w.Fatalf("superseded: got %v, %v, want 2", ids(taken.Superseded), taken.Err)
		}
		for _, inv := range taken.Superseded {
			if inv.Reason != invocation.Superseded {
				w.Errorf("reason: got %q, want %q", inv.Reason, invocation.Superseded)
			}
		}
		for _, id := range []invocation.ID{ready.ID, delayed.Inv.ID} {
			if _, err := w.Get(w.Context(), id); !errors.Is(err, store.ErrNotFound) {
				w.Errorf("a superseded callback: got %v, want ErrNotFound", err)
			}
		}
		w.wantKept(foreign)
		w.wantDead(other)
		if got := w.Stats(); got.Superseded != 2 || got.Dropped != 2 || got.Delayed != 0 {
			w.Errorf("counts: got %+v, want 2 superseded and dropped", got)
		}
	}},
	{"a callback that is settled after it was superseded is not found", func(w *world) {
		origin, callback := w.sent()
		if _, err := w.LoadReady(w.Context(), at(callback)); err != nil {
			w.Fatalf("load: %v", err)
		}
		w.replays(origin, false)
		next := *callback
		next.Since = w.clock.Now().Add(time.Minute)
		err := w.Settle(w.Context(), store.Settlement{At: at(callback), Outcome: invocation.OutcomeRetry, Inv: &next})
		if !errors.Is(err, store.ErrNotFound) {
			w.Errorf("settle: got %v, want ErrNotFound", err)
		}
		w.wantGone(&invocation.Invocation{ID: callback.ID, CallID: "none"})
	}},
	{"a dead callback of an outcome before a replay needs force", func(w *world) {
		origin, callback := w.sent()
		w.clock.add(time.Second)
		w.bury(callback)
		w.replays(origin, false)
		if got := w.replays(callback, false); !errors.Is(got.Err, store.ErrSuperseded) {
			w.Errorf("replay: got %v, want ErrSuperseded", got.Err)
		}
		if err := w.Replay(w.Context(), callback.ID); !errors.Is(err, store.ErrSuperseded) {
			w.Errorf("replay: got %v, want ErrSuperseded", err)
		}
		groups, err := w.Groups(w.Context(), store.Filter{})
		if err != nil || len(groups) != 1 || groups[0].Replayed != 1 {
			w.Errorf("groups: got %+v, %v, want one that needs force", groups, err)
		}
		w.restart()
		if got := w.replays(callback, true); got.Err != nil || !got.Inv.Superseded {
			w.Errorf("replay with force: got %+v, %v, want it to stay superseded", got.Inv, got.Err)
		}
		if err := w.Drop(w.Context(), callback.ID); !errors.Is(err, store.ErrNotFound) {
			w.Errorf("drop of what is pending: got %v, want ErrNotFound", err)
		}
	}},
	{"of an invocation and its callback in one act, the callback is superseded, unless it is forced", func(w *world) {
		for _, force := range []bool{false, true} {
			origin, callback := w.sent()
			w.clock.add(time.Second)
			w.bury(callback)
			taken := w.act(store.Batch{Verb: store.ActReplay, IDs: idsOf(origin, callback), Force: force})
			if taken[0].Err != nil || (taken[1].Err == nil) != force {
				w.Errorf("with force %v: got %v and %v", force, taken[0].Err, taken[1].Err)
			}
			now, err := w.Get(w.Context(), callback.ID)
			if err != nil || (now.State == invocation.Pending) != force {
				w.Errorf("with force %v: got %+v, %v", force, now, err)
			}
		}
	}},
	{"a later replay cancels a callback that was forced before it", func(w *world) {
		origin, callback := w.sent()
		w.clock.add(time.Second)
		w.bury(callback)
		w.replays(origin, false)
		w.replays(callback, true)
		origin, err := w.Get(w.Context(), origin.ID)
		if err != nil {
			w.Fatalf("get: %v", err)
		}
		w.clock.add(time.Hour)
		w.bury(origin)
		if got := w.replays(origin, false); len(got.Superseded) != 1 || got.Superseded[0].ID != callback.ID {
			w.Errorf("superseded: got %v, want %s", ids(got.Superseded), callback.ID)
		}
	}},
	{"the end of a superseded callback says so", func(w *world) {
		w.remember(time.Hour, 0)
		origin, callback := w.sent()
		w.replays(origin, false)
		end, err := w.End(w.Context(), callback.ID)
		if err != nil {
			w.Fatalf("end: got %v, want no error", err)
		}
		if end.Outcome != invocation.OutcomeCancelled || end.Inv.Reason != invocation.Superseded {
			w.Errorf("end: got %s %q, want %s %q", end.Outcome, end.Inv.Reason, invocation.OutcomeCancelled, invocation.Superseded)
		}
	}},
	{"dropping a dead letter leaves its callback alone", func(w *world) {
		origin, callback := w.sent()
		if err := w.Drop(w.Context(), origin.ID); err != nil {
			w.Errorf("drop: %v", err)
		}
		w.wantKept(callback)
	}},
	{"a replayed invocation that is cancelled while it is pending sends one last callback", func(w *world) {
		origin, _ := w.sent()
		w.replays(origin, false)
		var last *store.Accept
		w.last = func(inv *invocation.Invocation, request []byte) *store.Accept {
			if inv.ID != origin.ID || string(request) != string(raw(origin)) {
				w.Errorf("asked about %s with %q, want %s with %q", inv.ID, request, origin.ID, raw(origin))
			}
			last = w.callback(inv)
			return last
		}
		if _, err := w.Cancel(w.Context(), origin.ID); err != nil {
			w.Errorf("cancel: %v", err)
		}
		if last == nil {
			w.Fatalf("last callback: got none, want one")
		}
		w.wantKept(last.Inv)
		fresh := w.now("fn")
		w.take(fresh)
		w.last = func(*invocation.Invocation, []byte) *store.Accept {
			w.Errorf("asked about an invocation that was not replayed")
			return nil
		}
		if _, err := w.Cancel(w.Context(), fresh.ID); err != nil {
			w.Errorf("cancel: %v", err)
		}
	}},
}
