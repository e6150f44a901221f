package intake

// Without a durable store: unacked until settled, and bounded.

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-streaming-server/server"

	"queue-worker/internal/testkit"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

var noSuccessor invocation.ID

// settle settles invocations as the worker does.
func (r *rig) settle(all ...store.Accept) {
	for _, a := range all {
		r.settled(a.Inv.ID, noSuccessor)
	}
}

// settled reports that an invocation is done, with its callback still to be made.
func (r *rig) settled(id, callback invocation.ID) {
	r.Changed([]store.Change{{Inv: &invocation.Invocation{ID: id}, Outcome: invocation.OutcomeDone, Callback: callback}})
}

func TestAMessageStaysUnackedUntilItIsSettled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ns := startNATS(t, "", dir)
	s := newRecorder(t, false)
	r := run(t, s, ns.URL())
	queue(t, gateway(t, ns.URL(), "g"), "settled", "unsettled")
	got := s.got(t, 2)
	r.settle(got[0])
	r.settle(got[0])                                                                                  // a second time does nothing
	r.Changed([]store.Change{{Inv: got[1].Inv}, {Inv: got[1].Inv, Outcome: invocation.OutcomeRetry}}) // neither settles it
	r.close(t)
	if got[0].Source != nil {
		t.Errorf("the store is asked to remember the source, which costs memory without a bound: got[0].Source = %+v, want nil", got[0].Source)
	}

	next := newRecorder(t, false)
	run(t, next, ns.URL())
	queue(t, gateway(t, ns.URL(), "g2"), "new")
	next.once(t, "unsettled", "new")
}

func TestAnUnsettledMessageIsNotTakenAgainAfterAReconnect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ns := startNATS(t, "", dir)
	s := newRecorder(t, false)
	r := run(t, s, ns.URL())
	queue(t, gateway(t, ns.URL(), "g"), ids("c", 20)...)
	got := s.got(t, 20)
	before := r.duplicates()

	ns = restart(t, ns, dir)
	r.until(t, "the redelivery of all", func() bool { return r.duplicates() >= before+20 })
	r.settle(got...)
	r.idle(t)
	s.once(t, ids("c", 20)...)
	r.close(t)

	next := newRecorder(t, false)
	run(t, next, ns.URL())
	queue(t, gateway(t, ns.URL(), "g2"), "new")
	next.once(t, "new")
}

func TestWhatWasSettledWithoutAConnectionIsAckedWhenItComesAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ns := startNATS(t, "", dir)
	s := newRecorder(t, false)
	r := run(t, s, ns.URL())
	queue(t, gateway(t, ns.URL(), "g"), "a")
	got := s.got(t, 1)
	ns.Close()
	r.until(t, "the loss", func() bool { return !r.Connected() })
	r.settle(got...)
	before := r.duplicates()

	ns = startNATS(t, address(ns), dir)
	r.until(t, "the redelivery", func() bool { return r.duplicates() > before })
	r.idle(t)
	r.close(t)
	next := newRecorder(t, false)
	run(t, next, ns.URL())
	queue(t, gateway(t, ns.URL(), "g2"), "b")
	next.once(t, "b")
	s.once(t, "a")
}

func TestFlushReturnsWhenTheServerHasTheAcksAndNotWithoutAServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ns := startNATS(t, "", dir)
	s := newRecorder(t, false)
	r := run(t, s, ns.URL())
	if err := r.Flush(t.Context()); err != nil {
		t.Errorf("with nothing to ack: %v, want nil", err)
	}
	queue(t, gateway(t, ns.URL(), "g"), ids("c", 100)...)
	got := s.got(t, 100)
	r.settle(got[:50]...)
	if err := r.Flush(t.Context()); err != nil {
		t.Errorf("with acks on their way: %v, want nil", err)
	}
	r.book.mu.Lock()
	switch {
	case r.book.acked != 50:
		t.Errorf("%d acks are sent, want 50", r.book.acked)
	case r.book.acking != 0:
		t.Errorf("%d acks are not sent, want 0", r.book.acking)
	}
	r.book.mu.Unlock()
	ns.Close()
	r.until(t, "the loss", func() bool { return !r.Connected() })
	if err := r.Flush(t.Context()); !errors.Is(err, ErrNotConnected) {
		t.Errorf("without a server: %v, want %v", err, ErrNotConnected)
	}
}

func TestTheHoldMovesToTheCallback(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s := newRecorder(t, false)
	r := run(t, s, ns.URL())
	queue(t, gateway(t, ns.URL(), "g"), "a")
	got := s.got(t, 1)
	callback := invocation.NewID(got[0].Inv.Accepted)
	r.settled(got[0].Inv.ID, callback)
	r.settle(got[0]) // the function's invocation holds nothing any more
	if r.holds() != 1 {
		t.Fatalf("%d messages unacked, want 1: the callback is not settled", r.holds())
	}
	r.settled(callback, noSuccessor)
	r.idle(t)
}

func TestSettledBeforeTheStoreAnswers(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s := newRecorder(t, false)
	s.hold = make(chan struct{})
	r := run(t, s, ns.URL())
	queue(t, gateway(t, ns.URL(), "g"), "a")
	s.wait(t, "the offer", func() bool { return s.offered == 1 })
	// The store notifies the worker before it notifies us, and the worker may be quick.
	r.book.mu.Lock()
	var id invocation.ID
	for _, h := range r.book.holds {
		id = h.id
	}
	r.book.mu.Unlock()
	r.settled(id, noSuccessor)
	close(s.hold)
	s.got(t, 1)
	r.idle(t)
}

func TestAtTheBoundOfBytesItPausesAndResumes(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s := newRecorder(t, false)
	rests := make(chan bool, 16)
	r := run(t, s, ns.URL(), func(o *Options) {
		o.MaxUnsettledBytes = int64(10 * len(wireFile(t, "gateway-2026.json")))
		o.OnRest = func(resting bool) { rests <- resting }
	})
	c := publisher(t, ns.URL())
	for range 35 {
		publish(t, c, channel, wireFile(t, "gateway-2026.json"))
	}
	if !<-rests {
		t.Fatal("resumed before it was paused")
	}
	r.until(t, "the rest to be parked", func() bool { return r.book.load().parked == 25 })
	switch err := r.Ready(); {
	case err == nil:
		t.Errorf("Ready says %v, want an error", err)
	case !strings.Contains(err.Error(), "max_unsettled"):
		t.Errorf("Ready says %v, want \"max_unsettled\" in it", err)
	}
	if n := len(s.got(t, 10)); n != 10 || value(r.opts.Metrics.resting) != 1 {
		t.Errorf("%d taken, resting is %v; want 10 and 1", n, value(r.opts.Metrics.resting))
	}
	settleAll(t, r, 35)
	for resting := true; resting; {
		resting = <-rests
	}
	r.idle(t)
	if err := r.Ready(); err != nil {
		t.Errorf("Ready says %v, want nil", err)
	}
	if n := strings.Count(r.log.String(), "subscri"); n != 0 {
		t.Errorf("it subscribed again, which gives unacked messages to another worker: n = %d, want 0\n%s", n, r.log.String())
	}
}

// settleAll settles one after the other until n have been taken and settled.
func settleAll(t *testing.T, r *rig, n int) {
	t.Helper()
	seen := map[invocation.ID]bool{}
	for done := 0; done < n; done++ {
		all := r.store.got(t, done+1)
		if a := all[done]; !seen[a.Inv.ID] {
			seen[a.Inv.ID] = true
			r.settle(a)
		}
	}
	if all := r.store.got(t, n); len(all) != n {
		t.Errorf("%d taken, want %d", len(all), n)
	}
}

func TestAtTheBoundOfMessagesItPausesAndResumes(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s := newRecorder(t, false)
	r := run(t, s, ns.URL(), func(o *Options) { o.MaxUnsettled = 8 })
	names := ids("c", 40)
	queue(t, gateway(t, ns.URL(), "g"), names...)
	r.until(t, "the rest", func() bool { return r.Ready() != nil })
	if n := r.holds(); n != 8 {
		t.Errorf("%d unsettled, want 8", n)
	}
	settleAll(t, r, 40)
	s.once(t, names...)
	r.until(t, "readiness", func() bool { return r.Ready() == nil })
}

func TestTwoWorkersAtTheirBoundsTakeEachMessageOnce(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	var rigs []*rig
	small := func(o *Options) { o.MaxUnsettledBytes = 1000 }
	for range 2 {
		rigs = append(rigs, run(t, newRecorder(t, false), ns.URL(), small))
	}
	names := ids("c", 60)
	queue(t, gateway(t, ns.URL(), "g"), names...)
	for _, r := range rigs {
		r.until(t, "the bound", func() bool { return r.book.load().parked > 0 })
	}
	settled := map[string]int{}
	next := make([]int, len(rigs))
	testkit.Eventually(t, "all to be settled", func() bool {
		for n, r := range rigs {
			all := r.store.got(t, next[n])
			for _, a := range all[next[n]:] {
				settled[a.Inv.CallID]++
				r.settle(a)
			}
			next[n] = len(all)
		}
		return len(settled) == len(names)
	})
	for _, r := range rigs {
		r.idle(t)
	}
	for id, n := range settled {
		if n != 1 {
			t.Errorf("%s was taken %d times, want 1", id, n)
		}
	}
}

func TestWhatTheServerRemovedIsLogged(t *testing.T) {
	t.Parallel()
	ns := startForgetful(t, 5)
	s := newRecorder(t, false)
	r := run(t, s, ns, func(o *Options) { o.MaxUnsettledBytes = 1 })
	c := publisher(t, ns)
	for range 20 {
		publish(t, c, channel, wireFile(t, "gateway-2026.json"))
	}
	r.until(t, "the parking", func() bool { return r.book.load().parked == 19 })
	r.settle(s.got(t, 1)...)
	r.until(t, "the loss to be reported", func() bool { return value(r.opts.Metrics.discarded) == 14 })
	if !strings.Contains(r.log.String(), "messages lost") {
		t.Errorf("no line in the log: r.log.String() = %q, want \"messages lost\" in it", r.log.String())
	}
	settleAll(t, r, 6)
}

// startForgetful runs a server that keeps few messages of a channel.
func startForgetful(t *testing.T, keep int) (url string) {
	t.Helper()
	o := server.GetDefaultOptions()
	o.ID, o.MaxMsgs = cluster, keep
	n := server.DefaultNatsServerOptions
	n.Port = -1
	s, err := server.RunServerWithOpts(o, &n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s.ClientURL()
}

func TestAFullStoreWithoutFolderRestsToo(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s := newRecorder(t, false)
	r := run(t, s, ns.URL())
	s.set(func() { s.full = errors.New("no room") })
	r.until(t, "the rest", func() bool { return r.Ready() != nil })
	queue(t, gateway(t, ns.URL(), "g"), ids("c", 5)...)
	r.until(t, "the parking", func() bool { return r.book.load().parked == 5 })
	s.set(func() { s.full = nil })
	s.once(t, ids("c", 5)...)
}

func TestDrainWithoutAFolderKeepsWhatRunsAndGivesBackTheRest(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s, other := newRecorder(t, false), newRecorder(t, false)
	r := run(t, s, ns.URL())
	queue(t, gateway(t, ns.URL(), "g"), "runs", "waits")
	got := s.got(t, 2)
	o := run(t, other, ns.URL())

	r.stop() // no new ones, and Run returns
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
	r.ended <- nil
	queue(t, gateway(t, ns.URL(), "g2"), ids("later", 10)...)
	r.settle(got[0]) // the call that ran ends well, after Run
	r.close(t)

	other.once(t, append(ids("later", 10), "waits")...)
	o.settle(other.got(t, 11)...)
	o.idle(t)
	s.once(t, "runs", "waits")
}

func TestAMessageHasTheSameIDInEveryLifeOfAWorker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ns := startNATS(t, "", dir)
	s := newRecorder(t, false)
	r := run(t, s, ns.URL())
	queue(t, gateway(t, ns.URL(), "g"), "a", "b")
	before := s.got(t, 2)
	r.close(t)

	next := newRecorder(t, false)
	run(t, next, ns.URL())
	after := next.got(t, 2)
	for n, a := range before {
		if a.Inv.ID == before[1-n].Inv.ID || !slices.ContainsFunc(after, func(b store.Accept) bool {
			return b.Inv.ID == a.Inv.ID && b.Inv.CallID == a.Inv.CallID && b.Once
		}) {
			t.Errorf("%s was %s and is another one now", a.Inv.CallID, a.Inv.ID)
		}
	}
}
