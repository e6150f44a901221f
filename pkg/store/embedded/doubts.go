// File doubts.go finds data that Pebble passes over without an error: where a log or the MANIFEST is
// damaged it may take the damage for the end of the file.

package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/wal"
)

// errLogMissing is a log without which the store lacks what was written last.
var errLogMissing = errors.New("it is missing, and with it what was written last")

// doubt is a file that makes what Pebble reads incomplete.
type doubt struct {
	file string
	err  error
}

// doubts returns the files that make what Pebble reads of a store incomplete, although it opens.
func (s *Store) doubts() (all []doubt) {
	names, err := s.raw.List(s.dir)
	if err != nil {
		return []doubt{{storeFolder, err}}
	}
	for _, name := range names {
		if !isLog(name) {
			continue
		}
		l := &logReader{found: func([]byte) error { return nil }}
		if err := l.read(s, name); err != nil || l.gaps > 0 {
			if err == nil {
				err = errGaps
			}
			all = append(all, doubt{name, err})
		}
	}
	if d := s.manifestDoubt(names); d.err != nil {
		all = append(all, d)
	}
	return all
}

func isLog(name string) bool { _, _, ok := wal.ParseLogFilename(name); return ok }

func isManifest(name string) bool { return strings.HasPrefix(name, "MANIFEST-") }

// manifestDoubt returns what makes the MANIFEST of an open store incomplete.
func (s *Store) manifestDoubt(names []string) doubt {
	m, err := s.manifest()
	if err != nil {
		return doubt{m.name, err}
	}
	if !slices.ContainsFunc(names, func(name string) bool { return isLog(name) && number(name) >= m.firstLog }) {
		return doubt{fmt.Sprintf("%06d.log", m.firstLog), errLogMissing}
	}
	return doubt{m.name, s.lostEnd(names, m.sequence)}
}

// errLostEnd: the MANIFEST does not name a table that has what neither a log nor another table has.
var errLostEnd = errors.New("its end is lost: it does not name all tables")

// lostEnd looks for tables that the MANIFEST does not name. After a kill there may be some: those of
// a compaction or a flush that was not finished, whose content is in other tables or logs, and those
// that it has replaced. What is later than all named tables and earlier than all logs is in no other.
func (s *Store) lostEnd(names []string, sequence uint64) error {
	levels, err := s.db.SSTables()
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, level := range levels {
		for _, t := range level {
			named[t.BackingSSTNum.String()+".sst"] = true
			sequence = max(sequence, uint64(t.LargestSeqNum))
		}
	}
	logged := s.firstLogged(names)
	for _, name := range names {
		if !isTable(name) || named[name] {
			continue
		}
		last, err := s.lastSequence(name)
		if err == nil && last > sequence && last < logged || err != nil && s.opts.doubtful {
			return errLostEnd
		}
	}
	return nil
}

// firstLogged returns the first sequence number in the logs.
func (s *Store) firstLogged(names []string) uint64 {
	first := uint64(math.MaxUint64)
	for _, name := range names {
		if isLog(name) {
			l := &logReader{found: func(b []byte) error {
				if h, ok := batchrepr.ReadHeader(b); ok && h.Count > 0 {
					first = min(first, uint64(h.SeqNum))
				}
				return nil
			}}
			_ = l.read(s, name) // reported by doubts
		}
	}
	return first
}

// lastSequence returns the highest sequence number in a table.
func (s *Store) lastSequence(name string) (last uint64, err error) {
	r, err := s.openTable(name)
	if err != nil {
		return 0, err
	}
	it, err := r.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		return 0, closing(err, r)
	}
	for kv := it.First(); kv != nil; kv = it.Next() {
		last = max(last, uint64(kv.SeqNum()))
	}
	return last, closing(closing(it.Error(), it), r)
}

// The beginning of a record in a MANIFEST: tags, each with its value.
const (
	tagComparer = 1 // a text
	tagLog      = 2 // the first log that is needed
	tagNextFile = 3
	tagSequence = 4 // the latest sequence number
	tagPrevLog  = 9
)

// manifest is what the beginnings of its records say.
type manifest struct {
	name               string
	firstLog, sequence uint64
}

// manifest reads the MANIFEST.
func (s *Store) manifest() (manifest, error) {
	desc, err := pebble.Peek(s.dir, s.raw)
	if err == nil && !desc.Exists {
		err = fs.ErrNotExist
	}
	if err != nil {
		return manifest{name: "MANIFEST"}, err
	}
	m := manifest{name: s.raw.PathBase(desc.ManifestFilename)}
	l := &logReader{found: func(b []byte) error { m.edit(b); return nil }}
	if err = l.read(s, m.name); err == nil && l.gaps > 0 {
		err = errGaps
	}
	return m, err
}

// edit reads the tags at the beginning of a record.
func (m *manifest) edit(b []byte) {
	number := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			b = nil
			return 0
		}
		b = b[n:]
		return v
	}
	for len(b) > 0 {
		switch tag := number(); tag {
		case tagComparer:
			n := number()
			b = b[min(n, uint64(len(b))):]
		case tagLog:
			m.firstLog = number()
		case tagSequence:
			m.sequence = max(m.sequence, number())
		case tagNextFile, tagPrevLog:
			number()
		default:
			return
		}
	}
}
