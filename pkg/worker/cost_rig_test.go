//go:build linux && !race

// File cost_rig_test.go has the surroundings of a counted worker: a function that allocates nothing,
// and a file system that counts.

package worker

import (
	"bytes"
	"net"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// countedFunction is an HTTP server that answers every request with one write and allocates nothing
// for it, so that what the process allocates is the worker's.
type countedFunction struct {
	net.Listener
	calls atomic.Int64
}

func startCountedFunction(t *testing.T) *countedFunction {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &countedFunction{Listener: l}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { f.serve(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); conns.Wait() })
	return f
}

func (f *countedFunction) url() *url.URL {
	return &url.URL{Scheme: "http", Host: f.Addr().String()}
}

// serve answers the requests of a connection until it is closed.
func (f *countedFunction) serve(c net.Conn) {
	defer c.Close()
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	buf, have := make([]byte, 64<<10), 0
	for {
		n, err := c.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
		if !isWhole(buf[:have]) {
			continue
		}
		f.calls.Add(1)
		have = 0
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

// isWhole reports whether b is a request with all of its body.
func isWhole(b []byte) bool {
	head, body, found := bytes.Cut(b, []byte("\r\n\r\n"))
	if !found {
		return false
	}
	_, length, found := bytes.Cut(head, []byte("\r\nContent-Length: "))
	if !found {
		return true
	}
	if end := bytes.IndexByte(length, '\r'); end >= 0 {
		length = length[:end]
	}
	n, err := strconv.Atoi(string(length)) // does not allocate: the string is short-lived
	return err == nil && len(body) >= n
}

// countedFS counts the bytes that are written to files, and has syncs that take a fixed time.
type countedFS struct {
	vfs.FS
	slow  time.Duration
	bytes atomic.Int64
}

func (f *countedFS) on() vfs.FS { f.FS = vfs.Default; return f }

func (f *countedFS) file(file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return countedFile{file, f}, nil
}

func (f *countedFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(f.FS.Create(name, c))
}

func (f *countedFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return f.file(f.FS.OpenReadWrite(name, c, o...))
}

func (f *countedFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(f.FS.ReuseForWrite(from, to, c))
}

// countedFile is a file of a countedFS.
type countedFile struct {
	vfs.File
	fs *countedFS
}

func (f countedFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.fs.bytes.Add(int64(n))
	return n, err
}

func (f countedFile) WriteAt(p []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(p, at)
	f.fs.bytes.Add(int64(n))
	return n, err
}

func (f countedFile) sync() error { time.Sleep(f.fs.slow); return nil }

func (f countedFile) Sync() error     { return f.sync() }
func (f countedFile) SyncData() error { return f.sync() }

func (f countedFile) SyncTo(int64) (bool, error) { return true, f.sync() }
