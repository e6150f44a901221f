package invoke

import (
	"errors"
	"net/url"
	"strings"

	"queue-worker/pkg/invocation"
)

// Where a function is called: <gateway>/function/<name><path>?<query>, from parts
// that cannot lead anywhere else.

// maxTarget bounds path and query together, in bytes.
const maxTarget = 64 << 10

// decodings is how often a path is decoded in search of dot segments: what is
// sent, what the gateway makes of it, and what a function behind another proxy may.
const decodings = 3

var (
	errName     = errors.New("the function's name is not one")
	errLong     = errors.New("path and query are longer than 64 KiB")
	errNoSlash  = errors.New("the path does not begin with a slash")
	errDots     = errors.New("the path has a segment of dots")
	errSegment  = errors.New("the path has an empty segment, which the gateway would redirect")
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
	case path[0] != '/':
		return "", "", errNoSlash
	}
	if hasSpaceOrControl(query) {
		return "", "", errQuery
	}
	plain, encoded = bothForms(path)
	if strings.Contains(plain, "//") {
		return "", "", errSegment
	}
	if hasDotSegment(path) {
		return "", "", errDots
	}
	return plain, encoded, nil
}

// bothForms gives a path as the gateway will see it, and as it is sent.
func bothForms(path string) (plain, encoded string) {
	if isEncoded(path) {
		return decode(path), path
	}
	return path, (&url.URL{Path: path}).EscapedPath()
}

// isEncoded reports whether p can stand in a request line as it is: every byte is
// one of RFC 3986's for a path, and every % begins an escape.
func isEncoded(p string) bool {
	for i := range len(p) {
		c := p[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("/-._~!$&'()*+,;=:@[]", c) >= 0:
		case c == '%' && isEscape(p[i:]):
		default:
			return false
		}
	}
	return true
}

// hasDotSegment reports whether p, or what decoding makes of it, has a segment "."
// or "..". A backslash ends a segment too, as some servers have it.
func hasDotSegment(p string) bool {
	for range decodings + 1 {
		if dotSegment(p) {
			return true
		}
		if strings.IndexByte(p, '%') < 0 {
			return false
		}
		p = decode(p)
	}
	return false
}

func dotSegment(p string) bool {
	if strings.IndexByte(p, '.') < 0 {
		return false
	}
	for s := range strings.FieldsFuncSeq(p, func(r rune) bool { return r == '/' || r == '\\' }) {
		if s == "." || s == ".." {
			return true
		}
	}
	return false
}

// decode resolves the escapes of p once and leaves what is not an escape.
func decode(p string) string {
	if strings.IndexByte(p, '%') < 0 {
		return p
	}
	b := make([]byte, 0, len(p))
	for i := 0; i < len(p); i++ {
		if isEscape(p[i:]) {
			b = append(b, unhex(p[i+1])<<4|unhex(p[i+2]))
			i += 2
			continue
		}
		b = append(b, p[i])
	}
	return string(b)
}

func isEscape(p string) bool {
	return len(p) >= 3 && p[0] == '%' && isHex(p[1]) && isHex(p[2])
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
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
