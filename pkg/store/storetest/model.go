package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Model holds a kind of store against a simple model: random operations, with
// restarts among them, and after each of them both have to say the same.
func Model(t *testing.T, k Kind) {
	rapid.Check(t, func(r *rapid.T) {
		m := &model{world: newWorld(quiet{t, r}, k), r: r, held: map[invocation.ID]*invocation.Invocation{}, seen: map[store.Source]time.Time{}, kept: newKept()}
		defer m.stop()
		actions := map[string]func(*rapid.T){
			"accept": m.accept, "accept again": m.acceptAgain, "load": m.loadOne, "settle": m.settleOne, "settle wrongly": m.settleWrongly,
			"move": m.moveStep, "wait": m.wait, "replay": m.replay, "drop": m.drop, "expire": m.expireStep,
			"act": m.actOnSome, "cancel": m.cancelOne, "accept under a key": m.acceptUnderKey, "unclaim": m.unclaimOne,
			"accept the same": m.acceptSame, "sweep": m.sweepAll, "note": m.putNote, "give up what is overdue": m.giveUpOverdue,
			"": m.check,
		}
		if k.Durable {
			actions["restart"] = func(*rapid.T) { m.stop(); m.start(); m.forgetFlow(); m.checkKept(len(m.held)) }
		}
		r.Repeat(actions)
		m.checkPlaces()
		m.checkKept(len(m.held))
		m.checkKeptBeside()
	})
}

// quiet lets a world report to rapid, which shrinks what fails, and leave its
// folders to the test.
type quiet struct {
	testing.TB
	r *rapid.T
}

func (q quiet) Helper()                           {}
func (q quiet) Errorf(format string, args ...any) { q.r.Errorf(format, args...) }
func (q quiet) Error(args ...any)                 { q.r.Error(args...) }
func (q quiet) Fatalf(format string, args ...any) { q.r.Fatalf(format, args...) }
func (q quiet) Fatal(args ...any)                 { q.r.Fatal(args...) }
func (q quiet) Cleanup(func())                    {} // Model stops the store

// model is what a store should hold: invocations as they were last written, of
// which those that are delayed stand in their place until a move finds them due.
type model struct {
	*world
	r       *rapid.T
	held    map[invocation.ID]*invocation.Invocation
	delayed map[invocation.ID]bool
	seen    map[store.Source]time.Time
	kept    kept
	flow    store.Stats // AtStart, Accepted, Done, Dropped
	checks  int
}

func (m *model) forgetFlow() { m.flow = store.Stats{AtStart: uint64(len(m.held))} }

// put notes an invocation as the store has it now.
func (m *model) put(inv *invocation.Invocation) {
	if m.delayed == nil {
		m.delayed = map[invocation.ID]bool{}
	}
	kept := *inv
	kept.Attempts = slices.Clone(inv.Attempts)
	kept.Size = len(raw(inv))
	m.held[inv.ID] = &kept
	delete(m.delayed, inv.ID)
	if inv.State == invocation.Pending && inv.Since.After(m.clock.Now()) {
		m.delayed[inv.ID] = true
	}
}

func (m *model) remove(id invocation.ID) {
	delete(m.held, id)
	delete(m.delayed, id)
}

// some are the invocations for which f holds, ordered by time and id.
func (m *model) some(time func(*invocation.Invocation) time.Time, f func(*invocation.Invocation) bool) []*invocation.Invocation {
	var all []*invocation.Invocation
	for _, inv := range m.held {
		if f(inv) {
			all = append(all, inv)
		}
	}
	slices.SortFunc(all, func(a, b *invocation.Invocation) int {
		return cmp.Or(time(a).Compare(time(b)), slices.Compare(a.ID[:], b.ID[:]))
	})
	return all
}

func since(inv *invocation.Invocation) time.Time  { return inv.Since }
func diedAt(inv *invocation.Invocation) time.Time { return inv.DiedAt }

func (m *model) readyOf(function string) []*invocation.Invocation {
	return m.some(since, func(i *invocation.Invocation) bool {
		return i.State == invocation.Pending && !m.delayed[i.ID] && (function == "*" || i.Lane.Name == function)
	})
}

func (m *model) waiting() []*invocation.Invocation {
	return m.some(since, func(i *invocation.Invocation) bool { return m.delayed[i.ID] })
}

func (m *model) letters() []*invocation.Invocation {
	return m.some(diedAt, func(i *invocation.Invocation) bool { return i.State == invocation.Dead })
}

var functions = []string{"fn", "gn", "url:cb:80"}

// draw makes a new invocation of some kind.
func (m *model) draw() *invocation.Invocation {
	inv := m.now(rapid.SampledFrom(functions).Draw(m.r, "function"))
	inv.CallID = fmt.Sprint("call-", rapid.IntRange(0, 5).Draw(m.r, "call id"))
	inv.Since = inv.Since.Add(time.Duration(rapid.IntRange(-3, 10).Draw(m.r, "seconds")) * time.Second)
	if rapid.IntRange(0, 9).Draw(m.r, "dead") == 0 {
		inv.State, inv.Reason, inv.DiedAt = invocation.Dead, invocation.Malformed, m.clock.Now()
	}
	if rapid.IntRange(0, 3).Draw(m.r, "mailbox") == 0 {
		inv.Terms = &invocation.Terms{Source: invocation.SourceMailbox, MaxRetries: 3}
	}
	if rapid.IntRange(0, 2).Draw(m.r, "aged") == 0 {
		if inv.Terms == nil {
			inv.Terms = &invocation.Terms{}
		}
		inv.Terms.Expires = m.clock.Now().Add(time.Duration(rapid.IntRange(-1, 20).Draw(m.r, "deadline")) * time.Second)
	}
	return inv
}

func (m *model) accept(*rapid.T) {
	inv := m.draw()
	a := store.Accept{Inv: inv, Raw: raw(inv)}
	if rapid.Bool().Draw(m.r, "from a message") {
		d := store.Source{Cluster: "c", Channel: "ch", Sequence: uint64(len(m.seen)), Timestamp: m.clock.Now().UnixNano()}
		a.Source, m.seen[d] = &d, m.clock.Now()
	}
	if err := m.try(a); err != nil {
		m.r.Fatalf("accept: %v", err)
	}
	m.put(inv)
	m.flow.Accepted++
}

func (m *model) acceptAgain(*rapid.T) {
	for d, t := range m.seen {
		if m.clock.Now().Sub(t) < minimum {
			inv := m.draw()
			if err := m.try(store.Accept{Inv: inv, Raw: raw(inv), Source: &d}); !errors.Is(err, store.ErrSeen) {
				m.r.Fatalf("accept again: %v", err)
			}
			return
		}
	}
}

// pick returns one of all, which must not be empty.
func (m *model) pick(all []*invocation.Invocation) *invocation.Invocation {
	if len(all) == 0 {
		m.r.Skip("nothing there")
	}
	picked := *all[rapid.IntRange(0, len(all)-1).Draw(m.r, "which")]
	picked.Attempts = slices.Clone(picked.Attempts)
	return &picked
}

// loadOne reads a ready invocation as a worker does it. It may be settled later, or not.
func (m *model) loadOne(*rapid.T) {
	inv := m.pick(m.readyOf("*"))
	l, err := m.LoadReady(context.Background(), at(inv))
	if err != nil {
		m.r.Fatalf("load ready: %v", err)
	}
	if d := gocmp.Diff(inv, l.Inv); d != "" || string(l.Raw) != string(raw(inv)) {
		m.r.Fatalf("loaded %q (-want +got):\n%s", l.Raw, d)
	}
}

func (m *model) settleOne(t *rapid.T) {
	if rapid.Bool().Draw(m.r, "loaded") {
		m.loadOne(t)
	}
	inv := m.pick(m.readyOf("*"))
	st := store.Settlement{At: at(inv), Inv: inv, Outcome: rapid.SampledFrom([]invocation.Outcome{
		invocation.OutcomeDone, invocation.OutcomeRetry, invocation.OutcomeRetry, invocation.OutcomeDead, invocation.OutcomeDropped, invocation.OutcomeCancelled,
	}).Draw(m.r, "outcome")}
	inv.Record(invocation.Attempt{At: m.clock.Now(), Duration: time.Second, Status: 500})
	switch st.Outcome {
	case invocation.OutcomeRetry:
		inv.Retries++
		inv.Since = inv.Since.Add(time.Duration(rapid.IntRange(0, 5).Draw(m.r, "wait")) * time.Second)
	case invocation.OutcomeDead:
		inv.Reason, inv.DiedAt = invocation.AttemptsExhausted, m.clock.Now()
	case invocation.OutcomeDone, invocation.OutcomeDropped, invocation.OutcomeCancelled:
	}
	if rapid.Bool().Draw(m.r, "with an answer") {
		st.Answer = m.answerOf(rapid.SampledFrom([]string{"", "a", "an answer"}).Draw(m.r, "answer"))
	}
	if rapid.Bool().Draw(m.r, "with a callback") {
		cb := m.draw()
		st.Callback = &store.Accept{Inv: cb, Raw: raw(cb)}
	}
	if st.Outcome != invocation.OutcomeRetry {
		st.Result = m.drawResult(inv)
	}
	if err := m.Settle(m.Context(), st); err != nil {
		m.r.Fatalf("settle: %v", err)
	}
	m.ended(st.Result)
	m.tallied(inv, st.Outcome)
	switch st.Outcome {
	case invocation.OutcomeDone:
		m.remove(inv.ID)
		m.flow.Done++
	case invocation.OutcomeDropped, invocation.OutcomeCancelled:
		m.remove(inv.ID)
		m.flow.Dropped++
	case invocation.OutcomeRetry, invocation.OutcomeDead:
		inv.Answer = st.Answer
		m.put(inv)
	}
	if st.Callback != nil {
		m.put(st.Callback.Inv)
		m.flow.Accepted++
	}
}

// settleWrongly settles what is not ready where it is said to be.
func (m *model) settleWrongly(*rapid.T) {
	inv := m.pick(m.letters())
	cb := m.draw()
	err := m.Settle(m.Context(), store.Settlement{
		At: at(inv), Outcome: invocation.OutcomeDone, Inv: inv, Callback: &store.Accept{Inv: cb, Raw: raw(cb)},
	})
	if !errors.Is(err, store.ErrNotFound) {
		m.r.Fatalf("settle wrongly: %v", err)
	}
}

func (m *model) wait(*rapid.T) {
	m.clock.add(time.Duration(rapid.IntRange(1, 400).Draw(m.r, "deciseconds")) * 100 * time.Millisecond)
}

func (m *model) moveStep(*rapid.T) {
	m.move()
	for _, inv := range m.waiting() {
		if !inv.Since.After(m.clock.Now()) {
			delete(m.delayed, inv.ID)
		}
	}
}

func (m *model) replay(*rapid.T) {
	inv := m.pick(m.letters())
	if err := m.Replay(m.Context(), inv.ID); err != nil {
		m.r.Fatalf("replay: %v", err)
	}
	m.put(m.revived(inv, invocation.ID{}))
}

func (m *model) drop(*rapid.T) {
	inv := m.pick(m.letters())
	if err := m.Drop(m.Context(), inv.ID); err != nil {
		m.r.Fatalf("drop: %v", err)
	}
	m.remove(inv.ID)
	m.flow.Dropped++
}

func (m *model) expireStep(*rapid.T) {
	b := store.Bounds{
		MaxAge:   time.Duration(rapid.IntRange(0, 60).Draw(m.r, "max age")) * time.Second,
		MaxBytes: int64(rapid.IntRange(0, 60).Draw(m.r, "max bytes")),
	}
	want := m.beyond(b)
	if d := gocmp.Diff(ids(want), ids(m.expire(b))); d != "" {
		m.r.Fatalf("expired with %+v (-want +got):\n%s", b, d)
	}
	for _, inv := range want {
		m.remove(inv.ID)
		m.flow.Dropped++
	}
}

// beyond lists what Expire removes, in its order. No function is known, so there are two
// classes: functions and callbacks.
func (m *model) beyond(b store.Bounds) []*invocation.Invocation {
	want, classes, sizes := []*invocation.Invocation{}, [2][]*invocation.Invocation{}, [2]int64{}
	for _, inv := range m.letters() {
		if b.MaxAge > 0 && m.clock.Now().Sub(inv.DiedAt) > b.MaxAge {
			want = append(want, inv)
			continue
		}
		class := 1
		if invocation.IsCallbackLane(inv.Lane.Name) {
			class = 0
		}
		classes[class] = append(classes[class], inv)
		sizes[class] += int64(inv.StoredBytes())
	}
	for b.MaxBytes > 0 && sizes[0]+sizes[1] > b.MaxBytes {
		c := 0
		if sizes[1] > sizes[0] {
			c = 1
		}
		level := b.MaxBytes - sizes[1-c]
		if sizes[1-c] > b.MaxBytes/2 {
			level = b.MaxBytes / 2
		}
		for sizes[c] > level && sizes[0]+sizes[1] > b.MaxBytes {
			sizes[c] -= int64(classes[c][0].StoredBytes())
			want, classes[c] = append(want, classes[c][0]), classes[c][1:]
		}
	}
	return want
}

// checkPlaces compares what is listed.
func (m *model) checkPlaces() {
	for _, f := range functions {
		m.wantReady(f, m.readyOf(f)...)
	}
	m.wantDead(m.letters()...)
}

// checkKept compares the records and bytes of up to n invocations.
func (m *model) checkKept(n int) {
	for _, inv := range m.held {
		if n--; n < 0 {
			return
		}
		m.wantKept(inv)
	}
}

// check compares all counts and the content of one, and now and then where
// everything is.
func (m *model) check(*rapid.T) {
	if m.checks++; m.checks%3 == 0 {
		m.checkPlaces()
		m.checkListings()
		m.checkKeptBeside()
	}
	want := m.flow
	lanes := map[invocation.Lane]store.LaneStats{}
	m.checkKept(1)
	for _, inv := range m.held {
		l := lanes[inv.Lane]
		want.Bytes += int64(inv.StoredBytes())
		if inv.State == invocation.Pending && inv.Source() == invocation.SourceMailbox {
			want.Mailbox++
		}
		switch {
		case inv.State == invocation.Dead:
			l.Dead++
			l.DeadBytes += int64(inv.StoredBytes())
			want.Dead++
			want.DeadBytes += int64(inv.StoredBytes())
		case m.delayed[inv.ID]:
			l.Delayed++
			want.Delayed++
		default:
			l.Ready++
			want.Ready++
		}
		lanes[inv.Lane] = l
	}
	want.Keys, want.Results = len(m.kept.keys), len(m.kept.results)
	got := m.Stats()
	if (got.ResultBytes > 0) != (got.Results > 0) {
		m.r.Fatalf("counts %+v", got)
	}
	want.ResultBytes = got.ResultBytes // how results are written is the store's own matter
	if d := gocmp.Diff(want, got); d != "" {
		m.r.Fatalf("counts (-want +got):\n%s", d)
	}
	if d := gocmp.Diff(lanes, m.Lanes()); d != "" {
		m.r.Fatalf("lanes (-want +got):\n%s", d)
	}
	if waiting := m.waiting(); len(waiting) > 0 && m.NextDue().After(waiting[0].Since) {
		m.r.Fatalf("next due is %v, but %v is waiting", m.NextDue(), waiting[0].Since)
	}
}
