// The chaos function: it answers as it was last configured.

package dev

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"sync"
	"time"
)

// maxSetBody bounds the body of POST /set.
const maxSetBody = 1 << 20

// Chaos is the chaos function, an http.Handler.
//
//	POST /set   {"status": 500, "delay": "1s", "body": "text"}: how to answer from
//	            now on. What is left out stays as it was. A number as delay means
//	            nanoseconds. 202; 500 when it cannot be read, and nothing changes.
//	GET /get    the current answer as JSON.
//	otherwise   the current answer, after its delay. A status that HTTP does not
//	            have, such as 0, breaks the connection without an answer.
//
// It begins with status 200, no body and no delay, and forgets on restart.
type Chaos struct {
	logger *slog.Logger

	mu      sync.Mutex
	current answer
}

// answer is what the chaos function does when it is called.
type answer struct {
	Status int    `json:"status"`
	Body   string `json:"body"`
	Delay  delay  `json:"delay"`
}

// delay is a time.Duration that is text such as "1s" in JSON.
type delay time.Duration

// NewChaos makes a chaos function that answers 200.
func NewChaos(logger *slog.Logger) *Chaos {
	return &Chaos{logger: logger, current: answer{Status: http.StatusOK}}
}

func (c *Chaos) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.logger.Debug("function called", "function", ChaosFunction, "method", r.Method)
	switch {
	case r.URL.Path == "/set" && r.Method == http.MethodPost:
		c.set(w, r)
	case r.URL.Path == "/get" && r.Method == http.MethodGet:
		c.get(w)
	default:
		c.answer(w, r)
	}
}

func (c *Chaos) set(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSetBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.current
	if err := json.Unmarshal(body, &next); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	c.current = next
	w.WriteHeader(http.StatusAccepted)
}

func (c *Chaos) get(w http.ResponseWriter) {
	out, err := json.Marshal(c.now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(out) // the caller has gone
}

func (c *Chaos) answer(w http.ResponseWriter, r *http.Request) {
	// The server notices that a caller goes away only when the body is read.
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	a := c.now()
	if a.Delay > 0 {
		timer := time.NewTimer(time.Duration(a.Delay))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	if a.Status < 100 || a.Status > 999 {
		panic(http.ErrAbortHandler) // net/http's way to break the connection, without a trace in the log
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body) // 204 and 304 have no body; the caller may have gone
}

func (c *Chaos) now() answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}

// MarshalJSON is the text of the duration, such as "1.5s".
func (d delay) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).String())
}

// UnmarshalJSON takes the text of a duration or a number of nanoseconds.
func (d *delay) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case string:
		parsed, err := time.ParseDuration(v)
		if err != nil {
			return err
		}
		*d = delay(parsed)
		return nil
	case float64:
		if math.Abs(v) < math.MaxInt64 {
			*d = delay(v)
			return nil
		}
	}
	return errors.New(`delay: expected a duration such as "1s", or nanoseconds`)
}
