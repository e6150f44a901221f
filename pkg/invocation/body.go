// File body.go has the body of a QueueRequest, which is decoded while it is read.

package invocation

import (
	"bytes"
	"encoding/base64"
	stdjson "encoding/json"
	"errors"
	"io"
)

// setBody keeps the body where it is when it is base64 without escapes, which
// is what encoding/json writes, and decodes any other form.
func (r *Request) setBody(value []byte) error {
	if len(value) >= 2 && value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
		b := value[1 : len(value)-1]
		if !isBase64(b) {
			return errors.New("not base64")
		}
		r.body, r.flat = b, false
		return nil
	}
	var plain []byte
	if err := stdjson.Unmarshal(value, &plain); err != nil {
		return errors.New("not base64")
	}
	r.body, r.flat = plain, true
	return nil
}

// isBase64 reports whether b is whole, padded standard base64.
func isBase64(b []byte) bool {
	if len(b)%4 != 0 {
		return false
	}
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("=")), []byte("="))
	for _, c := range b {
		if !base64Alphabet[c] {
			return false
		}
	}
	return true
}

var base64Alphabet = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = true
	}
	return t
}()

// BodyLen is the length of the decoded body in bytes.
func (r *Request) BodyLen() int64 {
	switch {
	case r.kept != nil:
		return r.kept.Size()
	case r.flat:
		return int64(len(r.body))
	}
	n := int64(len(r.body) / 4 * 3)
	for i := len(r.body); i > 0 && r.body[i-1] == '='; i-- {
		n--
	}
	return n
}

// Body streams the decoded body: each read decodes straight from the bytes given to Decode into
// the reader's buffer. Every call begins at the start.
func (r *Request) Body() io.Reader {
	switch {
	case r.kept != nil:
		return r.kept.Reader()
	case r.flat:
		return bytes.NewReader(r.body)
	}
	return &bodyReader{rest: r.body}
}

// Kept is a decoded body that is kept elsewhere. Each reader begins at the start.
type Kept interface {
	Size() int64
	Reader() io.Reader
}

// Keep takes the body from elsewhere. The request then needs the bytes given to Decode no more.
func (r *Request) Keep(body Kept) { r.kept, r.body = body, nil }

const (
	quad   = 4 // characters of base64 that make a triple
	triple = 3 // bytes
)

// bodyReader decodes base64 that isBase64 has accepted: whole, padded, without line ends.
type bodyReader struct {
	rest  []byte       // not decoded yet
	small [triple]byte // decoded for a reader with less room than a triple
	kept  []byte       // the part of small that is not read yet
}

// Read implements io.Reader. It fills p unless the body ends.
func (b *bodyReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		switch {
		case len(b.kept) > 0:
			m := copy(p[n:], b.kept)
			b.kept = b.kept[m:]
			n += m
		case len(b.rest) == 0:
			if n > 0 {
				return n, nil
			}
			return 0, io.EOF
		case len(p)-n < triple:
			m, err := b.decode(b.small[:], quad)
			if err != nil {
				return n, err
			}
			b.kept = b.small[:m]
		default:
			m, err := b.decode(p[n:], min((len(p)-n)/triple*quad, len(b.rest)))
			if err != nil {
				return n, err
			}
			n += m
		}
	}
	return n, nil
}

// decode decodes the next chars characters.
func (b *bodyReader) decode(p []byte, chars int) (int, error) {
	n, err := base64.StdEncoding.Decode(p, b.rest[:chars])
	b.rest = b.rest[chars:]
	return n, err
}
