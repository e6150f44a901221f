// The function: an HTTP server in a process of its own that answers at once and
// counts.

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tally is what the function knows of one run.
type tally struct {
	Distinct int   // messages that arrived
	Repeated int   // calls beyond one per message
	Strays   int   // calls of other runs
	First    int64 // unix nanoseconds of the first call
	Last     int64 // unix nanoseconds of the last call that was the first of its message
}

// took is the time from the first call to the last one.
func (t tally) took() time.Duration { return time.Duration(t.Last - t.First) }

// sink counts the calls of one run at a time.
type sink struct {
	mu   sync.Mutex
	run  string
	want int
	seen []bool
	got  tally
	done chan struct{} // closed when every message of the run has arrived
}

// call counts one call of /function/bench/<run>?n=<i>.
func (s *sink) call(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	now := time.Now().UnixNano()
	i, err := strconv.Atoi(r.URL.Query().Get("n"))
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil || strings.TrimPrefix(r.URL.Path, "/function/bench/") != s.run || i < 0 || i >= len(s.seen):
		s.got.Strays++
	case s.seen[i]:
		s.got.Repeated++
	default:
		s.seen[i] = true
		s.got.Distinct++
		if s.got.First == 0 {
			s.got.First = now
		}
		s.got.Last = now
		if s.got.Distinct == s.want {
			close(s.done)
		}
	}
	w.WriteHeader(http.StatusOK)
}

// begin starts to count a run of n messages: POST /begin/<run>?n=.
func (s *sink) begin(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || n < 1 {
		http.Error(w, "n is not a number of messages", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run, s.want, s.seen, s.got, s.done = r.PathValue("run"), n, make([]bool, n), tally{}, make(chan struct{})
}

// await answers with the tally when every message of the run has arrived.
func (s *sink) await(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	done := s.done
	s.mu.Unlock()
	select {
	case <-done:
	case <-r.Context().Done():
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(s.got)
}

// runSink is the child.
func runSink() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &sink{done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /function/bench/{run}", s.call)
	mux.HandleFunc("POST /begin/{run}", s.begin)
	mux.HandleFunc("GET /await", s.await)
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	go untilClosedThen(l)
	_ = http.Serve(l, mux) // ends when the listener is closed
	return nil
}

func untilClosedThen(l net.Listener) {
	untilClosed()
	_ = l.Close()
}
