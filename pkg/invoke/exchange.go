package invoke

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"queue-worker/pkg/descriptor"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/spool"
)

// One request and its answer.
//
// net/http keeps connections, and the other side may close one at any time. What
// happens to a request that gets such a connection:
//
//	nothing of it was written   it is sent on another connection: the same attempt
//	some of it was written      the function may have been called: Cause reset
//
// net/http itself would send again in the second case too when the request has an
// Idempotency-Key and no body, see makeUnreplayable.

// maxResends bounds how often a request that never left is sent again. Each time
// a dead connection is gone from the pool, so one is nearly always enough.
const maxResends = 8

var errDeadline = errors.New("deadline of the call")

// exchange is a request that is ready to go.
type exchange struct {
	transport *http.Transport // with url and header, unless direct is set
	url       *url.URL
	header    http.Header
	direct    *direct // with head
	head      *head
	request   *invocation.Request // its body is sent
	timeout   time.Duration       // over everything; 0: none
	limit     int64               // bytes of the answer's body that are read
	keep      bool                // the answer's body is wanted
	spool     *spool.Spool        // for what is longer than firstRead
	beginning int64               // or so many bytes of it, of an answer that may mean failure
	gateway   bool                // it goes to the gateway, and an answer counts only when its body is whole

	descriptors *descriptor.Monitor
	expires     time.Time // when the invocation's time ends; zero for never
}

// run makes the exchange and measures it. While the process lacks something for the call, such as a free
// descriptor, it waits and tries again: that says nothing of the function.
func (e *exchange) run(ctx context.Context) Result {
	first := time.Now()
	begun := first
	r, err := e.exchange(ctx)
	if err != nil {
		until, cancel := ctx, context.CancelFunc(func() {})
		if !e.expires.IsZero() {
			until, cancel = context.WithDeadline(ctx, e.expires)
		}
		err = e.descriptors.Await(until.Done(), err, func() (err error) {
			begun = time.Now()
			r, err = e.exchange(ctx)
			return err
		})
		cancel()
	}
	switch {
	case err != nil && ctx.Err() != nil:
		r = Result{Canceled: true, Detail: canceled}
	case err != nil:
		r = Result{Expired: true, Detail: descriptor.Reason(err)}
	}
	r.Waited, r.Duration = begun.Sub(first), time.Since(begun)
	return r
}

// canceled is the detail of a call that its caller ended.
const canceled = "the call was canceled"

// unsent is an error of exhaustion before a byte of the request was written.
type unsent struct{ error }

func (u unsent) Unwrap() error { return u.error }

// exchange sends the request once and reads the answer. It returns an error only when nothing came to
// the other end, because the process lacked something for the call.
func (e *exchange) exchange(parent context.Context) (Result, error) {
	ctx := parent
	if e.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(parent, e.timeout, errDeadline)
		defer cancel()
	}
	resp, stop, err := e.send(ctx)
	defer stop()
	if u, ok := errors.AsType[unsent](err); ok {
		return Result{}, u
	}
	if err != nil {
		return e.failed(parent, ctx, err), nil
	}
	defer resp.Body.Close()
	if resp.StatusCode < http.StatusOK {
		return Result{
			Status: http.StatusServiceUnavailable, Cause: invocation.CauseTransport,
			Detail: fmt.Sprintf("the answer has status %d, which ends no call", resp.StatusCode),
		}, nil
	}
	if e.gateway && resp.StatusCode == http.StatusProxyAuthRequired && !cameThrough(resp.Header, time.Now(), time.Now()) {
		return Result{}, unsent{&descriptor.Lack{Kind: descriptor.Proxy}}
	}
	r, err := e.read(resp)
	if err != nil && e.gateway {
		failed := e.failed(parent, ctx, err)
		failed.Size = r.Size
		failed.Detail = fmt.Sprintf("%s: the answer with status %d is not whole, %d bytes of its body came",
			failed.Detail, resp.StatusCode, r.Size)
		return failed, nil
	}
	return r, nil
}

// send sends the request and waits for the answer's header. stop has to be called
// when the call has ended; nothing reads e.request after it. The error is unsent when nothing
// was sent for want of a descriptor.
func (e *exchange) send(ctx context.Context) (*http.Response, func(), error) {
	if e.direct != nil {
		resp, err := e.direct.send(ctx, e)
		return resp, func() {}, err
	}
	var u usage
	ctx = httptrace.WithClientTrace(ctx, u.trace())
	for n := 0; ; n++ {
		body, stop := newBody(e.request)
		req := &http.Request{
			Method: http.MethodPost, URL: e.url, Header: e.header,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Body: body, ContentLength: e.request.BodyLen(),
		}
		resp, err := e.transport.RoundTrip(req.WithContext(ctx))
		if e.gateway && !u.wrote() {
			err = descriptor.OnTheWayToGateway(err)
		}
		if descriptor.Exhausted(err) && !u.wrote() {
			err = unsent{err}
		}
		if err == nil || n == maxResends || ctx.Err() != nil || !u.unwritten() {
			return resp, stop, err
		}
		stop()
	}
}

// failed makes the result of a call without an answer. The context is asked before
// the error, since an error of the network is what an ended context looks like.
func (e *exchange) failed(parent, ctx context.Context, err error) Result {
	if parent.Err() != nil {
		return Result{Canceled: true, Detail: canceled}
	}
	if why, ok := refusal(err); ok {
		return Result{Refused: true, Detail: why}
	}
	r := Result{Status: http.StatusServiceUnavailable}
	if ctx.Err() != nil {
		r.Cause, r.Detail = invocation.CauseTimeout, fmt.Sprintf("no whole answer within %s", e.timeout)
		return r
	}
	r.Cause, r.Detail = classify(err)
	return r
}
