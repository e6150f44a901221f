// File walk.go goes over the index entries of dead letters or of pending invocations, in steps
// of bounded work.

package embedded

import (
	"context"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Bounds of one step of a walk, so that it holds up neither Close nor Pebble's
// removal of old files, and answers in good time.
const (
	lookEntries = 50_000   // index entries
	lookRecord  = 5        // what the reading of a record counts, in entries
	lookBytes   = 64 << 20 // QueueRequests that Match reads
	lookPause   = 256      // entries between two looks at the context
)

// look is what is left of a step.
type look struct {
	entries int
	bytes   int64
	begun   int // entries, to look at the context now and then
}

func newLook() look { return look{entries: lookEntries, bytes: lookBytes} }

// next takes one entry. An error is that of the context.
func (l *look) next(ctx context.Context) error {
	l.entries--
	l.begun++
	if l.begun%lookPause == 1 {
		return ctx.Err()
	}
	return nil
}

func (l *look) over() bool { return l.entries < 0 || l.bytes <= 0 }

// walk is what the walks over the dead and over the pending have in common.
type walk struct {
	s    *Store
	left look
	last []byte // key of the latest entry that was looked at, or that of the cursor
	more bool   // there may be more
}

// visit looks at one index entry and takes it if it passes. It ends the step, and sets more, when
// the step has looked at enough, or at an entry that passes and for which there is no room.
func (w *walk) visit(ctx context.Context, in place, key, value []byte, room bool, passes func(*entry) bool, take func(*entry)) (bool, error) {
	if err := w.left.next(ctx); err != nil {
		return false, err
	}
	e, err := parseEntry(in, key, value)
	pass := err == nil && passes(&e)
	if w.left.over() || pass && !room {
		w.more = true
		return false, nil
	}
	w.last = append(w.last[:0], key...)
	_ = w.s.damaged(err) // costs this entry only
	if pass {
		take(&e)
	}
	return true, nil
}

// record reads the record of an entry. ErrNotFound when the invocation is gone, or elsewhere
// by now; after any other error the damage has been noted.
func (w *walk) record(e *entry) (*invocation.Invocation, error) {
	w.left.entries -= lookRecord
	inv, err := w.s.get(e.id)
	if err == nil && !e.holds(inv) {
		err = store.ErrNotFound
	}
	return inv, err
}

// unlessOver is damaged for a reading that may have been given up.
func (s *Store) unlessOver(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.damaged(err)
}
