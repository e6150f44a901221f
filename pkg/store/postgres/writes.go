// File writes.go has the second trip of a batch: what follows from its decisions.

package postgres

import (
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// finished is how an invocation left the store.
type finished struct {
	id       invocation.ID
	at, call int64
	rec      []byte
}

// second is what operations write in the second trip.
type second struct {
	pending, dead []row
	removeKeys    [][]byte
	keys          []*claim
	sources       []source
	names         map[int64]string // of sources that are new
	results       []*outgoing
	finished      []finished
	tallies       map[invocation.ID]*store.Tally // what is added to the counts of jobs
}

// tally is what the batch adds to the counts of a job.
func (w *second) tally(job invocation.ID) *store.Tally {
	if w.tallies == nil {
		w.tallies = map[invocation.ID]*store.Tally{}
	}
	if w.tallies[job] == nil {
		w.tallies[job] = &store.Tally{}
	}
	return w.tallies[job]
}

func (t *txn) queueSecond(b *pgx.Batch) error {
	w := &t.second
	t.queueInvocations(b)
	if len(w.removeKeys) > 0 {
		b.Queue(statement("remove keys"), w.removeKeys)
	}
	if len(w.keys) > 0 {
		t.queueKeys(b)
	}
	if len(w.sources) > 0 {
		channels, times, seqs := columns(w.sources)
		d := &t.s.dedup
		if t.dedupTurned {
			d = &t.dedup
		}
		b.Queue(statement(fmt.Sprintf("put dedup %d", d.generation%2)), channels, times, seqs)
	}
	if len(w.names) > 0 {
		ids, names := namesOf(w.names)
		b.Queue(statement("name sources"), ids, names)
	}
	if len(w.results) > 0 {
		t.queueResults(b)
	}
	if len(w.finished) > 0 {
		t.queueFinished(b)
	}
	for job, n := range w.tallies {
		if n.Replayed > 0 {
			b.Queue(statement("count replayed"), [16]byte(job), n.Replayed)
		}
		if n.Succeeded+n.FailedAgain+n.Dropped+n.Cancelled > 0 {
			b.Queue(statement("count outcomes"), [16]byte(job), n.Succeeded, n.FailedAgain, n.Dropped, n.Cancelled)
		}
	}
	for _, n := range t.notes {
		if n.Value == nil {
			b.Queue(statement("remove note"), []byte(n.Name))
		} else {
			b.Queue(statement("put note"), []byte(n.Name), n.Value)
		}
	}
	return nil
}

// namesOf are the names of sources, column by column, in one order for all workers.
func namesOf(all map[int64]string) (ids []int64, names [][]byte) {
	ids = slices.Sorted(maps.Keys(all))
	for _, id := range ids {
		names = append(names, []byte(all[id]))
	}
	return ids, names
}

// rowColumns are new invocations column by column.
type rowColumns struct {
	ids                     [][16]byte
	lanes, recs, raws       [][]byte
	since, died, calls      []int64
	delayed, mailbox, force []bool
	deadlines               []*int64
	sizes, statuses         []int32
	reasons                 []string
}

func (t *txn) columnsOf(rows []row) (c rowColumns) {
	for _, r := range rows {
		inv := r.inv
		c.ids, c.lanes, c.recs, c.raws = append(c.ids, inv.ID), append(c.lanes, laneBytes(inv.Lane)), append(c.recs, r.rec), append(c.raws, present(r.raw))
		c.since, c.died, c.calls = append(c.since, stamp(inv.Since)), append(c.died, stamp(inv.DiedAt)), append(c.calls, hash64(inv.CallID))
		c.delayed, c.mailbox, c.deadlines = append(c.delayed, r.delayed), append(c.mailbox, isMailbox(inv)), append(c.deadlines, deadlineOf(inv))
		c.sizes = append(c.sizes, int32(inv.StoredBytes()))                                                 // #nosec G115 -- bounded by what NATS and HTTP accept
		c.statuses, c.force = append(c.statuses, int32(inv.LastStatus())), append(c.force, needsForce(inv)) // #nosec G115 -- of HTTP
		c.reasons = append(c.reasons, plainText(string(inv.Reason)))
	}
	return c
}

// present makes bytes that SQL does not take for NULL.
func present(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func (t *txn) queueInvocations(b *pgx.Batch) {
	if c := t.columnsOf(t.second.pending); len(c.ids) > 0 {
		b.Queue(statement("put pending"), c.ids, c.lanes, c.since, c.delayed, c.deadlines, c.mailbox, c.calls, c.sizes, c.recs, c.raws)
	}
	if c := t.columnsOf(t.second.dead); len(c.ids) > 0 {
		b.Queue(statement("put dead"), c.ids, c.lanes, c.died, c.reasons, c.statuses, c.force, c.calls, c.sizes, c.recs, c.raws)
	}
}

func (t *txn) queueKeys(b *pgx.Batch) {
	var hashes, prints, callIDs [][]byte
	var ids [][16]byte
	var expires []int64
	for _, c := range t.second.keys {
		hashes, prints, callIDs = append(hashes, c.Hash[:]), append(prints, c.print[:]), append(callIDs, []byte(c.callID))
		ids, expires = append(ids, c.id), append(expires, stamp(c.Expires))
	}
	b.Queue(statement("put keys"), hashes, prints, ids, callIDs, expires)
}

func (t *txn) queueResults(b *pgx.Batch) {
	var ids [][16]byte
	var calls, expires []int64
	var sizes []int32
	var recs, bodies [][]byte
	for _, r := range t.second.results {
		ids, calls, expires = append(ids, r.id), append(calls, hash64(r.Inv.CallID)), append(expires, stamp(r.Expires))
		sizes, recs, bodies = append(sizes, int32(r.bytes())), append(recs, r.written), append(bodies, r.Body) // #nosec G115 -- bounded by max_response_bytes
	}
	b.Queue(statement("put results"), ids, calls, sizes, expires, recs, bodies)
}

func (t *txn) queueFinished(b *pgx.Batch) {
	var ids [][16]byte
	var at, calls []int64
	var recs [][]byte
	for _, f := range t.second.finished {
		ids, at, calls, recs = append(ids, f.id), append(at, f.at), append(calls, f.call), append(recs, f.rec)
	}
	b.Queue(statement("put finished"), ids, at, calls, recs)
}
