// File jobs.go loads, runs and lists jobs.

package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Store is what jobs need of the store; see there for what the methods promise.
type Store interface {
	store.Letters
	store.Lookup
	store.Acts
	store.Tallies
	store.Notes
	store.Counts
	// Err is nil while anything can be written.
	Err() error
}

// Options are what Jobs need. All but the last three are required.
type Options struct {
	Store Store
	// Filter reads a filter as Request.Filter has it.
	Filter func(json.RawMessage) (store.Filter, error)
	// Waiting returns how many invocations of a lane are ready, without those
	// in flight; a replay waits while there are more than MaxInflight.
	Waiting     func(context.Context, invocation.Lane) (int, error)
	MaxInflight int
	// FirstWait is the longest that the first retry of an invocation of a lane waits; nil: not known.
	FirstWait func(invocation.Lane) time.Duration
	// InFlight reports whether an invocation is being called; a purge leaves it alone.
	InFlight func(invocation.ID) bool
	Metrics  *Metrics         // nil: nothing is counted
	Logger   *slog.Logger     // nil: nothing is logged
	Now      func() time.Time // the wall clock; nil for time.Now
}

// Bounds of what is kept and done at once.
const (
	maxOpen     = 200                // jobs that are not over
	maxOver     = 1000               // jobs that are
	keepOver    = 7 * 24 * time.Hour // how long those are kept
	planExpiry  = time.Hour          // how long a plan can be applied
	atOnce      = 4                  // jobs that work; more wait in turn
	plansAtOnce = 2
	keepPeriod  = time.Minute // how often it is looked for what has expired
)

// Jobs are all jobs of a store. Make them with New, let them Run once. The
// methods may be called by many goroutines at once.
type Jobs struct {
	Options
	log      *slog.Logger
	now      func() time.Time
	turns    chan struct{} // holds a token for every job that works
	planning chan struct{} // holds a token for every plan that is being made

	mu      sync.Mutex
	all     map[invocation.ID]*job
	running context.Context // of Run; nil before and after it
	workers sync.WaitGroup  // goroutines of open jobs
}

// job is one job. Its goroutine, which begins when it is applied and ends when it
// has finished, is the only one that changes its progress and its way.
type job struct {
	id   invocation.ID
	wake chan struct{} // holds a token when the state has changed
	// writing is held while the record is written, so that notes reach the store in
	// their order. A channel, because who waits for it has a context.
	writing chan struct{}

	// for its goroutine alone
	next   time.Time     // when the next step may begin, by the rate
	logged time.Time     // when its progress was last logged
	polled time.Time     // when those that it watches were looked at
	poll   time.Duration // the latest wait for live work

	alive bool // it has its goroutine, or had it; guarded by the mutex of Jobs

	mu   sync.Mutex
	rec  record
	hold string // why it holds just now, "" when it does not
}

func newJob(r record) *job {
	return &job{id: r.ID, rec: r, wake: make(chan struct{}, 1), writing: make(chan struct{}, 1)}
}

// New makes jobs and loads those that the store has. Nothing is done before Run.
func New(o Options) *Jobs {
	j := &Jobs{
		Options: o, log: o.Logger, now: o.Now, all: map[invocation.ID]*job{},
		turns: make(chan struct{}, atOnce), planning: make(chan struct{}, plansAtOnce),
	}
	if j.log == nil {
		j.log = slog.New(slog.DiscardHandler)
	}
	if j.now == nil {
		j.now = time.Now
	}
	j.load()
	o.Metrics.watch(j.count)
	return j
}

// load reads the notes. One that cannot be read stays where it is, for a newer
// version of this program.
func (j *Jobs) load() {
	for name, value := range j.Store.Notes(notePrefix) {
		r, err := readRecord(name, value)
		if err != nil {
			j.log.Warn("cannot read job, skipped", "note", name, "error", err)
			continue
		}
		j.all[r.ID] = newJob(r)
		if r.State == Running {
			j.log.Info("job resumed after restart", j.progress(&r)...)
		}
	}
}

// Run works on what is applied until ctx ends: jobs that were running continue, those
// that were paused stay so. It returns when all work has ended. Call it once.
func (j *Jobs) Run(ctx context.Context) {
	j.mu.Lock()
	j.running = ctx
	for _, b := range j.all {
		j.launch(b)
	}
	j.mu.Unlock()
	j.tidy(ctx)
	j.mu.Lock()
	j.running = nil
	j.mu.Unlock()
	j.workers.Wait()
}

// launch starts the goroutine of a job that is applied and not over, unless it
// has one. The lock is held.
func (j *Jobs) launch(b *job) {
	ctx, s := j.running, b.state()
	if ctx == nil || b.alive || s == Planned || s.IsOver() {
		return
	}
	b.alive = true
	j.workers.Go(func() { j.work(ctx, b) })
}

// Get is a job as it is now. ErrNotFound when there is none with this id.
func (j *Jobs) Get(id invocation.ID) (Job, error) {
	b, err := j.find(id)
	if err != nil {
		return Job{}, err
	}
	return j.view(b), nil
}

// List is all jobs, the newest first.
func (j *Jobs) List() []Job {
	j.mu.Lock()
	all := make([]*job, 0, len(j.all))
	for _, b := range j.all {
		all = append(all, b)
	}
	j.mu.Unlock()
	views := make([]Job, len(all))
	for i, b := range all {
		views[i] = j.view(b)
	}
	slices.SortFunc(views, func(a, b Job) int { return bytes.Compare(b.ID[:], a.ID[:]) })
	return views
}

func (j *Jobs) find(id invocation.ID) (*job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if b := j.all[id]; b != nil {
		return b, nil
	}
	return nil, ErrNotFound
}

// view is a job as others see it.
func (j *Jobs) view(b *job) Job {
	b.mu.Lock()
	v, hold := b.rec.Job, b.hold
	b.mu.Unlock()
	v.Tally = j.outcomes(&v)
	if v.State != Running {
		return v
	}
	if err := j.Store.Err(); err != nil {
		hold = forStore(err)
	}
	if hold != "" {
		v.State, v.Reason = Waiting, hold
	}
	return v
}

// outcomes are the counts of a replay; nil where they are not known: of a plan, of other acts, and
// of a job that a version without counts has begun.
func (j *Jobs) outcomes(v *Job) *store.Tally {
	if !v.Counted || v.Applied.IsZero() {
		return nil
	}
	t, _, err := j.Store.Tally(context.Background(), v.ID)
	if err != nil {
		return nil
	}
	return &t
}

// count is how many jobs are in each state.
func (j *Jobs) count() map[State]int {
	n := map[State]int{}
	for _, v := range j.List() {
		n[v.State]++
	}
	return n
}

func (b *job) state() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rec.State
}

// record is a copy of the record that can be changed.
func (b *job) record() record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rec.fork()
}

// errNotRunning: the job was paused, stopped or cancelled meanwhile.
var errNotRunning = errors.New("the job is not running")
