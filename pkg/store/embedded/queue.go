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
