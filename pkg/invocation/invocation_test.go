package invocation

import (
	"net/url"
	"slices"
	"testing"
	"time"
)

func TestIDsSortByTimeAndRiseWithinAMillisecond(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_795_000_000_000)
	made := []string{NewID(at).String()}
	for range 10_000 {
		made = append(made, NewID(at).String())
	}
	made = append(made, NewID(at.Add(-time.Hour)).String()) // the clock was set back
	if !slices.IsSorted(made) || len(slices.Compact(slices.Clone(made))) != len(made) {
		t.Error("ids do not rise strictly")
	}
	id, err := ParseID(made[0])
	switch {
	case err != nil:
		t.Errorf("ParseID(%q) is %v, %v, want no error", made[0], id, err)
	case id.String() != made[0]:
		t.Errorf("ParseID(%q) is %v, %v, want id %v", made[0], id, err, made[0])
	}
	for _, bad := range []string{"", "x", "0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8bz", "0198f2a47c1e7b3d9f602a41c5d0e8b70000"} {
		if _, err := ParseID(bad); err == nil {
			t.Errorf("ParseID(%q) accepts it: err = %v, want an error", bad, err)
		}
	}
}

func TestADerivedIDIsTheSameEveryTimeAndSortsByTime(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_795_000_000, 999_999_744)
	id := DerivedID(at, []byte("faas-cluster/faas-request/1"))
	switch got := id.String(); {
	case got != DerivedID(at, []byte("faas-cluster/faas-request/1")).String():
		t.Errorf("the id is %s, want %v", got, DerivedID(at, []byte("faas-cluster/faas-request/1")).String())
	case got != "01a1ee56-61e7-7ffe-ad3d-b22c727ec6d8":
		t.Errorf(`the id is %s, want "01a1ee56-61e7-7ffe-ad3d-b22c727ec6d8"`, got)
	}
	if id == DerivedID(at, []byte("faas-cluster/faas-request/2")) {
		t.Errorf("two identities have one id: got id %v, want other than %v", id, DerivedID(at, []byte("faas-cluster/faas-request/2")))
	}
	made := []string{NewID(at.Add(-time.Millisecond)).String(), DerivedID(at.Add(-300), nil).String(), id.String(), DerivedID(at.Add(300), nil).String()}
	if !slices.IsSorted(made) {
		t.Errorf("they do not sort by time: %v: slices.IsSorted(made) = false, want true", made)
	}
	switch zero := DerivedID(time.Time{}, nil).String(); {
	case zero[:13] != "00000000-0000":
		t.Errorf("before 1970: %s: zero[:13] = %q, want \"00000000-0000\"", zero, zero[:13])
	case zero[14] != '7':
		t.Errorf("before 1970: %s: zero[14] = %d, want %d", zero, zero[14], '7')
	}
}

func TestBothFormsOfANameAreOneFunction(t *testing.T) {
	t.Parallel()
	n := Names{DefaultNamespace: "openfaas-fn"}
	tests := []struct{ in, canonical, qualified string }{
		{"figlet", "figlet", "figlet.openfaas-fn"},
		{"figlet.openfaas-fn", "figlet", "figlet.openfaas-fn"},
		{"figlet.staging", "figlet.staging", "figlet.staging"},
		{".openfaas-fn", ".openfaas-fn", ".openfaas-fn"},
	}
	for _, tt := range tests {
		if got := n.Canonical(tt.in); got != tt.canonical {
			t.Errorf("Canonical(%q) is %q, want %q", tt.in, got, tt.canonical)
		}
		if got := n.Qualified(tt.in); got != tt.qualified {
			t.Errorf("Qualified(%q) is %q, want %q", tt.in, got, tt.qualified)
		}
	}
}

func TestCallbackLaneIsHostAndPort(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://Example.com/a?b":       "url:example.com:80",
		"https://u:p@example.com./":    "url:example.com:443",
		"http://[::1]:9000/":           "url:[::1]:9000",
		"http://gateway.openfaas:8080": "url:gateway.openfaas:8080",
	} {
		u, err := url.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := CallbackLane(u); got != want {
			t.Errorf("CallbackLane(%q) is %q, want %q", in, got, want)
		}
	}
}

func TestHistoryIsBoundedAndCounts(t *testing.T) {
	t.Parallel()
	var inv Invocation
	for n := range 1000 {
		inv.Record(Attempt{Status: n + 1})
	}
	switch {
	case len(inv.Attempts) != MaxHistory:
		t.Errorf("kept %d, want %d", len(inv.Attempts), MaxHistory)
	case inv.Calls() != 1000:
		t.Errorf("counts %d, want 1000", inv.Calls())
	case inv.LastStatus() != 1000:
		t.Errorf("last %d, want 1000", inv.LastStatus())
	}
	switch {
	case inv.Attempts[0].Status != 1:
		t.Errorf("the first half is not the first attempts: inv.Attempts[0].Status = %d, want 1", inv.Attempts[0].Status)
	case inv.Attempts[MaxHistory/2-1].Status != MaxHistory/2:
		t.Errorf("the first half is not the first attempts: inv.Attempts[MaxHistory/2-1].Status = %d, want %d", inv.Attempts[MaxHistory/2-1].Status, MaxHistory/2)
	}
}

func TestOutcomesHaveOneWordEach(t *testing.T) {
	t.Parallel()
	words := map[Outcome][2]string{ // of results and look-ups, and of logs, traces and metrics
		OutcomeDone: {"done", "done"}, OutcomeRetry: {"retry", "retry"}, OutcomeDead: {"dead", "dead"},
		OutcomeDropped: {"dropped", "discarded"}, OutcomeCancelled: {"cancelled", "cancelled"},
	}
	if len(words) != len(Outcomes()) {
		t.Errorf("%d outcomes, want %d", len(Outcomes()), len(words))
	}
	for _, o := range Outcomes() {
		if got, want := [2]string{string(o), o.Next()}, words[o]; got != want {
			t.Errorf("words of %s are %q, want %q", o, got, want)
		}
		if got, want := o.Leaves(), o != OutcomeRetry && o != OutcomeDead; got != want {
			t.Errorf("%s leaves the store: %t, want %t", o, got, want)
		}
	}
}
