// File send.go submits an invocation.

package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"queue-worker/pkg/wire"
)

// Submission is one invocation.
type Submission struct {
	Function  string
	Path      string // after the function's name, unescaped, with or without a slash before it
	Query     string // as it stands in a URL, without the question mark
	Header    http.Header
	Body      io.Reader     // nil for none
	Size      int64         // of the body in bytes; 0 when it is not known
	Delay     time.Duration // before the first call; 0: none
	NotBefore time.Time     // of the first call; zero: at once
	MaxAge    time.Duration // after which it is given up; 0: never
	Key       string        // Idempotency-Key
}

// Receipt is what the worker says when it has taken an invocation.
type Receipt struct {
	CallID    string `json:"call_id"`
	ID        string `json:"id,omitempty"` // the invocation's own; "" when the server gives none
	StartTime string `json:"start_time,omitempty"`
}

// askFirst is the size in bytes above which the server is asked before the body is
// sent, so that its refusal is read rather than a broken connection.
const askFirst = 64 << 10

// header is the header of the request: the caller's, and the terms.
func (s Submission) header() http.Header {
	h := s.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	for name, d := range map[string]time.Duration{wire.HeaderDelay: s.Delay, wire.HeaderMaxAge: s.MaxAge} {
		if d != 0 {
			h.Set(name, d.String())
		}
	}
	if !s.NotBefore.IsZero() {
		h.Set(wire.HeaderNotBefore, s.NotBefore.UTC().Format(time.RFC3339Nano))
	}
	if s.Key != "" {
		h.Set(wire.HeaderIdempotencyKey, s.Key)
	}
	return h
}

// path is the path of the request.
func (s Submission) path() string {
	path := "/async-function/" + segment(s.Function)
	if s.Path == "" {
		return path
	}
	u := url.URL{Path: "/" + strings.TrimPrefix(s.Path, "/")}
	return path + u.EscapedPath()
}

// Send submits one invocation. When it returns without an error the invocation is
// durable, or has been published to the queue where there is no durable store.
func (c *Client) Send(ctx context.Context, s Submission) (*Receipt, error) {
	header := s.header()
	query, err := url.ParseQuery(s.Query)
	if err != nil {
		return nil, fmt.Errorf("the query: %w", err)
	}
	ctx, touch, stop := c.watched(ctx)
	defer stop()
	q := act(http.MethodPost, s.path(), http.StatusAccepted)
	q.header, q.query, q.size = header, query, s.Size
	if s.Body != nil {
		q.body = touching{s.Body, touch}
		if s.Size == 0 || s.Size > askFirst {
			header.Set("Expect", "100-continue")
		}
	}
	r, err := c.send(ctx, q)
	if err != nil {
		return nil, err
	}
	defer closeBody(r)
	receipt := &Receipt{CallID: r.Header.Get("X-Call-Id"), ID: r.Header.Get(wire.HeaderInvocationID), StartTime: r.Header.Get("X-Start-Time")}
	if receipt.CallID == "" {
		return nil, c.foreign(r)
	}
	return receipt, nil
}
