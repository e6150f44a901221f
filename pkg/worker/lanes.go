package worker

// The lanes and the slots: who is called next. Slots go round the lanes, one
// entry at a time, so a lane with a hundred thousand waiting takes no more turns
// than one with a single entry.
//
// A slot is a goroutine that takes an entry, has it called, and takes the next;
// it ends when there is nothing for it, and is started again when there is.

import (
	"context"
	"slices"
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
	limit int // slots
	free  int // slots that only lanes with nothing in hand may take, see reserveFrom
	wake  chan struct{}

	mu      sync.Mutex
	lanes   map[invocation.Lane]*lane
	round   []*lane // lanes with work, the next one first
	slots   []int   // numbers of the free slots
	started bool
	stopped bool
	stuck   bool           // a turn was lost to the store; kick has to be called
	begin   func(slot int) // what a slot's goroutine does
	running sync.WaitGroup // the slots' goroutines
	halt    chan struct{}  // closed by stop
}

// NewLanes makes lanes that share slots for maxInflight calls at a time.
func NewLanes(maxInflight int) *Lanes {
	l := &Lanes{limit: maxInflight, wake: make(chan struct{}, 1), halt: make(chan struct{}), lanes: map[invocation.Lane]*lane{}}
	if maxInflight >= reserveFrom {
		l.free = maxInflight / 8
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
		lane := l.lane(r.Lane)
		lane.add(r)
		l.enqueue(lane)
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
			lane := l.lane(key)
			lane.more, lane.cursor = true, store.Ready{}
			l.enqueue(lane)
		}
	}
	l.started, l.begin = true, begin
	l.spawn()
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
	for _, ln := range l.lanes {
		l.enqueue(ln)
	}
	l.spawn()
}

// lane finds a lane or makes it.
func (l *Lanes) lane(key invocation.Lane) *lane {
	found := l.lanes[key]
	if found == nil {
		found = newLane(key)
		l.lanes[key] = found
	}
	return found
}

// enqueue lets a lane that has work take its turn, behind those that wait.
func (l *Lanes) enqueue(ln *lane) {
	if !ln.queued && !ln.reading && ln.hasWork() {
		ln.queued = true
		l.round = append(l.round, ln)
	}
}

// spawn starts one slot when there is a turn to take. Each slot that finds work
// starts the next, so any number gets going.
func (l *Lanes) spawn() {
	if !l.started || l.stopped || len(l.slots) == 0 || len(l.round) == 0 {
		return
	}
	n := l.slots[len(l.slots)-1]
	l.slots = l.slots[:len(l.slots)-1]
	l.running.Go(func() { l.begin(n) })
}

// turn takes the next lane out of the round that may have another call. A lane
// with something in hand may not while only the reserve is free.
func (l *Lanes) turn() *lane {
	reserve := len(l.slots)+1 <= l.free // with the slot that asks
	for i, ln := range l.round {
		if reserve && ln.running > 0 {
			continue
		}
		ln.queued = false
		l.round = slices.Delete(l.round, i, i+1)
		return ln
	}
	return nil
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
		if len(ln.waiting) == 0 && !l.read(ln, x) {
			continue
		}
		r = ln.pop()
		l.enqueue(ln)
		l.spawn()
		return r, true
	}
	l.slots = append(l.slots, slot)
	return store.Ready{}, false
}

// read fills the window of a lane from the index, without holding the lock
// meanwhile, and reports whether there is anything in it.
func (l *Lanes) read(ln *lane, x index) bool {
	ln.reading = true
	from := ln.cursor
	l.spawn() // others may take their turns
	l.mu.Unlock()
	found, err := x.NextReady(ln.key, from, window)
	l.mu.Lock()
	ln.filled(found, err != nil || len(found) == window)
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

// finish tells that an entry is no longer in hand.
func (l *Lanes) finish(r store.Ready) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln := l.lanes[r.Lane]
	delete(ln.known, placeOf(r))
	ln.running--
	l.forget(ln)
}

// park tells that an entry cannot be called in this process's life. It stays in
// the store, and known, so that it is not taken again.
func (l *Lanes) park(r store.Ready) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lanes[r.Lane].running--
}

// forget drops a lane that has nothing left.
func (l *Lanes) forget(ln *lane) {
	if ln.idle() && len(ln.known) == 0 {
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
