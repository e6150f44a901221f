package worker

// The simulation: the whole worker with the real store on a disk in memory, fake
// functions and callbacks, and a clock of their own, on which a history takes a week. A
// seed chooses what the functions do, when messages come and come again, what operators
// pause, cancel and replay, and how each process ends: a kill or a power cut at a step
// or in the middle of a write, an abort, a drain.
// Afterwards the ledger must hold; see ledger_test.go.
//
//	go test ./pkg/worker -run TestSimulation -seed 17 -v
//
// make sim runs as many seeds as there is time for, and prints how far it is.
//
// A seed does not fix how goroutines take turns, so a failure may need a few runs.

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"slices"
	"syscall"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/policy"
	"queue-worker/pkg/retry"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
)

// defect is what a planted bug changes.
type defect struct {
	ackEarly    bool // a message is acked when it was handed to the store, not when it is durable
	settleEarly bool // a settlement is confirmed before it is written
	dueEarly    bool // a retry falls due a second too soon
	markless    bool // attempts are not counted in what is stored
	pauseless   bool // a pause is forgotten
	cancelless  bool // what was cancelled is called again
	countTwice  bool // a failed attempt counts as two
	clockAhead  bool // after a restart the store's clock is a second ahead
	downtime    bool // due times count from the restart: the store's clock stands still while no process runs
	wakeless    bool // one report of ready invocations in ten is lost
	staleHook   bool // the callback of a replay has the number of the one before
}

// world is what outlives a process: disk, functions, messages and the ledger.
type world struct {
	defect
	*ledger
	rng  *rand.Rand
	disk *vfs.MemFS
	log  *logBuffer

	lives int           // processes so far
	down  time.Duration // time without a process
}

// process is one life of the worker.
type process struct {
	*world
	store  *embedded.Store
	lanes  *Lanes
	worker *Worker

	dead    bool // guarded by the ledger's mutex
	crashed chan struct{}
	left    map[string]int // passages of a step until the end of it
	unkept  int            // percent of what was not synced that a crash keeps
	opened  bool           // guarded likewise
	full    time.Time      // until then the disk is full; guarded likewise
	started time.Time
}

// step names of a process, besides writes to the disk.
var steps = []string{"opening write", "write", "write", "write", "accepted", "call", "answer", "settle", "settled", "replay"}

// A history has so many messages, and takes so long.
const (
	simMessages = 100
	simTime     = 7 * 24 * time.Hour
)

// simulate runs one seed and returns what the ledger says against it.
func simulate(seed uint64, d defect) *world {
	w := &world{defect: d, rng: rand.New(rand.NewPCG(seed, 1)), disk: newDisk(), log: &logBuffer{}}
	w.ledger = newLedger(w.rng, simMessages)
	w.horizon = time.Now().Add(simTime)
	for left := 4 + w.rng.IntN(8); left > 0; left-- {
		w.live()
		w.wait(time.Until(w.horizon) / time.Duration(left) * time.Duration(w.rng.IntN(3)) / 2)
	}
	w.wait(time.Until(w.horizon))
	w.finish()
	time.Sleep(time.Second) // for what a planted bug has left to do
	return w
}

// wait lets time pass without a process.
func (w *world) wait(d time.Duration) {
	time.Sleep(d)
	w.down += max(d, 0)
}

// live runs one process to the end that the seed has for it.
func (w *world) live() {
	p := w.newProcess()
	how := w.rng.IntN(10)
	if how < 8 {
		p.left[steps[w.rng.IntN(len(steps))]] = 1 + w.rng.IntN(1<<w.rng.IntN(9)) // soon, mostly
	}
	if !p.open() {
		p.bury()
		return
	}
	if w.rng.IntN(4) == 0 {
		p.mu.Lock()
		p.full = time.Now().Add(time.Duration(w.rng.IntN(20)) * time.Second)
		p.mu.Unlock()
	}
	run, abort := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); p.worker.Run(run) }()
	feeding := make(chan struct{})
	go func() { defer close(feeding); p.feed(run) }()
	meddling := make(chan struct{})
	acts := w.acts()
	go func() { defer close(meddling); p.meddle(run, acts) }()
	select {
	case <-p.crashed:
	case <-time.After(time.Duration(1+w.rng.IntN(100)) * time.Second):
		if how == 9 {
			p.worker.Drain()
			select {
			case <-ended:
			case <-time.After(time.Duration(w.rng.IntN(60)) * time.Second):
			}
		}
	}
	abort()
	<-ended
	<-feeding
	<-meddling
	p.bury()
}

// act is what an operator does after a while: a function is paused or resumed, one of
// the tasks in flight is cancelled, or a dead letter is replayed.
type act struct {
	after    time.Duration
	what     int // one of four
	function string
	nth      int
}

// acts are what operators do in one life.
func (w *world) acts() []act {
	s := make([]act, w.rng.IntN(12))
	for n := range s {
		s[n] = act{
			time.Duration(w.rng.IntN(10_000)) * time.Millisecond, w.rng.IntN(4), fmt.Sprint("fn-", w.rng.IntN(5)), w.rng.IntN(8),
		}
	}
	return s
}

// meddle lets operators act.
func (p *process) meddle(ctx context.Context, acts []act) {
	for _, a := range acts {
		select {
		case <-time.After(a.after):
		case <-ctx.Done():
			return
		case <-p.crashed:
			return
		}
		switch a.what {
		case 0:
			if !p.pauseless {
				p.lanes.Pause(a.function)
			}
			p.mu.Lock()
			if !p.dead {
				p.ledger.paused[a.function] = time.Now()
			}
			p.mu.Unlock()
		case 1:
			p.mu.Lock()
			delete(p.ledger.paused, a.function)
			p.mu.Unlock()
			p.lanes.Resume(a.function)
		case 2:
			p.cancel(a.nth)
		case 3:
			p.replay(ctx, a.nth)
		}
	}
}

// replay replays the dead letter of a function, one of the latest.
func (p *process) replay(ctx context.Context, nth int) {
	page, err := p.store.Letters(ctx, store.Filter{}, "", 5000)
	if err != nil {
		return // the process ends
	}
	letters := slices.DeleteFunc(page.Letters, func(inv *invocation.Invocation) bool { return inv.Kind == invocation.KindCallback })
	if nth >= len(letters) || !p.replays(p, letters[len(letters)-1-nth].CallID) {
		return
	}
	_ = p.store.Replay(ctx, letters[len(letters)-1-nth].ID)
	p.passed("replay")
}

// cancel cancels one of the calls in flight.
func (p *process) cancel(nth int) {
	p.mu.Lock()
	var held []invocation.ID
	for t := range p.inflight {
		held = append(held, p.ids[t])
	}
	p.mu.Unlock()
	if len(held) == 0 {
		return
	}
	slices.SortFunc(held, func(a, b invocation.ID) int { return slices.Compare(a[:], b[:]) })
	id := held[nth%len(held)]
	p.mu.Lock()
	before := p.cancels[id]
	p.cancels[id] = true // before, because the call ends at once
	p.mu.Unlock()
	if !p.worker.Cancel(id) {
		p.mu.Lock()
		p.cancels[id] = before
		p.mu.Unlock()
	}
}

// bury takes down what is left of a process. After a crash its world is gone:
// the disk is the copy that was made then.
func (p *process) bury() {
	p.mu.Lock()
	if !p.dead {
		p.interrupted(false, false)
	}
	p.full = time.Time{} // Close would give up on a full disk, and leave goroutines behind
	p.mu.Unlock()
	if p.store != nil {
		_ = p.store.Close()
	}
	synctest.Wait()
}

// finish runs a last process that nothing happens to, until all is over.
func (w *world) finish() {
	p := w.newProcess()
	if !p.open() {
		w.complain("the store does not open any more")
		return
	}
	run, abort := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); p.worker.Run(run) }()
	p.feed(run)
	for range 48 {
		st := p.store.Stats()
		if st.Ready+st.Delayed == 0 && w.allAcked() || w.failed() {
			break
		}
		time.Sleep(30 * time.Minute)
	}
	p.worker.Drain()
	<-ended
	synctest.Wait()
	w.audit(p.store)
	abort()
	if err := p.store.Close(); err != nil {
		w.complain("close: %v", err)
	}
}

func (w *world) newProcess() *process {
	w.lives++
	p := &process{world: w, crashed: make(chan struct{}), left: map[string]int{}, unkept: 100, started: time.Now()}
	if w.rng.IntN(3) == 0 {
		p.unkept = w.rng.IntN(100) // a power cut; a kill spares what was written
	}
	return p
}

// open opens the store and makes the worker. It fails only when the process has
// crashed meanwhile.
func (p *process) open() bool {
	inflight := 1 + p.rng.IntN(12)
	logger := slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	p.lanes = NewLanes(LanesOptions{MaxInflight: inflight})
	s, err := embedded.Open(embedded.Options{
		Dir: "data", FS: errorfs.Wrap(p.disk, errorfs.InjectorFunc(p.write)), Slots: p.lanes.Slots(), Watcher: simWatcher{p.lanes, p}, Logger: logger, Now: p.clock,
	})
	if err != nil {
		if !p.isDead() {
			p.complain("open: %v", err)
		}
		return false
	}
	p.store = s
	p.mu.Lock()
	p.limit, p.opened = p.lanes.Slots(), true
	p.mu.Unlock()
	p.worker = New(Options{
		Store: simStore{s, p, make([]invocation.ID, p.lanes.Slots())}, Lanes: p.lanes, Caller: p, Policy: policy.Policy{Policy: simPolicy()}, DeadSet: true,
		CheckURL: func(raw string) (*url.URL, error) { return url.Parse(raw) },
		Metrics:  NewMetrics(prometheus.NewRegistry(), NewLabels(invocation.Names{}), nil), Logger: logger,
	})
	return true
}

// clock is that of the store.
func (p *process) clock() time.Time {
	now := time.Now()
	if p.clockAhead && p.lives > 1 {
		now = now.Add(time.Second)
	}
	if p.downtime {
		now = now.Add(-p.down)
	}
	return now
}

func simPolicy() retry.Policy {
	codes, _ := retry.ParseCodes("429,500,503")
	dead, _ := retry.ParseCodes("4xx,5xx")
	return retry.Policy{Attempts: 3, Initial: 10 * time.Second, Max: 30 * time.Second, Codes: codes, DeadCodes: dead, MaxRetryAfter: time.Minute}
}

// write is passed before every operation of the disk.
func (p *process) write(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	p.mu.Lock()
	opened := p.opened
	p.mu.Unlock()
	if opened {
		p.passed("write")
	} else {
		p.passed("opening write")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if op.Kind == errorfs.OpFileWrite && time.Now().Before(p.full) && !p.dead {
		return syscall.ENOSPC
	}
	return nil
}

// passed is called at every step; at the one that the seed has chosen the
// process crashes, and what it does from then on happens nowhere.
func (p *process) passed(step string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, ok := p.left[step]
	if !ok || p.dead {
		return
	}
	p.left[step] = n - 1
	if n > 1 {
		return
	}
	p.disk = p.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: p.unkept, RNG: rand.New(rand.NewPCG(uint64(n), 2))})
	p.dead = true
	p.crashes++
	p.interrupted(true, p.unkept < 100)
	close(p.crashed)
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}
