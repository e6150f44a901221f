// File patientfs.go lets every operation that opens a file wait for a free descriptor.
//
// It is below everything else, so Pebble and the watched file system never learn that there was
// none. Only the opening is repeated; a sync that failed is not, see disk.

package embedded

import (
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/descriptor"
)

// patientFS is a file system without errors of exhaustion, until the store is given up.
type patientFS struct {
	vfs.FS
	disk *disk
}

func (f patientFS) Unwrap() vfs.FS { return f.FS }

// patiently returns what open returns, once that is no error of exhaustion.
func patiently[T any](d *disk, open func() (T, error)) (T, error) {
	v, err := open()
	if !descriptor.Exhausted(err) {
		return v, err
	}
	d.starving.Add(1)
	defer d.starving.Add(-1)
	err = d.descriptors.Await(d.abandon, err, func() (err error) { v, err = open(); return err })
	return v, err
}

func (f patientFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	return patiently(f.disk, func() (vfs.File, error) { return f.FS.Open(name, o...) })
}

func (f patientFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return patiently(f.disk, func() (vfs.File, error) { return f.FS.OpenReadWrite(name, c, o...) })
}

func (f patientFS) OpenDir(name string) (vfs.File, error) {
	return patiently(f.disk, func() (vfs.File, error) { return f.FS.OpenDir(name) })
}

func (f patientFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return patiently(f.disk, func() (vfs.File, error) { return f.FS.Create(name, c) })
}

func (f patientFS) List(dir string) ([]string, error) {
	return patiently(f.disk, func() ([]string, error) { return f.FS.List(dir) })
}

func (f patientFS) Lock(name string) (io.Closer, error) {
	return patiently(f.disk, func() (io.Closer, error) { return f.FS.Lock(name) })
}
