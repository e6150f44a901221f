package invoke

import (
	"context"
	"net/http"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/spool"
)

// What a call is given and what came of it.

// Call is one attempt at an invocation.
type Call struct {
	ID     invocation.ID // the invocation's own id: the Idempotency-Key when the caller sent none
	CallID string        // X-Call-Id, the same on every attempt; empty means the own id
	// Retry is how many retries there were so far, this attempt included: 0 at
	// the first call. RetryMax is how many there may be, -1 without a limit.
	Retry, RetryMax int
	// Terms are what came with the invocation; nil for nothing.
	Terms *invocation.Terms
	// Request is what to send. Nothing reads it after the call has returned.
	Request *invocation.Request
	// TraceParent and TraceState go instead of the caller's traceparent and
	// tracestate; without the first, both of the caller are passed on.
	TraceParent, TraceState string
	// Timeout bounds the call of a function beside the client's own, and the function
	// is sent; 0 for nothing of its own.
	Timeout time.Duration
	// KeepBody asks for the answer's body, for a callback that will carry it.
	KeepBody bool
	// KeepBeginning is how many bytes are kept, without KeepBody, of the body of an answer that may mean
	// failure: its status is 300 or more.
	KeepBeginning int
}

// expires returns when the invocation's time ends, zero for never.
func (c Call) expires() time.Time {
	if c.Terms == nil {
		return time.Time{}
	}
	return c.Terms.Expires
}

// Result is what came of a call. Exactly one of these holds:
//
//	Canceled   the caller's context ended it; nothing is known of the function
//	Malformed  it cannot be sent, now or ever; nothing was sent
//	Refused    it leads where it must not, or to no usable URL; nothing was sent
//	Expired    its time ended while the process lacked something for the call, which Detail names
//	Cause      no whole answer came; Status is 503
//	otherwise  Status is the answer's
//
// An answer of a function counts only when it is whole, whatever its status: a
// body that breaks off is how HTTP says that something failed after the status was
// sent, and half a result must not go out as one. So such a call has a Cause and
// the function may be called again. An answer is whole also when it is longer than
// MaxResponseBytes; then it is Truncated. Of the answer to a callback only the
// status counts.
type Result struct {
	Status int
	Cause  invocation.Cause
	// Header is the answer's. It is nil when there was no whole answer.
	Header http.Header
	// Body is the answer's body with KeepBody, of a longer one the first 64 KiB; or its beginning, see
	// KeepBeginning.
	Body []byte
	// Large is the whole body when it is longer than that, nil otherwise. It is the caller's to close.
	Large *spool.Body
	// Size is how many bytes of the answer's body were read, at most the limit.
	Size      int64
	Truncated bool // the body is longer than the limit, or than there was room for
	NoRoom    bool // the latter
	Malformed bool
	Refused   bool
	// Redirected: the function asked by a 307 or 308 for a repetition that must not be made. Status is its own.
	Redirected bool
	// GatewayURL is the URL to configure for the gateway, when something before it redirected the call
	// there; empty for none.
	GatewayURL string
	Canceled   bool
	Expired    bool
	// Detail says in a few words why there is no answer. It holds nothing of the
	// URL, of a header's values or of a body.
	Detail string
	// Waited is how long the process lacked something for the call before it began.
	Waited time.Duration
	// Duration is from the beginning of the call to its end, by the monotonic clock.
	Duration time.Duration
}

// Close lets a large body go.
func (r *Result) Close() {
	r.Large.Close()
	r.Large = nil
}

// Function calls a function through the gateway. It returns when the answer is
// read, the timeout has passed or ctx is done, the latter as Canceled. It never panics and never sends a
// request twice, except to where a redirect asks for it (see redirect.go).
func (c *Client) Function(ctx context.Context, call Call) Result {
	h := heads.Get().(*head)
	defer h.free()
	e := exchange{
		request: call.Request, timeout: c.timeoutOf(call), limit: c.maxResponse, keep: call.KeepBody, spool: c.spool, beginning: int64(call.KeepBeginning), gateway: true,
		descriptors: c.descriptors, expires: call.expires(),
	}
	err := c.address(&e, h, call)
	if err == nil {
		h.fields, err = c.functionHeader(h.fields[:0], call)
	}
	if err != nil {
		return Result{Malformed: true, Detail: err.Error()}
	}
	if e.direct == nil {
		e.header = h.fields.header()
	}
	r := e.run(ctx)
	if isRedirect(r) {
		return c.redirected(ctx, &e, h, call, r)
	}
	return r
}

// address says where a function's call goes, and over which connections: those of its own for a small body, or those
// of net/http.
func (c *Client) address(e *exchange, h *head, call Call) (err error) {
	r := call.Request
	if c.direct != nil && r.BodyLen() <= smallBody {
		e.direct, e.head = c.direct, h
		h.host = c.gateway.Host
		h.uri, err = requestURI(c.prefix, r.Function, r.Path, r.QueryString)
		return err
	}
	e.transport = c.functions
	e.url, err = target(c.gateway, r.Function, r.Path, r.QueryString)
	return err
}

// timeoutOf is the longest that a call of a function may take, 0 for no bound.
func (c *Client) timeoutOf(call Call) time.Duration {
	if c.timeout == 0 || call.Timeout == 0 {
		return max(c.timeout, call.Timeout)
	}
	return min(c.timeout, call.Timeout)
}

// Callback posts header and body of call.Request to a URL that a caller chose. Of
// the header of what came through the callback producer only Content-Type goes.
// Credentials in the URL go as basic auth. It returns when the answer has come,
// the callback's timeout has passed or ctx is done. Any answer has its status;
// which ones are a success is for the caller to say.
func (c *Client) Callback(ctx context.Context, url string, call Call) Result {
	u, user, err := callbackTarget(url)
	if err != nil {
		return Result{Refused: true, Detail: err.Error()}
	}
	h, err := c.postHeader(call, user)
	if err != nil {
		return Result{Malformed: true, Detail: err.Error()}
	}
	e := exchange{
		transport: c.callbackTransportOf(u), url: u, header: h, request: call.Request,
		timeout: c.callbackTimeout, limit: maxCallbackAnswer,
		descriptors: c.descriptors, expires: call.expires(),
	}
	r := e.run(ctx)
	if isRedirect(r) {
		return c.redirectedCallback(ctx, &e, r)
	}
	return r
}
