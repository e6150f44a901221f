// File letters.go lists the dead letters that match a filter, page by page.

package embedded

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"slices"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// Letters reads up to limit dead letters that pass f, in the order of f, beginning
// after the cursor of an earlier page ("" for the start). Of what is dead
// throughout the listing nothing is left out and nothing comes twice. A letter
// whose record cannot be read is listed with what its index entry has, unless
// f asks for more than that.
func (s *Store) Letters(ctx context.Context, f store.Filter, cursor string, limit int) (store.LetterPage, error) {
	w := newDeadWalk(s, &f)
	if cursor != "" {
		tail, err := hex.DecodeString(cursor)
		if err != nil || len(tail) != tailLen {
			return store.LetterPage{}, store.ErrBadCursor
		}
		w.after(append(bytes.Clone(deadPrefix), tail...))
	}
	if limit <= 0 {
		return store.LetterPage{Next: cursor}, nil
	}
	var page store.LetterPage
	err := w.step(ctx, limit, true, func(_ *entry, inv *invocation.Invocation) {
		page.Letters = append(page.Letters, inv)
	})
	if err != nil {
		return store.LetterPage{}, err
	}
	if page.Next = cursor; w.last != nil {
		page.Next = hex.EncodeToString(w.last[len(w.last)-tailLen:])
	}
	if !w.more {
		page.Next = ""
	}
	return page, nil
}

// deadWalk goes over the letters that pass a filter, in steps.
type deadWalk struct {
	walk
	f            *store.Filter
	lower, upper []byte
}

func newDeadWalk(s *Store, f *store.Filter) *deadWalk {
	w := &deadWalk{walk: walk{s: s}, f: f, lower: deadPrefix, upper: after(deadPrefix)}
	if !f.Since.IsZero() {
		w.lower = stamp(bytes.Clone(deadPrefix), f.Since)
	}
	if !f.Until.IsZero() {
		w.upper = stamp(bytes.Clone(deadPrefix), f.Until)
	}
	return w
}

// after lets the walk begin after a key, if that is within its bounds.
func (w *deadWalk) after(key []byte) {
	switch {
	case w.f.Newest && bytes.Compare(key, w.upper) < 0:
		w.upper = bytes.Clone(key)
	case !w.f.Newest && bytes.Compare(key, w.lower) >= 0:
		w.lower = append(bytes.Clone(key), 0)
	}
}

// step visits up to limit letters; with records, each with its record. When it
// has looked at enough, or met one letter beyond the limit, it sets more; the next
// step continues there.
func (w *deadWalk) step(ctx context.Context, limit int, records bool, visit func(*entry, *invocation.Invocation)) error {
	if err := w.s.enter(); err != nil {
		return err
	}
	defer w.s.leave()
	if w.last != nil {
		w.after(w.last)
	}
	w.more, w.left = false, newLook()
	take := func(e *entry) {
		if inv, ok := w.read(e, records); ok {
			limit--
			visit(e, inv)
		}
	}
	err := w.each(func(key, value []byte) (bool, error) {
		return w.visit(ctx, inDead, key, value, limit > 0, w.passes, take)
	})
	return w.s.unlessOver(ctx, err)
}

// passes reports whether the index entry of a letter passes.
func (w *deadWalk) passes(e *entry) bool {
	f, l := w.f, &e.letter
	return (f.Queue == "" || f.Queue == l.Queue) && (f.Function == "" || f.Function == l.Name) &&
		(len(f.Reasons) == 0 || slices.Contains(f.Reasons, l.Reason)) &&
		(len(f.Statuses) == 0 || slices.Contains(f.Statuses, l.Status))
}

// deep reports whether the index entry alone does not decide.
func (w *deadWalk) deep() bool { return w.f.CallID != "" || w.f.Match != nil }

// each calls f with the index entries of the walk. Those of one call id are found
// by that, unless it came so often that this is no gain.
func (w *deadWalk) each(f func(key, value []byte) (bool, error)) error {
	if bytes.Compare(w.lower, w.upper) >= 0 {
		return nil
	}
	if w.f.CallID != "" {
		if found, few, err := w.s.deadOfCall(w.f.CallID); few || err != nil {
			return w.eachOf(found, err, f)
		}
	}
	if w.f.Newest {
		return w.s.eachBack(w.lower, w.upper, f)
	}
	return w.s.each(w.lower, w.upper, f)
}

func (w *deadWalk) eachOf(found []*invocation.Invocation, err error, f func(key, value []byte) (bool, error)) error {
	more := err == nil
	if w.f.Newest {
		slices.Reverse(found)
	}
	for i := 0; more && err == nil && i < len(found); i++ {
		key := deadKey(found[i])
		if bytes.Compare(key, w.lower) >= 0 && bytes.Compare(key, w.upper) < 0 {
			more, err = f(key, record.EncodeLetter(record.LetterOf(found[i])))
		}
	}
	return err
}

// fewOfCall is how many invocations of one call id are looked up one by one.
const fewOfCall = 1000

// deadOfCall finds the dead letters with a call id, in the order of the dead
// set; not few means that there are too many invocations with it.
func (s *Store) deadOfCall(callID string) (found []*invocation.Invocation, few bool, err error) {
	prefix := appendCallRange(nil, callID)
	n := 0
	err = s.each(prefix, after(prefix), func(key, _ []byte) (bool, error) {
		n++
		inv, err := s.get(invocation.ID(key[len(prefix):]))
		if err == nil && inv.State == invocation.Dead && inv.CallID == callID {
			found = append(found, inv)
		}
		return n <= fewOfCall, nil // what cannot be read does not pass; s.get has noted it
	})
	slices.SortFunc(found, func(a, b *invocation.Invocation) int {
		return bytes.Compare(deadKey(a), deadKey(b))
	})
	return found, n <= fewOfCall, err
}

// read reads the record of a letter, where it is asked for or the filter needs
// it, and reports whether the letter passes and is still dead.
func (w *deadWalk) read(e *entry, records bool) (*invocation.Invocation, bool) {
	if !records && !w.deep() {
		return nil, true
	}
	inv, err := w.record(e)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, false
	case err != nil:
		return e.letter.Invocation(e.id, e.at), !w.deep()
	case w.f.CallID != "" && w.f.CallID != inv.CallID:
		return nil, false
	case w.f.Match == nil:
		return inv, true
	}
	w.left.bytes -= int64(inv.StoredBytes())
	match := false
	err = w.s.lookBody(e.id, func(raw []byte) error {
		match = w.f.Match(inv, raw)
		return nil
	})
	return inv, err == nil && match
}
