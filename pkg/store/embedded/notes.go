// File notes.go has notes: small durable texts, such as the progress of a job. All of them
// are in memory as well.

package embedded

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"

	"queue-worker/pkg/store"
)

// cloneNote makes a note that its giver may change.
func cloneNote(n store.Note) *store.Note {
	return &store.Note{Name: n.Name, Value: bytes.Clone(n.Value)}
}

// notes are all notes as of the latest commit. Only the committer changes them.
type notes struct {
	mu    sync.RWMutex
	all   map[string][]byte
	bytes int
}

func (n *notes) apply(changes []store.Note) {
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
func (s *Store) PutNote(ctx context.Context, n store.Note) error {
	if err := n.Check(); err != nil {
		return err
	}
	own := cloneNote(n)
	return s.do(ctx, len(own.Value), func(t *txn) error { return t.write(own) })
}

// write stages a note, or stages nothing and returns why. Notes are written over
// and over, so they are deleted in the ordinary way and not as unset does it.
func (t *txn) write(n *store.Note) error {
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
	if more > 0 && len(known.all)+t.moreNotes+more > store.MaxNotes {
		return fmt.Errorf("%w: there are %d", store.ErrNote, store.MaxNotes)
	}
	if grown > 0 && known.bytes+t.noteBytes+grown > store.MaxNoteBytes {
		return fmt.Errorf("%w: all together have %d bytes, at most %d are allowed", store.ErrNote, known.bytes, store.MaxNoteBytes)
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
	var all []store.Note
	err := s.each(notePrefix, after(notePrefix), func(key, value []byte) (bool, error) {
		name := string(key[len(notePrefix):])
		if name == secretNote && len(value) == len(s.secret) {
			s.secret = [32]byte(value)
			return true, nil
		}
		all = append(all, store.Note{Name: name, Value: append([]byte{}, value...)})
		return true, nil
	})
	s.notes.apply(all)
	return err
}
