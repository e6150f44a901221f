// File modelacts.go has the actions of Model that affect more than one state: batches,
// keys, results and notes.

package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// promise is what an idempotency key stands for.
type promise struct {
	store.Key
	id     invocation.ID
	callID string
}

// kept is what a store should hold beside invocations. Keys and results that have
// expired stay until a sweep.
type kept struct {
	tallies map[invocation.ID]store.Tally // by job
	keys    map[[32]byte]promise
	results map[invocation.ID]*store.Result
	notes   map[string][]byte
}

func newKept() kept {
	return kept{map[invocation.ID]store.Tally{}, map[[32]byte]promise{}, map[invocation.ID]*store.Result{}, map[string][]byte{}}
}

// revived is a letter as it is after a replay.
func (m *model) revived(inv *invocation.Invocation, job invocation.ID) *invocation.Invocation {
	next := *inv
	if next.Job = job; !job.IsZero() {
		t := m.kept.tallies[job]
		t.Replayed++
		m.kept.tallies[job] = t
	}
	next.State, next.Since = invocation.Pending, m.clock.Now()
	next.Retries, next.Reason, next.DiedAt = 0, "", time.Time{}
	if next.Source() == invocation.SourceMailbox {
		next.Retries = 1
	}
	next.Replays++
	if next.Terms != nil {
		terms := *next.Terms
		terms.Expires = time.Time{}
		next.Terms = &terms
	}
	return &next
}

// act acts on a few invocations, whatever their state, with or without a note.
func (m *model) actOnSome(*rapid.T) {
	b := store.Batch{Verb: rapid.SampledFrom([]store.Verb{store.ActReplay, store.ActDrop, store.ActCancel}).Draw(m.r, "verb")}
	all := m.some(since, func(*invocation.Invocation) bool { return true })
	for range rapid.IntRange(0, 5).Draw(m.r, "ids") {
		id := invocation.ID{1}
		if n := rapid.IntRange(0, len(all)).Draw(m.r, "which"); n < len(all) {
			id = all[n].ID
		}
		b.IDs = append(b.IDs, id)
	}
	if b.Verb == store.ActReplay {
		b.Job = rapid.SampledFrom([]invocation.ID{{}, {7}, {8}}).Draw(m.r, "job")
	}
	if rapid.Bool().Draw(m.r, "with a note") {
		n := m.drawNote()
		b.Note = &n
	}
	except := rapid.IntRange(0, 3).Draw(m.r, "excepted")
	b.Except = func(id invocation.ID) bool { return except < len(b.IDs) && b.IDs[except] == id }
	taken, err := m.Act(m.Context(), b)
	if err != nil {
		m.r.Fatalf("act: %v", err)
	}
	if b.Note != nil {
		m.noted(*b.Note)
	}
	var notified []invocation.ID
	for _, x := range taken {
		notified = append(notified, x.ID)
		m.checkTaken(b, x)
	}
	if d := gocmp.Diff(unique(b.IDs), notified); d != "" {
		m.r.Fatalf("reported (-want +got):\n%s", d)
	}
}

// unique is all without what came before.
func unique(all []invocation.ID) (once []invocation.ID) {
	for _, id := range all {
		if !slices.Contains(once, id) {
			once = append(once, id)
		}
	}
	return once
}

// checkTaken compares what was done with one invocation, and does it too.
func (m *model) checkTaken(b store.Batch, x store.Taken) {
	inv := m.held[x.ID]
	cancel := b.Verb == store.ActCancel
	if inv == nil || cancel == (inv.State == invocation.Dead) || cancel && b.Except(x.ID) {
		if !errors.Is(x.Err, store.ErrNotFound) {
			m.r.Fatalf("verb %d on %+v: %v, want ErrNotFound", b.Verb, inv, x.Err)
		}
		return
	}
	want := inv
	if b.Verb == store.ActReplay {
		want = m.revived(inv, b.Job)
		m.put(want)
	} else {
		if cancel {
			m.tallied(inv, invocation.OutcomeCancelled)
		}
		m.remove(inv.ID)
		m.flow.Dropped++
	}
	if d := gocmp.Diff(want, x.Inv); d != "" || x.Err != nil {
		m.r.Fatalf("%v, taken (-want +got):\n%s", x.Err, d)
	}
}

func (m *model) cancelOne(*rapid.T) {
	inv := m.pick(m.some(since, func(*invocation.Invocation) bool { return true }))
	got, err := m.Cancel(m.Context(), inv.ID)
	if inv.State == invocation.Dead {
		if !errors.Is(err, store.ErrDead) {
			m.r.Fatalf("cancel of a dead one: %v", err)
		}
		return
	}
	if d := gocmp.Diff(inv, got); d != "" || err != nil {
		m.r.Fatalf("%v, cancelled (-want +got):\n%s", err, d)
	}
	m.tallied(inv, invocation.OutcomeCancelled)
	m.remove(inv.ID)
	m.flow.Dropped++
}

// acceptUnderKey accepts an invocation, or claims for it, under one of a few keys.
func (m *model) acceptUnderKey(*rapid.T) {
	k := store.Key{
		Hash: [32]byte{rapid.ByteRange(0, 3).Draw(m.r, "key")}, Payload: [32]byte{rapid.ByteRange(0, 1).Draw(m.r, "payload")},
		Sender:  [32]byte{rapid.ByteRange(0, 1).Draw(m.r, "sender")},
		Expires: m.clock.Now().Add(time.Duration(rapid.IntRange(-1, 60).Draw(m.r, "window")) * time.Second),
	}
	inv := m.draw()
	claim := rapid.IntRange(0, 3).Draw(m.r, "how") == 0
	var err error
	if claim {
		err = m.Claim(m.Context(), k, inv.ID, inv.CallID)
	} else {
		err = m.try(store.Accept{Inv: inv, Raw: raw(inv), Key: &k, Once: true})
	}
	if old, ok := m.kept.keys[k.Hash]; ok && old.Expires.After(m.clock.Now()) {
		known, is := errors.AsType[*store.KeyError](err)
		if !is || known.ID != old.id || known.CallID != old.callID || known.Same != (old.Payload == k.Payload && old.Sender == k.Sender) {
			m.r.Fatalf("under a known key: %v, want %+v", err, old)
		}
		return
	}
	if err != nil {
		m.r.Fatalf("under a new key: %v", err)
	}
	m.kept.keys[k.Hash] = promise{k, inv.ID, inv.CallID}
	if !claim {
		m.put(inv)
		m.flow.Accepted++
	}
}

func (m *model) unclaimOne(*rapid.T) {
	k := store.Key{Hash: [32]byte{rapid.ByteRange(0, 3).Draw(m.r, "key")}}
	if p, ok := m.kept.keys[k.Hash]; ok && rapid.Bool().Draw(m.r, "mine") {
		k = p.Key
		delete(m.kept.keys, k.Hash)
	}
	if err := m.Unclaim(m.Context(), k); err != nil {
		m.r.Fatalf("unclaim: %v", err)
	}
}

// acceptSame brings an invocation that is there already.
func (m *model) acceptSame(*rapid.T) {
	inv := m.pick(m.some(since, func(*invocation.Invocation) bool { return true }))
	k := store.Key{Hash: [32]byte{99}, Expires: m.clock.Now().Add(time.Hour)}
	if err := m.try(store.Accept{Inv: inv, Raw: raw(inv), Once: true, Key: &k}); !errors.Is(err, store.ErrSeen) {
		m.r.Fatalf("the same invocation: %v", err)
	}
}

// drawResult makes a result for a settlement, or none.
func (m *model) drawResult(inv *invocation.Invocation) *store.Result {
	if rapid.Bool().Draw(m.r, "without a result") {
		return nil
	}
	r := m.world.ending(inv, fmt.Sprint(rapid.SampledFrom([]string{"", "a", "body"}).Draw(m.r, "body")))
	r.Expires = m.clock.Now().Add(time.Duration(rapid.IntRange(-1, 60).Draw(m.r, "ttl")) * time.Second)
	return r
}

// ended notes the result of an invocation as it is now.
func (m *model) ended(r *store.Result) {
	if r == nil {
		return
	}
	clone := *r.Inv
	clone.Answer = nil
	clone.Attempts = slices.Clone(clone.Attempts)
	r.Inv = &clone
	m.kept.results[clone.ID] = r
}

func (m *model) sweepAll(*rapid.T) {
	want := 0
	over := func(t time.Time) bool { return !t.After(m.clock.Now()) }
	for id, r := range m.kept.results {
		if over(r.Expires) {
			delete(m.kept.results, id)
			want++
		}
	}
	for hash, p := range m.kept.keys {
		if over(p.Expires) {
			delete(m.kept.keys, hash)
			want++
		}
	}
	if got := m.sweep(); got != want {
		m.r.Fatalf("%d were swept, want %d", got, want)
	}
}

func (m *model) drawNote() store.Note {
	n := store.Note{Name: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(m.r, "note")}
	if rapid.IntRange(0, 2).Draw(m.r, "written") > 0 {
		n.Value = []byte(rapid.SampledFrom([]string{"", "x", "yy"}).Draw(m.r, "text"))
	}
	return n
}

func (m *model) noted(n store.Note) {
	m.kept.notes[n.Name] = n.Value
	if n.Value == nil {
		delete(m.kept.notes, n.Name)
	}
}

func (m *model) putNote(*rapid.T) {
	n := m.drawNote()
	if err := m.PutNote(m.Context(), n); err != nil {
		m.r.Fatalf("put note: %v", err)
	}
	m.noted(n)
}

// tallied counts an outcome for the job that replayed an invocation.
func (m *model) tallied(inv *invocation.Invocation, o invocation.Outcome) {
	if !inv.Job.IsZero() {
		t := m.kept.tallies[inv.Job]
		t.Count(o)
		m.kept.tallies[inv.Job] = t
	}
}

// checkKeptBeside compares notes, counts of jobs and results.
func (m *model) checkKeptBeside() {
	for job, want := range m.kept.tallies {
		if got, known, err := m.Tally(context.Background(), job); err != nil || !known || got != want {
			m.r.Fatalf("counts of job %s: got %+v, %v, want %+v", job, got, known, want)
		}
	}
	if d := gocmp.Diff(m.kept.notes, m.Notes("")); d != "" {
		m.r.Fatalf("notes (-want +got):\n%s", d)
	}
	for id, want := range m.kept.results {
		if want.Expires.After(m.clock.Now()) {
			m.wantResult(want)
			continue
		}
		if _, err := m.Result(context.Background(), id, true); !errors.Is(err, store.ErrNotFound) {
			m.r.Fatalf("a result that has expired: %v", err)
		}
	}
}

// checkListings compares what is pending, and the letters of a filter.
func (m *model) checkListings() {
	var want []*invocation.Invocation
	for _, f := range functions {
		want = append(want, m.readyOf(f)...)
	}
	want = append(want, m.waiting()...)
	if d := gocmp.Diff(ids(want), ids(m.world.waiting(store.PendingFilter{}, 3))); d != "" {
		m.r.Fatalf("pending (-want +got):\n%s", d)
	}
	letters := []*invocation.Invocation{}
	groups := map[string]int{}
	for _, inv := range m.letters() {
		groups[fmt.Sprint(inv.Lane, inv.Reason, inv.LastStatus())]++
		if inv.Lane.Name == functions[0] && inv.LastStatus() == 500 {
			letters = append(letters, inv)
		}
	}
	f := store.Filter{Function: functions[0], Statuses: []int{500}}
	if d := gocmp.Diff(ids(letters), ids(m.world.letters(f))); d != "" {
		m.r.Fatalf("letters (-want +got):\n%s", d)
	}
	found, err := m.Groups(m.Context(), store.Filter{})
	got := map[string]int{}
	for _, g := range found {
		got[fmt.Sprint(invocation.Lane{Queue: g.Queue, Name: g.Function}, g.Reason, g.Status)] = g.Count
	}
	if !maps.Equal(groups, got) || err != nil {
		m.r.Fatalf("groups are %v, want %v, %v", got, groups, err)
	}
}
