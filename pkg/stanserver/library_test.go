// File library_test.go holds that the libraries of publishers work as they are.

package stanserver

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/stan.go"
)

// TestAPublisherSurvivesAReconnect has the connection below NATS Streaming made again,
// of which the library reports nothing: client id, inboxes and secret stay.
func TestAPublisherSurvivesAReconnect(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"", t.TempDir()} {
		s := start(t, Options{Dir: dir})
		again := make(chan struct{}, 10)
		lost := make(chan error, 1)
		c, err := stan.Connect("faas-cluster", "gateway", stan.NatsURL(s.URL()), stan.Pings(1, 3),
			stan.SetConnectionLostHandler(func(_ stan.Conn, err error) { lost <- err }),
			stan.NatsOptions(nats.ReconnectWait(time.Millisecond), nats.ReconnectHandler(func(*nats.Conn) { again <- struct{}{} })))
		if err != nil {
			t.Fatal(err)
		}
		publish(t, c, "a")
		s.Pause()
		if err := s.Resume(); err != nil {
			t.Fatal(err)
		}
		<-again
		publish(t, c, "b")
		switch got := receive(t, worker(t, s), 2); {
		case got[0] != "a":
			t.Errorf("got %q: got[0] = %q, want \"a\"", got, got[0])
		case got[1] != "b":
			t.Errorf("got %q: got[1] = %q, want \"b\"", got, got[1])
		}
		if err := c.Close(); err != nil {
			t.Errorf("after the reconnect it cannot close its client: %v, want nil", err)
		}
		if len(lost) > 0 {
			t.Errorf("NATS Streaming lost it: %v: len(lost) = %d, want 0", <-lost, len(lost))
		}
	}
}

// TestAPublisherSurvivesARestart has the server come back on its files.
func TestAPublisherSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, Options{Dir: dir})
	again := make(chan struct{}, 10)
	c, err := stan.Connect("faas-cluster", "gateway", stan.NatsURL(s.URL()),
		stan.NatsOptions(nats.ReconnectWait(time.Millisecond), nats.ReconnectHandler(func(*nats.Conn) { again <- struct{}{} })))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	publish(t, c, "a")
	s.Close()
	s = start(t, Options{Dir: dir, Listen: strings.TrimPrefix(s.URL(), "nats://")})
	<-again
	publish(t, c, "b")
	switch got := receive(t, worker(t, s), 2); {
	case got[0] != "a":
		t.Errorf("got %q: got[0] = %q, want \"a\"", got, got[0])
	case got[1] != "b":
		t.Errorf("got %q: got[1] = %q, want \"b\"", got, got[1])
	}
}

// TestOldWaysOfTheLibraryWork has an inbox for each request, as nats.go had it until
// 2017, and a client that asks for +OK.
func TestOldWaysOfTheLibraryWork(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	for i, way := range []nats.Option{nats.UseOldRequestStyle(), func(o *nats.Options) error { o.Verbose = true; return nil }, func(o *nats.Options) error { o.Pedantic = true; return nil }} {
		c := connect(t, s.URL(), fmt.Sprint("gateway-", i), way)
		publish(t, c, "a")
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestAPublisherStaysThroughItsHeartbeats waits for more of them than may be missed.
func TestAPublisherStaysThroughItsHeartbeats(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	inside := spy(t, s)
	lost := make(chan error, 1)
	c, err := stan.Connect("faas-cluster", "gateway", stan.NatsURL(s.URL()), stan.Pings(1, 3), stan.SetConnectionLostHandler(func(_ stan.Conn, err error) { lost <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		beat := await(t, inside, "a heartbeat", func(m *nats.Msg) bool { return strings.HasPrefix(m.Subject, behind) && m.Reply != "" })
		await(t, inside, "its answer", func(m *nats.Msg) bool { return m.Subject == beat.Reply })
		await(t, inside, "a ping", func(m *nats.Msg) bool { return m.Subject == "_STAN.discover.faas-cluster.pings" })
	}
	publish(t, c, "a")
	if len(lost) > 0 {
		t.Error(<-lost)
	}
}

// TestTheGatewayNamesCredentialsInItsAddress has the URL that the gateway's publisher
// makes of faas_nats_address and faas_nats_port. Package dev and the tests of the whole
// program run that publisher itself; it cannot be closed.
func TestTheGatewayNamesCredentialsInItsAddress(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Credentials: "publisher:s3cret"})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL(), "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	publish(t, connect(t, fmt.Sprintf("nats://%s:%s", "publisher:s3cret@127.0.0.1", port), "gateway"), "a")
}

func TestAPublisherLearnsWhichSettingItsQueueLacks(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Queues: []string{"faas-request", "slow"}})
	c := connect(t, s.URL(), "gateway")
	if err := c.Publish("slow", []byte("a")); err != nil {
		t.Error(err)
	}
	switch err := c.Publish("not-configured", []byte("a")); {
	case err == nil:
		t.Errorf("the error is %v, want an error", err)
	case !strings.Contains(err.Error(), "faas_nats_channel"):
		t.Errorf("the error is %v, want \"faas_nats_channel\" in it", err)
	}
}

func TestWithCredentialsSetAPublisherNeedsThem(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		credentials string
		right       string
		wrong       []string
	}{
		{"publisher:s3cret", "publisher:s3cret@", []string{"", "publisher@", "publisher:x@", "x:s3cret@", "publisher%3As3cret@"}},
		{"a-token", "a-token@", []string{"", "another@", "a-token:x@", "a-token:a-token@"}},
	} {
		s := start(t, Options{Credentials: tt.credentials})
		url := func(user string) string { return strings.Replace(s.URL(), "nats://", "nats://"+user, 1) }
		for _, user := range tt.wrong {
			if c, err := nats.Connect(url(user)); err == nil {
				c.Close()
				t.Errorf("%q is let in by %q", user, tt.credentials)
			} else if !strings.Contains(err.Error(), "Authorization") {
				t.Errorf(`%q gets %v, want "Authorization" in it`, user, err)
			}
		}
		publish(t, connect(t, url(tt.right), "gateway"), "a")
		receive(t, worker(t, s), 1)
		nc, err := nats.Connect(url(tt.right), nats.PermissionErrOnSubscribe(true))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		sub, err := nc.SubscribeSync("_INBOX.>")
		if err == nil {
			_ = nc.Flush()
			_, err = sub.NextMsg(patience)
		}
		switch {
		case err == nil:
			t.Errorf("with credentials a publisher may subscribe to everything: %v, want an error", err)
		case !strings.Contains(strings.ToLower(err.Error()), "permissions"):
			t.Errorf("with credentials a publisher may subscribe to everything: %v: strings.ToLower(err.Error()) = %q, want \"permissions\" in it", err, strings.ToLower(err.Error()))
		}
	}
}
