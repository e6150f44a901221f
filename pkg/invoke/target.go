package invoke

import (
	"errors"
	"net/url"

	"queue-worker/pkg/invocation"
)

// Where a function is called: <gateway>/function/<name><path>?<query>, from parts
// that cannot lead anywhere else.

// maxTarget bounds path and query together, in bytes.
const maxTarget = 64 << 10

var (
	errName     = errors.New("the function's name is invalid")
	errLong     = errors.New("path and query are longer than 64 KiB")
	errQuery    = errors.New("the query has a space or a control character")
	errEncoding = errors.New("the path cannot be encoded")
)

// target builds the URL of a function. A path in encoded form is sent byte for
// byte as it was published; one that cannot be the encoded form of anything, since
// it has a space, say, is what gateways publish after decoding, and is encoded.
func target(gateway *url.URL, function, path, query string) (*url.URL, error) {
	plain, encoded, err := checkTarget(function, path, query)
	if err != nil {
		return nil, err
	}
	base := functionPrefix + function
	u := &url.URL{
		Scheme:   gateway.Scheme,
		Host:     gateway.Host,
		Path:     gateway.Path + base + plain,
		RawPath:  gateway.EscapedPath() + base + encoded,
		RawQuery: query,
	}
	if u.EscapedPath() != u.RawPath { // net/url would send something else than what was checked
		return nil, errEncoding
	}
	return u, nil
}

const functionPrefix = "/function/"

// requestURI is what stands of target's URL in a request line. prefix is the encoded path of the gateway.
func requestURI(prefix, function, path, query string) (string, error) {
	_, encoded, err := checkTarget(function, path, query)
	if err != nil {
		return "", err
	}
	if query == "" {
		return prefix + functionPrefix + function + encoded, nil
	}
	return prefix + functionPrefix + function + encoded + "?" + query, nil
}

// checkTarget returns a path as the gateway will see it, and as it is sent.
func checkTarget(function, path, query string) (plain, encoded string, err error) {
	switch {
	case !invocation.ValidName(function):
		return "", "", errName
	case len(path)+len(query) > maxTarget:
		return "", "", errLong
	case path == "":
		path = "/"
	}
	if hasSpaceOrControl(query) {
		return "", "", errQuery
	}
	return invocation.SafePath(path)
}

// hasSpaceOrControl reports whether s would end a request line early.
func hasSpaceOrControl(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}
