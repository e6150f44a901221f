// File sink.go is the function: an HTTP server in a process of its own that answers at once,
// counts, and remembers when it was called.

package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// tally is what the function knows of one run.
type tally struct {
	Distinct int   // invocations that succeeded
	Repeated int   // calls beyond those that an invocation needs
	Strays   int   // calls of other runs
	First    int64 // unix nanoseconds of the first call
	Last     int64 // unix nanoseconds of the last call that an invocation needed
}

// took is the time from the first call to the last one.
func (t tally) took() time.Duration { return time.Duration(t.Last - t.First) }

// calls are those of one invocation, as the function sees them.
type calls struct {
	n           uint32
	first, last int64 // unix nanoseconds
}

// sink counts the calls of one run at a time.
type sink struct {
	mu    sync.Mutex
	run   string
	fail  int // each fail-th invocation fails at its first call; 0 for none
	calls []calls
	got   tally
	done  chan struct{} // closed when every invocation of the run has succeeded
}

// call counts one call of /function/<any>/<run>?n=<i>.
func (s *sink) call(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	now := time.Now().UnixNano()
	i, err := strconv.Atoi(r.URL.Query().Get("n"))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || r.PathValue("run") != s.run || i < 0 || i >= len(s.calls) {
		s.got.Strays++
		return
	}
	if s.count(i, now) {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// count notes a call and reports whether it has to fail.
func (s *sink) count(i int, now int64) (fails bool) {
	c, needed := &s.calls[i], uint32(1)
	if s.fail > 0 && i%s.fail == 0 {
		needed = 2
	}
	if s.got.First == 0 {
		s.got.First = now
	}
	c.n++
	if c.n == 1 {
		c.first = now
	}
	c.last = now
	switch {
	case c.n > needed:
		s.got.Repeated++
	case c.n == needed:
		s.got.Distinct++
		s.got.Last = now
		if s.got.Distinct == len(s.calls) {
			close(s.done)
		}
	}
	return c.n < needed
}

// begin starts to count a run of n invocations: POST /begin/{run}?n=&fail=.
func (s *sink) begin(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || n < 1 {
		http.Error(w, "n is not a number of invocations", http.StatusBadRequest)
		return
	}
	fail, _ := strconv.Atoi(r.URL.Query().Get("fail"))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run, s.fail, s.calls, s.got, s.done = r.PathValue("run"), fail, make([]calls, n), tally{}, make(chan struct{})
}

// await answers with the tally when every invocation of the run has succeeded.
func (s *sink) await(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	done := s.done
	s.mu.Unlock()
	select {
	case <-done:
		s.answerTally(w, r)
	case <-r.Context().Done():
	}
}

// answerTally answers with the tally as it is now.
func (s *sink) answerTally(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(s.got)
}

// times answers with first and last call of each invocation, 16 bytes each, big endian.
func (s *sink) times(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := make([]byte, 0, 16*len(s.calls))
	for _, c := range s.calls {
		b = binary.BigEndian.AppendUint64(b, uint64(c.first))
		b = binary.BigEndian.AppendUint64(b, uint64(c.last))
	}
	_, _ = w.Write(b)
}

// runSink is the child.
func runSink() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &sink{done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /function/{function}/{run}", s.call)
	mux.HandleFunc("POST /begin/{run}", s.begin)
	mux.HandleFunc("GET /await", s.await)
	mux.HandleFunc("GET /tally", s.answerTally)
	mux.HandleFunc("GET /times", s.times)
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	go untilClosedThen(l)
	_ = http.Serve(l, mux) // ends when the listener is closed
	return nil
}

func untilClosedThen(l net.Listener) {
	untilClosed()
	_ = l.Close()
}
