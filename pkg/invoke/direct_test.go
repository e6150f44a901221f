package invoke

import (
	"bufio"
	"io"
	"net"
	"testing"
	"testing/synctest"
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
			t.Fatalf("result is %+v", r)
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
