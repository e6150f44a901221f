// File route.go routes requests to handlers: exact paths, methods, and one way for errors.

package api

import (
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	"queue-worker/pkg/ingest"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

// methods are the handlers of one path by method. HEAD is served by GET's.
type methods map[string]http.Handler

func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h, ok := m[method]; ok {
		h.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Allow", m.allowed())
	write(w, r, problemMethod)
}

// mux serves every path by its methods, and answers 404 for all others.
func (a *api) mux() http.Handler {
	paths := map[string]methods{}
	for _, o := range a.table() {
		if paths[o.path] == nil {
			paths[o.path] = methods{}
		}
		paths[o.path][o.method] = a.handle(o)
	}
	mux := http.NewServeMux()
	for path, m := range paths {
		mux.Handle(path, m)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { write(w, r, problemPath) })
	return mux
}

// allowed lists the methods, as the header Allow has it.
func (m methods) allowed() string {
	all := slices.Sorted(maps.Keys(m))
	if _, ok := m[http.MethodGet]; ok {
		all = append(all, http.MethodHead)
	}
	return strings.Join(all, ", ")
}

// outermost sets what every answer has, refuses what a page of another site asks,
// and paths that are not in their shortest form: a ServeMux would redirect them,
// and a client that posts to a path with a slash too many would be sent on with a
// GET. No answer has a CORS header, or can be embedded by a page of another site, as
// a script for example, so no such page reads one either.
func (a *api) outermost(next http.Handler) http.Handler {
	server := "queue-worker/" + a.Version
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Server", server)
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		if len(r.TransferEncoding) > 0 {
			h.Set("Connection", "close") // net/http hides a Content-Length beside it, by which a proxy may see another end
		}
		if headerSize(r) > acceptedHeader {
			write(w, r, problemHeader)
			return
		}
		if a.guard.origin.Check(r) != nil || isRebound(r) {
			write(w, r, problemOrigin)
			return
		}
		if !isExact(r.URL.EscapedPath()) {
			write(w, r, inexact(r))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// inexact is the problem of a path that is not in its shortest form. Below a function
// it is one that cannot reach it.
func inexact(r *http.Request) *respond.Problem {
	if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/async-function/") {
		if p := ingest.PathProblem(r.URL); p != nil {
			return p
		}
	}
	return problemPath
}

// isExact takes a path as it was written: an escaped id may have any characters.
func isExact(p string) bool {
	clean := path.Clean(p)
	return strings.HasPrefix(p, "/") && (p == clean || p == clean+"/")
}

// handle makes a handler of an operation, for those who may call it.
func (a *api) handle(o operation) http.Handler {
	do := o.do
	switch o.access {
	case open:
	case sender:
		do = a.guard.sender(do, a.Ingest.Discard)
	case reading:
		do = a.guard.look(do)
	case guarded:
		do = a.guard.admit(do)
	case acting:
		do = a.guard.admit(a.guard.act(do))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := do(w, r); err != nil {
			a.refuse(w, r, respond.ProblemOf(a.log, r, err))
		}
	})
}

// refuse answers with a problem: browsers that asked for a page get one.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, p *respond.Problem) {
	if !a.wantsPage(r) {
		write(w, r, p)
		return
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	a.writePage(w, r, p)
}

// write answers with a problem, the mailbox's callers with text.
func write(w http.ResponseWriter, r *http.Request, p *respond.Problem) {
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if isMailbox(r.URL.Path) {
		p.WriteText(w)
		return
	}
	p.Write(w)
}

// isMailbox reports whether a path is one of the mailbox, whose errors are text.
func isMailbox(path string) bool {
	return path == "/deadletter" || strings.HasPrefix(path, "/deadletter/")
}

var (
	problemPath = respond.NewProblem(http.StatusNotFound, wire.NotFound, "no such path",
		"GET /openapi.yaml for all paths; a slash at the end makes it another path.")
	problemHeader = respond.NewProblem(http.StatusRequestHeaderFieldsTooLarge, wire.TooLarge, "the header is too large",
		"request line and header together may have 64 KiB; send the rest in the body")
	problemMethod = respond.NewProblem(http.StatusMethodNotAllowed, wire.MethodNotAllowed, "this path does not have that method",
		"Use a method of the header Allow.")
)
