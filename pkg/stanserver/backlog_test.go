package stanserver

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/stan.go"
)

// flood publishes messages until one is refused, four times what the channel keeps at
// most, and returns the number of confirmed ones.
func flood(t *testing.T, c stan.Conn, kept, size int) (confirmed int) {
	t.Helper()
	for range 4 * kept / size {
		err := c.Publish("faas-request", make([]byte, size))
		if err != nil {
			if !strings.Contains(err.Error(), errBacklog.Error()) {
				t.Fatal(err)
			}
			return confirmed
		}
		confirmed++
	}
	t.Fatalf("%d messages were confirmed, none was refused", confirmed)
	return 0
}

func TestPublishersAreRefusedBeforeUnreadMessagesAreRemoved(t *testing.T) {
	t.Parallel()
	const kept, size = 1 << 20, 8 << 10
	for _, dir := range []string{"", t.TempDir()} {
		o := Options{Dir: dir, Group: "faas", retention: kept}
		s := start(t, o)
		c := connect(t, s.URL(), "gateway")
		first := flood(t, c, kept, size)
		state, err := stateOf(s.stan, "faas-request")
		switch {
		case err != nil:
			t.Fatalf("%v, want nil", err)
		case state.FirstSeq != 1:
			t.Fatalf("the channel has %+v of %d messages, %v, want FirstSeq 1", state, first, err)
		case state.Msgs != first:
			t.Fatalf("the channel has %+v of %d messages, %v, want Msgs %d", state, first, err, first)
		}
		// What the worker accepts makes room for as much.
		const accepted = 10
		for n := range accepted {
			s.Accepted("faas-request", uint64(n+1), size, true) // #nosec G115 -- small
		}
		if more := flood(t, c, kept, size); more != accepted {
			t.Errorf("%d more messages were confirmed, want %d", more, accepted)
		}
		if dir == "" {
			continue
		}
		// After a restart nothing is known to be accepted but what was acknowledged.
		s.Close()
		s = start(t, o)
		if more := flood(t, connect(t, s.URL(), "gateway-2"), kept, size); more > kept/startShare/size {
			t.Errorf("%d messages were confirmed after the restart, want at most %d", more, kept/startShare/size)
		}
		state, err = stateOf(s.stan, "faas-request")
		switch {
		case err != nil:
			t.Errorf("%v, want nil", err)
		case state.FirstSeq != 1:
			t.Errorf("the channel has %+v, %v, want FirstSeq 1", state, err)
		}
		for n := range first + accepted {
			s.Accepted("faas-request", uint64(n+1), size, true) // #nosec G115 -- small
		}
		publish(t, connect(t, s.URL(), "gateway-3"), "a")
	}
}

func TestTheStateOfAQueueGroupIsRead(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Group: "faas"})
	unread := func() int {
		c, err := stateOf(s.stan, "faas-request")
		if err != nil {
			t.Fatal(err)
		}
		return unreadBy("faas", c)
	}
	if n := unread(); n != 0 {
		t.Errorf("%d unread messages in no channel, want 0", n)
	}
	c := connect(t, s.URL(), "gateway")
	for range 3 {
		publish(t, c, "a")
	}
	if n := unread(); n != 3 {
		t.Errorf("%d unread messages before the first subscription, want 3", n)
	}
	got := make(chan *stan.Msg, 3)
	w := worker(t, s)
	sub, err := w.QueueSubscribe("faas-request", "faas", func(m *stan.Msg) { got <- m }, stan.DurableName("faas-request"),
		stan.DeliverAllAvailable(), stan.SetManualAckMode(), stan.MaxInflight(2))
	if err != nil {
		t.Fatal(err)
	}
	one, two := <-got, <-got
	if n := unread(); n != 3 {
		t.Errorf("%d unread messages, two of them delivered, want 3", n)
	}
	_, _ = one.Ack(), two.Ack()
	_ = (<-got).Ack()
	if err := sub.Close(); err != nil { // after its acks
		t.Fatal(err)
	}
	if n := unread(); n != 0 {
		t.Errorf("%d unread messages of a group that has read all, want 0", n)
	}
}

// A message that was counted and never arrived at the server is forgotten when the server
// has been quiet and says that all is read.
func TestMessagesThatNeverArrivedAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		read := false
		b := newBacklog(1000)
		b.isRead = func(string) bool { return read }
		if err := b.reserve("q", 400); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			wait time.Duration
			read bool
			want error
		}{
			{0, true, errBacklog}, // it may be on its way
			{quietPeriod, false, errBacklog},
			{askPeriod, true, nil},
			{0, true, errBacklog},
		} {
			time.Sleep(step.wait)
			read = step.read
			if err := b.reserve("q", 400); !errors.Is(err, step.want) {
				t.Errorf("%+v: %v, want %v", step, err, step.want)
			}
		}
	})
}

func TestTheBacklogCountsEachMessageOnce(t *testing.T) {
	t.Parallel()
	b := newBacklog(10_000)
	b.begin("q", initial{last: 7, count: 2, bytes: 9000})
	fits := func(size int) bool { return b.fits(b.queue("q"), costOf("q", size)) }
	switch {
	case fits(2500):
		t.Error("a quarter is not reserved for the messages that were there: fits(2500) = true, want false")
	case !fits(2400):
		t.Error("a quarter is not reserved for the messages that were there: fits(2400) = false, want true")
	}
	b.accepted("q", 6, 100, false)
	b.accepted("q", 7, 100, true)
	if !fits(5_000) { // there is none, so one of any size fits
		t.Error("the messages that were there are still counted")
	}
	if err := b.reserve("q", 3000); err != nil {
		t.Fatal(err)
	}
	b.accepted("q", 8, 3000, false) // it was delivered before, and counted then
	if fits(3000) {
		t.Error("a message that came again made room: fits(3000) = true, want false")
	}
	b.accepted("q", 8, 3000, true)
	if !fits(3000) {
		t.Error("an accepted message makes no room: fits(3000) = false, want true")
	}
	if err := b.reserve("q", 20_000); err != nil {
		t.Errorf("the only message is refused: %v, want nil", err)
	}
}
