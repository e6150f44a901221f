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
	switch {
	case err != nil:
		t.Fatalf("listed %v, %v, want no error", page, err)
	case page.Next != "":
		t.Fatalf("listed %v, %v, want next empty", page, err)
	case len(page.Letters) != 3:
		t.Fatalf("listed %v, %v, want 3 letters", page, err)
	}
	for i, inv := range page.Letters {
		switch {
		case inv.ID != letters[i].ID:
			t.Errorf("number %d is listed as %+v, want ID %v", i, inv, letters[i].ID)
		case inv.Lane != letters[i].Lane:
			t.Errorf("number %d is listed as %+v, want lane %v", i, inv, letters[i].Lane)
		case inv.Size != letters[i].Size:
			t.Errorf("number %d is listed as %+v, want size %v", i, inv, letters[i].Size)
		case !inv.DiedAt.Equal(letters[i].DiedAt):
			t.Errorf("number %d is listed as %+v, want DiedAt %v", i, inv, letters[i].DiedAt)
		}
	}
	if !strings.Contains(page.Letters[1].Detail, "cannot be read") {
		t.Errorf(`its detail is %q, want "cannot be read" in it`, page.Letters[1].Detail)
	}
	for name, err := range map[string]error{
		"replay": p.Replay(t.Context(), letters[1].ID), "drop": p.Drop(t.Context(), letters[1].ID), "health": p.Health(),
	} {
		switch {
		case err == nil:
			t.Errorf("%s gives %v, want an error", name, err)
		case errors.Is(err, store.ErrNotFound):
			t.Errorf("%s gives %v, want another error than %v", name, err, store.ErrNotFound)
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
	switch _, _, err := p.Load(t.Context(), inv.ID); {
	case err == nil:
		t.Errorf("load gives %v, want an error", err)
	case errors.Is(err, store.ErrNotFound):
		t.Errorf("load gives %v, want another error than %v", err, store.ErrNotFound)
	case !strings.Contains(err.Error(), "is missing"):
		t.Errorf(`load gives %v, want "is missing" in Error`, err)
	}
	if p.Health() == nil {
		t.Error("health says nothing, want health set")
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
	switch more, err := p.MoveDue(t.Context()); {
	case err != nil:
		t.Errorf("moving: %v, %v, want no error", more, err)
	case more:
		t.Errorf("moving: %v, %v, want not more", more, err)
	}
	switch st := p.Stats(); {
	case st.Ready != 3:
		t.Errorf("counts %+v, want ready 3", st)
	case st.Delayed != 0:
		t.Errorf("counts %+v, want delayed 0", st)
	}
	if p.Health() == nil {
		t.Error("health says nothing, want health set")
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
		t.Error("health is nil, want health set")
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
	switch {
	case err != nil:
		t.Fatalf("gathered %v, %v, want no error", all, err)
	case len(all) != 2:
		t.Fatalf("gathered %v, %v, want 2", all, err)
	}
	for _, m := range all {
		h := m.GetMetric()[0].GetHistogram()
		switch m.GetName() {
		case "queue_worker_store_commit_seconds":
			if h.GetSampleCount() == 0 {
				t.Error("no commit was observed, want GetSampleCount not 0")
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
		t.Errorf("the longest rest is %v, want %v", p.rest, longestRest)
	}
	if p.pause(); p.rest != 0 {
		t.Errorf("after a success the rest is %v, want 0", p.rest)
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
		t.Errorf("health is %v, want %v", err, syscall.EIO)
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
			t.Errorf("%s, when it reads again: %v, want no error", name, err)
		}
	}
	if err := s.Err(); err != nil {
		t.Errorf("when it reads again: %v, want no error", err)
	}
	switch st := s.Stats(); {
	case st.Ready != 1:
		t.Errorf("counts %+v, want ready 1", st)
	case st.Delayed+st.Dead != 0:
		t.Errorf("counts %+v, want st.Delayed+st.Dead 0", st)
	case st.Results != 1:
		t.Errorf("counts %+v, want results 1", st)
	case st.Keys != 0:
		t.Errorf("counts %+v, want keys 0", st)
	case st.Difference() != 0:
		t.Errorf("counts %+v, want difference 0", st)
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
