// File abuse_test.go holds that no client can exhaust embedded NATS Streaming, or break
// it with what is not its protocol.

package stanserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/stan.go/pb"

	"queue-worker/internal/testkit"
)

func TestWhatIsNotTheProtocolEndsTheConnection(t *testing.T) {
	t.Parallel()
	s := start(t, Options{MaxPayload: 1 << 20})
	gateway := connect(t, s.URL(), "gateway")
	for name, tt := range map[string]struct{ sent, answer string }{
		"no command":                   {"CANARY\r\n", "Unknown Protocol Operation"},
		"an empty line":                {"\r\n", "Unknown Protocol Operation"},
		"a huge line":                  {"SUB " + strings.Repeat("C", 8<<10) + " 1\r\n", "Maximum Control Line Exceeded"},
		"a huge line without an end":   {strings.Repeat("C", 64<<10), "Maximum Control Line Exceeded"},
		"headers":                      {"HPUB CANARY 12 13\r\nNATS/1.0\r\n\r\nx\r\n", "Unknown Protocol Operation"},
		"a message of the server":      {"MSG CANARY 1 1\r\nx\r\n", "Unknown Protocol Operation"},
		"what servers send to servers": {"RS+ CANARY a 1\r\n", "Unknown Protocol Operation"},
		"INFO":                         {"INFO {}\r\n", "Unknown Protocol Operation"},
		"an error":                     {"-ERR 'CANARY'\r\n", "Unknown Protocol Operation"},
		"a PING that has more":         {"PING CANARY\r\n", "Unknown Protocol Operation"},
		"no size":                      {"PUB CANARY\r\n", "Unknown Protocol Operation"},
		"a size that is none":          {"PUB CANARY xx\r\n", "Unknown Protocol Operation"},
		"a negative size":              {"PUB CANARY -1\r\n", "Unknown Protocol Operation"},
		"a size beyond all":            {"PUB CANARY 99999999999999999999\r\n", "Unknown Protocol Operation"},
		"a size beyond the limit":      {"PUB CANARY 1048577\r\n", "Maximum Payload Violation"},
		"too many words":               {"PUB CANARY a b 1\r\nx\r\n", "Unknown Protocol Operation"},
		"a payload that continues":     {"PUB CANARY 3\r\nCANARY\r\n", "Unknown Protocol Operation"},
		"a payload within another":     {"PUB " + testPub + " 3\r\nPUB _STAN.close.faas-cluster 0\r\n\r\n", "Unknown Protocol Operation"},
		"a second CONNECT":             {"CONNECT {}\r\n", "Unknown Protocol Operation"},
		"SUB of too many words":        {"SUB CANARY a b c\r\n", "Unknown Protocol Operation"},
		"UNSUB of nothing":             {"UNSUB\r\n", "Unknown Protocol Operation"},
		"binary":                       {"\x00\x01\x02\xff\n", "Unknown Protocol Operation"},
		"another protocol altogether":  {"GET / HTTP/1.1\r\nHost: CANARY\r\n\r\n", "Unknown Protocol Operation"},
	} {
		t.Run(name, func(t *testing.T) {
			r := greet(t, s)
			_, _ = io.WriteString(r.conn, tt.sent) // it may be cut off before all is sent
			if got := r.cut(); got != "" && got != "-ERR '"+tt.answer+"'" || got == "" && len(tt.sent) < 16<<10 {
				t.Errorf("the last line is %q, want %s", got, tt.answer)
			}
		})
	}
	publish(t, gateway, "all is well")
}

func TestNothingGoesBeforeCONNECT(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	for _, first := range []string{"PING\r\n", "SUB _INBOX.AAAAAAAAAAAAAAAAAAAAAA 1\r\n", "PUB " + testPub + " 1\r\nx\r\n"} {
		r := dial(t, s)
		r.send("%s", first)
		if got := r.cut(); got != "-ERR 'Authorization Violation'" {
			t.Errorf("after %q comes %q, want \"-ERR 'Authorization Violation'\"", first, got)
		}
	}
}

func TestNoLineOfTheLogHoldsWhatAPublisherSent(t *testing.T) {
	t.Parallel()
	var log testkit.Log
	s := start(t, Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	for _, sent := range []string{
		"CANARY\r\n", "PUB " + testPub + " 3\r\nCANARY-body\r\n", "PUB " + testPub + " CANARY\r\n", "HPUB x 1 2 CANARY\r\n", "SUB a b c d CANARY\r\n",
		"INFO CANARY\r\n", "-ERR CANARY\r\n", strings.Repeat("CANARY", 2000) + "\r\n",
	} {
		r := greet(t, s)
		r.send("%s", sent)
		r.cut()
	}
	r := greet(t, s)
	r.send("PUB _STAN.discover.faas-cluster %s 11\r\nCANARY-body\r\n", r.inbox)
	r.refused("a connect request that is none")
	r.request(testPub, r.inbox, &pb.PubMsg{ClientID: "CANARY", Guid: "CANARY", Subject: "faas-request", Data: []byte("CANARY-body")})
	r.message()
	if strings.Contains(log.String(), "CANARY") {
		t.Errorf("the log holds it, want no \"CANARY\" in it\n%s", log.String())
	}
	if !strings.Contains(log.String(), "publisher refused") {
		t.Errorf("the log does not report it, want \"publisher refused\" in it\n%s", log.String())
	}
}

// TestLinesOfTheServerAreCutWhereTheyRepeatAClient has the formats of nats-server,
// which the worker's own connection could still cause.
func TestLinesOfTheServerAreCutWhereTheyRepeatAClient(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		`Client parser ERROR, state=0, i=0: proto='"CANARY"...'`,
		`processPub Parse Error: "CANARY"`,
		`processSub Parse Error: "CANARY"`,
		`processPub Bad or Missing Size: "CANARY"`,
		`processHeaderPub Header Size larger then TotalSize: "CANARY"`,
		"maximum control line exceeded: State 34, max_control_line 4096, Buffer len 4099 (snip: CANARY\n...)",
	} {
		var log testkit.Log
		(&serverLog{slog.New(slog.NewTextHandler(&log, nil))}).Errorf("%s", line)
		switch got := log.String(); {
		case strings.Contains(got, "CANARY"):
			t.Errorf("%s is logged as %s: got = %q, want no \"CANARY\" in it", line, got, got)
		case !strings.Contains(got, line[:10]):
			t.Errorf("%s is logged as %s: got = %q, want %q in it", line, got, got, line[:10])
		}
	}
}

func TestThousandsOfSubscriptionsAreNotKept(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	r := greet(t, s)
	for n := range 5000 {
		r.send("SUB _INBOX.AAAAAAAAAAAAAAAAAA%04d %d\r\n", n, 100+n)
	}
	if got := len(r.sync()); got != 5000-(maxSubscriptions-2) {
		t.Errorf("%d of 5000 were refused, want %d", got, 5000-(maxSubscriptions-2))
	}
	if got := s.nats.NumSubscriptions(); got > 200 {
		t.Errorf("the server has %d subscriptions, want at most 200", got)
	}
}

// TestAPublisherThatDoesNotReadIsCutOff has six of them.
func TestAPublisherThatDoesNotReadIsCutOff(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	gateway := connect(t, s.URL(), "gateway")
	for range 2 {
		r := greet(t, s)
		_ = r.conn.(*net.TCPConn).SetReadBuffer(4 << 10) // so that little is in the kernel
		// Each of these has an answer that is longer than itself.
		many := []byte(strings.Repeat("SUB > 9\r\n", 1000))
		sent := 0
		for ; sent < 64<<20; sent += len(many) {
			if _, err := r.conn.Write(many); err != nil {
				break
			}
		}
		if sent >= 64<<20 {
			t.Fatalf("a publisher that does not read may continue: sent = %d, want less than %d", sent, 64<<20)
		}
	}
	publish(t, gateway, "all is well")
}

func TestTheOutboxIsBounded(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	r := greet(t, s)
	o := newOutbox(r.conn) // run is not called: nothing is taken
	piece := make([]byte, 64<<10)
	for range maxOutbox / len(piece) {
		if err := o.send(piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.send([]byte("x")); err != errConsumer {
		t.Errorf("beyond the bound the error is %v, want %q", err, errConsumer)
	}
}

// TestHalfAMessageHoldsNobodyUp has six publishers that send the half of a large message
// and nothing more. Some of them make room.
func TestHalfAMessageHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	const whole = 16 << 20
	half := bytes.Repeat([]byte("x"), whole/2+1) // one byte more, so that room for all is taken
	for range 6 {
		r := greet(t, s)
		r.send("PUB %s %s %d\r\n", testPub, r.inbox, whole)
		if _, err := r.conn.Write(half); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, "the end of those that have no room", func() bool {
		s.listener.mu.Lock()
		defer s.listener.mu.Unlock()
		return len(s.listener.publishers) <= maxUploads/whole && s.listener.uploads.size() >= maxUploads-whole
	})
	publish(t, connect(t, s.URL(), "gateway"), strings.Repeat("y", 12<<20), "small")
	if u := s.listener.uploads; u.size() > u.limit {
		t.Errorf("%d bytes are held, want at most %d", u.size(), u.limit)
	}
}

func (u *uploads) size() int { u.mu.Lock(); defer u.mu.Unlock(); return u.total }

// TestHalfACommandIsNotWaitedForForEver has connections that begin something and then
// say nothing more. One that has nothing to say may be silent.
func TestHalfACommandIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	for sent, stays := range map[string]bool{
		"":                        false,
		"CONN":                    false,
		"CONNECT {}\r\n":          true,
		"CONNECT {}\r\nPUB _STAN": false,
		"CONNECT {}\r\nPUB " + testPub + " x 100\r\nabc":                                                                       false,
		fmt.Sprintf("CONNECT {}\r\nPUB %s x %d\r\nabc", testPub, 100<<10):                                                      false,
		"CONNECT {}\r\nSUB _INBOX.AAAAAAAAAAAAAAAAAAAAAA 1\r\nPUB " + testPub + " _INBOX.AAAAAAAAAAAAAAAAAAAAAA 100000\r\nabc": false,
	} {
		synctest.Test(t, func(t *testing.T) {
			conn, publisherSide := net.Pipe()
			server, serverSide := net.Pipe()
			p := newPublisher(bareListener(), conn, server)
			go p.run()
			go func() { _, _ = io.Copy(io.Discard, serverSide) }()
			if _, err := io.WriteString(publisherSide, sent); err != nil {
				t.Fatal(err)
			}
			_ = publisherSide.SetReadDeadline(time.Now().Add(2 * readTimeout))
			got, err := io.ReadAll(publisherSide)
			if stays != errors.Is(err, os.ErrDeadlineExceeded) || !stays && string(got) != "-ERR 'Stale Connection'\r\n" {
				t.Errorf("after %q comes %q (%v)", sent, got, err)
			}
			_, _ = publisherSide.Close(), serverSide.Close()
			synctest.Wait()
		})
	}
}

// TestAFloodOfConnectionsKeepsNobodyOut has many more than there may be, which say
// nothing, beside a publisher of before and one that comes later.
func TestAFloodOfConnectionsKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	s := start(t, Options{MaxPublishers: 8})
	lost := make(chan struct{}, 10)
	before := connect(t, s.URL(), "before", nats.DisconnectErrHandler(func(*nats.Conn, error) { lost <- struct{}{} }))
	var flood []*raw
	for range 40 {
		flood = append(flood, greet(t, s))
	}
	publish(t, before, "a")
	publish(t, connect(t, s.URL(), "later"), "b")
	if len(lost) > 0 {
		t.Errorf("the publisher of before was cut off: len(lost) = %d, want 0", len(lost))
	}
	for _, r := range flood[:30] {
		r.cut()
	}
	testkit.Eventually(t, "the rest to be few", func() bool {
		s.listener.mu.Lock()
		defer s.listener.mu.Unlock()
		return len(s.listener.publishers) <= 8
	})
}
