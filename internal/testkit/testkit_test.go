package testkit

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// failing counts the failures of a test.
type failing struct {
	testing.TB
	errors, fatals int
}

func (f *failing) Helper()               {}
func (f *failing) Errorf(string, ...any) { f.errors++ }
func (f *failing) Fatalf(string, ...any) { f.fatals++; panic(f) }

func TestEventuallyWaitsAndGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun, asked := time.Now(), 0
		Eventually(t, "the third answer", func() bool { asked++; return asked == 3 })
		if asked != 3 {
			t.Errorf("got %d questions, want 3", asked)
		}
		f := &failing{TB: t}
		func() {
			defer func() { _ = recover() }()
			Eventually(f, "answer", func() bool { return false })
		}()
		if f.fatals != 1 {
			t.Errorf("got %d failures, want 1", f.fatals)
		}
		if took := time.Since(begun); took < Patience {
			t.Errorf("got a failure after %s, want it after %s", took, Patience)
		}
	})
}

func TestGoldenFindsADifference(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "golden.txt")
	if err := os.WriteFile(path, []byte("as it was"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &failing{TB: t}
	Golden(f, path, "as it was")
	if f.errors != 0 {
		t.Errorf("the same text: got %d errors, want 0", f.errors)
	}
	Golden(f, path, "something else")
	if f.errors != 1 {
		t.Errorf("another text: got %d errors, want 1", f.errors)
	}
}

func TestALogIsReadWhileItIsWritten(t *testing.T) {
	t.Parallel()
	var l Log
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			_, _ = l.Write([]byte("x"))
		}
	}()
	for len(l.String()) == 0 {
		runtime.Gosched()
	}
	<-done
	if got := len(l.String()); got != 100 {
		t.Errorf("got %d bytes, want 100", got)
	}
}
