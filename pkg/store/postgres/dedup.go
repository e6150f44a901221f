// File dedup.go has the dedup records: the memory of the messages that were accepted.
//
// They are written to one of two tables, and looked up in both. When the first record of a table is
// ten minutes old, the next one empties the other table and goes there. So a record is known for
// ten minutes at least, and for as long as nothing new comes.

package postgres

import (
	"fmt"
	"time"

	"queue-worker/pkg/store"
)

// generation is how long dedup records are written to one table.
const generation = 10 * time.Minute

// dedup is for the committer alone.
type dedup struct {
	generation int
	began      time.Time // when its first record was written; the beginning of 1970 for not yet
	// named are the sources whose names this process has written.
	named map[int64]struct{}
}

// nameSource has the name of a source written, once in a process: a copy of the store needs it.
func (t *txn) nameSource(m *store.Source) {
	id := sourceOf(m).channel
	if _, known := t.s.dedup.named[id]; known {
		return
	}
	if t.second.names == nil {
		t.second.names = map[int64]string{}
	}
	t.second.names[id] = m.Cluster + "\x00" + m.Channel
}

// notedNames remembers the names that a batch has written.
func (d *dedup) notedNames(names map[int64]string) {
	for id := range names {
		d.named[id] = struct{}{}
	}
}

func sourceOf(m *store.Source) source {
	return source{hash64(m.Cluster + "\x00" + m.Channel), m.Timestamp, int64(m.Sequence)} // #nosec G115 -- any bits do
}

// markSource writes the dedup record of a message. ErrSeen when it is known.
func (t *txn) markSource(d source) error {
	if t.first.known[d] {
		return store.ErrSeen
	}
	if err := t.turnDedup(); err != nil {
		return err
	}
	t.first.known[d] = true
	t.second.sources = append(t.second.sources, d)
	return nil
}

// turnDedup turns to the other table when this one is old enough.
func (t *txn) turnDedup() error {
	d := &t.s.dedup
	if t.dedupTurned || len(t.second.sources) > 0 || t.now.Sub(d.began) < generation {
		return nil
	}
	next := d.generation
	if d.began.Unix() > 0 {
		next++
		if _, err := t.conn.Exec(t.ctx, fmt.Sprintf("TRUNCATE queue_worker.dedup_%d", next%2)); err != nil {
			return fmt.Errorf("%w: %w", errQuery, err)
		}
	}
	if _, err := t.exec("turn dedup", next, stamp(t.now)); err != nil {
		return err
	}
	t.dedupTurned, t.dedup = true, dedup{next, t.now, d.named}
	return nil
}
