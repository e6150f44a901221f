// File supersede.go takes back the callbacks of earlier outcomes when their origin is replayed, so
// that a receiver does not get an older outcome after a newer one.

package postgres

import (
	"slices"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// mostLooked is how many invocations of the call ids are looked at for the callbacks of what is
// replayed. Call ids are meant to be unique; where so many have the same one, the callbacks beyond
// are not superseded, since the committer cannot look for long.
const mostLooked = 10_000

// superseding are the callbacks of what an act replays.
type superseding struct {
	stale  map[invocation.ID][]pendingRow           // by their origin
	marked map[invocation.ID]*invocation.Invocation // dead ones that this act supersedes
	acted  map[invocation.ID]bool                   // that this act has replayed already
	gone   [][16]byte                               // pending ones that are cancelled
}

// findStale finds the callbacks of what is replayed, before anything is written.
func (o *actOp) findStale(t *txn, letters map[invocation.ID]*invocation.Invocation) (superseding, error) {
	x := superseding{stale: map[invocation.ID][]pendingRow{}, marked: map[invocation.ID]*invocation.Invocation{}, acted: map[invocation.ID]bool{}}
	var calls []int64
	for _, inv := range letters {
		if inv.Kind == invocation.KindFunction {
			calls = append(calls, hash64(inv.CallID))
		}
	}
	if len(calls) == 0 {
		return x, nil
	}
	note := func(p pendingRow) {
		inv := p.inv
		if inv.Kind != invocation.KindCallback || letters[inv.Origin] == nil || o.Force && slices.Contains(o.ids, inv.ID) {
			return
		}
		x.stale[inv.Origin] = append(x.stale[inv.Origin], p)
	}
	pending, err := t.pendingRows("pending of calls", calls, mostLooked)
	if err != nil {
		return x, err
	}
	for _, p := range pending {
		note(p)
	}
	dead, err := t.letters("dead of calls", calls, mostLooked)
	for _, inv := range dead {
		note(pendingRow{inv: inv})
	}
	return x, err
}

// take takes back the callbacks of an invocation that is being replayed, and returns those that
// were pending. What the same act has replayed already stays.
func (x *superseding) take(t *txn, origin invocation.ID) (cancelled []*invocation.Invocation) {
	for _, p := range x.stale[origin] {
		inv := p.inv
		switch {
		case x.acted[inv.ID] || inv.Superseded && inv.State == invocation.Dead:
		case inv.State == invocation.Dead:
			inv.Superseded = true
			x.marked[inv.ID] = inv
		default:
			x.gone = append(x.gone, inv.ID)
			inv.Supersede()
			t.cancelled(p)
			t.delta.superseded++
			cancelled = append(cancelled, inv)
		}
	}
	return cancelled
}

// write writes what take has decided.
func (x *superseding) write(t *txn) error {
	if len(x.gone) > 0 {
		if _, err := t.exec("remove pending", x.gone); err != nil {
			return err
		}
	}
	if len(x.marked) == 0 {
		return nil
	}
	var ids [][16]byte
	var recs [][]byte
	for id, inv := range x.marked {
		ids, recs = append(ids, id), append(recs, record.Encode(inv))
	}
	_, err := t.exec("supersede", ids, recs)
	return err
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
