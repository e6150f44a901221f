package e2e

// The test of the test: a ledger that finds nothing would prove nothing.

import (
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"
)

var testRules = rules{
	limit: 3, atOnce: 2, durable: true, drained: map[int]bool{3: true},
	wait: func(n int) time.Duration { return time.Second << (n - 1) },
}

// at is a time of the planted runs.
func at(d time.Duration) time.Time { return time.Unix(1_800_000_000, 0).Add(d) }

// plant makes a ledger of what would be a good run, in which the worker dies once:
// "a" succeeds, "b" succeeds at its second retry and was in flight at the kill, "c"
// is dead, and "d" may have been published.
func plant() *ledger {
	l := newLedger()
	for _, id := range []string{"a", "b", "c", "d"} {
		l.attempt(id)
	}
	for _, id := range []string{"a", "b", "c"} {
		l.ack(id)
	}
	add := func(id string, life, retry int, from, to time.Duration, ok bool) {
		m := l.begin(id, made{Life: life, Retry: retry, At: at(from)})
		if to > 0 {
			l.end(m, at(to), ok)
		}
	}
	add("a", 1, 0, 0, time.Millisecond, true)
	add("b", 1, 0, 0, time.Second, false)
	add("b", 1, 1, 2*time.Second, 0, false) // the kill
	add("b", 2, 1, 3*time.Second, 4*time.Second, false)
	add("b", 2, 2, 6*time.Second, 7*time.Second, true)
	for n := range 4 {
		add("c", 2, n, time.Duration(10*n)*time.Second, time.Duration(10*n)*time.Second+1, false)
	}
	return l
}

func TestTheLedgerFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		plant func(l *ledger, dead map[string]bool)
		want  []string
	}{
		"nothing": {func(*ledger, map[string]bool) {}, nil},
		"a loss": {func(l *ledger, _ map[string]bool) {
			l.attempt("x")
			l.ack("x")
		}, []string{"lost"}},
		"a loss of what had been called": {func(l *ledger, _ map[string]bool) {
			l.calls["b"] = l.calls["b"][:2]
		}, []string{"lost"}},
		"a dead letter that is gone": {func(_ *ledger, dead map[string]bool) { delete(dead, "c") }, []string{"lost"}},
		"a call of what was never published": {func(l *ledger, _ map[string]bool) {
			l.begin("x", made{Life: 1, At: at(0)})
		}, []string{"unexpected"}},
		"a dead letter of what was never published": {func(_ *ledger, dead map[string]bool) { dead["x"] = true }, []string{"unexpected"}},
		"a retry that came early": {func(l *ledger, _ map[string]bool) {
			l.calls["c"][2].At = l.calls["c"][1].Done.Add(2*time.Second - 1)
		}, []string{"early"}},
		"a retry that came in time, to the nanosecond": {func(l *ledger, _ map[string]bool) {
			l.calls["c"][2].At = l.calls["c"][1].Done.Add(2 * time.Second)
		}, nil},
		"a retry too many": {func(l *ledger, _ map[string]bool) {
			l.begin("c", made{Life: 2, Retry: 4, At: at(time.Hour)})
		}, []string{"over"}},
		"a duplicate without a kill": {func(l *ledger, _ map[string]bool) {
			l.end(l.begin("a", made{Life: 1, At: at(time.Second)}), at(time.Second), true)
		}, []string{"repeated"}},
		"a duplicate by the kill": {func(l *ledger, _ map[string]bool) {
			l.end(l.begin("a", made{Life: 2, At: at(time.Second)}), at(time.Second), true)
		}, nil},
		"a duplicate after a drain": {func(l *ledger, _ map[string]bool) {
			l.calls["a"][0].Life = 3
			l.end(l.begin("a", made{Life: 4, At: at(time.Second)}), at(time.Second), true)
		}, []string{"repeated"}},
		"more duplicates than were in flight": {func(l *ledger, _ map[string]bool) {
			for i := range 2 {
				id := strconv.Itoa(i)
				l.attempt(id)
				l.end(l.begin(id, made{Life: 1, At: at(0)}), at(1), true)
				l.end(l.begin(id, made{Life: 2, At: at(time.Second)}), at(time.Second), true)
			}
		}, []string{"duplicates"}},
		"attempts that were forgotten": {func(l *ledger, _ map[string]bool) {
			l.calls["b"] = l.calls["b"][:3]
			l.calls["b"][2].Retry, l.calls["b"][2].OK = 0, true
		}, []string{"forgotten"}},
		"an attempt that was skipped": {func(l *ledger, _ map[string]bool) {
			l.calls["c"] = slices.Delete(l.calls["c"], 1, 2)
		}, []string{"repeated"}}, // it jumps within one life, which no kill explains
		"an attempt that was skipped by a kill": {func(l *ledger, _ map[string]bool) {
			l.calls["b"] = l.calls["b"][:3]
			l.calls["b"][2].Retry, l.calls["b"][2].OK = 3, true
		}, []string{"skipped"}},
		"a first call that is none": {func(l *ledger, _ map[string]bool) {
			l.calls["c"] = l.calls["c"][1:]
		}, []string{"skipped"}},
		"a retry after a success": {func(l *ledger, _ map[string]bool) {
			l.calls["c"][1].OK = true
		}, []string{"again"}},
		"a retry after a call without an answer": {func(l *ledger, _ map[string]bool) {
			l.calls["c"][1].Done = time.Time{}
		}, []string{"counted"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, dead := plant(), map[string]bool{"c": true}
			test.plant(l, dead)
			v := l.judge(testRules, dead, nil)
			if got := slices.Sorted(maps.Keys(v.wrong)); !slices.Equal(got, test.want) {
				t.Errorf("found %v, want %v\n%s", got, test.want, v)
			}
		})
	}
}

func TestWhatIsPendingIsNotLost(t *testing.T) {
	t.Parallel()
	l := plant()
	l.attempt("x")
	l.ack("x")
	if v := l.judge(testRules, map[string]bool{"c": true}, map[string]bool{"x": true}); len(v.wrong) > 0 {
		t.Errorf("found\n%s, want no wrong", v)
	}
	if v := plant().judge(testRules, map[string]bool{"c": true}, nil); v.duplicates != 1 {
		t.Errorf("%d duplicates, want the one in flight at the kill", v.duplicates)
	}
}
