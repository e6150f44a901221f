// File functions.go lists, pauses and resumes functions.

package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// LastError is the latest call of a function that failed.
type LastError struct {
	At     time.Time `json:"at"`
	Status int       `json:"status"`
	Cause  string    `json:"cause"`
}

// Pause says who lets a function rest, why, and for how long.
type Pause struct {
	Reason string    `json:"reason"`
	Author string    `json:"author"`
	By     string    `json:"by"` // whom the server has admitted
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"` // zero: until it is resumed
}

// Breaker shows whether a function is only probed, because it cannot be
// reached.
type Breaker struct {
	State string    `json:"state"` // closed, open or probing
	Since time.Time `json:"since"`
	Cause string    `json:"cause"`
	Next  time.Time `json:"next_probe"`
}

// Function is what a function has to do in one queue.
type Function struct {
	Function  string     `json:"function"`
	Topic     string     `json:"topic-entity"`
	Queue     string     `json:"queue"`
	Ready     int        `json:"ready"`
	Running   int        `json:"running"`
	Delayed   int        `json:"delayed"`
	Dead      int        `json:"dead"`
	OldestAge float64    `json:"oldest_age_seconds"`
	Rate      float64    `json:"rate_per_second"`
	LastError *LastError `json:"last_error"`
	Limit     int        `json:"limit"`      // calls at a time
	HeldUntil time.Time  `json:"held_until"` // by a Retry-After; zero: it is not held
	Breaker   Breaker    `json:"breaker"`
	Paused    *Pause     `json:"paused"`
}

// Functions are functions, one entry for each queue.
type Functions struct {
	Document  `json:"-"`
	Functions []Function `json:"functions"`
	Next      string     `json:"next"`
	Others    []Others   `json:"others"`
}

// Others counts what is in functions of a queue that are not listed one by one, because
// callers have invented too many.
type Others struct {
	Queue   string `json:"queue"`
	Ready   int    `json:"ready"`
	Delayed int    `json:"delayed"`
	Dead    int    `json:"dead"`
}

func (p *Functions) items() []Function { return p.Functions }
func (p *Functions) next() string      { return p.Next }

// Functions lists the functions that the worker has anything of, at most limit of them
// (0: all).
func (c *Client) Functions(ctx context.Context, limit int) iter.Seq2[*Functions, error] {
	return pages[Functions, Function](ctx, c, "/v1/functions", url.Values{}, limit)
}

// Function reads one function, which is in more than one queue perhaps.
func (c *Client) Function(ctx context.Context, name string) (*Functions, error) {
	all := &Functions{}
	return all, c.read(ctx, get("/v1/functions/"+segment(name), nil), all)
}

// PauseFunction lets a function rest: nothing of it is begun, running calls end.
// length is a duration such as 90m or 7d; "": until it is resumed.
func (c *Client) PauseFunction(ctx context.Context, name, reason, author, length string) (*Functions, error) {
	what := map[string]string{}
	for key, value := range map[string]string{"reason": reason, "author": author, "for": length} {
		if value != "" {
			what[key] = value
		}
	}
	q, err := act(http.MethodPost, "/v1/functions/"+segment(name)+"/pause", http.StatusOK).with(what)
	if err != nil {
		return nil, err
	}
	all := &Functions{}
	return all, c.read(ctx, q, all)
}

// ResumeFunction resumes a function.
func (c *Client) ResumeFunction(ctx context.Context, name string) (*Functions, error) {
	all := &Functions{}
	return all, c.read(ctx, act(http.MethodPost, "/v1/functions/"+segment(name)+"/resume", http.StatusOK), all)
}

// Policy reads the policy that is in force for a function in a queue; "" for the
// first one.
func (c *Client) Policy(ctx context.Context, function, queue string) (*Policy, error) {
	q := url.Values{}
	if queue != "" {
		q.Set("queue", queue)
	}
	p := &Policy{}
	return p, c.read(ctx, get("/v1/functions/"+segment(function)+"/policy", q), p)
}
