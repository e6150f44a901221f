package intake

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
)

// recorder is a Store that remembers what it has taken and can be made to refuse.
type recorder struct {
	*embedded.Store

	mu      sync.Mutex
	full    error
	refuse  func() error                          // before anything is stored
	answer  func(a store.Accept, err error) error // changes the error of done
	hold    chan struct{}                         // done waits for it to be closed
	offered int
	seen    int
	taken   []store.Accept
	changed chan struct{}
}

func newRecorder(t *testing.T, durable bool) *recorder {
	t.Helper()
	o := embedded.Options{Slots: 1}
	if durable {
		o.Dir = t.TempDir()
	}
	s, err := embedded.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &recorder{Store: s, changed: make(chan struct{})}
}

func (r *recorder) Accept(a store.Accept, done func(error)) {
	r.mu.Lock()
	r.offered++
	hold := r.hold
	var refused error
	if r.refuse != nil {
		refused = r.refuse()
	}
	r.note()
	r.mu.Unlock()
	if refused != nil {
		done(refused)
		return
	}
	r.Store.Accept(a, func(err error) {
		finish := func() { done(r.record(a, err)) }
		if hold == nil {
			finish()
			return
		}
		go func() { <-hold; finish() }()
	})
}

func (r *recorder) record(a store.Accept, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answer != nil {
		err = r.answer(a, err)
	}
	switch {
	case err == nil:
		a.Raw = bytes.Clone(a.Raw)
		r.taken = append(r.taken, a)
	case errors.Is(err, store.ErrSeen):
		r.seen++
	}
	r.note()
	return err
}

// note wakes wait; the lock is held.
func (r *recorder) note() { close(r.changed); r.changed = make(chan struct{}) }

func (r *recorder) Full() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.full
}

func (r *recorder) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// wait returns when is reports true, which it asks with the lock held.
func (r *recorder) wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	late := time.After(patience)
	for {
		r.mu.Lock()
		ok, changed := is(), r.changed
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// got waits until n invocations are stored and returns them.
func (r *recorder) got(t *testing.T, n int) []store.Accept {
	t.Helper()
	r.wait(t, fmt.Sprintf("%d stored messages", n), func() bool { return len(r.taken) >= n })
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]store.Accept(nil), r.taken...)
}

// once fails when what was stored is not each of want exactly once.
func (r *recorder) once(t *testing.T, want ...string) {
	t.Helper()
	count := map[string]int{}
	for _, a := range r.got(t, len(want)) {
		count[a.Inv.CallID]++
	}
	for _, w := range want {
		if count[w] != 1 {
			t.Errorf("call %s was stored %d times, want 1", w, count[w])
		}
		delete(count, w)
	}
	if len(count) > 0 {
		t.Errorf("stored besides: %v, want len 0", count)
	}
}
