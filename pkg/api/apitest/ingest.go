// File ingest.go has what was accepted: in the store, and in NATS Streaming.

package apitest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Recorder is a store that remembers what it has accepted.
type Recorder struct {
	store.Store // what it does not define; accepts what was recorded
	durable     bool

	mu       sync.Mutex
	err      error
	full     error
	failed   error
	hold     chan struct{}
	accepted []store.Accept
}

// Temporary makes the store not durable, so that NATS Streaming accepts work.
func Temporary(o *Options) { o.Ingest.Store.(*Recorder).durable = false }

// Refuse makes the store answer with errors; nil for none.
func (k *Recorder) Refuse(accept, full, failed error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err, k.full, k.failed = accept, full, failed
}

// Hold makes Accept wait until the returned function is called.
func (k *Recorder) Hold() (release func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hold = make(chan struct{})
	return sync.OnceFunc(func() { close(k.hold) })
}

// Durable implements ingest.Store.
func (k *Recorder) Durable() bool { return k.durable }

// Full implements ingest.Store.
func (k *Recorder) Full() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.full
}

// Failed implements ingest.Store.
func (k *Recorder) Failed() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failed
}

// Accept implements ingest.Store.
func (k *Recorder) Accept(x store.Accept, done func(error)) {
	k.mu.Lock()
	hold, err := k.hold, k.err
	k.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if err != nil {
		done(err)
		return
	}
	inv := *x.Inv // the store changes it
	k.Store.Accept(x, func(err error) {
		if err == nil {
			k.mu.Lock()
			k.accepted = append(k.accepted, store.Accept{Inv: &inv, Raw: x.Raw, Key: x.Key})
			k.mu.Unlock()
		}
		done(err)
	})
}

// All are the invocations that were accepted.
func (k *Recorder) All() []store.Accept {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]store.Accept(nil), k.accepted...)
}

// Only is the one invocation that was accepted since the last look.
func (k *Recorder) Only(t testing.TB) store.Accept {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.accepted) != 1 {
		t.Fatalf("%d invocations were accepted, want 1", len(k.accepted))
	}
	x := k.accepted[0]
	k.accepted = nil
	return x
}

// Count is how many were accepted since the last look.
func (k *Recorder) Count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.accepted)
}

// Queue is NATS Streaming, which remembers what was published.
type Queue struct {
	Err       error // of Publish
	NotReady  error
	Away      bool // not connected
	mu        sync.Mutex
	published [][]byte
}

// Publish implements ingest.Queue.
func (q *Queue) Publish(_ context.Context, _ string, raw []byte) error {
	if q.Err != nil {
		return q.Err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.published = append(q.published, slices.Clone(raw))
	return nil
}

// Connected implements ingest.Queue.
func (q *Queue) Connected() bool { return !q.Away }

// Ready implements ingest.Queue.
func (q *Queue) Ready() error { return q.NotReady }

// Only is the one QueueRequest that was published since the last look.
func (q *Queue) Only(t testing.TB) []byte {
	t.Helper()
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.published) != 1 {
		t.Fatalf("%d messages were published, want 1", len(q.published))
	}
	raw := q.published[0]
	q.published = nil
	return raw
}

// Gateway is a gateway's opinion of every name.
type Gateway struct{ IsKnown, IsSure bool }

// Known implements admin.Functions and ingest.Functions.
func (g Gateway) Known(context.Context, string) (known, sure bool) { return g.IsKnown, g.IsSure }

// Names implements admin.Functions.
func (g Gateway) Names(context.Context) []string { return nil }

// checkURL is egress's rule, as far as it matters here.
func checkURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, io.ErrUnexpectedEOF // any error
	}
	return u, nil
}

// Post posts a body with header fields, given in pairs.
func (r *Rig) Post(t testing.TB, path, body string, header ...string) Answer {
	t.Helper()
	return r.Ask(t, http.MethodPost, path, Carrying(body), func(req *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Add(header[i], header[i+1])
		}
	})
}

// Carrying gives a request a body of known length.
func Carrying(body string) func(*http.Request) {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
}

// Decoded is a QueueRequest with its body.
func Decoded(t testing.TB, raw []byte) (*invocation.Request, string) {
	t.Helper()
	q, err := invocation.Decode(raw)
	if err != nil {
		t.Fatalf("%v: %s, want no error", err, raw)
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(q.Body()); err != nil {
		t.Fatal(err)
	}
	return q, body.String()
}
