package basicauth

import (
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestCredentialsStayWithoutAFreeDescriptor: a flood of connections does not lock the
// operator out, nor make the gateway refuse the worker.
func TestCredentialsStayWithoutAFreeDescriptor(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "admin", "first")
	synctest.Test(t, func(t *testing.T) {
		f := NewFolder(dir)
		if _, err := f.Credentials(); err != nil {
			t.Fatal(err)
		}
		write(t, dir, "admin", "second")
		time.Sleep(Period)
		free := exhaust(t)
		got, err := f.Credentials()
		free()
		if err != nil {
			t.Errorf("without a free descriptor the error is %v, want none", err)
		}
		if got.Password != "first" {
			t.Errorf("without a free descriptor the password is %q, want the last one", got.Password)
		}
		time.Sleep(Period)
		if got, err = f.Credentials(); err != nil || got.Password != "second" {
			t.Errorf("afterwards the password is %q, %v; want second", got.Password, err)
		}
	})
}

// exhaust takes every descriptor of the process until the returned function is called.
func exhaust(t *testing.T) (free func()) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	low := old
	low.Cur = uint64(f.Fd()) // descriptors below it may be free
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	var taken []*os.File
	for {
		g, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		taken = append(taken, g)
	}
	return func() {
		for _, g := range append(taken, f) {
			_ = g.Close()
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
			t.Error(err)
		}
	}
}
