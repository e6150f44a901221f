package intake

// The connection: who we are, and what happens when it is lost.

import (
	"context"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/stan.go"
	"go.uber.org/goleak"

	"queue-worker/internal/testkit"
)

func TestClientIDs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, hostname, before string
		first                  []string
	}{
		{"as OpenFaaS names it", "pod-1_a.b:c", "", []string{"faas-worker-pod-1_a_b_c", "faas-worker-pod-1_a_b_c-2"}},
		{"what it was called before comes first", "h", "faas-worker-h-3", []string{"faas-worker-h-3", "faas-worker-h", "faas-worker-h-2", "faas-worker-h-4"}},
		{"the first stays the first", "h", "faas-worker-h", []string{"faas-worker-h", "faas-worker-h-2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := clientIDs(tt.hostname, tt.before)
			if !slices.Equal(got[:len(tt.first)], tt.first) || len(got) != maxClientIDs {
				t.Errorf("%d ids, first %q, want %q", len(got), got[:len(tt.first)], tt.first)
			}
		})
	}
}

func TestASecondWorkerOnAHostGetsASuffixAndKeepsIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ns := startNATS(t, "", dir)
	a := run(t, newRecorder(t, true), ns.URL())
	b := run(t, newRecorder(t, true), ns.URL())
	name := func(r *rig) string { r.mu.Lock(); defer r.mu.Unlock(); return r.clientID }
	switch {
	case name(a) != "faas-worker-host_local":
		t.Fatalf(`they are called %s and %s, want name(a) "faas-worker-host_local"`, name(a), name(b))
	case name(b) != "faas-worker-host_local-2":
		t.Fatalf(`they are called %s and %s, want name(b) "faas-worker-host_local-2"`, name(a), name(b))
	}
	before := [2]string{name(a), name(b)}
	restart(t, ns, dir)
	for _, r := range []*rig{a, b} {
		r.until(t, "the new connection", func() bool { return value(r.opts.Metrics.reconnects) == 1 && r.Connected() })
	}
	if after := [2]string{name(a), name(b)}; after != before {
		t.Errorf("after the restart they are called %q, before %q, want %v", after, before, before)
	}
}

func TestADeadWorkersMessagesComeAtOnceToItsID(t *testing.T) {
	t.Parallel()
	var log testkit.Log
	ns := startServer(t, "", "", slog.New(slog.NewTextHandler(&log, nil)))
	dead, err := stan.Connect(cluster, "faas-worker-host_local", stan.NatsURL(ns.URL()), stan.NatsOptions(nats.NoReconnect()))
	if err != nil {
		t.Fatal(err)
	}
	var inFlight sync.WaitGroup
	inFlight.Add(100)
	if _, err := dead.QueueSubscribe(channel, "faas", func(*stan.Msg) { inFlight.Done() },
		stan.DurableName(channel), stan.SetManualAckMode(), stan.DeliverAllAvailable(), stan.AckWait(time.Hour)); err != nil {
		t.Fatal(err)
	}
	queue(t, gateway(t, ns.URL(), "g"), ids("c", 100)...)
	inFlight.Wait()
	dead.NatsConn().Close() // as a killed process leaves it

	s := newRecorder(t, true)
	run(t, s, ns.URL())
	s.once(t, ids("c", 100)...)
	if strings.Contains(log.String(), "Timed out on heartbeats") {
		t.Errorf("they came by the heartbeats, not by the client id: log.String() = %q, want no \"Timed out on heartbeats\" in it", log.String())
	}
}

func TestAServerThatComesBackOnItsFilesLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ns := startNATS(t, "", dir)
	s := newRecorder(t, true)
	r := run(t, s, ns.URL())
	queue(t, gateway(t, ns.URL(), "g"), "a")
	s.got(t, 1)
	ns.Close()
	r.until(t, "the loss", func() bool { return !r.Connected() })
	switch err := r.Ready(); {
	case err == nil:
		t.Errorf("Ready says %v, want an error", err)
	case !strings.Contains(err.Error(), ns.URL()):
		t.Errorf("Ready says %v, want %q in it", err, ns.URL())
	}
	ns = startNATS(t, address(ns), dir)
	queue(t, gateway(t, ns.URL(), "g"), "b")
	s.once(t, "a", "b")
	r.until(t, "readiness", func() bool { return r.Ready() == nil })
}

func TestAMemoryServerThatBeginsAgainAtOneIsReadFromItsStart(t *testing.T) {
	t.Parallel()
	for _, durable := range []bool{true, false} {
		ns := startNATS(t, "", "")
		s := newRecorder(t, durable)
		r := run(t, s, ns.URL())
		first := ids("first", 5)
		queue(t, gateway(t, ns.URL(), "g"), first...)
		s.got(t, 5)
		ns = restart(t, ns, "")
		second := ids("second", 5)
		queue(t, gateway(t, ns.URL(), "g"), second...)
		s.once(t, append(first, second...)...)
		if durable {
			r.idle(t)
		}
		if s.seen != 0 {
			t.Errorf("durable %v: %d messages were taken for seen, want 0", durable, s.seen)
		}
		r.close(t)
	}
}

func TestAnAckNeverGoesToANewServersMessageOfTheSameSequence(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s := newRecorder(t, false)
	r := run(t, s, ns.URL())
	queue(t, gateway(t, ns.URL(), "g"), "old")
	old := s.got(t, 1)[0]
	ns = restart(t, ns, "")
	queue(t, gateway(t, ns.URL(), "g"), "new")
	s.got(t, 2)
	r.settled(old.Inv.ID, [16]byte{})
	r.until(t, "the ack that cannot be sent", func() bool { return value(r.opts.Metrics.ackErrors) == 1 })
	r.close(t)
	// Sequence 1 is still unacked: the next worker gets it.
	next := newRecorder(t, false)
	run(t, next, ns.URL())
	next.once(t, "new")
}

func TestAServerThatFallsSilentIsNoticed(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	p := newProxy(t, address(ns))
	s := newRecorder(t, true)
	r := run(t, s, "nats://"+p.ln.Addr().String())
	p.freeze()
	began := time.Now()
	r.until(t, "the loss", func() bool { return r.Ready() != nil })
	t.Logf("noticed after %s", time.Since(began).Round(10*time.Millisecond))
	p.thaw()
	queue(t, gateway(t, ns.URL(), "g"), "a")
	s.once(t, "a")
}

func TestItKeepsTryingAndLogsItOnce(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := ln.Addr().String()
	_ = ln.Close()
	s := newRecorder(t, true)
	r := start(t, s, "nats://user:CANARY@"+free)
	r.until(t, "the first failure", func() bool { return strings.Contains(r.log.String(), "cannot connect") })
	switch err := r.Ready(); {
	case err == nil:
		t.Errorf("Ready says %v; it must have a hint and no password, want an error", err)
	case !strings.Contains(err.Error(), "faas_nats_address"):
		t.Errorf("Ready says %v; it must have a hint and no password, want \"faas_nats_address\" in it", err)
	case strings.Contains(err.Error(), "CANARY"):
		t.Errorf("Ready says %v; it must have a hint and no password, want no \"CANARY\" in it", err)
	}
	ns := startNATS(t, free, "")
	r.until(t, "a connection", r.Connected)
	queue(t, gateway(t, ns.URL(), "g"), "a")
	s.once(t, "a")
	// A server that starts may answer before its cluster does, which is another error and may be logged, too.
	if n := strings.Count(r.log.String(), "no servers available"); n != 1 || strings.Contains(r.log.String(), "CANARY") {
		t.Errorf("said %d times, want once, without the password:\n%s", n, r.log.String())
	}
}

func TestDownSaysSinceWhenAndWhy(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	p := newProxy(t, address(ns))
	before := time.Now()
	r := start(t, newRecorder(t, true), "nats://user:CANARY@"+p.ln.Addr().String())
	if since, err := r.Down(); err == nil || since.Before(before) {
		t.Errorf("got %v, %v before the first connection, want a reason and the time of the start", since, err)
	}
	r.until(t, "a connection", r.Connected)
	if _, err := r.Down(); err != nil {
		t.Errorf("got %v with a connection, want nil", err)
	}
	lost := time.Now()
	p.freeze()
	r.until(t, "the loss", func() bool { return !r.Connected() })
	since, err := r.Down()
	if err == nil || since.Before(lost) {
		t.Errorf("got %v, %v after the loss, want a reason and a time after %v", since, err, lost)
	}
	if strings.Contains(r.URL(), "CANARY") {
		t.Errorf("got the URL %s, want it without the password", r.URL())
	}
}

func TestAnotherClusterNameIsReported(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	r := start(t, newRecorder(t, true), ns.URL(), func(o *Options) { o.Cluster = "other" })
	r.until(t, "the reason", func() bool { return strings.Contains(r.Ready().Error(), "faas_nats_cluster_name") })
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	_, err := New(Options{URL: "nats"})
	for _, want := range []string{"nats://host:port", "cluster", "channel", "store"} {
		switch {
		case err == nil:
			t.Errorf("error is %v; it must name %s: err = %v, want an error", err, want, err)
		case !strings.Contains(err.Error(), want):
			t.Errorf("error is %v; it must name %s: err.Error() = %q, want %q in it", err, want, err.Error(), want)
		}
	}
}

func TestCloseWithoutRunAndTwice(t *testing.T) {
	t.Parallel()
	s := newRecorder(t, true)
	o := options(s, "nats://127.0.0.1:1")
	r := start(t, s, o.URL)
	r.close(t)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := r.Run(context.Background()); err == nil {
		t.Errorf("Run after Close is no error: err = %v, want an error", err)
	}
	r.until(t, "being unready", func() bool { return r.Ready() != nil })
}

// TestNoGoroutineIsLeft is not parallel, so that only its own goroutines are there.
func TestNoGoroutineIsLeft(t *testing.T) {
	leak := goleak.IgnoreCurrent()
	ns := startEmbedded(t)
	t.Run("run", func(t *testing.T) {
		s := newRecorder(t, true)
		r := run(t, s, ns.URL(), func(o *Options) { o.Embedded = ns })
		publish(t, r.publisher(t), channel, wireFile(t, "gateway-2026.json"))
		s.got(t, 1)
	})
	ns.Close()
	goleak.VerifyNone(t, leak)
}

// proxy carries a connection and can fall silent, as a frozen server or a cut
// cable does.
type proxy struct {
	ln     net.Listener
	to     string
	mu     sync.Mutex
	frozen bool
	wake   *sync.Cond
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, to: to}
	p.wake = sync.NewCond(&p.mu)
	t.Cleanup(func() { _ = ln.Close(); p.thaw() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go p.carry(c)
		}
	}()
	return p
}

func (p *proxy) carry(c net.Conn) {
	defer c.Close()
	d, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer d.Close()
	go func() { p.copy(c, d); _ = c.Close() }()
	p.copy(d, c)
}

func (p *proxy) copy(dst io.Writer, src io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		p.mu.Lock()
		for p.frozen {
			p.wake.Wait()
		}
		p.mu.Unlock()
		if _, werr := dst.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

func (p *proxy) freeze() { p.mu.Lock(); p.frozen = true; p.mu.Unlock() }

func (p *proxy) thaw() { p.mu.Lock(); p.frozen = false; p.mu.Unlock(); p.wake.Broadcast() }
