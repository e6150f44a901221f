// File query.go reads parameters. Unknown ones are refused: a filter with a typing error
// would otherwise match everything.

package admin

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"queue-worker/pkg/duration"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

// Bounds of a page.
const (
	defaultLimit = 50
	maxLimit     = wire.MaxPage
)

// params are the query parameters of a request, each there once, but for the
// header of a filter.
type params url.Values

// repeatable is the parameter that may be there several times.
const repeatable = "header"

// readParams reads the query. Only the allowed names may be in it.
func readParams(r *http.Request, allowed ...string) (params, error) {
	v, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, respond.Refuse("the query cannot be read", "write it as name=value, with & between parameters")
	}
	for name, values := range v {
		if !slices.Contains(allowed, name) {
			return nil, respond.Refuse("unknown parameter", knownParams(allowed))
		}
		if len(values) > 1 && name != repeatable {
			return nil, respond.Refuse("a parameter is there twice", "give each at most once")
		}
	}
	return params(v), nil
}

func knownParams(allowed []string) string {
	if len(allowed) == 0 {
		return "this path has none"
	}
	return "this path has " + strings.Join(allowed, ", ")
}

// has reports whether a parameter is there, be it empty.
func (p params) has(name string) bool { return len(p[name]) > 0 }

// text is a parameter as it is, "" when it is absent.
func (p params) text(name string) string { return url.Values(p).Get(name) }

// limit is how many rows a page may have: a whole number from 1 to maxLimit, or the default
// when it is absent.
func (p params) limit(otherwise int) (int, error) {
	const name = "limit"
	if !p.has(name) {
		return otherwise, nil
	}
	s := p.text(name)
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxLimit || strings.HasPrefix(s, "+") {
		return 0, respond.Refuse(name+" is not a number in its range", "a whole number from 1 to "+strconv.Itoa(maxLimit))
	}
	return n, nil
}

// flag is true or false, false when it is absent.
func (p params) flag(name string) (bool, error) {
	switch {
	case !p.has(name), p.text(name) == "false":
		return false, nil
	case p.text(name) == "true":
		return true, nil
	}
	return false, respond.Refuse(name+" is neither true nor false", "leave it out for false")
}

// span is a duration up to most; 0 when it is absent.
func (p params) span(name string, most time.Duration) (time.Duration, error) {
	if !p.has(name) {
		return 0, nil
	}
	s := p.text(name)
	d, err := duration.Parse(s)
	if err != nil || d < 0 || d > most || strings.HasPrefix(s, "+") {
		return 0, respond.Refuse(name+" is not a duration in its range", "such as 30s, at most "+duration.Format(most))
	}
	return d, nil
}

// problemID is the answer to a path without an id.
var problemID = respond.Refuse("not an invocation id",
	"Use a UUID such as 0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7; it is \"id\" in the listing, not the call id.")

// pathID is the id in the path.
func pathID(r *http.Request) (invocation.ID, error) {
	id, err := invocation.ParseID(r.PathValue("id"))
	if err != nil {
		return id, problemID
	}
	return id, nil
}
