// File commit.go has the committer, the only writer. It collects the operations that have
// arrived into one batch, commits it, and only then answers.
//
//	operations --> staging (committer) --> batch --> sync (syncer) --> counts, watcher, done
//
// The sync runs in a separate goroutine, because a failed disk can block it for ever: the
// committer then answers ErrFailed instead.

package embedded

import (
	"errors"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/crash"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Bounds of one batch, and so of its memory. In larger ones the first operation would wait
// longer. Pebble writes a batch of more than half a memtable as a table of its own, which
// costs a large request a second write even if it is settled at once. The buffer of a batch is
// used again up to keptBatch: its last operation may take it beyond batchBytes.
const (
	batchOps   = 1024
	batchBytes = 1 << 20
	keptBatch  = 2 * batchBytes
	// batchYields is how often a batch that could end waits for what is runnable.
	batchYields = 3
)

// txn is a batch being built, and all that has to happen once it is durable.
type txn struct {
	s       *Store
	batch   *pebble.Batch
	now     time.Time // when the operation being staged was
	delta   delta
	ready   []store.Ready
	fresh   []*kept // of them, those that were accepted
	changes []store.Change
	due     time.Time                     // earliest delayed entry written, zero for none
	tooLate time.Time                     // earliest deadline written, zero for none
	touched map[invocation.ID]struct{}    // ids that this batch changes
	seen    map[store.Source]struct{}     // dedup records that this batch writes
	claimed map[[32]byte]struct{}         // idempotency keys that this batch changes; nil for none
	notes   []store.Note                  // that this batch writes
	tallies map[invocation.ID]store.Tally // counts of jobs that this batch changes
	dropped invocation.ID                 // the job whose counts this batch removes, zero for none
	ops     []op
	key     []byte // where keys are put together
	yields  int    // how often it was about to end

	moreNotes, noteBytes int // what notes come to
}

// errConflict makes the committer finish the batch before it stages an op again,
// because the op reads what the batch changes.
var errConflict = errors.New("conflict within a batch")

// touch claims an id for one operation of the batch.
func (t *txn) touch(id invocation.ID) error {
	if _, ok := t.touched[id]; ok {
		return errConflict
	}
	t.touched[id] = struct{}{}
	return nil
}

// commitLoop runs until the operations' channel is closed and empty.
func (s *Store) commitLoop() {
	defer crash.LogPanic(s.log, "committer")
	defer close(s.committed)
	t := &txn{s: s, touched: map[invocation.ID]struct{}{}, seen: map[store.Source]struct{}{}, tallies: map[invocation.ID]store.Tally{}}
	var held op // staged too early, first of the next batch
	for {
		first := held
		held = nil
		if first == nil {
			var ok bool
			if first, ok = <-s.ops; !ok {
				return
			}
		}
		s.began.Store(time.Now().UnixNano())
		t.begin()
		for o := first; o != nil; o = s.nextOp(t) {
			if s.add(t, o) {
				held = o
				break
			}
		}
		s.finish(t)
	}
}

// begin makes t empty and keeps its memory.
func (t *txn) begin() {
	clear(t.touched)
	clear(t.seen)
	clear(t.ops)
	clear(t.notes)
	clear(t.claimed)
	clear(t.tallies)
	clear(t.fresh)
	clear(t.changes)
	t.s.ends.batch.Reset()
	*t = txn{
		s: t.s, batch: t.s.db.NewBatch(pebble.WithMaxRetainedSizeBytes(keptBatch)), touched: t.touched, seen: t.seen, claimed: t.claimed, tallies: t.tallies,
		ops: t.ops[:0], notes: t.notes[:0], ready: t.ready[:0], fresh: t.fresh[:0], changes: t.changes[:0], key: t.key[:0], delta: delta{places: t.delta.places[:0]},
	}
}

// nextOp returns an operation that has arrived already, or nil. Before a batch ends, those
// who are about to send one get the chance, since a commit costs the same for many.
func (s *Store) nextOp(t *txn) op {
	if len(t.ops) >= batchOps || t.batch.Len() >= batchBytes {
		return nil
	}
	for {
		select {
		case o := <-s.ops:
			return o // nil when the channel is closed
		default:
		}
		if t.yields == batchYields {
			return nil
		}
		t.yields++
		runtime.Gosched()
	}
}

// add stages one operation; conflict means that it has to wait for the next
// batch. An operation that is refused is answered at once: what it was refused
// for was read from batches that are durable.
func (s *Store) add(t *txn, o op) (conflict bool) {
	err := s.Failed()
	if err == nil {
		t.now = s.now() // of this operation: its own times were taken before
		err = o.stage(t)
	}
	switch {
	case err == nil:
		t.ops = append(t.ops, o)
	case errors.Is(err, errConflict):
		return true
	default:
		s.answer(o, err)
	}
	return false
}

// finish commits the batch, then counts, notifies the watcher and answers, in this
// order. order matters: see docs/guarantees.md, who is answered can rely on the rest.
func (s *Store) finish(t *txn) {
	changed := s.changing(t)
	err := s.commit(t)
	s.began.Store(0)
	if err == nil {
		s.handover.committed(t.fresh, s.now())
		s.counts.apply(&t.delta)
		s.deadline.note(t.tooLate)
		s.applyTallies(t)
		if len(t.notes) > 0 {
			s.notes.apply(t.notes)
		}
		if s.watcher != nil && len(t.ready) > 0 {
			s.watcher.Ready(t.ready)
		}
		s.noteDue(t.due)
	}
	changed(err)
	for _, o := range t.ops {
		s.answer(o, err)
	}
}

// changing reports the changes of a batch before they can be read, and returns what is to be
// called after the commit.
func (s *Store) changing(t *txn) (changed func(error)) {
	if s.watcher == nil || len(t.changes) == 0 {
		return func(error) {}
	}
	return s.watcher.Changing(t.changes)
}

// changed notes what becomes of an invocation.
func (t *txn) changed(inv *invocation.Invocation, outcome invocation.Outcome) {
	t.changes = append(t.changes, store.Change{Inv: inv, Outcome: outcome})
}

// commit writes the batch, and returns when it is durable or the store has failed.
func (s *Store) commit(t *txn) error {
	if len(t.ops) == 0 {
		return t.batch.Close()
	}
	t.putRuns()
	t.putEnds()
	t.putTallies()
	start := time.Now()
	s.sync <- t.batch
	select {
	case err := <-s.synced:
		if err != nil {
			return s.fail(err)
		}
	case <-s.failed:
		return s.Failed()
	}
	s.metrics.commit(time.Since(start), len(t.ops))
	return nil
}

// syncLoop carries out the commits. One at a time, and none after a failure, so
// the committer finds it free whenever it has a batch.
func (s *Store) syncLoop() {
	defer crash.LogPanic(s.log, "sync")
	opts := pebble.Sync
	if s.opts.Sync > 0 || !s.durable {
		opts = pebble.NoSync
	}
	for b := range s.sync {
		err := b.Commit(opts)
		s.synced <- errors.Join(err, b.Close())
	}
}

// flushLoop syncs at the interval of store_sync, when it is one.
func (s *Store) flushLoop(interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := s.syncNow(); err != nil {
				return
			}
		case <-s.stop:
			return
		}
	}
}

// syncNow makes durable what has been confirmed before. Commits are written to
// the log in their order, so what is durable is always a beginning of them.
func (s *Store) syncNow() error {
	if err := s.db.LogData(nil, pebble.Sync); err != nil {
		return s.fail(err)
	}
	return nil
}
