// File soak_linux_test.go sends many invocations through one worker: nothing may grow, and
// every counter is exact. make soak is the long form.

package e2e

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// soakSample is what a worker uses after a round, when nothing is pending.
type soakSample struct {
	memory, goroutines, files, bytes int64
}

// soak is a run: SOAK invocations in rounds, none of which begins after SOAKTIME.
type soak struct {
	total, round int64
	budget       time.Duration
	isLong       bool

	function soakFunction
	data     string
	begun    time.Time
	said     time.Time
	sent     int64
	samples  []soakSample
}

func newSoak(t *testing.T) *soak {
	s := &soak{total: 2000, round: 1000, begun: time.Now(), data: t.TempDir()}
	if n, err := strconv.ParseInt(os.Getenv("SOAK"), 10, 64); err == nil {
		s.total, s.round, s.isLong = n, 10_000, true
	}
	s.budget, _ = time.ParseDuration(os.Getenv("SOAKTIME"))
	return s
}

// soakFunction fails one call in ten that is no retry.
type soakFunction struct{ calls, failed atomic.Int64 }

func (f *soakFunction) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/system/function/soak") {
		_, _ = io.WriteString(w, "{}")
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	if f.calls.Add(1)%10 == 0 && r.Header.Get("X-Retry") == "0" {
		f.failed.Add(1)
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func TestSoak(t *testing.T) {
	t.Parallel()
	s := newSoak(t)
	gateway := httptest.NewServer(&s.function)
	defer gateway.Close()
	w := newStand(t, "gateway_url="+gateway.URL, "data_dir="+s.data, "max_inflight=50", "initial_retry_wait=100ms", "outcome_max_bytes=1MiB").worker() // reached within two rounds
	w.mute()
	defer func() { s.say(map[bool]string{true: "FAIL", false: "PASS"}[t.Failed()]) }()
	for s.sent < s.total && (s.budget == 0 || time.Since(s.begun) < s.budget) {
		n := min(s.round, s.total-s.sent)
		w.flood(t, int(n), func(int) (string, string) { return "/async-function/soak", "the body" })
		s.sent += n
		w.idle(t)
		s.samples = append(s.samples, s.sample(t, w))
		if time.Since(s.said) > 10*time.Second {
			s.say("running")
		}
	}
	s.checkCounts(t, w)
	s.checkFlat(t)
}

func (s *soak) sample(t *testing.T, w *worker) soakSample {
	t.Helper()
	one := soakSample{memory: w.memory(t, "VmRSS:"), goroutines: int64(w.metrics(t).sum("go_goroutines"))}
	walk := func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a table that was compacted away meanwhile
		}
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err == nil {
			one.files, one.bytes = one.files+1, one.bytes+info.Size()
		}
		return nil
	}
	if err := filepath.WalkDir(s.data, walk); err != nil {
		t.Fatalf("walk data_dir: got %v, want no error", err)
	}
	return one
}

// checkCounts compares what the worker counts with what was sent and called.
func (s *soak) checkCounts(t *testing.T, w *worker) {
	t.Helper()
	c, m := w.idle(t), w.metrics(t)
	calls, failed := float64(s.function.calls.Load()), float64(s.function.failed.Load())
	for _, tt := range []struct {
		what      string
		got, want float64
	}{
		{"accepted", c.accepted, float64(s.sent)},
		{"done", c.done, float64(s.sent)},
		{"dead", c.dead, 0},
		{"unaccounted", c.unaccounted, 0},
		{"attempts", m.sum("queue_worker_attempts_total"), calls},
		{"retries", m.sum("queue_worker_retries_total"), failed},
		{"calls of the function", calls, float64(s.sent) + failed},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %.0f, want %.0f", tt.what, tt.got, tt.want)
		}
	}
}

// checkFlat compares the last quarter of the rounds with the second one. The first warms up.
func (s *soak) checkFlat(t *testing.T) {
	t.Helper()
	quarter := len(s.samples) / 4
	if quarter == 0 {
		return
	}
	before, after := most(s.samples[quarter:2*quarter]), most(s.samples[len(s.samples)-quarter:])
	for _, tt := range []struct {
		what             string
		got, from, slack int64
	}{
		{"bytes of memory", after.memory, before.memory, 32 << 20},
		{"goroutines", after.goroutines, before.goroutines, 20},
		{"files", after.files, before.files, 20},
		{"bytes of files", after.bytes, before.bytes, 64 << 20},
	} {
		if want := tt.from + tt.from/5 + tt.slack; tt.got > want {
			t.Errorf("%s in the last quarter: got %d, want at most %d", tt.what, tt.got, want)
		}
	}
}

// most has the largest of each figure.
func most(samples []soakSample) (m soakSample) {
	for _, s := range samples {
		m.memory, m.goroutines = max(m.memory, s.memory), max(m.goroutines, s.goroutines)
		m.files, m.bytes = max(m.files, s.files), max(m.bytes, s.bytes)
	}
	return m
}

// say prints how far a long run is, and what the worker uses.
func (s *soak) say(state string) {
	s.said = time.Now()
	if !s.isLong {
		return
	}
	var last soakSample
	if n := len(s.samples); n > 0 {
		last = s.samples[n-1]
	}
	fmt.Fprintf(os.Stderr, "soak: %s, %d of %d invocations, %d calls, %s, %d MiB of memory, %d goroutines, %d files of %d MiB\n", state, s.sent, s.total,
		s.function.calls.Load(), time.Since(s.begun).Round(time.Second), last.memory>>20, last.goroutines, last.files, last.bytes>>20)
}
