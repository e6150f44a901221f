// File send_test.go sends bodies at a pace, over connections in memory.

package ingest_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"queue-worker/pkg/api/apitest"
)

// withLargeBodies accepts bodies of up to 8 MiB.
func withLargeBodies(o *apitest.Options) { o.Ingest.MaxBytes = 8 << 20 }

// atPace is a request whose body is sent at a pace.
type atPace struct {
	path    string // /async-function/f without
	header  string
	chunked bool
	size    int
	first   int           // bytes that are sent at once
	step    int           // bytes that are sent after each pause
	pause   time.Duration // a second without
}

// pacedEnd is the answer to an atPace request; its status is 0 for none.
type pacedEnd struct {
	status     int
	retryAfter string
	took       time.Duration
}

// send begins to send, and returns where the end will be.
func (p *pipes) send(s atPace) <-chan pacedEnd {
	start, c, ends := time.Now(), p.Dial(), make(chan pacedEnd, 1)
	go s.writeTo(c)
	go func() {
		defer func() { _ = c.Close() }()
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			ends <- pacedEnd{took: time.Since(start)}
			return
		}
		_ = res.Body.Close()
		ends <- pacedEnd{res.StatusCode, res.Header.Get("Retry-After"), time.Since(start)}
	}()
	return ends
}

func (s atPace) writeTo(c net.Conn) {
	if s.path == "" {
		s.path = "/async-function/f"
	}
	if s.pause == 0 {
		s.pause = time.Second
	}
	header := "POST " + s.path + " HTTP/1.1\r\nHost: localhost\r\n" + s.header
	var to io.WriteCloser = plainly{c}
	if s.chunked {
		header, to = header+"Transfer-Encoding: chunked\r\n\r\n", inChunks{c}
	} else {
		header += fmt.Sprintf("Content-Length: %d\r\n\r\n", s.size)
	}
	if _, err := io.WriteString(c, header); err != nil {
		return
	}
	piece := manyBytes()
	_, err := to.Write(piece[:min(s.first, s.size)])
	for sent := s.first; err == nil && sent < s.size && s.step > 0; sent += s.step {
		time.Sleep(s.pause)
		_, err = to.Write(piece[:min(s.step, s.size-sent)])
	}
	if err == nil && (s.step > 0 || s.first >= s.size) {
		_ = to.Close()
	}
}

// manyBytes are what all bodies are made of: of their own they would cost most of these tests' time.
var manyBytes = sync.OnceValue(func() []byte { return bytes.Repeat([]byte("b"), 8<<20) })

// plainly writes a body as it is.
type plainly struct{ io.Writer }

func (plainly) Close() error { return nil }

// inChunks writes a body in chunks.
type inChunks struct{ to io.Writer }

func (c inChunks) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if _, err := fmt.Fprintf(c.to, "%x\r\n", len(b)); err != nil {
		return 0, err
	}
	n, err := c.to.Write(b)
	if err != nil {
		return n, err
	}
	_, err = io.WriteString(c.to, "\r\n")
	return n, err
}

func (c inChunks) Close() error {
	_, err := io.WriteString(c.to, "0\r\n\r\n")
	return err
}
