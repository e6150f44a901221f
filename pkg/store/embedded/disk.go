// File disk.go handles a disk that is full or fails. Every write below Pebble passes through
// it, so Pebble never gets an error at which it would panic, retry without end, or stop
// with its locks held.
//
// Full: the write waits until there is room, which is logged. Nothing is lost and nothing
// needs a repair: commits take longer, no new calls start meanwhile, and work resumes when
// there is room.
//
// Without a free file descriptor, opening a file waits in the same way: see patientfs.go.
//
// Failed, or not synced: the process has to end, see Store.Failure. Until then the goroutine that
// wrote blocks, and so does every later write, so the disk has what a power cut would leave. All
// waiting operations get ErrFailed, and the next start recovers everything that was confirmed. A
// sync that failed is never repeated, whatever its error.

package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"queue-worker/pkg/descriptor"
)

// fullRetry is how often a write to a full disk is tried again.
const fullRetry = 100 * time.Millisecond

// disk watches over the writes of one store.
type disk struct {
	log  *slog.Logger
	fail func(error) error // marks the store as failed

	open    atomic.Bool   // Open has returned
	failed  atomic.Bool   // no write may begin any more
	abandon chan struct{} // closed when no operation may wait any more
	once    sync.Once     // closes abandon

	waiting atomic.Int64 // writes that wait for room just now
	since   atomic.Int64 // when the first of them began, Unix nanoseconds
	quota   atomic.Bool  // the first of them met a quota
	mu      sync.Mutex   // keeps the two log lines in order

	descriptors *descriptor.Monitor
	starving    atomic.Int64 // operations that wait for a free descriptor, see patientFS

	suspects sync.Map // names of the tables that have a damaged block
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// write carries out a write that may be tried again. It returns when that has
// succeeded, or never.
func (d *disk) write(f func() error) {
	if d.failed.Load() {
		d.stand()
	}
	if err := d.withRoom(f); err != nil {
		d.stop(err)
	}
}

// withRoom returns what f returns, once that is no want of room.
func (d *disk) withRoom(f func() error) error {
	err := f()
	if isFull(err) {
		err = d.await(f, err)
	}
	return err
}

// sync carries out a sync, or anything else that may not be tried again: after
// an error the kernel may have forgotten what it could not write, and a second
// sync would report success.
func (d *disk) sync(f func() error) {
	if d.failed.Load() {
		d.stand()
	}
	if err := f(); err != nil {
		d.stop(err)
	}
}

func (d *disk) stop(err error) {
	d.failed.Store(true)
	_ = d.fail(err)
	d.stand()
}

// stand keeps the goroutine for the rest of the process.
func (d *disk) stand() { select {} }

// await tries f until it does not fail for want of room, or until giveUp.
func (d *disk) await(f func() error, err error) error {
	d.begin(err)
	defer d.end()
	tick := time.NewTicker(fullRetry)
	defer tick.Stop()
	for {
		select {
		case <-d.abandon:
			return err
		case <-tick.C:
		}
		if err = f(); !isFull(err) {
			return err
		}
	}
}

// full returns nil, or since when and why writes wait for room.
func (d *disk) full() error {
	if d.waiting.Load() == 0 {
		return nil
	}
	why := syscall.ENOSPC
	if d.quota.Load() {
		why = syscall.EDQUOT
	}
	return fmt.Errorf("disk full since %s: %w", time.Unix(0, d.since.Load()).Format(time.RFC3339), why)
}

// isWaiting reports whether an operation waits for room or for a free descriptor.
func (d *disk) isWaiting() bool { return d.waiting.Load() > 0 || d.starving.Load() > 0 }

// giveUp ends the waiting for room and for descriptors. The store fails then if a write waits.
func (d *disk) giveUp() { d.once.Do(func() { close(d.abandon) }) }

func (d *disk) begin(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := d.waiting.Load() == 0
	if first {
		d.since.Store(time.Now().UnixNano())
		d.quota.Store(errors.Is(err, syscall.EDQUOT))
	}
	d.waiting.Add(1) // before it is said, so that who has read it finds it so
	if first {
		d.log.Error("disk full, waiting for room", "error", err,
			"hint", "Free space on the volume of data_dir. Nothing is lost, and no call starts until then.")
	}
}

func (d *disk) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting.Add(-1) == 0 && !d.failed.Load() {
		d.log.Info("disk has room again", "waited", time.Since(time.Unix(0, d.since.Load())).Round(time.Millisecond))
	}
}
