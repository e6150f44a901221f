// File salvagefile.go reads one table, block by block, and one log, batch by batch.

package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/sstable/block/blockkind"
	"github.com/cockroachdb/pebble/v2/sstable/colblk"
)

// table is a table to be read.
type table struct {
	name string
	kind *keyKind // of its keys; nil when not known
}

// number is the number in the name of a file, 0 for none.
func number(name string) uint64 {
	var n uint64
	for _, c := range []byte(name) {
		if c < '0' || c > '9' {
			break
		}
		n = 10*n + uint64(c-'0')
	}
	return n
}

func (v *salvage) table(t *table) error {
	r, err := v.s.openTable(t.name)
	if err != nil {
		return err
	}
	err = v.rangesOf(r, number(t.name))
	if pointErr := v.pointsOf(r, t); err == nil {
		err = pointErr
	}
	return closing(err, r)
}

// rangesOf reads the deleted ranges of a table.
func (v *salvage) rangesOf(r *sstable.Reader, file uint64) error {
	it, err := r.NewRawRangeDelIter(context.Background(), sstable.NoFragmentTransforms, sstable.NoReadEnv)
	if it == nil || err != nil {
		return err
	}
	defer it.Close()
	span, err := it.First()
	for ; span != nil && err == nil; span, err = it.Next() {
		for _, k := range span.Keys {
			if err := v.deleteRange(span.Start, span.End, version{uint64(k.SeqNum()), file}); err != nil {
				return err
			}
		}
	}
	return err
}

// pointsOf reads the keys of a table. Behind a block that cannot be read it continues with the next
// one, and returns the first error in the end.
func (v *salvage) pointsOf(r *sstable.Reader, t *table) (first error) {
	it, err := r.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		return err
	}
	defer func() { _ = it.Close() }() // its error has been seen
	var last []byte
	var ends [][]byte
	at := version{file: number(t.name)}
	for kv := it.First(); ; kv = it.SeekGE(append(bytes.Clone(last), 0), 0) {
		for ; kv != nil; kv = it.Next() {
			key := kv.K.UserKey
			if bytes.Compare(key, last) < 0 {
				return errors.Join(first, errDisorder)
			}
			last = append(last[:0], key...)
			if t.kind == nil {
				t.kind = kindOf(key) // a table has keys of one kind: see oneKind
			}
			at.sequence = uint64(kv.SeqNum())
			if err := v.point(kv.Kind(), key, kv.Value, at); err != nil {
				return err
			}
		}
		if err := it.Error(); err == nil || v.steps.ended() != nil {
			return first
		} else if first == nil {
			first = err
			ends, _ = separators(r) // without them the rest of the table is lost
		}
		// The next block begins behind the first separator that is not before the last key.
		n, _ := slices.BinarySearchFunc(ends, last, bytes.Compare)
		if n >= len(ends) {
			return first
		}
		last, ends = append(last[:0], ends[n]...), ends[n+1:]
	}
}

// point notes one version of a key of a table.
func (v *salvage) point(kind pebble.InternalKeyKind, key []byte, value func([]byte) ([]byte, bool, error), at version) error {
	switch kind { //nolint:exhaustive // no other kind is written
	case pebble.InternalKeyKindSet, pebble.InternalKeyKindSetWithDelete:
		b, _, err := value(nil)
		if err != nil {
			return err
		}
		return v.put(key, b, at, false)
	case pebble.InternalKeyKindDelete, pebble.InternalKeyKindSingleDelete, pebble.InternalKeyKindDeleteSized:
		return v.put(key, nil, at, true)
	}
	return fmt.Errorf("key %q has a version of an unknown kind %d", key, kind)
}

// separators returns for each block of keys but the last a key that is not before the keys in it and
// before all keys of the next.
func separators(r *sstable.Reader) (all [][]byte, err error) {
	l, err := r.Layout()
	if err != nil {
		return nil, err
	}
	for _, h := range l.Index {
		b, err := r.BlockReader().Read(context.Background(), block.NoReadEnv, nil, h, blockkind.Metadata,
			func(*block.Metadata, []byte) error { return nil })
		if err != nil {
			return all, err
		}
		var it colblk.IndexIter
		if err := it.Init(r.Comparer, b.BlockData(), sstable.NoTransforms); err != nil {
			return all, err
		}
		for ok := it.First(); ok; ok = it.Next() {
			all = append(all, bytes.Clone(it.Separator()))
		}
		b.Release()
	}
	return all, nil
}

// log reads one log. The end of the last one may be torn: that was never confirmed.
func (v *salvage) log(name string, last bool) error {
	l := &logReader{found: func(b []byte) error { return v.batchOf(b, number(name)) }}
	err := l.read(v.s, name)
	if err == nil && (l.gaps > 0 || l.torn && !last) {
		err = errGaps
	}
	return err
}

// batchOf notes what one batch of a log writes.
func (v *salvage) batchOf(b []byte, file uint64) error {
	h, ok := batchrepr.ReadHeader(b)
	if !ok {
		return batchrepr.ErrInvalidBatch
	}
	at := version{uint64(h.SeqNum), file}
	for r := batchrepr.Read(b); ; {
		kind, key, value, ok, err := r.Next()
		switch {
		case err != nil || !ok:
			return err
		case kind == pebble.InternalKeyKindLogData:
			continue // it has no sequence number
		case kind == pebble.InternalKeyKindRangeDelete:
			err = v.deleteRange(key, value, at)
		default:
			err = v.point(kind, key, func([]byte) ([]byte, bool, error) { return value, false, nil }, at)
		}
		if err != nil {
			return err
		}
		at.sequence++
	}
}
