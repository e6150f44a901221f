package embedded

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// countsModel does things with a store that counts only few lanes one by one.
type countsModel struct {
	t    *rapid.T
	s    *Store
	o    Options
	held map[invocation.ID]*invocation.Invocation
	now  time.Time
}

func (m *countsModel) lane() invocation.Lane {
	n := rapid.IntRange(0, 9).Draw(m.t, "lane")
	return invocation.Lane{Queue: "q" + strconv.Itoa(n%2), Name: "fn" + strconv.Itoa(n)}
}

func (m *countsModel) one() *invocation.Invocation {
	ids := slices.SortedFunc(maps.Keys(m.held), func(a, b invocation.ID) int { return slices.Compare(a[:], b[:]) })
	if len(ids) == 0 {
		return nil
	}
	return m.held[rapid.SampledFrom(ids).Draw(m.t, "invocation")]
}

func (m *countsModel) must(err error) {
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *countsModel) accept() {
	inv := &invocation.Invocation{
		ID: invocation.NewID(time.Now()), Lane: m.lane(), State: invocation.Pending, Accepted: m.now,
		Since: m.now.Add(time.Duration(rapid.IntRange(0, 1).Draw(m.t, "delayed")) * time.Hour),
	}
	if rapid.IntRange(0, 3).Draw(m.t, "dead") == 0 {
		inv.State, inv.Reason, inv.DiedAt, inv.Since = invocation.Dead, invocation.NonRetryable, m.now, time.Time{}
	}
	done := make(chan error, 1)
	m.s.Accept(store.Accept{Inv: inv, Raw: []byte("{}")}, func(err error) { done <- err })
	m.must(<-done)
	m.held[inv.ID] = inv
}

func (m *countsModel) move() {
	inv := m.one()
	if inv == nil {
		return
	}
	ctx := context.Background()
	switch {
	case inv.State == invocation.Dead && rapid.Bool().Draw(m.t, "replay"):
		m.must(m.s.Replay(ctx, inv.ID))
		inv.State, inv.Since = invocation.Pending, m.now
	case inv.State == invocation.Dead:
		m.must(m.s.Drop(ctx, inv.ID))
		delete(m.held, inv.ID)
	default:
		_, err := m.s.Cancel(ctx, inv.ID)
		m.must(err)
		delete(m.held, inv.ID)
	}
}

func (m *countsModel) adopt() {
	m.must(m.s.Adopt(context.Background(), []invocation.Lane{m.lane(), m.lane()}))
}

func (m *countsModel) restart() {
	m.must(m.s.Close())
	m.open()
}

func (m *countsModel) open() {
	var err error
	m.s, err = Open(m.o)
	m.must(err)
}

// check holds every count against what is there.
func (m *countsModel) check() {
	want, queues := map[invocation.Lane]store.LaneStats{}, map[string]store.LaneStats{}
	for _, inv := range m.held {
		p := placeDelta{lane: inv.Lane, in: placeOf(inv, m.now), n: 1}
		if p.in == inDead {
			p.bytes = int64(inv.Size)
		}
		n, q := want[inv.Lane], queues[inv.Lane.Queue]
		p.addTo(&n)
		p.addTo(&q)
		want[inv.Lane], queues[inv.Lane.Queue] = n, q
	}
	got := m.s.Lanes()
	if len(got) > 3+adoptedLanes || len(m.s.counts.lanes) > 3+adoptedLanes {
		m.t.Fatalf("%d lanes are counted one by one", len(m.s.counts.lanes))
	}
	sums := map[string]store.LaneStats{}
	add := func(queue string, n store.LaneStats) {
		s := sums[queue]
		sums[queue] = store.LaneStats{Ready: s.Ready + n.Ready, Delayed: s.Delayed + n.Delayed, Dead: s.Dead + n.Dead, DeadBytes: s.DeadBytes + n.DeadBytes}
	}
	for l, n := range got {
		add(l.Queue, n)
		if n != want[l] {
			m.t.Fatalf("%v has %+v, counted are %+v", l, want[l], n)
		}
	}
	for queue, n := range m.s.Rest() {
		add(queue, n)
	}
	if !maps.Equal(sums, queues) {
		m.t.Fatalf("all lanes and the rest are %v, there are %v", sums, queues)
	}
	for l, n := range want {
		if got, err := m.s.Lane(context.Background(), l); err != nil || got != n {
			m.t.Fatalf("of %v there are %+v, counted are %+v, %v", l, n, got, err)
		}
	}
	if d := m.s.Stats().Difference(); d != 0 {
		m.t.Fatalf("%d are unaccounted for", d)
	}
}

func TestCountsAreExactHoweverManyLanesThereAre(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &countsModel{t: rt, held: map[invocation.ID]*invocation.Invocation{}, now: time.Unix(1e9, 0)}
		m.o = Options{lanes: 3, Dir: "data", FS: vfs.NewMem(), Now: func() time.Time { return m.now }}
		m.open()
		defer func() { m.must(m.s.Close()) }()
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"accept", "accept", "accept", "move", "move", "adopt", "restart"}).Draw(rt, "act") {
			case "accept":
				m.accept()
			case "move":
				m.move()
			case "adopt":
				m.adopt()
			case "restart":
				m.restart()
			}
			m.check()
		}
	})
}

func TestLanesThatAreAdoptedStayCountedBesideAFlood(t *testing.T) {
	t.Parallel()
	m := newFlooded(t, 50)
	known := invocation.Lane{Queue: "q", Name: "known"}
	m.put(t, known)
	if _, counted := m.Lanes()[known]; counted {
		t.Fatal("there was room for one more lane, want not counted")
	}
	if err := m.Adopt(t.Context(), []invocation.Lane{known}); err != nil {
		t.Fatal(err)
	}
	m.put(t, known)
	switch n := m.Lanes()[known]; {
	case n.Ready != 2:
		t.Errorf("it has %+v, the rest %+v, want ready 2", n, m.Rest())
	case m.Rest()["q"].Ready != 47:
		t.Errorf("it has %+v, the rest %+v, want ready 47", n, m.Rest())
	}
}

func TestReadyLanesAreReadWithOneSearchEach(t *testing.T) {
	t.Parallel()
	m := newFlooded(t, 50)
	for range 1000 {
		m.put(t, invocation.Lane{Queue: "q", Name: "fn25"})
	}
	m.put(t, invocation.Lane{Queue: "q", Name: "fn"}) // a name that begins as the others do
	m.put(t, invocation.Lane{Queue: "p", Name: "fn25"})
	urls := []invocation.Lane{{Queue: "p", Name: "url:a:80"}, {Queue: "q", Name: "url:a:80"}, {Queue: "q", Name: "url:b:80"}, {Queue: "r", Name: "url:a:80"}}
	for _, l := range urls {
		m.put(t, l)
	}
	m.put(t, invocation.Lane{Queue: "q", Name: "urx"})
	m.put(t, invocation.Lane{Queue: "s", Name: "z"})
	if got := m.readyLanes(t, true); !slices.Equal(got, urls) {
		t.Errorf("the URLs are %v, want %v", got, urls)
	}
	got, want := m.readyLanes(t, false), []invocation.Lane(nil)
	for name := range 50 {
		want = append(want, invocation.Lane{Queue: "q", Name: fmt.Sprintf("fn%02d", name)})
	}
	want = append([]invocation.Lane{{Queue: "p", Name: "fn25"}, {Queue: "q", Name: "fn"}}, want...)
	want = append(want, invocation.Lane{Queue: "q", Name: "urx"}, invocation.Lane{Queue: "s", Name: "z"})
	if !slices.Equal(got, want) {
		t.Errorf("the lanes are %v, want %v", got, want)
	}
}

// readyLanes reads lanes in pages.
func (f flooded) readyLanes(t *testing.T, urls bool) (all []invocation.Lane) {
	t.Helper()
	for from := (invocation.Lane{}); ; from = all[len(all)-1] {
		page, err := f.ReadyLanes(t.Context(), from, urls, 7)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
		if len(page) < 7 {
			return all
		}
	}
}

// flooded is a store with many lanes of which it counts three by themselves.
type flooded struct{ *Store }

func newFlooded(t *testing.T, lanes int) flooded {
	t.Helper()
	s, err := Open(Options{lanes: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f := flooded{s}
	for n := range lanes {
		f.put(t, invocation.Lane{Queue: "q", Name: fmt.Sprintf("fn%02d", n)})
	}
	return f
}

func (f flooded) put(t *testing.T, l invocation.Lane) {
	t.Helper()
	inv := &invocation.Invocation{ID: invocation.NewID(time.Now()), Lane: l, State: invocation.Pending, Since: time.Now()}
	done := make(chan error, 1)
	f.Accept(store.Accept{Inv: inv, Raw: []byte("{}")}, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestPendingListsLanesThatAreNotCountedOneByOne(t *testing.T) {
	t.Parallel()
	f := newFlooded(t, 20)
	for _, tt := range []struct {
		filter store.PendingFilter
		want   int
	}{{store.PendingFilter{}, 20}, {store.PendingFilter{Function: "fn15"}, 1}, {store.PendingFilter{Queue: "other"}, 0}, {store.PendingFilter{Function: "fn01", State: store.StateReady}, 1}} {
		n := 0
		for cursor := ""; ; {
			page, next, err := f.Pending(t.Context(), tt.filter, cursor, 7)
			if err != nil {
				t.Fatal(err)
			}
			n += len(page)
			if cursor = next; cursor == "" {
				break
			}
		}
		if n != tt.want {
			t.Errorf("%+v lists %d, there are %d, want %v", tt.filter, n, tt.want, tt.want)
		}
	}
	if _, ok := f.Oldest(t.Context(), invocation.Lane{Queue: "q", Name: "fn15"}); !ok {
		t.Error("a lane that is not counted by itself has no oldest, want ok")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Adopt(t.Context(), []invocation.Lane{{Queue: "q", Name: "fn15"}}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("after Close: %v, want %v", err, store.ErrClosed)
	}
}

func TestGroupsOfInventedNamesAreBounded(t *testing.T) {
	t.Parallel()
	f := newFlooded(t, 0)
	const names = mostGroups + 1000
	done := make(chan error, names)
	for n := range names {
		f.Accept(store.Accept{Raw: []byte("{}"), Inv: &invocation.Invocation{
			ID: invocation.NewID(time.Now()), Lane: invocation.Lane{Queue: "q", Name: "fn" + strconv.Itoa(n)},
			State: invocation.Dead, Reason: invocation.NonRetryable, DiedAt: time.Now(),
		}}, func(err error) { done <- err })
	}
	for range names {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	groups, err := f.Groups(t.Context(), store.Filter{})
	switch {
	case err != nil:
		t.Errorf("%v, %d groups, the first is %+v, want no error", err, len(groups), groups[0])
	case len(groups) != mostGroups+1:
		t.Errorf("%v, %d groups, the first is %+v, want %d groups", err, len(groups), groups[0], mostGroups+1)
	case groups[0].Function != store.OtherLanes:
		t.Errorf("%v, %d groups, the first is %+v, want function %v", err, len(groups), groups[0], store.OtherLanes)
	case groups[0].Count != 1000:
		t.Errorf("%v, %d groups, the first is %+v, want count 1000", err, len(groups), groups[0])
	}
}
