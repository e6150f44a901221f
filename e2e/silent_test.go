// Hosts that accept a callback and never answer it take nothing from functions.

package e2e

import (
	"fmt"
	"net"
	"testing"
	"time"
)

// newSilentHost starts a host that accepts connections and never answers. It sends to
// accepted for each of them.
func newSilentHost(t *testing.T, address string, accepted chan<- struct{}) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var open []net.Conn
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open = append(open, c)
			accepted <- struct{}{}
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
		for _, c := range open {
			_ = c.Close()
		}
	})
	return "http://" + l.Addr().String()
}

func TestSilentHostsOfCallbacksHoldUpNoFunction(t *testing.T) {
	t.Parallel()
	const hosts = 20
	for _, tt := range []struct {
		inflight int
		silent   int // calls of silent hosts at a time
		proven   bool
	}{
		{1, 1, false}, {2, 1, false}, {8, 2, true}, {50, 12, true},
	} {
		t.Run(fmt.Sprintf("max_inflight %d", tt.inflight), func(t *testing.T) {
			t.Parallel()
			s, answers := newStand(t, fmt.Sprint("max_inflight=", tt.inflight), "callback_timeout=1h", "drain_timeout=1s"), newStub(t)
			w := s.worker()
			first := call("quiet", "", withCallback(answers.url()))
			s.broker.publish(t, first)
			w.posted(t, first, "done")

			accepted := make(chan struct{}, hosts)
			var calls []*message
			for n := range hosts {
				url := newSilentHost(t, fmt.Sprintf("127.0.%d.%d:0", 1+tt.inflight, n+1), accepted)
				calls = append(calls, call("fn", "", withCallback(url)))
			}
			s.broker.publish(t, calls...)
			for _, m := range calls {
				w.next(t, m, "done")
			}
			for range tt.silent {
				<-accepted
			}
			for range 10 {
				m := call("quiet", "")
				s.broker.publish(t, m)
				w.next(t, m, "done")
			}
			if tt.proven {
				m := call("quiet", "", withCallback(answers.url()))
				s.broker.publish(t, m)
				w.posted(t, m, "done")
			}
			select {
			case <-accepted:
				t.Errorf("more than %d silent hosts are called at a time", tt.silent)
			case <-time.After(100 * time.Millisecond): // a violation may be missed, not invented
			}
		})
	}
}
