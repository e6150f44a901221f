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

	"queue-worker/pkg/wire"
)

// Policy is a policy in force.
type Policy struct {
	Document `json:"-"`
	wire.Policy
}

// Invocations are those that an id stands for, or a page of the pending ones.
type Invocations struct {
	Document `json:"-"`
	wire.InvocationList
}

func (p *Invocations) items() []wire.Invocation { return p.Invocations }
func (p *Invocations) next() string             { return p.Next }

// MaxWait is the longest that one request waits for an end.
const MaxWait = 5 * time.Minute

// waitMargin is what the answer to a request that waits may take beyond that.
const waitMargin = 15 * time.Second

// Request is the request of an invocation.
type Request struct {
	Document `json:"-"`
	wire.Request
}

// Request reads the request of an invocation that is stored, by its id or call id; with body the
// whole of its message.
func (c *Client) Request(ctx context.Context, id string, body bool) (*Request, error) {
	q := url.Values{}
	if body {
		q.Set("body", "true")
	}
	r := &Request{}
	return r, c.read(ctx, get("/v1/invocations/"+segment(id)+"/request", q), r)
}

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
	return pages[Invocations, wire.Invocation](ctx, c, "/v1/invocations", q, limit)
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

// Result reads the answer of a function that was kept.
func (c *Client) Result(ctx context.Context, id string) (*Result, error) {
	ctx, touch, stop := c.watched(ctx)
	r, err := c.exchange(ctx, get("/v1/invocations/"+segment(id)+"/result", nil)) //nolint:bodyclose // Result.Close does it
	if err != nil {
		stop()
		return nil, err
	}
	if r.Header.Get(wire.HeaderOutcome) == "" {
		defer stop()
		defer closeBody(r)
		return nil, c.problemOf(r)
	}
	status, err := strconv.Atoi(r.Header.Get(wire.HeaderStatus))
	if err != nil {
		status = r.StatusCode
	}
	return &Result{
		Outcome: r.Header.Get(wire.HeaderOutcome), Status: status, Truncated: r.Header.Get(wire.HeaderTruncated) == "true", Header: r.Header,
		Body: &streamBody{
			touching: touching{r.Body, touch},
			explain:  func(err error) error { return c.cut(ctx, err) },
			close:    func() { _ = r.Body.Close(); stop() },
		},
	}, nil
}
