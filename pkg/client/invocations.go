// File invocations.go reads, awaits and cancels invocations.

package client

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Policy is how often and when something is called again, and where each value
// comes from.
type Policy struct {
	Document     `json:"-"`
	Attempts     int               `json:"max_retry_attempts"` // -1: without end
	Initial      string            `json:"initial_retry_wait"`
	Max          string            `json:"max_retry_wait"`
	Backoff      string            `json:"backoff"`
	Codes        string            `json:"retry_http_codes"`
	MaxAfter     string            `json:"max_retry_after"`
	DeadCodes    string            `json:"dead_set_codes"`
	MaxAge       string            `json:"max_age"`      // 0s: for ever
	Timeout      string            `json:"timeout"`      // of a call; 0s: the gateway decides
	MaxInflight  int               `json:"max_inflight"` // calls at a time
	Rate         float64           `json:"rate"`         // calls per second; 0: no limit
	Priority     int               `json:"priority"`
	From         map[string]string `json:"from"`
	Schedule     []string          `json:"schedule"` // the waits, at most 20
	TotalWaiting string            `json:"total_wait"`
}

// States of an invocation.
const (
	StateReady     = "ready"
	StateRunning   = "running"
	StateDelayed   = "delayed"
	StateDone      = "done"
	StateDead      = "dead"
	StateDropped   = "dropped"
	StateCancelled = "cancelled"
)

// Invocation is an invocation in any state.
type Invocation struct {
	ID        string    `json:"id"`
	CallID    string    `json:"call_id"`
	Kind      string    `json:"kind"`
	Source    string    `json:"source"`
	Queue     string    `json:"queue"`
	Function  string    `json:"function"`
	Topic     string    `json:"topic-entity"`
	Target    string    `json:"target"`
	Origin    string    `json:"origin"`
	State     string    `json:"state"`
	Due       time.Time `json:"due"`
	First     time.Time `json:"first_seen"`
	Retries   int       `json:"retry-count"`
	Attempts  []Attempt `json:"attempts"`
	Omitted   int       `json:"attempts_omitted"`
	Replays   int       `json:"replays"`
	Size      int64     `json:"size"`
	Expires   time.Time `json:"expires"`
	Policy    *Policy   `json:"policy"`
	Status    int       `json:"status"`
	Reason    string    `json:"reason"`
	Detail    string    `json:"detail"`
	Died      time.Time `json:"died_at"`
	Finished  time.Time `json:"finished_at"`
	HasResult bool      `json:"result"`
}

// Over reports whether nothing more happens to it by itself.
func (i *Invocation) Over() bool {
	switch i.State {
	case StateReady, StateRunning, StateDelayed:
		return false
	}
	return true
}

// Invocations are those that an id stands for, or a page of what is pending.
type Invocations struct {
	Document    `json:"-"`
	Invocations []Invocation `json:"invocations"`
	Next        string       `json:"next"`
}

func (p *Invocations) items() []Invocation { return p.Invocations }
func (p *Invocations) next() string        { return p.Next }

// Over reports whether every invocation of a function among them has finished.
func (p *Invocations) Over() bool {
	for _, i := range p.Invocations {
		if i.Kind != "callback" && !i.Over() {
			return false
		}
	}
	return true
}

// MaxWait is the longest that one request waits for an end.
const MaxWait = 5 * time.Minute

// waitMargin is what the answer to a request that waits may take beyond that.
const waitMargin = 15 * time.Second

// Invocation reads what an id or a call id stands for, newest first. With wait it
// answers when that has finished, or after that long, at most MaxWait.
func (c *Client) Invocation(ctx context.Context, id string, wait time.Duration) (*Invocations, error) {
	q := get("/v1/invocations/"+segment(id), url.Values{})
	if wait = min(wait, MaxWait).Round(time.Millisecond); wait > 0 {
		q.query.Set("wait", wait.String())
		q.timeout = max(c.timeout, wait+waitMargin)
	}
	all := &Invocations{}
	return all, c.read(ctx, q, all)
}

// PendingFilter says which pending invocations are meant. Empty fields mean every one.
type PendingFilter struct {
	Function, Queue string
	State           string // ready, running or delayed
}

// Pending lists pending invocations, at most limit of them (0: all).
func (c *Client) Pending(ctx context.Context, f PendingFilter, limit int) iter.Seq2[*Invocations, error] {
	q := url.Values{}
	for name, value := range map[string]string{"function": f.Function, "queue": f.Queue, "state": f.State} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return pages[Invocations, Invocation](ctx, c, "/v1/invocations", q, limit)
}

// Cancel ends an invocation, given by its id or a call id that stands for one.
func (c *Client) Cancel(ctx context.Context, id string) (*Acted, error) {
	a := &Acted{}
	return a, c.read(ctx, act(http.MethodDelete, "/v1/invocations/"+segment(id), http.StatusAccepted), a)
}

// Result is the answer of a function, as it gave it. Body has to be closed.
type Result struct {
	Outcome   string // done, dead, dropped or cancelled
	Status    int    // of the function
	Truncated bool   // Body is only the beginning
	Header    http.Header
	Body      io.ReadCloser
}

// Fields of a result that are the server's. The first marks an answer as that of a
// function; what is not so marked is one of the server itself.
const (
	outcomeHeader   = "X-Queue-Worker-Outcome"
	statusHeader    = "X-Queue-Worker-Status"
	truncatedHeader = "X-Queue-Worker-Truncated"
)

// Result reads the answer of a function that was kept.
func (c *Client) Result(ctx context.Context, id string) (*Result, error) {
	ctx, touch, stop := c.watched(ctx)
	r, err := c.exchange(ctx, get("/v1/invocations/"+segment(id)+"/result", nil))
	if err != nil {
		stop()
		return nil, err
	}
	if r.Header.Get(outcomeHeader) == "" {
		defer stop()
		defer closeBody(r)
		return nil, c.problemOf(r)
	}
	status, err := strconv.Atoi(r.Header.Get(statusHeader))
	if err != nil {
		status = r.StatusCode
	}
	return &Result{
		Outcome: r.Header.Get(outcomeHeader), Status: status, Truncated: r.Header.Get(truncatedHeader) == "true", Header: r.Header,
		Body: &streamBody{
			touching: touching{r.Body, touch},
			explain:  func(err error) error { return c.cut(ctx, err) },
			close:    func() { _ = r.Body.Close(); stop() },
		},
	}, nil
}
