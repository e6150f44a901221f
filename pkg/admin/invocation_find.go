// File invocation_find.go finds an invocation: pending or dead in the store, finished
// among the results, or among the ends that memory and store keep for a while.

package admin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
	"queue-worker/pkg/worker"
)

// Calls are the calls in flight and the latest ones; see worker.Worker.
type Calls interface {
	// RunningSince is since when an invocation is in flight; zero when it is not.
	RunningSince(invocation.ID) time.Time
	// InFlight are all that run.
	InFlight() []invocation.ID
	// Cancel ends the call of one that runs; its end is reported to the Watch. False
	// when it does not run, or has come to something already.
	Cancel(invocation.ID) bool
	// Activity describes the latest calls of each lane.
	Activity() map[invocation.Lane]worker.Activity
}

// maxCalls bounds the invocations of one call id that an answer has, the newest.
const maxCalls = 100

// mostOfCall bounds how many of them are looked at.
const mostOfCall = 1000

// found is an invocation wherever it is.
type found struct {
	inv       *invocation.Invocation
	state     string
	since     time.Time // when its call began, of one that runs
	ended     time.Time // zero for what is pending or dead
	hasResult bool
	truncated bool // the result has only the beginning of the answer
}

// isPending reports whether it will be called, or is.
func (f *found) isPending() bool {
	return f.state == wire.StateReady || f.state == wire.StateRunning || f.state == wire.StateDelayed
}

// find looks up an id, of an invocation or of a call: newest first, and none when
// there is nothing. The store is asked before the results and those before what is
// remembered, which is the order in which an invocation goes through them.
func (a *Admin) find(ctx context.Context, key string) ([]found, error) {
	id, err := invocation.ParseID(key)
	if err != nil {
		return a.findCall(ctx, key)
	}
	f, err := a.findID(ctx, id)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return a.findCall(ctx, key) // call ids are UUIDs too
	}
	return []found{*f}, nil
}

// findID looks up an invocation; nil when there is none.
func (a *Admin) findID(ctx context.Context, id invocation.ID) (*found, error) {
	inv, err := a.Store.Get(ctx, id)
	if err == nil {
		return a.stored(ctx, inv)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	var f *found
	switch r, err := a.Store.Result(ctx, id, false); {
	case err == nil:
		f = withResult(r)
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	if end, ok := a.Watch.Lately(id); ok {
		return latest(f, remembered(&end)), nil
	}
	end, err := a.Store.End(ctx, id)
	switch {
	case err == nil:
		return latest(f, remembered(end)), nil
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	return f, nil
}

// looks bounds how often a call id is looked up while its invocations are finishing.
const looks = 3

// findCall looks up all invocations of a call id. The store shows them at one moment.
// What has finished after it may be the callback of one that the store showed as
// pending, so all are looked up again then.
func (a *Admin) findCall(ctx context.Context, call string) ([]found, error) {
	var all map[invocation.ID]*found
	for range looks {
		since := time.Now()
		stored, results, err := a.Store.FindCall(ctx, call, mostOfCall)
		if err != nil {
			return nil, err
		}
		ends := a.Watch.LatelyByCall(call, mostOfCall)
		earlier, err := a.Store.EndsOfCall(ctx, call, mostOfCall)
		if err != nil {
			return nil, err
		}
		for i := range ends {
			earlier = append(earlier, &ends[i]) // which say more of an invocation
		}
		all = a.merged(stored, results, earlier)
		if !slices.ContainsFunc(ends, func(e store.End) bool { return !e.At.Before(since) }) {
			break
		}
	}
	return newest(all), nil
}

// merged is what store and memory have of a call id. What is in the store is not
// finished, or dead.
func (a *Admin) merged(stored []*invocation.Invocation, results []*store.Result, ends []*store.End) map[invocation.ID]*found {
	all := map[invocation.ID]*found{}
	for _, r := range results {
		all[r.Inv.ID] = withResult(r)
	}
	for _, end := range ends {
		all[end.Inv.ID] = latest(all[end.Inv.ID], remembered(end))
	}
	for _, inv := range stored {
		f := a.inStore(inv)
		f.hasResult = f.state == wire.StateDead && all[inv.ID] != nil && all[inv.ID].hasResult
		f.truncated = f.hasResult && all[inv.ID].truncated
		all[inv.ID] = f
	}
	return all
}

// newest sorts what was found and cuts it.
func newest(all map[invocation.ID]*found) []found {
	list := make([]found, 0, len(all))
	for _, f := range all {
		list = append(list, *f)
	}
	slices.SortFunc(list, func(x, y found) int {
		return cmp.Or(y.inv.Accepted.Compare(x.inv.Accepted), slices.Compare(y.inv.ID[:], x.inv.ID[:]))
	})
	return list[:min(len(list), maxCalls)]
}

// stored is an invocation that is in the store. A dead one may have a result.
func (a *Admin) stored(ctx context.Context, inv *invocation.Invocation) (*found, error) {
	f := a.inStore(inv)
	if f.state != wire.StateDead {
		return f, nil
	}
	r, err := a.Store.Result(ctx, inv.ID, false)
	f.hasResult = err == nil
	f.truncated = err == nil && r.Truncated
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return f, err
}

// inStore is what is in the store, with its state.
func (a *Admin) inStore(inv *invocation.Invocation) *found {
	switch {
	case inv.State == invocation.Dead:
		return &found{inv: inv, state: wire.StateDead}
	case inv.Since.After(time.Now()):
		return &found{inv: inv, state: wire.StateDelayed}
	}
	if since := a.Calls.RunningSince(inv.ID); !since.IsZero() {
		return &found{inv: inv, state: wire.StateRunning, since: since}
	}
	return &found{inv: inv, state: wire.StateReady}
}

// withResult is what a result says of an invocation that is not in the store. One
// that was dead has left the dead set since.
func withResult(r *store.Result) *found {
	f := &found{inv: r.Inv, state: string(r.Outcome), ended: r.At, hasResult: true, truncated: r.Truncated}
	if r.Outcome == invocation.OutcomeDead {
		f.state = string(invocation.OutcomeDropped)
	}
	return f
}

// latest is the later of two ends: a dead letter has a result, and ends once more
// when it is dropped, or cancelled after a replay.
func latest(result, end *found) *found {
	if result == nil {
		return end
	}
	if end.ended.Before(result.ended) {
		return result
	}
	end.hasResult, end.truncated = result.hasResult, result.truncated
	return end
}

func remembered(end *store.End) *found {
	return &found{inv: end.Inv, state: string(end.Outcome), ended: end.At}
}

// calls are those of the found that a caller means: the functions' and what the
// producer took, and not the callbacks that carry their results, unless there is
// nothing else.
func calls(all []found) []found {
	own := slices.DeleteFunc(slices.Clone(all), func(f found) bool {
		return f.inv.Kind == invocation.KindCallback && !f.inv.Origin.IsZero()
	})
	if len(own) == 0 {
		return all
	}
	return own
}

// areOver reports whether something was found and no call of it is pending.
func areOver(all []found) bool {
	return len(all) > 0 && !slices.ContainsFunc(calls(all), func(f found) bool { return f.isPending() })
}
