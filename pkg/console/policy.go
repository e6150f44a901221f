// File policy.go shows a policy in force: its values with their origins, and the waits between
// retries to scale.

package console

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"queue-worker/pkg/wire"
)

// policyRows are the values of a policy.
func policyRows(p *wire.Policy) []policyRow {
	retries := Count(p.Attempts)
	if p.Attempts < 0 {
		retries = "without end"
	}
	rate := "no limit"
	if p.Rate > 0 {
		rate = Rate(p.Rate) + " calls a second"
	}
	rows := []policyRow{
		{Name: "Retries", Setting: "max_retry_attempts", Value: retries},
		{Name: "First wait", Setting: "initial_retry_wait", Value: length(p.Initial)},
		{Name: "Longest wait", Setting: "max_retry_wait", Value: length(p.Max)},
		{Name: "Back-off", Setting: "backoff", Value: p.Backoff},
		{Name: "Retried statuses", Setting: "retry_http_codes", Value: p.Codes},
		{Name: "Longest Retry-After", Setting: "max_retry_after", Value: length(p.MaxRetryAfter)},
		{Name: "Kept when final", Setting: "dead_set_codes", Value: cmp.Or(p.DeadCodes, "none")},
		{Name: "Max age", Setting: "max_age", Value: orWords(p.MaxAge, "no limit")},
		{Name: "Timeout of a call", Setting: "timeout", Value: orWords(p.Timeout, "the gateway's")},
		{Name: "Calls at a time", Setting: "max_inflight", Value: Count(p.MaxInflight)},
		{Name: "Rate limit", Setting: "rate", Value: rate},
		{Name: "Priority", Setting: "priority", Value: Count(p.Priority) + " of 10"},
	}
	for i := range rows {
		rows[i].Value, rows[i].From = Text(rows[i].Value), Text(p.From[rows[i].Setting])
	}
	return rows
}

// length writes a duration of the API for readers.
func length(s string) string {
	d, err := time.ParseDuration(s)
	if err != nil {
		return s
	}
	return Length(d)
}

// orWords is a duration, or words where it is 0.
func orWords(s, words string) string {
	if s == "0s" || s == "" {
		return words
	}
	return length(s)
}

// refused says what the function asks for and does not get.
func refused(p *wire.Policy) (all []string) {
	for _, r := range p.Refused {
		text := Text(r.Name) + ": " + Text(r.Expected)
		if r.Value != "" {
			text = Text(r.Name) + " is " + Text(r.Value) + "; expected " + Text(r.Expected)
		}
		all = append(all, text)
	}
	return all
}

// schedule is the picture of the waits between retries, in thousandths of its width, and the same
// in words.
type schedule struct {
	Title, Sentence string
	Dots            []dot
	Labels          []label
	Open            bool // there are more retries than are drawn
}

// dot is when a call is made: one moment, or a range where the wait is random.
type dot struct {
	X, Y, Width int
	Class       string
}

// label is a text at a place, above or below the line.
type label struct {
	X, Y         int
	Anchor, Text string
}

// The place of the line in the picture, and the room of a label.
const (
	lineBegin, lineEnd, lineY = 14, 954, 30
	labelAbove, labelBelow    = 16, 54
	labelRoom                 = 96
)

// call is when a call is made after the first, at the earliest and at the latest.
type call struct{ early, late time.Duration }

// scheduleOf draws the waits of a policy.
func scheduleOf(p *wire.Policy) schedule {
	calls := callsAt(p)
	s := schedule{Title: scheduleTitle(p), Open: p.Attempts < 0 || len(p.Schedule) < p.Attempts}
	s.Sentence = s.Title
	total := max(calls[len(calls)-1].late, 1)
	place := func(d time.Duration) int {
		return lineBegin + int(float64(lineEnd-lineBegin)*float64(d)/float64(total))
	}
	before, labelled := lineBegin, -labelRoom
	for i, c := range calls {
		last := i == len(calls)-1 && !s.Open
		s.Dots = append(s.Dots, dotOf(i, place(c.early), place(c.late), last))
		at := place(c.late)
		if i > 0 && at-before >= labelRoom && len(p.Shortest) == 0 {
			s.Labels = append(s.Labels, label{(before + at) / 2, labelAbove, "middle", length(p.Schedule[i-1])})
		}
		before = at
		if l := (label{at, labelBelow, "middle", Length(c.late)}); i > 0 && i < len(calls)-1 && at-labelled >= labelRoom && lineEnd-at >= 2*labelRoom {
			s.Labels, labelled = append(s.Labels, l), at
		} else if i == 0 {
			l.X, l.Anchor, l.Text = 4, "start", "first call"
			s.Labels, labelled = append(s.Labels, l), at
		}
	}
	if len(calls) > 1 {
		s.Labels = append(s.Labels, label{990, labelBelow, "end", lastWords(s.Open, len(p.Shortest) > 0, calls[len(calls)-1].late)})
	}
	return s
}

// dotOf draws one call. Ranges overlap, so they are drawn on several levels.
func dotOf(i, early, late int, last bool) dot {
	d := dot{X: late - 4, Y: lineY - 4, Width: 8, Class: "c1"}
	if late > early {
		d = dot{X: early, Y: lineY - 12 + i%3*8, Width: max(late-early, 8), Class: "c1"}
	}
	if last {
		d.Class = "c3"
	}
	return d
}

func lastWords(open, random bool, at time.Duration) string {
	words := "dead, "
	switch {
	case open:
		words = "and so on, "
	case random:
		words = "dead by "
	}
	return words + Length(at)
}

// callsAt are the calls of an invocation of which every one fails at once.
func callsAt(p *wire.Policy) []call {
	all, at := []call{{}}, call{}
	for i, wait := range p.Schedule {
		longest, err := time.ParseDuration(wait)
		if err != nil {
			break
		}
		shortest := longest
		if i < len(p.Shortest) {
			shortest, _ = time.ParseDuration(p.Shortest[i])
		}
		at.early, at.late = plus(at.early, shortest), plus(at.late, longest)
		all = append(all, at)
	}
	return all
}

// plus adds two lengths, at most the longest there is.
func plus(a, b time.Duration) time.Duration {
	if sum := a + b; sum >= a {
		return sum
	}
	return 1<<63 - 1
}

// scheduleTitle says how often and with which waits a failing invocation is called.
func scheduleTitle(p *wire.Policy) string {
	switch {
	case p.Attempts == 0:
		return "One call, no retry."
	case len(p.Schedule) == 0:
		return "Retries follow at once."
	}
	calls := "Calls without end"
	if p.Attempts > 0 {
		calls = Things(p.Attempts+1, "call", "calls")
	}
	random := ""
	if len(p.Shortest) > 0 {
		random = " at most, each at random"
	}
	dead := ""
	if total, err := time.ParseDuration(p.TotalWait); err == nil {
		dead = fmt.Sprintf("; dead after %s%s of waits", unless(random != "", "", "at most "), Length(total))
	}
	return ended(fmt.Sprintf("%s, waits of %s%s%s", calls, strings.Join(runs(p.Schedule), ", "), random, dead))
}

// mostRuns bounds the waits that a sentence lists.
const mostRuns = 6

// runs are the waits in words, equal ones in a row together.
func runs(waits []string) (all []string) {
	for i := 0; i < len(waits); {
		n := 1
		for i+n < len(waits) && waits[i+n] == waits[i] {
			n++
		}
		if len(all) == mostRuns {
			return append(all, "…")
		}
		text := length(waits[i])
		if n > 1 {
			text = fmt.Sprintf("%d times %s", n, text)
		}
		all = append(all, text)
		i += n
	}
	return all
}
