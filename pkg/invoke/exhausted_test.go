package invoke

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"queue-worker/pkg/descriptor"
	"queue-worker/pkg/egress"
	"queue-worker/pkg/invocation"
)

// starve lets the dials of a client fail, and returns a function that ends this and one that counts
// the failed dials.
func starve(c *Client, failure error) (end func(), failed func() int) {
	var ended atomic.Bool
	var count atomic.Int64
	wrap := func(dial dialer) dialer {
		return func(ctx context.Context, network, address string) (net.Conn, error) {
			if !ended.Load() {
				count.Add(1)
				return nil, failure
			}
			return dial(ctx, network, address)
		}
	}
	c.functions.DialContext = wrap(c.functions.DialContext)
	c.callbacks.DialContext = wrap(c.callbacks.DialContext)
	return func() { ended.Store(true) }, func() int { return int(count.Load()) }
}

// exhaustions are the forms in which a dialer reports that no descriptor is free.
var exhaustions = map[string]error{
	"for a socket":   &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)},
	"in the system":  &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.ENFILE)},
	"for a buffer":   &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ENOBUFS)},
	"for a lookup":   &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "dial udp 10.0.0.10:53: socket: too many open files", Name: "gateway"}},
	"for the checks": &net.OpError{Op: "dial", Err: fmt.Errorf("%w: 10.0.0.9:80: %w", egress.ErrRefused, os.NewSyscallError("netlinkrib", syscall.EMFILE))},
}

// ways are the calls that a client makes.
func ways(t *testing.T) map[string]func(ctx context.Context, c *Client, change func(*Call)) Result {
	call := func(body string, change func(*Call)) Call {
		k := callOf(t, body)
		if change != nil {
			change(&k)
		}
		return k
	}
	return map[string]func(ctx context.Context, c *Client, change func(*Call)) Result{
		"a small function call": func(ctx context.Context, c *Client, change func(*Call)) Result {
			return c.Function(ctx, call("hello", change))
		},
		"a large function call": func(ctx context.Context, c *Client, change func(*Call)) Result {
			return c.Function(ctx, call(bodies["a streamed body"], change))
		},
		"a callback": func(ctx context.Context, c *Client, change func(*Call)) Result {
			return c.Callback(ctx, "http://"+c.gateway.Host+"/done", call("hello", change))
		},
	}
}

func TestACallWaitsForAFreeDescriptor(t *testing.T) {
	t.Parallel()
	for way, send := range ways(t) {
		for what, failure := range exhaustions {
			t.Run(way+" "+what, func(t *testing.T) {
				t.Parallel()
				s := listen(t, func(s *socket, _ int, c net.Conn, r *bufio.Reader) {
					for s.take(r) {
						io.WriteString(c, wire(200, "fine"))
					}
				})
				c := newClient(t, s.address, func(o *Options) { o.Timeout = time.Minute })
				end, failed := starve(c, failure)
				answered := make(chan Result, 1)
				go func() { answered <- send(t.Context(), c, nil) }()
				for failed() < 3 {
					select {
					case r := <-answered:
						t.Fatalf("%+v without a descriptor", r)
					case <-time.After(time.Millisecond):
					}
				}
				end()
				r := <-answered
				switch {
				case r.Status != 200:
					t.Errorf("%+v, want Status 200", r)
				case r.Cause != "":
					t.Errorf("%+v, want Cause \"\"", r)
				case r.Refused:
					t.Errorf("%+v: r.Refused = true, want false", r)
				case r.Waited <= 0:
					t.Errorf("%+v, want Waited more than 0", r)
				}
				s.mu.Lock()
				defer s.mu.Unlock()
				if n := len(s.requests); n != 1 {
					t.Errorf("%d requests came, want 1", n)
				}
			})
		}
	}
}

func TestWhatWaitsForADescriptorCanBeCanceledAndExpires(t *testing.T) {
	t.Parallel()
	for way, send := range ways(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, "127.0.0.1:1", nil)
			_, failed := starve(c, exhaustions["for a socket"])
			ctx, cancel := context.WithCancel(t.Context())
			answered := make(chan Result, 1)
			go func() { answered <- send(ctx, c, nil) }()
			for failed() < 2 {
				time.Sleep(time.Millisecond)
			}
			cancel()
			switch r := <-answered; {
			case !r.Canceled:
				t.Errorf("after its cancellation: %+v: r.Canceled = false, want true", r)
			case r.Cause != "":
				t.Errorf("after its cancellation: %+v, want Cause \"\"", r)
			}
			soon := &invocation.Terms{Expires: time.Now().Add(150 * time.Millisecond)}
			r := send(t.Context(), c, func(k *Call) { k.Terms = soon })
			switch {
			case !r.Expired:
				t.Errorf("after its time: %+v, want expired", r)
			case r.Canceled:
				t.Errorf("after its time: %+v, want not canceled", r)
			case r.Cause != "":
				t.Errorf("after its time: %+v, want cause empty", r)
			case r.Status != 0:
				t.Errorf("after its time: %+v, want status 0", r)
			case time.Now().Before(soon.Expires):
				t.Errorf("after its time: %+v, want now not before %v", r, soon.Expires)
			}
		})
	}
}

// full is a connection whose writes fail for want of a buffer, after some bytes.
type full struct {
	net.Conn
	bytes int
}

func (f full) Write(p []byte) (int, error) {
	n, err := f.Conn.Write(p[:min(f.bytes, len(p))])
	return n, errors.Join(&net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.ENOBUFS)}, err)
}

// TestOnlyWhatWasNotSentIsSentAgainAfterENOBUFS: what has left may have called the function.
func TestOnlyWhatWasNotSentIsSentAgainAfterENOBUFS(t *testing.T) {
	t.Parallel()
	for way, send := range ways(t) {
		for _, written := range []int{0, 7} {
			t.Run(fmt.Sprintf("%s, %d bytes were written", way, written), func(t *testing.T) {
				t.Parallel()
				s := listen(t, func(s *socket, _ int, c net.Conn, r *bufio.Reader) {
					for s.take(r) {
						io.WriteString(c, wire(200, "fine"))
					}
				})
				var dials atomic.Int64
				c := newClient(t, s.address, nil)
				first := counted(func(ctx context.Context, network, address string) (net.Conn, error) {
					under, err := (&net.Dialer{}).DialContext(ctx, network, address)
					if err == nil && dials.Add(1) == 1 {
						return full{under, written}, nil
					}
					return under, err
				})
				c.functions.DialContext, c.callbacks.DialContext = first, first
				r := send(t.Context(), c, nil)
				if written == 0 && (r.Status != 200 || r.Cause != "" || r.Waited <= 0) || written > 0 && r.Cause == "" {
					t.Errorf("%+v", r)
				}
			})
		}
	}
}

// lacksOnTheWay are the errors of the dialer that are the worker's own trouble on the way to the gateway, and an attempt
// on the way to a host that a caller chose.
var lacksOnTheWay = map[string]error{
	"no free local port":         &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)},
	"a DNS that does not answer": &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "i/o timeout", Name: "gateway", IsTimeout: true}},
	"a DNS that fails":           &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "server misbehaving", Name: "gateway", IsTemporary: true}},
}

func TestTheTroubleOfTheWorkerItselfIsNoAttempt(t *testing.T) {
	t.Parallel()
	for way, send := range ways(t) {
		for what, failure := range lacksOnTheWay {
			t.Run(way+", "+what, func(t *testing.T) {
				t.Parallel()
				s := answering(t, wire(200, "fine"))
				m := descriptor.NewMonitor(slog.New(slog.DiscardHandler))
				c := newClient(t, s.address, func(o *Options) { o.Descriptors = m })
				end, failed := starve(c, failure)
				answered := make(chan Result, 1)
				go func() { answered <- send(t.Context(), c, nil) }()
				if way == "a callback" {
					if r := <-answered; r.Cause == "" || r.Waited != 0 || m.Lacks() != nil {
						t.Errorf("got %+v and %v, want an attempt that failed", r, m.Lacks())
					}
					return
				}
				for failed() < 2 {
					select {
					case r := <-answered:
						t.Fatalf("got %+v, want a call that waits", r)
					case <-time.After(time.Millisecond):
					}
				}
				if m.Lacks() == nil {
					t.Error("the monitor names no lack while a call waits, want lacks set")
				}
				end()
				if r := <-answered; r.Status != 200 || r.Cause != "" || r.Waited <= 0 {
					t.Errorf("got %+v, want the answer after a wait", r)
				}
			})
		}
	}
}

func TestANameThatIsNotThereIsAnAttempt(t *testing.T) {
	t.Parallel()
	c := newClient(t, "127.0.0.1:1", nil)
	starve(c, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "gateway", IsNotFound: true}})
	if r := c.Function(t.Context(), callOf(t, "x")); r.Cause != invocation.CauseDNS {
		t.Errorf("got %+v, want cause dns", r)
	}
}

// TestAProxyThatAsksForCredentialsIsNoAttempt: its 407 is no answer of the function, which the gateway would mark.
func TestAProxyThatAsksForCredentialsIsNoAttempt(t *testing.T) {
	t.Parallel()
	for _, large := range []bool{false, true} {
		h := newHops(t, hopAnswer{status: 407}, hopAnswer{status: 200, started: now(0)})
		if r := h.client(t, nil).Function(t.Context(), redirectedCall(t, large, nil)); r.Status != 200 || r.Waited <= 0 {
			t.Errorf("large %v: got %+v, want the second answer after a wait", large, r)
		}
		h = newHops(t, hopAnswer{status: 407, started: now(0)})
		if r := h.client(t, nil).Function(t.Context(), redirectedCall(t, large, nil)); r.Status != 407 || r.Waited != 0 {
			t.Errorf("large %v: got %+v, want the function's own 407", large, r)
		}
		r := h.client(t, nil).Callback(t.Context(), h.plain.URL, stored(t, nil, "x"))
		if r.Status != 407 || r.Waited != 0 {
			t.Errorf("large %v: got %+v, want the receiver's own 407", large, r)
		}
		h = newHops(t, hopAnswer{status: 407})
		k := redirectedCall(t, large, nil)
		k.Terms = &invocation.Terms{Expires: time.Now().Add(100 * time.Millisecond)}
		if r := h.client(t, nil).Function(t.Context(), k); !r.Expired || r.Detail != "a proxy before the gateway asks for credentials" {
			t.Errorf("large %v: got %+v, want an end that names the proxy", large, r)
		}
	}
}
