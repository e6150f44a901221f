// The gateway's routes, its call ids, and the way of a synchronous call.

package dev

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/invocation"
)

// Limits of the connections to functions.
const (
	dialTimeout = 5 * time.Second
	// idleConns must hold every call that one worker has in flight, or each
	// call above it opens a connection of its own.
	idleConns = 256
	// functionIdleTimeout is short, so that a connection is rarely used again
	// in the moment in which its function closes it.
	functionIdleTimeout = 15 * time.Second
)

// gateway is the http.Handler of the small gateway.
type gateway struct {
	functions Functions // by canonical name
	names     invocation.Names
	proxies   map[string]http.Handler // by canonical name
	publish   func(*types.QueueRequest) error
	system    *http.ServeMux
	started   time.Time
	logger    *slog.Logger
}

func newGateway(f Functions, namespace string, publish func(*types.QueueRequest) error, logger *slog.Logger) *gateway {
	g := &gateway{
		functions: f,
		names:     invocation.Names{DefaultNamespace: namespace},
		proxies:   make(map[string]http.Handler, len(f)),
		publish:   publish,
		started:   time.Now(),
		logger:    logger,
	}
	g.proxies[callbackFunction] = &callbackService{}
	transport := newTransport()
	for name, fn := range f {
		g.proxies[name] = g.newProxy(fn.URL, transport)
	}
	g.system = g.systemRoutes()
	return g
}

// ServeHTTP routes. The two function routes are matched by hand: a ServeMux
// would answer a path such as //x with a redirect, and the worker, which
// follows none, would take that for success.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if name, rest, ok := functionPath(r.URL, "/function/"); ok {
		identify(w, r)
		g.call(w, r, name, rest)
		return
	}
	if name, rest, ok := functionPath(r.URL, "/async-function/"); ok {
		identify(w, r)
		g.enqueue(w, r, name, rest)
		return
	}
	g.system.ServeHTTP(w, r)
}

// functionPath splits prefix + name + rest. The rest is "", "/" or "/...", with
// its escaped form when that differs.
func functionPath(u *url.URL, prefix string) (name string, rest *url.URL, ok bool) {
	after, ok := strings.CutPrefix(u.Path, prefix)
	if !ok {
		return "", nil, false
	}
	name, path := splitName(after)
	if !functionName.MatchString(name) {
		return "", nil, false
	}
	rest = &url.URL{Path: path}
	if raw, found := strings.CutPrefix(u.RawPath, prefix); found {
		_, rest.RawPath = splitName(raw)
	}
	return name, rest, true
}

func splitName(s string) (name, rest string) {
	if i := strings.IndexByte(s, '/'); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// identify gives a call the headers that every call has behind the gateway: an
// id, which is the caller's own when there is one, and the time at which it
// came, which is added to one that is there already.
func identify(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(invocation.HeaderCallID) == "" {
		id := uuid.NewString()
		r.Header.Set(invocation.HeaderCallID, id)
		w.Header().Set(invocation.HeaderCallID, id)
	}
	now := strconv.FormatInt(time.Now().UnixNano(), 10)
	r.Header.Add(invocation.HeaderStartTime, now)
	w.Header().Add(invocation.HeaderStartTime, now)
}

// call passes a synchronous call on.
func (g *gateway) call(w http.ResponseWriter, r *http.Request, name string, rest *url.URL) {
	proxy, ok := g.proxies[g.names.Canonical(name)]
	if !ok {
		http.Error(w, "no function named "+name, http.StatusNotFound)
		return
	}
	r.URL.Path, r.URL.RawPath = rest.Path, rest.RawPath
	proxy.ServeHTTP(w, r)
}

func newTransport() *http.Transport {
	t, _ := http.DefaultTransport.(*http.Transport)
	t = t.Clone()
	t.Proxy = nil // functions are on this machine
	t.DialContext = dialer.DialContext
	t.MaxIdleConns = 0
	t.MaxIdleConnsPerHost = idleConns
	t.IdleConnTimeout = functionIdleTimeout
	t.DisableCompression = true // what the function sends is what the caller gets
	return t
}

func (g *gateway) newProxy(target *url.URL, transport http.RoundTripper) http.Handler {
	return &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1, // a function that streams is seen streaming
		ErrorLog:      slog.NewLogLogger(g.logger.Handler(), slog.LevelDebug),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if errors.Is(err, r.Context().Err()) {
				return // the caller has gone
			}
			g.logger.Debug("function not reached", "url", target.Redacted(), "error", err)
			w.WriteHeader(http.StatusBadGateway)
		},
	}
}
