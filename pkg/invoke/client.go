// Package invoke makes the HTTP calls: of functions through the gateway, and of
// callbacks at URLs that callers chose.
//
// A call sends a stored request once and returns a Result. Whether to retry, and when, is
// decided elsewhere. The target is built from checked parts, the header is cleaned, the
// body is streamed out of the stored message, the answer is bounded in size, and the whole
// call in time. A request that can never be sent is Malformed, one that egress forbids is
// Refused.
//
// One call is one request: net/http repeats a request that it takes for idempotent, and
// that is prevented here, except when a kept connection was found dead before a byte was
// sent (see exchange.go).
//
// The package does not retry, does not log, keeps no state but its connections,
// and knows neither the store nor the queue.
package invoke

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"queue-worker/pkg/descriptor"
	"queue-worker/pkg/spool"
)

const (
	// dialTimeout bounds how long a connection, and then its TLS handshake, may
	// take: who does not take a connection by then is down, and a retry does more.
	dialTimeout = 5 * time.Second
	// idleTimeout is how long a connection is kept without a call. It is shorter
	// than what gateways and proxies are set to, so that this side is the first to
	// close: a request written to a connection that the other side is closing may
	// or may not have been served, and costs an attempt.
	idleTimeout = 5 * time.Second
	// maxResponseHeader bounds an answer's header in bytes, with all the 1xx
	// answers before it.
	maxResponseHeader = 64 << 10
	// maxCallbackAnswer is how much of the answer to a callback is read, in bytes.
	// It is discarded; reading it lets the connection be used again.
	maxCallbackAnswer = 64 << 10
	// defaultCallbackTimeout holds when Options names none, because a URL that a
	// stranger chose must never hold a slot without end.
	defaultCallbackTimeout = 10 * time.Second
)

// Options says how a Client calls.
type Options struct {
	// Gateway is where functions are called: scheme, host and an optional path
	// that all targets begin with. Anything else in it is not used.
	Gateway *url.URL
	// Timeout bounds one call of a function from the connection to the answer's
	// last byte. Zero means no bound: a call may take days.
	Timeout time.Duration
	// CallbackTimeout bounds a callback in the same way; Timeout does too when it
	// is shorter. Zero means 10 seconds.
	CallbackTimeout time.Duration
	// MaxResponseBytes is how much of an answer's body is read and kept.
	MaxResponseBytes int64
	// Spool has the room for answers of more than 64 KiB that are kept. Nil: they are in memory.
	Spool *spool.Spool
	// MaxInflight bounds the connections to one host. Zero means no bound.
	MaxInflight int
	// TLSInsecure accepts any certificate of a callback's host.
	TLSInsecure bool
	// Guard decides on callbacks, and only those, and opens their connections. It
	// is egress's. Without it every callback is refused.
	Guard Guard
	// Version is this program's, for User-Agent.
	Version string
	// Descriptors logs when no descriptor is free for a call, which waits then. Nil for none.
	Descriptors *descriptor.Monitor
}

// Guard is what egress.Guard does for callbacks. The errors of both dials match
// egress.ErrRefused when the address is forbidden.
type Guard interface {
	// CheckURL reads the URL of a redirect, as it does with the URL of a callback.
	CheckURL(raw string) (*url.URL, error)
	// ToFunction reports whether a URL's path is one of the gateway's functions.
	ToFunction(u *url.URL) bool
	// DialContext never connects to the gateway.
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	// DialFunction is for URLs of which ToFunction is true. It may connect to the
	// gateway.
	DialFunction(ctx context.Context, network, address string) (net.Conn, error)
}

// Client makes calls. It is safe for use by many goroutines.
type Client struct {
	gateway         *url.URL // scheme, host, and a path without a slash at its end
	prefix          string   // that path, encoded
	timeout         time.Duration
	callbackTimeout time.Duration
	maxResponse     int64
	version         string
	descriptors     *descriptor.Monitor
	spool           *spool.Spool

	functions *http.Transport // to the gateway, past the guard
	direct    *direct         // nil for a gateway over TLS
	guard     Guard
	callbacks *http.Transport // to URLs
	chained   *http.Transport // to URLs of which guard.ToFunction is true
}

// New makes a client. It opens no connection. Close releases what it keeps.
func New(o Options) *Client {
	c := &Client{
		gateway: &url.URL{
			Scheme:  o.Gateway.Scheme,
			Host:    o.Gateway.Host,
			Path:    strings.TrimRight(o.Gateway.Path, "/"),
			RawPath: strings.TrimRight(o.Gateway.EscapedPath(), "/"),
		},
		timeout:         o.Timeout,
		callbackTimeout: o.CallbackTimeout,
		maxResponse:     min(max(o.MaxResponseBytes, 0), math.MaxInt64-1), // one more is read
		version:         o.Version,
		descriptors:     o.Descriptors,
		spool:           o.Spool,
	}
	if c.spool == nil {
		c.spool = spool.InMemory()
	}
	if c.callbackTimeout <= 0 {
		c.callbackTimeout = defaultCallbackTimeout
	}
	if c.timeout > 0 {
		c.callbackTimeout = min(c.callbackTimeout, c.timeout)
	}
	c.guard = o.Guard
	if c.guard == nil {
		c.guard = refuseAll{}
	}
	c.functions = newTransport(o.MaxInflight, (&net.Dialer{}).DialContext)
	c.prefix = c.gateway.EscapedPath()
	if canPeek && c.gateway.Scheme == "http" && c.prefix == c.gateway.RawPath { // else target refuses every call
		c.direct = newDirect(c.functions, hostPort(c.gateway), o.MaxInflight)
	}
	// crypto/x509 reads the system's certificates once in the life of a process. Without a free descriptor at
	// that time it would trust none for good, so it reads them now.
	_, _ = x509.SystemCertPool()
	c.callbacks = callbackTransport(o, c.guard.DialContext)
	c.chained = callbackTransport(o, c.guard.DialFunction)
	return c
}

// callbackTransport makes one of the two pools of connections for callbacks. They
// are two so that a connection to the gateway, which was opened for a function's
// path, is not used again for another path.
func callbackTransport(o Options, dial dialer) *http.Transport {
	t := newTransport(o.MaxInflight, dial)
	t.TLSClientConfig = &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: o.TLSInsecure, // #nosec G402 -- off by default; tls_insecure is the operator's own choice, for callbacks only
	}
	return t
}

// callbackTransportOf is the pool whose connections a URL may use.
func (c *Client) callbackTransportOf(u *url.URL) *http.Transport {
	if c.guard.ToFunction(u) {
		return c.chained
	}
	return c.callbacks
}

// Close closes the connections that no call uses. Calls in flight continue; a caller that
// wants them to end cancels their context. It may be called again.
func (c *Client) Close() {
	c.functions.CloseIdleConnections()
	if c.direct != nil {
		c.direct.close()
	}
	c.callbacks.CloseIdleConnections()
	c.chained.CloseIdleConnections()
}

// hostPort is the address of a gateway over plain HTTP.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// dialer is what opens connections: a net.Dialer's DialContext, or egress's.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// newTransport makes the pool of connections to the gateway, or to callbacks. It
// is used without an http.Client, so nothing but redirect.go follows a redirect, and nothing keeps a cookie or
// takes credentials from a URL on its own.
func newTransport(conns int, dial dialer) *http.Transport {
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  nil, // a proxy would dial past egress, and gateways are near
		DialContext:            counted(dial),
		Protocols:              http1,
		TLSHandshakeTimeout:    dialTimeout,
		MaxConnsPerHost:        conns,
		MaxIdleConnsPerHost:    conns,
		MaxIdleConns:           conns,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxResponseHeader,
		DisableCompression:     true, // or net/http asks for gzip and unpacks what comes
	}
}
