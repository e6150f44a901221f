package app

// Taking work in, in a bubble: every order in which store, queue and callers can
// be slow or fail.

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/api"
	"queue-worker/pkg/intake"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// memory keeps claims as the store does.
type memory struct {
	mu    sync.Mutex
	known map[[32]byte]*store.KeyError
	keys  map[[32]byte]store.Key
}

func (m *memory) Claim(_ context.Context, k store.Key, id invocation.ID, callID string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, ok := m.known[k.Hash]; ok {
		e := *known
		e.Same = m.keys[k.Hash].Payload == k.Payload
		return &e
	}
	if m.known == nil {
		m.known, m.keys = map[[32]byte]*store.KeyError{}, map[[32]byte]store.Key{}
	}
	m.known[k.Hash], m.keys[k.Hash] = &store.KeyError{ID: id, CallID: callID}, k
	return nil
}

func (m *memory) Unclaim(ctx context.Context, k store.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, k.Hash)
	return ctx.Err()
}

// submission is one that counts its release.
func submission(released *atomic.Int64, key *store.Key) api.Submission {
	id := invocation.NewID(time.Now())
	return api.Submission{
		Inv: &invocation.Invocation{ID: id, CallID: id.String(), Lane: invocation.Lane{Queue: "q"}},
		Raw: []byte("raw"), Key: key, Release: func() { released.Add(1) },
	}
}

func newTestTaker(queue func(context.Context, string, []byte) error) *taker {
	return &taker{queue: queue, claims: &memory{}, log: slog.New(slog.DiscardHandler), taken: func(string) {}}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestASecondRequestOfAKeyWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]bool{"that is published": false, "that is not": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var published, released atomic.Int64
				k := newTestTaker(func(context.Context, string, []byte) error {
					if published.Add(1) > 1 {
						return nil
					}
					time.Sleep(5 * time.Second)
					if fails {
						return errors.New("timeout")
					}
					return nil
				})
				key := store.Key{Hash: [32]byte{1}, Payload: [32]byte{2}}
				first, second := submission(&released, &key), submission(&released, &key)
				errs := make(chan error, 1)
				go func() { _, err := k.Take(t.Context(), first); errs <- err }()
				synctest.Wait()
				got, err := k.Take(t.Context(), second)
				if err != nil {
					t.Fatal(err)
				}
				switch firstErr := <-errs; {
				case fails && (!errors.Is(firstErr, api.ErrUnsure) || got.ID != second.Inv.ID || published.Load() != 2):
					t.Errorf("the first ends with %v, the second gets %s after %d", firstErr, got.ID, published.Load())
				case !fails && (firstErr != nil || got.ID != first.Inv.ID || got.CallID != first.Inv.CallID || published.Load() != 1):
					t.Errorf("the first ends with %v, the second gets %s after %d", firstErr, got.ID, published.Load())
				}
				if released.Load() != 2 || len(k.keys.held) != 0 {
					t.Errorf("%d were released, %d keys are held", released.Load(), len(k.keys.held))
				}
			})
		})
	}
}

func TestWhoWaitsForAKeyInVainIsToldSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var released atomic.Int64
		k := newTestTaker(func(context.Context, string, []byte) error { time.Sleep(time.Minute); return nil })
		key := store.Key{Hash: [32]byte{1}}
		go func() { _, _ = k.Take(t.Context(), submission(&released, &key)) }()
		synctest.Wait()
		if _, err := k.Take(within(t, time.Second), submission(&released, &key)); !errors.Is(err, api.ErrUnsure) {
			t.Errorf("error is %v", err)
		}
		other := store.Key{Hash: [32]byte{1}, Payload: [32]byte{9}}
		if _, err := k.Take(t.Context(), submission(&released, &other)); err == nil || !errors.As(err, new(*store.KeyError)) {
			t.Errorf("another payload: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if released.Load() != 3 {
			t.Errorf("%d were released", released.Load())
		}
	})
}

func TestAKeyIsForgottenAlsoWhenItsCallerHasGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var released atomic.Int64
		k := newTestTaker(func(ctx context.Context, _ string, _ []byte) error { <-ctx.Done(); return ctx.Err() })
		key := store.Key{Hash: [32]byte{1}}
		if _, err := k.Take(within(t, time.Second), submission(&released, &key)); !errors.Is(err, api.ErrUnsure) {
			t.Errorf("error is %v", err)
		}
		k.queue = func(context.Context, string, []byte) error { return nil }
		s := submission(&released, &key)
		if got, err := k.Take(t.Context(), s); err != nil || got.ID != s.Inv.ID {
			t.Errorf("the next one gets %v, %v", got, err)
		}
	})
}

func TestWhatTheQueueSaysIsPassedOn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ says, want error }{
		{nil, nil}, {intake.ErrNotConnected, api.ErrNotConnected}, {intake.ErrTooLarge, api.ErrTooLarge},
		{errors.New("stan: publish ack timeout"), api.ErrUnsure}, {context.DeadlineExceeded, api.ErrUnsure},
	} {
		var released atomic.Int64
		k := newTestTaker(func(context.Context, string, []byte) error { return tt.says })
		_, err := k.Take(t.Context(), submission(&released, nil))
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) || released.Load() != 1 {
			t.Errorf("%v becomes %v, released %d", tt.says, err, released.Load())
		}
	}
}

func TestTheStoresAnswerIsTheReceipt(t *testing.T) {
	t.Parallel()
	known := &store.KeyError{ID: invocation.ID{1}, CallID: "first", Same: true}
	other := &store.KeyError{ID: invocation.ID{1}, CallID: "first"}
	for _, tt := range []struct {
		says, want error
		id         invocation.ID
		taken      int
	}{
		{nil, nil, invocation.ID{}, 1}, {known, nil, known.ID, 0}, {other, other, invocation.ID{}, 0}, {store.ErrClosed, store.ErrClosed, invocation.ID{}, 0},
	} {
		var released atomic.Int64
		taken := 0
		k := &taker{durable: true, taken: func(string) { taken++ }, accept: func(_ store.Accept, done func(error)) { done(tt.says) }}
		s := submission(&released, &store.Key{})
		if tt.id.IsZero() {
			tt.id = s.Inv.ID
		}
		got, err := k.Take(t.Context(), s)
		if !errors.Is(err, tt.want) || err == nil && got.ID != tt.id || taken != tt.taken || released.Load() != 1 {
			t.Errorf("%v becomes %v, %v; taken %d, released %d", tt.says, got, err, taken, released.Load())
		}
	}
}

func TestAStoreThatStandsStillIsNotWaitedForAndKeepsTheMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var released, taken atomic.Int64
		k := &taker{durable: true, taken: func(string) { taken.Add(1) }, accept: func(_ store.Accept, done func(error)) {
			time.Sleep(time.Minute) // too much is queued
			done(nil)
		}}
		if _, err := k.Take(within(t, 10*time.Second), submission(&released, nil)); !errors.Is(err, api.ErrUnsure) || released.Load() != 0 {
			t.Errorf("error is %v, released %d", err, released.Load())
		}
		time.Sleep(time.Minute)
		if released.Load() != 1 || taken.Load() != 1 {
			t.Error("the memory is not given back, or what was taken is not counted")
		}
	})
}
