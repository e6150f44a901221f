package embedded

// What costs one invocation only.

import (
	"errors"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// noiseFor writes over a record what cannot be read.
func noiseFor(t *testing.T, p *player, inv *invocation.Invocation) {
	t.Helper()
	remove(t, p.Store, appendRecordKey(nil, inv.ID))
	put(t, p.Store, appendRecordKey(nil, inv.ID), []byte{0xc1})
}

func TestALetterThatCannotBeReadIsListedAndHidesNoOther(t *testing.T) {
	t.Parallel()
	p := playerOn(t, vfs.NewMem())
	defer func() { _ = p.Close() }()
	var letters []*invocation.Invocation
	for range 3 {
		letters = append(letters, p.letter(t))
		p.pass(time.Second)
	}
	noiseFor(t, p, letters[1])
	page, err := p.Letters(t.Context(), store.Filter{}, "", 10)
	if err != nil || page.Next != "" || len(page.Letters) != 3 {
		t.Fatalf("listed %v, %v", page, err)
	}
	for i, inv := range page.Letters {
		if inv.ID != letters[i].ID || inv.Lane != letters[i].Lane || inv.Size != letters[i].Size || !inv.DiedAt.Equal(letters[i].DiedAt) {
			t.Errorf("number %d is listed as %+v", i, inv)
		}
	}
	if !strings.Contains(page.Letters[1].Detail, "cannot be read") {
		t.Errorf("its detail is %q", page.Letters[1].Detail)
	}
	for name, err := range map[string]error{
		"replay": p.Replay(t.Context(), letters[1].ID), "drop": p.Drop(t.Context(), letters[1].ID), "health": p.Health(),
	} {
		if err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s gives %v", name, err)
		}
	}
	taken, err := p.Expire(t.Context(), store.Bounds{MaxAge: 1})
	if err != nil || len(taken.Letters) != 2 {
		t.Errorf("expired %v, %v; want the two that can be read", taken, err)
	}
}

func TestAQueueRequestThatIsMissingIsDamage(t *testing.T) {
	t.Parallel()
	p := playerOn(t, vfs.NewMem())
	defer func() { _ = p.Close() }()
	inv, err := p.do(inlineBytes+1, nil)
	if err != nil {
		t.Fatal(err)
	}
	remove(t, p.Store, appendBytesKey(nil, inv.ID))
	if _, _, err := p.Load(t.Context(), inv.ID); err == nil || errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("load gives %v", err)
	}
	if p.Health() == nil {
		t.Error("health says nothing")
	}
}

func TestADelayedEntryThatCannotBeReadHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	p := playerOn(t, vfs.NewMem())
	defer func() { _ = p.Close() }()
	due := p.time().Add(time.Second)
	for range 3 {
		if _, err := p.do(10, func(i *invocation.Invocation) { i.Since = due }); err != nil {
			t.Fatal(err)
		}
	}
	put(t, p.Store, appendTimedKey(nil, delayedPrefix, due.Add(-1), invocation.ID{1}), nil)
	p.set(due.Add(time.Second))
	if more, err := p.MoveDue(t.Context()); err != nil || more {
		t.Errorf("moving: %v, %v", more, err)
	}
	if st := p.Stats(); st.Ready != 3 || st.Delayed != 0 {
		t.Errorf("counts %+v", st)
	}
	if p.Health() == nil {
		t.Error("health says nothing")
	}
}

func TestADeadEntryThatCannotBeReadKeepsNoOtherForEver(t *testing.T) {
	t.Parallel()
	p := playerOn(t, vfs.NewMem())
	defer func() { _ = p.Close() }()
	put(t, p.Store, appendTimedKey(nil, deadPrefix, p.time().Add(-time.Second), invocation.ID{1}), nil)
	p.letter(t)
	p.pass(time.Hour)
	taken, err := p.Expire(t.Context(), store.Bounds{MaxAge: time.Minute})
	if err != nil || len(taken.Letters) != 1 {
		t.Errorf("expired %v, %v; want the one that can be read", taken, err)
	}
	if p.Health() == nil {
		t.Error("health is nil")
	}
}

func TestMetricsTellOfCommits(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	s, err := Open(Options{Metrics: NewMetrics(r)})
	if err != nil {
		t.Fatal(err)
	}
	p := newPlayer(s)
	if err := errors.Join(p.burst(10, 10), p.Close()); err != nil {
		t.Fatal(err)
	}
	all, err := r.Gather()
	if err != nil || len(all) != 2 {
		t.Fatalf("gathered %v, %v", all, err)
	}
	for _, m := range all {
		h := m.GetMetric()[0].GetHistogram()
		switch m.GetName() {
		case "queue_worker_store_commit_seconds":
			if h.GetSampleCount() == 0 {
				t.Error("no commit was observed")
			}
		case "queue_worker_store_batch_operations":
			if h.GetSampleSum() != 10 {
				t.Errorf("%v operations were observed, want 10", h.GetSampleSum())
			}
		default:
			t.Errorf("metric %s", m.GetName())
		}
	}
}

// TestTheCompactionsRest holds the rests after compactions that failed.
func TestTheCompactionsRest(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	close(stop)
	p := &pacer{stop: stop}
	for _, want := range []time.Duration{firstRest, 2 * firstRest, 4 * firstRest} {
		p.failed.Store(true)
		if p.pause(); p.rest != want {
			t.Errorf("rest is %v, want %v", p.rest, want)
		}
	}
	for range 20 {
		p.failed.Store(true)
		p.pause()
	}
	if p.rest != longestRest {
		t.Errorf("the longest rest is %v", p.rest)
	}
	if p.pause(); p.rest != 0 {
		t.Errorf("after a success the rest is %v", p.rest)
	}
}

// TestAnErrorOfReadingPasses: the disk may read again what it did not read once.
func TestAnErrorOfReadingPasses(t *testing.T) {
	t.Parallel()
	mem := vfs.NewCrashableMem()
	p := playerOn(t, mem)
	inv, err := p.do(10, nil)
	if err != nil {
		t.Fatal(err)
	}
	later, err := p.do(10, func(i *invocation.Invocation) { i.Since = p.time().Add(time.Second) })
	if err != nil {
		t.Fatal(err)
	}
	letter := p.letter(t)
	over, k := p.ended(t), store.Key{Expires: later.Since.Add(time.Hour)}
	if err := errors.Join(p.Claim(t.Context(), k, inv.ID, ""), p.db.Flush(), p.Close()); err != nil {
		t.Fatal(err)
	}
	toggle := &errorfs.Toggle{Injector: broken{"*.sst", []errorfs.OpKind{errorfs.OpFileReadAt}, syscall.EIO}}
	now := p.time()
	s, err := Open(Options{
		Dir: "data", FS: errorfs.Wrap(mem, toggle), Now: func() time.Time { return now },
		tune: func(o *pebble.Options) { o.CacheSize = 1 },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	p.Store, now = s, later.Since
	calls := map[string]func() error{
		"load":       func() error { _, _, err := s.Load(t.Context(), inv.ID); return err },
		"next ready": func() error { _, err := s.Take(t.Context(), inv.Lane, store.Ready{}, 1); return err },
		"find call":  func() error { _, _, err := s.FindCall(t.Context(), inv.CallID, 1); return err },
		"letters":    func() error { _, err := s.Letters(t.Context(), store.Filter{}, "", 1); return err },
		"groups":     func() error { _, err := s.Groups(t.Context(), store.Filter{}); return err },
		"pending":    func() error { _, _, err := s.Pending(t.Context(), store.PendingFilter{}, "", 1); return err },
		"cancel":     func() error { _, err := s.Cancel(t.Context(), inv.ID); return err },
		"sweep":      func() error { _, err := s.Sweep(t.Context()); return err },
		"result":     func() error { _, err := s.Result(t.Context(), over.ID, true); return err },
		"results of": func() error { _, _, err := s.FindCall(t.Context(), over.CallID, 1); return err },
		"unclaim":    func() error { return s.Unclaim(t.Context(), k) },
		"move due":   func() error { _, err := s.MoveDue(t.Context()); return err },
		"expire":     func() error { _, err := s.Expire(t.Context(), store.Bounds{MaxAge: time.Hour}); return err },
		"settle":     func() error { return p.settle(inv, invocation.OutcomeDone, nil, false) },
		"drop":       func() error { return s.Drop(t.Context(), letter.ID) },
	}
	toggle.On()
	for name, f := range calls {
		if err := f(); !errors.Is(err, syscall.EIO) || errors.Is(err, store.ErrFailed) {
			t.Errorf("%s gives %v, want EIO and no failure", name, err)
		}
	}
	if err := s.Health(); !errors.Is(err, syscall.EIO) {
		t.Errorf("health is %v", err)
	}
	toggle.Off()
	for _, name := range []string{
		"load", "next ready", "find call", "letters", "groups", "pending", "sweep", "result", "results of", "unclaim", "move due", "expire", "settle", "drop",
	} {
		// Pebble reads tables in the background as well. A call that needs one at that moment shares its error.
		err := calls[name]()
		for tries := 0; errors.Is(err, syscall.EIO) && tries < 100; tries++ {
			runtime.Gosched()
			err = calls[name]()
		}
		if err != nil {
			t.Errorf("%s, when it reads again: %v", name, err)
		}
	}
	if err := s.Err(); err != nil {
		t.Errorf("when it reads again: %v", err)
	}
	if st := s.Stats(); st.Ready != 1 || st.Delayed+st.Dead != 0 || st.Results != 1 || st.Keys != 0 || st.Difference() != 0 {
		t.Errorf("counts %+v", st)
	}
}

// ended makes an invocation that is over, and has a result for an hour.
func (p *player) ended(t *testing.T) *invocation.Invocation {
	t.Helper()
	inv, err := p.do(10, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &store.Result{Outcome: invocation.OutcomeDone, Status: 200, Body: []byte("body"), At: p.time(), Expires: p.time().Add(time.Hour)}
	err = p.Settle(t.Context(), store.Settlement{At: store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}, Outcome: invocation.OutcomeDone, Inv: inv, Result: r})
	if err != nil {
		t.Fatal(err)
	}
	return inv
}
