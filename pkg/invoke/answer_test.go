package invoke

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"queue-worker/pkg/invocation"
)

// Answers, good and hostile.

// ignored are the fields that the tables here do not compare.
var ignored = cmpopts.IgnoreFields(Result{}, "Header", "Duration")

// answers sends bytes and closes. A cap of 8 bytes is set.
var answers = []struct {
	name   string
	answer string
	want   Result
}{
	{"an answer", wire(200, "hello"), Result{Status: 200, Body: []byte("hello"), Size: 5}},
	{"an empty answer", wire(202, ""), Result{Status: 202}},
	{"an error status", wire(500, "oops"), Result{Status: 500, Body: []byte("oops"), Size: 4}},
	{"an unknown status", "HTTP/1.1 799 Odd\r\nContent-Length: 0\r\n\r\n", Result{Status: 799}},
	{"a body as long as the cap", wire(200, "12345678"), Result{Status: 200, Body: []byte("12345678"), Size: 8}},
	{"a body a byte longer than the cap", wire(200, "123456789"), Result{Status: 200, Body: []byte("12345678"), Size: 8, Truncated: true}},
	{
		"a body that breaks off after the cap", "HTTP/1.1 500 x\r\nContent-Length: 99\r\n\r\n1234567890",
		Result{Status: 500, Body: []byte("12345678"), Size: 8, Truncated: true},
	},
	{
		"a Content-Length of an exabyte, and more than the cap", "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000000\r\n\r\n1234567890",
		Result{Status: 200, Body: []byte("12345678"), Size: 8, Truncated: true},
	},
	{
		"a Content-Length that is too small", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nhello",
		Result{Status: 200, Body: []byte("hel"), Size: 3},
	},
	{"a body up to the end of the connection", "HTTP/1.1 200 OK\r\n\r\nhello", Result{Status: 200, Body: []byte("hello"), Size: 5}},
	{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", Result{Status: 200, Body: []byte("hello"), Size: 5}},
	{
		"a Content-Length that is too large", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
		Result{Status: 503, Cause: "reset", Size: 5, Detail: "the connection broke: the answer with status 200 is not whole, 5 bytes of its body came"},
	},
	{
		"an error with a body that breaks off", "HTTP/1.1 404 x\r\nContent-Length: 9\r\n\r\nhello",
		Result{Status: 503, Cause: "reset", Size: 5, Detail: "the connection broke: the answer with status 404 is not whole, 5 bytes of its body came"},
	},
	{
		"chunks that break off", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
		Result{Status: 503, Cause: "reset", Size: 3, Detail: "the connection broke: the answer with status 200 is not whole, 3 bytes of its body came"},
	},
	{
		"chunks that are none", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nCANARY\r\n",
		Result{Status: 503, Cause: "transport", Detail: "the body of the answer is malformed: the answer with status 200 is not whole, 0 bytes of its body came"},
	},
	{"a 204 with a body", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", Result{Status: 204}},
	{"a 304 with a body", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", Result{Status: 304}},
	{"a few 1xx before the answer", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", 9) + wire(200, "ok"), Result{Status: 200, Body: []byte("ok"), Size: 2}},
	{"a flood of 1xx", strings.Repeat("HTTP/1.1 100 Continue\r\nX: y\r\n\r\n", 9<<10), transport("the header of the answer is too long")},
	{
		"101 with an upgrade", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello",
		transport("the answer has status 101, which ends no call"),
	},
	{"101 without one", "HTTP/1.1 101 x\r\n\r\n", transport("the answer has status 101, which ends no call")},
	{"status 0", "HTTP/1.1 000 x\r\n\r\n", transport("the answer has status 0, which ends no call")},
	{"a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", transport("the answer is not HTTP")},
	{"a negative status", "HTTP/1.1 -20 OK\r\n\r\n", transport("the answer is not HTTP")},
	{"a status that is no number", "HTTP/1.1 CANARY OK\r\n\r\n", transport("the answer is not HTTP")},
	{"another protocol", "SSH-2.0-CANARY\r\n", transport("the answer is not HTTP")},
	{"a preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", transport("the answer is not HTTP")},
	{"a header without a colon", "HTTP/1.1 200 OK\r\nCANARY\r\n\r\n", transport("the header of the answer is malformed")},
	{"two Content-Lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", transport("the answer has an unusable Content-Length")},
	{"a negative Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", transport("the answer has an unusable Content-Length")},
	{"an unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: CANARY\r\n\r\n", transport("the answer has an unknown transfer encoding")},
	{"a header of 70 KiB", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 70<<10) + "\r\n\r\n", transport("the header of the answer is too long")},
	{"nothing", "", Result{Status: 503, Cause: "reset", Detail: "the connection broke"}},
	{"half a header", "HTTP/1.1 200 OK\r\nA: b\r\n", Result{Status: 503, Cause: "reset", Detail: "the connection broke"}},
}

func transport(detail string) Result {
	return Result{Status: 503, Cause: invocation.CauseTransport, Detail: detail}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range answers {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := listen(t, func(s *socket, _ int, c net.Conn, r *bufio.Reader) {
				if s.take(r) {
					io.WriteString(c, tt.answer)
				}
			})
			call := callOf(t, "x")
			for _, keep := range []bool{true, false} {
				// A client of its own: the server closes the first one's connection at some time.
				c := newClient(t, s.address, func(o *Options) { o.MaxResponseBytes = 8 })
				call.KeepBody = keep
				want := tt.want
				if !keep {
					want.Body = nil
				}
				r := c.Function(t.Context(), call)
				if d := cmp.Diff(want, r, ignored, cmpopts.EquateEmpty()); d != "" {
					t.Errorf("keeping the body %t (-want +got):\n%s", keep, d)
				}
				switch {
				case (r.Header == nil) != (r.Cause != ""):
					t.Errorf("header %v, cause %q, duration %s: r.Header == nil = %v, want %v", r.Header, r.Cause, r.Duration, r.Header == nil, r.Cause != "")
				case r.Duration <= 0:
					t.Errorf("duration %s, want more than 0", r.Duration)
				}
			}
			if n := len(s.seen()); n != 2 {
				t.Errorf("2 calls made %d requests, want 2", n)
			}
		})
	}
}

func TestOfACallbacksAnswerOnlyTheStatusCounts(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"a body that breaks off": "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
		"chunks that are none":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n?",
		"a body beyond 64 KiB":   wire(200, strings.Repeat("x", maxCallbackAnswer+1)),
	} {
		s := listen(t, func(s *socket, _ int, c net.Conn, r *bufio.Reader) {
			if s.take(r) {
				io.WriteString(c, answer)
			}
		})
		c := newClient(t, s.address, nil)
		switch r := c.Callback(t.Context(), "http://"+s.address+"/", callOf(t, "x")); {
		case r.Status != 200:
			t.Errorf("%s: %+v, want Status 200", name, r)
		case r.Cause != "":
			t.Errorf("%s: %+v, want Cause \"\"", name, r)
		case r.Body != nil:
			t.Errorf("%s: %+v, want Body nil", name, r)
		}
	}
}

// hostile servers keep a call busy for ever; only the deadline ends it.
var hostile = map[string]func(c net.Conn, r *bufio.Reader){
	"never reads": func(_ net.Conn, r *bufio.Reader) { time.Sleep(time.Hour) },
	"never answers": func(_ net.Conn, r *bufio.Reader) {
		readRequest(r)
		r.ReadByte()
	},
	"never ends its header": func(c net.Conn, r *bufio.Reader) {
		readRequest(r)
		io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		trickle(c, "A: b\r\n")
	},
	"trickles its header": func(c net.Conn, r *bufio.Reader) {
		readRequest(r)
		trickle(c, "HTTP/1.1 200 OK\r\nA: "+strings.Repeat("x", 1<<10))
	},
	"floods 1xx": func(c net.Conn, r *bufio.Reader) {
		readRequest(r)
		trickle(c, "HTTP/1.1 100 Continue\r\n\r\n")
	},
	"hangs after its header": func(c net.Conn, r *bufio.Reader) {
		readRequest(r)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
		r.ReadByte()
	},
	"trickles its body": func(c net.Conn, r *bufio.Reader) {
		readRequest(r)
		io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		trickle(c, "x")
	},
}

// trickle writes a byte a second until the reader has gone.
func trickle(c net.Conn, s string) {
	for n := 0; ; n++ {
		time.Sleep(time.Second)
		if _, err := c.Write([]byte{s[n%len(s)]}); err != nil {
			return
		}
	}
}

func TestTheDeadlineCoversTheWholeCall(t *testing.T) {
	t.Parallel()
	for name, serve := range hostile {
		t.Run("a server that "+name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, "gateway:8080", func(o *Options) { o.Timeout, o.CallbackTimeout = time.Minute, 10*time.Second })
				piped(t, c, serve)
				call := callOf(t, strings.Repeat("x", 3*smallBody))
				r := c.Function(t.Context(), call)
				switch {
				case r.Status != 503:
					t.Errorf("function: %+v, want Status 503", r)
				case r.Cause != invocation.CauseTimeout:
					t.Errorf("function: %+v, want Cause %q", r, invocation.CauseTimeout)
				case r.Duration != time.Minute:
					t.Errorf("function: %+v, want Duration %v", r, time.Minute)
				case r.Header != nil:
					t.Errorf("function: %+v, want Header nil", r)
				case r.Body != nil:
					t.Errorf("function: %+v, want Body nil", r)
				}
				if !strings.HasPrefix(r.Detail, "no whole answer within 1m0s") {
					t.Errorf("detail is %q, want it to begin with %q", r.Detail, "no whole answer within 1m0s")
				}
				r = c.Callback(t.Context(), "http://cb/", call)
				afterHeader := strings.Contains(name, "hangs") || strings.Contains(name, "its body")
				switch {
				case r.Duration != 10*time.Second:
					t.Errorf("callback: %+v, want Duration %v", r, 10*time.Second)
				case (r.Cause != invocation.CauseTimeout) != afterHeader:
					t.Errorf("callback: %+v: r.Cause != invocation.CauseTimeout = %v, want %v", r, r.Cause != invocation.CauseTimeout, afterHeader)
				}
			})
		})
	}
}

func TestACanceledCallSaysSo(t *testing.T) {
	t.Parallel()
	for name, serve := range hostile {
		t.Run("a server that "+name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, "gateway:8080", func(o *Options) { o.Timeout = time.Minute })
				piped(t, c, serve)
				ctx, cancel := contextFor(t, 30*time.Second)
				defer cancel()
				r := c.Function(ctx, callOf(t, strings.Repeat("x", 3*smallBody)))
				switch {
				case !r.Canceled:
					t.Errorf("result is %+v: r.Canceled = false, want true", r)
				case r.Status != 0:
					t.Errorf("result is %+v, want Status 0", r)
				case r.Cause != "":
					t.Errorf("result is %+v, want Cause \"\"", r)
				case r.Duration != 30*time.Second:
					t.Errorf("result is %+v, want Duration %v", r, 30*time.Second)
				}
			})
		})
	}
}

func TestAnEndlessBodyIsCutAndItsConnectionClosed(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{true, false} {
		cut := make(chan error, 1)
		s := listen(t, func(_ *socket, _ int, c net.Conn, r *bufio.Reader) {
			readRequest(r)
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			block := make([]byte, 64<<10)
			for {
				if _, err := c.Write(block); err != nil {
					cut <- err
					return
				}
			}
		})
		c := newClient(t, s.address, nil)
		call := callOf(t, "x")
		call.KeepBody = keep
		r := c.Function(t.Context(), call)
		within(t, cut, "closing the connection")
		switch {
		case r.Status != 200:
			t.Errorf("status %d, want 200", r.Status)
		case !r.Truncated:
			t.Errorf("status %d, cause %q, truncated %t, size %d, %d bytes kept in %d: r.Truncated = false, want true", r.Status, r.Cause, r.Truncated, r.Size, len(r.Body), cap(r.Body))
		case r.Size != 1<<20:
			t.Errorf("size %d, want %d", r.Size, 1<<20)
		case keep != (r.Large != nil):
			t.Errorf("keeping the body %t: got a large body %t, want %t", keep, r.Large != nil, keep)
		case keep && r.Large.Size() != 1<<20:
			t.Errorf("got a large body of %d bytes, want %d", r.Large.Size(), 1<<20)
		case cap(r.Body) > firstRead:
			t.Errorf("got %d bytes of memory for the beginning, want at most %d", cap(r.Body), firstRead)
		}
		r.Close()
	}
}

func TestAGzipBombStaysPacked(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 8 {
		z.Write(make([]byte, 1<<20))
	}
	z.Close()
	s := answering(t, wire(200, bomb.String(), "Content-Encoding: gzip"))
	c := newClient(t, s.address, nil)
	r := c.Function(t.Context(), callOf(t, "x"))
	switch {
	case r.Status != 200:
		t.Errorf("status %d, want 200", r.Status)
	case !bytes.Equal(r.Body, bomb.Bytes()):
		t.Errorf("status %d, %d bytes of %d: r.Body = %q, want %q", r.Status, len(r.Body), bomb.Len(), r.Body, bomb.Bytes())
	case r.Header.Get("Content-Encoding") != "gzip":
		t.Errorf("status %d, %d bytes of %d: r.Header.Get(\"Content-Encoding\") = %q, want \"gzip\"", r.Status, len(r.Body), bomb.Len(), r.Header.Get("Content-Encoding"))
	}
	if strings.Contains(s.seen()[0], "Accept-Encoding") {
		t.Error(`the request asks for an encoding that its caller did not ask for, want no "Accept-Encoding" in it`)
	}
}

func TestAnAnswersLengthIsNotBelieved(t *testing.T) {
	t.Parallel()
	b, err := readUpTo(strings.NewReader("hello"), 1<<40, 1<<30)
	switch {
	case err != nil:
		t.Errorf("%v, want nil", err)
	case string(b) != "hello":
		t.Errorf("%q, %v, room for %d bytes: string(b) = %q, want \"hello\"", b, err, cap(b), string(b))
	case cap(b) > firstRead:
		t.Errorf("room for %d bytes, want at most %d", cap(b), firstRead)
	}
	for _, limit := range []int64{1, 511, 512, 513, 1 << 20} {
		b, err := readUpTo(io.LimitReader(endless{}, 2<<20), -1, limit)
		switch {
		case err != nil:
			t.Errorf("limit %d: %v, want nil", limit, err)
		case int64(len(b)) != limit:
			t.Errorf("limit %d: %d bytes in %d, %v: int64(len(b)) = %d, want %d", limit, len(b), cap(b), err, int64(len(b)), limit)
		case int64(cap(b)) > limit:
			t.Errorf("limit %d: %d bytes in %d, %v: int64(cap(b)) = %d, want at most %d", limit, len(b), cap(b), err, int64(cap(b)), limit)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// FuzzAnswer lets a server answer anything at all, then close.
func FuzzAnswer(f *testing.F) {
	for _, a := range answers {
		if len(a.answer) < 1<<10 {
			f.Add([]byte(a.answer))
		}
	}
	const limit = 8
	f.Fuzz(func(t *testing.T, answer []byte) {
		c := newClient(t, "gateway", func(o *Options) { o.MaxResponseBytes = limit })
		var requests atomic.Int32
		piped(t, c, func(c net.Conn, r *bufio.Reader) {
			if _, err := readRequest(r); err == nil {
				requests.Add(1)
				c.Write(answer)
			}
		})
		r := c.Function(t.Context(), callOf(t, "x"))
		if requests.Load() != 1 {
			t.Fatalf("one call made %d requests, want 1", requests.Load())
		}
		switch {
		case r.Canceled:
			t.Fatalf("result is %+v: r.Canceled = true, want false", r)
		case r.Malformed:
			t.Fatalf("result is %+v: r.Malformed = true, want false", r)
		case r.Refused:
			t.Fatalf("result is %+v: r.Refused = true, want false", r)
		case r.Status < 200:
			t.Fatalf("result is %+v, want Status at least 200", r)
		}
		switch failed := r.Cause != ""; {
		case failed != (r.Header == nil):
			t.Fatalf("result is %+v, want failed %v", r, r.Header == nil)
		case failed != (r.Detail != ""):
			t.Fatalf("result is %+v, want failed %v", r, r.Detail != "")
		case failed && r.Status != 503:
			t.Fatalf("result is %+v, want status 503", r)
		}
		if r.Size > limit || int64(len(r.Body)) > limit || r.Truncated && r.Size != limit {
			t.Fatalf("result is %+v", r)
		}
		if h := CallbackHeader(r, Meta{Function: "f"}); sendable(h) != nil {
			t.Fatalf("callback header is %q, want sendable(h) nil", h)
		}
	})
}
