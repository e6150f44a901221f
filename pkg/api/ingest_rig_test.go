package api

// The stand of the tests that take work in: what was taken, and a Taker and a
// gateway that answer as configured.

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// taker remembers what it is given. It keeps no promise, so the store's part is
// tested with the program as a whole.
type taker struct {
	mu    sync.Mutex
	open  error
	err   error
	keys  map[[32]byte]Submission
	taken []Submission
	hold  chan struct{} // Take waits for it to be closed; nil: it does not
}

func (k *taker) Open() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.open
}

func (k *taker) Take(_ context.Context, s Submission) (Receipt, error) {
	defer s.Release()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.hold != nil {
		hold := k.hold
		k.mu.Unlock()
		<-hold
		k.mu.Lock()
	}
	if k.err != nil {
		return Receipt{}, k.err
	}
	if s.Key != nil {
		if before, ok := k.keys[s.Key.Hash]; ok {
			if before.Key.Payload != s.Key.Payload || before.Key.Sender != s.Key.Sender {
				return Receipt{}, &store.KeyError{ID: before.Inv.ID, CallID: before.Inv.CallID}
			}
			return Receipt{before.Inv.ID, before.Inv.CallID}, nil
		}
		if k.keys == nil {
			k.keys = map[[32]byte]Submission{}
		}
		k.keys[s.Key.Hash] = s
	}
	k.taken = append(k.taken, s)
	return Receipt{s.Inv.ID, s.Inv.CallID}, nil
}

// only is the one submission since the last look.
func (k *taker) only(t testing.TB) Submission {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.taken) != 1 {
		t.Fatalf("%d submissions were taken, want one", len(k.taken))
	}
	s := k.taken[0]
	k.taken = nil
	return s
}

func (k *taker) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.taken)
}

// function is a gateway's opinion of every name.
type function struct{ known, sure bool }

func (f function) Known(context.Context, string) (known, sure bool) { return f.known, f.sure }

// newIngestRig starts an API that takes work in.
func newIngestRig(t testing.TB, edits ...func(*Options)) (*rig, *taker) {
	t.Helper()
	k := &taker{}
	base := func(o *Options) {
		o.Durable, o.Names = true, invocation.Names{DefaultNamespace: "openfaas-fn"}
		o.Ingest = &Ingest{
			Taker: k, CheckURL: checkURL,
			Queue: "faas-request", MaxBytes: 64 << 10, Window: time.Hour,
		}
	}
	return newRig(t, append([]func(*Options){base}, edits...)...), k
}

// checkURL is egress's rule, as far as it matters here.
func checkURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, io.ErrUnexpectedEOF // any error
	}
	return u, nil
}

// post posts a body with header fields, given in pairs.
func (r *rig) post(t testing.TB, path, body string, header ...string) answer {
	t.Helper()
	return r.ask(t, http.MethodPost, path, carrying(body), func(req *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Add(header[i], header[i+1])
		}
	})
}

// carrying gives a request a body of known length.
func carrying(body string) func(*http.Request) {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
}

// decoded is the QueueRequest of a submission with its body.
func (s Submission) decoded(t testing.TB) (*invocation.Request, string) {
	t.Helper()
	q, err := invocation.Decode(s.Raw)
	if err != nil {
		t.Fatalf("%v: %s", err, s.Raw)
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(q.Body()); err != nil {
		t.Fatal(err)
	}
	return q, body.String()
}
