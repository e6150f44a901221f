package invoke

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"queue-worker/pkg/invocation"
)

// The header of a function's call: the caller's, without what belongs to another
// connection or to this program.

// Header fields that this program sets on the calls it makes.
const (
	HeaderRetry          = "X-Retry"     // retries so far: 0 at the first call
	HeaderRetryMax       = "X-Retry-Max" // how many there may be; left out when there is no limit
	HeaderIdempotencyKey = "Idempotency-Key"
	HeaderDeadline       = "X-Deadline" // when it is too late for another attempt; left out when there is no such time
	HeaderTimeout        = "X-Timeout"  // how long this one may take, as of-watchdog reads it; only where function or caller asked for it
)

// Header fields of the mailbox. A delivery comes with them, and so do the calls
// that are made of it: clients count their own retries by them.
const (
	HeaderRetries       = "X-Retries"        // X-Retry under its older name, from 1 on
	HeaderMaxRetries    = "X-Max-Retries"    // left out when there is no limit
	HeaderDelayDuration = "X-Delay-Duration" // whole seconds
)

const (
	// maxFields and maxHeaderBytes bound a caller's header. Gateways take up to
	// 1 MiB; what needs more than this is not a header that a function can read.
	maxFields      = 128
	maxHeaderBytes = 64 << 10
	// fieldOverhead is what a field needs on the wire beside name and value.
	fieldOverhead = len(": \r\n")
)

// isConnections reports whether a field is about one connection (RFC 9110, 7.6.1),
// is set from other parts of the request, or names a proxy. CGI turns "Proxy" into
// HTTP_PROXY, which many HTTP clients obey. name is in folded form.
func isConnections(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings",
		"Host", "Content-Length", "Expect", "Proxy":
		return true
	}
	return strings.HasPrefix(name, "Proxy-")
}

// fold is the canonical form of the name that servers which make environment
// variables of header fields take name for: they write every character but letters
// and digits as "_", so that X_Retry, X.Retry and X-Retry are one. The name itself
// when it is an illegal one, which is for fields.pass to refuse.
func fold(name string) string {
	isOdd := func(c rune) bool {
		return c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}
	if !strings.ContainsFunc(name, isOdd) || !httpguts.ValidHeaderFieldName(name) {
		return name
	}
	return http.CanonicalHeaderKey(strings.Map(func(c rune) rune {
		if isOdd(c) {
			return '-'
		}
		return c
	}, name))
}

// named returns the fields that Connection names, in folded form.
func named(h http.Header) map[string]bool {
	values := h["Connection"]
	if len(values) == 0 {
		return nil
	}
	set := make(map[string]bool)
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			set[fold(http.CanonicalHeaderKey(strings.TrimSpace(name)))] = true
		}
	}
	return set
}

// pass copies the fields of h that may be sent over another connection. It leaves out
// ours and forged, whatever their spelling, and every other spelling of a field that
// this program reads or writes: a server that folds names could take it for the
// field itself. The values are shared with h.
func pass(h http.Header, ours ...string) http.Header {
	out := make(http.Header, len(h)+2)
	drop := named(h)
	for name, values := range h {
		if passes(name, drop, ours) {
			out[name] = values
		}
	}
	return out
}

// passes reports whether pass keeps a field. drop are those that Connection names.
func passes(name string, drop map[string]bool, ours []string) bool {
	folded := fold(name)
	return !isConnections(folded) && !drop[folded] && !slices.Contains(forged, folded) && !slices.Contains(ours, folded) &&
		(folded == name || !slices.Contains(known, folded))
}

var (
	// forged are the fields that only this program, or a component of OpenFaaS, may
	// say something by. A caller's X-Timeout is a wish, which the policy has read.
	forged = []string{HeaderDeadline, HeaderTimeout, http.CanonicalHeaderKey("X-OpenFaaS-Internal")}

	// known are the fields that pass in their own spelling alone.
	known = []string{
		HeaderIdempotencyKey, "X-Idempotency-Key", "User-Agent", "Content-Type", "Authorization", "Traceparent", "Tracestate",
		invocation.HeaderCallID, invocation.HeaderStartTime, invocation.HeaderCallbackURL,
		HeaderRetry, HeaderRetryMax, HeaderRetries, HeaderMaxRetries, HeaderDelayDuration,
		"X-Retry-Limit", "X-Max-Age", "X-Not-Before",
		HeaderDuration, HeaderStatus, HeaderFunctionName, HeaderTruncated,
	}
)

// functionHeader makes the header of a function's call in f, which is empty.
func (c *Client) functionHeader(f fields, call Call) (fields, error) {
	f, err := f.pass(call.Request.Header, ours(call))
	if err := cmp.Or(f.bounded(), err); err != nil {
		return f, err
	}
	f = append(f, field{invocation.HeaderCallID, callID(call)}, field{HeaderRetry, strconv.Itoa(call.Retry)})
	if call.RetryMax >= 0 {
		f = append(f, field{HeaderRetryMax, strconv.Itoa(call.RetryMax)})
	}
	if call.Terms != nil {
		f = f.withTerms(call)
	}
	f = f.withTrace(call)
	if timeout := c.timeoutOf(call); timeout > 0 && (call.Timeout > 0 || strings.TrimSpace(call.Request.Header.Get(HeaderTimeout)) != "") {
		f = append(f, field{HeaderTimeout, timeout.String()})
	}
	if f.isBlank("User-Agent") {
		f = f.set("User-Agent", userAgent(c.version))
	}
	if f.isBlank(HeaderIdempotencyKey) {
		f = f.set(HeaderIdempotencyKey, call.ID.String())
	}
	f.makeUnreplayable()
	return f, f.check()
}

// The fields of a caller that this program replaces.
var (
	oursAlways  = []string{invocation.HeaderCallID, HeaderRetry, HeaderRetryMax}
	oursMailbox = append(oursAlways[:3:3], HeaderRetries, HeaderMaxRetries, HeaderDelayDuration)
	oursDelayed = append(oursAlways[:3:3], HeaderDelayDuration, "X-Not-Before")
)

func ours(call Call) []string {
	if call.source() == invocation.SourceMailbox {
		return oursMailbox
	}
	if call.Terms != nil && call.Terms.Delayed {
		return oursDelayed
	}
	return oursAlways
}

// withTerms adds what holds for this invocation alone.
func (f fields) withTerms(call Call) fields {
	t := call.Terms
	if !t.Expires.IsZero() {
		f = append(f, field{HeaderDeadline, t.Expires.UTC().Format(time.RFC3339Nano)})
	}
	if t.Source != invocation.SourceMailbox {
		return f
	}
	f = append(f, field{HeaderRetries, strconv.Itoa(call.Retry)})
	if t.MaxRetries >= 0 {
		f = append(f, field{HeaderMaxRetries, strconv.Itoa(t.MaxRetries)})
	}
	return append(f, field{HeaderDelayDuration, strconv.FormatInt(int64(t.Delay/time.Second), 10)})
}

// withTrace makes the receiver's spans children of the attempt's.
func (f fields) withTrace(call Call) fields {
	if call.TraceParent == "" {
		return f
	}
	f = f.remove("Tracestate").set("Traceparent", call.TraceParent)
	if call.TraceState != "" {
		f = append(f, field{"Tracestate", call.TraceState})
	}
	return f
}

// source returns where the invocation came from.
func (c Call) source() invocation.Source {
	if c.Terms == nil {
		return invocation.SourceGateway
	}
	return c.Terms.Source
}

// callID is the caller's id, or the invocation's own when there is none.
func callID(call Call) string {
	if call.CallID == "" {
		return call.ID.String()
	}
	return call.CallID
}

func userAgent(version string) string { return "queue-worker/" + version }
