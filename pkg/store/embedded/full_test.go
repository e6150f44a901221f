package embedded

// A disk that is full for a while, one that does not answer, and the bounds that
// keep the intake away from both.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// tightFS is a file system with little room: a write that does not fit writes
// what fits and fails.
type tightFS struct {
	vfs.FS
	room *room
}

type room struct {
	suffix string        // of the files that need room; "" for all
	err    syscall.Errno // of a write that does not fit

	mu   sync.Mutex
	left int // bytes; negative for no bound
}

func (r *room) set(left int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = left
}

// take returns how much of n there is room for.
func (r *room) take(n int) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left < 0 {
		return n, nil
	}
	fits := min(n, r.left)
	r.left -= fits
	if fits < n {
		return fits, r.err
	}
	return n, nil
}

func (f tightFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if !strings.HasSuffix(name, f.room.suffix) {
		return f.FS.Create(name, c)
	}
	if _, err := f.room.take(1); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(name, c)
	return tightFile{file, f.room}, err
}

func (f tightFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, c, o...)
	return tightFile{file, f.room}, err
}

type tightFile struct {
	vfs.File
	room *room
}

func (f tightFile) Write(p []byte) (int, error) {
	fits, full := f.room.take(len(p))
	n, err := f.File.Write(p[:fits])
	return n, errors.Join(full, err)
}

// events is a log of which a test can wait for a message.
type events chan string

func (e events) logger() *slog.Logger { return slog.New(e) }

func (e events) Enabled(context.Context, slog.Level) bool { return true }
func (e events) WithAttrs([]slog.Attr) slog.Handler       { return e }
func (e events) WithGroup(string) slog.Handler            { return e }
func (e events) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "pebble" {
		e <- r.Message
	}
	return nil
}

func (e events) wait(t *testing.T, want string) {
	t.Helper()
	if got := <-e; got != want {
		t.Fatalf("the log says %q, want %q", got, want)
	}
}

// tight opens a store on a file system that has room, for now; full is the error of a write later on.
func tight(t *testing.T, suffix string, full syscall.Errno) (*player, *vfs.MemFS, *room, events) {
	t.Helper()
	mem, r, log := vfs.NewCrashableMem(), &room{suffix: suffix, err: full, left: -1}, make(events, 100)
	p := newPlayer(nil)
	s, err := Open(Options{Dir: "data", FS: tightFS{mem, r}, Logger: log.logger(), Now: p.time, tune: small})
	if err != nil {
		t.Fatal(err)
	}
	p.Store = s
	return p, mem, r, log
}

func TestAFullDiskIsWaitedFor(t *testing.T) {
	t.Parallel()
	for _, full := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT} {
		for _, suffix := range []string{"", ".log", ".sst"} {
			for _, left := range []int{0, 1, 333, 40_000} {
				if testing.Short() && (left > 0) == (full == syscall.EDQUOT) {
					continue
				}
				t.Run(fmt.Sprintf("%d bytes left for %q, then %v", left, suffix, full), func(t *testing.T) {
					waitsForRoom(t, suffix, left, full)
				})
			}
		}
	}
}

// waitsForRoom fills the disk under a store that works, and looks at what it says until there is room.
func waitsForRoom(t *testing.T, suffix string, left int, full syscall.Errno) {
	p, mem, r, log := tight(t, suffix, full)
	if err := p.lives(); err != nil {
		t.Fatal(err)
	}
	r.set(left)
	working := make(chan error, 1)
	go func() { working <- errors.Join(p.burst(150, 1000), p.lives(), p.dies(context.Background())) }()
	log.wait(t, "disk full, waiting for room")
	for name, f := range map[string]func() error{"Err": p.Err, "Full": p.Full, "Health": p.Health} {
		if err := f(); !errors.Is(err, full) {
			t.Errorf("%s is %v while the disk is full, want %v", name, err, full)
		}
	}
	if err := p.Failed(); err != nil {
		t.Errorf("failed: %v, want no error", err)
	}
	p.verifyClone(t, mem)
	r.set(-1)
	if err := <-working; err != nil {
		t.Fatalf("after there was room: %v, want no error", err)
	}
	log.wait(t, "disk has room again")
	for name, f := range map[string]func() error{"Err": p.Err, "Full": p.Full, "Health": p.Health} {
		if err := f(); err != nil {
			t.Errorf("%s is %v after there was room, want no error", name, err)
		}
	}
	p.verifyClone(t, mem)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	p.verifyClone(t, mem)
}

// asker is a log that queries the store with each line.
type asker struct {
	events
	ask func() error
	got chan error
}

func (a *asker) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "disk full, waiting for room" {
		a.got <- a.ask()
	}
	return a.events.Handle(ctx, r)
}

// TestWhoReadsThatTheDiskIsFullFindsItSo: the log said it before Err did.
func TestWhoReadsThatTheDiskIsFullFindsItSo(t *testing.T) {
	t.Parallel()
	log := &asker{events: make(events, 100), got: make(chan error, 1)}
	d := &disk{log: slog.New(log)}
	s := &Store{disk: d}
	log.ask = s.Err
	d.begin(syscall.ENOSPC)
	if err := <-log.got; !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Err is %v when the log says that the disk is full, want %v", err, syscall.ENOSPC)
	}
	d.end()
	if err := s.Err(); err != nil {
		t.Errorf("Err is %v after there was room, want no error", err)
	}
}

func TestReadingGoesOnWhileTheDiskIsFull(t *testing.T) {
	t.Parallel()
	p, _, r, log := tight(t, "", syscall.ENOSPC)
	inv, err := p.do(5000, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.set(100)
	answered := make(chan error, 1)
	other, raw := p.make(5000)
	p.accept(store.Accept{Inv: other, Raw: raw}, func(err error) { answered <- err })
	log.wait(t, "disk full, waiting for room")
	switch _, raw, err := p.Load(t.Context(), inv.ID); {
	case err != nil:
		t.Errorf("load: %v, want no error", err)
	case len(raw) != 5000:
		t.Errorf("load: %v: got %v, want 5000", err, len(raw))
	}
	switch got, err := p.Take(t.Context(), inv.Lane, store.Ready{}, 1); {
	case err != nil:
		t.Errorf("next ready: %v, %v, want no error", got, err)
	case len(got) != 1:
		t.Errorf("next ready: %v, %v, want 1", got, err)
	}
	_, _ = p.Usage(), p.Stats()
	r.set(-1)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseDoesNotWaitForRoom(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{".log", ".sst", ""} {
		p, mem, r, log := tight(t, suffix, syscall.ENOSPC)
		inv, err := p.do(100, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.set(10)
		var all sync.WaitGroup
		for range 40 { // more than the queue holds are waiting
			all.Go(func() { _ = p.burst(50, 300) })
		}
		settled := make(chan error, 1)
		go func() { settled <- p.settle(inv, invocation.OutcomeDone, nil, true) }()
		log.wait(t, "disk full, waiting for room")
		if err := p.Close(); err != nil {
			t.Errorf("close: %v, want no error", err)
		}
		all.Wait() // everybody is answered
		if err := <-settled; err != nil && !errors.Is(err, store.ErrFailed) && !errors.Is(err, store.ErrClosed) {
			t.Errorf("the waiting operation gets %v", err)
		}
		p.verifyClone(t, mem)
	}
}

func TestCloseItselfCanMeetAFullDisk(t *testing.T) {
	t.Parallel()
	p, mem, r, _ := tight(t, "", syscall.ENOSPC)
	if err := p.lives(); err != nil {
		t.Fatal(err)
	}
	r.set(0) // the log's end is still to be written
	if err := p.Close(); err != nil {
		t.Errorf("close: %v, want no error", err)
	}
	p.verifyClone(t, mem)
}

func TestAStalledDiskIsSaid(t *testing.T) {
	t.Parallel()
	stalled, release := make(chan struct{}, 10), make(chan struct{})
	toggle := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSync {
			stalled <- struct{}{}
			<-release
		}
		return nil
	})}
	p := playerOn(t, errorfs.Wrap(vfs.NewCrashableMem(), toggle))
	p.stallAfter = -1 // anything takes too long
	toggle.On()
	answered := make(chan error, 1)
	inv, raw := p.make(10)
	p.accept(store.Accept{Inv: inv, Raw: raw}, func(err error) { answered <- err })
	<-stalled
	for name, f := range map[string]func() error{"Err": p.Err, "Full": p.Full, "Health": p.Health} {
		switch err := f(); {
		case err == nil:
			t.Errorf("%s is %v, want an error", name, err)
		case !strings.Contains(err.Error(), "disk stalled"):
			t.Errorf(`%s is %v, want "disk stalled" in Error`, name, err)
		}
	}
	close(release)
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	if err := p.Health(); err != nil {
		t.Errorf("health is %v afterwards, want no error", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestTheIntakeRestsBelowMinFree(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1000, TotalBytes: 5000})
	s, err := Open(Options{Dir: "data", FS: mem, MinFree: 1001})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	switch err := s.Full(); {
	case err == nil:
		t.Errorf("full is %v, want an error", err)
	case !strings.Contains(err.Error(), "store_min_free is 1001"):
		t.Errorf(`full is %v, want "store_min_free is 1001" in Error`, err)
	}
	if err := errors.Join(s.Err(), s.Health()); err != nil {
		t.Errorf("calls need not rest: %v, want no error", err)
	}
	if got := s.Usage().FreeBytes; got != 1000 {
		t.Errorf("%d bytes are free, want 1000", got)
	}
	mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1001, TotalBytes: 5000})
	s.checkSpace()
	if err := s.Full(); err != nil {
		t.Errorf("full is %v with enough room, want no error", err)
	}
}

func TestTheIntakeRestsAtMaxBytes(t *testing.T) {
	t.Parallel()
	s, err := Open(Options{MaxBytes: 100})
	if err != nil {
		t.Fatal(err)
	}
	p := newPlayer(s)
	defer func() { _ = p.Close() }()
	var last *invocation.Invocation
	for range 2 {
		if err := s.Full(); err != nil {
			t.Errorf("full is %v, want no error", err)
		}
		if last, err = p.do(50, nil); err != nil {
			t.Fatal(err)
		}
	}
	switch err := s.Full(); {
	case err == nil:
		t.Errorf("full is %v, want an error", err)
	case !strings.Contains(err.Error(), "store_max_bytes is 100"):
		t.Errorf(`full is %v, want "store_max_bytes is 100" in Error`, err)
	}
	if err := errors.Join(s.Err(), p.settle(last, invocation.OutcomeDone, nil, false), s.Full()); err != nil {
		t.Errorf("after one is done: %v, want no error", err)
	}
}

func TestResultsCountForMaxBytes(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	s, err := Open(Options{MaxBytes: 100, Now: func() time.Time { return time.Unix(0, clock.Load()) }})
	if err != nil {
		t.Fatal(err)
	}
	p := newPlayer(s)
	defer func() { _ = p.Close() }()
	clock.Store(p.time().UnixNano())
	p.ended(t)
	switch err := s.Full(); {
	case err == nil:
		t.Errorf("full is %v with %+v, want an error", err, s.Stats())
	case !strings.Contains(err.Error(), "store_max_bytes is 100"):
		t.Errorf(`full is %v with %+v, want "store_max_bytes is 100" in Error`, err, s.Stats())
	}
	clock.Add(int64(time.Hour))
	switch n, err := s.Sweep(t.Context()); {
	case n != 1:
		t.Errorf("swept: got %d, want 1", n)
	case err != nil:
		t.Errorf("sweep: got %v, want no error", err)
	case s.Full() != nil:
		t.Errorf("full after the sweep: got %v, want nil", s.Full())
	}
}
