// File server.go has the limits of the server of the API.

package api

import (
	"log/slog"
	"net/http"
	"time"

	"queue-worker/pkg/respond"
)

// Timeouts and limits of the listener. A client that is slower than these is cut.
const (
	readHeaderTimeout = 5 * time.Second // from the connection's, or the request's, first byte to the end of the header
	// idleTimeout is the time between two requests of a connection. Load balancers keep theirs for 60 s, and the server
	// must not be the first to close one: a request that is on its way then would fail.
	idleTimeout = 120 * time.Second
	// maxHeaderBytes is what is read of a header, and acceptedHeader what is accepted: between the two the answer can say
	// what is wrong, and net/http's own cannot. A function's header has the second bound too, see pkg/invoke.
	maxHeaderBytes = 128 << 10
	acceptedHeader = 64 << 10
)

// headerSize is the size of a request line and a header in bytes, with room for the call id and the start time that are
// added to it.
func headerSize(r *http.Request) int {
	const added, perField = 128, len(": \r\n")
	size := added + len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v) + perField
		}
	}
	return size
}

// NewServer makes the server for a handler. It does not listen yet. What
// net/http has to say, a panic in a handler above all, goes to logger as warnings;
// nil for nowhere.
func NewServer(h http.Handler, logger *slog.Logger) *http.Server {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            readHeaderTimeout,
		ReadTimeout:                  respond.ReadTimeout,
		WriteTimeout:                 respond.WriteTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		DisableGeneralOptionsHandler: true, // OPTIONS * is an unknown path like any other
		ErrorLog:                     slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}
