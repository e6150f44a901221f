// File store.go opens a store.

// Package embedded is the engine of the store in the process: a key-value store of Pebble under
// a folder or, without one, in memory. keys.go shows the layout.
//
// One committer writes. A change of state of an invocation is one part of one batch,
// operations that arrive meanwhile share a batch, and success is reported only when the
// batch is on disk. So an invocation is in one place at any instant, and no crash leaves
// it in two or in none.
//
// The package decides neither when nor how often an invocation is called, and knows no NATS and
// no HTTP.
package embedded

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/semaphore"

	"queue-worker/pkg/datadir"
	"queue-worker/pkg/descriptor"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Options say where and how to keep things.
type Options struct {
	// Dir is the data_dir; "" keeps everything in memory and writes no file.
	Dir string
	// Sync is store_sync: 0 syncs every commit. With an interval, a kill or a power
	// cut takes at most what was confirmed during the latest interval, from its
	// end: what survives is what was confirmed up to some instant.
	Sync time.Duration
	// MaxBytes bounds the QueueRequests that are stored; 0 for no bound.
	MaxBytes int64
	// MinFree is the free space in bytes below which nothing more is accepted; 0 for no bound.
	MinFree int64
	// EndTTL is how long it is remembered how invocations ended, 0 for not at all, and EndBytes what
	// that may take, 0 for no bound. One segment of them (see ends.go) may be beyond it.
	EndTTL   time.Duration
	EndBytes int64
	// Slots is how many invocations can be in flight at once.
	Slots int
	// Descriptors logs when no file descriptor is free; nil for a monitor of its own.
	Descriptors *descriptor.Monitor
	// LastCallback makes the callback of a replayed invocation that is cancelled while it is
	// pending, which is written in the batch that cancels it; nil for none. It must not block and
	// must not call the store; the request is valid during the call only.
	LastCallback func(inv *invocation.Invocation, raw []byte) *store.Accept
	Watcher      store.Watcher // nil for none
	Metrics      *Metrics
	Logger       *slog.Logger
	Now          func() time.Time // nil for time.Now
	FS           vfs.FS           // nil for the operating system's; without Dir it is one in memory

	doubtful bool // a table that the MANIFEST does not name and that cannot be read may be one of the store

	tune    func(*pebble.Options) // for tests: smaller sizes
	lanes   int                   // for tests: lanes that are counted one by one; 0 for mostLanes
	patient bool                  // for tests whose disk is slow: Close waits for as long as it takes
	kept    int                   // for tests: bytes of accepted invocations in memory; 0 for acceptedBytes
}

var _ store.Store = (*Store)(nil)

// Store keeps invocations. Its methods may be called by many goroutines at once.
type Store struct {
	opts    Options
	log     *slog.Logger
	now     func() time.Time
	fs      vfs.FS // through disk
	raw     vfs.FS // past it
	dir     string // of Pebble's files
	durable bool
	watcher store.Watcher
	metrics *Metrics
	db      *pebble.DB
	lock    *pebble.Lock
	disk    *disk

	counts    counts
	notes     notes
	tallies   tallies
	handover  *handover
	evicting  eviction
	secret    [32]byte // of fingerprints, see once.go
	due       due
	deadline  deadline
	marks     marks
	recovered store.Recovered

	// for the committer alone
	dedup     dedup
	ends      ends
	dueCursor []byte
	dueWait   time.Duration // after the latest error of reading due invocations; 0 for none
	sweepFrom []byte        // nothing in the expiry index comes before it

	ops    chan op
	room   *semaphore.Weighted
	sync   chan *pebble.Batch
	synced chan error
	began  atomic.Int64 // when the committer began its batch, Unix nanoseconds; 0 when idle

	quit   chan struct{} // closed when Close begins
	gate   sync.RWMutex  // held shared while submitting or reading
	closed bool

	stop      chan struct{} // closed to end the helpers
	committed chan struct{} // closed when the committer has ended
	helpers   sync.WaitGroup
	once      sync.Once
	running   bool // the committer was started

	stallAfter time.Duration
	closeAfter time.Duration
	failure    fault
	failed     chan struct{}
	damage     fault
	tight      atomic.Pointer[error]
	free       atomic.Uint64
}

// Open opens the store, making the folder when it is missing, counts what is
// there, and settles what was in flight at a crash. It waits while the disk is full. A folder
// that another process has is refused with ErrLocked, one of a newer layout with
// ErrNewer. The caller must call Close.
func Open(o Options) (*Store, error) {
	return newStore(o).start()
}

func (s *Store) start() (*Store, error) {
	dir := s.opts.Dir
	returned, err := s.unlessFailed(s.open)
	switch {
	case !returned: // its goroutine stands still or has panicked; the folder stays locked for it
		return nil, explain(dir, err)
	case err != nil:
		return nil, errors.Join(explain(dir, err), s.Close())
	}
	s.disk.open.Store(true)
	if err := s.Failed(); err != nil { // by a compaction that began meanwhile
		return nil, errors.Join(explain(dir, err), s.Close())
	}
	return s, nil
}

// storeFolder is the folder of the store in a data_dir.
const storeFolder = datadir.Store

func newStore(o Options) *Store {
	s := &Store{
		opts: o, log: o.Logger, now: o.Now, watcher: o.Watcher, metrics: o.Metrics,
		durable: o.Dir != "", fs: o.FS, dir: storeFolder,
		counts: newCounts(), due: due{at: never}, deadline: deadline{at: never}, notes: notes{all: map[string][]byte{}}, tallies: tallies{all: map[invocation.ID]store.Tally{}}, handover: newHandover(cmp.Or(o.kept, acceptedBytes)),
		ops: make(chan op, queueOps), room: semaphore.NewWeighted(queueBytes),
		sync: make(chan *pebble.Batch), synced: make(chan error, 1),
		quit: make(chan struct{}), stop: make(chan struct{}), committed: make(chan struct{}), failed: make(chan struct{}),
		stallAfter: stallAfter, closeAfter: closeWait,
	}
	if o.lanes > 0 {
		s.counts.most = o.lanes
	}
	if o.patient {
		s.closeAfter = time.Hour
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
		s.fs = plainFS{vfs.Default}
	}
	if o.Descriptors == nil {
		o.Descriptors = descriptor.NewMonitor(s.log)
	}
	s.disk = &disk{log: s.log, fail: s.fail, abandon: make(chan struct{}), descriptors: o.Descriptors}
	s.raw = s.fs
	if s.durable {
		s.dir = filepath.Join(o.Dir, storeFolder)
		s.fs = watchedFS{s.fs, s.disk}
	}
	return s
}

// errPanicked is wrapped by the failure of a store whose files made Pebble panic.
var errPanicked = errors.New("panic over damaged files")

// unlessFailed returns what f returns, or the failure of the store when that
// comes first; f then stands still, or has panicked. Damaged files can make
// Pebble panic, and this is the one place that catches it.
func (s *Store) unlessFailed(f func() error) (returned bool, err error) {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				s.log.Debug("panic while reading the store", "panic", r, "stack", string(debug.Stack()))
				_ = s.fail(fmt.Errorf("%w: %v", errPanicked, r))
			}
		}()
		done <- f()
	}()
	select {
	case err := <-done:
		return true, err
	case <-s.failed:
		return false, s.Failed()
	}
}

// open takes the folder, opens Pebble, checks the layout, counts, starts the
// goroutines and reads the in-flight markers.
func (s *Store) open() (err error) {
	if _, ours := s.raw.(plainFS); ours {
		_, err := patiently(s.disk, func() (struct{}, error) { return struct{}{}, datadir.Check(s.opts.Dir) })
		if err != nil {
			return err
		}
	}
	if s.durable {
		s.raw = patientFS{s.raw, s.disk}
		s.fs = watchedFS{s.raw, s.disk}
	}
	if err := s.disk.withRoom(s.takeFolder); err != nil {
		return err
	}
	if s.db, err = pebble.Open(s.dir, s.pebbleOptions()); err != nil {
		return err
	}
	found, err := s.layout()
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err := errors.Join(s.count(), s.countKept(), s.openDedup(), s.openNotes(), s.openEnds(), s.openTallies()); err != nil {
		return err
	}
	if err := errors.Join(s.openSecret(), s.setLayout(found), s.openDeadlines(), s.dropUnfinished()); err != nil {
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
	return s.disk.withRoom(s.openMarks)
}

// setLayout writes the version of the layout into a store that has none or an older one.
// order matters: the version is durable before anything is written that an older program
// would not understand.
func (s *Store) setLayout(found uint32) error {
	if found == layoutVersion {
		return nil
	}
	if found > 0 && found < 3 {
		if err := s.addDeadlines(); err != nil {
			return err
		}
	}
	opts := pebble.Sync
	if !s.durable {
		opts = pebble.NoSync
	}
	err := s.db.Set(versionKey, binary.BigEndian.AppendUint32(nil, layoutVersion), opts)
	if err == nil && found > 0 {
		s.log.Info("store upgraded", "from_layout", found, "to_layout", layoutVersion,
			"hint", "an older version of this program refuses the store from now on")
	}
	return err
}

// layout reads the version of the layout. ErrNotFound when there is none, as in a new store,
// ErrNewer for one that this program does not know.
func (s *Store) layout() (found uint32, err error) {
	err = s.look(versionKey, func(v []byte) (err error) {
		found, err = parseLayout(v)
		return err
	})
	return found, err
}

func parseLayout(v []byte) (uint32, error) {
	if len(v) != 4 {
		return 0, errors.New("its layout version is damaged")
	}
	found := binary.BigEndian.Uint32(v)
	if found > layoutVersion {
		return found, fmt.Errorf("%w: layout %d, this program knows %d: upgrade the program", store.ErrNewer, found, layoutVersion)
	}
	return found, nil
}

// count takes the counts from the indexes.
func (s *Store) count() error {
	var d delta
	err := s.scanIndexes(func(e entry) error {
		d.bytes += int64(e.size)
		s.counts.total.AtStart++
		if e.in == inDead {
			d.dead(e.lane, 1, e.size)
		} else {
			d.pend(e.lane, e.in, e.source, 1)
		}
		if e.in == inDelayed && e.at.Before(s.due.at) {
			s.due.at = e.at
		}
		if len(d.places) == dueStep {
			s.counts.apply(&d)
			d = delta{places: d.places[:0]}
		}
		return nil
	})
	s.counts.apply(&d)
	return err
}

// countKept counts idempotency keys and results.
func (s *Store) countKept() error {
	var d delta
	err := s.each(expiryPrefix, after(expiryPrefix), func(key, value []byte) (bool, error) {
		e, err := parseExpiry(key, value)
		switch {
		case err != nil:
			_ = s.damaged(err) // costs this entry only
		case e.of == ofClaim:
			d.keys++
		default:
			d.results++
			d.resultBytes += int64(e.size)
		}
		return true, nil
	})
	s.counts.apply(&d)
	return err
}

// Durable reports whether what is stored outlives the process.
func (s *Store) Durable() bool { return s.durable }
