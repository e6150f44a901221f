package invoke

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"

	"queue-worker/pkg/invocation"
)

// The body of a request on its way from the stored message to the connection.

// smallBody is the length in bytes up to which a body is decoded at once, so that
// it leaves in one write with its header. A longer one is streamed.
const smallBody = 2 << 10

var errCallOver = errors.New("the call has ended")

// body streams a stored body. Once stopped it reads no more, so that the stored
// message can be let go although net/http may still hold the body: it gives it
// back some time after RoundTrip, when an answer came before the request was out.
type body struct {
	mu sync.Mutex

	r io.Reader // nil when stopped
}

// newBody makes the body to send, of r.BodyLen bytes, and what stops it when the
// call has ended.
func newBody(r *invocation.Request) (_ io.ReadCloser, stop func()) {
	n := r.BodyLen()
	if n == 0 {
		return http.NoBody, func() {}
	}
	if n <= smallBody {
		if small, err := appendBody(make([]byte, 0, n), r); err == nil {
			// net/http knows bytes.Reader and does not flush the header before it.
			return io.NopCloser(bytes.NewReader(small)), func() {}
		}
	}
	b := &body{r: r.Body()}
	return b, b.stop
}

// appendBody appends the decoded body of r to b.
func appendBody(b []byte, r *invocation.Request) ([]byte, error) {
	at, n := len(b), int(r.BodyLen())
	b = slices.Grow(b, n)[:at+n]
	_, err := io.ReadFull(r.Body(), b[at:])
	return b, err
}

// Read implements io.Reader. It fills p unless the body ends: each Read becomes one write to the
// connection.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.r == nil {
		return 0, errCallOver
	}
	return b.r.Read(p)
}

// Close has nothing to close.
func (b *body) Close() error { return nil }

func (b *body) stop() {
	b.mu.Lock()
	b.r = nil
	b.mu.Unlock()
}
