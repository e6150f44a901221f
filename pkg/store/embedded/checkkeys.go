// File checkkeys.go checks what the keys say of each other; keys.go draws the layout.

package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// reportEvery is the number of entries between two reports of progress.
const reportEvery = 100_000

// each goes over the keys that begin with prefix. What cannot be read ends it,
// and is said; so does the end of the check.
func (c *checker) each(what string, prefix []byte, f func(key, value []byte)) (whole bool) {
	n := 0
	err := c.s.each(prefix, after(prefix), func(key, value []byte) (bool, error) {
		if err := c.ended(); err != nil {
			return false, err
		}
		f(key, value)
		if n++; n%reportEvery == 0 {
			c.progress(fmt.Sprintf("%d %s", n, what))
		}
		return true, nil
	})
	if err != nil {
		c.find("%s cannot all be read, only the first %d: %v", what, n, plainly(err))
	}
	return err == nil
}

// records goes over the records and, beside them, the QueueRequests.
func (c *checker) records() {
	raw, err := iterate(c.s.db, bytesPrefix, after(bytesPrefix))
	if err != nil {
		c.find("QueueRequests cannot be read: %v", plainly(err))
		return
	}
	more := raw.First()
	// orphan takes the QueueRequests before id, which have no record.
	orphan := func(id []byte) {
		for ; more && c.ended() == nil && (id == nil || bytes.Compare(raw.Key()[2:], id) < 0); more = raw.Next() {
			c.find("QueueRequest %x belongs to no invocation", raw.Key()[2:])
		}
	}
	whole := c.each("records", recordPrefix, func(key, value []byte) {
		if len(key) != 2+idLen {
			c.find("record %x has a key of an unknown form", key)
			return
		}
		id := invocation.ID(key[2:])
		orphan(id[:])
		size := lost
		if more && bytes.Equal(raw.Key()[2:], id[:]) {
			size = len(raw.Value())
			more = raw.Next()
		} else if raw.Error() != nil {
			size = unreadable
		}
		c.record(id, value, size)
	})
	if whole {
		orphan(nil)
	}
	if err := closing(raw.Error(), raw); err != nil {
		c.find("QueueRequests cannot all be read: %v", plainly(err))
	}
}

// What is said of a QueueRequest instead of its size.
const (
	lost       = -1
	unreadable = -2
)

// record checks one record. A QueueRequest of size bytes has the key beside it.
func (c *checker) record(id invocation.ID, value []byte, size int) {
	c.Invocations++
	inv, raw, err := record.DecodeInline(id, value)
	if err != nil {
		c.find("invocation %s cannot be understood: %v", id, plainly(err))
		return
	}
	if raw != nil {
		if size >= 0 {
			c.find("invocation %s has its QueueRequest twice", id)
		}
		size = len(raw)
	}
	switch size {
	case unreadable: // records says it once for all
	case lost:
		c.find("invocation %s has lost its QueueRequest", id)
	case inv.Size:
		c.Bytes += int64(size)
	default:
		c.find("invocation %s has a QueueRequest of %d bytes, it came with %d", id, size, inv.Size)
	}
	c.places.expect(appendFacts(nil, entryOf(inv)))
	c.callIDs.expect(appendCallKey(nil, inv.CallID, id))
}

// indexes goes over the entries of the three indexes. Only when they are not
// just those that the records let expect, each is looked up.
func (c *checker) indexes() {
	for _, x := range indexes {
		c.each(x.in.String()+" entries", x.prefix, func(key, value []byte) {
			e, err := parseEntry(x.in, key, value)
			if err != nil {
				c.find("%s entry %x cannot be understood: %v", x.in, key, plainly(err))
				return
			}
			*map[place]*int{inReady: &c.Ready, inDelayed: &c.Delayed, inDead: &c.Dead}[x.in]++
			c.places.meet(appendFacts(nil, e))
		})
	}
	if !c.places.agree() {
		c.each("records", recordPrefix, c.missingEntry)
		for _, x := range indexes {
			c.each(x.in.String()+" entries", x.prefix, func(key, value []byte) { c.wrongEntry(x.in, key, value) })
		}
	}
}

// recordOf decodes the record under a key of any form.
func recordOf(key, value []byte) (*invocation.Invocation, error) {
	if len(key) != 2+idLen {
		return nil, errBadKey
	}
	return record.Decode(invocation.ID(key[2:]), value)
}

// missingEntry looks for the index entries of a record.
func (c *checker) missingEntry(key, value []byte) {
	inv, err := recordOf(key, value)
	if err != nil {
		return // records has said it
	}
	var found []place
	for _, in := range []place{inReady, inDelayed, inDead} {
		if (in == inDead) == (inv.State == invocation.Dead) && c.has(entryKey(in, inv)) {
			found = append(found, in)
		}
	}
	switch len(found) {
	case 0:
		c.find("invocation %s is in no index: it would never be called", inv.ID)
	case 1:
	default:
		c.find("invocation %s is %s and %s at once", inv.ID, found[0], found[1])
	}
}

// wrongEntry looks for the record of an index entry.
func (c *checker) wrongEntry(in place, key, value []byte) {
	e, err := parseEntry(in, key, value)
	if err != nil {
		return // indexes has said it
	}
	inv, err := c.s.get(e.id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		c.find("the %s entry of %s belongs to no invocation", in, e.id)
	case err == nil && !bytes.Equal(appendFacts(nil, e), appendFacts(nil, entryOf(inv))):
		c.find("the %s entry of %s does not agree with its record", in, e.id)
	}
}

// has reports whether a key is there. One that cannot be read counts as there, and is said
// once for all keys of its kind.
func (c *checker) has(key []byte) bool {
	ok, err := c.s.has(key)
	if kind := string(key[:2]); err != nil && !c.unread[kind] {
		c.unread[kind] = true
		c.find("keys that begin with %q cannot all be looked up: %v", kind, plainly(err))
	}
	return ok || err != nil
}

// calls goes over the index of call ids, as indexes does over the others.
func (c *checker) calls() {
	c.each("call ids", callPrefix, func(key, _ []byte) { c.callIDs.meet(key) })
	if c.callIDs.agree() {
		return
	}
	c.each("call ids", callPrefix, func(key, _ []byte) {
		if len(key) != 2+hashLen+idLen {
			c.find("call id %x has a key of an unknown form", key)
			return
		}
		id := invocation.ID(key[2+hashLen:])
		inv, err := c.s.get(id)
		switch {
		case errors.Is(err, store.ErrNotFound):
			c.find("a call id points to %s, which is not there", id)
		case err == nil && !bytes.Equal(key, appendCallKey(nil, inv.CallID, id)):
			c.find("a call id points to %s, which has another", id)
		}
	})
	c.each("records", recordPrefix, func(key, value []byte) {
		inv, err := recordOf(key, value)
		if err == nil && !c.has(appendCallKey(nil, inv.CallID, inv.ID)) {
			c.find("invocation %s cannot be found by its call id", inv.ID)
		}
	})
}

// rest counts dedup records and notes and looks for keys of no known kind.
func (c *checker) rest() {
	c.each("dedup records", seenPrefix, func(_, _ []byte) { c.Marks++ })
	c.each("dedup records of batches", runPrefix, func(key, value []byte) {
		err := eachOfRun(key, value, func(position) bool { c.Marks++; return true })
		if err != nil {
			c.find("dedup records %x cannot be understood: %v", key, plainly(err))
		}
	})
	c.each("notes", notePrefix, func(key, value []byte) {
		if string(key[len(notePrefix):]) != secretNote {
			c.Notes++
		}
		n := store.Note{Name: string(key[len(notePrefix):]), Value: value}
		if err := n.Check(); err != nil {
			c.find("note %q: %v", n.Name, err)
		}
	})
	c.unknown()
}

// unknown looks for keys of no known kind: those between the kinds, before and after them.
func (c *checker) unknown() {
	known := [][]byte{
		recordPrefix, bytesPrefix, callPrefix, seenPrefix, runPrefix, readyPrefix, delayedPrefix, deadPrefix, notePrefix,
		claimPrefix, resultPrefix, bodyPrefix, resultCallPrefix, expiryPrefix, versionKey,
	}
	slices.SortFunc(known, bytes.Compare)
	var from []byte
	for _, prefix := range append(known, nil) {
		c.between(from, prefix)
		if from = after(prefix); bytes.Equal(prefix, versionKey) {
			from = append(bytes.Clone(versionKey), 0) // a key, not a kind
		}
	}
}

// between reports all keys from lower to before upper, nil for no bound.
func (c *checker) between(lower, upper []byte) {
	err := c.s.each(lower, upper, func(key, _ []byte) (bool, error) {
		c.find("key %q is of no known kind", key)
		return true, c.ended()
	})
	if err != nil {
		c.find("keys of no known kind cannot all be looked for: %v", plainly(err))
	}
}
