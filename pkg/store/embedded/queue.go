// File queue.go has the queue of operations before the committer, and their answers.

package embedded

import (
	"context"

	"queue-worker/pkg/store"
)

// queueOps and queueBytes bound the queue of the committer. Further operations wait.
const (
	queueOps   = 1024
	queueBytes = 32 << 20
)

// op is one operation. stage checks it against the store and writes it into the
// transaction; when it returns an error it must have written nothing. done is
// called exactly once with what came of it, on the committer's goroutine.
type op interface {
	stage(*txn) error
	done(error)
	size() int
}

// submit hands an operation to the committer. It waits while too much is queued.
// After an error the operation was not taken: ctx has ended, or the store is
// closed or has failed.
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
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
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

// step is an operation whose caller waits for it, and of which there is little to say.
type step struct {
	call
	bytes int
	alone bool
	run   func(*txn) error
}

func (o *step) size() int { return o.bytes }

func (o *step) stage(t *txn) error {
	if o.alone && len(t.ops) > 0 {
		return errConflict
	}
	return o.run(t)
}

// do lets the committer run a function, and returns when what it has written is durable. When ctx
// ends first the committer may still run it, and what it writes to must not be looked at.
func (s *Store) do(ctx context.Context, size int, run func(*txn) error) error {
	o := &step{call: make(call, 1), bytes: size, run: run}
	return s.wait(ctx, o, o.call)
}

// doAlone is do for a function that reads what other operations of its batch may write: it begins a
// batch. Those that come after it do no harm.
func (s *Store) doAlone(ctx context.Context, run func(*txn) error) error {
	o := &step{call: make(call, 1), alone: true, run: run}
	return s.wait(ctx, o, o.call)
}

// wait submits o and waits for its answer. When ctx ends first the operation
// may still be carried out, and o must not be looked at.
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
