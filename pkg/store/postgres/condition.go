// File condition.go reports whether the store can persist outcomes, and accept more, and closes it.

package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/store"
)

// stallAfter is how long the committer may be busy with one batch before the store says so.
const stallAfter = 5 * time.Second

// closeWait is how long Close waits for a server that does not answer.
const closeWait = 10 * time.Second

// Failed returns nil, or the error after which only a restart can help.
func (s *Store) Failed() error {
	if p := s.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// Failure is closed when the store has failed.
func (s *Store) Failure() <-chan struct{} { return s.failed }

// Err returns nil while outcomes can be stored. While it returns an error no call may begin.
func (s *Store) Err() error {
	if err := s.Failed(); err != nil {
		return err
	}
	if err := s.away.get(); err != nil {
		return err
	}
	if silent := s.signs.silent(); silent > silentMost {
		return fmt.Errorf("no sign of life has reached PostgreSQL for %s", silent.Round(time.Second))
	}
	if began := s.began.Load(); began != 0 {
		if busy := time.Since(time.Unix(0, began)); busy > stallAfter {
			return fmt.Errorf("PostgreSQL stalled: a commit has been waiting for %s", busy.Round(time.Second))
		}
	}
	return nil
}

// Health returns nil when all is well, or what an operator should know.
func (s *Store) Health() error { return s.Err() }

// Full returns nil, or why nothing more may be accepted: Err, or as much stored as store_max_bytes allows.
func (s *Store) Full() error {
	if err := s.Err(); err != nil {
		return err
	}
	if limit := s.opts.MaxBytes; limit > 0 {
		st := s.Stats()
		if held := st.Bytes + st.ResultBytes; held >= limit {
			return fmt.Errorf("store holds %d bytes, store_max_bytes is %d", held, limit)
		}
	}
	return nil
}

// Usage is what the store takes.
func (s *Store) Usage() store.Usage {
	return store.Usage{DiskBytes: s.disk.Load(), LimitBytes: s.opts.MaxBytes, IsRemote: true}
}

// Recovered returns the invocations that were in flight when the previous worker crashed.
func (s *Store) Recovered() store.Recovered { return s.recovered }

// enter begins a reading, which Close waits for.
func (s *Store) enter() error {
	s.gate.RLock()
	if s.closed {
		s.gate.RUnlock()
		return store.ErrClosed
	}
	return nil
}

func (s *Store) leave() { s.gate.RUnlock() }

// reading is enter for a statement that is bounded in time. The caller calls done.
func (s *Store) reading(ctx context.Context) (bounded context.Context, done func(), err error) {
	if err := s.enter(); err != nil {
		return nil, nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, queryTimeout)
	return bounded, func() { cancel(); s.leave() }, nil
}

// each runs a statement that reads, and calls f for each row.
func (s *Store) each(ctx context.Context, f func(pgx.Rows) error, text string, args ...any) error {
	var unread error // what f returned: it is of one row, and not of the statement
	rows, err := s.pool.Query(ctx, text, args...)
	if err == nil {
		err = eachRow(rows, func(rows pgx.Rows) error {
			unread = f(rows)
			return unread
		})
	}
	if unread != nil {
		return unread
	}
	return readError(err)
}

// readError is the error of a statement, without addresses and names: ErrNotFound for one that has
// found no row, and that of the caller's context as it is.
func readError(err error) error {
	switch {
	case err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, pgx.ErrNoRows):
		return store.ErrNotFound
	}
	plain := error(&plainError{"PostgreSQL: " + cause(err), err})
	if passes(err) {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, plain)
	}
	return plain
}

// plainError is an error of the driver whose text has no addresses and names.
type plainError struct {
	text string
	err  error
}

func (e *plainError) Error() string { return e.text }
func (e *plainError) Unwrap() error { return e.err }

// Close finishes what was submitted, gives back what is in flight, ends the session and closes. It
// may be called more than once. When the server does not answer it gives up after some seconds:
// what was confirmed is there, and waiting operations get an error.
func (s *Store) Close() (err error) {
	s.once.Do(func() {
		close(s.quit)
		give := time.AfterFunc(closeWait, s.end)
		defer give.Stop()
		s.gate.Lock()
		s.closed = true
		s.gate.Unlock()
		close(s.ops)
		<-s.committed
		s.helpers.Wait()
		if s.Failed() == nil {
			err = s.endSession()
		}
		s.end()
		s.commit.drop()
		s.loader.link.drop()
		s.lock.close()
		s.pool.Close()
	})
	return err
}

// endSession says that what was in flight did not crash this worker. Without it the next start
// counts a crash against that. A session that was fenced meanwhile writes nothing.
func (s *Store) endSession() error {
	ctx, cancel := context.WithTimeout(s.life, connectTimeout)
	defer cancel()
	if s.away.get() != nil {
		return nil
	}
	c := s.due.keep()
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		ended, err := tx.Exec(ctx, statement("end session"), s.session)
		if err != nil || ended.RowsAffected() == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, statement("keep cursor"), c.since, [16]byte(c.id), s.due.high()); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, statement("give back"), s.session, uuids(s.loader.all()))
		return err
	})
	if err != nil {
		return fmt.Errorf("end of the session: %w", err)
	}
	return nil
}
