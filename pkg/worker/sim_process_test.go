// File sim_process_test.go has what the simulated worker talks to: source, store, functions.

package worker

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/store"
)

// feed delivers what is not acked, some of it twice and some once more later.
func (p *process) feed(ctx context.Context) {
	for _, m := range p.toDeliver(time.Now()) {
		for range 1 + m.again {
			p.deliver(m)
		}
		select {
		case <-time.After(m.pause):
		case <-ctx.Done():
			return
		case <-p.crashed:
			return
		}
	}
}

// deliver hands a message to the store, as the intake does.
func (p *process) deliver(m *plan) {
	if p.isDead() {
		return
	}
	now := time.Now()
	lane := invocation.Lane{Queue: queue, Name: m.function}
	inv := &invocation.Invocation{
		ID: invocation.NewID(now), CallID: m.name, Function: m.function, Lane: lane, Accepted: now, Since: p.delivery(m, now),
	}
	if m.age > 0 {
		inv.Terms = &invocation.Terms{Source: invocation.SourceHTTP, Expires: now.Add(m.age)}
	}
	raw, _ := json.Marshal(message{Function: m.function, Body: []byte(m.name), Header: m.header()})
	done := func(err error) {
		p.passed("accepted")
		p.acked(p, m, err)
	}
	source := &store.Source{Cluster: "c", Channel: queue, Sequence: m.sequence, Timestamp: 1}
	if p.ackEarly {
		p.acked(p, m, nil)
	}
	p.store.Accept(store.Accept{Inv: inv, Raw: raw, Source: source}, done)
}

// simWatcher is what the store reports to, with a planted bug.
type simWatcher struct {
	*Lanes
	p *process
}

func (w simWatcher) Ready(entries []store.Ready) {
	if w.p.wakeless && w.p.isUnheard() {
		return
	}
	w.Lanes.Ready(entries)
}

// simStore is the store with steps in it, and with the planted bugs.
type simStore struct {
	Store
	p     *process
	slots []invocation.ID
}

func (s simStore) Hold(slot int, id invocation.ID) {
	s.p.mark(s.p, id, true)
	s.slots[slot] = id
	s.Store.Hold(slot, id)
}

func (s simStore) Release(slot int) {
	s.Store.Release(slot)
	s.p.mark(s.p, s.slots[slot], false)
}

func (s simStore) Settle(ctx context.Context, st store.Settlement) error {
	s.p.passed("settle")
	a := s.p.settle(st.Inv)
	if st.Callback != nil {
		s.p.posting(s.p, st.Inv.CallID, st.Callback.Inv.Sequence)
		if s.p.staleHook {
			st.Callback.Inv.Sequence = 1
		}
	}
	if s.p.dueEarly && st.Outcome == invocation.OutcomeRetry {
		st.Inv.Since = st.Inv.Since.Add(-time.Second)
	}
	if s.p.cancelless && st.Outcome == invocation.OutcomeCancelled {
		st.Outcome, st.Inv.Since = invocation.OutcomeRetry, st.Inv.Since.Add(time.Second)
	}
	if s.p.markless {
		st.Inv.Retries = 0
	}
	if s.p.countTwice && st.Outcome == invocation.OutcomeRetry {
		st.Inv.Retries++
	}
	if s.p.settleEarly {
		go func() { time.Sleep(time.Millisecond); _ = s.Store.Settle(context.WithoutCancel(ctx), st) }()
		s.p.settled(s.p, a)
		return nil
	}
	err := s.Store.Settle(ctx, st)
	if err == nil {
		s.p.settled(s.p, a)
	}
	s.p.passed("settled")
	return err
}

// Function implements Caller.
func (p *process) Function(ctx context.Context, c invoke.Call) invoke.Result {
	return p.call(ctx, p.plans[c.CallID], c, false)
}

// Callback implements Caller.
func (p *process) Callback(ctx context.Context, _ string, c invoke.Call) invoke.Result {
	p.posted(p, c)
	return p.call(ctx, p.plans[c.CallID], c, true)
}

func (p *process) call(ctx context.Context, m *plan, c invoke.Call, callback bool) invoke.Result {
	p.passed("call")
	t := task{m.name, callback}
	if !p.begin(p, t, c) {
		<-ctx.Done()
		return invoke.Result{Canceled: true}
	}
	select {
	case <-time.After(m.takes):
	case <-ctx.Done():
		p.canceled(p, c.ID)
		return invoke.Result{Canceled: true} // otherwise it stays in flight for the next process
	}
	p.passed("answer")
	code := m.answer(callback, c.Retry)
	p.end(p, t, c.Retry, code)
	res := invoke.Result{Status: code, Duration: m.takes, Header: http.Header{}, Body: []byte(m.name)}
	if code == 0 {
		res.Status, res.Cause = http.StatusServiceUnavailable, invocation.CauseReset
	}
	return res
}
