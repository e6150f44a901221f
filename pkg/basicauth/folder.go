// File folder.go reads credentials again when their files change.

package basicauth

import (
	"os"
	"path/filepath"
	"sync"
	"time"

	"queue-worker/pkg/descriptor"
)

// Period is how long a change of the files may stay unnoticed.
const Period = time.Second

// settledAge is how old a file must be before its time of change shows versions apart:
// clocks of file systems are coarse.
const settledAge = 5 * time.Second

// Folder has the credentials of a folder.
type Folder struct {
	dir  string
	pair pair

	mu      sync.Mutex
	checked time.Time  // when the files were compared
	files   [2]version // as they were before they were read
	known   Credentials
	err     error // of reading them
}

// NewFolder returns the credentials of a folder, of which nothing is read yet.
func NewFolder(dir string) *Folder { return &Folder{dir: dir, pair: ofOperator} }

// NewReaderFolder is NewFolder for the read-only account.
func NewReaderFolder(dir string) *Folder { return &Folder{dir: dir, pair: ofReader} }

// Present reports whether the folder has a file of the pair.
func (f *Folder) Present() bool {
	return f.version(f.pair.user).info != nil || f.version(f.pair.password).info != nil
}

// Credentials returns what the files hold, at most a Period old, or why they cannot be
// read. While the process has no free file descriptor, the last credentials stay.
func (f *Folder) Credentials() (Credentials, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	first := f.checked.IsZero()
	if !first && now.Sub(f.checked) < Period {
		return f.known, f.err
	}
	f.checked = now
	files := [2]version{f.version(f.pair.user), f.version(f.pair.password)}
	if !first && f.err == nil && files[0].same(f.files[0], now) && files[1].same(f.files[1], now) {
		return f.known, nil
	}
	found, err := f.pair.read(f.dir)
	if !first && f.err == nil && descriptor.Exhausted(err) {
		return f.known, nil
	}
	f.files = files // from before reading: a change meanwhile is noticed the next time
	f.known, f.err = found, err
	return found, err
}

// version distinguishes two states of a file; nil when there is none. Mounted secrets are
// exchanged by links, in which case it is another file; a file that was written in place
// has another time or size.
type version struct{ info os.FileInfo }

func (f *Folder) version(name string) version {
	info, err := os.Stat(filepath.Join(f.dir, name))
	if err != nil {
		return version{}
	}
	return version{info}
}

// same reports whether a file is surely what it was before.
func (v version) same(before version, now time.Time) bool {
	return v.info != nil && before.info != nil && os.SameFile(v.info, before.info) &&
		v.info.Size() == before.info.Size() && v.info.ModTime().Equal(before.info.ModTime()) &&
		now.Sub(v.info.ModTime()) > settledAge
}
