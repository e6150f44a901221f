// File opening.go answers health checks while the store is being opened, which may take long: it waits
// for room and for file descriptors, and reads what a crash has left.

package app

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"
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
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = net.ErrClosed
	}
	return c, err
}

// Close implements net.Listener.
func (l lent) Close() error { return l.SetDeadline(time.Now()) }

// whileOpening answers on the listener until the returned function is called: /healthz is green, since
// a restart would not help, and everything else is 503.
func whileOpening(l net.Listener) (end func() error) {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return func() error { return nil }
	}
	server := &http.Server{Handler: http.HandlerFunc(opening), ReadHeaderTimeout: openingHeader, IdleTimeout: openingIdle}
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

func opening(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Connection", "close")
	if r.URL.Path == "/healthz" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "ok")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, `{"error":"not ready","reason":"not_ready","hint":"Wait: the store is being opened.","reasons":["store: being opened"]}`+"\n")
}
