package dev

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheLatestPostgresIsTaken(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"9", "16", "15"} {
		bin := filepath.Join(dir, name, "bin")
		if err := os.MkdirAll(bin, 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bin, "postgres"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	places(t, filepath.Join(dir, "*", "bin"))
	if got, err := postgresPrograms(); err != nil || got != filepath.Join(dir, "16", "bin") {
		t.Errorf("programs: got %s, %v, want those of version 16", got, err)
	}
}

func TestWithoutPostgresOneLineSaysWhatToType(t *testing.T) {
	places(t, filepath.Join(t.TempDir(), "*"))
	t.Setenv("PATH", t.TempDir())
	_, err := postgresPrograms()
	if err == nil || !strings.Contains(err.Error(), "sudo apt-get install -y --no-install-recommends postgresql") || strings.Contains(err.Error(), "\n") {
		t.Errorf("programs: got %v, want one line that says what to type", err)
	}
}

// places replaces the folders that are searched.
func places(t *testing.T, all ...string) {
	t.Helper()
	before := postgresPlaces
	postgresPlaces = all
	t.Cleanup(func() { postgresPlaces = before })
}

func TestLinesOfProcessesStayWhole(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	to := NewShared(&b)
	one, two := NewLines(to, "1 | "), NewLines(to, "2 | ")
	for _, w := range []struct {
		l    *Lines
		text string
	}{{one, "a"}, {two, "x\ny"}, {one, "b\n\nc"}, {two, "z\n"}, {one, "\n"}} {
		if _, err := w.l.Write([]byte(w.text)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := b.String(), "2 | x\n1 | ab\n1 | \n2 | yz\n1 | c\n"; got != want {
		t.Errorf("lines: got %q, want %q", got, want)
	}
}
