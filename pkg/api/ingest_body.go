package api

// Reading a body that becomes part of a QueueRequest, as it comes.

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/invocation"
)

// copies are pieces of memory that bodies are copied through.
var copies = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// encode reads a body into a QueueRequest with everything of head. Of what comes,
// also gets a copy; nil for nobody. The allowance is the caller's to release, with
// an error too.
func (i *ingest) encode(w http.ResponseWriter, r *http.Request, head types.QueueRequest, also io.Writer) (*invocation.Encoder, *allowance, error) {
	size := i.mostOf(r)
	mine := i.room.allow(r.Context(), invocation.EncodedLen(size))
	e, err := invocation.NewEncoder(head, size, mine.take)
	if err != nil {
		return nil, mine, err
	}
	var to io.Writer = e
	if also != nil {
		to = io.MultiWriter(e, also)
	}
	buffer, _ := copies.Get().(*[32 << 10]byte)
	defer copies.Put(buffer)
	if _, err := io.CopyBuffer(to, http.MaxBytesReader(w, pacedFrom(w, r), i.MaxBytes), buffer[:]); err != nil {
		return nil, mine, bodyProblem(err)
	}
	return e, mine, nil
}

// mostOf is how many bytes a body has at most.
func (i *ingest) mostOf(r *http.Request) int64 {
	if r.ContentLength < 0 {
		return i.MaxBytes
	}
	return r.ContentLength
}

// bodyProblem is the answer to a body that could not be read whole.
func bodyProblem(err error) error {
	if p, ok := errors.AsType[*problem](err); ok {
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

// discardBody reads what is left of a body that nobody wants. A client that still
// sends when the answer is there and the connection is closed may see a broken pipe
// instead of it. Bodies of more than twice the bound are not waited for, nor those
// of clients that send only when they are told to.
func (i *ingest) discardBody(r *http.Request) {
	most := 2*i.MaxBytes + 1<<20
	if r.ContentLength > most || strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		return
	}
	_, _ = io.CopyN(io.Discard, r.Body, most) // as far as it goes
}
