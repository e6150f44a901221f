package worker

// The ledger of the simulation: what messages there are, what was acked, and
// every call. It complains as soon as a promise is broken.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
)

// plan is a message, and what its function and its callback will answer to the
// n-th retry; 0 is no answer.
type plan struct {
	name      string
	function  string
	sequence  uint64
	answers   []int
	posts     []int // of its callback; nil when it has none
	takes     time.Duration
	pause     time.Duration // after its delivery
	age       time.Duration // when it is too late for it; 0 for never
	delay     time.Duration // until it is due; 0 for none
	again     int           // deliveries more than needed
	ackLost   bool          // it comes again although it was acked
	delivered time.Time
	due       time.Time // as of its latest delivery
	replayed  bool      // or a crash hides whether; its attempts begin again
	posting   int       // number of its latest callback
	acked     bool
}

// answer is the status that a call gets.
func (m *plan) answer(callback bool, retry int) int {
	codes := m.answers
	if callback {
		codes = m.posts
	}
	return codes[min(retry, len(codes)-1)]
}

func (m *plan) header() http.Header {
	if m.posts == nil {
		return nil
	}
	return http.Header{"X-Callback-Url": {"http://" + m.function + ".example/" + m.name}}
}

// task is a function's call or a callback's.
type task struct {
	name     string
	callback bool
}

// try is one attempt at a task.
type try struct {
	task
	retry int
}

// ledger is guarded by its mutex, and so is whether a process is dead: what a
// dead one does is not entered.
type ledger struct {
	mu         sync.Mutex
	plans      map[string]*plan
	order      []*plan
	calls      map[try]int
	breaks     map[try]int            // crashes and aborts that it was in flight at
	inflight   map[task]int           // tasks in flight, and which retry each is
	settling   map[task]bool          // of those, what is being settled
	marked     map[invocation.ID]bool // what a slot holds
	stale      map[invocation.ID]bool // what one has ever held
	kills      map[invocation.ID]int  // crashes that it was held at, as far as is known afterwards
	due        map[try]time.Time      // no earlier than this
	done       map[task]int           // successes
	ids        map[task]invocation.ID // of tasks in flight
	cancels    map[invocation.ID]bool // what a person has cancelled
	paused     map[string]time.Time   // functions that are paused, and since when
	limit, now int
	reports    int       // of ready invocations
	horizon    time.Time // when the last process begins
	crashes    int
	complaints []string
}

func newLedger(rng *rand.Rand, n int) *ledger {
	l := &ledger{
		plans: map[string]*plan{}, calls: map[try]int{}, breaks: map[try]int{}, inflight: map[task]int{}, settling: map[task]bool{},
		kills: map[invocation.ID]int{}, marked: map[invocation.ID]bool{}, stale: map[invocation.ID]bool{}, due: map[try]time.Time{}, done: map[task]int{},
		ids: map[task]invocation.ID{}, cancels: map[invocation.ID]bool{}, paused: map[string]time.Time{},
	}
	outcomes := [][]int{{200}, {200}, {500, 200}, {503, 0, 200}, {404}, {500}, {0}, {429, 404}, {500, 500, 500, 200}}
	for i := range n {
		m := &plan{
			name: fmt.Sprint("m-", i), function: fmt.Sprint("fn-", rng.IntN(5)), sequence: uint64(i + 1),
			answers: outcomes[rng.IntN(len(outcomes))],
			takes:   time.Duration(rng.IntN(3000)) * time.Millisecond,
			pause:   time.Duration(rng.IntN(5000)) * time.Millisecond,
		}
		m.ackLost = rng.IntN(4) == 0
		switch rng.IntN(8) {
		case 0:
			m.takes *= 20 // a slow one
		case 1:
			m.again = 2 // a storm of redeliveries
		case 2, 3, 4:
			m.pause = 0 // they come in bursts
		}
		switch rng.IntN(12) {
		case 0:
			m.delay = time.Duration(1 + rng.Int64N(int64(simTime/2)))
		case 1, 2:
			m.age = time.Duration(1+rng.IntN(90)) * time.Second
		}
		if rng.IntN(3) == 0 {
			m.posts = [][]int{{200}, {204}, {404, 200}, {0, 500, 302, 200}, {500}}[rng.IntN(5)]
		}
		l.plans[m.name] = m
		l.order = append(l.order, m)
	}
	return l
}

func (l *ledger) complain(format string, args ...any) {
	l.complaints = append(l.complaints, fmt.Sprintf(format, args...))
}

// toDeliver is what the server would deliver now: what is not acked, and what
// was acked just before when that ack was lost.
func (l *ledger) toDeliver(now time.Time) []*plan {
	l.mu.Lock()
	defer l.mu.Unlock()
	var s []*plan
	for _, m := range l.order {
		if !m.acked || m.ackLost && now.Sub(m.delivered) < 5*time.Minute {
			s = append(s, m)
		}
	}
	return s
}

func (l *ledger) failed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.complaints) > 0
}

func (l *ledger) allAcked() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.order {
		if !m.acked {
			return false
		}
	}
	return true
}

// acked enters what the store answered to a delivery.
func (l *ledger) acked(p *process, m *plan, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.dead {
		return
	}
	switch err {
	case nil, store.ErrSeen:
		if !m.acked {
			m.acked, m.delivered = true, time.Now()
		}
	case store.ErrClosed:
	default:
		l.complain("%s was not taken: %v", m.name, err)
	}
}

// begin enters a call; it is false when the process is dead.
func (l *ledger) begin(p *process, t task, c invoke.Call) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.dead {
		return false
	}
	a := try{t, c.Retry}
	if _, ok := l.inflight[t]; ok && !l.settling[t] {
		l.complain("%v is called while it is in flight", t)
	}
	delete(l.settling, t) // its retry may come before the slot that settles it hears of that
	if l.now++; l.now > l.limit {
		l.complain("%d calls at a time, the limit is %d", l.now, l.limit)
	}
	l.inflight[t], l.ids[t] = c.Retry, c.ID
	if since, ok := l.paused[l.plans[t.name].function]; ok && !t.callback && time.Now().After(since) {
		l.complain("%v is called although its function is paused", t)
	}
	if !l.plans[t.name].replayed {
		l.beginOnce(p, a, c)
	}
	return true
}

// simLate is how late an attempt may be: what is before it in its lane may take long.
const simLate = 2 * time.Hour

// beginOnce checks an attempt at what was never replayed. The caller has the lock.
func (l *ledger) beginOnce(p *process, a try, c invoke.Call) {
	if c.Terms != nil && !c.Terms.Expires.IsZero() && time.Now().After(c.Terms.Expires) {
		l.complain("%v is called after its time", a.task)
	}
	if l.calls[a]++; l.calls[a] > 1+l.breaks[a] {
		l.complain("%v is made %d times, %d times without a crash", a, l.calls[a], l.calls[a]-l.breaks[a])
	}
	if c.Retry > simPolicy().Attempts {
		l.complain("%v is over the limit", a)
	}
	due, ok := l.due[a]
	if c.Retry > 0 && !ok {
		l.complain("%v comes although the attempt before it has not failed", a)
	}
	if early := time.Until(due); early > 0 {
		l.complain("%v is %s early", a, early)
	}
	from := later(due, p.started)
	if c.Retry == 0 && !a.callback {
		from = later(from, l.plans[a.name].due)
	}
	if late := time.Since(from); ok && late > simLate {
		l.complain("%v is %s late", a, late)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// delivery enters a delivery, and returns when its message is due.
func (l *ledger) delivery(m *plan, now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	m.due = now.Add(m.delay)
	if m.due.After(l.horizon) {
		m.due = later(now, l.horizon) // the last process would only wait
	}
	first := try{task{m.name, false}, 0}
	if before, ok := l.due[first]; m.delay > 0 && (!ok || m.due.Before(before)) {
		l.due[first] = m.due
	}
	return m.due
}

// replays enters that a dead letter is being replayed; it is false when the process is dead.
func (l *ledger) replays(p *process, name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.dead {
		return false
	}
	l.plans[name].replayed = true
	return true
}

// posting enters the number of a callback that is about to be stored.
func (l *ledger) posting(p *process, name string, number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !p.dead {
		l.plans[name].posting = number
	}
}

// posted checks the number of a callback that is called: after a replay has an outcome, no
// callback of an earlier one begins.
func (l *ledger) posted(p *process, c invoke.Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.plans[c.CallID]
	if n, _ := strconv.Atoi(c.Request.Header.Get(invoke.HeaderSequence)); !p.dead && n < m.posting {
		l.complain("callback %d of %s is stale, the latest is %d", n, m.name, m.posting)
	}
}

// isUnheard counts reports of ready invocations, and picks one in ten.
func (l *ledger) isUnheard() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reports++
	return l.reports%10 == 0
}

// end enters what a call came to.
func (l *ledger) end(p *process, t task, retries, code int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.dead {
		return
	}
	l.now--
	if code == 200 || code == 204 {
		l.done[t]++
		return
	}
	due := time.Now().Add(simPolicy().Wait(retries+1, nil))
	next := try{t, retries + 1}
	if before, ok := l.due[next]; !ok || due.Before(before) {
		l.due[next] = due
	}
}

// canceled enters that a call was ended, when a person did it.
func (l *ledger) canceled(p *process, id invocation.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !p.dead && l.cancels[id] {
		l.now--
	}
}

// settle enters that a settlement is running, and returns what it is of.
func (l *ledger) settle(inv *invocation.Invocation) try {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := task{inv.CallID, inv.Kind == invocation.KindCallback}
	l.settling[t] = true
	return try{t, l.inflight[t]}
}

// settled enters that a settlement was confirmed.
func (l *ledger) settled(p *process, a try) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if retries, ok := l.inflight[a.task]; ok && !p.dead && retries == a.retry {
		delete(l.inflight, a.task)
		delete(l.settling, a.task)
	}
}

// mark enters that a slot holds an invocation, or does no longer.
func (l *ledger) mark(p *process, id invocation.ID, held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case p.dead:
	case held:
		l.marked[id], l.stale[id] = true, true
	default:
		delete(l.marked, id)
	}
}

// interrupted enters that a process ended with calls in flight. The caller has the lock.
func (l *ledger) interrupted(crash, cut bool) {
	for t, retries := range l.inflight {
		l.breaks[try{t, retries}]++
	}
	if crash {
		markers := l.marked
		if cut { // markers are not synced, so a power cut may bring an old one back
			markers = l.stale
		}
		for id := range markers {
			l.kills[id]++
		}
	}
	clear(l.inflight)
	clear(l.paused)
	clear(l.marked)
	clear(l.settling)
	l.now = 0
}

// audit holds the ledger against what the store holds in the end.
func (l *ledger) audit(s *embedded.Store) {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := s.Stats()
	if st.Ready+st.Delayed != 0 || st.Difference() != 0 {
		l.complain("stalled or unaccounted: %+v", st)
	}
	letters, err := s.Letters(context.Background(), store.Filter{}, "", 5000)
	if err != nil || letters.Next != "" {
		l.complain("dead set: next %q, %v", letters.Next, err)
	}
	dead := map[task]*invocation.Invocation{}
	for _, inv := range letters.Letters {
		t := task{inv.CallID, inv.Kind == invocation.KindCallback}
		if dead[t] != nil && !(t.callback && l.plans[t.name].replayed) {
			l.complain("%v is dead twice", t)
		}
		dead[t] = inv
	}
	for _, m := range l.order {
		if !m.acked {
			l.complain("%s is never acked", m.name)
			continue
		}
		poisoned := l.auditTask(m, task{m.name, false}, dead)
		if m.posts != nil && !poisoned && !l.cancels[l.ids[task{m.name, false}]] {
			l.auditTask(m, task{m.name, true}, dead)
		}
	}
}

// auditTask checks how one task ended, and reports whether that was as poison.
func (l *ledger) auditTask(m *plan, t task, dead map[task]*invocation.Invocation) (poisoned bool) {
	inv := dead[t]
	if inv == nil {
		if l.done[t] == 0 && !(m.replayed && t.callback) && !l.cancels[l.ids[t]] {
			l.complain("%v is lost", t)
		}
		return false
	}
	if m.replayed {
		return false
	}
	if inv.Reason == invocation.Poison {
		if l.kills[inv.ID] < store.PoisonLimit {
			l.complain("%v is poison after %d crashes in flight", t, l.kills[inv.ID])
		}
		return true
	}
	if inv.Reason == invocation.MaxAgeExceeded {
		if t.callback || m.age == 0 || inv.Calls() < inv.Retries || inv.Calls() > inv.Retries+1 || l.done[t] > l.breaks[try{t, inv.Retries}] {
			l.complain("%v is too old after %d calls and %d retries, %d successes", t, inv.Calls(), inv.Retries, l.done[t])
		}
		return false
	}
	last := m.answer(t.callback, inv.Retries)
	want := invocation.AttemptsExhausted
	if !t.callback && last == 404 {
		want = invocation.NonRetryable
	}
	if inv.Reason != want || l.done[t] != 0 || inv.Calls() != inv.Retries+1 {
		l.complain("%v is dead as %s after %d calls and %d retries, %d successes", t, inv.Reason, inv.Calls(), inv.Retries, l.done[t])
	}
	for n, a := range inv.Attempts {
		if code := m.answer(t.callback, n); a.Status != code && (code != 0 || a.Cause == "") {
			l.complain("%v remembers %d as its attempt %d, it was %d", t, a.Status, n, code)
		}
	}
	return false
}
