// File request.go makes one request and reads its answer.

package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"queue-worker/pkg/wire"
)

// Document is an answer as it came. Every type that is read from one begins with it.
type Document struct{ raw []byte }

// JSON is the answer as the server gave it, line end included.
func (d Document) JSON() []byte { return d.raw }

func (d *Document) keep(raw []byte) { d.raw = raw }

// document is what an answer is read into.
type document interface{ keep([]byte) }

// call is one request.
type call struct {
	method string
	path   string // escaped, from the root of the server
	query  url.Values
	header http.Header
	body   io.Reader
	size   int64 // of a body whose length does not show by itself; 0: unknown
	// accept are the statuses that are a success. Others become an *Error.
	accept []int
	// timeout bounds request and answer, in place of that of the client.
	timeout time.Duration
}

// segment escapes an id or a name as one segment of a path, also if it is one of dots,
// which would lead to another path.
func segment(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}

// get is a GET that answers 200.
func get(path string, query url.Values) call {
	return call{method: http.MethodGet, path: path, query: query, accept: []int{http.StatusOK}}
}

// act is a request that changes something and answers with one of the statuses.
func act(method, path string, accept ...int) call {
	return call{method: method, path: path, accept: accept}
}

// with adds a body of JSON.
func (q call) with(v any) (call, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return q, err
	}
	q.body = bytes.NewReader(b)
	q.header = http.Header{"Content-Type": {"application/json"}}
	return q, nil
}

// read sends a request and reads its answer, which must be JSON, into a document.
func (c *Client) read(ctx context.Context, q call, into document) error {
	if q.timeout == 0 {
		q.timeout = c.timeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, q.timeout, errTimeout)
	defer cancel()
	r, err := c.send(ctx, q)
	if err != nil {
		return err
	}
	defer closeBody(r)
	if !isJSON(r.Header) {
		return c.foreign(r)
	}
	raw, err := c.readAll(ctx, r.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		e := c.foreign(r)
		e.cause = err
		return e
	}
	into.keep(raw)
	return nil
}

// send sends a request. The answer has an accepted status, and its body is the
// caller's to close.
func (c *Client) send(ctx context.Context, q call) (*http.Response, error) {
	r, err := c.exchange(ctx, q)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(q.accept, r.StatusCode) {
		defer closeBody(r)
		return nil, c.problemOf(r)
	}
	return r, nil
}

// exchange is send for an answer of any status.
func (c *Client) exchange(ctx context.Context, q call) (*http.Response, error) {
	u, err := c.address(q)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, q.method, u, q.body)
	if err != nil {
		return nil, err
	}
	for name, values := range q.header {
		r.Header[name] = values
	}
	if q.size > 0 {
		r.ContentLength = q.size
	}
	r.Header.Set("User-Agent", c.agent)
	if c.user != "" {
		r.SetBasicAuth(c.user, c.password)
	}
	answer, err := c.http.Do(r) // #nosec G704 -- the server is what the user has named
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	return answer, nil
}

// address is the URL of a request.
func (c *Client) address(q call) (string, error) {
	u := *c.base
	raw := u.EscapedPath() + q.path
	path, err := url.PathUnescape(raw)
	if err != nil {
		return "", fmt.Errorf("the path %s: %w", q.path, err)
	}
	u.Path, u.RawPath, u.RawQuery = path, raw, q.query.Encode()
	return u.String(), nil
}

// errTimeout is why a request of ours was ended.
var errTimeout = errors.New("no answer in time")

// unreachable is the error of a request that got no answer, or only a part of
// one. An end that the caller wanted stays what it is.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errTimeout) || errors.Is(context.Cause(ctx), errIdle) {
		return &Error{cause: err, Problem: wire.Problem{
			Reason: ReasonTimeout, Text: c.Server() + " did not answer in time",
			Hint: "See /readyz for a full or stalled disk, or raise --request-timeout. A change may still happen, so check before you repeat it.",
		}}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // without the URL, which may be long and is known
	}
	return &Error{cause: err, Problem: wire.Problem{
		Reason: ReasonUnreachable, Text: fmt.Sprintf("no answer from %s: %v", c.Server(), err),
		Hint: "Start the worker, or give its address with --server; in Kubernetes: kubectl -n openfaas port-forward deploy/queue-worker 8081",
	}}
}

// readAll reads an answer that is held in memory.
func (c *Client) readAll(ctx context.Context, r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
	switch {
	case err != nil:
		return nil, c.cut(ctx, err)
	case len(raw) > maxAnswer:
		return nil, &Error{Problem: wire.Problem{Reason: ReasonForeign, Text: fmt.Sprintf("the answer has more than %d bytes", maxAnswer)}}
	}
	return raw, nil
}

// cut is the error of an answer that ended too early.
func (c *Client) cut(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return c.unreachable(ctx, err)
	}
	return &Error{cause: err, Problem: wire.Problem{
		Reason: ReasonCut, Text: fmt.Sprintf("the answer of %s was cut off: %v", c.Server(), err),
		Hint: "See the log of the worker, or of a proxy before it, and try again.",
	}}
}

// closeBody ends an answer so that its connection can be used again.
func closeBody(r *http.Response) {
	_, _ = io.CopyN(io.Discard, r.Body, maxProblem)
	_ = r.Body.Close()
}

// errIdle is why a stream of ours was ended.
var errIdle = errors.New("no data for too long")

// watched ends a context when nothing has passed through a reader for too long.
// stop has to be called.
func (c *Client) watched(ctx context.Context) (_ context.Context, touch, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(c.idle, func() { cancel(errIdle) })
	return ctx, func() { timer.Reset(c.idle) }, func() { timer.Stop(); cancel(nil) }
}

// touching reports every read.
type touching struct {
	io.Reader
	touch func()
}

func (t touching) Read(p []byte) (int, error) {
	t.touch()
	n, err := t.Reader.Read(p)
	t.touch()
	return n, err
}
