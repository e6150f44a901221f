// File lanes.go has the lanes and the slots, and decides which call is next. The classes of
// lanes take turns for slots (turn.go), and within a class its lanes, one entry at a time
// (round.go). So a lane with a hundred thousand entries has no more turns than one with a
// single entry. A lane that its throttle holds back (throttle.go) has no turn meanwhile, and
// its entries cost nothing.
//
// A slot is a goroutine that takes an entry, has it called, and takes the next; it ends when
// there is nothing for it, and is started again when there is.

package worker

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
// serves only functions that have nothing in flight. So one function that is slow and
// has much waiting never holds all slots.
const reserveFrom = 8

// LanesOptions say how lanes share the slots.
type LanesOptions struct {
	// MaxInflight is the number of slots, for calls at a time.
	MaxInflight int
	// MaxURLs bounds the calls at a time of callbacks and of the callback producer;
	// 0: half of MaxInflight, rounded up.
	MaxURLs int
	// QueueLimits bound the calls at a time of a queue; none: MaxInflight.
	QueueLimits map[string]int
	// Greedy goes without finding out how much a function takes.
	Greedy bool
	// NoBreaker calls functions that cannot be reached as often as any other.
	NoBreaker bool
}

// Lanes hands out what is ready. It implements store.Watcher, and has to be
// made before the store is opened.
type Lanes struct {
	o       LanesOptions
	most    int // entries in a window
	reserve int // slots that only functions with nothing in flight may take, see reserveFrom
	// Of the slots of URLs: those that only proven hosts with nothing in flight may
	// take, and those that all hosts may have together that are not proven.
	urlReserve, mostUnproven int
	wake                     chan struct{}

	mu        sync.Mutex
	lanes     map[invocation.Lane]*lane
	throttles map[invocation.Lane]*laneThrottle
	alone     bool                // a lane's first call goes alone until Tune, see askFirst
	paused    map[string]struct{} // names of lanes, there or not, of which nothing is begun
	rounds    map[string]*round   // by queue: lanes that may begin a call
	room      room                // of all queues
	clocks    [classCount]turnClock
	last      lastTurns
	came      uint64   // who came when, in all rounds
	timed     openings // lanes that wait for a time
	slots     []int    // numbers of the free slots

	residents               [2]residents // of functions and of URLs
	mostResident, mostFresh int

	hosts    hosts
	unproven int // calls in flight of hosts that are not proven

	ask       func()   // see askWith; nil: lanes need not be asked about
	unasked   laneList // lanes that wait to be asked about
	askers    int      // goroutines that ask
	askNewest bool

	started bool
	stopped bool
	// unwanted are entries of dropped lanes that were taken and will not be called.
	unwanted map[invocation.Lane][]store.Ready
	stuck    bool           // a turn was lost to the store; kick has to be called
	begin    func(slot int) // what a slot's goroutine does
	running  sync.WaitGroup // the slots' goroutines
	halt     chan struct{}  // closed by stop
}

// NewLanes makes lanes.
func NewLanes(o LanesOptions) *Lanes {
	l := &Lanes{
		o: o, most: mostWindow, lanes: map[invocation.Lane]*lane{}, throttles: map[invocation.Lane]*laneThrottle{},
		unwanted: map[invocation.Lane][]store.Ready{},
		paused:   map[string]struct{}{}, rounds: map[string]*round{},
		wake: make(chan struct{}, 1), halt: make(chan struct{}),
		mostResident: mostResident, mostFresh: mostFresh,
		residents: [2]residents{{absent: true}, {absent: true, urls: true}}, // until start has looked
		reserve:   o.reserve(), room: newRoom(o.MaxInflight, o.urlLimit()), hosts: newHosts(),
	}
	urls := l.room.most[classURL]
	l.urlReserve, l.mostUnproven = LanesOptions{MaxInflight: urls}.reserve(), max(urls/2, 1)
	for n := o.slots() - 1; n >= 0; n-- {
		l.slots = append(l.slots, n)
	}
	return l
}

// Slots is how many calls may be in flight. They are numbered from 0.
func (l *Lanes) Slots() int { return l.o.slots() }

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
		if r.ID == ln.throttle.heard {
			ln.throttle.heard = invocation.ID{}
			ln.front(placeOf(r))
		} else {
			ln.add(placeOf(r), l.window())
		}
		l.enqueue(ln)
		l.spawn()
	}
}

// Changing has nothing to do: lanes find out what is gone when they load it. See store.Watcher.
func (*Lanes) Changing([]store.Change) func(error) { return func(error) {} }

// Due wakes the timer. See store.Watcher.
func (l *Lanes) Due(time.Time) { l.wakeTimer() }

// wakeTimer lets the timer look again at what to wait for. It never blocks.
func (l *Lanes) wakeTimer() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// start lets the slots work, beginning with what the store holds already.
func (l *Lanes) start(ctx context.Context, x scan, begin func(slot int)) {
	l.mu.Lock()
	l.started, l.begin = true, begin
	l.enqueueAll()
	l.mu.Unlock()
	l.refill(ctx, x)
}

// stop ends the handing out. Entries in flight stay so until finish.
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

// Waiting returns since when the first entry of each lane is ready that is not in
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
		found = l.newLane(key)
		l.admit(found)
	}
	return found
}

func (l *Lanes) newLane(key invocation.Lane) *lane {
	ln := newLane(key, l.throttle(key))
	delete(l.unwanted, key) // it takes them again
	ln.class, ln.host = ln.classNow(), l.hosts.of(ln)
	_, ln.paused = l.paused[key.Name]
	return ln
}

// window is how many entries a lane may have in memory, now that there are so
// many lanes.
func (l *Lanes) window() int {
	return max(min(l.most, windows/max(len(l.lanes), 1)), min(l.most, leastWindow))
}

// enqueue lets a lane that has work, and may begin a call, take its turn. One that
// only time holds back is looked at again then.
func (l *Lanes) enqueue(ln *lane) {
	if ln.stands() || ln.reading || ln.paused || !ln.hasWork() || !ln.hasRoom() {
		return
	}
	if ln.throttle.unasked {
		l.awaitAnswer(ln)
		return
	}
	if ln.throttle.timed && !l.inTime(ln) {
		return
	}
	l.came++
	ln.came = l.came
	l.round(ln.key.Queue).push(&l.clocks[ln.class], ln)
}

// round is the round of a queue.
func (l *Lanes) round(queue string) *round {
	r := l.rounds[queue]
	if r == nil {
		r = l.newRound(l.o.QueueLimits[queue])
		l.rounds[queue] = r
	}
	return r
}

// newRound makes the round of a queue. In a queue with a limit of its own, URLs may
// have half of that.
func (l *Lanes) newRound(limit int) *round {
	urls := l.room.most[classURL]
	if limit <= 0 || limit >= l.o.MaxInflight {
		return &round{room: newRoom(l.o.MaxInflight, urls)}
	}
	return &round{room: newRoom(limit, min(half(limit), urls)), narrow: true}
}

// enqueueAll lets every lane that has work take its turn.
func (l *Lanes) enqueueAll() { l.enqueueEach(slices.Collect(maps.Values(l.lanes))) }

// enqueueEach lets lanes that have work take their turns, in the order of their names,
// so that a test can be repeated.
func (l *Lanes) enqueueEach(lanes []*lane) {
	slices.SortFunc(lanes, byName)
	for _, ln := range lanes {
		l.enqueue(ln)
	}
	l.spawn()
}

func byName(a, b *lane) int {
	return cmp.Or(strings.Compare(a.key.Queue, b.key.Queue), strings.Compare(a.key.Name, b.key.Name))
}

// InFlight counts the calls in flight by lane.
func (l *Lanes) InFlight() map[invocation.Lane]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := make(map[invocation.Lane]int, l.Slots())
	for key, ln := range l.lanes {
		if ln.running > 0 {
			m[key] = ln.running
		}
	}
	return m
}
