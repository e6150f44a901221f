package intake

// With a durable store: taken, committed, acked.

import (
	"bytes"
	"cmp"
	"errors"
	"strings"
	"testing"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

func TestEveryWireFormIsTaken(t *testing.T) {
	t.Parallel()
	tests := []struct{ file, callID, function, lane string }{
		{"gateway-2021.json", "eb8283f5-1679-48e0-afec-194544b054aa", "chaos.openfaas-fn", "chaos"},
		{"gateway-2021-plain.json", "6c7a9b4e-0d0e-4a37-9d6e-0f6f6a1c2b11", "figlet", "figlet"},
		{"gateway-2026.json", "13e58518-68aa-46f1-827b-eacc8e3ddd38", "chaos-fn", "chaos-fn"},
	}
	ns := startNATS(t, "", "")
	s := newRecorder(t, true)
	run(t, s, ns.URL())
	c := publisher(t, ns.URL())
	for _, tt := range tests {
		publish(t, c, channel, wireFile(t, tt.file))
	}
	got := s.got(t, len(tests))
	for n, tt := range tests {
		inv := got[n].Inv
		switch {
		case inv.CallID != tt.callID:
			t.Errorf("%s became %+v, want CallID %q", tt.file, inv, tt.callID)
		case inv.Function != tt.function:
			t.Errorf("%s became %+v, want Function %q", tt.file, inv, tt.function)
		case inv.Lane != (invocation.Lane{Queue: channel, Name: tt.lane}):
			t.Errorf("%s became %+v, want Lane %+v", tt.file, inv, invocation.Lane{Queue: channel, Name: tt.lane})
		}
		raw := wireFile(t, tt.file)
		switch {
		case inv.State != invocation.Pending:
			t.Errorf("%s: state %v, want Pending", tt.file, inv.State)
		case inv.Size != len(raw):
			t.Errorf("%s: size %d, want %d", tt.file, inv.Size, len(raw))
		case !bytes.Equal(got[n].Raw, raw):
			t.Errorf("%s: state %v, size %d, bytes as they came: %v: got[n].Raw = %q, want %q", tt.file, inv.State, inv.Size, bytes.Equal(got[n].Raw, raw), got[n].Raw, raw)
		}
		switch {
		case inv.Accepted.IsZero():
			t.Errorf("%s: accepted %v, ready since %v: inv.Accepted.IsZero() = true, want false", tt.file, inv.Accepted, inv.Since)
		case !inv.Since.Equal(inv.Accepted):
			t.Errorf("%s: ready since %v, want %v", tt.file, inv.Since, inv.Accepted)
		}
	}
}

func TestWhatAGatewayQueuesIsTakenOnceAndAcked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ns := startNATS(t, "", dir)
	s := newRecorder(t, true)
	r := run(t, s, ns.URL())
	queue(t, gateway(t, ns.URL(), "g"), ids("c", 50)...)
	s.once(t, ids("c", 50)...)
	r.idle(t)
	r.close(t)

	ns = restart(t, ns, dir)
	_ = run(t, s, ns.URL())
	queue(t, gateway(t, ns.URL(), "g"), "last")
	s.once(t, append(ids("c", 50), "last")...)
	if s.seen != 0 {
		t.Errorf("%d messages came again although they were acked, want 0", s.seen)
	}
}

func TestAMessageWithoutCallIDGetsItsOwn(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s := newRecorder(t, true)
	run(t, s, ns.URL())
	long := `{"Function":"f","Header":{"X-Call-Id":["` + strings.Repeat("x", maxCallID+1) + `"]}}`
	publish(t, publisher(t, ns.URL()), channel, []byte(`{"Function":"f"}`), []byte(long))
	for _, a := range s.got(t, 2) {
		if a.Inv.CallID != a.Inv.ID.String() || a.Inv.State != invocation.Pending {
			t.Errorf("call id is %q, want the invocation's own %s", a.Inv.CallID, a.Inv.ID)
		}
	}
}

func TestAMalformedMessageIsKeptAndDelaysNobody(t *testing.T) {
	t.Parallel()
	for _, durable := range []bool{true, false} {
		ns := startNATS(t, "", "")
		s := newRecorder(t, durable)
		r := run(t, s, ns.URL())
		bad := []string{
			`CANARY`, `{"Function":"f","Body":"%%CANARY%%"}`, `{"Function":"f","Header":{"Authorization":"CANARY"}}`,
			`{"Function":"../CANARY","Header":{"X-Call-Id":["known"]}}`,
		}
		for _, b := range bad {
			publish(t, r.publisher(t), channel, []byte(b))
		}
		publish(t, r.publisher(t), channel, wireFile(t, "gateway-2026.json"))
		got := s.got(t, len(bad)+1)
		for n, b := range bad {
			inv := got[n].Inv
			switch {
			case inv.State != invocation.Dead:
				t.Errorf("%s became %+v, want State Dead", b, inv)
			case inv.Reason != invocation.Malformed:
				t.Errorf("%s became %+v, want Reason %q", b, inv, invocation.Malformed)
			case inv.DiedAt.IsZero():
				t.Errorf("%s became %+v: inv.DiedAt.IsZero() = true, want false", b, inv)
			case inv.Lane != (invocation.Lane{Queue: channel}):
				t.Errorf("%s became %+v, want Lane %+v", b, inv, invocation.Lane{Queue: channel})
			}
			switch {
			case string(got[n].Raw) != b:
				t.Errorf("%s: raw %q, detail %q: string(got[n].Raw) = %q, want %q", b, got[n].Raw, inv.Detail, string(got[n].Raw), b)
			case !strings.HasSuffix(inv.Detail, "."):
				t.Errorf("%s: detail %q, want it to end with %q", b, inv.Detail, ".")
			case strings.Contains(inv.Detail, "CANARY"):
				t.Errorf("%s: detail %q, want no \"CANARY\" in it", b, inv.Detail)
			}
		}
		switch {
		case got[3].Inv.CallID != "known":
			t.Errorf("call id of the one without a function: %q; the good one is %v: got[3].Inv.CallID = %q, want \"known\"", got[3].Inv.CallID, got[4].Inv.State, got[3].Inv.CallID)
		case got[4].Inv.State != invocation.Pending:
			t.Errorf("call id of the one without a function: %q; the good one is %v: got[4].Inv.State = %d, want Pending", got[3].Inv.CallID, got[4].Inv.State, got[4].Inv.State)
		}
		if strings.Contains(r.log.String(), "CANARY") {
			t.Errorf("message content in the log, want no \"CANARY\" in it\n%s", r.log.String())
		}
		if n := value(r.opts.Metrics.malformed.WithLabelValues(channel)); n != float64(len(bad)) {
			t.Errorf("counted %v malformed, want %d", n, len(bad))
		}
		// Without a durable store the good one alone stays unacked.
		r.until(t, "the acks of the malformed ones", func() bool { return durable && r.holds() == 0 || !durable && r.holds() == 1 })
		r.close(t)
	}
}

func TestNothingIsAckedBeforeItsCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ns := startNATS(t, "", dir)
	s := newRecorder(t, true)
	s.hold = make(chan struct{})
	r := run(t, s, ns.URL())
	queue(t, gateway(t, ns.URL(), "g"), "a")
	s.wait(t, "the message", func() bool { return s.offered == 1 })

	before := r.duplicates()
	ns = restart(t, ns, dir) // the server sends again what is not acked
	r.until(t, "the redelivery", func() bool { return r.duplicates() > before })
	s.set(func() { close(s.hold); s.hold = nil })
	s.once(t, "a")
	r.idle(t)
	r.close(t) // the ack went out on the new connection, though the message came on the old one

	ns = restart(t, ns, dir)
	r = run(t, s, ns.URL())
	queue(t, gateway(t, ns.URL(), "g2"), "b")
	s.once(t, "a", "b")
	if s.offered != 2 {
		t.Errorf("%d offered to the store, want 2: the redelivery is known, and the ack was sent", s.offered)
	}
}

func TestWhatTheStoreRefusesComesAgain(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	for _, durable := range []bool{true, false} {
		s := newRecorder(t, durable)
		fails := 3
		refuse := func() error {
			if fails > 0 {
				fails--
				return errors.New("no")
			}
			return nil
		}
		if durable {
			s.answer = func(_ store.Accept, err error) error { return cmp.Or(refuse(), err) }
		} else {
			s.refuse = refuse
		}
		r := run(t, s, ns.URL(), func(o *Options) { o.Channels = []string{channel + map[bool]string{true: ".d", false: ".m"}[durable]} })
		publish(t, r.publisher(t), r.opts.Channels[0], wireFile(t, "gateway-2026.json"))
		if !durable {
			r.settle(s.got(t, 1)...)
			r.idle(t)
			continue
		}
		// The store has it since the first time, though the answer was lost: a crash
		// between commit and ack. It is known then, and acked.
		s.wait(t, "the dedup record", func() bool { return s.seen == 1 })
		r.idle(t)
		r.close(t)
	}
}

func TestAllChannelsOfTheListAreRead(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s := newRecorder(t, true)
	run(t, s, ns.URL(), func(o *Options) { o.Channels = []string{"a", "b.c"} })
	c := publisher(t, ns.URL())
	publish(t, c, "a", wireFile(t, "gateway-2026.json"))
	publish(t, c, "b.c", wireFile(t, "gateway-2021.json"))
	queues := map[string]string{}
	for _, a := range s.got(t, 2) {
		queues[a.Inv.Lane.Queue] = a.Inv.Lane.Name
		switch {
		case a.Source.Channel != a.Inv.Lane.Queue:
			t.Errorf("source is %+v, want Channel %q", a.Source, a.Inv.Lane.Queue)
		case a.Source.Cluster != cluster:
			t.Errorf("source is %+v, want Cluster %q", a.Source, cluster)
		case a.Source.Timestamp == 0:
			t.Errorf("source is %+v, want Timestamp not 0", a.Source)
		case a.Source.Sequence != 1:
			t.Errorf("source is %+v, want Sequence 1", a.Source)
		}
	}
	switch {
	case queues["a"] != "chaos-fn":
		t.Errorf("taken: %v: queues[\"a\"] = %q, want \"chaos-fn\"", queues, queues["a"])
	case queues["b.c"] != "chaos":
		t.Errorf("taken: %v: queues[\"b.c\"] = %q, want \"chaos\"", queues, queues["b.c"])
	}
}

func TestLargeMessagesBeyondTheBoundAllArriveOnce(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s := newRecorder(t, true)
	s.hold = make(chan struct{})
	c := publisher(t, ns.URL())
	body := strings.Repeat("A", 64<<10)
	names := ids("large", 100)
	for _, id := range names {
		publish(t, c, channel, []byte(`{"Function":"f","Header":{"X-Call-Id":["`+id+`"]},"Body":"`+body+`"}`))
	}
	const bound = 1 << 20 // a sixth of them
	r := run(t, s, ns.URL(), func(o *Options) { o.storeBytes = bound })
	r.until(t, "the bound", func() bool { l := r.book.load(); return l.atBound && l.parked > 0 })
	if l := r.book.load(); l.bytes > bound+(65<<10) {
		t.Errorf("%d bytes unsettled, want at most %d", l.bytes, bound+(65<<10))
	}
	s.set(func() { close(s.hold); s.hold = nil })
	s.once(t, names...)
	r.idle(t)
	switch l := r.book.load(); {
	case l.parked != 0:
		t.Errorf("left: %+v, want parked 0", l)
	case l.bytes != 0:
		t.Errorf("left: %+v, want bytes 0", l)
	}
}
