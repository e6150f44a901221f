// File rules_function.go has the findings about single functions.

package console

import (
	"cmp"
	"fmt"
	"slices"

	"queue-worker/pkg/wire"
)

// each makes a finding of every function for which find has one, that of the largest weight
// first.
func each(s State, weight func(*wire.Function) float64, find func(*wire.Function) (wire.Finding, bool)) []wire.Finding {
	order := make([]*wire.Function, len(s.Functions))
	for i := range s.Functions {
		order[i] = &s.Functions[i]
	}
	slices.SortStableFunc(order, func(x, y *wire.Function) int { return cmp.Compare(weight(y), weight(x)) })
	var all []wire.Finding
	for _, f := range order {
		if found, is := find(f); is {
			found.Function, found.Queue = f.Function, f.Queue
			all = append(all, found)
		}
	}
	return all
}

func pendingOf(f *wire.Function) float64 { return float64(f.Ready + f.Delayed) }

func unreachable(s State) []wire.Finding {
	return each(s, pendingOf, func(f *wire.Function) (wire.Finding, bool) {
		length, level := since(s, f.Breaker.Since), wire.LevelCritical
		if length <= shortFunction {
			level = wire.LevelWarning
		}
		next := "A probe is in flight."
		if !f.Breaker.Next.IsZero() {
			next = "The next probe is in " + Length(f.Breaker.Next.Sub(s.Status.At)) + "."
		}
		return wire.Finding{
			Level: level, Title: Text(f.Function) + " is unreachable",
			Text: sentences("For "+ended(Length(length)+because(f.Breaker.Cause)), ended(Things(f.Ready, "ready invocation uses", "ready invocations use")+" up no retries"), next),
		}, isOpen(f)
	})
}

// isOpen reports whether the breaker of a function is not closed.
func isOpen(f *wire.Function) bool {
	return f.Breaker.State == wire.BreakerOpen || f.Breaker.State == wire.BreakerProbing
}

func givenUp(s State) []wire.Finding {
	weight := func(f *wire.Function) float64 { return float64(f.GivenUp15) }
	return each(s, weight, func(f *wire.Function) (wire.Finding, bool) {
		delayed := ""
		if f.Delayed > 0 {
			delayed = Things(f.Delayed, "more is", "more are") + " delayed."
		}
		return wire.Finding{
			Level: wire.LevelCritical,
			Title: fmt.Sprintf("%s: %s given up in the last 15 minutes", Text(f.Function), Things(f.GivenUp15, "invocation", "invocations")),
			Text:  sentences(statusOf(f), keptOf(f), delayed),
		}, isGivingUp(f)
	})
}

// isGivingUp reports whether anything that a function has given up in the last 15 minutes is lost or
// is a dead letter still: what was replayed with success is no trouble any more.
func isGivingUp(f *wire.Function) bool {
	return f.Discarded15 > 0 || f.GivenUp15 > 0 && f.Dead > 0
}

func paused(s State) []wire.Finding {
	return each(s, pendingOf, func(f *wire.Function) (wire.Finding, bool) {
		if f.Paused == nil {
			return wire.Finding{}, false
		}
		return wire.Finding{
			Level: wire.LevelWarning, Title: Text(f.Function) + " is paused",
			Text: sentences(pauseText(s, f.Paused), Things(f.Ready+f.Delayed, "invocation is", "invocations are")+" pending."),
		}, true
	})
}

// pauseText says in sentences who paused a function, why and for how long.
func pauseText(s State, p *wire.Pause) string {
	until := "It stays paused until an operator resumes it."
	if p.Until != nil {
		until = "It is resumed in " + Length(p.Until.Sub(s.Status.At)) + "."
	}
	return fmt.Sprintf("Paused%s for %s%s. %s", byAuthor(p), Length(since(s, p.Since)), quoted(p.Reason), until)
}

// pauseWords is pauseText for a cell of a table.
func pauseWords(s State, p *wire.Pause) string {
	until := ""
	if p.Until != nil {
		until = ", another " + Length(p.Until.Sub(s.Status.At))
	}
	return "for " + Length(since(s, p.Since)) + byAuthor(p) + until + quoted(p.Reason)
}

func byAuthor(p *wire.Pause) string {
	if p.Author == "" {
		return ""
	}
	return " by " + Text(p.Author)
}

// quoted is a reason that an operator gave, after a colon, or nothing.
func quoted(reason string) string {
	if reason == "" {
		return ""
	}
	return ": “" + Text(reason) + "”"
}

func held(s State) []wire.Finding {
	return each(s, pendingOf, func(f *wire.Function) (wire.Finding, bool) {
		if f.HeldUntil == nil || f.HeldUntil.Sub(s.Status.At) <= longHold {
			return wire.Finding{}, false
		}
		return wire.Finding{
			Level: wire.LevelWarning, Title: Text(f.Function) + " is held by Retry-After",
			Text: sentences("For another "+ended(Length(f.HeldUntil.Sub(s.Status.At))), Things(f.Ready, "invocation is", "invocations are")+" ready."),
		}, true
	})
}

// backlog finds functions whose invocations are ready for long, where no other rule says
// why.
func backlog(s State) []wire.Finding {
	weight := func(f *wire.Function) float64 { return f.OldestAge }
	return each(s, weight, func(f *wire.Function) (wire.Finding, bool) {
		explained := isOpen(f) || f.Paused != nil || f.HeldUntil != nil && f.HeldUntil.After(s.Status.At) || s.Status.Store.Error != ""
		slots := s.Status.Worker.Slots
		return wire.Finding{
			Level: wire.LevelWarning,
			Title: fmt.Sprintf("%s: the oldest ready invocation is %s old", Text(f.Function), Seconds(f.OldestAge)),
			Text: fmt.Sprintf("%s ready; %d of its %d calls are in flight, and %d of the worker's %d slots are used.",
				Things(f.Ready, "invocation is", "invocations are"), f.Running, f.Limit, slots.Used, slots.Max),
		}, f.OldestAge > longReady.Seconds() && !explained
	})
}

// keptOf says how many dead letters of a function there are. Those of a moment ago may have been
// replayed or dropped since, or never kept.
func keptOf(f *wire.Function) string {
	if f.Dead == 0 {
		return "No dead letter of this function is in the dead set now."
	}
	return ended(Things(f.Dead, "dead letter", "dead letters") + " in all")
}
