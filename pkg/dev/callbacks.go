// A place to send callbacks to: it takes every other one.

package dev

import (
	"io"
	"net/http"
	"sync/atomic"
)

// callbackFunction is the name under which the gateway has it. It is a function
// because the worker sends callbacks to nothing else of a gateway.
const callbackFunction = "callback-service"

// maxCallback bounds what is read of a callback.
const maxCallback = 64 << 20

// callbackService answers half of what is posted to it with 200, half with 400, in
// turns and beginning with 400, so that a retry can be seen. It is where the
// walk-through of the callback producer sends its messages.
type callbackService struct{ count atomic.Uint64 }

func (s *callbackService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxCallback)); err != nil {
		http.Error(w, "the callback was cut off or is too large", http.StatusBadRequest)
		return
	}
	if s.count.Add(1)%2 == 1 {
		http.Error(w, "not now: every other callback is taken", http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, "taken\n") // the caller has gone
}
