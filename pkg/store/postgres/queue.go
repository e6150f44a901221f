// File queue.go has the queue of operations before the committer, and their answers.

package postgres

import (
	"context"

	"queue-worker/pkg/store"
)

// queueOps and queueBytes bound the queue of the committer. Further operations wait.
const (
	queueOps   = 1024
	queueBytes = 32 << 20
)

// op is one operation. begin adds what it needs to the first trip of a batch, stage decides about
// it and adds what follows to the second; an error of stage refuses it. Both may run again when a
// batch has to be repeated. done is called exactly once with what came of it, on the committer's
// goroutine.
type op interface {
	begin(*txn) error // errConflict for one that has to wait for the next batch
	stage(*txn) error
	done(error)
	size() int
}

// submit hands an operation to the committer. It waits while too much is queued. After an error
// the operation was not taken.
func (s *Store) submit(ctx context.Context, o op) error {
	n := int64(min(o.size(), queueBytes))
	if err := s.room.Acquire(ctx, n); err != nil {
		return err
	}
	err := s.send(ctx, o)
	if err != nil {
		s.room.Release(n)
	}
	return err
}

func (s *Store) send(ctx context.Context, o op) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	select {
	case s.ops <- o:
		return nil
	case <-s.quit:
		return store.ErrClosed
	case <-s.failed:
		return s.Failed()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answer returns the result of an operation and makes room for another.
func (s *Store) answer(o op, err error) {
	s.room.Release(int64(min(o.size(), queueBytes)))
	o.done(err)
}

// call is the part of an operation that its caller waits for.
type call chan error

func (c call) done(err error) { c <- err }

// wait submits o and waits for its answer. When ctx ends first the operation may still be carried
// out, and o must not be looked at.
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

// step is an operation of which there is little to say: it has round trips of its own, between the
// two of its batch.
type step struct {
	call
	bytes int
	run   func(*txn) error
}

func (o *step) size() int          { return o.bytes }
func (o *step) begin(*txn) error   { return nil }
func (o *step) stage(t *txn) error { return o.run(t) }

// do lets the committer run a function, and returns when what it has written is durable. When ctx
// ends first the committer may still run it, and what it writes to must not be looked at.
func (s *Store) do(ctx context.Context, size int, run func(*txn) error) error {
	o := &step{call: make(call, 1), bytes: size, run: run}
	return s.wait(ctx, o, o.call)
}

// between is an operation that only reads, and that nothing may be written beside: it is carried
// out between two batches.
type between struct {
	call
	run func(context.Context, *txn) error
}

func (o *between) size() int          { return 0 }
func (o *between) begin(*txn) error   { return errConflict }
func (o *between) stage(t *txn) error { return o.run(t.ctx, t) }

// readAlone lets the committer run a function that reads between two batches.
func (s *Store) readAlone(ctx context.Context, run func(context.Context, *txn) error) error {
	o := &between{call: make(call, 1), run: run}
	return s.wait(ctx, o, o.call)
}
