// File repair.go rebuilds a damaged store in another folder.
//
//	source --(read-only)--> all of it, or what is readable of each file --> target --> checked
//
// Only invocations, results, ends, idempotency keys, dedup records and notes are copied. The keys that
// follow from them are written by the code that writes them for a worker.

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/datadir"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Repaired says what a repair has kept and lost.
type Repaired struct {
	Invocations                 int
	Bytes                       int64 // of their QueueRequests
	Results, Keys, Notes, Marks int   // kept: results, idempotency keys, notes, dedup records
	Lost                        []LostInvocation
	MoreLost                    int // lost invocations beyond those in Lost
	LostResults, LostKeys       int
	LostNotes, LostMarks        int
	Ends, LostEnds              int    // outcomes that are remembered, and batches of them that are lost
	LostSecret                  bool   // with which idempotency keys are compared
	Losses                      []Loss // files that cannot be read as a whole
}

// LostInvocation is an invocation of which something is left, but not enough to call it.
type LostInvocation struct {
	ID  invocation.ID
	Why string
}

// Loss is a file, or a part of it, that cannot be read.
type Loss struct {
	File, Why string
	Keys      string // what it has, "" for not known
	Rebuilt   bool   // all of that follows from what is elsewhere
}

// Whole reports whether everything was kept.
func (r *Repaired) Whole() bool {
	for _, l := range r.Losses {
		if !l.Rebuilt {
			return false
		}
	}
	return len(r.Lost)+r.MoreLost+r.LostResults+r.LostKeys+r.LostNotes+r.LostMarks+r.LostEnds == 0 && !r.LostSecret
}

// RepairProgress says how far a step of a repair has come. Total is 0 where it is not known.
type RepairProgress struct {
	Step        string
	Done, Total int64
	Bytes       bool // they are bytes
}

// What a repair writes beside its result, until it is done.
const (
	repairFolder  = "repair.tmp"
	scratchFolder = "scratch"
)

const (
	// repairSpare is what has to be free on the volume of the target beside the size of the source.
	repairSpare = 64 << 20
	// maxLost bounds the lost invocations that are listed.
	maxLost = 100_000
	// repairOps and repairBytes bound one batch that is written to the target.
	repairOps, repairBytes = 500, 1 << 20
	// repairPeriod is the number of keys between two reports of progress.
	repairPeriod = 1000
)

// Repair reads the store in the data_dir from and writes all that is readable of it to the data_dir
// to, which has to be empty or missing. It changes nothing in from, and follows no link in it. After
// an error, and when ctx ends, to is empty again. progress, unless nil, is called by one goroutine
// at a time.
//
// An error means that there is no repaired store: nothing is in from, ErrLocked when a worker uses
// it, ErrNewer when a newer version wrote it, or to cannot be written.
func Repair(ctx context.Context, from, to string, progress func(RepairProgress)) (Repaired, error) {
	return repair(ctx, Options{Dir: from}, Options{Dir: to}, progress)
}

func repair(ctx context.Context, from, to Options, progress func(RepairProgress)) (Repaired, error) {
	if progress == nil {
		progress = func(RepairProgress) {}
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	r := &repairer{ctx: ctx, from: from, to: to, progress: progress, lost: map[invocation.ID]bool{}, lostKeys: map[string]bool{}}
	r.disk = to.FS
	if r.disk == nil {
		r.disk = plainFS{vfs.Default}
	}
	s := newStore(from)
	if err := r.lockSource(s); err != nil {
		return Repaired{}, err
	}
	defer func() { _ = s.lock.Close() }()
	r.lock = s.lock
	r.sourceFS = newCheckFS(ctx, s.raw, func(err error) { end(explain(from.Dir, err)) })
	r.steps = r.sourceFS.steps
	size, err := r.size()
	if err == nil {
		err = r.prepare(size)
	}
	if err != nil {
		return Repaired{}, err
	}
	r.total = size
	if err := r.run(); err != nil {
		return Repaired{}, errors.Join(err, r.disk.RemoveAll(r.folder()))
	}
	return r.Repaired, nil
}

// repairer is one repair.
type repairer struct {
	Repaired
	ctx      context.Context // of the repair, whose methods are its steps
	from, to Options
	disk     vfs.FS // of the target
	sourceFS checkFS
	lock     *pebble.Lock // of the source
	steps    *steps
	progress func(RepairProgress)
	total    int64 // bytes of the source
	keys     int64 // of the source, 0 for not known

	source origin
	target *Store
	writes []func(*txn)
	bytes  int // of writes
	done   int64
	lost   map[invocation.ID]bool
	// hashes of lost idempotency keys
	lostKeys map[string]bool
}

// folder is where the repair writes until it is done.
func (r *repairer) folder() string { return r.disk.PathJoin(r.to.Dir, repairFolder) }

// lockSource keeps workers away from the source. Only its folder and its lock file have to be no
// links; other files that are links cannot be read.
func (r *repairer) lockSource(s *Store) (err error) {
	if _, ours := s.raw.(plainFS); ours {
		if err := datadir.CheckFile(s.dir); err != nil {
			return explain(r.from.Dir, err)
		}
		s.raw = visitorFS{plainFS{vfs.Default}}
		if err := outside(s.dir, r.to.Dir); err != nil {
			return err
		}
	}
	return s.lockForReading()
}

// outside refuses a target in the folder of the source.
func outside(source, target string) error {
	source, err := filepath.EvalSymlinks(source)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // which is reported later
	}
	if err != nil {
		return err
	}
	if target, err = filepath.Abs(target); err != nil {
		return err
	}
	for dir := target; ; dir = filepath.Dir(dir) {
		physical, err := filepath.EvalSymlinks(dir)
		if errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
			continue
		}
		if err != nil {
			return err
		}
		if source, err = filepath.Abs(source); err == nil && strings.HasPrefix(physical+"/", source+"/") {
			err = fmt.Errorf("%s is in the store that is to be repaired: choose another folder", target)
		}
		return err
	}
}

// size returns how many bytes the files of the source have.
func (r *repairer) size() (total int64, err error) {
	dir := r.sourceFS.PathJoin(r.from.Dir, storeFolder)
	names, err := r.sourceFS.List(dir)
	if err != nil {
		return 0, explain(r.from.Dir, err)
	}
	for _, name := range names {
		if info, err := r.sourceFS.Stat(r.sourceFS.PathJoin(dir, name)); err == nil {
			total += info.Size()
		}
	}
	return total, nil
}

// prepare looks whether the target is empty and has room for the source.
func (r *repairer) prepare(size int64) error {
	names, err := r.disk.List(r.to.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain(r.to.Dir, err)
	}
	for _, name := range names {
		if name != "lost+found" { // of the root of a volume
			return fmt.Errorf("%s is not empty: it has %s; choose a folder that is empty or missing", r.to.Dir, name)
		}
	}
	if err := makeFolder(r.disk, r.to.Dir); err != nil {
		return explain(r.to.Dir, err)
	}
	return r.needRoom(size)
}

// needRoom compares the free space of the target with what is about to be written. A file system
// that cannot tell its free space has no such bound.
func (r *repairer) needRoom(size int64) error {
	u, err := r.disk.GetDiskUsage(r.to.Dir)
	if need := uint64(size) + repairSpare; err == nil && u.AvailBytes < need { // #nosec G115 -- sizes of files
		return fmt.Errorf("%s has %d bytes free, the repair needs %d: choose a folder on a larger volume", r.to.Dir, u.AvailBytes, need)
	}
	return nil
}

// run writes the repaired store, checks it, and moves it into its place.
func (r *repairer) run() error {
	o := r.to
	o.Dir, o.Sync = r.folder(), time.Hour // synced at the end
	s := newStore(o)
	s.disk.giveUp() // a full disk is an error here
	var err error
	if r.target, err = s.start(); err != nil {
		return err
	}
	returned, err := r.target.attend(r.ctx, r.steps, r.work)
	if !returned { // work may still be at it: from here on it can write nothing
		_ = r.target.fail(err)
		return r.explainTarget(err)
	}
	if err = errors.Join(err, r.target.Close()); err != nil {
		return r.explainTarget(err)
	}
	r.copyMarkers()
	if err := r.verify(o); err != nil {
		return err
	}
	return r.place()
}

// explainTarget says what to do about an error of writing.
func (r *repairer) explainTarget(err error) error {
	switch {
	case r.ctx.Err() != nil:
		return context.Cause(r.ctx)
	case errors.Is(err, store.ErrFailed):
		return explain(r.to.Dir, err)
	}
	return err
}

// verify checks the repaired store.
func (r *repairer) verify(o Options) error {
	report, err := check(r.ctx, Options{Dir: o.Dir, FS: o.FS, tune: o.tune}, func(step string) {
		r.progress(RepairProgress{Step: "checking the result, " + step})
	})
	if err == nil && !report.OK() {
		err = fmt.Errorf("the repaired store is damaged: %s", report.Findings[0])
	}
	return err
}

// place gives the repaired store its name.
func (r *repairer) place() error {
	err := r.disk.Rename(r.disk.PathJoin(r.folder(), storeFolder), r.disk.PathJoin(r.to.Dir, storeFolder))
	if err == nil {
		err = errors.Join(syncFolder(r.disk, r.to.Dir), r.disk.RemoveAll(r.folder()))
	}
	if err != nil {
		return explain(r.to.Dir, err)
	}
	return nil
}

// work reads the source and writes the target.
func (r *repairer) work() error {
	if err := r.openSource(); err != nil {
		return err
	}
	for _, step := range []func() error{
		r.copyNotes, r.copyTallies, r.copyMarks, r.copyInvocations, r.copyKeys, r.copyResults, r.copyEnds, r.write, r.findLost,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if r.source.salvage != nil {
		r.Losses = r.source.salvage.losses
	}
	return errors.Join(r.source.db.Close(), r.target.syncNow())
}

// openSource opens the store where all of it can be read, and salvages what is readable where not.
func (r *repairer) openSource() error {
	s := r.openable()
	returned, err := s.attend(r.ctx, r.steps, func() error { return r.readAll(s) })
	switch {
	case r.ctx.Err() != nil, errors.Is(err, store.ErrNewer):
		return err
	case err == nil && returned:
		r.source = origin{db: s.db}
		return nil
	case returned && s.db != nil:
		_ = s.db.Close() // nothing was written
	}
	if err := r.needRoom(2 * r.total); err != nil {
		return err
	}
	s = r.openable()
	r.steps.bytes.Store(0)
	r.keys = 0
	v := newSalvage(s, r.steps, func() { r.show("reading files one by one", r.steps.bytes.Load(), r.total, true) })
	if err := v.into(r.target, r.disk.PathJoin(r.folder(), scratchFolder)); err != nil {
		return err
	}
	r.source = origin{v.scratch, v}
	found, err := r.source.get(versionKey)
	if err == nil {
		if _, err = parseLayout(found); errors.Is(err, store.ErrNewer) {
			return err
		}
	}
	return nil
}

// openable makes a store for reading the source.
func (r *repairer) openable() *Store {
	s := newStore(r.from)
	s.opts.doubtful = true
	s.raw, s.fs, s.lock = r.sourceFS, r.sourceFS, r.lock
	return s
}

// readAll reads every key of a store.
func (r *repairer) readAll(s *Store) error {
	if err := s.openReadOnly(); err != nil {
		return err
	}
	if _, err := s.layout(); errors.Is(err, store.ErrNewer) {
		return err
	}
	if all := s.doubts(); len(all) > 0 {
		return all[0].err
	}
	return s.each(nil, nil, func(_, _ []byte) (bool, error) {
		if r.keys++; r.keys%repairPeriod == 0 {
			r.show("reading", r.steps.bytes.Load(), r.total, true)
		}
		r.steps.count.Add(1)
		return true, r.steps.ended()
	})
}

func (r *repairer) show(step string, done, total int64, bytes bool) {
	if total > 0 {
		done = min(done, total)
	}
	r.progress(RepairProgress{Step: step, Done: done, Total: total, Bytes: bytes})
}
