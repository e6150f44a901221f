package api

// From a request to its handler: exact paths, methods, and one way for errors.

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

// allowed lists the methods, as the header Allow has it.
func (m methods) allowed() string {
	all := slices.Sorted(maps.Keys(m))
	if _, ok := m[http.MethodGet]; ok {
		all = append(all, http.MethodHead)
	}
	return strings.Join(all, ", ")
}

// outermost sets what every answer has, and refuses paths that are not in their
// shortest form: a ServeMux would redirect them, and a client that posts to a
// path with a slash too many would be sent on with a GET.
func (a *api) outermost(next http.Handler) http.Handler {
	server := "queue-worker/" + a.Version
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", server)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if !isExact(r.URL.Path) {
			problemPath.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

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
