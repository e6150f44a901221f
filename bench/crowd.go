// File crowd.go has the functions of the measurements of fairness and pace: several kinds in one
// process, which remember when they were called.

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

// slowCall is how long a call of a function named slow-... takes.
const slowCall = time.Minute

// noted is what the functions know of one run.
type noted struct {
	Waits  []int64 // of the quiet function's calls, nanoseconds from publishing to the call
	Others int     // calls of the other functions that have ended
	Calls  int     // of the limited function
	Pushed int     // of them answered with 429
	Served int     // of them answered with 200
	First  int64   // unix nanoseconds of the first of them
	Last   int64   // unix nanoseconds of the latest one that was answered with 200
}

// crowd serves the functions:
//
//	quiet      answers at once; its query string has when it was published
//	flooded-*  takes 100 µs to 1 ms, as the query string says, and not before /open
//	slow-*     takes a minute
//	limited    takes 100 ms, accepts five at a time, and answers 429 beyond
//	caller     answers at once; its results go to hosts that never answer
type crowd struct {
	gate chan struct{}

	mu      sync.Mutex
	run     string
	running int
	got     noted
}

// Of the limited function.
const (
	limitedCall = 100 * time.Millisecond
	limitedAt   = 5
)

func (c *crowd) call(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	_, _ = io.Copy(io.Discard, r.Body)
	c.mu.Lock()
	gate, ours := c.gate, r.PathValue("run") == c.run
	c.mu.Unlock()
	if !ours {
		return // what an earlier run has left
	}
	kind, _, _ := strings.Cut(r.PathValue("function"), "-")
	n, _ := strconv.ParseInt(r.URL.Query().Get("n"), 10, 64)
	switch kind {
	case "quiet":
		c.note(func(got *noted) { got.Waits = append(got.Waits, now.UnixNano()-n) })
	case "flooded":
		<-gate
		time.Sleep(100*time.Microsecond + time.Duration(n%10)*100*time.Microsecond)
		c.note(func(got *noted) { got.Others++ })
	case "slow":
		pause(r, slowCall)
	case "limited":
		c.limited(w, r, now)
	}
}

func (c *crowd) limited(w http.ResponseWriter, r *http.Request, now time.Time) {
	c.mu.Lock()
	c.got.Calls++
	if c.got.First == 0 {
		c.got.First = now.UnixNano()
	}
	if c.running >= limitedAt {
		c.got.Pushed++
		c.mu.Unlock()
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	c.running++
	c.mu.Unlock()
	pause(r, limitedCall)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	c.got.Served++
	c.got.Last = time.Now().UnixNano()
}

func (c *crowd) note(change func(*noted)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.got)
}

// pause is a call of some length, which ends with its request.
func pause(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

// begin starts a run: POST /begin/{run}. The flooded functions wait for open.
func (c *crowd) begin(_ http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run, c.got, c.running, c.gate = r.PathValue("run"), noted{}, 0, make(chan struct{})
}

// open lets the flooded functions answer: POST /open.
func (c *crowd) open(http.ResponseWriter, *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.gate)
}

// answerNoted answers with what was noted: GET /noted.
func (c *crowd) answerNoted(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = json.NewEncoder(w).Encode(c.got)
}

// runCrowd is the child.
func runCrowd() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := listenInSilence(l.Addr().(*net.TCPAddr).Port); err != nil {
		return err
	}
	c := &crowd{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /function/{function}/{run}", c.call)
	mux.HandleFunc("POST /begin/{run}", c.begin)
	mux.HandleFunc("POST /open", c.open)
	mux.HandleFunc("GET /noted", c.answerNoted)
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	go untilClosedThen(l)
	_ = http.Serve(l, mux) // ends when the listener is closed
	return nil
}

// listenInSilence opens the hosts that never answer, on a port. The system accepts their
// connections, and nothing reads them. They are closed when the process ends.
func listenInSilence(port int) error {
	for i := range silentHosts {
		l, err := net.Listen("tcp", net.JoinHostPort(silentHost(i), strconv.Itoa(port)))
		if err != nil {
			return err
		}
		silent = append(silent, l)
	}
	return nil
}

// silent keeps the listeners from being collected, which would close them.
var silent []net.Listener
