// Package finished keeps the callers that wait for the end of an invocation, and the latest
// ends.
//
//	store --Changing--> Watch --wakes--> Await: looks again
//
// Pending and dead invocations are in the store, and so are results for as long as
// result_ttl says. Finished invocations leave the store. Their ends are kept here in
// memory, until enough others have ended. A lookup reads the store first and this package
// after it. Because the store reports an end here before it can be read there, there is no
// instant at which neither knows it.
//
// The package reads no store, decides nothing and starts no goroutine.
package finished

import (
	"context"
	"errors"
	"sync"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

const (
	// mostEnds and mostBytes bound what is kept. Most ends take half of the bytes that
	// are there for each; those with a long history take more.
	mostEnds  = 10_000
	mostBytes = 4 << 20
	// mostWaiting bounds those who wait. Each costs a channel and a connection.
	mostWaiting = 10_000
)

var (
	// ErrClosed means that waiting has ended, because the process is about to end.
	ErrClosed = errors.New("waiting is refused while the process drains")
	// ErrCrowded means that too many wait already.
	ErrCrowded = errors.New("too many requests are waiting for an invocation")
)

// Watch is safe for use by many goroutines. Make it with New.
type Watch struct {
	closed chan struct{}

	changed func(error) // the method decided, made once

	mu       sync.Mutex
	memory   memory
	changing []store.Change // about to be written
	since    time.Time      // when changing was reported
	waiting  map[key]map[chan struct{}]struct{}
	waiters  int
	isClosed bool
}

// key is what a caller waits for: one invocation, or all of a call id.
type key struct {
	id   invocation.ID
	call string
}

// New makes a Watch that knows of nothing.
func New() *Watch {
	w := &Watch{
		closed: make(chan struct{}), waiting: map[key]map[chan struct{}]struct{}{},
		memory: newMemory(mostEnds, mostBytes),
	}
	w.changed = w.decided
	return w
}

// Changing notes the ends among the changes that are about to be written. The function that
// it returns keeps them, and wakes the callers that wait for any of the changes. It is one
// method of a store.Watcher.
func (w *Watch) Changing(changes []store.Change) (changed func(error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changing, w.since = changes, time.Now()
	return w.changed
}

// decided is called when the changes are durable, or with the error by which there are none.
func (w *Watch) decided(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.changing {
		if c := &w.changing[i]; err == nil {
			if isEnd(c) {
				w.memory.add(w.end(c))
			}
			w.wake(c.Inv)
		}
	}
	w.changing = nil
}

// isEnd reports whether an invocation leaves the store.
func isEnd(c *store.Change) bool { return c.Outcome != "" && c.Outcome.Leaves() }

func (w *Watch) end(c *store.Change) store.End {
	return store.End{Inv: c.Inv, Outcome: c.Outcome, At: w.since}
}

// Ended notes the end of an invocation that has never been stored, and wakes the callers that
// wait for it.
func (w *Watch) Ended(e store.End) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.memory.add(e)
	w.wake(e.Inv)
}

// Lately returns how an invocation ended, if that is remembered.
func (w *Watch) Lately(id invocation.ID) (store.End, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e, ok := w.memory.find(id); ok {
		return e, true
	}
	for i := range w.changing { // a batch at most
		if c := &w.changing[i]; c.Inv.ID == id && isEnd(c) {
			return w.end(c), true
		}
	}
	return store.End{}, false
}

// LatelyByCall returns how the invocations of a call id ended, as far as that is
// remembered: the one that ended last first, and at most limit.
func (w *Watch) LatelyByCall(call string, limit int) []store.End {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []store.End
	for i := range w.changing {
		if c := &w.changing[i]; c.Inv.CallID == call && isEnd(c) && len(found) < limit {
			found = append(found, w.end(c))
		}
	}
	return append(found, w.memory.findCall(call, limit-len(found))...)
}

// Await calls look at once, and again whenever anything happens to the invocation
// with this id or to one with this call id (zero and "" stand for nothing), until
// look reports that it has seen enough. It returns look's error, ErrCrowded before
// it has looked, the error of ctx, or ErrClosed, which wakes all. No change is
// missed: one that comes after look began makes it look again.
func (w *Watch) Await(ctx context.Context, id invocation.ID, call string, look func() (enough bool, err error)) error {
	return w.await(ctx, id, call, w.closed, look)
}

// Follow is Await for those who have begun something: Close does not end it.
func (w *Watch) Follow(ctx context.Context, id invocation.ID, look func() (enough bool, err error)) error {
	return w.await(ctx, id, "", nil, look)
}

func (w *Watch) await(ctx context.Context, id invocation.ID, call string, closed <-chan struct{}, look func() (bool, error)) error {
	changed, err := w.attend(id, call)
	if err != nil {
		return err
	}
	defer w.leave(id, call, changed)
	for {
		if enough, err := look(); enough || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-closed:
			return ErrClosed
		}
	}
}

// Close wakes all waiting callers, and refuses new ones from then on. Idempotent.
func (w *Watch) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.isClosed {
		w.isClosed = true
		close(w.closed)
	}
}

// attend registers a channel that is signalled with every change.
func (w *Watch) attend(id invocation.ID, call string) (chan struct{}, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiters >= mostWaiting {
		return nil, ErrCrowded
	}
	w.waiters++
	changed := make(chan struct{}, 1)
	for _, k := range keysOf(id, call) {
		if w.waiting[k] == nil {
			w.waiting[k] = map[chan struct{}]struct{}{}
		}
		w.waiting[k][changed] = struct{}{}
	}
	return changed, nil
}

func (w *Watch) leave(id invocation.ID, call string, changed chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiters--
	for _, k := range keysOf(id, call) {
		delete(w.waiting[k], changed)
		if len(w.waiting[k]) == 0 {
			delete(w.waiting, k)
		}
	}
}

// wake signals those who wait for an invocation; the lock is held.
func (w *Watch) wake(inv *invocation.Invocation) {
	if w.waiters == 0 {
		return
	}
	byID, byCall := w.waiting[key{id: inv.ID}], w.waiting[key{call: inv.CallID}]
	for changed := range byID {
		signal(changed)
	}
	for changed := range byCall {
		if _, both := byID[changed]; !both {
			signal(changed)
		}
	}
}

func signal(changed chan struct{}) {
	select {
	case changed <- struct{}{}:
	default: // it was signalled before and has not looked yet
	}
}

func keysOf(id invocation.ID, call string) []key {
	var keys []key
	if !id.IsZero() {
		keys = append(keys, key{id: id})
	}
	if call != "" {
		keys = append(keys, key{call: call})
	}
	return keys
}
