// File functions.go lists, pauses and resumes functions.

package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"

	"queue-worker/pkg/wire"
)

// Functions are functions, one entry for each queue.
type Functions struct {
	Document `json:"-"`
	wire.FunctionList
}

func (p *Functions) items() []wire.Function { return p.Functions }
func (p *Functions) next() string           { return p.Next }

// Functions lists the functions that the worker has anything of, at most limit of them
// (0: all).
func (c *Client) Functions(ctx context.Context, limit int) iter.Seq2[*Functions, error] {
	return pages[Functions, wire.Function](ctx, c, "/v1/functions", url.Values{}, limit)
}

// Function reads one function, which is in more than one queue perhaps.
func (c *Client) Function(ctx context.Context, name string) (*Functions, error) {
	all := &Functions{}
	return all, c.read(ctx, get("/v1/functions/"+segment(name), nil), all)
}

// PauseFunction lets a function rest: nothing of it is begun, running calls end.
// what says why, by whom and for how long. A function that does not exist is refused, unless it is forced.
func (c *Client) PauseFunction(ctx context.Context, name string, what wire.PauseRequest) (*Functions, error) {
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

// Due counts what becomes due in the next hour.
type Due struct {
	Document `json:"-"`
	wire.Due
}

// Due counts the delayed invocations of a function, in one queue or in all ("").
func (c *Client) Due(ctx context.Context, function, queue string) (*Due, error) {
	q := url.Values{}
	if queue != "" {
		q.Set("queue", queue)
	}
	d := &Due{}
	return d, c.read(ctx, get("/v1/functions/"+segment(function)+"/due", q), d)
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
