package ingest

// Taking work in, in a bubble: every order in which store, queue and callers can
// be slow or fail.

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/intake"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// storeDouble keeps claims as the store does.
type storeDouble struct {
	durable bool

	mu    sync.Mutex
	known map[[32]byte]*store.KeyError
	keys  map[[32]byte]store.Key
}

func (m *storeDouble) Claim(_ context.Context, k store.Key, id invocation.ID, callID string) error {
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

func (m *storeDouble) Unclaim(ctx context.Context, k store.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, k.Hash)
	return ctx.Err()
}

func (m *storeDouble) Durable() bool { return m.durable }
func (*storeDouble) Full() error     { return nil }
func (*storeDouble) Failed() error   { return nil }

// publish is NATS Streaming.
type publish func(ctx context.Context, queue string, raw []byte) error

func (p publish) Publish(ctx context.Context, queue string, raw []byte) error {
	return p(ctx, queue, raw)
}
func (publish) Connected() bool { return true }
func (publish) Ready() error    { return nil }

// counted is a submission that counts its release.
func counted(released *atomic.Int64, key *store.Key) submission {
	id := invocation.NewID(time.Now())
	return submission{
		inv: &invocation.Invocation{ID: id, CallID: id.String(), Lane: invocation.Lane{Queue: "q"}},
		raw: []byte("raw"), key: key, release: func() { released.Add(1) },
	}
}

func newTaking(t *testing.T, accept func(store.Accept, func(error)), s Store, q publish, accepted func(string)) *Ingest {
	t.Helper()
	i, err := New(Options{
		Accept: accept, Store: s, Published: q, Draining: func() bool { return false }, Accepted: accepted, Queue: "q",
		CheckURL: func(string) (*url.URL, error) { return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// publishing accepts work in NATS Streaming.
func publishing(t *testing.T, q publish) *Ingest {
	t.Helper()
	return newTaking(t, func(store.Accept, func(error)) { t.Error("the store got an invocation, want it published") }, &storeDouble{}, q, func(string) {})
}

// keeping accepts work in a durable store.
func keeping(t *testing.T, accept func(store.Accept, func(error)), accepted func(string)) *Ingest {
	t.Helper()
	return newTaking(t, accept, &storeDouble{durable: true}, nil, accepted)
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
				k := publishing(t, func(context.Context, string, []byte) error {
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
				first, second := counted(&released, &key), counted(&released, &key)
				errs := make(chan error, 1)
				go func() { _, err := k.take(t.Context(), first); errs <- err }()
				synctest.Wait()
				got, err := k.take(t.Context(), second)
				if err != nil {
					t.Fatal(err)
				}
				switch firstErr := <-errs; {
				case fails && (!errors.Is(firstErr, errUnsure) || got.id != second.inv.ID || published.Load() != 2):
					t.Errorf("the first ends with %v, the second gets %s after %d", firstErr, got.id, published.Load())
				case !fails && (firstErr != nil || got.id != first.inv.ID || got.callID != first.inv.CallID || published.Load() != 1):
					t.Errorf("the first ends with %v, the second gets %s after %d", firstErr, got.id, published.Load())
				}
				switch {
				case released.Load() != 2:
					t.Errorf("%d were released, %d keys are held, want released 2", released.Load(), len(k.keys.held))
				case len(k.keys.held) != 0:
					t.Errorf("%d were released, %d keys are held, want 0 held", released.Load(), len(k.keys.held))
				}
			})
		})
	}
}

func TestWaitingForAKeyInVainIsUnsure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var released atomic.Int64
		k := publishing(t, func(context.Context, string, []byte) error { time.Sleep(time.Minute); return nil })
		key := store.Key{Hash: [32]byte{1}}
		go func() { _, _ = k.take(t.Context(), counted(&released, &key)) }()
		synctest.Wait()
		if _, err := k.take(within(t, time.Second), counted(&released, &key)); !errors.Is(err, errUnsure) {
			t.Errorf("error is %v, want %v", err, errUnsure)
		}
		other := store.Key{Hash: [32]byte{1}, Payload: [32]byte{9}}
		if _, err := k.take(t.Context(), counted(&released, &other)); err == nil || !errors.As(err, new(*store.KeyError)) {
			t.Errorf("another payload: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if released.Load() != 3 {
			t.Errorf("%d were released, want 3", released.Load())
		}
	})
}

func TestAKeyIsForgottenAlsoWhenItsCallerHasGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var released atomic.Int64
		k := publishing(t, func(ctx context.Context, _ string, _ []byte) error { <-ctx.Done(); return ctx.Err() })
		key := store.Key{Hash: [32]byte{1}}
		if _, err := k.take(within(t, time.Second), counted(&released, &key)); !errors.Is(err, errUnsure) {
			t.Errorf("error is %v, want %v", err, errUnsure)
		}
		k.Published = publish(func(context.Context, string, []byte) error { return nil })
		s := counted(&released, &key)
		switch got, err := k.take(t.Context(), s); {
		case err != nil:
			t.Errorf("the next one gets %v, %v, want no error", got, err)
		case got.id != s.inv.ID:
			t.Errorf("the next one gets %v, %v, want id %v", got, err, s.inv.ID)
		}
	})
}

func TestWhatTheQueueSaysIsPassedOn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ says, want error }{
		{nil, nil}, {intake.ErrNotConnected, errNotConnected}, {intake.ErrTooLarge, errTooLarge},
		{errors.New("stan: publish ack timeout"), errUnsure}, {context.DeadlineExceeded, errUnsure},
	} {
		var released atomic.Int64
		k := publishing(t, func(context.Context, string, []byte) error { return tt.says })
		_, err := k.take(t.Context(), counted(&released, nil))
		switch {
		case !errors.Is(err, tt.want):
			t.Errorf("%v becomes %v, released %d, want %v", tt.says, err, released.Load(), tt.want)
		case (err == nil) != (tt.want == nil):
			t.Errorf("%v becomes %v, released %d, want err == nil %v", tt.says, err, released.Load(), tt.want == nil)
		case released.Load() != 1:
			t.Errorf("%v becomes %v, released %d, want released 1", tt.says, err, released.Load())
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
		k := keeping(t, func(_ store.Accept, done func(error)) { done(tt.says) }, func(string) { taken++ })
		s := counted(&released, &store.Key{})
		if tt.id.IsZero() {
			tt.id = s.inv.ID
		}
		got, err := k.take(t.Context(), s)
		switch {
		case !errors.Is(err, tt.want):
			t.Errorf("%v becomes %v, %v; taken %d, released %d, want %v", tt.says, got, err, taken, released.Load(), tt.want)
		case err == nil && got.id != tt.id:
			t.Errorf("%v becomes %v, %v; taken %d, released %d, want id %v", tt.says, got, err, taken, released.Load(), tt.id)
		case taken != tt.taken:
			t.Errorf("%v becomes %v, %v; taken %d, released %d, want taken %v", tt.says, got, err, taken, released.Load(), tt.taken)
		case released.Load() != 1:
			t.Errorf("%v becomes %v, %v; taken %d, released %d, want released 1", tt.says, got, err, taken, released.Load())
		}
	}
}

func TestAStoreThatStandsStillIsNotWaitedForAndKeepsTheMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var released, taken atomic.Int64
		k := keeping(t, func(_ store.Accept, done func(error)) {
			time.Sleep(time.Minute) // too much is queued
			done(nil)
		}, func(string) { taken.Add(1) })
		switch _, err := k.take(within(t, 10*time.Second), counted(&released, nil)); {
		case !errors.Is(err, errUnsure):
			t.Errorf("error is %v, released %d, want %v", err, released.Load(), errUnsure)
		case released.Load() != 0:
			t.Errorf("error is %v, released %d, want released 0", err, released.Load())
		}
		time.Sleep(time.Minute)
		switch {
		case released.Load() != 1:
			t.Errorf("the memory is not given back, or what was taken is not counted: got released %v, want 1", released.Load())
		case taken.Load() != 1:
			t.Errorf("the memory is not given back, or what was taken is not counted: got taken %v, want 1", taken.Load())
		}
	})
}
