// File folder.go creates and locks the folder of the store, and explains errors of it.

package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/datadir"
	"queue-worker/pkg/descriptor"
	"queue-worker/pkg/store"
)

// takeFolder makes the folder, takes its lock, and looks whether there is room. It may be repeated.
func (s *Store) takeFolder() (err error) {
	if err := makeFolder(s.raw, s.dir); err != nil {
		return err
	}
	if s.lock == nil {
		if s.lock, err = lockDirectory(s.raw, s.dir); err != nil {
			return err
		}
		if s.durable {
			writeHolder(s.raw, s.dir)
		}
	}
	if !s.durable {
		return nil
	}
	return probeRoom(s.raw, s.dir)
}

// The file that shows whether there is room. A start writes less than its size.
const (
	probeFile  = "room"
	probeBytes = 256 << 10
)

// probeRoom writes, syncs and removes a file. The sync finds what some volumes report only then,
// such as a quota of a network file system. It may fail and be repeated, unlike one of the store,
// since each time the file is a new one.
func probeRoom(fsys vfs.FS, dir string) error {
	name := fsys.PathJoin(dir, probeFile)
	f, err := fsys.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, probeBytes))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(closing(err, f), fsys.Remove(name))
}

// makeFolder makes a folder and what is missing above it, for this user alone,
// and syncs where they are entered: otherwise a power cut could take the whole
// folder and all that is confirmed in it.
func makeFolder(fsys vfs.FS, dir string) error {
	var above []string
	for d := dir; ; {
		if _, err := fsys.Stat(d); err == nil || !errors.Is(err, fs.ErrNotExist) {
			break
		}
		parent := fsys.PathDir(d)
		if parent == d {
			break
		}
		above = append(above, parent)
		d = parent
	}
	if err := fsys.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, d := range above {
		if err := syncFolder(fsys, d); err != nil {
			return err
		}
	}
	return nil
}

func syncFolder(fsys vfs.FS, dir string) error {
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return closing(d.Sync(), d)
}

// lockDirectory takes the lock, or returns a LockedError when another process or
// this one has it. An error with a path is one of the file; any other comes from
// the locking.
func lockDirectory(fsys vfs.FS, dir string) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, fsys)
	if _, ofFile := errors.AsType[*fs.PathError](err); err == nil || ofFile || errors.Is(err, syscall.ENOLCK) || descriptor.Exhausted(err) {
		return lock, err
	}
	return nil, lockedBy(fsys, dir)
}

const hintCheck = ": run `queue-worker store check` on it; `queue-worker store repair --to <folder>` saves what is readable"

// isUnmakeable reports whether a file or folder could not be made although the folder above it is there, as in /proc.
func isUnmakeable(err error) bool {
	e, ok := errors.AsType[*fs.PathError](err)
	return ok && errors.Is(err, fs.ErrNotExist) && (e.Op == "mkdir" || strings.HasPrefix(filepath.Base(e.Path), lookPrefix))
}

// explain turns an error of opening into one that says what to do.
func explain(dir string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		hint = ": a file is in the place of a folder; set data_dir to a folder"
	case errors.Is(err, syscall.EPERM), isUnmakeable(err):
		hint = ": nothing can be stored there; set data_dir to a folder on a volume of this machine"
	case errors.Is(err, store.ErrLocked):
		hint = ": each worker needs a folder of its own"
	case errors.Is(err, fs.ErrPermission):
		hint = ": the user that runs this program must own it"
	case errors.Is(err, syscall.EROFS):
		hint = ": mount its volume for writing"
	case descriptor.Exhausted(err):
		hint = ": raise the limit of open files (ulimit -n, LimitNOFILE)"
	case isFull(err):
		hint = ": free space on its volume"
	case errors.Is(err, syscall.ENOLCK):
		hint = ": its file system has no locks; use a local volume"
	case errors.Is(err, datadir.ErrNotPlain):
		hint = ": put the file itself in its place; only data_dir itself may be a link"
	case errors.Is(err, errPanicked):
		hint = hintCheck
	case errors.Is(err, store.ErrFailed), errors.Is(err, syscall.EIO):
		hint = ": look at the disk below it"
	case errors.Is(err, store.ErrNewer): // says what to do
	default:
		hint = hintCheck
	}
	return fmt.Errorf("data_dir %s: %w%s", dir, err, hint)
}
