package worker

// Lanes against a model: an index as a sorted set, and every interleaving that
// slots, the committer and a restart can have.

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/policy"
	"queue-worker/pkg/store"
)

// lanesModel drives one Lanes from one goroutine. What happens while an index is
// read happens in its Take, so that a failure can be replayed.
type lanesModel struct {
	t       *rapid.T
	lanes   *Lanes
	limit   int
	window  int
	names   int                               // of lanes
	index   map[invocation.Lane][]store.Ready // ready or in flight, in order
	untold  []store.Ready                     // committed, and the watcher does not know yet
	out     map[store.Ready]int               // in flight, by slot
	held    map[store.Ready]taken             // the same, as they were handed out
	asking  chan bool                         // goroutines that ask the gateway
	given   map[store.Ready]bool              // handed out since the start
	parked  map[store.Ready]bool
	paused  map[string]bool // names of lanes
	active  []int           // slots that were begun and hold nothing
	begun   chan int
	down    bool // Err
	failing bool // Take
	nested  int
	ids     int
	ordered bool // entries are added in lane order only, and order is checked
	last    map[invocation.Lane]store.Ready
}

var errModel = errors.New("down")

func newModel(t *rapid.T, ordered bool) *lanesModel {
	m := &lanesModel{
		t: t, limit: rapid.IntRange(1, 12).Draw(t, "limit"), window: rapid.SampledFrom([]int{1, 2, 3, 8}).Draw(t, "window"),
		names: rapid.IntRange(0, 5).Draw(t, "lanes"), ordered: ordered, index: map[invocation.Lane][]store.Ready{},
	}
	m.restart()
	return m
}

// restart is a new process on the same index.
func (m *lanesModel) restart() {
	m.lanes = NewLanes(LanesOptions{
		MaxInflight: m.limit, MaxURLs: rapid.IntRange(0, m.limit).Draw(m.t, "URLs"),
		QueueLimits: map[string]int{"narrow": rapid.IntRange(1, 4).Draw(m.t, "limit of the queue")},
	})
	m.lanes.most = m.window
	m.asking = make(chan bool, mostAskers)
	if asking := m.asking; rapid.Bool().Draw(m.t, "asks the gateway") {
		m.lanes.askWith(func() { asking <- true })
	}
	m.held = map[store.Ready]taken{}
	m.out, m.given, m.parked = map[store.Ready]int{}, map[store.Ready]bool{}, map[store.Ready]bool{}
	m.last, m.paused = map[invocation.Lane]store.Ready{}, map[string]bool{}
	m.untold, m.active, m.begun = nil, nil, make(chan int, m.limit+1)
	if m.nested == 0 && rapid.Bool().Draw(m.t, "ready before the start") {
		m.commit()
		m.tell()
	}
	if m.nested == 0 && rapid.Bool().Draw(m.t, "paused before the start") {
		m.pause()
	}
	m.lanes.mostResident, m.lanes.mostFresh = rapid.IntRange(1, 4).Draw(m.t, "resident"), rapid.IntRange(1, 2).Draw(m.t, "fresh")
	m.lanes.start(context.Background(), m, func(slot int) { m.begun <- slot })
	m.settled()
}

// settled waits for the slots that were begun.
func (m *lanesModel) settled() {
	m.lanes.running.Wait()
	for len(m.begun) > 0 {
		m.active = append(m.active, <-m.begun)
	}
	slices.Sort(m.active)
	seen := map[int]bool{}
	for _, n := range m.active {
		m.claim(seen, n)
	}
	for _, n := range m.out {
		m.claim(seen, n)
	}
	m.lanes.mu.Lock()
	defer m.lanes.mu.Unlock()
	m.counted()
	for _, n := range m.lanes.slots {
		m.claim(seen, n)
	}
	if m.nested == 0 && len(seen) != m.lanes.Slots() {
		m.t.Fatalf("%d slots of %d are left", len(seen), m.lanes.Slots())
	}
	if next, _ := m.lanes.next(len(m.lanes.slots)); len(m.active) == 0 && !m.lanes.stuck && next != nil {
		m.t.Fatalf("a turn is there and a slot is free, and it is not used")
	}
}

// counted holds what is counted against what there is, and against the bounds.
func (m *lanesModel) counted() {
	l := m.lanes
	var all [classCount]int
	queues, unproven := map[string]*[classCount]int{}, 0
	for key, ln := range l.lanes {
		if queues[key.Queue] == nil {
			queues[key.Queue] = &[classCount]int{}
		}
		all[ln.class] += ln.running
		queues[key.Queue][ln.class] += ln.running
		if ln.isURL && ln.host != hostProven {
			unproven += ln.running
		}
		if ln.in != nil && ln.list != nil {
			m.t.Fatalf("lane %v stands in two places", key)
		}
	}
	if all != l.room.running || unproven != l.unproven {
		m.t.Fatalf("%v calls in flight, %d of hosts not proven, counted are %v and %d", all, unproven, l.room.running, l.unproven)
	}
	m.bounded("all", &l.room)
	for queue, r := range l.rounds {
		if n := queues[queue]; n != nil && *n != r.running || n == nil && r.running != [classCount]int{} {
			m.t.Fatalf("queue %s counts %v, there are %v", queue, r.running, n)
		}
		m.bounded(queue, &r.room)
	}
}

// bounded checks the bounds that no change of a class can pass.
func (m *lanesModel) bounded(name string, r *room) {
	functions, urls := r.running[classFunction]+r.running[classUnknown], r.running[classURL]
	if functions > r.limit || urls > r.most[classURL] || r.limit > 1 && functions+urls > r.limit {
		m.t.Fatalf("%s: %d functions and %d URLs in flight, the limit is %d and %d", name, functions, urls, r.limit, r.most[classURL])
	}
}

func (m *lanesModel) claim(seen map[int]bool, n int) {
	if seen[n] || n < 0 || n >= m.lanes.Slots() {
		m.t.Fatalf("slot %d is there twice, or is none of %d", n, m.lanes.Slots())
	}
	seen[n] = true
}

// act does one thing.
func (m *lanesModel) act() {
	switch rapid.SampledFrom([]string{"commit", "tell", "tell", "take", "take", "take", "take", "end", "end", "end", "kick", "trouble", "pause", "resume", "answer", "tune", "learn", "learn", "refill", "rotate"}).Draw(m.t, "act") {
	case "commit":
		m.commit()
	case "tell":
		m.tell()
	case "take":
		m.take()
	case "end":
		m.end()
	case "kick":
		m.lanes.kick()
	case "refill":
		m.lanes.refill(context.Background(), m)
	case "rotate":
		m.lanes.rotate()
	case "answer":
		m.answer()
	case "tune":
		name := invocation.Lane{Queue: rapid.SampledFrom([]string{"q", "narrow"}).Draw(m.t, "queue"), Name: m.name()}
		m.lanes.Tune(name, policy.Lane{}, asksGateway(name.Name) && rapid.Bool().Draw(m.t, "unknown"))
	case "learn":
		m.learn()
	case "pause":
		m.pause()
	case "resume":
		m.resume(m.name())
	case "trouble":
		m.down = rapid.IntRange(0, 9).Draw(m.t, "down") == 0
		m.failing = rapid.IntRange(0, 9).Draw(m.t, "failing") == 0
	}
	m.settled()
}

// answer lets the gateway answer a question.
func (m *lanesModel) answer() {
	if len(m.asking) == 0 {
		return
	}
	<-m.asking
	if key, ok := m.lanes.nextUnasked(); ok {
		m.lanes.asked(key, rapid.Bool().Draw(m.t, "unknown"))
		m.asking <- true
	}
}

// learn tells what came of a call that has not ended.
func (m *lanesModel) learn() {
	held := m.inFlight()
	if len(held) == 0 {
		return
	}
	h := m.held[rapid.SampledFrom(held).Draw(m.t, "call")]
	e := effect{began: time.Now(), silent: rapid.IntRange(0, 4).Draw(m.t, "silent") == 0}
	if rapid.Bool().Draw(m.t, "missed") {
		e.cause, e.missed = invocation.CauseReset, true
	}
	m.lanes.learn(h, e)
}

// name draws the name of a lane, of a function or a URL.
func (m *lanesModel) name() string {
	return []string{"a", "url:a:80", "b", "url:b:80", "c", "url:c:80"}[rapid.IntRange(0, m.names).Draw(m.t, "lane")]
}

func (m *lanesModel) pause() {
	name := m.name()
	m.paused[name] = true
	m.lanes.Pause(name)
}

func (m *lanesModel) resume(name string) {
	delete(m.paused, name)
	m.lanes.Resume(name)
}

// take lets a slot ask for an entry.
func (m *lanesModel) take() {
	if len(m.active) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.active)-1).Draw(m.t, "slot")
	n := m.active[i]
	m.active = slices.Delete(m.active, i, i+1)
	h, ok := m.lanes.take(context.Background(), n, m)
	if !ok {
		return
	}
	r := h.Ready
	if m.given[r] {
		m.t.Fatalf("%v is handed out twice", r)
	}
	if m.paused[r.Lane.Name] || m.lanes.Paused(r.Lane.Name) {
		m.t.Fatalf("%v is handed out while its lane is paused", r)
	}
	if _, ok := slices.BinarySearchFunc(m.index[r.Lane], r, compare); !ok {
		m.t.Fatalf("%v is handed out and not in the index", r)
	}
	if m.ordered && m.nested == 0 && compare(r, m.last[r.Lane]) < 0 {
		m.t.Fatalf("%v is handed out after %v", r, m.last[r.Lane])
	}
	m.last[r.Lane] = r
	m.given[r] = true
	m.out[r], m.held[r] = n, h
}

// inFlight lists the entries in flight, in a fixed order.
func (m *lanesModel) inFlight() []store.Ready {
	var s []store.Ready
	for r := range m.out {
		s = append(s, r)
	}
	slices.SortFunc(s, func(a, b store.Ready) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return s
}

// end ends an attempt.
func (m *lanesModel) end() {
	held := m.inFlight()
	if len(held) == 0 {
		return
	}
	r := rapid.SampledFrom(held).Draw(m.t, "entry")
	n := m.out[r]
	delete(m.out, r)
	switch rapid.SampledFrom([]string{"done", "done", "again", "fails"}).Draw(m.t, "how") {
	case "fails":
		m.parked[r] = true
		m.lanes.park(r)
	case "again":
		if !m.ordered { // it comes back in another place before the slot has let go of this one
			m.remove(r)
			again := m.draw()
			again.Lane, again.ID = r.Lane, r.ID
			shift := rapid.SampledFrom([]int64{-3, 1, 20}).Draw(m.t, "shift")
			again.Since = time.Unix(0, max(r.Since.UnixNano()+shift, 1))
			for m.given[again] { // the worker never gives an invocation the place that it leaves
				again.Since = again.Since.Add(1)
			}
			m.insert(again)
			m.tell()
			m.lanes.finish(r)
			break
		}
		fallthrough
	case "done":
		m.remove(r)
		m.tell() // a settlement is committed after all that was committed before it
		m.lanes.finish(r)
	}
	m.active = append(m.active, n)
}

func (m *lanesModel) remove(r store.Ready) {
	i, _ := slices.BinarySearchFunc(m.index[r.Lane], r, compare)
	m.index[r.Lane] = slices.Delete(m.index[r.Lane], i, i+1)
}

// rest ends all trouble, and everything has to be handed out.
func (m *lanesModel) rest() {
	m.down, m.failing = false, false
	m.tell()
	m.lanes.kick()
	for _, name := range slices.Sorted(maps.Keys(m.paused)) {
		m.resume(name)
	}
	m.settled()
	for {
		for len(m.asking) > 0 {
			m.answer()
			m.settled()
		}
		for len(m.active) > 0 {
			m.nested = 3 // nothing more happens meanwhile
			m.take()
			m.nested = 0
			m.settled()
		}
		held := m.inFlight()
		if len(held) == 0 {
			m.nested = 3
			m.lanes.rotate()
			m.lanes.refill(context.Background(), m)
			m.nested = 0
			m.settled()
			if len(m.active) == 0 && len(m.asking) == 0 && !m.lanes.residents[0].absent && !m.lanes.residents[1].absent {
				break
			}
			continue
		}
		for _, r := range held {
			m.remove(r)
			m.lanes.finish(r)
			m.active = append(m.active, m.out[r])
			delete(m.out, r)
		}
		m.settled()
	}
	for l, entries := range m.index {
		for _, r := range entries {
			if !m.parked[r] {
				m.t.Fatalf("%v of lane %v is never handed out, with every slot free", r, l)
			}
		}
	}
	if len(m.parked) == 0 && len(m.lanes.lanes) != 0 {
		m.t.Fatalf("%d empty lanes are kept", len(m.lanes.lanes))
	}
}

func TestLanesAgainstAModel(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		ordered bool
	}{
		{"every entry is handed out exactly once, whatever happens meanwhile", false},
		{"a lane that is only added to at its end is handed out in order", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				m := newModel(t, tt.ordered)
				for range rapid.IntRange(1, 60).Draw(t, "steps") {
					m.act()
					if rapid.IntRange(0, 40).Draw(t, "restart") == 0 {
						m.restart()
					}
				}
				m.rest()
			})
		})
	}
}
