// File signs.go gives the signs of life of this worker, and measures the tables beside.

package postgres

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"queue-worker/pkg/crash"
	"queue-worker/pkg/store"
)

const (
	// beatPeriod is how often a worker gives a sign of life.
	beatPeriod = time.Second
	// lease is how long a worker may give none before another one fences it, and silentMost after how
	// long it begins no call any more.
	lease      = 10 * time.Second
	silentMost = lease - 2*beatPeriod
	// lostLock is how long a worker whose lock was lost has to take it again.
	lostLock = 3 * beatPeriod
	// lockWait is the time between two attempts to take it.
	lockWait = 100 * time.Millisecond
	// sizePeriod is how often the size of the tables is read.
	sizePeriod = time.Minute
)

// signs is when this worker has given its latest sign of life, by its own monotonic clock.
type signs struct {
	base   time.Time
	latest atomic.Int64 // since base
}

func (l *signs) given(at time.Time) { l.latest.Store(int64(at.Sub(l.base))) }

// silent is for how long there was none.
func (l *signs) silent() time.Duration { return time.Since(l.base) - time.Duration(l.latest.Load()) }

// beat gives signs of life until the store is closed. A lock that was lost with its connection is
// taken again; one that another worker has by now ends this one.
func (s *Store) beat() {
	defer crash.LogPanic(s.log, "signs of life")
	tick := time.NewTicker(beatPeriod)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.quit:
			return
		case <-s.failed:
			return
		case <-s.life.Done():
			return
		}
		if err := s.beatOnce(); errors.Is(err, errFenced) {
			_ = s.fail(err)
		} else if err != nil {
			s.takeAgain()
		}
	}
}

// takeAgain takes the lock again. Another worker may have it for an instant, to see whether this one
// is live: only a session that is not live any more was taken over.
func (s *Store) takeAgain() {
	for {
		err := s.patiently(s.life, func(ctx context.Context) error { return s.lock.take(ctx, s) })
		if err != nil && !errors.Is(err, store.ErrLocked) {
			return // closed, or failed
		}
		if live := s.isLive(); errors.Is(live, errFenced) {
			_ = s.fail(live)
			return
		}
		if err == nil {
			return
		}
		select {
		case <-time.After(lockWait):
		case <-s.quit:
			return
		case <-s.failed:
			return
		}
	}
}

// beatOnce gives a sign of life. The time counts at which it was sent.
func (s *Store) beatOnce() error {
	ctx, cancel := context.WithTimeout(s.life, connectTimeout)
	defer cancel()
	sent := time.Now()
	err := s.lock.beat(ctx, s.session)
	if err == nil {
		s.signs.given(sent)
	}
	return err
}

// measureLoop reads the size of the tables until the store is closed.
func (s *Store) measureLoop() {
	defer crash.LogPanic(s.log, "size of the tables")
	tick := time.NewTicker(sizePeriod)
	defer tick.Stop()
	for {
		s.measure()
		select {
		case <-tick.C:
		case <-s.quit:
			return
		case <-s.failed:
			return
		}
	}
}

func (s *Store) measure() {
	ctx, cancel := context.WithTimeout(s.life, connectTimeout)
	defer cancel()
	var n int64
	if s.pool.QueryRow(ctx, statement("size")).Scan(&n) == nil {
		s.disk.Store(uint64(n)) // #nosec G115 -- a size
	}
}
