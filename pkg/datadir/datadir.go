// Package datadir checks the folders of the worker's files: which of them contain
// anything other than files and folders, and which every user may write.
//
// It does not know what the files mean, and it changes nothing.
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The folders of the worker inside data_dir. Anything else in there is not touched.
const (
	Store = "store" // the files of the store
	Stan  = "stan"  // the files of the embedded NATS Streaming
	Spool = "spool" // parts of answers; emptied at the start
)

// ErrNotPlain is wrapped by the error about a path that is neither a file nor a folder.
var ErrNotPlain = errors.New("neither a file nor a folder")

// Check walks the worker's folders in a data_dir, as CheckFolder does. The data_dir itself
// may be a symbolic link.
func Check(dataDir string) error {
	for _, folder := range []string{Store, Stan, Spool} {
		if err := CheckFolder(filepath.Join(dataDir, folder)); err != nil {
			return err
		}
	}
	return nil
}

// CheckFolder walks a folder and returns ErrNotPlain, with the path, for the first symbolic
// link, pipe, socket or device. What is written or read through one of these is somewhere
// else, or blocks for ever. A missing folder is fine. Folders that cannot be read are passed
// over, such as the lost+found of a volume. Hard links are fine: copies made with hard links
// are a common form of backup, and the kernel lets no user make one to a file of another.
func CheckFolder(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // also one that was removed meanwhile
			return nil
		case errors.Is(err, fs.ErrPermission):
			return fs.SkipDir
		case err != nil:
			return err
		}
		return plain(path, d.Type())
	})
}

// CheckFile is CheckFolder for a single path.
func CheckFile(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return plain(path, info.Mode().Type())
}

func plain(path string, t fs.FileMode) error {
	if t.IsRegular() || t.IsDir() {
		return nil
	}
	return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%s: %w", kindOf(t), ErrNotPlain)}
}

// kindOf names a type of file.
func kindOf(t fs.FileMode) string {
	switch {
	case t&fs.ModeSymlink != 0:
		return "a symbolic link"
	case t&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case t&fs.ModeSocket != 0:
		return "a socket"
	case t&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}

// WorldWritable returns the first of a data_dir and the worker's folders in it that every
// user may write, "" for none. Volumes of the kinds emptyDir and local-path are made so.
func WorldWritable(dataDir string) string {
	for _, path := range []string{dataDir, filepath.Join(dataDir, Store), filepath.Join(dataDir, Stan)} {
		if info, err := os.Stat(path); err == nil && info.IsDir() && info.Mode().Perm()&0o002 != 0 {
			return path
		}
	}
	return ""
}
