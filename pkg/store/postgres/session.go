// File session.go has the session of this worker: its lock on the database, and its place in the
// table of sessions.

package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/store"
)

// workerLock is the advisory lock of the one worker that uses a database.
const workerLock = 0x71775f776f726b65 // "qw_worke"

// setupLock lets the server notice within seconds that the machine of this worker has died. A sign of
// life that a crash of the server forgets does no harm.
const setupLock = `SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3; SET synchronous_commit = off`

var (
	errNoLock = errors.New("the lock on the database was lost")
	errFenced = errors.New("another worker has taken over")
)

// lock is the connection that has the lock on the database.
type lock struct {
	mu   sync.Mutex
	link link
}

// take takes the lock, or returns a *store.LockedError. A worker that has it and gives no sign of
// life is fenced: its lock is free for the next attempt.
func (l *lock) take(ctx context.Context, s *Store) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.link.config, l.link.setup = s.config, setupLock
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := l.link.get(ctx)
	if err == nil {
		err = lockWith(ctx, conn, s)
	}
	if err != nil {
		l.link.drop()
	}
	return err
}

func lockWith(ctx context.Context, conn *pgx.Conn, s *Store) error {
	var taken bool
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(workerLock)).Scan(&taken); err != nil {
		return err
	}
	if !taken {
		return s.fenceSilent(ctx, conn)
	}
	if s.session != 0 {
		return nil // whether it is live is asked next
	}
	return s.rival(ctx, conn)
}

// rival returns a *store.LockedError for a worker that has just lost its lock, and may take it again.
func (s *Store) rival(ctx context.Context, conn *pgx.Conn) error {
	holder := ""
	err := conn.QueryRow(ctx, statement("rival"), s.session, plainText(s.name), lostLock.Seconds()).Scan(&holder)
	switch {
	case err == nil:
		return &store.LockedError{Holder: holder}
	case errors.Is(err, pgx.ErrNoRows) || isMissing(err):
		return nil
	}
	return err
}

// isMissing reports whether a table is missing: the layout is older than that table.
func isMissing(err error) bool {
	e := server(err)
	return e != nil && e.Code == "42P01"
}

// fenceSilent fences the worker that has the lock when it has given no sign of life for a lease, by
// the server's clock, and returns a *store.LockedError.
func (s *Store) fenceSilent(ctx context.Context, conn *pgx.Conn) error {
	holder := ""
	_ = conn.QueryRow(ctx, statement("holder")).Scan(&holder) // without it the error names none
	var name string
	var silent float64
	var unlocked bool
	err := conn.QueryRow(ctx, statement("fence silent"), lease.Seconds(), int64(workerLock)).Scan(&name, &silent, &unlocked)
	switch {
	case err == nil:
		s.log.Warn("worker without a sign of life fenced", "worker", name, "silent", time.Duration(silent*float64(time.Second)).Round(time.Millisecond), "lock_freed", unlocked,
			"hint", "It is frozen, or cut off from the server. What it had in flight is called again, and it ends with an error when it continues.")
	case !errors.Is(err, pgx.ErrNoRows) && !isMissing(err):
		return err
	}
	return &store.LockedError{Holder: holder}
}

func (l *lock) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.link.drop()
}

// pid is the server's process that has the lock. A pooler invents numbers of its own for its clients,
// so the server is asked.
func (l *lock) pid(ctx context.Context) (uint32, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.link.conn == nil {
		return 0, errNoLock
	}
	return backendOf(ctx, l.link.conn)
}

// beat gives a sign of life over the connection that has the lock.
func (l *lock) beat(ctx context.Context, session int32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.link.conn == nil || l.link.conn.IsClosed() {
		return errNoLock
	}
	given, err := l.link.conn.Exec(ctx, statement("beat"), session)
	switch {
	case err != nil:
		l.link.drop()
		return err
	case given.RowsAffected() == 0:
		return errFenced
	}
	return nil
}

// beginSession makes all others dead that were not ended, and begins one. Their presences go first:
// that waits for those who own something just now, and recover sees all that they own.
func (s *Store) beginSession(ctx context.Context) error {
	sent := time.Now()
	pid, err := s.lock.pid(ctx)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		for _, name := range []string{"remove presences", "end sessions"} {
			if _, err := tx.Exec(ctx, statement(name)); err != nil {
				return err
			}
		}
		return tx.QueryRow(ctx, statement("begin session"), plainText(s.name), pid).Scan(&s.session)
	})
	if err != nil {
		return err
	}
	s.signs.given(sent)
	s.helpers.Go(s.beat)
	return nil
}

// isLive returns errFenced when another worker has had the lock meanwhile.
func (s *Store) isLive() error {
	return s.patiently(s.life, func(ctx context.Context) error {
		var live bool
		if err := s.pool.QueryRow(ctx, statement("is live"), s.session).Scan(&live); err != nil {
			return err
		}
		if !live {
			return errFenced
		}
		return nil
	})
}

// fail marks the store as failed, once, and returns the error for all operations.
func (s *Store) fail(cause error) error {
	err := fmt.Errorf("%w: %w", store.ErrFailed, cause)
	if s.failure.CompareAndSwap(nil, &err) {
		s.log.Error("store failed", "error", cause, "hint", "Nothing confirmed is lost, and the next start recovers it.")
		close(s.failed)
	}
	return s.Failed()
}
