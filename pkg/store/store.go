package store

// Opening and closing.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/semaphore"

	"queue-worker/pkg/invocation"
)

// Memory of Pebble. A memtable holds about ten thousand small invocations on
// their way through; the cache serves what has waited longer.
const (
	memtableBytes = 16 << 20
	cacheBytes    = 16 << 20
)

// Options say where and how to keep things.
type Options struct {
	// Dir is the data_dir; "" keeps everything in memory and writes no file.
	Dir string
	// Sync is store_sync: 0 syncs every commit; an interval is what a kill or a power cut may take.
	Sync time.Duration
	// MaxBytes bounds the QueueRequests that are stored; 0 for no bound.
	MaxBytes int64
	// MinFree is the free space in bytes below which nothing more is taken in; 0 for no bound.
	MinFree int64
	// Slots is how many invocations can be in hand at once.
	Slots   int
	Watcher Watcher // nil for none
	Metrics *Metrics
	Logger  *slog.Logger
	Now     func() time.Time // nil for time.Now
	FS      vfs.FS           // nil for the operating system's, or one in memory without Dir
}

// Store keeps invocations. Its methods may be called by many goroutines at once.
type Store struct {
	opts    Options
	log     *slog.Logger
	now     func() time.Time
	fs      vfs.FS
	dir     string // of Pebble's files
	durable bool
	watcher Watcher
	metrics *Metrics
	db      *pebble.DB
	lock    io.Closer

	counts    counts
	due       due
	marks     marks
	recovered Recovered

	// for the committer alone
	generation uint32
	dueCursor  []byte

	ops    chan op
	room   *semaphore.Weighted
	sync   chan *pebble.Batch
	synced chan error

	gate    sync.RWMutex // held shared while submitting
	closing bool

	stop      chan struct{} // closed to end the helpers
	committed chan struct{} // closed when the committer has ended
	helpers   sync.WaitGroup
	once      sync.Once
	running   bool // the committer was started

	patience *roomWait
	failure  fault
	failed   chan struct{}
	damage   fault
	tight    atomic.Pointer[error]
	free     atomic.Uint64
}

// Open opens the store, making the folder when it is missing, counts what is
// there, and settles what was in hand when the process before died. A folder
// that another process has is refused with ErrLocked, one of a newer layout with
// ErrNewer. The caller must call Close.
func Open(o Options) (*Store, error) {
	s := newStore(o)
	if err := s.openDB(); err != nil {
		return nil, err
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(explainOpen(o.Dir, err), s.Close())
	}
	return s, nil
}

func newStore(o Options) *Store {
	s := &Store{
		opts: o, log: o.Logger, now: o.Now, watcher: o.Watcher, metrics: o.Metrics,
		durable: o.Dir != "", fs: o.FS, dir: "store",
		counts: counts{lanes: map[invocation.Lane]*LaneStats{}}, due: due{at: never},
		ops: make(chan op, queueOps), room: semaphore.NewWeighted(queueBytes),
		sync: make(chan *pebble.Batch), synced: make(chan error, 1),
		stop: make(chan struct{}), committed: make(chan struct{}), failed: make(chan struct{}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	switch {
	case !s.durable:
		s.fs = vfs.NewMem()
	case s.fs == nil:
		s.fs = vfs.Default
	}
	if s.durable {
		s.dir = filepath.Join(o.Dir, "store")
		s.patience = &roomWait{log: s.log, closing: make(chan struct{})}
		s.fs = patientFS{FS: s.fs, wait: s.patience}
	}
	return s
}

// openDB locks the folder and opens Pebble in it.
func (s *Store) openDB() error {
	if err := s.fs.MkdirAll(s.dir, 0o700); err != nil {
		return explainOpen(s.opts.Dir, err)
	}
	lock, err := pebble.LockDirectory(s.dir, s.fs)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return explainOpen(s.opts.Dir, err)
		}
		return fmt.Errorf("data_dir %s: %w: each worker needs a folder of its own", s.opts.Dir, ErrLocked)
	}
	s.lock = lock
	s.db, err = pebble.Open(s.dir, s.pebbleOptions(lock))
	if err != nil {
		return errors.Join(explainOpen(s.opts.Dir, err), lock.Close())
	}
	return nil
}

func (s *Store) pebbleOptions(lock *pebble.Lock) *pebble.Options {
	o := &pebble.Options{
		FS: s.fs, Lock: lock, Logger: pebbleLog{s},
		FormatMajorVersion: pebble.FormatNewest,
		DisableWAL:         !s.durable,
		MemTableSize:       memtableBytes,
		CacheSize:          cacheBytes,
	}
	l := pebble.MakeLoggingEventListener(pebbleLog{s})
	o.EventListener = &pebble.EventListener{
		BackgroundError: func(err error) { s.log.Warn("store background work", "error", err) },
		DataCorruption:  func(i pebble.DataCorruptionInfo) { _ = s.damaged(i.Details) },
		DiskSlow:        l.DiskSlow,
	}
	return o
}

// start checks the layout, counts, starts the goroutines and looks at the marks.
func (s *Store) start() error {
	if err := s.checkLayout(); err != nil {
		return err
	}
	if err := s.count(); err != nil {
		return err
	}
	s.checkSpace()
	s.running = true
	go s.commitLoop()
	go s.syncLoop()
	if !s.durable {
		return nil
	}
	s.helpers.Go(s.watchSpace)
	if s.opts.Sync > 0 {
		s.helpers.Go(func() { s.flushLoop(s.opts.Sync) })
	}
	return s.openMarks(s.opts.Slots)
}

// checkLayout writes the layout's version into a new folder and compares it in
// an old one.
func (s *Store) checkLayout() error {
	v, closer, err := s.db.Get(versionKey)
	if errors.Is(err, pebble.ErrNotFound) {
		b := binary.BigEndian.AppendUint32(nil, layoutVersion)
		if !s.durable {
			return s.db.Set(versionKey, b, pebble.NoSync)
		}
		return s.db.Set(versionKey, b, pebble.Sync)
	}
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }()
	if len(v) != 4 {
		return errors.New("its layout version is damaged")
	}
	if found := binary.BigEndian.Uint32(v); found > layoutVersion {
		return fmt.Errorf("%w: layout %d, this program knows %d: upgrade the program", ErrNewer, found, layoutVersion)
	}
	return nil
}

// count takes the counts from the indexes.
func (s *Store) count() error {
	var d delta
	err := s.scanIndexes(func(e entry) error {
		d.place(e.lane, e.in, 1)
		d.bytes += int64(e.size)
		s.counts.total.AtStart++
		if e.in == inDead {
			d.deadBytes += int64(e.size)
		}
		if e.in == inDelayed && e.at.Before(s.due.at) {
			s.due.at = e.at
		}
		if len(d.places) == dueStep {
			s.counts.apply(&d)
			d = delta{}
		}
		return nil
	})
	s.counts.apply(&d)
	return err
}

// Durable reports whether what is stored outlives the process.
func (s *Store) Durable() bool { return s.durable }

// Close finishes what was submitted, syncs and closes. It may be called more
// than once. While the disk is full, and after it has failed, it does not wait
// but leaves the files as they are; what was confirmed is in them.
func (s *Store) Close() (err error) {
	s.once.Do(func() {
		s.gate.Lock()
		s.closing = true
		s.gate.Unlock()
		close(s.ops)
		s.awaitCommitter()
		close(s.stop)
		close(s.sync)
		s.helpers.Wait()
		if s.Failed() != nil {
			return
		}
		err = errors.Join(s.closeMarks(), s.db.Close(), s.lock.Close())
	})
	return err
}

// awaitCommitter waits until the committer has ended, and lets it give up when
// the disk is full.
func (s *Store) awaitCommitter() {
	if !s.running {
		return
	}
	tick := time.NewTicker(fullRetry)
	defer tick.Stop()
	for {
		select {
		case <-s.committed:
			return
		case <-tick.C:
			if s.Err() != nil {
				s.giveUp()
			}
		}
	}
}

// giveUp ends the waiting for room on a full disk; the writes fail then.
func (s *Store) giveUp() {
	if s.patience != nil {
		s.patience.once.Do(func() { close(s.patience.closing) })
	}
}
