package e2e

// A flood of connections against a worker that may open few files.

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// confinedBinary makes a program that runs the worker with a limit of open files.
func confinedBinary(t *testing.T, files int) func() (string, error) {
	return func() (string, error) {
		path, err := plainBinary()
		if err != nil {
			return "", err
		}
		script := filepath.Join(t.TempDir(), "queue-worker")
		text := fmt.Sprintf("#!/bin/sh\nulimit -n %d\nexec %q \"$@\"\n", files, path)
		return script, os.WriteFile(script, []byte(text), 0o700) // #nosec G306 -- it has to be executable
	}
}

// patienceOfProbes is shorter than the time after which a worker closes an idle connection.
const patienceOfProbes = 20 * time.Second

func TestSilentConnectionsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.launch(confinedBinary(t, 400)).ready(t)
	for n := range 600 { // each stays open after a request, as far as the worker is concerned for a minute
		c, err := net.Dial("tcp", strings.TrimPrefix(w.base, "http://"))
		if err != nil {
			t.Fatalf("connection %d: %v, want no error", n, err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(patienceOfProbes))
		if _, err := io.WriteString(c, "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatalf("connection %d: %v, want no error", n, err)
		}
		if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
			t.Fatalf("connection %d is not served: %v, want no error", n, err)
		}
	}
	resp, err := http.Get(w.base + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("/healthz: got %d, want 200", resp.StatusCode)
	}
	w.next(t, w.submit(t, "/async-function/fn1", "hi"), "done")
}
