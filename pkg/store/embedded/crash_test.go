package embedded

// Power cuts. A script drives a store on a file system that can crash; before
// every write, sync, rename or removal that reaches it, the file system is
// cloned as a power cut would leave it, and a store opened on the clone is held
// against what was confirmed until then.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// small makes Pebble flush and compact after a few operations.
func small(o *pebble.Options) {
	o.MemTableSize = 64 << 10
	o.L0CompactionThreshold = 2
	o.LBaseMaxBytes = 128 << 10
	o.MaxManifestFileSize = 4 << 10 // a new one now and then
}

// cutter cuts the power before every n-th write and verifies what is left.
type cutter struct {
	mem     *vfs.MemFS
	ledger  *ledger
	opts    Options
	percent int // of what is not synced and survives all the same
	rng     *rand.Rand
	every   int
	one     bool // ends with the first finding

	mu    sync.Mutex
	ops   int
	cuts  int
	found []error
}

func (c *cutter) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ops++; c.ops%c.every != 0 || c.one && len(c.found) > 0 {
		return nil
	}
	c.cut(fmt.Sprintf("before write %d, %v of %s", c.ops, op.Kind, op.Path))
	return nil
}

func (c *cutter) String() string { return "power cut" }

func (c *cutter) cut(when string) {
	c.cuts++
	l := c.ledger.copy() // first: what is confirmed from now on may be lost
	o := c.opts
	o.FS = c.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: c.percent, RNG: c.rng})
	s, err := Open(o)
	if err == nil {
		err = errors.Join(l.verify(s), s.Close())
	}
	if err != nil {
		c.found = append(c.found, fmt.Errorf("%s: %w", when, err))
	}
}

// script does everything that a store can do, and restarts it in the middle.
func script(p *player, reopen func() error) error {
	ctx := context.Background()
	for round := range 2 {
		if err := errors.Join(p.lives(), p.burst(8, 700), p.waits(ctx), p.dies(ctx)); err != nil {
			return err
		}
		if _, err := p.do(100<<10, nil); err != nil { // does not fit into a memtable
			return err
		}
		if round == 0 {
			if err := errors.Join(p.keeps(ctx), reopen()); err != nil {
				return err
			}
		}
		if err := errors.Join(p.db.Flush(), p.db.Compact(ctx, []byte("a"), []byte("z"), false)); err != nil {
			return err
		}
	}
	return nil
}

// lives takes invocations through retries to their end.
func (p *player) lives() error {
	for n, size := range []int{200, inlineBytes, inlineBytes + 1, 200} { // in their records and not
		inv, err := p.do(size, nil)
		if err != nil {
			return err
		}
		p.Hold(n, inv.ID)
		p.pass(time.Second)
		again := func(i *invocation.Invocation) {
			i.Retries++
			i.Since = p.time()
			i.Record(invocation.Attempt{At: p.time(), Status: 500})
		}
		if err := p.settle(inv, invocation.OutcomeRetry, again, n%2 == 0); err != nil {
			return err
		}
		if err := p.settle(inv, []invocation.Outcome{invocation.OutcomeDone, invocation.OutcomeDropped}[n%2], nil, n > 1); err != nil {
			return err
		}
		if n%2 == 0 {
			p.Release(n)
		}
	}
	return nil
}

// burst accepts many at once, so that they share batches.
func (p *player) burst(n, size int) error {
	answers := make(chan error, n)
	for range n {
		inv, raw := p.make(size)
		p.accept(store.Accept{Inv: inv, Raw: raw, Source: p.source()}, func(err error) { answers <- err })
	}
	var err error
	for range n {
		err = errors.Join(err, <-answers)
	}
	return err
}

// waits delays some, and moves them when they are due.
func (p *player) waits(ctx context.Context) error {
	for n := range 4 {
		if _, err := p.do(150, func(i *invocation.Invocation) { i.Since = p.time().Add(time.Duration(n) * time.Second) }); err != nil {
			return err
		}
	}
	p.pass(2 * time.Second)
	end := p.begin(p.moveAll(p.time()))
	_, err := p.MoveDue(ctx)
	end(err)
	return err
}

// dies fills the dead set, replays, drops and expires.
func (p *player) dies(ctx context.Context) error {
	var letters []*invocation.Invocation
	for range 5 {
		inv, err := p.do(120, nil)
		if err != nil {
			return err
		}
		p.pass(time.Second)
		bury := func(i *invocation.Invocation) { i.Reason, i.DiedAt = invocation.NonRetryable, p.time() }
		if err := p.settle(inv, invocation.OutcomeDead, bury, false); err != nil {
			return err
		}
		letters = append(letters, inv)
	}
	revived := *letters[0]
	revived.State, revived.Reason, revived.DiedAt, revived.Since = invocation.Pending, "", time.Time{}, p.time()
	revived.Replays++
	end := p.begin(change{to: map[invocation.ID]state{revived.ID: stateOf(inReady, &revived)}})
	err := p.Replay(ctx, revived.ID)
	end(err)
	if err != nil {
		return err
	}
	end = p.begin(change{to: map[invocation.ID]state{letters[1].ID: ""}})
	err = p.Drop(ctx, letters[1].ID)
	end(err)
	if err != nil {
		return err
	}
	end = p.begin(change{to: map[invocation.ID]state{letters[2].ID: "", letters[3].ID: ""}})
	taken, err := p.Expire(ctx, store.Bounds{MaxBytes: 120})
	end(err)
	if err == nil && len(taken.Letters) != 2 {
		err = fmt.Errorf("%d letters expired", len(taken.Letters))
	}
	if err != nil {
		return err
	}
	end = p.begin(change{to: map[invocation.ID]state{letters[4].ID: ""}})
	err = p.Drop(ctx, letters[4].ID)
	end(err)
	return err
}

// runCut runs the script with cuts, and returns what was found wrong.
func runCut(t *testing.T, c *cutter, sync time.Duration) {
	t.Helper()
	p := newPlayer(nil)
	c.ledger, c.mem = p.ledger, vfs.NewCrashableMem()
	now := p.time
	c.opts = Options{Dir: "data", Slots: 4, Sync: sync, Now: now, tune: small}
	o := c.opts
	o.FS, o.patient = errorfs.Wrap(c.mem, c), true // each write takes as long as a store takes to be opened and verified
	open := func() error {
		s, err := Open(o)
		if err == nil {
			p.Store = s
		}
		return err
	}
	if err := open(); err != nil {
		t.Fatal(err)
	}
	err := script(p, func() error { return errors.Join(p.Close(), open()) })
	if err := errors.Join(err, p.Health(), p.Close()); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut("after the end")
	t.Logf("%d cuts, %d invocations", c.cuts, len(p.is))
}

// TestPowerCut cuts the power before every write, or every few, from a random one on.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		percent, every int
	}{
		{"takes all that was not synced", 0, everyWithShort(16)},
		{"takes half of what was not synced", 50, 6 * everyWithShort(3)},
		{"leaves most of what was not synced", 90, 6 * everyWithShort(3)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()                                                                   // #nosec G115 -- a test's
			c := &cutter{percent: tt.percent, rng: rand.New(rand.NewPCG(seed, 0)), every: tt.every} // #nosec G115 -- likewise
			c.ops = int(seed % uint64(tt.every))                                                    // #nosec G115 -- small
			runCut(t, c, 0)
			for _, err := range c.found[:min(5, len(c.found))] {
				t.Errorf("seed %d, %v", seed, err)
			}
		})
	}
}

// TestPowerCutFindsAnAnswerBeforeTheSync is a test of the test: a store that
// answers before it syncs must be found out.
func TestPowerCutFindsAnAnswerBeforeTheSync(t *testing.T) {
	t.Parallel()
	c := &cutter{every: 1, one: true}
	runCut(t, c, time.Hour)
	if len(c.found) == 0 {
		t.Errorf("the loss was not noticed: got %v, want at least 1 found", len(c.found))
	}
}

// TestAnIntervalLosesOnlyTheEnd cuts the power in interval mode: what is left is
// what was confirmed up to some instant, and not before the latest sync.
func TestAnIntervalLosesOnlyTheEnd(t *testing.T) {
	t.Parallel()
	mem := vfs.NewCrashableMem()
	rng := rand.New(rand.NewPCG(1, 2)) // #nosec G115 -- a test's
	var mu sync.Mutex                  // guards what follows: Pebble writes by itself, too
	var order []invocation.ID
	synced := 0
	o := Options{Dir: "data", Sync: time.Hour, tune: small}
	cut := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		for _, percent := range []int{0, 50} {
			after := o
			after.FS = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
			if err := verifyPrefix(after, order, synced); err != nil {
				t.Errorf("before %v of %s: %v, want no error", op.Kind, op.Path, err)
			}
		}
		return nil
	})
	toggle := &errorfs.Toggle{Injector: cut}
	first := o
	first.FS, first.patient = errorfs.Wrap(mem, toggle), true // each write takes as long as two stores take to be opened
	s, err := Open(first)
	if err != nil {
		t.Fatal(err)
	}
	toggle.On()
	p := newPlayer(s)
	for n := range 80 / everyWithShort(4) {
		inv, err := p.do(1000, nil)
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		order = append(order, inv.ID)
		confirmed := len(order)
		mu.Unlock()
		if n%20 != 10 {
			continue
		}
		if err := s.syncNow(); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		synced = confirmed
		mu.Unlock()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	o.FS = mem.CrashClone(vfs.CrashCloneCfg{})
	if err := verifyPrefix(o, order, len(order)); err != nil {
		t.Errorf("after Close: %v, want no error", err)
	}
}

// verifyPrefix checks that a store holds a beginning of order, of at least n.
// One more than confirmed may be there.
func verifyPrefix(o Options, order []invocation.ID, n int) error {
	s, err := Open(o)
	if err != nil {
		return err
	}
	held := s.Stats().Ready
	for i, id := range order {
		if _, err := s.Get(context.Background(), id); (err == nil) != (i < held) {
			err = fmt.Errorf("%d are there, and number %d gives %w", held, i, err)
			return closing(err, s)
		}
	}
	if held < n {
		err = fmt.Errorf("%d are there, %d were synced", held, n)
	}
	return closing(err, s)
}
