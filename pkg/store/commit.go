package store

// The committer: the only writer. It gathers whatever operations have arrived
// into one batch, commits it, and only then tells everybody.
//
//	operations --> staging (committer) --> batch --> sync (syncer) --> done, watcher
//
// The sync runs in a goroutine of its own, because a disk that fails makes
// Pebble stop there for good: the committer then answers ErrFailed instead.

import (
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
)

// Bounds of one batch. Larger ones would only make the first operation in them
// wait longer; the memory of a batch is bounded by them too.
const (
	batchOps   = 1024
	batchBytes = 4 << 20
)

// queueOps and queueBytes bound what waits for the committer. Who comes then waits.
const (
	queueOps   = 1024
	queueBytes = 32 << 20
)

// op is one operation. stage checks it against the store and writes it into the
// transaction; when it returns an error it must have written nothing, and done
// gets that error at once. Otherwise done is called when the batch is durable.
type op interface {
	stage(*txn) error
	done(error)
	size() int
}

// txn is a batch being built, and all that has to happen once it is durable.
type txn struct {
	s       *Store
	batch   *pebble.Batch
	now     time.Time // when the operation being staged was
	delta   delta
	ready   []Ready
	due     time.Time                  // earliest delayed entry written, zero for none
	touched map[invocation.ID]struct{} // ids that this batch changes
	seen    map[string]struct{}        // door marks that this batch writes
	ops     []op
}

// errConflict makes the committer finish the batch before it stages an op again,
// because the op reads what the batch changes.
var errConflict = errors.New("store: conflict within a batch")

// touch claims an id for one operation of the batch.
func (t *txn) touch(id invocation.ID) error {
	if _, ok := t.touched[id]; ok {
		return errConflict
	}
	t.touched[id] = struct{}{}
	return nil
}

// submit hands an operation to the committer. It waits while too much is queued.
// The error is that of ctx, of a closed or of a failed store; the operation was not taken then.
func (s *Store) submit(ctx context.Context, o op) error {
	n := int64(min(o.size(), queueBytes))
	if err := s.room.Acquire(ctx, n); err != nil {
		return err
	}
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closing {
		s.room.Release(n)
		return ErrClosed
	}
	select {
	case s.ops <- o:
		return nil
	case <-ctx.Done():
		s.room.Release(n)
		return ctx.Err()
	}
}

// commitLoop runs until the operations' channel is closed and empty.
func (s *Store) commitLoop() {
	defer close(s.committed)
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
		t := s.begin()
		for o := first; o != nil; o = s.nextOp(t) {
			if s.add(t, o) {
				held = o
				break
			}
		}
		s.finish(t)
	}
}

// nextOp returns an operation that has arrived already, or nil.
func (s *Store) nextOp(t *txn) op {
	if len(t.ops) >= batchOps || t.batch.Len() >= batchBytes {
		return nil
	}
	select {
	case o := <-s.ops:
		return o
	default:
		return nil
	}
}

func (s *Store) begin() *txn {
	return &txn{
		s: s, batch: s.db.NewBatch(),
		touched: map[invocation.ID]struct{}{}, seen: map[string]struct{}{},
	}
}

// add stages one operation; conflict means that it has to wait for the next batch.
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

func (s *Store) answer(o op, err error) {
	s.room.Release(int64(min(o.size(), queueBytes)))
	o.done(err)
}

// finish commits the batch, then counts, tells the watcher and answers, in this
// order. order matters: see docs/guarantees.md, who is answered can rely on the rest.
func (s *Store) finish(t *txn) {
	err := s.commit(t)
	if err == nil {
		s.counts.apply(&t.delta)
		if s.watcher != nil && len(t.ready) > 0 {
			s.watcher.Ready(t.ready)
		}
		s.noteDue(t.due)
	}
	for _, o := range t.ops {
		s.answer(o, err)
	}
}

// commit writes the batch, and returns when it is durable or the store has failed.
func (s *Store) commit(t *txn) error {
	if len(t.ops) == 0 {
		return t.batch.Close()
	}
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

// syncLoop carries out the commits.
func (s *Store) syncLoop() {
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
			if err := s.db.LogData(nil, pebble.Sync); err != nil {
				s.log.Error("sync", "error", s.fail(err))
				return
			}
		case <-s.stop:
			return
		}
	}
}

// call is the part of an operation that somebody waits for.
type call chan error

func (c call) done(err error) { c <- err }

// wait submits o and waits for its answer. When ctx ends first the operation
// may still be carried out.
func (s *Store) wait(ctx context.Context, o op, c call) error {
	if err := s.submit(ctx, o); err != nil {
		return err
	}
	select {
	case err := <-c:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
