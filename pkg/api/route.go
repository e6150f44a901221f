// File route.go routes requests to handlers: exact paths, methods, and one way for errors.

package api

import (
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
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
	problemMethod.ServeHTTP(w, r)
}

// surface serves every path by its pattern, and knows them all, so that a test
// can look at each of them.
type surface struct {
	mux  *http.ServeMux
	list []operation
}

// operation is a method of a path.
type operation struct {
	method, path string
	guarded      bool // only for those who may see and change what is stored
}

func newSurface() *surface { return &surface{mux: http.NewServeMux()} }

// Handle serves a path by methods. It panics when a path comes twice.
func (s *surface) Handle(path string, m methods) {
	s.mux.Handle(path, m)
	for method, h := range m {
		_, guarded := h.(admitted)
		s.list = append(s.list, operation{method, path, guarded})
	}
}

// rest serves whatever no path is for.
func (s *surface) rest(h http.Handler) { s.mux.Handle("/", h) }

func (s *surface) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

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
			problemHeader.ServeHTTP(w, r)
			return
		}
		if a.guard.origin.Check(r) != nil || isRebound(r) {
			problemOrigin.ServeHTTP(w, r)
			return
		}
		if !isExact(r.URL.EscapedPath()) {
			inexact(r).ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// inexact is the problem of a path that is not in its shortest form. Below a function
// it is one that cannot reach it.
func inexact(r *http.Request) *problem {
	if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/async-function/") {
		if p := pathProblem(r.URL); p != nil {
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

// handle makes a handler of a function that may fail before it has written anything.
func (a *api) handle(f func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			a.problemOf(r, err).ServeHTTP(w, r)
		}
	})
}
