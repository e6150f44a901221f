// File notes.go has notes and the counts of jobs. All notes are in memory as well.

package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// notes are all notes as of the latest commit. Only the committer changes them.
type notes struct {
	mu    sync.RWMutex
	all   map[string][]byte
	bytes int
}

func (n *notes) apply(changes []store.Note) {
	if len(changes) == 0 {
		return
	}
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

// PutNote writes a note, or deletes it when it has no Value, and returns when that is durable.
// ErrNote when it is too long or one too many.
func (s *Store) PutNote(ctx context.Context, n store.Note) error {
	if err := n.Check(); err != nil {
		return err
	}
	own := &store.Note{Name: n.Name, Value: bytes.Clone(n.Value)}
	return s.do(ctx, len(own.Value), func(t *txn) error {
		if err := t.mayNote(own); err != nil {
			return err
		}
		t.putNote(own)
		return nil
	})
}

// mayNote reports why a note cannot be written.
func (t *txn) mayNote(n *store.Note) error {
	more, grown := t.growth(n)
	known := &t.s.notes // without its lock: only this goroutine changes it
	if more > 0 && len(known.all)+t.moreNotes+more > store.MaxNotes {
		return fmt.Errorf("%w: there are %d", store.ErrNote, store.MaxNotes)
	}
	if grown > 0 && known.bytes+t.noteBytes+grown > store.MaxNoteBytes {
		return fmt.Errorf("%w: all together have %d bytes, at most %d are allowed", store.ErrNote, known.bytes, store.MaxNoteBytes)
	}
	return nil
}

// growth is by how many notes and bytes a note makes them more than they are after this batch so far.
func (t *txn) growth(n *store.Note) (more, grown int) {
	old, is := t.s.notes.all[n.Name]
	for _, earlier := range t.notes {
		if earlier.Name == n.Name {
			old, is = earlier.Value, earlier.Value != nil
		}
	}
	switch {
	case n.Value == nil && is:
		more = -1
	case n.Value != nil && !is:
		more = 1
	}
	return more, len(n.Value) - len(old)
}

func (t *txn) putNote(n *store.Note) {
	more, grown := t.growth(n)
	t.moreNotes, t.noteBytes = t.moreNotes+more, t.noteBytes+grown
	t.notes = append(t.notes, *n)
}

// openNotes reads all notes.
func (s *Store) openNotes(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, statement("all notes"))
	if err != nil {
		return err
	}
	var all []store.Note
	err = eachRow(rows, func(rows pgx.Rows) error {
		var name, value []byte
		err := rows.Scan(&name, &value)
		all = append(all, store.Note{Name: string(name), Value: present(value)})
		return err
	})
	s.notes.apply(all)
	return err
}

// Tally returns what became of the invocations that a job has replayed; false when nothing is known
// of it.
func (s *Store) Tally(ctx context.Context, job invocation.ID) (n store.Tally, known bool, err error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return n, false, err
	}
	defer done()
	err = readError(s.pool.QueryRow(ctx, statement("tally"), [16]byte(job)).Scan(&n.Replayed, &n.Succeeded, &n.FailedAgain, &n.Dropped, &n.Cancelled))
	if errors.Is(err, store.ErrNotFound) {
		return n, false, nil
	}
	return n, err == nil, err
}

// DropTally forgets a job, and returns when that is durable.
func (s *Store) DropTally(ctx context.Context, job invocation.ID) error {
	return s.do(ctx, 0, func(t *txn) error {
		_, err := t.exec("drop tally", [16]byte(job))
		delete(t.second.tallies, job)
		return err
	})
}
