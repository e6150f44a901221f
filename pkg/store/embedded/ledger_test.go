package embedded

// A ledger beside a store: what was confirmed, and what may have become of it
// since. After a power cut the store is held against it.

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// state is all that the store says of an invocation, as one comparable text; ""
// is absent. Crashes are left out, because in-flight markers are not synced.
type state string

func stateOf(in place, inv *invocation.Invocation) state {
	kept := *inv
	kept.Crashes = 0
	return state(fmt.Sprintf("%d %x", in, record.Encode(&kept)))
}

// placeOf is where an invocation belongs that is written at now.
func placeOf(inv *invocation.Invocation, now time.Time) place {
	switch {
	case inv.State == invocation.Dead:
		return inDead
	case inv.Since.After(now):
		return inDelayed
	}
	return inReady
}

// change is one operation in the ledger: it turns every invocation in it from
// one state into another, all of them or none.
type change struct {
	to     map[invocation.ID]state
	source *store.Source
}

// ledger knows what the store has confirmed. Operations on the same invocation
// come one after the other, so each has at most one change open.
type ledger struct {
	mu      sync.Mutex
	is      map[invocation.ID]state // confirmed
	sum     map[invocation.ID][32]byte
	sources map[store.Source]invocation.ID // confirmed
	open    map[int]change                 // submitted and not answered
	next    int
}

func newLedger() *ledger {
	return &ledger{
		is: map[invocation.ID]state{}, sum: map[invocation.ID][32]byte{},
		sources: map[store.Source]invocation.ID{}, open: map[int]change{},
	}
}

// begin notes a change before it is submitted; the caller calls end with what
// came of it.
func (l *ledger) begin(c change) (end func(error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.next
	l.next++
	l.open[n] = c
	return func(err error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil {
			return // in doubt for ever
		}
		delete(l.open, n)
		maps.Copy(l.is, c.to)
		if c.source != nil {
			for id := range c.to {
				l.sources[*c.source] = id
			}
		}
	}
}

// copy is the ledger at this moment.
func (l *ledger) copy() *ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &ledger{
		is: maps.Clone(l.is), sum: maps.Clone(l.sum), sources: maps.Clone(l.sources), open: maps.Clone(l.open),
	}
}

// verify holds a store that was opened after a cut against the ledger: every
// confirmed change is there, every open one is there wholly or not at all.
func (l *ledger) verify(s *Store) error {
	found, err := l.contents(s)
	if err != nil {
		return err
	}
	var all []error
	settled := map[invocation.ID]bool{} // settled by an open change
	for _, c := range l.open {
		all = append(all, l.verifyOpen(c, found, settled))
	}
	for id, want := range l.is {
		if !settled[id] && found[id] != want {
			all = append(all, fmt.Errorf("%s is %.60q, confirmed was %.60q", id, found[id], want))
		}
	}
	for id := range found {
		if _, known := l.is[id]; !known && !settled[id] {
			all = append(all, fmt.Errorf("%s is there, and was never accepted", id))
		}
	}
	invocations := 0
	for id := range found {
		if id[0] != 0xff {
			invocations++
		}
	}
	if st := s.Stats(); int(st.AtStart) != invocations || st.Difference() != 0 { // #nosec G115 -- small
		all = append(all, fmt.Errorf("%d are there, counted are %+v", invocations, st))
	}
	return errors.Join(append(all, l.verifySources(s, found))...)
}

// verifyOpen accepts either side of a change, as long as it is one side.
func (l *ledger) verifyOpen(c change, found map[invocation.ID]state, settled map[invocation.ID]bool) error {
	before, after := true, true
	for id, to := range c.to {
		settled[id] = true
		before = before && found[id] == l.is[id]
		after = after && found[id] == to
	}
	if !before && !after {
		return fmt.Errorf("a change of %d invocations is there by half", len(c.to))
	}
	return nil
}

// verifySources sends every message again: one whose invocation was kept is known,
// one whose was not is taken.
func (l *ledger) verifySources(s *Store, found map[invocation.ID]state) error {
	var all []error
	again := func(d store.Source, wantSeen bool) {
		inv := &invocation.Invocation{ID: invocation.NewID(time.Now()), Lane: invocation.Lane{Queue: "q", Name: "again"}}
		done := make(chan error, 1)
		s.Accept(store.Accept{Inv: inv, Raw: []byte("again"), Source: &d}, func(err error) { done <- err })
		if err := <-done; errors.Is(err, store.ErrSeen) != wantSeen || !wantSeen && err != nil {
			all = append(all, fmt.Errorf("the source %+v gives %w, want seen %v", d, err, wantSeen))
		}
	}
	for d := range l.sources {
		again(d, true)
	}
	for _, c := range l.open {
		for id := range c.to {
			if c.source != nil {
				again(*c.source, found[id] != "")
			}
		}
	}
	return errors.Join(all...)
}

// holding is what the keys of one invocation say.
type holding struct {
	inv     *invocation.Invocation
	raws    int
	sum     [32]byte
	entries []entry
	calls   int
	parts   []byte
}

func (h *holding) hold(raw []byte) { h.raws, h.sum = h.raws+1, sha256.Sum256(raw) }

// holdPart adds a part of a QueueRequest.
func (h *holding) holdPart(raw []byte) {
	if len(h.parts) > 0 {
		h.raws--
	}
	h.parts = append(h.parts, raw...)
	h.hold(h.parts)
}

// contents reads all that a store holds, once, and checks that it agrees with
// itself: a record, a QueueRequest, a call id and exactly one place for each.
func (l *ledger) contents(s *Store) (map[invocation.ID]state, error) {
	all := map[invocation.ID]*holding{}
	of := func(id invocation.ID) *holding {
		if all[id] == nil {
			all[id] = &holding{}
		}
		return all[id]
	}
	scan := func(prefix []byte, f func(h *holding, id invocation.ID, value []byte) error) error {
		return s.each(prefix, after(prefix), func(key, value []byte) (bool, error) {
			id := invocation.ID(key[len(key)-idLen:])
			if bytes.HasPrefix(key, bytesPrefix) {
				id = invocation.ID(key[len(prefix):][:idLen])
			}
			return true, f(of(id), id, value)
		})
	}
	err := errors.Join(
		scan(recordPrefix, func(h *holding, id invocation.ID, v []byte) error {
			inv, raw, err := record.DecodeInline(id, v)
			if h.inv = inv; raw != nil {
				h.hold(raw)
			}
			return err
		}),
		scan(bytesPrefix, func(h *holding, _ invocation.ID, v []byte) error { h.holdPart(v); return nil }),
		scan(callPrefix, func(h *holding, _ invocation.ID, _ []byte) error { h.calls++; return nil }),
		s.scanIndexes(func(e entry) error { h := of(e.id); h.entries = append(h.entries, e); return nil }),
	)
	found := map[invocation.ID]state{}
	var wrong []error
	for id, h := range all {
		if h.inv == nil || h.raws != 1 || h.calls != 1 || len(h.entries) != 1 || h.sum != l.sum[id] {
			wrong = append(wrong, fmt.Errorf("%s is not whole: %+v", id, h))
			continue
		}
		e := h.entries[0]
		at := map[place]time.Time{inReady: h.inv.Since, inDelayed: h.inv.Since, inDead: h.inv.DiedAt}[e.in]
		if (e.in == inDead) != (h.inv.State == invocation.Dead) || !at.Equal(e.at) || e.lane != h.inv.Lane || e.size != h.inv.Size {
			wrong = append(wrong, fmt.Errorf("%s and its index entry do not agree: %+v", id, e))
		}
		found[id] = stateOf(e.in, h.inv)
	}
	return found, errors.Join(append(wrong, err, addBeside(s, found))...)
}

// moveAll notes the move of everything that is due at now.
func (l *ledger) moveAll(now time.Time) change {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := change{to: map[invocation.ID]state{}}
	prefix := fmt.Appendf(nil, "%d ", inDelayed)
	for id, is := range l.is {
		if !bytes.HasPrefix([]byte(is), prefix) {
			continue
		}
		var encoded []byte
		_, _ = fmt.Sscanf(string(is[len(prefix):]), "%x", &encoded)
		inv, err := record.Decode(id, encoded)
		if err == nil && !inv.Since.After(now) {
			c.to[id] = stateOf(inReady, inv)
		}
	}
	return c
}

// player drives a store and keeps the ledger.
type player struct {
	*Store
	*ledger
	clock atomic.Int64 // Unix nanoseconds
	n     int

	messages uint64
	callback int // bytes of the callbacks, 0 for 300
}

func newPlayer(s *Store) *player {
	p := &player{Store: s, ledger: newLedger()}
	p.set(time.Now())
	return p
}

func (p *player) time() time.Time      { return time.Unix(0, p.clock.Load()) }
func (p *player) set(t time.Time)      { p.clock.Store(t.UnixNano()) }
func (p *player) pass(d time.Duration) { p.clock.Add(int64(d)) }

func (p *player) make(size int) (*invocation.Invocation, []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	inv := &invocation.Invocation{
		ID: invocation.NewID(p.time()), CallID: fmt.Sprint("call-", p.n%7), Function: "fn",
		Lane: invocation.Lane{Queue: "q", Name: fmt.Sprint("fn", p.n%2)}, Accepted: p.time(), Since: p.time(), Size: size,
	}
	raw := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(p.n), byte(p.n >> 8)}).Read(raw) // never fails; no compression makes it smaller
	p.sum[inv.ID] = sha256.Sum256(raw)
	return inv, raw
}

// source is where the next message comes from. One of three is out of order.
func (p *player) source() *store.Source {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.messages++
	d := &store.Source{Cluster: "c", Channel: "ch", Sequence: p.messages, Timestamp: 5}
	if p.messages%3 != 2 {
		d.Timestamp = int64(1000 * p.messages) // #nosec G115 -- small
	}
	return d
}

// accept submits, and calls answered once the ledger knows of the answer.
func (p *player) accept(a store.Accept, answered func(error)) {
	end := p.begin(change{map[invocation.ID]state{a.Inv.ID: stateOf(placeOf(a.Inv, p.time()), a.Inv)}, a.Source})
	p.Accept(a, func(err error) { end(err); answered(err) })
}

// do is accept for a new invocation, and waits.
func (p *player) do(size int, change func(*invocation.Invocation)) (*invocation.Invocation, error) {
	inv, raw := p.make(size)
	if change != nil {
		change(inv)
	}
	done := make(chan error, 1)
	p.accept(store.Accept{Inv: inv, Raw: raw, Source: p.source()}, func(err error) { done <- err })
	return inv, <-done
}

// settle gives inv, which is ready, a next state.
func (p *player) settle(inv *invocation.Invocation, v invocation.Outcome, with func(*invocation.Invocation), callback bool) error {
	next := *inv
	if with != nil {
		with(&next)
	}
	st := store.Settlement{At: store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}, Outcome: v, Inv: &next}
	c := change{to: map[invocation.ID]state{inv.ID: ""}}
	if v == invocation.OutcomeRetry || v == invocation.OutcomeDead {
		next.State = map[invocation.Outcome]invocation.State{invocation.OutcomeRetry: invocation.Pending, invocation.OutcomeDead: invocation.Dead}[v]
		c.to[inv.ID] = stateOf(placeOf(&next, p.time()), &next)
	}
	if callback {
		cb, raw := p.make(cmp.Or(p.callback, 300))
		cb.Kind, cb.Origin = invocation.KindCallback, inv.ID
		st.Callback = &store.Accept{Inv: cb, Raw: raw}
		c.to[cb.ID] = stateOf(inReady, cb)
	}
	end := p.begin(c)
	err := p.Settle(context.Background(), st)
	end(err)
	*inv = next
	return err
}
