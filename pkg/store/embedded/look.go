// File look.go inspects a data_dir from outside, to find out whether a worker could use
// it.

package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/datadir"
	"queue-worker/pkg/store"
)

// Place is what can be seen of a data_dir without opening the store in it.
type Place struct {
	Exists bool // the folder is there
	Used   bool // a process has the store in it open
	// Free is the number of bytes free on its volume, -1 when unknown.
	Free int64
	// Volume is the folder that was looked at: data_dir, or what there is above it.
	Volume string
}

// Look looks at a data_dir. It writes one file there, or in the folder above it
// that exists, and removes it again; an error says that this is not possible. It keeps no
// worker from starting.
func Look(dir string) (Place, error) {
	disk, p := vfs.FS(plainFS{vfs.Default}), Place{Free: -1, Volume: dir}
	for {
		_, err := disk.Stat(p.Volume)
		if err == nil {
			break
		}
		parent := disk.PathDir(p.Volume)
		if !errors.Is(err, fs.ErrNotExist) || parent == p.Volume {
			return p, explain(dir, err)
		}
		p.Volume = parent
	}
	p.Exists = p.Volume == dir
	if u, err := disk.GetDiskUsage(p.Volume); err == nil {
		p.Free = int64(min(u.AvailBytes, 1<<62)) // #nosec G115 -- bounded
	}
	if err := tryWriting(disk, p.Volume); err != nil {
		return p, explain(dir, err)
	}
	if err := datadir.Check(dir); err != nil {
		return p, explain(dir, err)
	}
	inner := disk.PathJoin(dir, storeFolder)
	switch _, err := disk.Stat(inner); {
	case errors.Is(err, fs.ErrNotExist):
		return p, nil // no store yet, so no process has it open
	case err != nil:
		return p, explain(dir, err)
	}
	err := visit(inner)
	if err != nil && !errors.Is(err, store.ErrLocked) {
		return p, explain(dir, err)
	}
	p.Used = err != nil
	return p, nil
}

// lookPrefix begins the names of the files that tryWriting makes.
const lookPrefix = "doctor-"

// tryWriting writes a file, syncs it, and removes it. Its name is new each time,
// because several may look at once.
func tryWriting(fsys vfs.FS, dir string) error {
	name := fsys.PathJoin(dir, lookPrefix+rand.Text()+".tmp")
	f, err := fsys.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, "written and removed by queue-worker doctor")
	err = errors.Join(err, f.Sync(), f.Close(), fsys.Remove(name))
	return err
}
