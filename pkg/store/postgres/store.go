// Package postgres is the engine of the store on PostgreSQL.
//
// One committer writes. Operations that arrive while a batch is written share the next one. A batch
// is one transaction of two round trips: the first takes what changes out of its place and reads
// what decides, the second writes what follows and commits. Success is reported only after the
// commit. A batch whose commit was cut off is looked up by its number before anything else: it
// happened or not, and never twice.
//
//	operations --> first trip --> decisions --> second trip, commit --> counts, watcher, done
//
// An invocation in flight is owned by the session of its worker. A settlement of a session that
// does not own it any more is refused. The clock is that of the server.
//
// In this version one worker at a time uses a database: it has a lock on it, and gives a sign of life
// every second. One that gives none is fenced: it changes and owns nothing more. The package decides
// neither when nor how often an invocation is called.
package postgres

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/semaphore"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Options say where and how to keep things.
type Options struct {
	// URL is store_url, with the password where one is needed.
	URL string
	// Name is what other workers see of this one.
	Name string
	// MaxBytes bounds the QueueRequests that are stored; 0 for no bound.
	MaxBytes int64
	// EndTTL is how long it is remembered how invocations ended, 0 for not at all, and EndBytes what
	// that may take, 0 for no bound.
	EndTTL   time.Duration
	EndBytes int64
	// LastCallback makes the callback of a replayed invocation that is cancelled; nil for none.
	LastCallback func(inv *invocation.Invocation, raw []byte) *store.Accept
	Watcher      store.Watcher // nil for none
	// Away is called when the server can no longer be used, again while that lasts, and with nil when
	// it can be; may be nil.
	Away   func(error)
	Logger *slog.Logger
	Now    func() time.Time // nil for the server's clock
}

var _ store.Store = (*Store)(nil)

// Store keeps invocations. Its methods may be called by many goroutines at once.
type Store struct {
	opts    Options
	log     *slog.Logger
	now     func() time.Time
	watcher store.Watcher
	config  *pgx.ConnConfig
	pool    *pgxpool.Pool // for reading
	clock   clock
	session int32
	name    string
	secret  [32]byte

	counts    counts
	notes     notes
	due       due
	deadline  deadline
	dedup     dedup
	evicting  sync.Mutex
	recovered store.Recovered
	loader    loader
	lock      lock
	signs     signs
	disk      atomic.Uint64 // bytes of the tables

	ops    chan op
	room   *semaphore.Weighted
	began  atomic.Int64 // when the committer began its batch, Unix nanoseconds; 0 when idle
	seq    int64        // of the latest batch, for the committer alone
	commit link         // the committer's connection

	quit      chan struct{} // closed when Close begins
	gate      sync.RWMutex  // held shared while submitting or reading
	closed    bool
	once      sync.Once
	life      context.Context // of connections and of waiting for the server; ends at the end of Close
	end       context.CancelFunc
	committed chan struct{} // closed when the committer has ended
	helpers   sync.WaitGroup

	away    away
	failure atomic.Pointer[error]
	failed  chan struct{}
}

// Open opens the store: it creates or upgrades the tables, counts what is there, and settles what
// was in flight at a crash. It waits for ever for a server that cannot be reached. A database that
// another worker uses is refused with store.ErrLocked, one of a newer layout with store.ErrNewer.
// The caller must call Close.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := newStore(o)
	if err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		s.abandon()
		return nil, err
	}
	return s, nil
}

func newStore(o Options) (*Store, error) {
	config, err := ParseURL(o.URL)
	if err != nil {
		return nil, err
	}
	s := &Store{
		opts: o, log: o.Logger, watcher: o.Watcher, config: config, name: o.Name,
		counts: newCounts(), notes: notes{all: map[string][]byte{}}, due: due{at: never}, deadline: deadline{at: never}, dedup: dedup{named: map[int64]struct{}{}},
		ops: make(chan op, queueOps), room: semaphore.NewWeighted(queueBytes),
		quit: make(chan struct{}), committed: make(chan struct{}), failed: make(chan struct{}),
		loader: loader{asked: make(chan *loading, loadMost), owned: map[invocation.ID]struct{}{}}, signs: signs{base: time.Now()},
	}
	if o.Away == nil {
		s.opts.Away = func(error) {}
	}
	s.life, s.end = context.WithCancel(context.Background())
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now = o.Now; s.now == nil {
		s.now = s.clock.Now
	}
	s.commit = link{config: config, setup: setupWriter}
	s.loader.link = link{config: config, setup: setupLoader}
	return s, nil
}

// open does everything that can fail, in an order in which a start that is cut short does no harm.
func (s *Store) open(ctx context.Context) (err error) {
	if err := s.refusePooler(ctx); err != nil { // before the lock, which needs a session
		return err
	}
	if err := s.reach(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		s.warnOfServer, s.migrate, s.openMeta, s.beginSession, s.openNotes, s.openEnds, s.count,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	go s.commitLoop()
	s.helpers.Go(s.loadLoop)
	s.helpers.Go(s.measureLoop)
	if err := s.recover(ctx); err != nil {
		_ = s.Close()
		return err
	}
	return nil
}

// abandon lets go of what a start that has failed has opened.
func (s *Store) abandon() {
	s.end()
	s.helpers.Wait()
	s.lock.close()
	if s.pool != nil {
		s.pool.Close()
	}
}

// Durable reports whether what is stored outlives the process.
func (s *Store) Durable() bool { return true }

// Now is the time of the store, by which invocations become due.
func (s *Store) Now() time.Time { return s.now() }
