package invoke

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"
	"go.uber.org/goleak"

	"queue-worker/pkg/invocation"
)

// What the tests of this package share: a client, requests as they come off the
// queue, and servers that are nothing but a socket.

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // net/http logs there what servers send unasked
	goleak.VerifyTestMain(m)
}

var testID = invocation.ID{0x01, 0x98, 0xf2, 0xa4, 0x7c, 0x1e, 0x7b, 0x3d, 0x9f, 0x60, 0x2a, 0x41, 0xc5, 0xd0, 0xe8, 0xb7}

const testIDText = "0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7"

// newClient makes a client of the gateway at address; change adapts its options.
func newClient(tb testing.TB, address string, change func(*Options)) *Client {
	tb.Helper()
	o := Options{
		Gateway:          &url.URL{Scheme: "http", Host: address},
		MaxResponseBytes: 1 << 20,
		MaxInflight:      8,
		Version:          "1.2.3",
		Guard:            dialing((&net.Dialer{}).DialContext),
	}
	if change != nil {
		change(&o)
	}
	c := New(o)
	tb.Cleanup(c.Close)
	return c
}

// dialing is a guard that opens each connection in the same way.
type dialing dialer

func (dialing) CheckURL(raw string) (*url.URL, error) { return url.Parse(raw) }

func (dialing) ToFunction(*url.URL) bool { return false }

func (d dialing) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d(ctx, network, address)
}

func (d dialing) DialFunction(ctx context.Context, network, address string) (net.Conn, error) {
	return d(ctx, network, address)
}

// decoded brings q through the queue.
func decoded(tb testing.TB, q types.QueueRequest) *invocation.Request {
	tb.Helper()
	raw, err := json.Marshal(q)
	if err != nil {
		tb.Fatal(err)
	}
	r, err := invocation.Decode(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// callOf is a first attempt with the given body.
func callOf(tb testing.TB, body string) Call {
	tb.Helper()
	r := decoded(tb, types.QueueRequest{Function: "figlet", Body: []byte(body)})
	return Call{ID: testID, CallID: "c1", RetryMax: 10, Request: r, KeepBody: true}
}

// socket is a server that is nothing but a socket.
type socket struct {
	address string

	mu       sync.Mutex
	requests []string // as they came, header and body
	conns    int
}

// listen serves every connection with serve, n counting them from 0, and closes
// it after. The test ends when all are served.
func listen(tb testing.TB, serve func(s *socket, n int, c net.Conn, r *bufio.Reader)) *socket {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &socket{address: l.Addr().String()}
	var served sync.WaitGroup
	served.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns++
			s.mu.Unlock()
			served.Go(func() {
				defer c.Close()
				serve(s, n, c, bufio.NewReader(c))
			})
		}
	})
	tb.Cleanup(func() {
		l.Close()
		served.Wait()
	})
	return s
}

// answering serves every request with the same bytes for as long as it may.
func answering(tb testing.TB, answer string) *socket {
	tb.Helper()
	return listen(tb, func(s *socket, _ int, c net.Conn, r *bufio.Reader) {
		for s.take(r) {
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	})
}

// take reads one request and remembers its bytes. It reports false when there is none.
func (s *socket) take(r *bufio.Reader) bool {
	raw, err := readRequest(r)
	if err != nil {
		return false
	}
	s.mu.Lock()
	s.requests = append(s.requests, raw)
	s.mu.Unlock()
	return true
}

func (s *socket) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

// readRequest reads the bytes of one request, whose length is in its header.
func readRequest(r *bufio.Reader) (string, error) {
	var b strings.Builder
	length := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		b.WriteString(line)
		if line == "\r\n" {
			break
		}
		if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			if length, err = strconv.Atoi(strings.TrimSpace(v)); err != nil {
				return "", err
			}
		}
	}
	_, err := io.CopyN(&b, r, int64(length))
	return b.String(), err
}

// wire writes an answer with a body of known length.
func wire(status int, body string, fields ...string) string {
	h := ""
	for _, f := range fields {
		h += f + "\r\n"
	}
	return fmt.Sprintf("HTTP/1.1 %d %s\r\n%sContent-Length: %d\r\n\r\n%s", status, http.StatusText(status), h, len(body), body)
}

// crlf makes the line ends of HTTP out of those of Go.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// piped makes the client talk to serve over pipes in memory, so that a call can be
// made in a synctest bubble.
func piped(tb testing.TB, c *Client, serve func(c net.Conn, r *bufio.Reader)) {
	tb.Helper()
	var served sync.WaitGroup
	dial := func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		served.Go(func() {
			defer far.Close()
			serve(far, bufio.NewReader(far))
		})
		return near, nil
	}
	c.functions.DialContext = counted(dial)
	c.callbacks.DialContext = counted(dial)
	tb.Cleanup(func() {
		c.Close()
		served.Wait()
	})
}

// within fails the test when a wait that has to end does not.
func within[T any](tb testing.TB, ch <-chan T, what string) T {
	tb.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(30 * time.Second):
		tb.Fatalf("%s did not happen", what)
		panic("unreachable")
	}
}

func mustDecode(tb testing.TB, raw []byte) *invocation.Request {
	tb.Helper()
	r, err := invocation.Decode(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// contextFor is a context that is canceled after d, without a deadline.
func contextFor(tb testing.TB, d time.Duration) (context.Context, context.CancelFunc) {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	timer := time.AfterFunc(d, cancel)
	return ctx, func() {
		timer.Stop()
		cancel()
	}
}

// quiet is for servers that would log the failures which tests provoke.
var quiet = log.New(io.Discard, "", 0)
