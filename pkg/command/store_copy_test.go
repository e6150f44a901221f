package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCopyOfAStore(t *testing.T) {
	dir, s := storeOfOne(t)
	to := filepath.Join(t.TempDir(), "new")
	run := func() ran { return with(nil, "store", "copy", "--from", dir, "--to", to) }
	if got := run(); got.code != exitFailed || !strings.Contains(got.stderr, "--from "+dir+": in use by another process") {
		t.Errorf("copy of a store that is used: got %d %s, want %d and the reason", got.code, got.stderr, exitFailed)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"first", "second"} {
		got := run()
		if got.code != exitOK {
			t.Fatalf("%s copy: got %d %s, want %d", when, got.code, got.stderr, exitOK)
		}
		if want := "pending invocations\t1\t1\t2\t"; !strings.Contains(got.stdout, want) || strings.Contains(got.stdout, "differs") {
			t.Errorf("%s copy: got %s, want %q and no difference", when, got.stdout, want)
		}
	}
	if got := with([]string{"data_dir=" + dir, "nats_address=127.0.0.1", "http_listen_address=127.0.0.1:0"}); got.code == exitOK || !strings.Contains(got.stderr, "moved to another one") {
		t.Errorf("a worker on the source: got %d %s, want the reason why not", got.code, got.stderr)
	}
}

func TestCopyRefusesWhatItCannotCopy(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "url")
	if err := os.WriteFile(file, []byte("not a URL\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		from, to string
		code     int
		want     string
	}{
		"no source":              {"", dir, exitUsage, "--from and --to are needed"},
		"a folder without store": {dir, filepath.Join(dir, "b"), exitFailed, "no store is in this folder"},
		"a password in a URL":    {"postgres://qw:hidden@h/queue", dir, exitUsage, "expected no password in the URL"},
		"another URL":            {"mysql://h/queue", dir, exitUsage, "expected a URL such as postgres://"},
		"a file with no URL":     {file, dir, exitUsage, "expected a folder, or a file that holds a URL"},
		"a server that is away":  {"postgres://qw@127.0.0.1:1/queue", dir, exitFailed, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			got := with(nil, "store", "copy", "--from", tt.from, "--to", tt.to)
			if got.code != tt.code || !strings.Contains(got.stderr, tt.want) {
				t.Errorf("got %d %s, want %d and %q", got.code, got.stderr, tt.code, tt.want)
			}
			if strings.Contains(got.stderr, "hidden") {
				t.Errorf("got %s, want no password in it", got.stderr)
			}
		})
	}
}
