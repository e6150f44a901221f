// File notes.go has notes: small durable texts, such as the progress of a job. All of them
// are in memory as well.

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Bounds of notes.
const (
	MaxNote      = 64 << 10 // bytes of one
	maxNoteName  = 256
	maxNotes     = 10_000
	maxNoteBytes = 64 << 20 // of all, since they are in memory
)

// ErrNote is returned for a note that is too long, or one too many.
var ErrNote = errors.New("note refused")

// Note is a small text with a name, such as "job/<id>". Without a Value (nil)
// there is no such note.
type Note struct {
	Name  string
	Value []byte
}

// check reports whether a note is within the bounds.
func (n *Note) check() error {
	switch {
	case n.Name == "" || len(n.Name) > maxNoteName:
		return fmt.Errorf("%w: its name has %d bytes, expected 1 to %d", ErrNote, len(n.Name), maxNoteName)
	case len(n.Value) > MaxNote:
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrNote, len(n.Value), MaxNote)
	}
	return nil
}

// clone makes a note that its giver may change.
func (n Note) clone() *Note { return &Note{n.Name, bytes.Clone(n.Value)} }

// notes are all notes as of the latest commit. Only the committer changes them.
type notes struct {
	mu    sync.RWMutex
	all   map[string][]byte
	bytes int
}

func (n *notes) apply(changes []Note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range changes {
		n.bytes += len(c.Value) - len(n.all[c.Name])
		if c.Value == nil {
			delete(n.all, c.Name)
			continue
		}
		n.all[c.Name] = c.Value
	}
}

// Notes returns a copy of all notes whose names begin with prefix.
func (s *Store) Notes(prefix string) map[string][]byte {
	s.notes.mu.RLock()
	defer s.notes.mu.RUnlock()
	found := map[string][]byte{}
	for name, value := range s.notes.all {
		if strings.HasPrefix(name, prefix) {
			found[name] = append([]byte{}, value...)
		}
	}
	return found
}

// PutNote writes a note, or deletes it when it has no Value, and returns when
// that is durable. ErrNote when it is too long or one too many.
func (s *Store) PutNote(ctx context.Context, n Note) error {
	if err := n.check(); err != nil {
		return err
	}
	o := &noteOp{note: n.clone(), call: make(call, 1)}
	return s.wait(ctx, o, o.call)
}

type noteOp struct {
	call
	note *Note
}

func (o *noteOp) size() int          { return len(o.note.Value) }
func (o *noteOp) stage(t *txn) error { return t.write(o.note) }

// write stages a note, or stages nothing and returns why. Notes are written over
// and over, so they are deleted in the ordinary way and not as unset does it.
func (t *txn) write(n *Note) error {
	for _, c := range t.notes {
		if c.Name == n.Name {
			return errConflict
		}
	}
	known := &t.s.notes // without its lock: only this goroutine changes it
	old, is := known.all[n.Name]
	more, grown := 0, len(n.Value)-len(old)
	switch {
	case n.Value == nil && is:
		more = -1
	case n.Value != nil && !is:
		more = 1
	}
	if more > 0 && len(known.all)+t.moreNotes+more > maxNotes {
		return fmt.Errorf("%w: there are %d", ErrNote, maxNotes)
	}
	if grown > 0 && known.bytes+t.noteBytes+grown > maxNoteBytes {
		return fmt.Errorf("%w: all together have %d bytes, at most %d are allowed", ErrNote, known.bytes, maxNoteBytes)
	}
	t.moreNotes += more
	t.noteBytes += grown
	t.notes = append(t.notes, *n)
	key := append(append(t.key[:0], notePrefix...), n.Name...)
	if n.Value == nil {
		_ = t.batch.Delete(key, nil) // a batch in memory takes any write
	} else {
		_ = t.batch.Set(key, n.Value, nil)
	}
	t.key = key[:0]
	return nil
}

// openNotes reads all notes.
func (s *Store) openNotes() error {
	var all []Note
	err := s.each(notePrefix, after(notePrefix), func(key, value []byte) (bool, error) {
		name := string(key[len(notePrefix):])
		if name == secretNote && len(value) == len(s.secret) {
			s.secret = [32]byte(value)
			return true, nil
		}
		all = append(all, Note{name, append([]byte{}, value...)})
		return true, nil
	})
	s.notes.apply(all)
	return err
}
