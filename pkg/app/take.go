// File take.go accepts submissions over HTTP: in the store, or without a durable one in
// the queue, from where the intake reads them like other messages.

package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"queue-worker/pkg/api"
	"queue-worker/pkg/intake"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// forgetTimeout is how long the forgetting of a key may take whose submission was
// not published. Without a durable store that is a write to memory.
const forgetTimeout = 5 * time.Second

// taker implements api.Taker.
type taker struct {
	// open is nil while work is accepted.
	open func() error
	// durable says which of the ways to keep work is used.
	durable bool
	accept  func(store.Accept, func(error))                           // into the store
	queue   func(ctx context.Context, queue string, raw []byte) error // or to NATS Streaming
	claims  claims
	// taken is called for each invocation that the store has accepted.
	taken func(queue string)
	log   *slog.Logger
	keys  keyLocks
}

// claims are the keys of what is published.
type claims interface {
	Claim(ctx context.Context, k store.Key, id invocation.ID, callID string) error
	Unclaim(ctx context.Context, k store.Key) error
}

var (
	_ api.Taker = (*taker)(nil)
	_ claims    = store.Store(nil)
)

func (a *App) newTaker() *taker {
	return &taker{
		open: a.open, durable: a.store.Durable(), accept: a.worker.Accept, queue: a.intake.Publish,
		claims: a.store, taken: a.submitted.Submitted, log: a.log,
	}
}

// open is nil while work is accepted.
func (a *App) open() error {
	if a.state.draining.Load() {
		return api.ErrDraining
	}
	if err := a.store.Failed(); err != nil {
		return err
	}
	if err := a.store.Full(); err != nil {
		return fmt.Errorf("%w: %w", api.ErrFull, err)
	}
	if a.store.Durable() {
		return nil
	}
	// A paused intake takes nothing from the queue either, where it would wait without a
	// bound.
	err := a.intake.Ready()
	if err == nil {
		return nil
	}
	if !a.intake.Connected() {
		return fmt.Errorf("%w: %w", api.ErrNotConnected, err)
	}
	return fmt.Errorf("%w: %w", api.ErrFull, err)
}

// Open implements api.Taker.
func (t *taker) Open() error { return t.open() }

// Take implements api.Taker.
func (t *taker) Take(ctx context.Context, s api.Submission) (api.Receipt, error) {
	do := t.publish
	if t.durable {
		do = t.keep
	}
	err := do(ctx, s)
	if known, ok := errors.AsType[*store.KeyError](err); ok && known.Same {
		return api.Receipt{ID: known.ID, CallID: known.CallID}, nil
	}
	if err != nil {
		return api.Receipt{}, err
	}
	return api.Receipt{ID: s.Inv.ID, CallID: s.Inv.CallID}, nil
}

// keep puts a submission into the store, with its key in the same batch.
func (t *taker) keep(ctx context.Context, s api.Submission) error {
	done := make(chan error, 1)
	// Accept waits while the store is busy, for longer than the caller may want to.
	// It ends when the store is closed at the latest.
	go t.accept(store.Accept{Inv: s.Inv, Raw: s.Raw, Key: s.Key}, func(err error) {
		s.Release()
		if err == nil {
			t.taken(s.Inv.Lane.Queue) // also when the caller has gone
		}
		done <- err
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", api.ErrUnsure, ctx.Err())
	}
}

// publish puts a submission into the queue. Its key is claimed first, and forgotten
// when it could not be published. Another request with the same key waits meanwhile:
// until then the answer is unknown.
func (t *taker) publish(ctx context.Context, s api.Submission) error {
	defer s.Release()
	if s.Key == nil {
		return t.send(ctx, s)
	}
	unlock, err := t.keys.lock(ctx, s.Key.Hash)
	if err != nil {
		return fmt.Errorf("%w: another request with this key is not answered yet", api.ErrUnsure)
	}
	defer unlock()
	if err := t.claims.Claim(ctx, *s.Key, s.Inv.ID, s.Inv.CallID); err != nil {
		return err
	}
	err = t.send(ctx, s)
	if err != nil {
		t.forget(ctx, s.Key)
	}
	return err
}

// forget takes a claim back, whether its caller still waits or not.
func (t *taker) forget(ctx context.Context, k *store.Key) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetTimeout)
	defer cancel()
	if err := t.claims.Unclaim(ctx, *k); err != nil {
		t.log.Error("idempotency key kept although its invocation was not accepted", "error", err)
	}
}

// send publishes, and says what an error means.
func (t *taker) send(ctx context.Context, s api.Submission) error {
	err := t.queue(ctx, s.Inv.Lane.Queue, s.Raw)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, intake.ErrNoRoom):
		return fmt.Errorf("%w: %w", api.ErrFull, err)
	case errors.Is(err, intake.ErrNotConnected):
		return fmt.Errorf("%w: %w", api.ErrNotConnected, err)
	case errors.Is(err, intake.ErrTooLarge):
		return fmt.Errorf("%w: %w", api.ErrTooLarge, err)
	}
	return fmt.Errorf("%w: %w", api.ErrUnsure, err)
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
