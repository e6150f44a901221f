package api

// Reading a body that becomes part of a QueueRequest, as it comes.

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/openfaas/faas-provider/types"
	"golang.org/x/sync/semaphore"

	"queue-worker/pkg/invocation"
)

// allowance is the memory that one request has taken of what all share.
type allowance struct {
	room *semaphore.Weighted
	held int64
}

// take takes n bytes, or gives some back when n is negative. It does not wait:
// who waited for much would keep those out who need little.
func (a *allowance) take(n int64) error {
	if n > 0 && !a.room.TryAcquire(n) {
		return problemCrowded
	}
	if n < 0 {
		a.room.Release(-n)
	}
	a.held += n
	return nil
}

// release gives everything back.
func (a *allowance) release() {
	a.room.Release(a.held)
	a.held = 0
}

// copies are pieces of memory that bodies are copied through.
var copies = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// encode reads a body into a QueueRequest with everything of head. Of what comes,
// also gets a copy; nil for nobody. The allowance is the caller's to release, with
// an error too.
func (i *ingest) encode(w http.ResponseWriter, r *http.Request, head types.QueueRequest, also io.Writer) (*invocation.Encoder, *allowance, error) {
	mine := &allowance{room: i.room}
	e, err := invocation.NewEncoder(head, max(r.ContentLength, 0), mine.take)
	if err != nil {
		return nil, mine, err
	}
	var to io.Writer = e
	if also != nil {
		to = io.MultiWriter(e, also)
	}
	buffer, _ := copies.Get().(*[32 << 10]byte)
	defer copies.Put(buffer)
	if _, err := io.CopyBuffer(to, http.MaxBytesReader(w, r.Body, i.MaxBytes), buffer[:]); err != nil {
		return nil, mine, bodyProblem(err)
	}
	return e, mine, nil
}

// bodyProblem is the answer to a body that could not be read whole.
func bodyProblem(err error) error {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if _, tooMuch := errors.AsType[*http.MaxBytesError](err); tooMuch {
		return problemBody
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
