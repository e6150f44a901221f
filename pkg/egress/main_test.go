// What the tests share: canaries that must stay silent, and a DNS server that lies.

package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// canary is a listener that counts the connections it gets.
type canary struct {
	addr string
	port string
	seen atomic.Int64
}

// newCanary listens on address, and skips the test when the machine has no such
// address: not every one has IPv6, or more than one loopback address.
func newCanary(t *testing.T, address string) *canary {
	t.Helper()
	c, err := listen(t, address)
	if err != nil {
		t.Skipf("this machine cannot listen on %s: %v", address, err)
	}
	return c
}

// newCanaries listens on the same port of 127.0.0.1 and, where there is IPv6, [::1].
func newCanaries(t *testing.T) []*canary {
	t.Helper()
	for {
		four := newCanary(t, "127.0.0.1:0")
		six, err := listen(t, "[::1]:"+four.port)
		if err == nil {
			return []*canary{four, six}
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Logf("only IPv4: %v", err)
			return []*canary{four}
		}
	}
}

func listen(t *testing.T, address string) (*canary, error) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &canary{addr: l.Addr().String()}
	_, c.port, _ = net.SplitHostPort(c.addr)
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.seen.Add(1)
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		done.Wait()
	})
	return c, nil
}

// connections is how many came in before this call. It makes one of its own and
// waits until that is closed: connections are accepted in the order of arrival.
func (c *canary) connections(t *testing.T) int64 {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", c.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = conn.Read(make([]byte, 1)) // ends when the canary closes it, after counting
	return c.seen.Add(-1)
}

// lookups answers DNS questions: the addresses of a name, for the n-th question
// of that type, n from 1.
type lookups func(name string, n int) []netip.Addr

// newResolver starts a DNS server and gives a resolver that asks nothing else.
func newResolver(t *testing.T, answer lookups) *net.Resolver {
	t.Helper()
	pc, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() { serveDNS(pc, answer) })
	t.Cleanup(func() {
		_ = pc.Close()
		done.Wait()
	})
	return &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "udp", pc.LocalAddr().String())
		},
	}
}

func serveDNS(pc net.PacketConn, answer lookups) {
	asked := map[dnsmessage.Question]int{}
	buf := make([]byte, 1500)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		q := m.Questions[0]
		asked[q]++
		r := reply(m.ID, q, answer(strings.TrimSuffix(q.Name.String(), "."), asked[q]))
		if b, err := r.Pack(); err == nil {
			_, _ = pc.WriteTo(b, from)
		}
	}
}

// reply holds the addresses that are of the type that was asked for.
func reply(id uint16, q dnsmessage.Question, addrs []netip.Addr) *dnsmessage.Message {
	r := &dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, Response: true, Authoritative: true, RecursionAvailable: true},
		Questions: []dnsmessage.Question{q},
	}
	for _, a := range addrs {
		h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
		switch {
		case q.Type == dnsmessage.TypeA && a.Is4():
			r.Answers = append(r.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
		case q.Type == dnsmessage.TypeAAAA && a.Is6():
			r.Answers = append(r.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	return r
}

// everything resolves every name to the same addresses.
func everything(addrs ...string) lookups {
	var list []netip.Addr
	for _, a := range addrs {
		list = append(list, netip.MustParseAddr(a))
	}
	return func(string, int) []netip.Addr { return list }
}

// newGuard is New for options that are known to be right.
func newGuard(t testing.TB, o Options) *Guard {
	t.Helper()
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// dial connects through the guard and closes the connection.
func dial(t *testing.T, g *Guard, address string) error {
	t.Helper()
	conn, err := g.DialContext(t.Context(), "tcp", address)
	if err == nil {
		_ = conn.Close()
	}
	return err
}

// dialFunction is dial for the path of a function.
func dialFunction(t *testing.T, g *Guard, address string) error {
	t.Helper()
	conn, err := g.DialFunction(t.Context(), "tcp", address)
	if err == nil {
		_ = conn.Close()
	}
	return err
}

// call posts to a URL as a callback does: CheckURL, then HTTP through the guard.
func call(t *testing.T, g *Guard, raw string) error {
	t.Helper()
	u, err := g.CheckURL(raw)
	if err != nil {
		return err
	}
	return post(t, g, u)
}

// post posts to a URL that was not checked, as one that an earlier version stored.
func post(t *testing.T, g *Guard, u *url.URL) error {
	t.Helper()
	transport := &http.Transport{DialContext: g.DialContext, DisableKeepAlives: true}
	if g.ToFunction(u) {
		transport.DialContext = g.DialFunction
	}
	defer transport.CloseIdleConnections()
	req := (&http.Request{Method: http.MethodPost, URL: u, Header: http.Header{}}).WithContext(t.Context())
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	return nil
}

func mustURL(raw string) *url.URL {
	u, err := url.Parse(raw)
	if err != nil {
		panic(fmt.Sprint("a test's own URL: ", err))
	}
	return u
}
