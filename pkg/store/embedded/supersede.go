// File supersede.go takes back the callbacks of earlier outcomes when their origin is replayed, so
// that a receiver does not get an older outcome after a newer one.

package embedded

import (
	"errors"
	"slices"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// mostLooked is how many invocations of a call id are looked at for the callbacks of a dead letter.
// Call ids are meant to be unique; where so many have the same one, the callbacks beyond are not
// superseded, since the committer cannot look for long.
const mostLooked = 10_000

// findStale finds the callbacks of what is replayed, before anything is written.
func (o *actOp) findStale(t *txn) error {
	o.stale, o.marked = map[invocation.ID][]*invocation.Invocation{}, map[invocation.ID]bool{}
	origins, calls := map[invocation.ID]bool{}, map[string]bool{}
	for i := range o.taken {
		inv, err := t.s.get(o.taken[i].ID)
		if err != nil || inv.State != invocation.Dead || inv.Kind != invocation.KindFunction {
			continue // act says so
		}
		origins[inv.ID], calls[inv.CallID] = true, true
	}
	for call := range calls {
		if err := o.findCallbacks(t, call, origins); err != nil {
			return err
		}
	}
	return nil
}

// findCallbacks reads the callbacks of origins that are in the store. One that cannot be read
// hides no other.
func (o *actOp) findCallbacks(t *txn, call string, origins map[invocation.ID]bool) error {
	prefix := appendCallRange(nil, call)
	looked := 0
	err := t.s.each(prefix, after(prefix), func(key, _ []byte) (bool, error) {
		looked++
		if inv, _ := t.s.get(invocation.ID(key[len(prefix):])); o.isStale(inv, origins) {
			if _, changing := t.touched[inv.ID]; changing {
				return false, errConflict
			}
			o.stale[inv.Origin] = append(o.stale[inv.Origin], inv)
		}
		return looked < mostLooked, nil
	})
	if errors.Is(err, errConflict) {
		return err
	}
	return t.s.damaged(err)
}

// isStale reports whether an invocation, nil for one that cannot be read, is a callback of origins
// that is not replayed with them.
func (o *actOp) isStale(inv *invocation.Invocation, origins map[invocation.ID]bool) bool {
	return inv != nil && inv.Kind == invocation.KindCallback && origins[inv.Origin] && !(o.Force && slices.Contains(o.IDs, inv.ID))
}

// supersede takes back the callbacks of an invocation that is being replayed, and returns those
// that were pending. What the same act has replayed already stays.
func (o *actOp) supersede(t *txn, origin invocation.ID) (cancelled []*invocation.Invocation) {
	for _, inv := range o.stale[origin] {
		if _, acted := t.touched[inv.ID]; acted {
			continue
		}
		was, err := t.bodyOf(inv)
		if err != nil {
			continue // it has been noted
		}
		switch {
		case inv.State == invocation.Dead && !inv.Superseded:
			t.touched[inv.ID] = struct{}{}
			t.leaveDead(inv)
			inv.Superseded = true
			o.marked[inv.ID] = true
			t.rewrite(inv, record.Encode(inv), was)
		case inv.State == invocation.Pending && t.leavePending(inv) == nil:
			t.touched[inv.ID] = struct{}{}
			t.s.handover.act(inv.ID)
			t.leaveDeadline(inv.ID, inv.Expires())
			t.finishedFor(inv.Job, invocation.OutcomeCancelled)
			inv.Supersede()
			t.conclude(invocation.OutcomeCancelled, inv, nil, was)
			t.delta.superseded++
			cancelled = append(cancelled, inv)
		}
	}
	return cancelled
}

// logSuperseded logs what an act has superseded.
func (s *Store) logSuperseded(taken []store.Taken) {
	for _, x := range taken {
		for _, inv := range x.Superseded {
			s.log.Info("callback superseded by a replay", "id", inv.ID.String(), "call_id", inv.CallID, "function", inv.Function,
				"target", inv.Lane.Name, "sequence", max(inv.Sequence, 1), "reason", string(inv.Reason))
		}
	}
}
