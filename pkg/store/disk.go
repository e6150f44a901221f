package store

// What happens when the disk is full or fails.
//
// Full: the file system below Pebble does not report it but waits until there is
// room, and says so. Nothing is lost and nothing has to be repaired: commits take
// longer, no call is begun meanwhile, and all goes on by itself.
//
// Failed: Pebble cannot go on after an I/O error in its log. It is stopped where
// it stands, everybody who waits is told ErrFailed, and a restart recovers what
// was confirmed.

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fullRetry is how often a write to a full disk is tried again.
const fullRetry = 100 * time.Millisecond

// patientFS is a file system on which a write to a full disk waits for room.
type patientFS struct {
	vfs.FS
	wait *roomWait
}

// roomWait is what the files of a patientFS share.
type roomWait struct {
	log     *slog.Logger
	closing chan struct{} // closed when the store gives up waiting
	waiting atomic.Int64  // writes that wait just now
	since   atomic.Int64  // when the first of them began, Unix nanoseconds

	once sync.Once  // closes closing
	mu   sync.Mutex // keeps the two log lines in order
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// until tries f until it does not fail for want of room.
func (w *roomWait) until(f func() error) error {
	err := f()
	if !isFull(err) {
		return err
	}
	w.begin(err)
	defer w.end()
	for {
		select {
		case <-w.closing:
			return err
		case <-time.After(fullRetry):
		}
		if err = f(); !isFull(err) {
			return err
		}
	}
}

func (w *roomWait) begin(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting.Add(1) == 1 {
		w.since.Store(time.Now().UnixNano())
		w.log.Error("disk full, waiting for room", "error", err,
			"hint", "free space on the volume of data_dir; nothing is lost and no call is begun until then")
	}
}

func (w *roomWait) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting.Add(-1) == 0 {
		w.log.Info("disk has room again", "waited", time.Since(time.Unix(0, w.since.Load())).Round(time.Millisecond))
	}
}

func (f patientFS) Unwrap() vfs.FS { return f.FS }

func (f patientFS) open(try func() (vfs.File, error)) (vfs.File, error) {
	var file vfs.File
	err := f.wait.until(func() (err error) { file, err = try(); return err })
	if err != nil {
		return nil, err
	}
	return patientFile{file, f.wait}, nil
}

func (f patientFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open(func() (vfs.File, error) { return f.FS.Create(name, c) })
}

func (f patientFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return f.open(func() (vfs.File, error) { return f.FS.OpenReadWrite(name, c, o...) })
}

func (f patientFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open(func() (vfs.File, error) { return f.FS.ReuseForWrite(oldname, newname, c) })
}

func (f patientFS) OpenDir(name string) (vfs.File, error) {
	return f.open(func() (vfs.File, error) { return f.FS.OpenDir(name) })
}

func (f patientFS) Link(oldname, newname string) error {
	return f.wait.until(func() error { return f.FS.Link(oldname, newname) })
}

func (f patientFS) Rename(oldname, newname string) error {
	return f.wait.until(func() error { return f.FS.Rename(oldname, newname) })
}

// patientFile is a file of a patientFS.
type patientFile struct {
	vfs.File
	wait *roomWait
}

func (f patientFile) Write(p []byte) (done int, err error) {
	err = f.wait.until(func() error {
		n, err := f.File.Write(p[done:])
		done += n
		return err
	})
	return done, err
}

func (f patientFile) WriteAt(p []byte, off int64) (done int, err error) {
	err = f.wait.until(func() error {
		n, err := f.File.WriteAt(p[done:], off+int64(done))
		done += n
		return err
	})
	return done, err
}

func (f patientFile) Preallocate(offset, length int64) error {
	return f.wait.until(func() error { return f.File.Preallocate(offset, length) })
}

func (f patientFile) Sync() error     { return f.wait.until(f.File.Sync) }
func (f patientFile) SyncData() error { return f.wait.until(f.File.SyncData) }

func (f patientFile) SyncTo(length int64) (full bool, err error) {
	err = f.wait.until(func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// pebbleLog takes what Pebble has to say. Fatalf must not return, and must not
// end the process: calls are in flight whose callers deserve an answer.
type pebbleLog struct{ s *Store }

func (l pebbleLog) Infof(format string, args ...any) {
	l.s.log.Debug("pebble", "message", fmt.Sprintf(format, args...))
}

func (l pebbleLog) Errorf(format string, args ...any) {
	l.s.log.Warn("pebble", "message", fmt.Sprintf(format, args...))
}

func (l pebbleLog) Fatalf(format string, args ...any) {
	_ = l.s.fail(fmt.Errorf(format, args...))
	select {} // Pebble holds locks here; nothing may go on behind it
}
