package store

// The check of a store that no worker uses: everything is read, and what does
// not agree is said in plain sentences. Nothing is changed.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// maxFindings bounds what a report lists; it counts the rest.
const maxFindings = 100

// Report is what a check has found.
type Report struct {
	Tables               int   // files of Pebble that hold data
	Invocations          int   // records
	Bytes                int64 // of their QueueRequests
	Ready, Delayed, Dead int   // index entries
	Marks                int   // messages known at the door
	InHand               int   // marks of what was in hand when the worker died
	Notes                int
	Keys                 int   // idempotency keys
	Results              int   // of invocations that are over
	ResultBytes          int64 // that they take

	Findings []string // what is wrong, a sentence each
	More     int      // findings beyond those
}

// OK reports whether nothing is wrong.
func (r *Report) OK() bool { return len(r.Findings) == 0 }

func (r *Report) find(format string, args ...any) {
	if len(r.Findings) == maxFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, fmt.Sprintf(format, args...))
}

// Check reads the whole store in a data_dir and reports what it finds. progress,
// unless nil, is told what is being looked at. An error means that there was
// nothing to check: no store is there, ErrLocked when a worker uses it, ErrNewer
// when a newer version wrote it.
func Check(dir string, progress func(string)) (Report, error) {
	return check(Options{Dir: dir}, progress)
}

func check(o Options, progress func(string)) (Report, error) {
	if progress == nil {
		progress = func(string) {}
	}
	s := newStore(o)
	c := &checker{s: s, progress: progress, places: newTally(), callIDs: newTally(), beside: newTally()}
	if _, err := s.raw.Stat(s.dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return c.Report, fmt.Errorf("data_dir %s: there is no store in it", o.Dir)
		}
		return c.Report, explain(o.Dir, err)
	}
	lock, err := lockDirectory(s.raw, s.dir)
	if errors.Is(err, ErrLocked) {
		return c.Report, fmt.Errorf("data_dir %s: %w: stop the worker first", o.Dir, err)
	}
	if err != nil {
		return c.Report, explain(o.Dir, err)
	}
	s.lock = lock
	err = c.run()
	return c.Report, closing(err, lock)
}

type checker struct {
	Report
	s        *Store
	progress func(string)
	places   tally // index entries
	callIDs  tally // keys of call ids
	beside   tally // what stands beside idempotency keys and results
}

func (c *checker) run() error {
	s := c.s
	o := s.pebbleOptions()
	o.FS, o.ReadOnly, o.DisableConsistencyCheck = s.raw, true, true // the tables are looked at one by one
	c.progress("opening")
	var err error
	if s.db, err = pebble.Open(s.dir, o); err != nil {
		if errors.Is(err, pebble.ErrDBDoesNotExist) {
			return fmt.Errorf("data_dir %s: there is no store in it", s.opts.Dir)
		}
		c.find("the store cannot be opened: %v", plainly(err))
		return nil
	}
	defer func() { _ = s.db.Close() }()
	if err := c.layout(); err != nil {
		return explain(s.opts.Dir, err)
	}
	c.progress("tables")
	c.tables(o)
	c.progress("levels")
	if err := s.db.CheckLevels(nil); err != nil {
		c.find("the levels of the store do not agree: %v", plainly(err))
	}
	c.progress("invocations")
	c.records()
	c.progress("indexes")
	c.indexes()
	c.progress("call ids")
	c.calls()
	c.progress("results")
	c.kept()
	c.progress("the rest")
	c.rest()
	c.inHand()
	return nil
}

// layout returns ErrNewer, and notes any other thing wrong with the version.
func (c *checker) layout() error {
	err := c.s.look(versionKey, knownLayout)
	switch {
	case errors.Is(err, ErrNotFound):
		c.find("the layout version is missing")
	case errors.Is(err, ErrNewer):
		return err
	case err != nil:
		c.find("the layout version cannot be read: %v", plainly(err))
	}
	return nil
}

// tables reads every block of every table and compares its checksum.
func (c *checker) tables(o *pebble.Options) {
	levels, err := c.s.db.SSTables()
	if err != nil {
		c.find("the tables cannot be listed: %v", plainly(err))
		return
	}
	o.EnsureDefaults()
	for _, level := range levels {
		for _, t := range level {
			c.Tables++
			name := t.BackingSSTNum.String() + ".sst"
			if err := checkTable(c.s.raw, c.s.raw.PathJoin(c.s.dir, name), o.MakeReaderOptions()); err != nil {
				c.find("table %s is damaged: %v", name, plainly(err))
			}
		}
	}
}

func checkTable(fsys vfs.FS, path string, o sstable.ReaderOptions) error {
	f, err := fsys.Open(path)
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return closing(err, f)
	}
	r, err := sstable.NewReader(context.Background(), readable, o) // closes readable, also after an error
	if err != nil {
		return err
	}
	return closing(r.ValidateBlockChecksums(), r)
}

// inHand counts the marks of the process before.
func (c *checker) inHand() {
	f, err := c.s.raw.Open(c.s.raw.PathJoin(c.s.dir, marksFile))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		ids, _, readErr := readMarks(f)
		c.InHand = len(ids)
		err = closing(readErr, f)
	}
	if err != nil {
		c.find("the marks of what is in hand cannot be read: %v", plainly(err))
	}
}
