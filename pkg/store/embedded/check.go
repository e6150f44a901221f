// File check.go checks a store that no worker uses. It reads everything, says in plain
// sentences what is wrong, and changes nothing.

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/datadir"
	"queue-worker/pkg/store"
)

// maxFindings bounds what a report lists; it counts the rest.
const maxFindings = 100

// checkPatience is how long a check may go without reading anything or coming to a further
// key. A large block takes a second on a slow disk.
const checkPatience = 5 * time.Minute

// checkPeriod is how often a check looks whether a worker has started.
const checkPeriod = time.Second

// Report is what a check has found.
type Report struct {
	Tables               int   // files of Pebble that hold data
	Invocations          int   // records
	Bytes                int64 // of their QueueRequests
	Ready, Delayed, Dead int   // index entries
	Marks                int   // dedup records
	InFlight             int   // in-flight markers left by a crash
	Notes, Ends          int   // ends: outcomes that are remembered
	Keys                 int   // idempotency keys
	Results              int   // of finished invocations
	ResultBytes          int64 // that they take

	Findings []string // what is wrong, a sentence each
	More     int      // findings beyond those
}

// OK reports whether nothing is wrong.
func (r *Report) OK() bool { return len(r.Findings) == 0 }

// findings are collected by the check and read by who waits for it.
type findings struct {
	mu   sync.Mutex
	list []string
	more int
}

func (f *findings) find(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) == maxFindings {
		f.more++
		return
	}
	f.list = append(f.list, fmt.Sprintf(format, args...))
}

// into completes a report.
func (f *findings) into(r Report) Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	r.Findings, r.More = append([]string(nil), f.list...), f.more
	return r
}

// Check reads the whole store in a data_dir and reports what it finds. progress, unless nil,
// is called with the part that is being checked.
//
// It changes nothing in the folder. It returns at once when ctx ends, with its error, and
// leaves a goroutine behind that ends with its next read. It returns a report for damage of
// any kind, also where Pebble panics or stands still. Any other error means that there was
// nothing to check: no store is there, ErrLocked when a worker uses it or starts, ErrNewer when a newer
// version wrote it, datadir.ErrNotPlain when a symbolic link is in it.
func Check(ctx context.Context, dir string, progress func(string)) (Report, error) {
	return check(ctx, Options{Dir: dir}, progress)
}

func check(ctx context.Context, o Options, progress func(string)) (Report, error) {
	s := newStore(o)
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	fsys := newCheckFS(ctx, s.raw, func(err error) { end(explain(o.Dir, err)) })
	c := newChecker(s, fsys.steps, progress)
	if err := c.lockForReading(); err != nil {
		return Report{}, err
	}
	s.raw, s.fs = fsys, fsys
	defer c.watch(end)()
	r, err := c.await(ctx)
	if started := c.started(); started != nil {
		return Report{}, started
	}
	return r, err
}

// watch ends a check when a worker starts, until the returned function is called.
func (c *checker) watch(end context.CancelCauseFunc) (stop func()) {
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(checkPeriod)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			if err := c.started(); err != nil {
				end(err)
				return
			}
		}
	})
	return func() { close(done); watching.Wait() }
}

// lockForReading finds out that no worker has the folder, once it is known to be one of a store. A
// worker may start nevertheless, see started.
func (c *checker) lockForReading() (err error) {
	s := c.s
	if _, ours := s.raw.(plainFS); ours {
		if err := datadir.Check(s.opts.Dir); err != nil {
			return explain(s.opts.Dir, err)
		}
		s.raw, c.visits = onlookerFS{plainFS{vfs.Default}}, true
	}
	c.holder = readHolder(s.raw, s.dir)
	return s.lockForReading()
}

func (s *Store) lockForReading() (err error) {
	dir := s.opts.Dir
	if _, err := s.raw.Stat(s.dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("data_dir %s: there is no store in it", dir)
		}
		return explain(dir, err)
	}
	s.lock, err = lockDirectory(s.raw, s.dir)
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("data_dir %s: %w: stop the worker first", dir, err)
	}
	if err != nil {
		return explain(dir, err)
	}
	return nil
}

// started returns an error when a worker has started since the check began. What was read since then says
// nothing about the store.
func (c *checker) started() error {
	if !c.visits {
		return nil
	}
	err := visit(c.s.dir)
	if err == nil && readHolder(plainFS{vfs.Default}, c.s.dir) != c.holder {
		err = store.ErrLocked
	}
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("data_dir %s: a worker started during the check: %w: stop the worker and check again", c.s.opts.Dir, err)
	}
	return nil
}

// await runs the check, and returns without it when ctx ends or it makes no progress.
func (c *checker) await(ctx context.Context) (Report, error) {
	returned, err := c.s.attend(ctx, c.steps, c.run)
	switch {
	case ctx.Err() != nil:
		return Report{}, context.Cause(ctx)
	case errors.Is(err, errNoProgress):
		c.find("the check %v in %s: the disk does not answer, or a file is damaged", err, c.where())
		return c.into(Report{}), nil // c.Report may still be written to
	case !returned:
		c.find("the check ended in %s: %v", c.where(), plainly(err))
		return c.into(Report{}), nil
	case err != nil:
		return Report{}, err
	}
	return c.into(c.Report), nil
}

var errNoProgress = fmt.Errorf("made no progress for %s", checkPatience)

// attend is unlessFailed for reading files of any content: it also returns when ctx ends, and when
// steps do not rise for too long.
func (s *Store) attend(ctx context.Context, steps *steps, f func() error) (returned bool, err error) {
	type end struct {
		returned bool
		err      error
	}
	ended := make(chan end, 1)
	go func() {
		returned, err := s.unlessFailed(f)
		ended <- end{returned, err}
	}()
	tick := time.NewTicker(checkPatience)
	defer tick.Stop()
	for last := int64(-1); ; {
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case e := <-ended:
			return e.returned, e.err
		case <-tick.C:
			now := steps.count.Load()
			if now == last {
				return false, errNoProgress
			}
			last = now
		}
	}
}

// where says what the check was doing.
func (c *checker) where() string {
	where := "its step \"opening\""
	if step := c.step.Load(); step != nil {
		where = fmt.Sprintf("its step %q", *step)
	}
	if file := c.steps.lastFile(); file != "" {
		where += ", the last file was " + path.Join(storeFolder, file)
	}
	return where
}

type checker struct {
	Report
	findings
	s      *Store
	visits bool   // it locks nothing
	holder string // of the folder before the check
	steps  *steps
	tell   func(string)
	step   atomic.Pointer[string] // what is being looked at
	asked  *keyLister
	tally  tally           // derived keys
	unread map[string]bool // kinds of keys that could not be looked up
}

func newChecker(s *Store, steps *steps, progress func(string)) *checker {
	if progress == nil {
		progress = func(string) {}
	}
	return &checker{
		s: s, steps: steps, tell: progress, tally: newTally(), unread: map[string]bool{},
	}
}

// ended counts a key, and returns an error when the check has to end.
func (c *checker) ended() error {
	c.steps.count.Add(1)
	return c.steps.ended()
}

func (c *checker) progress(step string) {
	c.step.Store(&step)
	c.tell(step)
}

// run reads everything. After a panic it closes nothing, as Pebble may hold locks then.
func (c *checker) run() (err error) {
	sound := false
	defer func() {
		if sound {
			err = errors.Join(err, c.close())
		}
	}()
	err = c.read()
	sound = true
	return err
}

func (c *checker) close() error {
	if c.s.db != nil {
		_ = c.s.db.Close() // nothing was written
	}
	return c.s.lock.Close()
}

func (c *checker) read() (err error) {
	s := c.s
	c.progress("opening")
	if err = s.openReadOnly(); err != nil {
		if errors.Is(err, pebble.ErrDBDoesNotExist) {
			return fmt.Errorf("data_dir %s: there is no store in it", s.opts.Dir)
		}
		c.find("the store cannot be opened: %v", plainly(err))
		return nil
	}
	if err := c.layout(); err != nil {
		return explain(s.opts.Dir, err)
	}
	c.asked = newKeyLister(s)
	c.progress("tables")
	c.tables()
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"logs", c.logs}, {"levels", c.levels}, {"invocations", c.records}, {"results", c.kept}, {"indexes", c.indexes},
		{"the rest", c.rest}, {"in flight", c.inFlight},
	} {
		c.progress(step.name)
		step.do()
	}
	return nil
}

// openReadOnly opens Pebble without writing. Its tables are looked at one by one, when they are read.
func (s *Store) openReadOnly() (err error) {
	o := s.pebbleOptions()
	o.ReadOnly, o.DisableConsistencyCheck, o.DisableTableStats = true, true, true
	s.db, err = pebble.Open(s.dir, o)
	return err
}

// layout returns ErrNewer, and notes any other thing wrong with the version.
func (c *checker) layout() error {
	_, err := c.s.layout()
	switch {
	case errors.Is(err, store.ErrNotFound):
		c.find("the layout version is missing")
	case errors.Is(err, store.ErrNewer):
		return err
	case err != nil:
		c.find("the layout version cannot be read: %v", plainly(err))
	}
	return nil
}

// openTable opens a table by itself.
func (s *Store) openTable(name string) (*sstable.Reader, error) {
	f, err := s.raw.Open(s.raw.PathJoin(s.dir, name))
	if err != nil {
		return nil, err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return nil, closing(err, f)
	}
	o := s.pebbleOptions()
	o.EnsureDefaults()
	return sstable.NewReader(context.Background(), readable, o.MakeReaderOptions()) // closes readable, also after an error
}

func (s *Store) checkTable(name string) error {
	r, err := s.openTable(name)
	if err != nil {
		return err
	}
	return closing(r.ValidateBlockChecksums(), r)
}
