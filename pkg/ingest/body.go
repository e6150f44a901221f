// File body.go reads a body that becomes part of a QueueRequest while it arrives.

package ingest

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
)

// encode reads a body into a QueueRequest with everything of head. also gets a copy of the
// body; it may be nil. The caller releases the upload, with an error too.
func (i *Ingest) encode(w http.ResponseWriter, r *http.Request, head types.QueueRequest, also io.Writer) (*invocation.Encoder, *upload, error) {
	size, exact := r.ContentLength, r.ContentLength >= 0
	claim := invocation.EncodedLen(size) // see NewEncoder
	if !exact {
		size, claim = i.MaxBytes, 2*invocation.EncodedLen(i.MaxBytes)
	}
	u := i.begin(w, r, claim)
	var e *invocation.Encoder
	err := u.copyTo(func() (to io.Writer, err error) {
		e, err = invocation.NewEncoder(head, size, exact, u.take)
		if to = e; also != nil {
			to = io.MultiWriter(e, also)
		}
		return to, err
	})
	if err != nil {
		return nil, u, bodyProblem(err)
	}
	return e, u, nil
}

// bodyProblem is the answer to a body that could not be read whole.
func bodyProblem(err error) error {
	if p, ok := errors.AsType[*respond.Problem](err); ok {
		return p
	}
	if _, tooMuch := errors.AsType[*http.MaxBytesError](err); tooMuch {
		return problemBody
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return problemSlow
	}
	return problemCut
}

// Discard reads the rest of a refused body. A client that still sends when the answer is
// there and the connection is closed may see a broken pipe instead of it. Bodies of more
// than twice the bound are not read, nor those of clients that wait for 100 Continue.
func (i *Ingest) Discard(r *http.Request) {
	most := 2*i.MaxBytes + 1<<20
	if r.ContentLength > most || strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		return
	}
	_, _ = io.CopyN(io.Discard, r.Body, most) // as far as it goes
}
