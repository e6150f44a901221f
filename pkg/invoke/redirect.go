// File redirect.go decides what a redirect means: an answer of the function, a request to repeat the call, or a call
// that never reached the function.
//
//	through the gateway  301, 302, 303                 the function's answer
//	                     307, 308 to the same function followed
//	                     307, 308 elsewhere            Redirected
//	not through it       307, 308 to the same path of  followed, with GatewayURL
//	                     the same host
//	                     any other                     Cause redirected
//	of a callback        307, 308 where the guard lets followed
//	                     any other                     the answer, with its target as Detail
//
// The gateway sets X-Start-Time on every answer of a function, and nothing before it does.

package invoke

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"queue-worker/pkg/invocation"
)

const (
	// maxHops bounds how many redirects of one call are followed.
	maxHops = 3
	// startDigits is how many digits the nanoseconds of X-Start-Time have.
	startDigits = 19
	// startSlack is how far the clock of the gateway may be from ours.
	startSlack = 24 * time.Hour
)

// isRedirect reports whether an answer is a redirect; a 304, say, is none.
func isRedirect(r Result) bool {
	if r.Cause != "" {
		return false
	}
	switch r.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// asksForRepetition reports whether a redirect asks for the same request at another URL.
func asksForRepetition(status int) bool {
	return status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect
}

// chain is a call with its redirects, which have the time of one call together.
type chain struct {
	exchange *exchange
	at       *url.URL // of the latest request
	begun    time.Time
	waited   time.Duration
	timeout  time.Duration // of all; 0: none
}

// newChain begins a chain with the result of its first request.
func newChain(e *exchange, at *url.URL, r Result) *chain {
	return &chain{exchange: e, at: at, begun: time.Now().Add(-r.Duration), waited: r.Waited, timeout: e.timeout}
}

// follow sends the request to another URL.
func (c *chain) follow(ctx context.Context, to *url.URL) Result {
	if c.timeout > 0 {
		c.exchange.timeout = max(c.timeout-time.Since(c.begun), 1)
	}
	c.exchange.url, c.at = to, to
	return c.exchange.run(ctx)
}

// end is the result of the last request as that of the whole chain.
func (c *chain) end(r Result) Result {
	r.Waited, r.Duration = c.waited, time.Since(c.begun)
	return r
}

// redirected follows the redirects of a function's call as far as it may, and returns what came of the last one.
func (c *Client) redirected(ctx context.Context, e *exchange, h *head, call Call, r Result) Result {
	at, err := target(c.gateway, call.Request.Function, call.Request.Path, call.Request.QueryString)
	if err != nil {
		return Result{Malformed: true, Detail: err.Error()} // never, since the call was made
	}
	ch, gatewayURL := newChain(e, at, r), ""
	for hops := 0; isRedirect(r); hops++ {
		to, through := location(ch.at, r.Header), cameThrough(r.Header, ch.begun, time.Now())
		if !through && isSameTarget(ch.at, to) {
			gatewayURL = originOf(to) + c.gateway.EscapedPath()
		}
		if hops == maxHops || !asksForRepetition(r.Status) || !c.mayFollow(call, through, ch.at, to) {
			r = ended(r, through, to)
			break
		}
		if e.direct != nil {
			e.direct, e.header, e.transport = nil, h.fields.header(), c.functions
		}
		r.Close()
		r = ch.follow(ctx, to)
	}
	r.GatewayURL = gatewayURL
	return ch.end(r)
}

// redirectedCallback follows the redirects of a callback as far as the guard lets it. The credentials of its URL go to
// the same host and port only.
func (c *Client) redirectedCallback(ctx context.Context, e *exchange, r Result) Result {
	ch, first := newChain(e, e.url, r), e.url
	for hops := 0; isRedirect(r); hops++ {
		to := location(ch.at, r.Header)
		r.Detail = redirectedTo(to)
		if hops == maxHops || !asksForRepetition(r.Status) || to == nil || isDowngrade(ch.at, to) {
			break
		}
		pointed := r.Detail
		to, err := c.guard.CheckURL(to.String())
		if err != nil {
			why, _ := refusal(err)
			return ch.end(Result{Refused: true, Detail: pointed + ": " + why})
		}
		if !strings.EqualFold(first.Hostname(), to.Hostname()) || portOf(first) != portOf(to) {
			delete(e.header, "Authorization")
		}
		e.transport = c.callbackTransportOf(to)
		if r = ch.follow(ctx, to); r.Refused {
			r.Detail = pointed + ": " + r.Detail
		}
	}
	return ch.end(r)
}

// mayFollow reports whether a call may be repeated at to.
func (c *Client) mayFollow(call Call, through bool, from, to *url.URL) bool {
	if through {
		return c.isSameFunction(from, to, call.Request.Function)
	}
	return isSameTarget(from, to) && !carriesSecret(call.Request.Header)
}

// ended is the result of a call whose last answer is a redirect that is not followed.
func ended(r Result, through bool, to *url.URL) Result {
	switch {
	case !through:
		return notReached(r, to)
	case asksForRepetition(r.Status):
		r.Redirected, r.Detail = true, redirectedTo(to)
	}
	return r
}

// notReached is the result of a call that was redirected before it came to the gateway.
func notReached(r Result, to *url.URL) Result {
	r.Close()
	return Result{
		Status: http.StatusServiceUnavailable, Cause: invocation.CauseRedirected, Size: r.Size,
		Detail: fmt.Sprintf("%s with status %d before it came to the function", redirectedTo(to), r.Status),
	}
}

// cameThrough reports whether an answer has the X-Start-Time of a gateway that took the call within this time.
func cameThrough(h http.Header, begun, ended time.Time) bool {
	for _, v := range h[http.CanonicalHeaderKey(invocation.HeaderStartTime)] {
		if len(v) != startDigits || strings.Trim(v, "0123456789") != "" {
			continue
		}
		ns, err := strconv.ParseInt(v, 10, 64)
		at := time.Unix(0, ns)
		if err == nil && !at.Before(begun.Add(-startSlack)) && !at.After(ended.Add(startSlack)) {
			return true
		}
	}
	return false
}

// location is where a redirect leads; nil for nowhere that could be called.
func location(from *url.URL, h http.Header) *url.URL {
	raw := h.Get("Location")
	if raw == "" {
		return nil
	}
	to, err := from.Parse(raw)
	if err != nil || to.Opaque != "" || to.Scheme != "http" && to.Scheme != "https" || to.User != nil {
		return nil
	}
	if to.Hostname() == "" || !httpguts.ValidHostHeader(to.Host) || hasSpaceOrControl(to.RawQuery) {
		return nil
	}
	to.Fragment, to.RawFragment = "", ""
	return to
}

// redirectedTo says where a redirect leads, without path and query.
func redirectedTo(to *url.URL) string {
	if to == nil {
		return "redirected to no usable URL"
	}
	text := "redirected to " + originOf(to)
	return strings.ToValidUTF8(text[:min(len(text), maxDetail)], "")
}

func originOf(u *url.URL) string { return u.Scheme + "://" + strings.ToLower(u.Host) }

// isSameFunction reports whether to is the path of a function at the gateway that answered, or at the one that is
// configured.
func (c *Client) isSameFunction(from, to *url.URL, function string) bool {
	if to == nil || !isSameOrigin(from, to) && !(isSameOrigin(c.gateway, to) && !isDowngrade(from, to)) {
		return false
	}
	rest, ok := strings.CutPrefix(to.EscapedPath(), c.gateway.EscapedPath()+functionPrefix+function)
	if !ok {
		return false
	}
	if rest == "" {
		return true
	}
	_, _, err := invocation.SafePath(rest)
	return err == nil
}

// isSameTarget reports whether to differs from from only in that it is over TLS.
func isSameTarget(from, to *url.URL) bool {
	if to == nil || !strings.EqualFold(from.Hostname(), to.Hostname()) || isDowngrade(from, to) {
		return false
	}
	toTLS := from.Scheme == "http" && to.Scheme == "https"
	return (toTLS || portOf(from) == portOf(to)) && from.EscapedPath() == to.EscapedPath() && from.RawQuery == to.RawQuery
}

func isSameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

func isDowngrade(from, to *url.URL) bool { return from.Scheme == "https" && to.Scheme == "http" }

// portOf is the port that a URL leads to.
func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// carriesSecret reports whether a caller's header has a field that must not go to another origin.
func carriesSecret(h http.Header) bool {
	for name := range h {
		if invocation.IsSecret(name) || invocation.HoldsURL(name) {
			return true
		}
	}
	return false
}
