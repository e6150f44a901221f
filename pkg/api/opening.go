// File opening.go answers health checks while the store is being opened, which may take long: it waits
// for the process that has data_dir, for room and for file descriptors, and reads what a crash has left.

package api

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

// Timeouts of a client that asks while the store is being opened.
const (
	openingHeader = 5 * time.Second
	openingIdle   = time.Second
)

// lent is a listener that a server uses for a while. Its Close ends Accept and leaves the port open.
type lent struct{ *net.TCPListener }

// Accept implements net.Listener.
func (l lent) Accept() (net.Conn, error) {
	c, err := l.TCPListener.Accept()
	if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() {
		err = net.ErrClosed
	}
	return c, err
}

// Close implements net.Listener.
func (l lent) Close() error { return l.SetDeadline(time.Now()) }

// Opening answers HTTP before the store is open. The zero Opening is ready for use.
type Opening struct{ waits atomic.Pointer[Wait] }

// Wait is what the opening of the store waits for. Both texts are shown to anyone: they name no
// process, no folder and no address, which are for the log.
type Wait struct {
	Reason string // such as "store: data_dir is in use by another process"
	Hint   string
}

// WaitFor says what the opening waits for; nil for nothing that is known.
func (o *Opening) WaitFor(w *Wait) { o.waits.Store(w) }

// Serve answers on the listener until the returned function is called: /healthz is green, since
// a restart would not help, and everything else is 503.
func (o *Opening) Serve(l net.Listener) (end func() error) {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return func() error { return nil }
	}
	server := &http.Server{Handler: o, ReadHeaderTimeout: openingHeader, IdleTimeout: openingIdle}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(lent{tcp}) // it ends when it is closed
	}()
	return func() error {
		err := server.Close()
		<-done
		return errors.Join(err, tcp.SetDeadline(time.Time{}))
	}
}

// ServeHTTP implements http.Handler.
func (o *Opening) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Connection", "close")
	if r.URL.Path == "/healthz" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "ok")
		return
	}
	waits := o.waits.Load()
	if waits == nil {
		waits = &Wait{Reason: "store: being opened", Hint: "Wait: the store is being opened."}
	}
	p := respond.NewProblem(http.StatusServiceUnavailable, wire.NotReady, "not ready", waits.Hint)
	p.Wait, p.Reasons = time.Second, []string{waits.Reason}
	p.Write(w)
}
