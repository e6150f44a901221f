// File purge.go does one step of a purge.

package jobs

import (
	"context"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// stepPending removes the next pending invocations of the set. Pending invocations move
// between ready and delayed meanwhile, so the purge goes over all of it again
// until there is nothing that it can take.
func (j *Jobs) stepPending(ctx context.Context, b *job, r *record) error {
	if r.AtEnd && !r.Took {
		return j.finish(ctx, b, Done, "")
	}
	cursor := r.Cursor
	if r.AtEnd {
		cursor = ""
	}
	page, next, err := j.Store.Pending(ctx, pendingFilter(r), cursor, j.stepSize(r))
	if err != nil {
		return err
	}
	ids := j.notInFlight(page)
	advance := func(r *record, taken []store.Taken) {
		if r.AtEnd {
			r.Took = false // another pass has begun
		}
		r.Cursor, r.AtEnd = next, next == ""
		for _, t := range taken {
			if t.Err == nil {
				r.Done++
				r.Took = true
			}
		}
	}
	if len(ids) == 0 {
		j.pass(b, advance)
		return nil
	}
	if err := j.commit(ctx, b, store.Batch{Verb: store.ActCancel, IDs: ids, Except: j.InFlight}, advance); err != nil {
		return err
	}
	b.spend(len(ids), r.Rate)
	return nil
}

// notInFlight leaves out what is being called.
func (j *Jobs) notInFlight(page []*invocation.Invocation) []invocation.ID {
	var ids []invocation.ID
	for _, inv := range page {
		if !j.InFlight(inv.ID) {
			ids = append(ids, inv.ID)
		}
	}
	return ids
}
