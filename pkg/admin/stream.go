// File stream.go writes answers of any length: dead letter by dead letter, in bounded
// memory, for as long as the client reads.

package admin

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// progress is how long a long answer or a long request may stand still before
// its client is cut. It takes the place of the server's timeouts.
const progress = 30 * time.Second

// streamPage is how many letters are looked up at a time, and streamBuffer how
// much is written at a time.
const (
	streamPage   = 100
	streamBuffer = 32 << 10
)

// stream is an answer that shows letters.
type stream struct {
	filter      store.Filter
	most        int // letters
	contentType string
	begin, end  string
	// letter writes the n-th letter, from 0. store.ErrNotFound for one that has left
	// the dead set since: nothing was written then.
	letter func(ctx context.Context, out *paced, inv *invocation.Invocation, n int) error
}

// answer writes a stream and returns how many letters are in it. What goes wrong
// before anything was written is returned; afterwards the connection is broken,
// so that a client can tell that the answer is not whole.
func (a *Admin) answer(w http.ResponseWriter, r *http.Request, s stream) (n int, err error) {
	page, err := a.Store.Letters(r.Context(), s.filter, "", min(streamPage, s.most))
	if err != nil {
		return 0, err
	}
	w.Header().Set("Content-Type", s.contentType)
	if r.Method == http.MethodHead {
		return 0, nil
	}
	out := newPaced(w)
	_, _ = out.WriteString(s.begin) // it keeps its first error
	for err == nil {
		n, err = s.page(r.Context(), out, page.Letters, n)
		if err != nil || page.Next == "" || n == s.most {
			break
		}
		page, err = a.Store.Letters(r.Context(), s.filter, page.Next, min(streamPage, s.most-n))
	}
	_, _ = out.WriteString(s.end)
	if err = orElse(err, out.Flush()); err != nil {
		if r.Context().Err() == nil {
			a.log.Warn("answer interrupted", keyRoute, r.Pattern, keyError, err)
		}
		panic(http.ErrAbortHandler)
	}
	return n, nil
}

func (s *stream) page(ctx context.Context, out *paced, page []*invocation.Invocation, n int) (int, error) {
	for _, inv := range page {
		switch err := s.letter(ctx, out, inv, n); {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return n, err
		default:
			n++
		}
	}
	return n, out.Flush()
}

// paced writes to a client that may take its time, as long as it keeps reading.
// It keeps its first error.
type paced struct{ *bufio.Writer }

func newPaced(w http.ResponseWriter) *paced {
	return &paced{bufio.NewWriterSize(pacedWriter{w, http.NewResponseController(w)}, streamBuffer)}
}

type pacedWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (p pacedWriter) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(progress)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.w.Write(b) // #nosec G705 -- JSON, and nosniff
}

// pacedReader is the same for what a client sends.
type pacedReader struct {
	r       *http.Request
	control *http.ResponseController
}

func (p pacedReader) Read(b []byte) (int, error) {
	if err := p.control.SetReadDeadline(time.Now().Add(progress)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.r.Body.Read(b)
}
