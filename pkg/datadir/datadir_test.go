//go:build unix

package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// made is a data_dir with the files that a worker has.
func made(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"store/LOCK", "store/000004.sst", "stan/door.lock", "stan/faas-request/msgs.1.dat"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("x"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOnlyFilesAndFoldersMayLieInADataDir(t *testing.T) {
	t.Parallel()
	link := func(path string) error {
		return errors.Join(os.RemoveAll(path), os.Symlink("/nonexistent/target", path))
	}
	tests := []struct {
		name, path string
		do         func(path string) error
		want       string // in the error, "" for none
	}{
		{"nothing else", "store", func(string) error { return nil }, ""},
		{"a link in place of the lock", "store/LOCK", link, "a symbolic link"},
		{"a link in place of a table", "store/000004.sst", link, "a symbolic link"},
		{"a link of an unknown name", "store/anything", link, "a symbolic link"},
		{"a link in place of the store", "store", link, "a symbolic link"},
		{"a link in place of the folder of the embedded server", "stan", link, "a symbolic link"},
		{"a link in place of its lock", "stan/door.lock", link, "a symbolic link"},
		{"a link in place of a file of a channel", "stan/faas-request/msgs.1.dat", link, "a symbolic link"},
		{"a link in place of a channel", "stan/faas-request", link, "a symbolic link"},
		{"a pipe, which blocks its reader", "store/000005.log", func(p string) error { return syscall.Mkfifo(p, 0o600) }, "a named pipe"},
		{"a link beside the folders, which is not touched", "notes", link, ""},
		{"a hard link, as backups make them", "store/000009.sst", func(p string) error { return os.Link(filepath.Join(filepath.Dir(p), "000004.sst"), p) }, ""},
		{"a folder that cannot be read", "store/lost+found", func(p string) error { return os.Mkdir(p, 0) }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := made(t)
			path := filepath.Join(dir, tt.path)
			if err := tt.do(path); err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{Check(dir), CheckFile(path)} {
				if tt.path == "notes" {
					err = Check(dir) // asked for by name, a link is one anywhere
				}
				if tt.want == "" && err != nil {
					t.Errorf("refused: %v, want no error", err)
				}
				if tt.want != "" && (!errors.Is(err, ErrNotPlain) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path)) {
					t.Errorf("got %v, want %q with the path", err, tt.want)
				}
			}
		})
	}
}

func TestADataDirMayBeALink(t *testing.T) {
	t.Parallel()
	dir := made(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if err := Check(link); err != nil {
		t.Errorf("refused: %v, want nil", err)
	}
	if err := Check(filepath.Join(dir, "missing")); err != nil {
		t.Errorf("one that is missing is refused: %v, want nil", err)
	}
}

func TestWorldWritableFoldersAreNamed(t *testing.T) {
	t.Parallel()
	dir := made(t)
	for _, path := range []string{dir, filepath.Join(dir, Store), filepath.Join(dir, Stan)} {
		for mode, want := range map[os.FileMode]string{0o700: "", 0o770: "", 0o777: path, os.ModeSticky | 0o777: path} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			if got := WorldWritable(dir); got != want {
				t.Errorf("with %s %s: got %q, want %q", path, mode, got, want)
			}
		}
		if err := os.Chmod(path, 0o700); err != nil { // #nosec G302 -- a folder
			t.Fatal(err)
		}
	}
	if got := WorldWritable(filepath.Join(dir, "missing")); got != "" {
		t.Errorf("one that is missing: %q, want \"\"", got)
	}
}
