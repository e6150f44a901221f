// File rig_raw_test.go is a publisher that speaks the protocol by hand.

package stanserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/stan.go/pb"
)

// raw is a connection with two inboxes of its own.
type raw struct {
	t            *testing.T
	conn         net.Conn
	in           *bufio.Reader
	inbox, heart string
}

// dial connects and reads INFO.
func dial(t *testing.T, s *Server) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	r := &raw{t, conn, bufio.NewReader(conn), nats.NewInbox(), nats.NewInbox()}
	if l := r.line(); !strings.HasPrefix(l, "INFO {") {
		t.Fatalf("the server begins with %q, want it to begin with %q", l, "INFO {")
	}
	return r
}

// greet is dial, CONNECT and subscriptions to both inboxes.
func greet(t *testing.T, s *Server) *raw {
	t.Helper()
	r := dial(t, s)
	r.send("CONNECT {\"verbose\":false}\r\nSUB %s 1\r\nSUB %s 2\r\n", r.inbox, r.heart)
	r.sync()
	return r
}

func (r *raw) send(format string, v ...any) {
	r.t.Helper()
	if _, err := fmt.Fprintf(r.conn, format, v...); err != nil {
		r.t.Fatal(err)
	}
}

// line is the next line, "" at the end of the connection. The server may ask at any time whether the
// client is there.
func (r *raw) line() string {
	r.t.Helper()
	l, err := r.in.ReadString('\n')
	if l == "PING\r\n" {
		r.send("PONG\r\n")
		return r.line()
	}
	if err != nil && l == "" {
		if nerr, ok := err.(net.Error); ok && nerr.Timeout() {
			r.t.Fatal("the server says nothing")
		}
		return ""
	}
	return strings.TrimRight(l, "\r\n")
}

// message is the next message as it is; other lines are errors.
func (r *raw) message() string {
	r.t.Helper()
	l := r.line()
	f := strings.Fields(l)
	var n int
	if len(f) < 4 || f[0] != "MSG" || scanInt(f[len(f)-1], &n) != nil {
		r.t.Fatalf("got %q, want a message", l)
	}
	b := make([]byte, n+2)
	if _, err := io.ReadFull(r.in, b); err != nil {
		r.t.Fatal(err)
	}
	return string(b[:n])
}

func scanInt(s string, n *int) error { _, err := fmt.Sscan(s, n); return err }

// sync waits until everything that was sent has been carried out. It returns the
// lines until then, without INFO.
func (r *raw) sync() (lines []string) {
	r.t.Helper()
	r.send("PING\r\n")
	for {
		switch l := r.line(); {
		case l == "PONG":
			return lines
		case l == "":
			r.t.Fatalf("the connection ended after %q", lines)
		case strings.HasPrefix(l, "INFO "):
		default:
			lines = append(lines, l)
		}
	}
}

// refused checks that what was sent last is refused, and that the connection lives.
func (r *raw) refused(what string) {
	r.t.Helper()
	if got := r.sync(); len(got) != 1 || !strings.HasPrefix(got[0], "-ERR 'Permissions Violation for ") {
		r.t.Errorf("%s: the answer is %q", what, got)
	}
}

// cut checks that the connection ends, and returns the line before the end.
func (r *raw) cut() (last string) {
	r.t.Helper()
	for {
		l := r.line()
		if l == "" {
			return last
		}
		last = l
	}
}

// request publishes a message of NATS Streaming.
func (r *raw) request(subject, reply string, m marshaler) {
	r.t.Helper()
	b, err := m.Marshal()
	if err != nil {
		r.t.Fatal(err)
	}
	r.send("PUB %s %s %d\r\n%s\r\n", subject, reply, len(b), b)
}

// join connects a client id and returns the error of the answer.
func (r *raw) join(id, secret string) string {
	r.t.Helper()
	r.request("_STAN.discover.faas-cluster", r.inbox, &pb.ConnectRequest{ClientID: id, ConnID: []byte(secret), HeartbeatInbox: r.heart, Protocol: 1})
	var answer pb.ConnectResponse
	if err := answer.Unmarshal([]byte(r.message())); err != nil {
		r.t.Fatal(err)
	}
	return answer.Error
}

// close asks for a client id to be closed and returns the error of the answer.
func (r *raw) close(id string) string {
	r.t.Helper()
	r.request("_STAN.close.faas-cluster", r.inbox, &pb.CloseRequest{ClientID: id})
	var answer pb.CloseResponse
	if err := answer.Unmarshal([]byte(r.message())); err != nil {
		r.t.Fatal(err)
	}
	return answer.Error
}

// publishTo publishes a message and returns the error of the confirmation.
func (r *raw) publishTo(subject string, m *pb.PubMsg) string {
	r.t.Helper()
	r.request(subject, r.inbox, m)
	var ack pb.PubAck
	if err := ack.Unmarshal([]byte(r.message())); err != nil {
		r.t.Fatal(err)
	}
	return ack.Error
}

// spy sees every message inside the server.
func spy(t *testing.T, s *Server) *nats.Subscription {
	t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	sub, err := nc.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return sub
}

// await is the first message inside the server that is as wanted.
func await(t *testing.T, sub *nats.Subscription, what string, is func(*nats.Msg) bool) *nats.Msg {
	t.Helper()
	for {
		m, err := sub.NextMsg(patience)
		if err != nil {
			t.Fatalf("waiting for %s: %v, want nil", what, err)
		}
		if is(m) {
			return m
		}
	}
}
