// File repaircopy.go copies what a store is made of, and counts what is lost of it.

package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// add writes something of about size bytes, by the function that writes it for a worker.
func (r *repairer) add(size int, write func(*txn)) error {
	r.writes = append(r.writes, write)
	r.bytes += size
	if len(r.writes) < repairOps && r.bytes < repairBytes {
		return nil
	}
	return r.write()
}

// write writes what was added.
func (r *repairer) write() error {
	if len(r.writes) == 0 {
		return nil
	}
	writes, size := r.writes, r.bytes
	r.writes, r.bytes = nil, 0
	return r.target.do(context.WithoutCancel(r.ctx), size, func(t *txn) error {
		for _, write := range writes {
			write(t)
		}
		return nil
	})
}

// copyKey writes a key as it is.
func (r *repairer) copyKey(key, value []byte) error {
	key, value = bytes.Clone(key), bytes.Clone(value)
	return r.add(len(key)+len(value), func(t *txn) { t.set(append(t.key[:0], key...), value) })
}

// each goes over the keys of one kind.
func (r *repairer) each(prefix []byte, f func(key, value []byte) error) error {
	return r.source.each(prefix, func(key, value []byte) error {
		if r.done++; r.done%repairPeriod == 0 {
			r.show("writing", r.done, 0, false)
		}
		r.steps.count.Add(1)
		if err := r.steps.ended(); err != nil {
			return err
		}
		return f(key, value)
	})
}

func (r *repairer) copyNotes() error {
	secret := false
	err := r.each(notePrefix, func(key, value []byte) error {
		n := store.Note{Name: string(key[len(notePrefix):]), Value: value}
		switch {
		case n.Name == secretNote && len(value) == len(r.target.secret):
			secret = true
		case n.Name == secretNote, n.Check() != nil:
			r.LostNotes++
			return nil //nolint:nilerr // it is counted
		default:
			r.Notes++
		}
		return r.copyKey(key, value)
	})
	r.LostSecret = !secret
	return err
}

// copyMarks copies dedup records.
func (r *repairer) copyMarks() error {
	err := r.each(seenPrefix, func(key, value []byte) error {
		if _, err := parsePosition(key); err != nil {
			r.LostMarks++
			return nil //nolint:nilerr // it is counted
		}
		r.Marks++
		return r.copyKey(key, value)
	})
	if err != nil {
		return err
	}
	return r.each(runPrefix, func(key, value []byte) error {
		n := 0
		if err := eachOfRun(key, value, func(position) bool { n++; return true }); err != nil {
			r.LostMarks++
			return nil //nolint:nilerr // it is counted
		}
		r.Marks += n
		return r.copyKey(key, value)
	})
}

func (r *repairer) copyInvocations() error {
	return r.each(recordPrefix, func(key, value []byte) error {
		if len(key) != len(recordPrefix)+idLen {
			return nil // a key of no worker
		}
		id := invocation.ID(key[len(recordPrefix):])
		inv, raw, err := record.DecodeInline(id, bytes.Clone(value))
		if err != nil {
			r.lose(id, fmt.Sprintf("its record cannot be understood: %v", plainly(err)))
			return nil
		}
		if raw == nil {
			raw, err = r.joined(appendBytesKey(nil, id))
		}
		switch {
		case errors.Is(err, store.ErrNotFound):
			r.loseKnown(inv, "its QueueRequest is missing")
			return nil
		case err != nil:
			return err
		case len(raw) != inv.Size:
			r.loseKnown(inv, fmt.Sprintf("its QueueRequest has %d bytes, it came with %d", len(raw), inv.Size))
			return nil
		}
		r.Invocations++
		r.Bytes += int64(inv.Size)
		a := newArrival(store.Accept{Inv: inv, Raw: raw})
		return r.add(len(a.record)+len(raw), func(t *txn) { t.insert(a) })
	})
}

// joined reads a QueueRequest or a body, which may be in parts.
func (r *repairer) joined(prefix []byte) (raw []byte, err error) {
	found := false
	err = r.source.between(prefix, after(prefix), func(_, part []byte) error {
		raw, found = append(raw, part...), true
		return nil
	})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return raw, err
}

// copyKeys copies idempotency keys.
func (r *repairer) copyKeys() error {
	return r.each(claimPrefix, func(key, value []byte) error {
		c, err := parseClaim(key[len(claimPrefix):], value)
		if err != nil {
			r.lostKeys[string(key[len(claimPrefix):])] = true
			return nil //nolint:nilerr // it is counted
		}
		r.Keys++
		return r.add(len(value), func(t *txn) { t.writeClaim(&c, nil) })
	})
}

func (r *repairer) copyResults() error {
	return r.each(resultPrefix, func(key, value []byte) error {
		if len(key) != len(resultPrefix)+idLen {
			return nil
		}
		id := invocation.ID(key[len(resultPrefix):])
		res, size, err := record.DecodeResult(id, value)
		if err != nil {
			return nil //nolint:nilerr // findLost counts it
		}
		body, err := r.source.get(appendBodyKey(nil, id))
		if errors.Is(err, store.ErrNotFound) {
			body, err = r.joined(bodyPartKey(res.Expires, id))
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if len(body) != size {
			return nil
		}
		r.Results++
		written := bytes.Clone(value)
		e := &expiry{at: res.Expires, id: id, ending: endingOf(res, len(written), size)}
		return r.add(len(written)+size, func(t *txn) { t.insertResult(e, written, body) })
	})
}

// copyTallies copies the counts of jobs.
func (r *repairer) copyTallies() error {
	return r.each(tallyPrefix, func(key, value []byte) error {
		if _, err := decodeTally(value); err != nil || len(key) != len(tallyPrefix)+idLen {
			r.LostNotes++
			return nil //nolint:nilerr // it is counted
		}
		return r.copyKey(key, value)
	})
}

// copyEnds copies the ends and makes their filters.
func (r *repairer) copyEnds() error {
	return r.each(endPrefix, func(_, value []byte) error {
		hashes, at, err := hashesOf(value)
		if err != nil {
			r.LostEnds++
			return nil //nolint:nilerr // it is counted
		}
		r.Ends += len(hashes) / 2
		value = bytes.Clone(value)
		return r.add(len(value), func(t *txn) { t.insertEnds(value, at, hashes) })
	})
}

// copyMarkers copies the in-flight markers, so that a crash that ended the worker is counted. One that
// cannot be read costs no more than that.
func (r *repairer) copyMarkers() {
	from, err := r.sourceFS.Open(r.sourceFS.PathJoin(r.from.Dir, storeFolder, marksFile))
	if err != nil {
		return
	}
	defer func() { _ = from.Close() }()
	b, err := io.ReadAll(io.NewSectionReader(from, 0, maxMarks))
	if err != nil {
		return
	}
	to, err := r.disk.Create(r.disk.PathJoin(r.folder(), storeFolder, marksFile), vfs.WriteCategoryUnspecified)
	if err == nil {
		_, _ = to.Write(b)
		_ = to.Close()
	}
}

// lose notes a lost invocation, once.
func (r *repairer) lose(id invocation.ID, why string) {
	if r.lost[id] {
		return
	}
	if len(r.Lost) == maxLost {
		r.MoreLost++
		return
	}
	r.lost[id] = true
	r.Lost = append(r.Lost, LostInvocation{id, why})
}

// loseKnown is lose for an invocation whose record is there.
func (r *repairer) loseKnown(inv *invocation.Invocation, why string) {
	r.lose(inv.ID, fmt.Sprintf("%s (call id %q, function %q)", why, inv.CallID, inv.Lane.Name))
}

// findLost goes over the keys that are written beside something. Where that is not in the target it
// is lost.
func (r *repairer) findLost() error {
	results := map[invocation.ID]bool{}
	for _, prefix := range [][]byte{readyPrefix, delayedPrefix, deadPrefix} { // which say most
		if err := r.each(prefix, func(key, value []byte) error { return r.findOwner(key, value, results) }); err != nil {
			return err
		}
	}
	for _, k := range keyKinds {
		if !k.derived && !bytes.Equal(k.prefix, bytesPrefix) && !bytes.Equal(k.prefix, resultPrefix) && !bytes.Equal(k.prefix, bodyPrefix) {
			continue
		}
		if err := r.each(k.prefix, func(key, value []byte) error { return r.findOwner(key, value, results) }); err != nil {
			return err
		}
	}
	r.LostResults, r.LostKeys = len(results), len(r.lostKeys)
	r.LostSecret = r.LostSecret && r.Keys > 0
	return nil
}

// findOwner looks in the target for what a key was written beside.
func (r *repairer) findOwner(key, value []byte, results map[invocation.ID]bool) error {
	if e, err := parseExpiry(key, value); err == nil && bytes.HasPrefix(key, expiryPrefix) && e.of == ofClaim {
		ok, err := r.target.has(appendClaimKey(nil, &e.hash))
		if !ok && err == nil {
			r.lostKeys[string(e.hash[:])] = true
		}
		return err
	}
	if len(key) < 2+idLen {
		return nil // a key of no worker
	}
	id := invocation.ID(key[len(key)-idLen:])
	if bytes.HasPrefix(key, bytesPrefix) || bytes.HasPrefix(key, bodyPrefix) {
		id = invocation.ID(key[len(bytesPrefix):][:idLen])
		if _, err := r.source.get(appendUnfinishedKey(nil, firstPart(key))); !errors.Is(err, store.ErrNotFound) {
			return err // no worker would have it
		}
	}
	ofResult := bytes.HasPrefix(key, expiryPrefix) || bytes.HasPrefix(key, resultCallPrefix) ||
		bytes.HasPrefix(key, bodyPrefix) || bytes.HasPrefix(key, resultPrefix)
	own := appendRecordKey
	if ofResult {
		own = appendResultKey
	}
	ok, err := r.target.has(own(nil, id))
	switch {
	case ok || err != nil:
		return err
	case !ofResult:
		r.lose(id, "its record is missing"+laneOf(key, value))
	case len(results) < maxLost:
		results[id] = true
	}
	return nil
}

// laneOf says what an index entry says of an invocation.
func laneOf(key, value []byte) string {
	for _, x := range indexes {
		if e, err := parseEntry(x.in, key, value); bytes.HasPrefix(key, x.prefix) && err == nil {
			return fmt.Sprintf(" (%s, function %q)", x.in, e.lane.Name)
		}
	}
	return ""
}
