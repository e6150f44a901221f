// File rights_test.go holds what a publisher may not do: a test for each thing.

package stanserver

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/stan.go"
	"github.com/nats-io/stan.go/pb"

	"queue-worker/internal/testkit"
)

const testPub = "_STAN.pub.faas-cluster.faas-request"

func TestAPublisherSubscribesToItsOwnInboxesOnly(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	r := greet(t, s)
	for _, subject := range []string{
		">", "*", "*.>", "_INBOX.>", "_INBOX.*", "_INBOX.*.*", "_INBOX.AAAAAAAAAAAAAAAAAAAAAA.>", "_INBOX.AAAAAAAAAAAAAAAAAAAAA*",
		"_INBOX.short", "_INBOX.short.*", "_INBOX.", "_INBOX", "_INBOX..AAAAAAAAAAAAAAAAAAAAAA", "_INBOX.AAAAAAAAAAAAAAAAAAAAAA.",
		"_INBOX.AAAAAAAAAAAAAAAAAAAAAA.b.c", "_inbox.AAAAAAAAAAAAAAAAAAAAAA", "_INBOX.AAAAAAAAAAAAAAAAAAAAÄA", "_INBOX.AAAAAAAAAAAAAAAAAAAA\x00A",
		"_INBOX." + strings.Repeat("A", 200), "_STAN.>", "_STAN.pub.>", testPub, "_STAN.acks.>", "_STAN.acks.*", "_STAN.ack.AAAAAAAAAAAAAAAAAAAAAA",
		"_STAN.discover.faas-cluster", "_STAN.sub.faas-cluster", "_PUBLISHER.>", "_HEARTBEAT.>", "$SYS.>", "$SRV.PING", "faas-request",
		"_INBOX.AAAAAAAAAAAAAAAAAAAAAA group",
	} {
		r.send("SUB %s 9\r\n", subject)
		r.refused(subject)
	}
	for i, subject := range []string{"_INBOX.CCCCCCCCCCCCCCCCCCCCCC", "_INBOX.CCCCCCCCCCCCCCCCCCCCCC.*", "_INBOX.CCCCCCCCCCCCCCCCCCCCCC.DDDDDDDD", "_STAN.acks.CCCCCCCCCCCCCCCCCCCCCC"} {
		r.send("SUB %s %d\r\n", subject, 10+i)
		if got := r.sync(); len(got) != 0 {
			t.Errorf("%s: the answer is %q, want len 0", subject, got)
		}
	}
}

// TestAPublisherDoesNotSeeTheWorkersMessages names the very inboxes that the server
// and the worker use between them, which no client could guess.
func TestAPublisherDoesNotSeeTheWorkersMessages(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	inside := spy(t, s)
	reader, gateway := worker(t, s), connect(t, s.URL(), "gateway")
	got := make(chan string, 10)
	if _, err := reader.QueueSubscribe("faas-request", "faas", func(m *stan.Msg) { got <- string(m.Data) }, stan.DurableName("d"), stan.SetManualAckMode()); err != nil {
		t.Fatal(err)
	}
	publish(t, gateway, "secret-1")
	delivered := await(t, inside, "the delivery", func(m *nats.Msg) bool {
		return strings.HasPrefix(m.Subject, inboxPrefix) && strings.Contains(string(m.Data), "secret-1")
	})
	r := greet(t, s)
	r.send("SUB %s 9\r\n", delivered.Subject)
	r.sync()
	<-got
	publish(t, gateway, "secret-2")
	<-got // it was delivered, and the server has passed it on before the answer to this:
	if lines := r.sync(); len(lines) != 0 {
		t.Errorf("the publisher got %q, want len 0", lines)
	}
}

func TestAPublisherCannotAskForASubscription(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	publish(t, connect(t, s.URL(), "gateway"), "history")
	r := greet(t, s)
	if e := r.join("reader", "secret-of-the-reader"); e != "" {
		t.Fatal(e)
	}
	for _, subject := range []string{"_STAN.sub.faas-cluster", "_STAN.unsub.faas-cluster", "_STAN.subclose.faas-cluster"} {
		r.request(subject, r.inbox, &pb.SubscriptionRequest{
			ClientID: "reader", Subject: "faas-request", QGroup: "faas", Inbox: r.inbox, MaxInFlight: 1000, AckWaitInSecs: 30, StartPosition: pb.StartPosition_First,
		})
		r.refused(subject)
	}
}

func TestAPublisherCannotUnsubscribeTheWorkerOrAcknowledge(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	inside := spy(t, s)
	reader, gateway := worker(t, s), connect(t, s.URL(), "gateway")
	got := make(chan *stan.Msg, 10)
	if _, err := reader.QueueSubscribe("faas-request", "faas", func(m *stan.Msg) { got <- m }, stan.DurableName("d"), stan.SetManualAckMode()); err != nil {
		t.Fatal(err)
	}
	answer := await(t, inside, "the answer to the subscription", func(m *nats.Msg) bool {
		var a pb.SubscriptionResponse
		return a.Unmarshal(m.Data) == nil && a.Error == "" && strings.HasPrefix(a.AckInbox, inboxPrefix)
	})
	var subscribed pb.SubscriptionResponse
	if err := subscribed.Unmarshal(answer.Data); err != nil {
		t.Fatal(err)
	}
	r := greet(t, s)
	r.request("_STAN.unsub.faas-cluster", r.inbox, &pb.UnsubscribeRequest{ClientID: "faas-worker-host", Subject: "faas-request", Inbox: subscribed.AckInbox, DurableName: "d"})
	r.refused("unsubscribe")
	publish(t, gateway, "a")
	<-got
	for _, reply := range []string{"", r.inbox} {
		r.request(subscribed.AckInbox, reply, &pb.Ack{Subject: "faas-request", Sequence: 1})
		r.refused("acknowledge")
	}
	publish(t, gateway, "b")
	if m := <-got; string(m.Data) != "b" {
		t.Errorf("the worker got %q: string(m.Data) = %q, want \"b\"", m.Data, string(m.Data))
	}
}

func TestAPublisherCannotCloseAnotherClient(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	reader, gateway := worker(t, s), connect(t, s.URL(), "gateway")
	r := greet(t, s)
	for _, id := range []string{"faas-worker-host", "gateway", "other", ""} {
		if e := r.close(id); e == "" {
			t.Errorf("%q was closed: e = %q, want not \"\"", id, e)
		}
	}
	publish(t, gateway, "a")
	if got := receive(t, reader, 1); got[0] != "a" {
		t.Errorf("the worker got %q: got[0] = %q, want \"a\"", got, got[0])
	}
}

func TestAPublisherClosesItsOwnClient(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	r := greet(t, s)
	for range 2 {
		if e := r.join("mine", "my-secret"); e != "" {
			t.Fatal(e)
		}
		if e := r.close("mine"); e != "" {
			t.Fatal(e)
		}
	}
}

func TestAPublisherCannotReplaceAnotherClient(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	reader, gateway := worker(t, s), connect(t, s.URL(), "gateway")
	r := greet(t, s)
	for _, id := range []string{"faas-worker-host", "faas-worker-other", "gateway"} {
		if e := r.join(id, "the-secret-of-"+id); e == "" {
			t.Errorf("%q was connected: e = %q, want not \"\"", id, e)
		}
	}
	publish(t, gateway, "a")
	receive(t, reader, 1)
}

// TestALiveConnectionKeepsItsClientID has a publisher that is too busy to answer when
// the server asks it whether it lives: the server alone would replace it.
func TestALiveConnectionKeepsItsClientID(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	busy, r := greet(t, s), greet(t, s)
	if e := busy.join("busy", "secret-of-busy"); e != "" {
		t.Fatal(e)
	}
	if e := r.join("busy", "another-secret"); e == "" {
		t.Errorf("the client id of a live connection was connected: e = %q, want not \"\"", e)
	}
	if e := r.close("busy"); e == "" {
		t.Errorf("the client id of a live connection was closed: e = %q, want not \"\"", e)
	}
	_ = busy.conn.Close()
	testkit.Eventually(t, "the end of the connection", func() bool {
		s.listener.mu.Lock()
		defer s.listener.mu.Unlock()
		return len(s.listener.publishers) == 1
	})
	if e := r.join("busy", "another-secret"); e != "" {
		t.Errorf("the client id of a connection that ended is not free: %s, want \"\"", e)
	}
}

// TestAnAnswerThatIsNotOneConnectsNothing has a ping and a confirmation answered where
// the answer to a connect request is expected.
func TestAnAnswerThatIsNotOneConnectsNothing(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	gateway := connect(t, s.URL(), "gateway")
	attacker := greet(t, s)
	if e := attacker.join("attacker", "secret-of-attacker"); e != "" {
		t.Fatal(e)
	}
	// The answer to the connect request is the last: the server asks the gateway first.
	attacker.request("_STAN.discover.faas-cluster.pings", attacker.inbox, &pb.Ping{ConnID: []byte("secret-of-attacker")})
	attacker.request(testPub, attacker.inbox, &pb.PubMsg{ClientID: "attacker", ConnID: []byte("secret-of-attacker"), Guid: "_STAN.pub.faas-cluster", Subject: "faas-request"})
	attacker.request("_STAN.discover.faas-cluster", attacker.inbox, &pb.ConnectRequest{ClientID: "gateway", ConnID: []byte("another"), HeartbeatInbox: attacker.heart})
	for range 3 {
		attacker.message()
	}
	if e := attacker.close("gateway"); e == "" {
		t.Errorf("the attacker closed the gateway's client: e = %q, want not \"\"", e)
	}
	publish(t, gateway, "a")
}

func TestAPublisherCannotSendInTheNameOfAnother(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	worker(t, s)
	victim, r := greet(t, s), greet(t, s)
	if e := victim.join("victim", "secret-of-victim"); e != "" {
		t.Fatal(e)
	}
	if e := r.join("mine", "secret-of-mine"); e != "" {
		t.Fatal(e)
	}
	for _, m := range []*pb.PubMsg{
		{ClientID: "faas-worker-host", Guid: "g", Subject: "faas-request"},
		{ClientID: "victim", Guid: "g", Subject: "faas-request"},
		{ClientID: "victim", ConnID: []byte("secret-of-mine"), Guid: "g", Subject: "faas-request"},
		{ClientID: "mine", ConnID: []byte("secret-of-none"), Guid: "g", Subject: "faas-request"},
		{ClientID: "mine", ConnID: []byte("secret-of-mine"), Subject: "faas-request"},
	} {
		if e := r.publishTo(testPub, m); e == "" {
			t.Errorf("%v was accepted: e = %q, want not \"\"", m, e)
		}
	}
	if e := r.join("other", "secret-of-victim"); e == "" {
		t.Errorf("a client id was connected with the secret of another: e = %q, want not \"\"", e)
	}
	if e := r.publishTo(testPub, &pb.PubMsg{ClientID: "mine", ConnID: []byte("secret-of-mine"), Guid: "g", Subject: "faas-request"}); e != "" {
		t.Error(e)
	}
}

func TestAPublisherCannotAnswerInPlaceOfTheServer(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	victim, r := dial(t, s), greet(t, s)
	victim.send("CONNECT {}\r\nSUB _INBOX.VVVVVVVVVVVVVVVVVVVVVV.* 1\r\nSUB _STAN.acks.VVVVVVVVVVVVVVVVVVVVVV 2\r\n")
	victim.sync()
	ping := &pb.Ping{ConnID: []byte("x")}
	for _, to := range []string{"_INBOX.VVVVVVVVVVVVVVVVVVVVVV.aaaaaaaa", "_STAN.acks.VVVVVVVVVVVVVVVVVVVVVV", behind + "_STAN.acks.VVVVVVVVVVVVVVVVVVVVVV", "_HEARTBEAT.1"} {
		r.send("PUB %s 1\r\nx\r\n", to)
		r.refused("publish to " + to)
		r.send("PUB %s 0\r\n\r\n", to)
		r.refused("publish nothing to " + to)
		// The server would answer there.
		r.request("_STAN.discover.faas-cluster.pings", to, ping)
		r.refused("an answer to " + to)
		r.request("_STAN.discover.faas-cluster", r.inbox, &pb.ConnectRequest{ClientID: "a", HeartbeatInbox: to})
		r.refused("heartbeats to " + to)
	}
	r.request("_STAN.discover.faas-cluster.pings", "", ping)
	r.refused("no inbox for the answer")
	if got := victim.sync(); len(got) != 0 {
		t.Errorf("the victim got %q, want len 0", got)
	}
}

func TestAPublisherAnswersEachOfItsHeartbeatsOnce(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	r, other := greet(t, s), greet(t, s)
	if e := r.join("beating", "secret-of-beating"); e != "" {
		t.Fatal(e)
	}
	l := r.line()
	f := strings.Fields(l)
	switch {
	case len(f) != 5:
		t.Fatalf("the heartbeat is %q: len(f) = %d, want 5", l, len(f))
	case f[1] != r.heart:
		t.Fatalf("the heartbeat is %q: f[1] = %q, want %q", l, f[1], r.heart)
	case !strings.HasPrefix(f[3], heartbeatPrefix):
		t.Fatalf("the heartbeat is %q: f[3] = %q, want it to begin with %q", l, f[3], heartbeatPrefix)
	case f[4] != "0":
		t.Fatalf("the heartbeat is %q: f[4] = %q, want \"0\"", l, f[4])
	}
	if l := r.line(); l != "" {
		t.Fatalf("the heartbeat holds %q, want \"\"", l)
	}
	other.send("PUB %s 0\r\n\r\n", f[3])
	other.refused("another publisher's heartbeat")
	r.send("PUB %s 1\r\nx\r\n", f[3])
	r.refused("an answer with content")
	r.send("PUB %s 0\r\n\r\n", f[3])
	if got := r.sync(); len(got) != 0 {
		t.Errorf("the answer is refused: %q, want len 0", got)
	}
	r.send("PUB %s 0\r\n\r\n", f[3])
	r.refused("a second answer")
}

// TestAQueueThatIsNotConfiguredIsRefused publishes to 99 of them, in every way.
func TestAQueueThatIsNotConfiguredIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, Options{Dir: dir, Queues: []string{"faas-request", "slow.queue"}})
	r := greet(t, s)
	if e := r.join("mine", "secret-of-mine"); e != "" {
		t.Fatal(e)
	}
	for n := range 99 {
		queue := fmt.Sprint("made-up-", n)
		m := &pb.PubMsg{ClientID: "mine", ConnID: []byte("secret-of-mine"), Guid: "g", Subject: queue}
		if e := r.publishTo("_STAN.pub.faas-cluster."+queue, m); !strings.Contains(e, "faas_nats_channel") {
			t.Fatalf("the answer is %q, want \"faas_nats_channel\" in it", e)
		}
		r.request(testPub, r.inbox, m) // a configured queue on the outside
		r.refused(queue)
	}
	for _, queue := range []string{"faas-request", "slow.queue"} {
		if e := r.publishTo("_STAN.pub.faas-cluster."+queue, &pb.PubMsg{ClientID: "mine", ConnID: []byte("secret-of-mine"), Guid: "g", Subject: queue}); e != "" {
			t.Error(e)
		}
	}
	if got := channelsIn(t, dir); got != 2 {
		t.Errorf("%d channels lie in the folder, want 2", got)
	}
}

func channelsIn(t *testing.T, dir string) (n int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			n++
		}
	}
	return n
}

// TestChannelsOfBeforeDoNotKeepAQueueAway starts on a folder that holds channels
// which is never configured any more.
func TestChannelsOfBeforeDoNotKeepAQueueAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, Options{Dir: dir, Queues: []string{"old-1", "old-2"}})
	gateway := connect(t, s.URL(), "gateway")
	for _, queue := range []string{"old-1", "old-2"} {
		if err := gateway.Publish(queue, []byte("a")); err != nil {
			t.Fatal(err)
		}
	}
	_ = gateway.Close()
	s.Close()

	s = start(t, Options{Dir: dir})
	publish(t, connect(t, s.URL(), "gateway-2"), "b")
	receive(t, worker(t, s), 1)
	reader := connect(t, s.URL(), "faas-worker-more", nats.InProcessServer(s))
	if err := reader.Publish("one-too-many", []byte("c")); err == nil {
		t.Errorf("a channel beyond the configured queues was made: err = %v, want an error", err)
	}
}
