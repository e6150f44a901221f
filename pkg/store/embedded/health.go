// File health.go reports whether the store can persist outcomes, and accept more.

package embedded

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/descriptor"
	"queue-worker/pkg/store"
)

// healthPeriod is how often free space is looked at.
const healthPeriod = time.Second

// stallAfter is how long the committer may be busy with one batch before the
// store says that the disk is stalled. A batch takes milliseconds.
const stallAfter = 5 * time.Second

// fault remembers what went wrong first.
type fault struct {
	once sync.Once
	err  atomic.Pointer[error]
}

// set reports whether this was the first.
func (f *fault) set(err error) (first bool) {
	f.once.Do(func() {
		f.err.Store(&err)
		first = true
	})
	return first
}

func (f *fault) get() error {
	if p := f.err.Load(); p != nil {
		return *p
	}
	return nil
}

// fail marks the store as failed, once, and returns the error for all operations. The in-flight
// markers are cleared: the invocations did not end the process, the disk did.
// While the store is being opened, the error of Open says it all.
func (s *Store) fail(cause error) error {
	if s.failure.set(fmt.Errorf("%w: %w", store.ErrFailed, cause)) {
		s.disk.failed.Store(true)
		if s.disk.open.Load() {
			s.log.Error("store failed", "error", cause,
				"hint", "Nothing confirmed is lost, and the next start recovers it. Look at the disk below data_dir.")
		}
		go func() { _ = s.closeMarks() }() // which a disk can block; Close waits for it
		close(s.failed)
	}
	return s.Failed()
}

// Failure is closed when the store has failed.
func (s *Store) Failure() <-chan struct{} { return s.failed }

// Failed returns nil, or the error after which only a restart can help.
func (s *Store) Failed() error { return s.failure.get() }

// damaged notes an error of reading, which does not concern what has not been
// read, and returns it.
func (s *Store) damaged(err error) error {
	if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, pebble.ErrClosed) || descriptor.Exhausted(err) {
		return err // descriptors are waited for until Close
	}
	err = plainly(err)
	if s.damage.set(err) {
		s.log.Error("store cannot read its data", "error", err,
			"hint", "Run `queue-worker store check` on a stopped worker, then `queue-worker store repair`; other invocations are not affected.")
	}
	return err
}

// plainError is an error whose text is one line: Pebble's carry details.
type plainError struct{ error }

func (e plainError) Error() string {
	text, _, _ := strings.Cut(e.error.Error(), "\n")
	return text
}

func (e plainError) Unwrap() error { return e.error }

func plainly(err error) error { return plainError{err} }

// Err returns nil while outcomes can be stored. While it returns an error no
// call may be begun: the store has failed, or the disk is full or stalled or no file
// descriptor is free just now.
func (s *Store) Err() error {
	if err := s.Failed(); err != nil {
		return err
	}
	if err := s.disk.full(); err != nil {
		return err
	}
	if s.disk.starving.Load() > 0 {
		return fmt.Errorf("no free file descriptor: %w", syscall.EMFILE)
	}
	if began := s.began.Load(); began != 0 {
		if busy := time.Since(time.Unix(0, began)); busy > s.stallAfter {
			return fmt.Errorf("disk stalled: a commit has been waiting for %s", busy.Round(time.Second))
		}
	}
	return nil
}

// Health returns nil when all is well, or what an operator should know: Err, or
// an error of reading that happened since the start.
func (s *Store) Health() error {
	if err := s.Err(); err != nil {
		return err
	}
	if err := s.damage.get(); err != nil {
		return fmt.Errorf("damaged: %w", err)
	}
	return nil
}

// Full returns nil, or why nothing more may be accepted: Err, less free space
// than store_min_free, or as much stored as store_max_bytes allows.
func (s *Store) Full() error {
	if err := s.Err(); err != nil {
		return err
	}
	if p := s.tight.Load(); p != nil {
		return *p
	}
	if limit := s.opts.MaxBytes; limit > 0 {
		st := s.Stats()
		if held := st.Bytes + st.ResultBytes; held >= limit {
			return fmt.Errorf("store holds %d bytes, store_max_bytes is %d", held, limit)
		}
	}
	return nil
}

// watchSpace looks at the free space until the store is closed.
func (s *Store) watchSpace() {
	tick := time.NewTicker(healthPeriod)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.checkSpace()
		case <-s.stop:
			return
		}
	}
}

// checkSpace compares the free space with store_min_free. A file system that
// cannot tell its free space has no such bound.
func (s *Store) checkSpace() {
	u, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		return
	}
	s.free.Store(u.AvailBytes)
	if s.opts.MinFree <= 0 || u.AvailBytes >= uint64(s.opts.MinFree) {
		s.tight.Store(nil)
		return
	}
	err = fmt.Errorf("%d bytes free on the volume of data_dir, store_min_free is %d", u.AvailBytes, s.opts.MinFree)
	s.tight.Store(&err)
}
