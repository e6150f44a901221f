// File holder.go notes which process has the folder of the store, for others that find it locked.

package embedded

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/store"
)

// holderFile names the process that locked the folder last. It is stale once that has ended, so it is
// read only while the folder is locked.
const holderFile = "holder"

// maxHolder bounds what is read of it.
const maxHolder = 256

// writeHolder notes this process. The note is for readers only: without it the lock holds as well.
func writeHolder(fsys vfs.FS, dir string) {
	f, err := fsys.Create(fsys.PathJoin(dir, holderFile), vfs.WriteCategoryUnspecified)
	if err != nil {
		return
	}
	host, _ := os.Hostname()
	_, _ = fmt.Fprintf(f, "%s, process %d, since %s\n", cmp.Or(host, "unknown host"), os.Getpid(), time.Now().UTC().Format(time.RFC3339Nano))
	_ = f.Close()
}

// readHolder returns the note, "" when there is none that can be shown.
func readHolder(fsys vfs.FS, dir string) string {
	f, err := fsys.Open(fsys.PathJoin(dir, holderFile))
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxHolder))
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, line)
}

// lockedBy is the error about a folder that another process has.
func lockedBy(fsys vfs.FS, dir string) error {
	return &store.LockedError{Holder: readHolder(fsys, dir)}
}
