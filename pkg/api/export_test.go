package api

import (
	"queue-worker/pkg/admin"
	"queue-worker/pkg/respond"
)

// What the tests of this package use beside the handler.
const (
	Challenge         = challenge
	ContentYAML       = contentYAML
	ReadHeaderTimeout = readHeaderTimeout
)

var (
	OpenAPI       = openapi
	ProxyFields   = proxyFields
	ProxyPrefixes = proxyPrefixes
)

// Operation is a row of the table.
type Operation struct {
	Method, Path string
	Guarded      bool
	Acting       bool // an operation of a page
}

// Operations are the rows of the table.
func Operations(o Options) ([]Operation, error) {
	a, err := newAPI(o)
	if err != nil {
		return nil, err
	}
	var all []Operation
	for _, o := range a.table() {
		all = append(all, Operation{o.method, o.path, o.access == reading || o.access == guarded || o.access == acting, o.access == acting})
	}
	return all, nil
}

// Problems are all that are always the same.
func Problems() map[string]*respond.Problem {
	return map[string]*respond.Problem{
		"path":         problemPath,
		"method":       problemMethod,
		"origin":       problemOrigin,
		"not_local":    problemNotLocal,
		"unauthorized": problemUnauthorized,
		"unreadable":   problemUnreadable,
		"read_only":    admin.ProblemReadOnly,
	}
}
