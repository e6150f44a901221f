// File path.go checks the path below a function, so that it leads nowhere else.

package invocation

import (
	"errors"
	"net/url"
	"strings"
)

// decodings is how often a path is decoded in search of dot segments: what is
// sent, what the gateway makes of it, and what a function behind another proxy may.
const decodings = 3

// Errors of SafePath.
var (
	ErrPathSlash   = errors.New("the path does not begin with a slash")
	ErrPathDots    = errors.New("the path has a segment of dots")
	ErrPathSegment = errors.New("the path has an empty segment, which the gateway would redirect")
)

// SafePath returns a path below a function in two forms: plain, as the gateway
// reads it, and encoded, as it is sent. It returns an error if the path does not
// begin with a slash, or if a server on the way could resolve it to a path above
// the function.
func SafePath(path string) (plain, encoded string, err error) {
	if path == "" || path[0] != '/' {
		return "", "", ErrPathSlash
	}
	plain, encoded = bothForms(path)
	if strings.Contains(plain, "//") {
		return "", "", ErrPathSegment
	}
	if hasDotSegment(path) {
		return "", "", ErrPathDots
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
