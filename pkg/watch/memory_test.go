package watch

// What is remembered, and for how long.

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"queue-worker/pkg/invocation"
)

// numbers are the ids of ends, as in idOf.
func numbers(ends []End) []int {
	var ns []int
	for _, e := range ends {
		ns = append(ns, int(e.Inv.ID[14])<<8|int(e.Inv.ID[15]))
	}
	return ns
}

func TestTheLatestEndsAreFoundByIDAndByCallLatestFirst(t *testing.T) {
	t.Parallel()
	w := New()
	for n, call := range []string{"a", "b", "a", "a"} {
		w.Ended(End{Inv: inv(n, call), Outcome: "done"})
	}
	w.Ended(End{Inv: inv(0, "a"), Outcome: "dropped"}) // once more, otherwise
	if got := numbers(w.LatelyByCall("a", 10)); !slices.Equal(got, []int{0, 3, 2}) {
		t.Errorf("of call a there are %v", got)
	}
	if got := numbers(w.LatelyByCall("a", 2)); !slices.Equal(got, []int{0, 3}) {
		t.Errorf("the latest two of call a are %v", got)
	}
	if e, ok := w.Lately(idOf(0)); !ok || e.Outcome != "dropped" {
		t.Errorf("number 0 is %+v, %v", e, ok)
	}
	if got := w.LatelyByCall("", 10); got != nil {
		t.Errorf("of no call there are %v", numbers(got))
	}
}

func TestAnEndThatIsBeingWrittenIsKnownUntilItIsWithdrawnAndThenAsItCameOut(t *testing.T) {
	t.Parallel()
	w := New()
	first := w.Ending(End{Inv: inv(1, "a"), Outcome: "done"})
	second := w.Ending(End{Inv: inv(1, "a"), Outcome: "cancelled"})
	if e, ok := w.Lately(idOf(1)); !ok || e.Outcome != "done" || len(w.LatelyByCall("a", 10)) != 1 || len(w.LatelyByCall("b", 10)) != 0 {
		t.Errorf("it is %+v, %v", e, ok)
	}
	first()
	first()
	if e, _ := w.Lately(idOf(1)); e.Outcome != "cancelled" {
		t.Errorf("with one withdrawn it is %+v", e)
	}
	w.Ended(End{Inv: inv(1, "a"), Outcome: "dropped"})
	second()
	if e, _ := w.Lately(idOf(1)); e.Outcome != "dropped" || len(w.LatelyByCall("a", 10)) != 1 || len(w.ending) != 0 {
		t.Errorf("at the end it is %+v", e)
	}
	w.Ending(End{Inv: inv(2, "b"), Outcome: "done"})()
	if _, ok := w.Lately(idOf(2)); ok || len(w.ending) != 0 {
		t.Error("what was withdrawn is known")
	}
}

func TestWhatIsRememberedIsBoundedInNumberAndInBytes(t *testing.T) {
	t.Parallel()
	w := New()
	for n := range mostEnds + 10 {
		w.Ended(End{Inv: inv(n, "a")})
	}
	if _, ok := w.Lately(idOf(9)); ok || len(w.memory.byID) != mostEnds || len(w.LatelyByCall("a", 2*mostEnds)) != mostEnds {
		t.Errorf("%d ends are remembered", len(w.memory.byID))
	}
	for n := range mostEnds {
		long := inv(n, "b")
		long.Attempts = make([]invocation.Attempt, invocation.MaxHistory)
		w.Ended(End{Inv: long})
	}
	if w.memory.bytes > mostBytes || w.memory.bytes < mostBytes/2 || len(w.LatelyByCall("a", 1)) != 0 {
		t.Errorf("they take %d bytes", w.memory.bytes)
	}
}

// TestMemoryIsAListThatIsSearched holds the chains against a plain list.
func TestMemoryIsAListThatIsSearched(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newMemory(5, mostBytes)
		var list []*invocation.Invocation // oldest first
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			n := rapid.IntRange(0, 8).Draw(t, "id")
			i := inv(n, []string{"a", "b"}[n%2])
			list = slices.DeleteFunc(list, func(l *invocation.Invocation) bool { return l.ID == i.ID })
			if rapid.Bool().Draw(t, "remove") {
				m.remove(i.ID)
			} else {
				m.add(End{Inv: i})
				list = append(list, i)
				list = list[max(len(list)-5, 0):]
			}
			checkMemory(t, &m, list)
		}
	})
}

func checkMemory(t *rapid.T, m *memory, list []*invocation.Invocation) {
	var all []*invocation.Invocation
	for e := m.first; e != nil; e = e.newer {
		all = append(all, e.Inv)
	}
	if !slices.Equal(all, list) || len(m.byID) != len(list) {
		t.Fatalf("it has %v, want %v", all, list)
	}
	calls := map[string][]*invocation.Invocation{}
	bytes := 0
	for _, i := range slices.Backward(list) {
		calls[i.CallID] = append(calls[i.CallID], i)
		bytes += weight(i)
	}
	for call, want := range calls {
		var got []*invocation.Invocation
		for _, e := range m.findCall(call, 100) {
			got = append(got, e.Inv)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("of %s it has %v, want %v", call, got, want)
		}
	}
	if bytes != m.bytes || len(m.byCall) != len(slices.Collect(maps.Keys(calls))) {
		t.Fatalf("it counts %d bytes and %d calls, want %d and %d", m.bytes, len(m.byCall), bytes, len(calls))
	}
}
