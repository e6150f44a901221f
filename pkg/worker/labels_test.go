package worker

import (
	"fmt"
	"net/http"
	"testing"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
)

// Callers can invent names without end, and a function that answers still has a
// label that alerts go by.
func TestInventedNamesLeaveLabelsToFunctions(t *testing.T) {
	t.Parallel()
	l := NewLabels(invocation.Names{DefaultNamespace: "fns"})
	lane := func(name string) invocation.Lane { return invocation.Lane{Queue: "q", Name: name} }
	for n := range 10 * maxLabels {
		l.Lane(lane(fmt.Sprint("invented-", n)))
	}
	if got := l.Lane(lane("figlet")); got != otherLabel {
		t.Errorf("before it has answered it is %s, want %q", got, otherLabel)
	}
	for n := range maxLabels - maxUnproven {
		name := fmt.Sprint("fn-", n)
		if got := l.Answered(lane(name)); got != name+".fns" {
			t.Fatalf("function %d has the label %s, want %q", n, got, name+".fns")
		}
		if got := l.Lane(lane(name)); got != name+".fns" {
			t.Fatalf("later function %d has the label %s, want %q", n, got, name+".fns")
		}
	}
	switch got := l.Answered(lane("one-too-many")); {
	case got != otherLabel:
		t.Errorf("beyond the bound it is %s, want %q", got, otherLabel)
	case len(l.known) != maxLabels:
		t.Errorf("and there are %d, want %d", len(l.known), maxLabels)
	}
}

func TestOnlyAFunctionsOwnAnswerShowsThatItExists(t *testing.T) {
	t.Parallel()
	internal := http.Header{headerInternal: {"proxy"}}
	for _, tt := range []struct {
		result invoke.Result
		kind   invocation.Kind
		want   bool
	}{
		{invoke.Result{Status: 200}, invocation.KindFunction, true},
		{invoke.Result{Status: 500}, invocation.KindFunction, true},
		{invoke.Result{Status: 429}, invocation.KindFunction, true},
		{invoke.Result{Status: 404}, invocation.KindFunction, false},
		{invoke.Result{Status: 502}, invocation.KindFunction, false},
		{invoke.Result{Status: 503, Cause: invocation.CauseDNS}, invocation.KindFunction, false},
		{invoke.Result{Status: 500, Header: internal}, invocation.KindFunction, false},
		{invoke.Result{}, invocation.KindFunction, false},
		{invoke.Result{Status: 200}, invocation.KindCallback, false},
	} {
		if got := hasAnswered(&attempt{inv: &invocation.Invocation{Kind: tt.kind}, result: tt.result}); got != tt.want {
			t.Errorf("%+v of a %s: %t, want %v", tt.result, tt.kind, got, tt.want)
		}
	}
}
