// File session.go has the session of this worker: its lock on the database, its place in the table
// of sessions, and the beat that finds out whether both are still there.

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

// beatPeriod is how often the server is asked whether the lock is still there.
const beatPeriod = time.Second

// sizePeriod is how many beats pass between two looks at the size of the tables.
const sizePeriod = 60

// setupLock lets the server notice within seconds that the machine of this worker has died.
const setupLock = `SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3`

// lock is the connection that has the lock on the database.
type lock struct {
	mu   sync.Mutex
	link link
}

// take takes the lock, or returns a *store.LockedError.
func (l *lock) take(ctx context.Context, s *Store) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.link.config, l.link.setup = s.config, setupLock
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := l.link.get(ctx)
	if err != nil {
		return err
	}
	var taken bool
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(workerLock)).Scan(&taken); err != nil {
		l.link.drop()
		return err
	}
	if taken {
		return nil
	}
	holder := ""
	_ = conn.QueryRow(ctx, statement("holder")).Scan(&holder) // without it the error names none
	l.link.drop()
	return &store.LockedError{Holder: holder}
}

func (l *lock) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.link.drop()
}

// ask reports whether the connection is alive, and with it the lock.
func (l *lock) ask(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.link.conn == nil || l.link.conn.IsClosed() {
		return errNoLock
	}
	if err := l.link.conn.Ping(ctx); err != nil {
		l.link.drop()
		return err
	}
	return nil
}

var (
	errNoLock = errors.New("the lock on the database was lost")
	errFenced = errors.New("another worker has taken over")
)

// beginSession makes all others dead that were not ended, and begins one. The lock makes sure that
// none of their workers can be alive and well.
func (s *Store) beginSession(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, statement("end sessions")); err != nil {
			return err
		}
		return tx.QueryRow(ctx, statement("begin session"), plainText(s.name)).Scan(&s.session)
	})
}

// beat asks for the lock until the store is closed. A lock that was lost with its connection is
// taken again; one that another worker has by now ends this one.
func (s *Store) beat() {
	tick := time.NewTicker(beatPeriod)
	defer tick.Stop()
	for n := 0; ; n++ {
		if n%sizePeriod == 0 {
			s.measure()
		}
		select {
		case <-tick.C:
		case <-s.quit:
			return
		case <-s.failed:
			return
		}
		if s.beatOnce() == nil {
			continue
		}
		err := s.patiently(s.life, func(ctx context.Context) error { return s.lock.take(ctx, s) })
		if err == nil {
			err = s.isLive()
		}
		switch {
		case errors.Is(err, store.ErrLocked):
			_ = s.fail(fmt.Errorf("%w: %w", errFenced, err))
		case errors.Is(err, errFenced):
			_ = s.fail(err)
		}
	}
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

func (s *Store) beatOnce() error {
	ctx, cancel := context.WithTimeout(s.life, connectTimeout)
	defer cancel()
	return s.lock.ask(ctx)
}

// measure looks at the size of the tables.
func (s *Store) measure() {
	ctx, cancel := context.WithTimeout(s.life, connectTimeout)
	defer cancel()
	var n int64
	if s.pool.QueryRow(ctx, statement("size")).Scan(&n) == nil {
		s.disk.Store(uint64(n)) // #nosec G115 -- a size
	}
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
