package invoke

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/invocation"
)

func TestCloseClosesIdleConnectionsOfSmallRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		open := 0
		c := newClient(t, "gw:8080", nil)
		piped(t, c, func(s net.Conn, r *bufio.Reader) {
			open++
			defer func() { open-- }()
			for {
				if _, err := readRequest(r); err != nil {
					return
				}
				io.WriteString(s, wire(200, "ok"))
			}
		})
		if r := c.Function(t.Context(), callOf(t, "x")); r.Status != 200 {
			t.Fatalf("result is %+v, want Status 200", r)
		}
		synctest.Wait()
		if open != 1 {
			t.Errorf("connections after the call: got %d, want 1", open)
		}
		c.Close()
		synctest.Wait()
		if open != 0 {
			t.Errorf("connections after Close: got %d, want 0", open)
		}
	})
}

// After 101 the connection belongs to whatever answered so. The next request, of
// another function perhaps, must not go there. A client that waits for another answer behind such
// a one fails at the end of the context.
func TestAConnectionThatSwitchedProtocolsIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", "HTTP/1.1 099 x\r\nContent-Length: 0\r\n\r\n"} {
		synctest.Test(t, func(t *testing.T) {
			var opened atomic.Int32
			c := newClient(t, "gw:8080", nil)
			piped(t, c, func(s net.Conn, r *bufio.Reader) {
				opened.Add(1)
				for {
					if _, err := readRequest(r); err != nil {
						return
					}
					_, _ = io.WriteString(s, answer) // an error shows in the result
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			for range 2 {
				if r := c.Function(ctx, callOf(t, "x")); r.Cause != invocation.CauseTransport {
					t.Errorf("%q: result is %+v, want Cause %q", answer, r, invocation.CauseTransport)
				}
			}
			c.Close()
			if opened.Load() != 2 {
				t.Errorf("%q: %d connections for two requests, want 2", answer, opened.Load())
			}
		})
	}
}
