package worker

// The lanes and the slots: who is called next. Slots go round the lanes, one
// entry at a time, so a lane with a hundred thousand waiting takes no more turns
// than one with a single entry.
//
// A slot is a goroutine that takes an entry, has it called, and takes the next;
// it ends when there is nothing for it, and is started again when there is.

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// reserveFrom is the number of slots from which on the last eighth of them
// serves only lanes that have nothing in hand. So one function that is slow and
// has much waiting never holds all slots.
const reserveFrom = 8

// Lanes hands out what is ready. It implements store.Watcher, and has to be
// made before the store is opened.
type Lanes struct {
	limit   int // slots
	most    int // entries in a window
	reserve int // slots that only lanes with nothing in hand may take, see reserveFrom
	wake    chan struct{}

	mu      sync.Mutex
	lanes   map[invocation.Lane]*lane
	paused  map[string]struct{} // names of lanes, there or not, of which nothing is begun
	round   []*lane             // lanes with work, the next one first
	slots   []int               // numbers of the free slots
	started bool
	stopped bool
	stuck   bool           // a turn was lost to the store; kick has to be called
	begin   func(slot int) // what a slot's goroutine does
	running sync.WaitGroup // the slots' goroutines
	halt    chan struct{}  // closed by stop
}

// NewLanes makes lanes that share slots for maxInflight calls at a time.
func NewLanes(maxInflight int) *Lanes {
	l := &Lanes{
		limit: maxInflight, most: mostWindow, lanes: map[invocation.Lane]*lane{}, paused: map[string]struct{}{},
		wake: make(chan struct{}, 1), halt: make(chan struct{}),
	}
	if maxInflight >= reserveFrom {
		l.reserve = maxInflight / 8
	}
	for n := maxInflight - 1; n >= 0; n-- {
		l.slots = append(l.slots, n)
	}
	return l
}

var _ store.Watcher = (*Lanes)(nil)

// Ready takes what has become ready. See store.Watcher.
func (l *Lanes) Ready(entries []store.Ready) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range entries {
		ln := l.lane(r.Lane)
		if !l.started { // what the store held before comes first
			ln.leave(placeOf(r))
			continue
		}
		ln.add(placeOf(r), l.window())
		l.enqueue(ln)
		l.spawn()
	}
}

// Due wakes the timer. See store.Watcher.
func (l *Lanes) Due(time.Time) {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// start lets the slots work, beginning with what the store holds already.
func (l *Lanes) start(held map[invocation.Lane]store.LaneStats, begin func(slot int)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, n := range held {
		if n.Ready > 0 {
			l.lane(key).more = true
		}
	}
	l.started, l.begin = true, begin
	l.enqueueAll()
}

// stop ends the handing out. What is in hand stays so until finish.
func (l *Lanes) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopped {
		l.stopped = true
		close(l.halt)
	}
}

// await returns when the handing out has stopped, and stops it when ctx ends.
func (l *Lanes) await(ctx context.Context) {
	select {
	case <-ctx.Done():
		l.stop()
	case <-l.halt:
	}
}

// kick begins again after turns were lost because the store could not be relied
// upon; see stuck.
func (l *Lanes) kick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stuck {
		return
	}
	l.stuck = false
	l.enqueueAll()
}

// Waiting tells since when the first entry of each lane is ready that is not in
// hand. The zero time stands for a lane that has some in the index, unread.
func (l *Lanes) Waiting() map[invocation.Lane]time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := make(map[invocation.Lane]time.Time)
	for key, ln := range l.lanes {
		switch {
		case len(ln.waiting) > 0:
			m[key] = time.Unix(0, ln.waiting[0].since)
		case ln.more:
			m[key] = time.Time{}
		}
	}
	return m
}

// lane finds a lane or makes it.
func (l *Lanes) lane(key invocation.Lane) *lane {
	found := l.lanes[key]
	if found == nil {
		found = newLane(key)
		_, found.paused = l.paused[key.Name]
		l.lanes[key] = found
	}
	return found
}

// window is how many entries a lane may have in memory, now that there are so
// many lanes.
func (l *Lanes) window() int {
	return max(min(l.most, windows/max(len(l.lanes), 1)), min(l.most, leastWindow))
}

// enqueue lets a lane that has work take its turn, behind those that wait.
func (l *Lanes) enqueue(ln *lane) {
	if !ln.queued && !ln.reading && !ln.paused && ln.hasWork() {
		ln.queued = true
		l.round = append(l.round, ln)
	}
}

// enqueueAll lets every lane that has work take its turn, in the order of their
// names, so that a test can be repeated.
func (l *Lanes) enqueueAll() {
	byName := func(a, b *lane) int {
		return cmp.Or(strings.Compare(a.key.Queue, b.key.Queue), strings.Compare(a.key.Name, b.key.Name))
	}
	for _, ln := range slices.SortedFunc(maps.Values(l.lanes), byName) {
		l.enqueue(ln)
	}
	l.spawn()
}

// spawn starts one slot when there is a turn to take. Each slot that finds work
// starts the next, so any number gets going.
func (l *Lanes) spawn() {
	if !l.started || l.stopped || l.next(len(l.slots)) < 0 {
		return
	}
	n := l.slots[len(l.slots)-1]
	l.slots = l.slots[:len(l.slots)-1]
	l.running.Go(func() { l.begin(n) })
}

// next finds the next lane in the round that may have another call while so many
// slots are free, -1 for none. A lane with something in hand may not while only
// the reserve is free; there are no more of those than slots.
func (l *Lanes) next(free int) int {
	if free == 0 {
		return -1
	}
	for i, ln := range l.round {
		if free > l.reserve || ln.running == 0 {
			return i
		}
	}
	return -1
}

// turn takes the next lane out of the round, for a slot that is not counted as
// free any more; nil for none.
func (l *Lanes) turn() *lane {
	i := l.next(len(l.slots) + 1)
	if i < 0 {
		return nil
	}
	ln := l.round[i]
	copy(l.round[1:], l.round[:i]) // those before it keep their places
	l.round[0] = nil
	l.round = l.round[1:]
	ln.queued = false
	return ln
}

// index is where lanes read what is not in memory.
type index interface {
	// NextReady reads entries of a lane; see store.Store.
	NextReady(lane invocation.Lane, from store.Ready, limit int) ([]store.Ready, error)
	// Err is nil while outcomes can be stored; no call may begin otherwise.
	Err() error
}

// take returns the next entry for a slot. When there is none, or taking has
// stopped, ok is false and the slot is free again: its goroutine has to end.
func (l *Lanes) take(slot int, x index) (r store.Ready, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.stopped {
		if x.Err() != nil {
			l.stuck = true
			break
		}
		ln := l.turn()
		if ln == nil {
			break
		}
		if len(ln.waiting) == 0 && !l.read(ln, x) || l.stopped || ln.paused {
			continue // a lane that was paused while it was read has its turn after Resume
		}
		r = ln.ready(ln.pop())
		l.enqueue(ln)
		l.spawn()
		return r, true
	}
	l.slots = append(l.slots, slot)
	return store.Ready{}, false
}

// read fills the window of a lane from the index and reports whether there is
// anything in it.
func (l *Lanes) read(ln *lane, x index) bool {
	limit := l.window()
	ln.reading = true
	l.spawn() // others may take their turns
	found, err := l.fetch(ln.ready(ln.cursor), limit, x)
	ln.filled(found, err != nil || len(found) == limit)
	if err != nil {
		l.stuck = true // the store has said why
		return false
	}
	if len(ln.waiting) > 0 {
		return true
	}
	l.enqueue(ln)
	l.forget(ln)
	return false
}

// fetch reads the index without holding the lock meanwhile.
func (l *Lanes) fetch(from store.Ready, limit int, x index) ([]store.Ready, error) {
	l.mu.Unlock()
	defer l.mu.Lock()
	return x.NextReady(from.Lane, from, limit)
}

// finish tells that an entry is no longer in hand, nor in its place.
func (l *Lanes) finish(r store.Ready) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln := l.lanes[r.Lane]
	ln.forget(placeOf(r))
	l.forget(ln)
}

// park tells that an entry is no longer in hand and must not be called again in
// this process's life, although it stays in its place.
func (l *Lanes) park(r store.Ready) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lanes[r.Lane].running--
}

// forget drops a lane that has nothing left.
func (l *Lanes) forget(ln *lane) {
	if ln.idle() {
		delete(l.lanes, ln.key)
	}
}

// InFlight counts the calls under way by lane.
func (l *Lanes) InFlight() map[invocation.Lane]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := make(map[invocation.Lane]int, l.limit)
	for key, ln := range l.lanes {
		if ln.running > 0 {
			m[key] = ln.running
		}
	}
	return m
}
