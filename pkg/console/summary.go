// File summary.go says in words what an operator has to know: one headline, and findings
// with the worst first. rules.go has the sentences.

package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"queue-worker/pkg/wire"
)

// maxFindings is how many findings a summary lists.
const maxFindings = 8

// State is what a summary is made from.
type State struct {
	Status    wire.Status // without its Summary
	Functions []wire.Function
	Jobs      []wire.Job // those that need an operator
}

// Summarize says what an operator has to know of a state.
func Summarize(s State) wire.Summary {
	all := findings(s)
	out := wire.Summary{Level: level(all), Headline: headline(s, all), Note: note(s, all), Findings: all}
	if len(all) > maxFindings {
		out.Findings, out.More = all[:maxFindings], len(all)-maxFindings
	}
	return out
}

// findings are what the rules have found, the worst first. Findings of one level stay in
// the order of the rules.
func findings(s State) []wire.Finding {
	all := []wire.Finding{}
	for _, r := range rules {
		for _, f := range r.find(s) {
			f.Rule = r.name
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(x, y wire.Finding) int { return cmp.Compare(rank(x.Level), rank(y.Level)) })
	return all
}

// rank orders levels, the worst first.
func rank(level string) int {
	switch level {
	case wire.LevelCritical:
		return 0
	case wire.LevelWarning:
		return 1
	}
	return 2
}

func level(all []wire.Finding) string {
	if len(all) == 0 {
		return wire.LevelOK
	}
	return all[0].Level
}

// headline is the sentence that an operator reads first.
func headline(s State, all []wire.Finding) string {
	switch level(all) {
	case wire.LevelCritical:
		return urgent(all) + lossless(s.Status)
	case wire.LevelWarning:
		return calm(all)
	}
	if isEmpty(s) {
		return "No invocations yet. The worker is ready."
	}
	return "All is well." + oldest(s)
}

// urgent says what needs an operator: the first finding, or how many functions.
func urgent(all []wire.Finding) string {
	functions := map[string]bool{}
	for _, f := range all {
		if f.Level == wire.LevelCritical && f.Function != "" {
			functions[f.Function] = true
		}
	}
	switch n := len(functions); {
	case all[0].Function == "":
		return ended(all[0].Title)
	case n == 1:
		return "One function needs attention."
	default:
		return Number(n) + " functions need attention."
	}
}

// calm says that nothing is urgent.
func calm(all []wire.Finding) string {
	if len(all) == 1 {
		return ended(all[0].Title)
	}
	return Number(len(all)) + " warnings, nothing critical."
}

// lossless says that accepted invocations are safe, where that is certain.
func lossless(s wire.Status) string {
	if s.Store.Durable && s.Store.Error == "" && s.Worker.Unaccounted == 0 {
		return " Nothing is lost."
	}
	return ""
}

// oldest says how old the oldest ready invocation is.
func oldest(s State) string {
	age := 0.0
	for i := range s.Functions {
		age = max(age, s.Functions[i].OldestAge)
	}
	if age == 0 {
		return " No invocation is ready and uncalled."
	}
	return " The oldest ready invocation is " + Seconds(age) + " old."
}

// note says where the pending invocations are, and what is in order.
func note(s State, all []wire.Finding) string {
	st := s.Status.Store
	if isEmpty(s) {
		return "Invocations appear here as soon as they are accepted."
	}
	where := "in the store, on disk"
	if !st.Durable {
		where = "in memory; their messages stay with NATS Streaming until they are settled"
	}
	pending := st.Ready + st.Delayed
	text := fmt.Sprintf("%s pending %s.", Things(pending, "invocation is", "invocations are"), where)
	if pending == 0 {
		text = "No invocation is pending."
	}
	if n := inOrder(s, all); n > 0 && len(all) > 0 {
		text += " " + ended(Things(n, "function has", "functions have")+" no finding")
	}
	return text
}

// inOrder counts the functions that no finding is about.
func inOrder(s State, all []wire.Finding) int {
	found, names := map[string]bool{}, map[string]bool{}
	for _, f := range all {
		found[f.Function] = true
	}
	for i := range s.Functions {
		if name := s.Functions[i].Function; !found[name] {
			names[name] = true
		}
	}
	return len(names)
}

// isEmpty reports whether nothing has ever been accepted, as far as is known.
func isEmpty(s State) bool {
	st := s.Status.Store
	return len(s.Functions) == 0 && st.Ready+st.Running+st.Delayed+st.Dead == 0
}

// since is how long ago a time was.
func since(s State, t time.Time) time.Duration { return s.Status.At.Sub(t) }

// sentences joins those that are there.
func sentences(all ...string) string {
	return strings.Join(slices.DeleteFunc(all, func(s string) bool { return s == "" }), " ")
}
