package storetest

import (
	"errors"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// aged is an invocation that is to be called at a time, and not after another.
func (w *world) aged(due, deadline time.Time) *invocation.Invocation {
	inv := w.pending("fn", due)
	inv.Terms = &invocation.Terms{Expires: deadline}
	return inv
}

// overdue lists all whose deadline has passed, page by page.
func (w *world) overdue() (all []invocation.ID) {
	w.Helper()
	for from := (store.Deadline{}); ; {
		page, err := w.Overdue(w.Context(), from)
		if err != nil {
			w.Fatalf("overdue: %v", err)
		}
		if len(page) == 0 {
			return all
		}
		for _, d := range page {
			all = append(all, d.ID)
		}
		from = page[len(page)-1]
	}
}

// wantOverdue checks whose deadline has passed, and the order.
func (w *world) wantOverdue(want ...*invocation.Invocation) {
	w.Helper()
	got := []string{}
	for _, id := range w.overdue() {
		got = append(got, id.String())
	}
	if d := gocmp.Diff(ids(want), got); d != "" {
		w.Errorf("overdue (-want +got):\n%s", d)
	}
}

var deadlines = []test{
	{"without a deadline nothing is overdue for a century", func(w *world) {
		w.take(w.now("fn"), w.pending("fn", w.clock.Now().Add(time.Hour)))
		if got := w.NextDeadline(); got.Before(start.AddDate(100, 0, 0)) {
			w.Errorf("next deadline: got %v, want none for a century", got)
		}
		w.clock.add(24 * time.Hour)
		w.wantOverdue()
	}},
	{"ready and delayed ones are overdue after their deadline and not at it, the earliest first", func(w *world) {
		t := w.clock.Now()
		late, early := w.aged(t, t.Add(3*time.Second)), w.aged(t.Add(time.Hour), t.Add(2*time.Second))
		w.take(late, early, w.now("fn"))
		if got := w.NextDeadline(); !got.Equal(early.Expires()) {
			w.Errorf("next deadline: got %v, want %v", got, early.Expires())
		}
		w.clock.add(2 * time.Second)
		w.wantOverdue()
		w.clock.add(1)
		w.wantOverdue(early)
		w.clock.add(time.Second)
		w.wantOverdue(early, late)
		w.bury(early)
		w.clock.add(1)
		w.bury(late)
		w.wantOverdue()
		w.wantDead(early, late)
		if got := w.Stats(); got.Delayed != 0 || got.Ready != 1 || got.Dead != 2 {
			w.Errorf("counts: got %+v, want 1 ready and 2 dead", got)
		}
		if got := w.NextDeadline(); got.Before(start.AddDate(100, 0, 0)) {
			w.Errorf("next deadline after the last: got %v, want none for a century", got)
		}
	}},
	{"whatever becomes of one, its deadline is gone", func(w *world) {
		t := w.clock.Now()
		all := []*invocation.Invocation{}
		for range 5 {
			all = append(all, w.aged(t, t.Add(time.Second)))
		}
		delayed := w.aged(t.Add(time.Hour), t.Add(time.Second))
		w.take(append(all, delayed)...)
		w.settle(all[0], invocation.OutcomeDone, nil)
		w.settle(all[1], invocation.OutcomeDropped, nil)
		w.settle(all[2], invocation.OutcomeCancelled, nil)
		w.bury(all[3])
		for _, inv := range []*invocation.Invocation{all[4], delayed} {
			if _, err := w.Cancel(w.Context(), inv.ID); err != nil {
				w.Errorf("cancel: got %v, want no error", err)
			}
		}
		w.clock.add(time.Minute)
		w.wantOverdue()
	}},
	{"a retry keeps the deadline, and may bring it forward or begin one", func(w *world) {
		t := w.clock.Now()
		kept, sooner, first := w.aged(t, t.Add(time.Minute)), w.aged(t, t.Add(time.Hour)), w.now("fn")
		w.take(kept, sooner, first)
		sooner.Terms = &invocation.Terms{Expires: t.Add(2 * time.Minute)}
		first.Terms = &invocation.Terms{Expires: t.Add(3 * time.Minute)}
		for _, inv := range []*invocation.Invocation{kept, sooner, first} {
			w.later(inv, t.Add(2*time.Hour))
		}
		w.clock.add(3*time.Minute + 1)
		w.wantOverdue(kept, sooner, first)
		w.later(kept, t.Add(3*time.Hour)) // from where it is delayed
		w.settle(sooner, invocation.OutcomeDone, nil)
		w.wantOverdue(kept, first)
		w.clock.add(time.Hour)
		w.wantOverdue(kept, first)
	}},
	{"a replayed one has no deadline", func(w *world) {
		inv := w.aged(w.clock.Now(), w.clock.Now().Add(time.Second))
		w.take(inv)
		w.clock.add(time.Minute)
		w.bury(inv)
		if err := w.Replay(w.Context(), inv.ID); err != nil {
			w.Fatalf("replay: %v", err)
		}
		w.clock.add(time.Hour)
		w.wantOverdue()
		if got := w.Stats().Ready; got != 1 {
			w.Errorf("ready: got %d, want 1", got)
		}
	}},
	{"deadlines are there after a restart", func(w *world) {
		t := w.clock.Now()
		a, b := w.aged(t, t.Add(time.Second)), w.aged(t.Add(time.Hour), t.Add(time.Minute))
		w.take(a, b)
		w.restart()
		if got := w.NextDeadline(); !got.Equal(a.Expires()) {
			w.Errorf("next deadline: got %v, want %v", got, a.Expires())
		}
		w.clock.add(time.Hour)
		w.wantOverdue(a, b)
	}},
	{"a place is settled once, overdue or not", func(w *world) {
		inv := w.aged(w.clock.Now().Add(time.Hour), w.clock.Now())
		w.take(inv)
		w.clock.add(time.Second)
		here := at(inv)
		w.bury(inv)
		err := w.Settle(w.Context(), store.Settlement{At: here, Outcome: invocation.OutcomeDone, Inv: inv})
		if !errors.Is(err, store.ErrNotFound) {
			w.Errorf("second settlement: got %v, want ErrNotFound", err)
		}
	}},
	{"many that are overdue at once are listed in steps, and each once", func(w *world) {
		const n = 2500
		answers := make(chan error, n)
		for range n {
			inv := w.aged(w.clock.Now(), w.clock.Now().Add(time.Second))
			w.Accept(store.Accept{Inv: inv, Raw: raw(inv)}, func(err error) { answers <- err })
		}
		for range n {
			if err := <-answers; err != nil {
				w.Fatal(err)
			}
		}
		w.clock.add(2 * time.Second)
		page, err := w.Overdue(w.Context(), store.Deadline{})
		if err != nil || len(page) == 0 || len(page) > n/2 {
			w.Errorf("first step: got %d, %v, want at most %d", len(page), err, n/2)
		}
		known := map[invocation.ID]bool{}
		for _, id := range w.overdue() {
			known[id] = true
		}
		if len(known) != n {
			w.Errorf("listed: got %d, want %d", len(known), n)
		}
	}},
}

// expires is when an invocation is too late, for some.
func expires(inv *invocation.Invocation) time.Time { return inv.Expires() }

// giveUpOverdue settles some of those whose deadline has passed, and compares which these are.
func (m *model) giveUpOverdue(*rapid.T) {
	want := m.some(expires, func(inv *invocation.Invocation) bool {
		return inv.State == invocation.Pending && !inv.Expires().IsZero() && inv.Expires().Before(m.clock.Now())
	})
	got := []string{}
	for _, id := range m.overdue() {
		got = append(got, id.String())
	}
	if d := gocmp.Diff(ids(want), got); d != "" {
		m.r.Fatalf("overdue (-want +got):\n%s", d)
	}
	if len(want) > 0 && m.NextDeadline().After(want[0].Expires()) {
		m.r.Fatalf("next deadline: got %v, want at most %v", m.NextDeadline(), want[0].Expires())
	}
	for _, inv := range want {
		if !rapid.Bool().Draw(m.r, "given up") {
			continue
		}
		inv.Reason, inv.DiedAt = invocation.MaxAgeExceeded, m.clock.Now()
		if err := m.Settle(m.Context(), store.Settlement{At: at(inv), Outcome: invocation.OutcomeDead, Inv: inv}); err != nil {
			m.r.Fatalf("settle what is overdue: %v", err)
		}
		m.tallied(inv, invocation.OutcomeDead)
		m.put(inv)
	}
}
