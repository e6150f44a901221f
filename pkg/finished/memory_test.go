package finished

// What is remembered, and for how long.

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// numbers are the ids of ends, as in idOf.
func numbers(ends []store.End) []int {
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
		w.Ended(store.End{Inv: inv(n, call), Outcome: "done"})
	}
	w.Ended(store.End{Inv: inv(0, "a"), Outcome: "dropped"}) // once more, otherwise
	if got := numbers(w.LatelyByCall("a", 10)); !slices.Equal(got, []int{0, 3, 2}) {
		t.Errorf("of call a there are %v, want %+v", got, []int{0, 3, 2})
	}
	if got := numbers(w.LatelyByCall("a", 2)); !slices.Equal(got, []int{0, 3}) {
		t.Errorf("the latest two of call a are %v, want %+v", got, []int{0, 3})
	}
	switch e, ok := w.Lately(idOf(0)); {
	case !ok:
		t.Errorf("number 0 is %+v, %v: ok = false, want true", e, ok)
	case e.Outcome != "dropped":
		t.Errorf("number 0 is %+v, %v, want Outcome \"dropped\"", e, ok)
	}
	if got := w.LatelyByCall("", 10); got != nil {
		t.Errorf("of no call there are %v: got = %+v, want nil", numbers(got), got)
	}
}

func TestAnEndIsKnownFromBeforeItIsDurable(t *testing.T) {
	t.Parallel()
	w := New()
	changes := []store.Change{
		{Inv: inv(1, "a"), Outcome: invocation.OutcomeCancelled}, {Inv: inv(2, "a"), Outcome: invocation.OutcomeDropped},
		{Inv: inv(3, "a"), Outcome: invocation.OutcomeDead}, {Inv: inv(4, "a"), Outcome: invocation.OutcomeRetry}, {Inv: inv(5, "a")},
	}
	check := func(when string, want map[int]invocation.Outcome) {
		t.Helper()
		got := map[int]invocation.Outcome{}
		for n := 1; n <= len(changes); n++ {
			if e, ok := w.Lately(idOf(n)); ok {
				got[n] = e.Outcome
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s, by id (-want +got):\n%s", when, d)
		}
		if got := len(w.LatelyByCall("a", 10)); got != len(want) {
			t.Errorf("%s, by call id there are %d ends, want %d", when, got, len(want))
		}
		if got := len(w.LatelyByCall("b", 10)); got != 0 {
			t.Errorf("%s, another call id has %d ends, want 0", when, got)
		}
	}
	ends := map[int]invocation.Outcome{1: invocation.OutcomeCancelled, 2: invocation.OutcomeDropped}
	changed := w.Changing(changes)
	check("before the commit", ends)
	changed(errors.New("disk full"))
	check("after a commit that failed", map[int]invocation.Outcome{})
	changed = w.Changing(changes)
	changed(nil)
	check("after the commit", ends)
	w.Changing(changes[1:2])(nil)
	if got := numbers(w.LatelyByCall("a", 1)); !slices.Equal(got, []int{2}) {
		t.Errorf("the latest end is of %v, want 2", got)
	}
}

func TestWhatIsRememberedIsBoundedInNumberAndInBytes(t *testing.T) {
	t.Parallel()
	w := New()
	for n := range mostEnds + 10 {
		w.Ended(store.End{Inv: inv(n, "a")})
	}
	switch _, ok := w.Lately(idOf(9)); {
	case ok:
		t.Error("the oldest end is kept, want it forgotten")
	case w.memory.next-w.memory.first != mostEnds:
		t.Errorf("ends that are kept: got %d, want %d", w.memory.next-w.memory.first, mostEnds)
	case len(w.LatelyByCall("a", 2*mostEnds)) != mostEnds:
		t.Errorf("%d ends are kept, want %d", w.memory.next-w.memory.first, mostEnds)
	}
	for n := range mostEnds {
		long := inv(n, "b")
		long.Attempts = make([]invocation.Attempt, invocation.MaxHistory)
		w.Ended(store.End{Inv: long})
	}
	m := &w.memory
	switch bytes := m.head - m.tail; {
	case bytes > mostBytes:
		t.Errorf("they take %d of %d bytes, want bytes at most %v", bytes, len(m.data), mostBytes)
	case bytes < mostBytes*9/10:
		t.Errorf("they take %d of %d bytes, want bytes at least %v", bytes, len(m.data), mostBytes*9/10)
	case len(m.data) != mostBytes:
		t.Errorf("they take %d of %d bytes, want %d data", bytes, len(m.data), mostBytes)
	case len(w.LatelyByCall("a", 1)) != 0:
		t.Errorf("they take %d of %d bytes, want 0", bytes, len(m.data))
	}
	if len(m.slots) != mostEnds {
		t.Errorf("%d slots are kept, want %d", len(m.slots), mostEnds)
	}
	whole, ok := w.Lately(idOf(mostEnds - 1))
	switch {
	case !ok:
		t.Errorf("the latest is %+v: ok = false, want true", whole)
	case len(whole.Inv.Attempts) != invocation.MaxHistory:
		t.Errorf("the latest is %+v: len(whole.Inv.Attempts) = %d, want %d", whole, len(whole.Inv.Attempts), invocation.MaxHistory)
	}
	huge := inv(1, "c")
	huge.Detail = strings.Repeat("x", mostBytes)
	switch w.Ended(store.End{Inv: huge}); {
	case len(w.LatelyByCall("c", 1)) != 0:
		t.Error("what is longer than all bytes is kept, want 0")
	case m.head-m.tail > mostBytes:
		t.Errorf("what is longer than all bytes is kept: got m.head-m.tail %v, want at most %v", m.head-m.tail, mostBytes)
	}
}

// TestAnEndIsReadAsItWasKept fills every field, also those that are added later.
func TestAnEndIsReadAsItWasKept(t *testing.T) {
	t.Parallel()
	full := store.End{Inv: &invocation.Invocation{}}
	n := 0
	fill(t, reflect.ValueOf(&full).Elem(), &n)
	for _, want := range []store.End{full, {Inv: &invocation.Invocation{}}, {Inv: &invocation.Invocation{Terms: &invocation.Terms{MaxRetries: -1}}}} {
		got := readEnd(appendEnd(nil, &want))
		want.Inv.Answer = nil // it is erased with its invocation
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

// fill gives every field that v has a value of its own.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(1_700_000_000+int64(*n), int64(*n)).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n)
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256))
	default:
		t.Fatalf("codec and this test have to learn %s", v.Type())
	}
}

// TestMemoryIsAListThatIsSearched holds the rings against a plain list of the latest ends, of which one that has a
// successor is not found.
func TestMemoryIsAListThatIsSearched(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const most, room = 5, 1 << 10
		m := newMemory(most, room)
		var list []kept // oldest first
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			n := rapid.IntRange(0, 8).Draw(t, "id")
			i := inv(n, []string{"a", "b"}[n%2])
			i.Detail = strings.Repeat("x", rapid.IntRange(0, 300).Draw(t, "size"))
			for at := range list {
				list[at].removed = list[at].removed || list[at].inv.ID == i.ID
			}
			if rapid.Bool().Draw(t, "remove") {
				m.remove(i.ID)
			} else {
				m.add(store.End{Inv: i})
				list = append(list, kept{i, len(appendEnd(nil, &store.End{Inv: i})), false})
			}
			for len(list) > most || bytesOf(list) > room {
				list = list[1:]
			}
			checkMemory(t, &m, list)
		}
	})
}

type kept struct {
	inv     *invocation.Invocation
	size    int
	removed bool
}

func bytesOf(list []kept) (n int) {
	for _, k := range list {
		n += k.size
	}
	return n
}

func checkMemory(t *rapid.T, m *memory, list []kept) {
	calls := map[string][]*invocation.Invocation{"a": nil, "b": nil}
	for _, k := range slices.Backward(list) {
		if k.removed {
			continue
		}
		calls[k.inv.CallID] = append(calls[k.inv.CallID], k.inv)
		if e, ok := m.find(k.inv.ID); !ok || !cmp.Equal(e.Inv, k.inv) {
			t.Fatalf("found is %+v, want %+v", e.Inv, k.inv)
		}
	}
	for call, want := range calls {
		var got []*invocation.Invocation
		for _, e := range m.findCall(call, 100) {
			got = append(got, e.Inv)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("of %s (-want +got):\n%s", call, d)
		}
	}
	if int(m.head-m.tail) != bytesOf(list) || int(m.next-m.first) != len(list) {
		t.Fatalf("it has %d ends in %d bytes, want %d in %d", m.next-m.first, m.head-m.tail, len(list), bytesOf(list))
	}
}
