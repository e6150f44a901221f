// File checkkeys.go compares the keys that are in a store with those that its records ask for.

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
			if part := raw.Key()[2:]; len(part) < idLen || !c.has(appendUnfinishedKey(nil, raw.Key()[:2+idLen])) {
				c.find("QueueRequest %x belongs to no invocation", part)
			}
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
		for ; more && bytes.HasPrefix(raw.Key()[2:], id[:]); more = raw.Next() { // its parts
			size = max(size, 0) + len(raw.Value())
		}
		if raw.Error() != nil {
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
	c.expect(c.asked.invocation(inv))
}

// expect notes the keys that something asks for.
func (c *checker) expect(pairs []pair) {
	for _, p := range pairs {
		c.tally.expect(p)
	}
}

// kept goes over idempotency keys and results, and the bodies of these.
func (c *checker) kept() {
	c.each("idempotency keys", claimPrefix, func(key, value []byte) {
		c.Keys++
		k, err := parseClaim(key[len(claimPrefix):], value)
		if err != nil {
			c.find("idempotency key %x cannot be understood: %v", key, plainly(err))
			return
		}
		c.expect(c.asked.claim(&k))
	})
	c.each("results", resultPrefix, c.result)
	c.each("bodies of results", bodyPrefix, func(key, _ []byte) {
		switch len(key) - len(bodyPrefix) - idLen {
		case 0:
		case stampLen, stampLen + 2:
			if first := key[:len(bodyPrefix)+idLen+stampLen]; c.has(appendUnfinishedKey(nil, first)) || c.has(c.expiryOf(first)) {
				return
			}
		default:
			c.find("body %x of a result has a key of an unknown form", key)
			return
		}
		id := invocation.ID(key[len(bodyPrefix):][:idLen])
		if len(key) > len(bodyPrefix)+idLen || !c.has(appendResultKey(nil, id)) {
			c.find("body %x belongs to no result", key[len(bodyPrefix):])
		}
	})
}

// expiryOf returns the key of the expiry of a result, from that of the first part of its body.
func (c *checker) expiryOf(first []byte) []byte {
	id, at := first[len(bodyPrefix):][:idLen], first[len(bodyPrefix)+idLen:]
	return append(append(append(bytes.Clone(expiryPrefix), at...), ofResult), id...)
}

// result checks one result and its body.
func (c *checker) result(key, value []byte) {
	c.Results++
	if len(key) != len(resultPrefix)+idLen {
		c.find("result %x has a key of an unknown form", key)
		return
	}
	id := invocation.ID(key[len(resultPrefix):])
	pairs, e, err := c.asked.result(id, value)
	if err != nil {
		c.find("result %x cannot be understood: %v", key, plainly(err))
		return
	}
	c.expect(pairs)
	c.ResultBytes += int64(e.size)
	want := e.size - len(value)
	body, err := c.s.resultBody(c.s.db, &store.Result{Expires: e.at}, id, want)
	switch got := len(body); {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		c.find("the body of the result of %s cannot be read: %v", id, plainly(err))
	case got != want:
		c.find("the result of %s has a body of %d bytes, it was kept with %d", id, got, want)
	}
}

// indexes compares the keys that are asked for with those that are there. Only when they are
// not the same, each is looked up.
func (c *checker) indexes() {
	counts := map[byte]*int{readyPrefix[0]: &c.Ready, delayedPrefix[0]: &c.Delayed, deadPrefix[0]: &c.Dead}
	c.eachDerived(func(k *keyKind, p pair) {
		if n := counts[k.prefix[0]]; n != nil {
			*n++
		}
		c.tally.meet(asReady(p))
	})
	if !c.tally.agree() {
		c.missing()
		c.eachDerived(c.stray)
	}
}

func (c *checker) eachDerived(f func(*keyKind, pair)) {
	for i := range keyKinds {
		if k := &keyKinds[i]; c.asked.lists(k) {
			c.each(k.name, k.prefix, func(key, value []byte) { f(k, pair{key, value}) })
		}
	}
}

// missing looks for every key that is asked for.
func (c *checker) missing() {
	c.each("records", recordPrefix, func(key, value []byte) {
		if inv, err := recordOf(key, value); err == nil { // records has reported the others
			c.lookFor(c.asked.invocation(inv), "invocation "+inv.ID.String())
		}
	})
	c.each("idempotency keys", claimPrefix, func(key, value []byte) {
		if k, err := parseClaim(key[len(claimPrefix):], value); err == nil {
			c.lookFor(c.asked.claim(&k), fmt.Sprintf("idempotency key %x", key))
		}
	})
	c.each("results", resultPrefix, func(key, value []byte) {
		if len(key) != len(resultPrefix)+idLen {
			return
		}
		id := invocation.ID(key[len(resultPrefix):])
		if pairs, _, err := c.asked.result(id, value); err == nil {
			c.lookFor(pairs, "the result of "+id.String())
		}
	})
}

// recordOf decodes the record under a key of any form.
func recordOf(key, value []byte) (*invocation.Invocation, error) {
	if len(key) != 2+idLen {
		return nil, errBadKey
	}
	return record.Decode(invocation.ID(key[2:]), value)
}

// lookFor reports the keys of an owner that are not there. A ready entry may also be a delayed
// one.
func (c *checker) lookFor(pairs []pair, owner string) {
	for _, p := range pairs {
		k := kindOf(p.key)
		if c.has(p.key) {
			continue
		}
		if r, err := parseReady(p.key); string(k.prefix) == string(readyPrefix) && err == nil &&
			c.has(appendTimedKey(nil, delayedPrefix, r.Since, r.ID)) {
			continue
		}
		c.find("%s is missing in the index %q (%s)", owner, k.prefix, k.name)
	}
}

// stray reports a key that is not asked for.
func (c *checker) stray(k *keyKind, p pair) {
	p = asReady(p)
	if twin := string(k.prefix) == string(delayedPrefix) && len(p.key) > 2+tailLen && c.has(p.key); twin {
		_, id := parseTail(p.key)
		c.find("invocation %s is ready and delayed at once", id)
		return
	}
	if asked, err := c.isAsked(p); err == nil && !asked {
		c.find("%s: key %q belongs to nothing, or does not agree with what it belongs to", k.name, p.key)
	}
}

// isAsked reports whether the owner of a derived key asks for it. An error means that the
// owner cannot be read, which has been reported.
func (c *checker) isAsked(p pair) (bool, error) {
	has := func(pairs []pair) bool {
		return slices.ContainsFunc(pairs, func(q pair) bool { return bytes.Equal(p.key, q.key) && bytes.Equal(p.value, q.value) })
	}
	if len(p.key) >= 2+idLen {
		id := invocation.ID(p.key[len(p.key)-idLen:])
		inv, err := c.s.get(id)
		if err == nil && has(c.asked.invocation(inv)) {
			return true, nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
		found := false
		err = c.s.look(appendResultKey(nil, id), func(v []byte) error {
			pairs, _, err := c.asked.result(id, v)
			found = err == nil && has(pairs)
			return err
		})
		if found || err != nil && !errors.Is(err, store.ErrNotFound) {
			return found, err
		}
	}
	if len(p.key) < 2+len(claim{}.Hash) {
		return false, nil
	}
	hash := [32]byte(p.key[len(p.key)-32:])
	k, err := c.s.getClaim(&hash)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && has(c.asked.claim(k)), err
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

// rest counts dedup records, ends and notes and looks for keys of no known kind.
func (c *checker) rest() {
	c.each("dedup records", seenPrefix, func(_, _ []byte) { c.Marks++ })
	c.each("dedup records of batches", runPrefix, func(key, value []byte) {
		err := eachOfRun(key, value, func(position) bool { c.Marks++; return true })
		if err != nil {
			c.find("dedup records %x cannot be understood: %v", key, plainly(err))
		}
	})
	c.each("counts of jobs", tallyPrefix, func(key, value []byte) {
		if _, err := decodeTally(value); err != nil || len(key) != len(tallyPrefix)+idLen {
			c.find("counts of job %x cannot be understood", key[len(tallyPrefix):])
		}
	})
	c.each("ends", endPrefix, func(key, value []byte) {
		if hashes, _, err := hashesOf(value); err != nil {
			c.find("ends %x cannot be understood: %v", key, err)
		} else {
			c.Ends += len(hashes) / 2
		}
	})
	c.each("filters of ends", filterPrefix, func(key, value []byte) {
		if _, _, err := parseSegment(value); err != nil {
			c.find("filter %x: %v", key, err)
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
	known := [][]byte{versionKey}
	for _, k := range keyKinds {
		known = append(known, k.prefix)
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
