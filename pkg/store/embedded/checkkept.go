// File checkkept.go checks idempotency keys, results, and the index of their expiry.

package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// kept goes over idempotency keys and results and all that points to them. Only
// when that is not just what they let expect, each key is looked up.
func (c *checker) kept() {
	c.each("idempotency keys", claimPrefix, func(key, value []byte) {
		c.Keys++
		k, err := parseClaim(key[len(claimPrefix):], value)
		if err != nil {
			c.find("idempotency key %x cannot be understood: %v", key, plainly(err))
			return
		}
		c.beside.expect(appendClaimExpiry(nil, &k))
	})
	c.each("results", resultPrefix, func(key, value []byte) {
		c.Results++
		e, err := endOfResult(key, value)
		if err != nil {
			c.find("result %x cannot be understood: %v", key, plainly(err))
			return
		}
		c.ResultBytes += int64(e.size)
		c.beside.expect(append(appendResultExpiry(nil, e.at, e.id), e.value()...))
		c.beside.expect(appendResultCall(nil, e.call, e.id))
		if e.body {
			c.beside.expect(bodyFact(appendBodyKey(nil, e.id), e.size-len(value)))
		}
	})
	meet := func(key, value []byte) { c.beside.meet(append(bytes.Clone(key), value...)) }
	c.each("expiry entries", expiryPrefix, meet)
	c.each("call ids of results", resultCallPrefix, meet)
	c.each("bodies of results", bodyPrefix, func(key, value []byte) { c.beside.meet(bodyFact(key, len(value))) })
	if !c.beside.agree() {
		c.missingBeside()
		c.strayExpiry()
		c.strayBeside()
	}
}

// bodyFact stands for the body of a result, which may be long.
func bodyFact(key []byte, length int) []byte {
	return binary.AppendUvarint(bytes.Clone(key), uint64(length)) // #nosec G115 -- a length
}

// endOfResult is the expiry entry that a result should have.
func endOfResult(key, value []byte) (expiry, error) {
	if len(key) != len(resultPrefix)+idLen {
		return expiry{}, errBadKey
	}
	id := invocation.ID(key[len(resultPrefix):])
	r, body, err := record.DecodeResult(id, value)
	if err != nil {
		return expiry{}, err
	}
	return expiry{at: r.Expires, of: ofResult, id: id, ending: endingOf(r, len(value), body)}, nil
}

// missingBeside looks for all that should stand beside a key or a result.
func (c *checker) missingBeside() {
	c.each("idempotency keys", claimPrefix, func(key, value []byte) {
		k, err := parseClaim(key[len(claimPrefix):], value)
		if err == nil && !c.has(appendClaimExpiry(nil, &k)) {
			c.find("idempotency key %x would never be forgotten", key)
		}
	})
	c.each("results", resultPrefix, func(key, value []byte) {
		e, err := endOfResult(key, value)
		if err != nil {
			return // kept has said it
		}
		if !c.has(appendResultExpiry(nil, e.at, e.id)) {
			c.find("the result of %s would never be forgotten", e.id)
		}
		if !c.has(appendResultCall(nil, e.call, e.id)) {
			c.find("the result of %s cannot be found by its call id", e.id)
		}
		if e.body && !c.has(appendBodyKey(nil, e.id)) {
			c.find("the result of %s has lost its body", e.id)
		}
	})
}

// strayExpiry looks for expiry entries that agree with nothing.
func (c *checker) strayExpiry() {
	c.each("expiry entries", expiryPrefix, func(key, value []byte) {
		e, err := parseExpiry(key, value)
		switch {
		case err != nil:
			c.find("expiry entry %x cannot be understood: %v", key, plainly(err))
		case e.of == ofClaim:
			k, err := c.s.getClaim(&e.hash)
			if errors.Is(err, store.ErrNotFound) || err == nil && !sameStamp(k.Expires, e.at) {
				c.find("expiry entry %x belongs to no idempotency key", key)
			}
		default:
			want, _, err := c.resultOf(e.id)
			switch {
			case errors.Is(err, store.ErrNotFound):
				c.find("the expiry entry of the result of %s belongs to no result", e.id)
			case err == nil && (!sameStamp(want.at, e.at) || want.ending != e.ending):
				c.find("the expiry entry of the result of %s does not agree with it", e.id)
			}
		}
	})
}

// strayBeside looks for call ids and bodies that belong to no result.
func (c *checker) strayBeside() {
	c.each("call ids of results", resultCallPrefix, func(key, _ []byte) {
		if len(key) != len(resultCallPrefix)+hashLen+idLen {
			c.find("call id %x of a result has a key of an unknown form", key)
			return
		}
		id := invocation.ID(key[len(key)-idLen:])
		want, _, err := c.resultOf(id)
		if errors.Is(err, store.ErrNotFound) || err == nil && !bytes.Equal(key, appendResultCall(nil, want.call, id)) {
			c.find("a call id points to the result of %s, which is not there or has another", id)
		}
	})
	c.each("bodies of results", bodyPrefix, func(key, value []byte) {
		if len(key) != len(bodyPrefix)+idLen {
			c.find("body %x of a result has a key of an unknown form", key)
			return
		}
		id := invocation.ID(key[len(bodyPrefix):])
		_, want, err := c.resultOf(id)
		switch {
		case errors.Is(err, store.ErrNotFound), err == nil && want == 0:
			c.find("body %x belongs to no result", key[len(bodyPrefix):])
		case err == nil && want != len(value):
			c.find("the result of %s has a body of %d bytes, it was kept with %d", id, len(value), want)
		}
	})
}

// resultOf looks up a result, and returns when it expires and the length of its body.
func (c *checker) resultOf(id invocation.ID) (e expiry, body int, err error) {
	err = c.s.look(appendResultKey(nil, id), func(v []byte) error {
		var r *store.Result
		if r, body, err = record.DecodeResult(id, v); err == nil {
			e = expiry{at: r.Expires, id: id, ending: endingOf(r, len(v), body)}
		}
		return err
	})
	return e, body, err
}
