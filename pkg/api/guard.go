// File guard.go decides who may read and change stored invocations.

package api

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/ingest"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

// guard admits requests to what is stored:
//
//	cross-origin and not safe      403, on every path, see outermost
//	basic_auth, files unreadable   403
//	basic_auth, wrong credentials  401
//	read-only account, a change    403, and for bodies, results, answers and exports
//	no basic_auth, not local       403, unless admin_open
type guard struct {
	credentials *credentials // nil without basic_auth
	senders     *credentials // of those who send work; nil: every client may
	open        bool
	actions     bool // pages have operations
	origin      http.CrossOriginProtection
}

func newGuard(o Options) *guard {
	g := &guard{open: o.AdminOpen, actions: o.Console && o.ConsoleActions}
	if o.BasicAuth {
		g.credentials = newCredentials(o.SecretDir, o.Logger)
	}
	if o.IngestAuth {
		if g.senders = g.credentials; g.senders == nil {
			g.senders = newCredentials(o.SecretDir, o.Logger)
		}
	}
	return g
}

// Callers without a name, for the log.
const (
	fromLoopback = "loopback"
	fromAnywhere = "anyone"
)

var (
	problemOrigin = respond.NewProblem(http.StatusForbidden, wire.Forbidden, "cross-origin requests are refused",
		"Use curl or a page of this server. A proxy beside the worker that serves pages without TLS has to add Via.")
	problemNotLocal = respond.NewProblem(http.StatusForbidden, wire.Forbidden, "admin endpoints are open to this machine only",
		"Set basic_auth=true to require OpenFaaS's credentials, or admin_open=true to admit every client of this port; "+
			"curl to localhost and kubectl port-forward work without either, a proxy does not")
)

// admit lets only those through who may see and change what is stored.
func (g *guard) admit(next handler) handler {
	return g.look(func(w http.ResponseWriter, r *http.Request) error {
		if admin.ReadsOnly(r.Context()) {
			return admin.ProblemReadOnly
		}
		return next(w, r)
	})
}

// look lets those through who may see what is stored, the read-only account too. The handler
// shows it no bodies.
func (g *guard) look(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		by, refusal := g.who(r)
		if refusal != nil {
			return refusal
		}
		ctx := admin.WithCaller(r.Context(), by.name)
		switch {
		case by.readOnly:
			ctx = admin.WithReadOnly(ctx)
		case g.actions && by.name != fromAnywhere:
			ctx = admin.WithActor(ctx)
		}
		return next(w, r.WithContext(ctx))
	}
}

var (
	problemAnyone = respond.NewProblem(http.StatusForbidden, wire.Forbidden, "operations need a caller with a name",
		"With admin_open=true everyone may look, and the pages carry out nothing. Set basic_auth=true.")
	problemForeignForm = respond.NewProblem(http.StatusForbidden, wire.Forbidden, "a form has to come from a page of this worker",
		"Use the form of the page. Programs use the API.")
)

// act lets only the forms of our own pages through, of callers that were admitted by name or as
// this machine. Browsers send Sec-Fetch-Site or Origin with every form, and no page can set them.
func (g *guard) act(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		switch {
		case g.credentials == nil && g.open:
			return problemAnyone
		case r.Method != http.MethodGet && r.Method != http.MethodHead && !isOwnForm(r):
			return problemForeignForm
		}
		return next(w, r)
	}
}

// isOwnForm reports whether a browser says that a request is of the same origin.
func isOwnForm(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	origin, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && origin.Host != "" && origin.Host == r.Host
}

// sender lets only those through who may send work. discard reads the body of a refused
// request.
func (g *guard) sender(next handler, discard func(*http.Request)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		known := g.senders
		if known == nil {
			known = g.credentials
		}
		if known == nil {
			return next(w, r)
		}
		by, refusal := known.check(r)
		if by.readOnly { // also where every client may send: functions must not get its password
			refusal = admin.ProblemReadOnly
		}
		switch {
		case refusal != nil && (g.senders != nil || by.readOnly):
			discard(r)
			return refusal
		case g.senders != nil:
			r.Header.Del("Authorization") // it is ours, and no function's business
		case refusal != nil:
			r = r.WithContext(ingest.WithGuest(r.Context()))
		}
		return next(w, r)
	}
}

// who returns the account of the client, or why it is refused.
func (g *guard) who(r *http.Request) (account, *respond.Problem) {
	switch {
	case g.credentials != nil:
		return g.credentials.check(r)
	case g.open:
		return account{name: fromAnywhere}, nil
	case !isLocal(r):
		return account{}, problemNotLocal
	}
	return account{name: fromLoopback}, nil
}

// isLocal reports whether a request comes from this machine itself. The peer alone
// does not tell: a proxy or sidecar beside the worker speaks for others, and a page in
// a browser can give any name the address of loopback. Hence the two other looks.
func isLocal(r *http.Request) bool {
	return isLoopbackPeer(r) && isLoopbackHost(r.Host) && !isForwarded(r)
}

// isLoopbackPeer reports whether the connection comes from the loopback interface.
func isLoopbackPeer(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}

// isLoopbackHost reports whether a Host header names the loopback interface.
func isLoopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// isRebound reports whether a page may have sent the request whose own host name was made
// to resolve to loopback: to the browser it is of the same origin as the worker. A browser
// sends Origin with every request that is not safe. Behind a proxy any name may be right,
// but a page can set most header fields of proxies itself, so only passedOn counts.
func isRebound(r *http.Request) bool {
	return r.Header.Get("Origin") != "" && isLoopbackPeer(r) && !isLoopbackHost(r.Host) && !passedOn(r)
}

// passedOn reports whether a proxy has certainly passed on the request of a browser: no
// page can set Via, make the browser send HTTP/1.0, or have an origin with TLS that is the
// worker's own, because the worker has no TLS.
func passedOn(r *http.Request) bool {
	return len(r.Header["Via"]) > 0 || !r.ProtoAtLeast(1, 1) || strings.HasPrefix(r.Header.Get("Origin"), "https://")
}

// isForwarded reports whether a proxy has passed a request on. Some proxies add no
// field but speak HTTP/1.0, which no current client does by default.
func isForwarded(r *http.Request) bool {
	if !r.ProtoAtLeast(1, 1) {
		return true
	}
	for name := range r.Header { // in canonical form
		if isProxyField(name) {
			return true
		}
	}
	return false
}

// proxyFields and proxyPrefixes are the header fields that proxies, load balancers and
// content delivery networks add, in canonical form.
var (
	proxyFields = map[string]bool{
		"Forwarded": true, "Via": true, "X-Forwarded": true, "Forwarded-For": true, "X-Real-Ip": true, "X-Client-Ip": true,
		"True-Client-Ip": true, "Client-Ip": true, "X-Cluster-Client-Ip": true, "Fastly-Client-Ip": true, "Fly-Client-Ip": true,
		"X-Remote-Ip": true, "X-Remote-Addr": true, "X-Proxyuser-Ip": true, "X-Request-Start": true, "Cdn-Loop": true,
	}
	proxyPrefixes = []string{"X-Forwarded-", "X-Original-", "X-Envoy-", "Cf-", "X-Azure-", "X-Appengine-", "X-Amzn-"}
)

func isProxyField(name string) bool {
	return proxyFields[name] || slices.ContainsFunc(proxyPrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}
