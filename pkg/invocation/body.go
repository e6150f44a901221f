// File body.go decodes the body of a QueueRequest while it is read.

package invocation

import (
	"encoding/base64"
	"io"
)

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
