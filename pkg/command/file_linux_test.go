package command

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/iotest"
)

// TestAPipeThatGivesNothingIsLeftWithTheContext: SIGINT ends a command that reads from one.
func TestAPipeThatGivesNothingIsLeftWithTheContext(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	interrupted, interrupt := context.WithCancel(t.Context())
	opened := make(chan error, 1)
	go func() {
		_, err := openNamed(interrupted, name)
		opened <- err
	}()
	interrupt()
	if err := <-opened; !errors.Is(err, context.Canceled) {
		t.Errorf("opening it gives %v, want %v", err, context.Canceled)
	}

	writer, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = writer.Close() }()
	interrupted, interrupt = context.WithCancel(t.Context())
	f, err := openNamed(interrupted, name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	read := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(f)
		read <- err
	}()
	interrupt()
	if err := <-read; !errors.Is(err, context.Canceled) {
		t.Errorf("reading it gives %v, want %v", err, context.Canceled)
	}
}

func TestANamedFileIsReadWhole(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "letters")
	want := []byte("a\nb\n")
	if err := os.WriteFile(name, want, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := openNamed(t.Context(), name)
	switch {
	case err != nil:
		t.Fatalf("%+v, %v, want no error", f, err)
	case f.size != 4:
		t.Fatalf("%+v, %v, want size 4", f, err)
	}
	defer func() { _ = f.Close() }()
	if err := iotest.TestReader(f.Reader, want); err != nil {
		t.Error(err)
	}
	if _, err := openNamed(t.Context(), name+"-missing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file gives %v, want %v", err, os.ErrNotExist)
	}
}
