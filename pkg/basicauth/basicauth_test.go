package basicauth

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// write puts the files of a secret into a folder; "" leaves one out.
func write(t *testing.T, dir, user, password string) {
	t.Helper()
	for name, text := range map[string]string{UserFile: user, PasswordFile: password} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadTakesUserAndPassword(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "admin\n", " pass word\r\n")
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Credentials{"admin", "pass word"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestReadNamesTheFileThatIsWrong(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		user, password string
		file           string
		want           error // nil for any
	}{
		"no files":            {"", "", UserFile, fs.ErrNotExist},
		"no password":         {"admin", "", PasswordFile, fs.ErrNotExist},
		"a user of spaces":    {" \n", "x", UserFile, ErrEmpty},
		"an empty password":   {"admin", "\n", PasswordFile, ErrEmpty},
		"a password too long": {"admin", strings.Repeat("x", maxBytes+1), PasswordFile, nil},
	} {
		dir := t.TempDir()
		write(t, dir, tt.user, tt.password)
		got, err := Read(dir)
		if err == nil {
			t.Errorf("%s: got %+v, want an error", name, got)
			continue
		}
		if tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: the error is %v, want %v", name, err, tt.want)
		}
		if !strings.Contains(err.Error(), tt.file) {
			t.Errorf("%s: the error is %v, want it to name %s", name, err, tt.file)
		}
		if got != (Credentials{}) {
			t.Errorf("%s: got %+v beside the error, want none", name, got)
		}
	}
}

func TestAFolderReadsChangedFilesAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "admin", "first")
	synctest.Test(t, func(t *testing.T) {
		f := NewFolder(dir)
		want := func(when, password string) {
			t.Helper()
			got, err := f.Credentials()
			if (err == nil) != (password != "") {
				t.Errorf("%s: the error is %v, want the password %q", when, err, password)
			}
			if got.Password != password {
				t.Errorf("%s: the password is %q, want %q", when, got.Password, password)
			}
		}
		want("at start", "first")
		write(t, dir, "admin", "other")
		want("before a period", "first")
		time.Sleep(Period)
		want("after a period", "other")
		if err := os.Remove(filepath.Join(dir, PasswordFile)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(Period)
		want("without a file", "")
		write(t, dir, "admin", "third")
		time.Sleep(Period)
		want("with it again", "third")
	})
}
