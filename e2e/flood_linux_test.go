// What callers' names cost in memory.

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// peakMemory is how much memory a process had at most, in bytes.
func (p *process) peakMemory(t testing.TB) int64 {
	t.Helper()
	return p.memory(t, "VmHWM:")
}

// memory is a size of /proc/PID/status in bytes.
func (p *process) memory(t testing.TB, field string) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); f[0] == field {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("/proc/%d/status: got no %s, want it", p.cmd.Process.Pid, field)
	return 0
}

// flood posts n requests, several at a time, which all must be accepted.
func (w *worker) flood(t *testing.T, n int, request func(i int) (path, body string)) {
	t.Helper()
	keeps := &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	defer keeps.CloseIdleConnections()
	var next, refused atomic.Int64
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				path, body := request(int(i))
				res, err := keeps.Post(w.base+path, "application/json", strings.NewReader(body))
				if err != nil {
					refused.Add(1)
					continue
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if res.StatusCode != http.StatusAccepted {
					refused.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := refused.Load(); n > 0 {
		t.Fatalf("%d requests were not accepted, want at most 0", n)
	}
}

// functionsListed counts the functions of the list, page by page.
func (w *worker) functionsListed(t testing.TB) (n, largest int) {
	t.Helper()
	for query := ""; ; {
		code, body := w.ask(t, http.MethodGet, "/v1/functions"+query)
		var page struct {
			Functions []json.RawMessage `json:"functions"`
			Next      string            `json:"next"`
		}
		switch err := json.Unmarshal([]byte(body), &page); {
		case err != nil:
			t.Fatalf("%d %v, want no error", code, err)
		case code != http.StatusOK:
			t.Fatalf("%d %v, want code %d", code, err, http.StatusOK)
		}
		n, largest = n+len(page.Functions), max(largest, len(body))
		if page.Next == "" {
			return n, largest
		}
		query = "?cursor=" + page.Next
	}
}

// chartMemory is the memory limit that the chart sets by default, which chart/test
// compares with this.
const chartMemory = 1290 << 20

// floodMemory is what a flood may cost at most. The limit leaves half as much again above
// twice of it; without bounds 180,000 names cost 651 MiB.
const floodMemory = chartMemory / 3

// FLOOD is the number of names, 30,000 without it: an attacker used 180,000.
func TestNamesThatCallersInventCostNoMemory(t *testing.T) {
	names := 30_000
	if n, err := strconv.Atoi(os.Getenv("FLOOD")); err == nil {
		names = n
	}
	s := newStand(t, "ingest_check=false", "max_inflight=50", "max_retry_attempts=0", "unknown_function_grace=0", "store_sync=1s",
		"callback_policy=open", "secret_mount_path=/none", fmt.Sprint("GOMEMLIMIT=", int64(chartMemory)*9/10))
	s.gateway.know(always(status(http.StatusNotFound)))
	flooded := make(chan struct{})
	s.gateway.tell(always(answer{Status: http.StatusNotFound, Until: flooded}))
	w := s.worker()
	start := w.event(t, "its memory limit", func(e entry) bool { return e.message() == "starting queue-worker" })
	if got := start["memory_limit_bytes"]; got != float64(chartMemory*9/10) {
		t.Errorf("the memory limit is %v, want %v", got, float64(chartMemory*9/10))
	}
	w.mute()
	silent, stop := silentHosts(t)
	defer stop()
	begun := time.Now()
	w.flood(t, names, func(i int) (string, string) { return fmt.Sprint("/async-function/invented-", i), "{}" })
	w.flood(t, names/6, func(i int) (string, string) {
		return "/queue/producer/", fmt.Sprintf(`{"message":"x","callback_url":"http://127.1.%d.%d:%d/"}`, i/250%250, i%250, silent)
	})
	listed, page := w.functionsListed(t)
	w.metrics(t)
	peak := w.peakMemory(t)
	t.Logf("%d names and %d hosts in %s: %d MiB at peak, %d listed, the largest page has %d bytes", names, names/6,
		time.Since(begun).Round(time.Second), peak>>20, listed, page)
	check := func(when string, peak int64) {
		t.Helper()
		if peak > floodMemory {
			t.Errorf("%s it had %d MiB, want %d at most", when, peak>>20, floodMemory>>20)
		}
	}
	check("while they came", peak)
	switch {
	case page > 1<<20:
		t.Errorf("%d are listed, a page has %d bytes, want page at most %v", listed, page, 1<<20)
	case listed > 20_000+50:
		t.Errorf("%d are listed, a page has %d bytes, want listed at most %v", listed, page, 20_000+50)
	}
	w.kill()
	close(flooded)
	w = s.worker()
	w.mute()
	eventuallyWithin(t, 5*time.Minute, "all invented names to be dead", func() bool { return w.metrics(t).sum("queue_worker_dead") >= float64(names) })
	t.Logf("after a restart, all called: %d MiB at peak", w.peakMemory(t)>>20)
	check("after a restart", w.peakMemory(t))
}

func eventuallyWithin(t testing.TB, d time.Duration, what string, is func() bool) {
	t.Helper()
	for late := time.Now().Add(d); !is(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("waited in vain for %s, want now not after %v", what, late)
		}
	}
}

// silentHosts listens on all addresses of this machine's loopback, accepts and never
// answers.
func silentHosts(t testing.TB) (port int, stop func()) {
	t.Helper()
	l, port := listenAll(t)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { _ = c.Close() })
		}
	}()
	return port, func() { cancel(); _ = l.Close() }
}

func listenAll(t testing.TB) (net.Listener, int) {
	t.Helper()
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	return l, l.Addr().(*net.TCPAddr).Port
}
