package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// start is when the clock of a world begins: somewhere within a generation of
// dedup records.
var start = time.Date(2026, 3, 1, 12, 3, 0, 123, time.UTC)

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// watcher records its notifications, in order.
type watcher struct {
	mu    sync.Mutex
	ready []store.Ready
	due   []time.Time
	// changes are what Changing reported, as texts, and what its function was called with.
	changes  []string
	changing int // batches that have come to nothing yet
}

func (w *watcher) Ready(r []store.Ready) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ready = append(w.ready, r...)
}

func (w *watcher) Due(t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due = append(w.due, t)
}

// take returns the notifications since the last take.
func (w *watcher) take() (ready []store.Ready, due []time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ready, due = w.ready, w.due
	w.ready, w.due = nil, nil
	return ready, due
}

// world is a store, its clock and its watcher.
type world struct {
	testing.TB
	store.Store
	clock   *clock
	watcher *watcher
	open    func(Options) (store.Store, error)
	durable bool
	kind    Kind
	calls   int

	endTTL   time.Duration
	endBytes int64
	last     func(*invocation.Invocation, []byte) *store.Accept // nil: no last callback
}

func (w *world) lastCallback(inv *invocation.Invocation, raw []byte) *store.Accept {
	if w.last == nil {
		return nil
	}
	return w.last(inv, raw)
}

func newWorld(t testing.TB, k Kind) *world {
	w := &world{TB: t, clock: &clock{now: start}, watcher: &watcher{}, open: k.New(t), durable: k.Durable, kind: k}
	w.start()
	t.Cleanup(w.stop)
	return w
}

func (w *world) start() {
	w.Helper()
	s, err := w.open(Options{Slots: 8, Now: w.clock.Now, Watcher: w.watcher, EndTTL: w.endTTL, EndBytes: w.endBytes, LastCallback: w.lastCallback})
	if err != nil {
		w.Fatalf("open: %v", err)
	}
	w.Store = s
}

// stop closes the store. Whatever a test has done, nothing is lost or invented.
func (w *world) stop() {
	w.Helper()
	if s := w.Stats(); s.Difference() != 0 {
		w.Errorf("accepted minus stored minus finished: got %d, want 0: %+v", s.Difference(), s)
	}
	if err := w.Health(); err != nil {
		w.Errorf("health: %v", err)
	}
	if err := w.Close(); err != nil {
		w.Errorf("close: %v", err)
	}
	if n := w.watcher.changing; n != 0 {
		w.Errorf("%d batches of changes have come to nothing, want 0", n)
	}
}

// restart closes the store and opens it again.
func (w *world) restart() {
	w.Helper()
	if !w.durable {
		w.Skip("keeps nothing over a restart")
	}
	w.stop()
	w.start()
}

// lane is the lane of a function in the queue that tests use.
func lane(function string) invocation.Lane {
	return invocation.Lane{Queue: "faas-request", Name: function}
}

// pending makes an invocation of a function that is to be called at a time.
func (w *world) pending(function string, at time.Time) *invocation.Invocation {
	w.calls++
	return &invocation.Invocation{
		ID: invocation.NewID(w.clock.Now()), CallID: fmt.Sprintf("call-%d", w.calls), Function: function,
		Lane: lane(function), Accepted: w.clock.Now(), Since: at,
	}
}

// now is pending for an invocation that is ready at once.
func (w *world) now(function string) *invocation.Invocation {
	return w.pending(function, w.clock.Now())
}

// raw is what stands for the QueueRequest of an invocation.
func raw(inv *invocation.Invocation) []byte { return []byte("request of " + inv.CallID) }

// try accepts and waits for the answer.
func (w *world) try(a store.Accept) error {
	done := make(chan error, 1)
	w.Accept(a, func(err error) { done <- err })
	return <-done
}

// take accepts invocations that must be taken.
func (w *world) take(all ...*invocation.Invocation) {
	w.Helper()
	for _, inv := range all {
		if err := w.try(store.Accept{Inv: inv, Raw: raw(inv)}); err != nil {
			w.Fatalf("accept: %v", err)
		}
	}
}

// ready reads all ready entries of a function, page by page.
func (w *world) ready(function string) []store.Ready {
	w.Helper()
	var all []store.Ready
	for from := (store.Ready{}); ; from = all[len(all)-1] {
		page, err := w.Take(w.Context(), lane(function), from, 3)
		if err != nil {
			w.Fatalf("next ready: %v", err)
		}
		all = append(all, page...)
		if len(page) < 3 {
			return all
		}
	}
}

// wantReady checks which invocations of a function are ready, and their order.
func (w *world) wantReady(function string, want ...*invocation.Invocation) {
	w.Helper()
	if d := cmp.Diff(ids(want), readyIDs(w.ready(function))); d != "" {
		w.Errorf("ready of %s (-want +got):\n%s", function, d)
	}
}

// dead reads the dead set, page by page.
func (w *world) dead() []*invocation.Invocation {
	w.Helper()
	return w.letters(store.Filter{})
}

// letters reads the dead letters that pass a filter, page by page.
func (w *world) letters(f store.Filter) []*invocation.Invocation {
	w.Helper()
	var all []*invocation.Invocation
	for cursor := ""; ; {
		page, err := w.Letters(w.Context(), f, cursor, 2)
		if err != nil {
			w.Fatalf("letters: %v", err)
		}
		all = append(all, page.Letters...)
		if page.Next == "" {
			return all
		}
		cursor = page.Next
	}
}

// wantDead checks what is in the dead set, and the order.
func (w *world) wantDead(want ...*invocation.Invocation) {
	w.Helper()
	if d := cmp.Diff(ids(want), ids(w.dead())); d != "" {
		w.Errorf("dead set (-want +got):\n%s", d)
	}
}

// wantKept checks that an invocation and its bytes are there as given.
func (w *world) wantKept(want *invocation.Invocation) {
	w.Helper()
	got, b, err := w.Load(w.Context(), want.ID)
	if err != nil {
		w.Errorf("load %s: %v", want.CallID, err)
		return
	}
	if d := cmp.Diff(want, got); d != "" {
		w.Errorf("%s (-want +got):\n%s", want.CallID, d)
	}
	if string(b) != string(raw(want)) {
		w.Errorf("bytes of %s are %q", want.CallID, b)
	}
}

// wantGone checks that nothing is left of an invocation.
func (w *world) wantGone(inv *invocation.Invocation) {
	w.Helper()
	if _, _, err := w.Load(w.Context(), inv.ID); !errors.Is(err, store.ErrNotFound) {
		w.Errorf("load of what is gone gives %v", err)
	}
	if got := w.stored(inv.CallID, 10); len(got) != 0 {
		w.Errorf("by call id: got %v, want none", ids(got))
	}
}

// stored are the invocations of a call id that are in the store.
func (w *world) stored(callID string, limit int) []*invocation.Invocation {
	w.Helper()
	found, _, err := w.FindCall(w.Context(), callID, limit)
	if err != nil {
		w.Errorf("find call: got %v, want no error", err)
	}
	return found
}

// results are the results of a call id.
func (w *world) results(callID string, limit int) []*store.Result {
	w.Helper()
	_, found, err := w.FindCall(w.Context(), callID, limit)
	if err != nil {
		w.Errorf("find call: got %v, want no error", err)
	}
	return found
}

// settle gives a ready invocation its next state.
func (w *world) settle(inv *invocation.Invocation, v invocation.Outcome, callback *store.Accept) {
	w.Helper()
	if err := w.Settle(w.Context(), store.Settlement{At: at(inv), Outcome: v, Inv: inv, Callback: callback}); err != nil {
		w.Fatalf("settle: %v", err)
	}
}

// later settles a ready invocation to wait until t.
func (w *world) later(inv *invocation.Invocation, t time.Time) {
	w.Helper()
	here, next := at(inv), *inv
	next.Since = t
	if err := w.Settle(w.Context(), store.Settlement{At: here, Outcome: invocation.OutcomeRetry, Inv: &next}); err != nil {
		w.Fatalf("settle: %v", err)
	}
	*inv = next
}

// bury settles a ready invocation into the dead set.
func (w *world) bury(inv *invocation.Invocation) {
	w.Helper()
	inv.Reason, inv.DiedAt = invocation.AttemptsExhausted, w.clock.Now()
	w.settle(inv, invocation.OutcomeDead, nil)
}

// move makes ready whatever is due.
func (w *world) move() {
	w.Helper()
	for more := true; more; {
		var err error
		if more, err = w.MoveDue(w.Context()); err != nil {
			w.Fatalf("move due: %v", err)
		}
	}
}

// at is where a ready invocation stands.
func at(inv *invocation.Invocation) store.Ready {
	return store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}
}

func ids(all []*invocation.Invocation) []string {
	out := []string{}
	for _, inv := range all {
		out = append(out, inv.ID.String())
	}
	return out
}

func readyIDs(all []store.Ready) []string {
	out := []string{}
	for _, r := range all {
		out = append(out, r.ID.String())
	}
	return out
}
