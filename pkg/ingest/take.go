// File take.go accepts submissions over HTTP: in the store, or without a durable one in
// the queue, from where the intake reads them like other messages.

package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"queue-worker/pkg/intake"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// forgetTimeout is how long the forgetting of a key may take whose submission was
// not published. Without a durable store that is a write to memory.
const forgetTimeout = 5 * time.Second

// Store is the store as this package uses it.
type Store interface {
	// Claim and Unclaim remember and forget the key of an invocation that is published.
	Claim(ctx context.Context, k store.Key, id invocation.ID, callID string) error
	Unclaim(ctx context.Context, k store.Key) error
	// Full returns nil, or why nothing more may be accepted.
	Full() error
	// Failed returns nil, or why only a restart can help.
	Failed() error
	Durable() bool
}

// Queue is NATS Streaming, where invocations are accepted without a durable store.
type Queue interface {
	Publish(ctx context.Context, queue string, raw []byte) error
	Connected() bool
	// Ready returns nil, or why the intake is not reading.
	Ready() error
}

var (
	_ Store = store.Store(nil)
	_ Queue = (*intake.Intake)(nil)
)

// Why nothing is accepted.
var (
	errDraining     = errors.New("the worker is shutting down")
	errFull         = errors.New("no room for more invocations")
	errNotConnected = errors.New("the queue is unreachable")
	errTooLarge     = errors.New("larger than the limit of the queue")
	// errUnsure: it may have been accepted, or not.
	errUnsure = errors.New("not confirmed")
)

// submission is an invocation to be accepted.
type submission struct {
	inv *invocation.Invocation
	raw []byte     // its QueueRequest
	key *store.Key // of its Idempotency-Key; nil for none
	// release must be called exactly once, as soon as raw is no longer needed. It
	// does not block and may be called by any goroutine.
	release func()
}

// receipt names the accepted invocation: the submission itself, or the one of its key.
type receipt struct {
	id     invocation.ID
	callID string
}

// open returns nil while work is accepted, or why not. It is asked before a body is read,
// and promises nothing for later.
func (i *Ingest) open() error {
	if i.Draining() {
		return errDraining
	}
	if err := i.Store.Failed(); err != nil {
		return err
	}
	if err := i.Store.Full(); err != nil {
		return fmt.Errorf("%w: %w", errFull, err)
	}
	if i.durable {
		return nil
	}
	// A paused intake takes nothing from the queue either, where it would wait without a
	// bound.
	err := i.Published.Ready()
	if err == nil {
		return nil
	}
	if !i.Published.Connected() {
		return fmt.Errorf("%w: %w", errNotConnected, err)
	}
	return fmt.Errorf("%w: %w", errFull, err)
}

// take returns a receipt when a submission is durable, or when its key was used for the same
// payload before. After an error it was not accepted, but for errUnsure and the end of ctx,
// after which the outcome is unknown: that ends the waiting, not the accepting. A
// *store.KeyError: the key was used for another payload.
func (i *Ingest) take(ctx context.Context, s submission) (receipt, error) {
	do := i.publish
	if i.durable {
		do = i.keep
	}
	err := do(ctx, s)
	if known, ok := errors.AsType[*store.KeyError](err); ok && known.Same {
		return receipt{known.ID, known.CallID}, nil
	}
	if err != nil {
		return receipt{}, err
	}
	return receipt{s.inv.ID, s.inv.CallID}, nil
}

// keep puts a submission into the store, with its key in the same batch.
func (i *Ingest) keep(ctx context.Context, s submission) error {
	done := make(chan error, 1)
	// Accept waits while the store is busy, for longer than the caller may want to.
	// It ends when the store is closed at the latest.
	go i.Accept(store.Accept{Inv: s.inv, Raw: s.raw, Key: s.key}, func(err error) {
		s.release()
		if err == nil {
			i.Accepted(s.inv.Lane.Queue) // also when the caller has gone
		}
		done <- err
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errUnsure, ctx.Err())
	}
}

// publish puts a submission into the queue. Its key is claimed first, and forgotten
// when it could not be published. Another request with the same key waits meanwhile:
// until then the answer is unknown.
func (i *Ingest) publish(ctx context.Context, s submission) error {
	defer s.release()
	if s.key == nil {
		return i.send(ctx, s)
	}
	unlock, err := i.keys.lock(ctx, s.key.Hash)
	if err != nil {
		return fmt.Errorf("%w: another request with this key is not answered yet", errUnsure)
	}
	defer unlock()
	if err := i.Store.Claim(ctx, *s.key, s.inv.ID, s.inv.CallID); err != nil {
		return err
	}
	err = i.send(ctx, s)
	if err != nil {
		i.forget(ctx, s.key)
	}
	return err
}

// forget takes a claim back, whether its caller still waits or not.
func (i *Ingest) forget(ctx context.Context, k *store.Key) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetTimeout)
	defer cancel()
	if err := i.Store.Unclaim(ctx, *k); err != nil {
		i.log.Error("idempotency key kept although its invocation was not accepted", "error", err)
	}
}

// send publishes, and says what an error means.
func (i *Ingest) send(ctx context.Context, s submission) error {
	err := i.Published.Publish(ctx, s.inv.Lane.Queue, s.raw)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, intake.ErrNoRoom):
		return fmt.Errorf("%w: %w", errFull, err)
	case errors.Is(err, intake.ErrNotConnected):
		return fmt.Errorf("%w: %w", errNotConnected, err)
	case errors.Is(err, intake.ErrTooLarge):
		return fmt.Errorf("%w: %w", errTooLarge, err)
	}
	return fmt.Errorf("%w: %w", errUnsure, err)
}

// keyLocks let one submission of a key run at a time. The zero value is
// ready for use.
type keyLocks struct {
	mu   sync.Mutex
	held map[[32]byte]chan struct{} // closed when it is free again
}

// lock waits until the key is free, or ctx ends.
func (l *keyLocks) lock(ctx context.Context, key [32]byte) (unlock func(), err error) {
	for {
		l.mu.Lock()
		other, busy := l.held[key]
		if !busy {
			if l.held == nil {
				l.held = map[[32]byte]chan struct{}{}
			}
			mine := make(chan struct{})
			l.held[key] = mine
			l.mu.Unlock()
			return func() { l.free(key, mine) }, nil
		}
		l.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *keyLocks) free(key [32]byte, mine chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, key)
	close(mine)
}
