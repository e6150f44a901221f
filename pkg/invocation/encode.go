// File encode.go makes a QueueRequest around a body that is read piece by piece.

package invocation

import (
	"encoding/base64"
	stdjson "encoding/json"
	"io"
	"net/http"

	"github.com/openfaas/faas-provider/types"
)

// Overhead is room for what stands behind the body of a QueueRequest: the end of
// the JSON, and an Envelope without its URL.
const Overhead = 512

// EncodedLen is how many bytes a body of n bytes takes inside a QueueRequest.
func EncodedLen(n int64) int64 { return (n + 2) / 3 * 4 }

// Encoder makes the bytes of a QueueRequest. The body is written to it, and is in
// memory once, as the base64 that it will be stored as.
type Encoder struct {
	buf   []byte
	carry [3]byte // what is left of the body until three bytes are together
	held  int     // bytes in carry
	whole int     // bytes that the declared body needs
	exact bool
	room  func(n int64) error
}

// firstBytes is the memory for a body before any of it is there. A buffer that would become
// larger than jumpBytes takes the memory for the whole body at once, if its length is known.
const (
	firstBytes = 4 << 10
	jumpBytes  = 128 << 10
)

// NewEncoder begins a QueueRequest with everything of head but its body. The body has
// size bytes at most, or more when that was only expected; exact says that it has so many.
// Memory follows what has been written: it doubles, but not beyond that of size. So there is
// at most jumpBytes more than size needs, or twice as much when size is not exact. room is
// called before memory is taken, and with a negative number when some is given back; its
// error ends the encoding. It may be nil.
func NewEncoder(head types.QueueRequest, size int64, exact bool, room func(n int64) error) (*Encoder, error) {
	head.Body = nil
	json, err := encodeJSON(head)
	if err != nil {
		return nil, err
	}
	if room == nil {
		room = func(int64) error { return nil }
	}
	e := &Encoder{room: room, exact: exact}
	json[len(json)-1] = ',' // the closing brace
	fixed := len(json) + len(bodyKey) + Overhead
	e.whole = fixed + int(EncodedLen(size))
	if err := e.grow(min(e.whole, fixed+firstBytes)); err != nil {
		return nil, err
	}
	e.buf = append(append(e.buf, json...), bodyKey...)
	return e, nil
}

const bodyKey = `"Body":"`

// Write adds to the body.
func (e *Encoder) Write(p []byte) (int, error) {
	n := len(p)
	if e.held > 0 {
		took := copy(e.carry[e.held:], p)
		e.held += took
		p = p[took:]
		if e.held < len(e.carry) {
			return n, nil
		}
		if err := e.add(e.carry[:]); err != nil {
			return 0, err
		}
		e.held = 0
	}
	whole := len(p) / 3 * 3
	if err := e.add(p[:whole]); err != nil {
		return 0, err
	}
	e.held = copy(e.carry[:], p[whole:])
	return n, nil
}

// Finish ends the QueueRequest, with an envelope or, when it is nil, without, and
// returns its bytes. The encoder must not be used afterwards.
func (e *Encoder) Finish(env *Envelope) ([]byte, error) {
	if err := e.add(e.carry[:e.held]); err != nil {
		return nil, err
	}
	e.buf = append(e.buf, '"')
	if env != nil {
		json, err := stdjson.Marshal(env)
		if err != nil {
			return nil, err
		}
		e.buf = append(append(e.buf, `,"`+EnvelopeKey+`":`...), json...)
	}
	return append(e.buf, '}'), nil
}

// add appends p as base64. Only the last p may have a length that is not a
// multiple of three.
func (e *Encoder) add(p []byte) error {
	if need := len(e.buf) + base64.StdEncoding.EncodedLen(len(p)) + Overhead; need > cap(e.buf) {
		to := max(need, 2*cap(e.buf))
		if need <= e.whole && (to > e.whole || e.exact && to > jumpBytes) {
			to = e.whole
		}
		if err := e.grow(to); err != nil {
			return err
		}
	}
	e.buf = base64.StdEncoding.AppendEncode(e.buf, p)
	return nil
}

// grow moves to a larger piece of memory.
func (e *Encoder) grow(to int) error {
	if err := e.room(int64(to)); err != nil {
		return err
	}
	old := int64(cap(e.buf))
	e.buf = append(make([]byte, 0, to), e.buf...)
	return e.room(-old)
}

// EncodeCallbackFrom is EncodeCallback for a body of size bytes that writes itself.
func EncodeCallbackFrom(function string, h http.Header, size int64, body io.WriterTo) ([]byte, error) {
	e, err := NewEncoder(types.QueueRequest{Method: http.MethodPost, Function: function, Header: h}, size, true, nil)
	if err != nil {
		return nil, err
	}
	if _, err := body.WriteTo(e); err != nil {
		return nil, err
	}
	return e.Finish(nil)
}

// EncodeCallback makes the bytes of a callback: a QueueRequest whose header and
// body are what will be posted. Its target is not in it, because Invocation.URL
// holds that.
func EncodeCallback(function string, h http.Header, body []byte) ([]byte, error) {
	return encodeJSON(types.QueueRequest{Method: http.MethodPost, Function: function, Header: h, Body: body})
}
