// File state.go says in a word how a function does.

package console

import (
	"cmp"
	"fmt"
	"slices"

	"queue-worker/pkg/wire"
)

// Tones give a state its colour and its shape: never one without the other.
type tone string

const (
	toneBad     tone = "ba"
	toneWarning tone = "wa"
	toneResting tone = "re"
	toneGood    tone = "ok"
)

// condition is how a function does: the most pressing of all that holds.
type condition struct {
	Tone   tone
	Icon   string // a template
	Word   string
	Detail string
	rank   int // the most pressing first
}

// conditionOf is the condition of a function.
func conditionOf(s wire.Status, f *wire.Function) condition {
	state := State{Status: s}
	switch {
	case isOpen(f):
		return condition{toneBad, "alert", "unreachable", "for " + Length(since(state, f.Breaker.Since)) + because(f.Breaker.Cause), 0}
	case isGivingUp(f):
		return condition{toneBad, "alert", "giving up", Things(f.GivenUp15, "invocation", "invocations") + " in 15 min", 1}
	case f.Paused != nil:
		return condition{toneWarning, "pause", "paused", pauseWords(state, f.Paused), 2}
	case f.HeldUntil != nil && f.HeldUntil.After(s.At):
		return condition{toneWarning, "clock", "held", "by Retry-After, another " + Length(f.HeldUntil.Sub(s.At)), 3}
	case f.Ready > 0 && f.Running >= f.Limit:
		return condition{toneResting, "ring", "at its limit", fmt.Sprintf("%d calls at a time", f.Limit), 4}
	}
	return condition{toneGood, "tick", "ok", "", 5}
}

// byTrouble orders functions: those with the most pressing condition first, then those with
// the most pending invocations.
func byTrouble(s wire.Status, all []wire.Function) []wire.Function {
	sorted := slices.Clone(all)
	ranks := make(map[string]int, len(all))
	for i := range all {
		ranks[key(&all[i])] = conditionOf(s, &all[i]).rank
	}
	slices.SortStableFunc(sorted, func(x, y wire.Function) int {
		return cmp.Or(
			cmp.Compare(ranks[key(&x)], ranks[key(&y)]),
			cmp.Compare(pendingOf(&y), pendingOf(&x)),
			cmp.Compare(y.Rate, x.Rate),
		)
	})
	return sorted
}

func key(f *wire.Function) string { return f.Function + "\x00" + f.Queue }
