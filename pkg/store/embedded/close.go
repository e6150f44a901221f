// File close.go closes a store.

package embedded

import (
	"errors"
	"time"
)

// closeWait is how long Close waits for a disk that does not answer.
const closeWait = 10 * time.Second

var errAbandoned = errors.New("closed while the disk did not answer")

// Close finishes what was submitted, syncs and closes. It may be called more
// than once. While the disk is full or stalled or no descriptor is free, and after
// the disk has failed, Close does not wait but leaves the files as they are: what was confirmed is in them,
// and waiting operations get ErrFailed. An error says that the disk did not answer;
// with an interval of store_sync the end may be missing then. After Close every
// method that can return an error returns ErrClosed.
func (s *Store) Close() (err error) {
	s.once.Do(func() {
		close(s.quit)
		s.gate.Lock()
		s.closed = true
		s.gate.Unlock()
		close(s.ops)
		done := make(chan error, 1)
		go func() { done <- s.finishClose() }()
		err = s.awaitClose(done)
	})
	return err
}

// finishClose closes everything, from the last user to the first. After a
// failure it leaves Pebble alone, because some of it stands still.
func (s *Store) finishClose() error {
	if s.running {
		<-s.committed
	}
	close(s.stop)
	close(s.sync)
	if s.Failed() != nil {
		return s.closeMarks()
	}
	s.helpers.Wait()
	err := s.closeMarks()
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// awaitClose waits for finishClose, and gives the disk up when it is full, no
// descriptor is free, or it has not answered for too long.
func (s *Store) awaitClose(done <-chan error) error {
	tick := time.NewTicker(fullRetry)
	defer tick.Stop()
	limit := time.NewTimer(s.closeAfter)
	defer limit.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-s.failed:
			if s.running {
				<-s.committed // every operation has been answered
			}
			if err := s.Failed(); errors.Is(err, errAbandoned) {
				return err
			}
			_ = s.closeMarks()
			return nil
		case <-tick.C:
			if s.disk.isWaiting() {
				s.disk.giveUp()
			}
		case <-limit.C:
			_ = s.fail(errAbandoned)
		}
	}
}
