package intake

// With a durable store: resting while it is full, and draining.

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"queue-worker/internal/testkit"
)

func TestWhileTheStoreIsFullAnotherWorkerGetsTheMessages(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s := newRecorder(t, true)
	r := run(t, s, ns.URL())
	queue(t, gateway(t, ns.URL(), "g"), "before")
	s.got(t, 1)

	s.set(func() { s.full = errors.New("12 bytes free") })
	r.until(t, "the rest", func() bool { return r.Ready() != nil })
	if err := r.Ready(); !strings.Contains(err.Error(), "12 bytes free") {
		t.Errorf("Ready says %v, want \"12 bytes free\" in it", err)
	}
	s.set(func() { s.full = errors.New("11 bytes free") })
	queue(t, gateway(t, ns.URL(), "g2"), ids("c", 10)...)
	other := newRecorder(t, true)
	o := run(t, other, ns.URL())
	other.once(t, ids("c", 10)...)
	o.idle(t)
	o.close(t)

	s.set(func() { s.full = nil })
	queue(t, gateway(t, ns.URL(), "g3"), "after")
	s.once(t, "before", "after")
	r.until(t, "readiness", func() bool { return r.Ready() == nil })
	if n := strings.Count(r.log.String(), "intake paused"); n != 1 {
		t.Errorf("said %d times that it rests, want once", n)
	}
}

func TestWhileTheStoreIsFullEmbeddedNATSIsPaused(t *testing.T) {
	t.Parallel()
	for _, durable := range []bool{true, false} {
		ns := startEmbedded(t)
		s := newRecorder(t, durable)
		r := run(t, s, ns.URL(), func(o *Options) {
			o.Embedded = ns
			o.OnRest = func(resting bool) {
				if resting {
					ns.Pause()
				} else if err := ns.Resume(); err != nil {
					t.Error(err)
				}
			}
		})
		queue(t, gateway(t, ns.URL(), "g"), "before")
		s.got(t, 1)
		s.set(func() { s.full = errors.New("no room") })
		r.until(t, "the rest", func() bool { return r.Ready() != nil })
		testkit.Eventually(t, "a refusal", func() bool {
			c, err := net.Dial("tcp", strings.TrimPrefix(ns.URL(), "nats://"))
			if err == nil {
				_ = c.Close()
			}
			return err != nil
		})
		s.set(func() { s.full = nil })
		r.until(t, "readiness", func() bool { return r.Ready() == nil })
		testkit.Eventually(t, "the reopened port", func() bool { // a moment after readiness
			c, err := net.Dial("tcp", strings.TrimPrefix(ns.URL(), "nats://"))
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		})
		queue(t, gateway(t, ns.URL(), "g2"), "after")
		s.once(t, "before", "after")
		if !r.Connected() || value(r.opts.Metrics.reconnects) != 0 {
			t.Errorf("durable %v: the pause cut the worker's own connection", durable)
		}
		r.close(t)
	}
}

func TestARestWithoutConnectionEndsToo(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s := newRecorder(t, true)
	rests := make(chan bool, 4)
	r := run(t, s, ns.URL(), func(o *Options) { o.OnRest = func(resting bool) { rests <- resting } })
	s.set(func() { s.full = errors.New("no room") })
	if !<-rests {
		t.Fatal("resumed before it was paused")
	}
	ns.Close()
	r.until(t, "the loss", func() bool { return !r.Connected() })
	s.set(func() { s.full = nil })
	if <-rests {
		t.Fatal("paused twice")
	}
}

func TestDrainGivesTheRestToOthersAtOnce(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s, other := newRecorder(t, true), newRecorder(t, true)
	s.hold = make(chan struct{})
	r := run(t, s, ns.URL())
	queue(t, gateway(t, ns.URL(), "g"), ids("taken", 5)...)
	s.wait(t, "the offers", func() bool { return s.offered == 5 })
	r.stop()
	s.set(func() { close(s.hold); s.hold = nil })
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
	r.ended <- nil
	o := run(t, other, ns.URL())
	queue(t, gateway(t, ns.URL(), "g2"), ids("later", 5)...)
	other.once(t, ids("later", 5)...)
	s.once(t, ids("taken", 5)...)
	r.close(t)
	o.idle(t)
}

// While nothing is delivered, nothing more is read from the connection, and nothing is
// dropped: each message comes once.
func TestMessagesThatCannotBeDeliveredWaitAtTheServer(t *testing.T) {
	t.Parallel()
	for _, durable := range []bool{true, false} {
		const ahead, size, n = 64 << 10, 8 << 10, 200
		ns := startNATS(t, "", "")
		s := newRecorder(t, durable)
		r := run(t, s, ns.URL(), func(o *Options) { o.readAhead = ahead })
		c := publisher(t, ns.URL())
		names := ids("c", n)
		r.book.mu.Lock() // nothing is delivered meanwhile
		for _, id := range names {
			publish(t, c, channel, []byte(`{"Function":"f","Header":{"X-Call-Id":["`+id+`"]},"Body":"`+strings.Repeat("A", size)+`"}`))
		}
		testkit.Eventually(t, "the gate to close", func() bool { return r.session.unread.bytes() >= ahead })
		const inOneRead = 32 << 10 // the library's buffer
		if got := r.session.unread.bytes(); got > ahead+inOneRead+2*size {
			t.Errorf("%d bytes were read ahead, want at most %d", got, ahead+inOneRead+2*size)
		}
		r.book.mu.Unlock()
		if !durable {
			settleAll(t, r, len(names))
		}
		s.once(t, names...)
		r.idle(t)
		r.close(t)
	}
}

func TestManyServerRestartsLoseNothingAndDoubleNothing(t *testing.T) {
	t.Parallel()
	for _, durable := range []bool{true, false} {
		dir := t.TempDir()
		ns := startNATS(t, "", dir)
		s := newRecorder(t, durable)
		r := run(t, s, ns.URL())
		var want []string
		settled := 0
		for round := range 6 {
			names := ids(fmt.Sprint("round-", round), 25)
			queue(t, gateway(t, ns.URL(), fmt.Sprint("g", round)), names...)
			want = append(want, names...)
			if !durable {
				r.settle(s.got(t, settled+20)[settled : settled+20]...)
				settled += 20
			}
			ns = restart(t, ns, dir) // some are in flight, some acks are lost
		}
		s.once(t, want...)
		if !durable {
			r.settle(s.got(t, len(want))[settled:]...)
			r.idle(t)
		}
		r.until(t, "a connection", r.Connected)
		r.close(t)
	}
}
