package invoke

// Answers that are longer than 64 KiB: whole, within the budget of memory, and never in the way of others.

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/spool"
)

// withSpool makes a spool with so much memory, and files when dir is true.
func withSpool(t *testing.T, memory int64, dir bool) *spool.Spool {
	t.Helper()
	o := spool.Options{Memory: memory}
	if dir {
		o.Dir = t.TempDir()
	}
	s, err := spool.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestALargeAnswerArrivesWhole(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		size   int
		dir    bool
		want   int64 // bytes of the large body, 0 for none
		noRoom bool
		cut    bool
	}{
		"64 KiB less one":     {firstRead - 1, true, 0, false, false},
		"64 KiB":              {firstRead, true, firstRead, false, false},
		"in memory":           {3 * firstRead, true, 3 * firstRead, false, false},
		"in a file":           {9*firstRead + 1, true, 9*firstRead + 1, false, false},
		"beyond the limit":    {20 * firstRead, true, 16 * firstRead, false, true},
		"no room and no file": {16 * firstRead, false, 8 * firstRead, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := strings.Repeat("0123456789abcdef", tt.size/16+1)[:tt.size]
			s, room := answering(t, wire(200, body, "Content-Md5: x")), withSpool(t, 8*firstRead, tt.dir)
			c := newClient(t, s.address, func(o *Options) { o.MaxResponseBytes, o.Spool = 16*firstRead, room })
			r := c.Function(t.Context(), callOf(t, "x"))
			got := int64(0)
			if r.Large != nil {
				got = r.Large.Size()
				if b, err := r.Large.Bytes(); err != nil || string(b) != body[:tt.want] {
					t.Errorf("got %d other bytes, %v, want the beginning of the body", len(b), err)
				}
			}
			if got != tt.want {
				t.Errorf("large body: got %d bytes, want %d", got, tt.want)
			}
			if r.Truncated != tt.cut || r.NoRoom != tt.noRoom {
				t.Errorf("got truncated %t and no room %t, want %t and %t", r.Truncated, r.NoRoom, tt.cut, tt.noRoom)
			}
			if !strings.HasPrefix(body, string(r.Body)) || len(r.Body) != min(tt.size, firstRead) {
				t.Errorf("got %d bytes of the beginning, want %d", len(r.Body), min(tt.size, firstRead))
			}
			h := CallbackHeader(r, Meta{})
			if got := h.Get("Content-Md5") == ""; got != tt.cut {
				t.Errorf("digest of the whole removed: got %t, want %t", got, tt.cut)
			}
			r.Close()
			if m, f := room.Held(); m != 0 || f != 0 {
				t.Errorf("held at the end: got %d and %d bytes, want none", m, f)
			}
		})
	}
}

// TestALargeAnswerThatIsNotUsedHoldsNothing has answers that break off, and redirects with bodies.
func TestALargeAnswerThatIsNotUsedHoldsNothing(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("x", 5*firstRead)
	for name, answer := range map[string]string{
		"that breaks off":           "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + body,
		"of a redirect elsewhere":   wire(302, body, "Location: http://login.example/"),
		"of a redirect to the same": wire(307, body, "Location: /function/figlet/", "X-Start-Time: "+strconv.FormatInt(time.Now().UnixNano(), 10)),
	} {
		room := withSpool(t, 1<<20, false)
		s := listen(t, func(s *socket, _ int, c net.Conn, r *bufio.Reader) {
			if s.take(r) {
				_, _ = io.WriteString(c, answer)
			}
		})
		c := newClient(t, s.address, func(o *Options) { o.Spool = room })
		r := c.Function(t.Context(), callOf(t, "x"))
		r.Close()
		if m, f := room.Held(); m != 0 || f != 0 {
			t.Errorf("an answer %s: got %d and %d bytes held, want none", name, m, f)
		}
	}
}

func TestWhatIsWrongAboutACutAnswerIsRemoved(t *testing.T) {
	t.Parallel()
	h := http.Header{"Etag": {"a"}, "Digest": {"a"}, "Content-Digest": {"a"}, "Repr-Digest": {"a"}, "Content-Md5": {"a"}, "Content-Type": {"text/plain"}}
	whole, cut := CallbackHeader(Result{Status: 200, Header: h}, Meta{}), CallbackHeader(Result{Status: 200, Header: h, Truncated: true}, Meta{})
	for name := range h {
		if whole.Get(name) == "" {
			t.Errorf("%s of a whole answer: got none, want that of the function", name)
		}
		if got, want := cut.Get(name) == "", name != "Content-Type"; got != want {
			t.Errorf("%s of a cut answer removed: got %t, want %t", name, got, want)
		}
	}
}

// TestAnswersThatTrickleDelayNoOther has eight functions that send 8 MiB in a minute, which is all the memory that
// large answers have, and beside them two that answer at once, one of them with a large answer.
func TestAnswersThatTrickleDelayNoOther(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]bool{"with files": true, "without files": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const size, steps = 8 << 20, 60
				room := withSpool(t, 64<<20, dir)
				c := newClient(t, "gateway", func(o *Options) { o.MaxInflight, o.MaxResponseBytes, o.Spool = 16, size, room })
				piped(t, c, func(c net.Conn, r *bufio.Reader) {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					n, wait := size, time.Second
					switch req.Header.Get("X-Kind") {
					case "small":
						n, wait = 5, 0
					case "large":
						wait = 0
					}
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "+strconv.Itoa(n)+"\r\n\r\n")
					for sent := 0; sent < n; {
						part := min(n-sent, size/steps)
						time.Sleep(wait)
						if _, err := c.Write(bytes.Repeat([]byte("x"), part)); err != nil {
							return
						}
						sent += part
					}
				})
				results := make(chan Result, 8)
				for range 8 {
					go func() { results <- c.Function(t.Context(), kindOf(t, "slow")) }()
				}
				time.Sleep(steps*time.Second - time.Second/2) // their memory is taken
				for _, kind := range []string{"small", "large"} {
					r := c.Function(t.Context(), kindOf(t, kind))
					if r.Status != 200 || r.Duration != 0 {
						t.Errorf("a %s answer: got status %d after %s, want 200 at once", kind, r.Status, r.Duration)
					}
					if want := kind == "large" && !dir; r.Truncated != want {
						t.Errorf("a %s answer: got truncated %t, want %t", kind, r.Truncated, want)
					}
					r.Close()
				}
				for range 8 {
					r := <-results
					if r.Truncated || r.Size != size {
						t.Errorf("a slow answer: got %d bytes, truncated %t, want all of them", r.Size, r.Truncated)
					}
					r.Close()
				}
			})
		})
	}
}

// kindOf is a call with a header that says what the answer is.
func kindOf(t *testing.T, kind string) Call {
	call := callOf(t, "x")
	call.Request.Header = http.Header{"X-Kind": {kind}}
	call.KeepBody = true
	return call
}
