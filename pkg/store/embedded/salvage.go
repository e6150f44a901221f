// File salvage.go reads the files of a store that cannot be read as a whole: table by table and
// log by log, whatever is readable of each.
//
// Every version of every key goes into a store beside the target, which keeps the newest: the one
// with the highest sequence number, a deletion included. Nothing of that is in memory.
//
// Which tables belong to the store is in its MANIFEST. Where that cannot be read all tables of the
// folder are, also those that a compaction had replaced and a kill kept from being removed. The
// logs always have all that was written since the oldest of them began, so none is missing in
// between, and reading one that was flushed already changes nothing.

package embedded

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/store"
)

// salvage collects what is readable.
type salvage struct {
	s       *Store // of the files
	steps   *steps
	shown   func()
	puts    int
	scratch *pebble.DB
	batch   *pebble.Batch
	ranges  []deletedRange
	losses  []Loss
}

// deletedRange is a range of keys that was deleted. The store does so with old dedup records only,
// twice in ten minutes, and a compaction removes them.
type deletedRange struct {
	from, to []byte
	version  version
}

const maxRanges = 100_000

// version says which of two values of a key is newer: the one with the higher sequence number,
// and of equal ones that of the later file.
type version struct{ sequence, file uint64 }

// Layout of a value in the scratch store: the version, whether it is a deletion, the value.
const (
	versionLen = 16
	headLen    = versionLen + 1
)

func (v version) append(b []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, v.sequence), v.file)
}

// newest is a merge operator that keeps the value of the newest version.
type newest struct{ best []byte }

func (n *newest) MergeNewer(v []byte) error {
	if len(v) >= headLen && bytes.Compare(v[:versionLen], n.best[:versionLen]) > 0 {
		n.best = append(n.best[:0], v...)
	}
	return nil
}

func (n *newest) MergeOlder(v []byte) error { return n.MergeNewer(v) }

func (n *newest) Finish(bool) ([]byte, io.Closer, error) { return n.best, nil, nil }

var keepNewest = &pebble.Merger{
	Name:  "queue-worker.newest",
	Merge: func(_, v []byte) (pebble.ValueMerger, error) { return &newest{append([]byte(nil), v...)}, nil },
}

// scratchBatch is how many bytes are written to the scratch store at once.
const scratchBatch = 1 << 20

// newSalvage makes a salvage of the files of s. It calls shown now and then.
func newSalvage(s *Store, steps *steps, shown func()) *salvage {
	return &salvage{s: s, steps: steps, shown: shown}
}

// into reads all files into a scratch store in a folder of the target.
func (v *salvage) into(target *Store, dir string) (err error) {
	o := &pebble.Options{
		FS: target.fs, Logger: pebbleLog{target}, FormatMajorVersion: pebble.FormatNewest, DisableWAL: true,
		Merger: keepNewest, L0StopWritesThreshold: stopWrites,
	}
	if v.scratch, err = pebble.Open(dir, o); err != nil {
		return err
	}
	v.batch = v.scratch.NewBatch()
	if err := v.files(); err != nil {
		return closing(err, v.scratch)
	}
	return nil
}

// files reads every file. An error means that nothing more may be read.
func (v *salvage) files() error {
	names, err := v.s.raw.List(v.s.dir)
	if err != nil {
		return err
	}
	slices.Sort(names)
	tables, known := v.live(names)
	if !known {
		tables = nil
		for _, name := range names {
			if isTable(name) {
				tables = append(tables, table{name: name})
			}
		}
	}
	for _, t := range tables {
		if err := v.guard(t.name, t.kind, func() error { return v.table(&t) }); err != nil {
			return err
		}
	}
	logs := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !isLog(name) })
	slices.SortFunc(logs, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
	for i, name := range logs {
		if err := v.guard(name, nil, func() error { return v.log(name, i == len(logs)-1) }); err != nil {
			return err
		}
	}
	if len(tables)+len(logs) == 0 && !slices.ContainsFunc(names, isManifest) {
		return fmt.Errorf("data_dir %s: there is no store in it", v.s.opts.Dir)
	}
	return v.flush()
}

// errScratch is wrapped by errors of writing what was read.
var errScratch = errors.New("write what was read")

// guard reads one file. What is wrong with it is a loss. Damaged files can make Pebble panic.
func (v *salvage) guard(name string, kind *keyKind, read func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			v.lose(name, kind, fmt.Errorf("%w: %v", errPanicked, r))
		}
	}()
	err = read()
	if ended := v.steps.ended(); ended != nil {
		return ended
	}
	if err != nil && !errors.Is(err, errScratch) {
		v.lose(name, kind, err)
		return nil
	}
	return err
}

// lose notes that something of a file cannot be read.
func (v *salvage) lose(name string, kind *keyKind, err error) {
	l := Loss{File: name, Why: plainly(err).Error()}
	if kind != nil {
		l.Keys, l.Rebuilt = kind.name, kind.derived
	}
	v.losses = append(v.losses, l)
}

// put notes one version of a key.
func (v *salvage) put(key, value []byte, at version, deleted bool) error {
	if err := v.steps.ended(); err != nil {
		return err
	}
	v.steps.count.Add(1)
	if v.puts++; v.puts%repairPeriod == 0 {
		v.shown()
	}
	b := at.append(make([]byte, 0, headLen+len(value)))
	if deleted {
		b = append(b, 1)
	} else {
		b = append(append(b, 0), value...)
	}
	if err := v.batch.Merge(key, b, nil); err != nil {
		return fmt.Errorf("%w: %w", errScratch, err)
	}
	if v.batch.Len() < scratchBatch {
		return nil
	}
	return v.flush()
}

func (v *salvage) deleteRange(from, to []byte, at version) error {
	if len(v.ranges) == maxRanges {
		return errors.New("it deletes too many ranges of keys")
	}
	v.ranges = append(v.ranges, deletedRange{bytes.Clone(from), bytes.Clone(to), at})
	return nil
}

func (v *salvage) flush() error {
	err := v.batch.Commit(pebble.NoSync)
	v.batch.Reset()
	if err != nil {
		return fmt.Errorf("%w: %w", errScratch, err)
	}
	return nil
}

// value takes the value of a key out of the scratch store's; not is means that the key is deleted.
func (v *salvage) value(key, stored []byte) (value []byte, is bool) {
	if len(stored) < headLen || stored[versionLen] != 0 {
		return nil, false
	}
	for _, r := range v.ranges {
		if bytes.Compare(r.from, key) <= 0 && bytes.Compare(key, r.to) < 0 &&
			bytes.Compare(r.version.append(nil), stored[:versionLen]) > 0 {
			return nil, false
		}
	}
	return stored[headLen:], true
}

// live returns the tables that the MANIFEST names; not known where it cannot be read.
func (v *salvage) live(names []string) (all []table, known bool) {
	var d doubt
	look := newStore(v.s.opts) // which a panic makes unusable
	look.raw = withoutLogs{v.s.raw}
	look.fs, look.lock = look.raw, v.s.lock
	returned, err := look.unlessFailed(func() error {
		if err := look.openReadOnly(); err != nil {
			return err
		}
		d = look.manifestDoubt(names)
		levels, err := look.db.SSTables()
		for _, level := range levels {
			for _, t := range level {
				name := t.BackingSSTNum.String() + ".sst"
				all = append(all, table{name: name, kind: kindOfAll(t.Smallest.UserKey, t.Largest.UserKey)})
			}
		}
		return closing(err, look.db)
	})
	if err != nil {
		d = doubt{"MANIFEST", err}
	}
	if d.err != nil {
		l := Loss{File: d.file, Why: plainly(d.err).Error(), Rebuilt: !errors.Is(d.err, errLogMissing)}
		v.losses = append(v.losses, l)
	}
	if d.err != nil || !returned {
		return nil, false // all may still be written to
	}
	return all, true
}

// kindOfAll is the kind of all keys of a table, nil when there are several.
func kindOfAll(first, last []byte) *keyKind {
	k := kindOf(first)
	if k == nil || !bytes.HasPrefix(last, k.prefix) {
		return nil
	}
	return k
}

// withoutLogs hides the logs, so that Pebble opens where only these are damaged.
type withoutLogs struct{ vfs.FS }

func (f withoutLogs) List(dir string) ([]string, error) {
	names, err := f.FS.List(dir)
	return slices.DeleteFunc(names, isLog), err
}

// origin is what Repair reads from: the store where all of it can be read, otherwise what was
// salvaged.
type origin struct {
	db      *pebble.DB
	salvage *salvage // nil for the store
}

// each calls f with every key that begins with prefix and its value, valid during the call only.
func (o *origin) each(prefix []byte, f func(key, value []byte) error) error {
	return o.between(prefix, after(prefix), f)
}

func (o *origin) between(lower, upper []byte, f func(key, value []byte) error) error {
	it, err := iterate(o.db, lower, upper)
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, is := it.Value(), true
		if o.salvage != nil {
			value, is = o.salvage.value(it.Key(), value)
		}
		if !is {
			continue
		}
		if err := f(it.Key(), value); err != nil {
			return closing(err, it)
		}
	}
	return closing(it.Error(), it)
}

// get reads one key. It does not ask the filters of tables, which may be damaged.
func (o *origin) get(key []byte) (value []byte, err error) {
	found := false
	err = o.between(key, append(bytes.Clone(key), 0), func(_, v []byte) error {
		value, found = bytes.Clone(v), true
		return nil
	})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return value, err
}
