package stanserver

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/stan.go/pb"
)

// FuzzProtocol sends bytes as a publisher and holds what reaches the server against
// what may.
func FuzzProtocol(f *testing.F) {
	message, _ := (&pb.PubMsg{ClientID: "a", Guid: "g", Subject: "faas-request", Data: []byte("x")}).Marshal()
	const hello = "CONNECT {}\r\nSUB _INBOX.AAAAAAAAAAAAAAAAAAAAAA 1\r\n"
	for _, seed := range []string{
		hello + "PING\r\nPONG\r\n", "CONNECT {\"verbose\":true}\nping\n", hello + "UNSUB 1 5\r\nUNSUB 1\r\n", hello + "HPUB a 1 2\r\nxx\r\n",
		hello + "PUB " + testPub + " _INBOX.AAAAAAAAAAAAAAAAAAAAAA " + strconv.Itoa(len(message)) + "\r\n" + string(message) + "\r\n",
		hello + "PUB _HEARTBEAT.1 0\r\n\r\n", hello + "SUB _INBOX.> 2\r\nSUB _INBOX.CCCCCCCCCCCCCCCCCCCCCC.* 3\r\n",
		hello + "PUB _STAN.discover.faas-cluster.pings _INBOX.AAAAAAAAAAAAAAAAAAAAAA 0\r\n\r\nPUB _STAN.close.faas-cluster _INBOX.AAAAAAAAAAAAAAAAAAAAAA 2\r\n\n\x00\r\n",
		"PUB a 3\r\nPUB b 1\r\nx\r\n", strings.Repeat("x", 5000), "CONNECT {}\r\nSUB a\tb\t1\r\n\x00\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		for _, c := range reached(t, sent) {
			checkReached(t, c)
		}
	})
}

// bareListener is one without a listener.
func bareListener() *listener {
	return &listener{
		log: slog.New(slog.DiscardHandler), rights: newRights("faas-cluster", []string{"faas-request"}, "faas-worker-"), maxPayload: 1 << 20,
		clients: newClients(), uploads: newUploads(maxUploads), backlog: newBacklog(Retention), publishers: make(map[*publisher]struct{}),
	}
}

// reached are the commands that the server gets, with the payload behind each publish.
func reached(t *testing.T, sent []byte) (all []string) {
	conn, publisherSide := net.Pipe()
	server, serverSide := net.Pipe()
	p := newPublisher(bareListener(), conn, server)
	var busy sync.WaitGroup
	busy.Go(p.run)
	busy.Go(func() { _, _ = io.Copy(io.Discard, publisherSide) })
	busy.Go(func() {
		_, _ = io.WriteString(serverSide, "INFO {\"max_payload\":65536}\r\nMSG _PUBLISHER._INBOX.AAAAAAAAAAAAAAAAAAAAAA 1 _INBOX.server.1 0\r\n\r\n")
	})
	var got bytes.Buffer
	busy.Go(func() { _, _ = io.Copy(&got, serverSide) })
	_, _ = publisherSide.Write(sent)
	_ = publisherSide.Close()
	busy.Wait()
	_ = serverSide.Close()

	r := bufio.NewReader(&got)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			if line != "" {
				t.Errorf("the server gets half a line: %q, want \"\"", line)
			}
			return all
		}
		c, err := parseCommand([]byte(strings.TrimSuffix(line, "\r\n")))
		if err != nil {
			t.Fatalf("the server gets %q: err = %v, want nil", line, err)
		}
		payload := ""
		if c.op == opPublish {
			b := make([]byte, c.size+2)
			switch _, err := io.ReadFull(r, b); {
			case err != nil:
				t.Fatalf("the payload of %q is not whole: err = %v, want nil", line, err)
			case string(b[c.size:]) != "\r\n":
				t.Fatalf("the payload of %q is not whole: string(b[c.size:]) = %q, want \"\\r\\n\"", line, string(b[c.size:]))
			}
			payload = string(b[:c.size])
		}
		all = append(all, line+payload)
	}
}

func checkReached(t *testing.T, line string) {
	text, payload, _ := strings.Cut(line, "\r\n")
	c, err := parseCommand([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	switch c.op {
	case opPing, opPong, opConnect, opUnsubscribe:
	case opSubscribe:
		inbox, ok := strings.CutPrefix(string(c.subject), behind)
		switch {
		case !ok:
			t.Errorf("the server gets %q: ok = false, want true", text)
		case !isInbox(inbox):
			t.Errorf("the server gets %q: isInbox(inbox) = false, want true", text)
		}
	case opPublish:
		subject := string(c.subject)
		if subject == "_INBOX.server.1" && c.size == 0 && len(c.reply) == 0 {
			return
		}
		reply, ok := strings.CutPrefix(string(c.reply), behind)
		switch {
		case !ok:
			t.Errorf("the server answers %q: ok = false, want true", text)
		case strings.ContainsAny(reply, "*>"):
			t.Errorf("the server answers %q: strings.ContainsAny(reply, \"*>\") = true, want false", text)
		}
		switch subject {
		case "_STAN.discover.faas-cluster", "_STAN.discover.faas-cluster.pings":
		case testPub:
			var m pb.PubMsg
			switch {
			case m.Unmarshal([]byte(payload)) != nil:
				t.Errorf("the server gets the message %q, want m.Unmarshal([]byte(payload)) nil", payload)
			case m.Subject != "faas-request":
				t.Errorf(`the server gets the message %q: got subject %v, want "faas-request"`, payload, m.Subject)
			case strings.HasPrefix(m.ClientID, "faas-worker-"):
				t.Errorf(`the server gets the message %q: got %q, want no "faas-worker-" at its beginning`, payload, m.ClientID)
			}
		default: // nothing was connected, so nothing may be closed
			t.Errorf("the server gets %q", text)
		}
	}
}

// FuzzMessage holds that the server decodes every message that scan lets through, and
// reads the same in it.
func FuzzMessage(f *testing.F) {
	for _, m := range []*pb.PubMsg{
		{ClientID: "a", Guid: "g", Subject: "faas-request", Data: []byte("x"), ConnID: []byte("c")}, {}, {Sha256: []byte("s"), Reply: "r"},
	} {
		b, _ := m.Marshal()
		f.Add(b)
		f.Add(append(b, b...))
		f.Add(append(b, 0x1a, 0x01, 'x'))
	}
	f.Add([]byte{0x9a, 0x80, 0x80, 0x80, 0x80, 0x01, 0x01, 'x'}) // field 3 for a decoder that overflows
	f.Fuzz(func(t *testing.T, b []byte) {
		got, ok := scan(b)
		if !ok {
			return
		}
		var m pb.PubMsg
		if err := m.Unmarshal(b); err != nil {
			t.Fatalf("the server refuses it: %v, want nil", err)
		}
		switch {
		case string(got.clientID) != m.ClientID:
			t.Errorf("scan reads %+v, the server %+v: string(got.clientID) = %q, want %q", got, m, string(got.clientID), m.ClientID)
		case string(got.guid) != m.Guid:
			t.Errorf("scan reads %+v, the server %+v: string(got.guid) = %q, want %q", got, m, string(got.guid), m.Guid)
		case string(got.queue) != m.Subject:
			t.Errorf("scan reads %+v, the server %+v: string(got.queue) = %q, want %q", got, m, string(got.queue), m.Subject)
		case string(got.connID) != string(m.ConnID):
			t.Errorf("scan reads %+v, the server %+v: string(got.connID) = %q, want %q", got, m, string(got.connID), string(m.ConnID))
		}
	})
}

// FuzzDelivery holds that a line of the server is understood or refused.
func FuzzDelivery(f *testing.F) {
	for _, line := range []string{"MSG a 1 5", "MSG a 1 r 5", "HMSG a 1 2 5", "HMSG a 1 r 2 5", "PING", "+OK", "INFO {}", "MSG", "MSG a 1 -5"} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if d, ok, err := parseDelivery(line); ok && err == nil && (d.size < 0 || len(d.subject) == 0 || len(d.sid) == 0) {
			t.Errorf("%q is read as %+v", line, d)
		}
	})
}
