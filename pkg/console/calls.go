// File calls.go draws the calls of an invocation on one time line.

package console

import (
	"strconv"
	"time"

	"queue-worker/pkg/wire"
)

// callRow is one call in the table, or a line about those that are not kept.
type callRow struct {
	Number, At, Took, Before string
	Condition                condition
	Span                     span
	Omitted                  string // instead of the rest
}

// span is a call on the time line, in thousandths of its width: the wait before it, and
// itself.
type span struct {
	Wait, WaitEnd int
	X, Width      int
	Class         string
}

// calls are the calls of the invocation, from when it was accepted until its end or now.
func (p Invocation) calls() (all []callRow) {
	v, last := &p.Invocation, p.end()
	end, layout := v.First, "15:04:05.000"
	if last.Sub(v.First) > 12*time.Hour {
		layout = "2 Jan 15:04:05"
	}
	for i := range v.Attempts {
		a := &v.Attempts[i]
		number := i + 1
		if v.Omitted > 0 && i >= len(v.Attempts)/2 {
			if i == len(v.Attempts)/2 {
				all = append(all, callRow{Omitted: Things(v.Omitted, "call", "calls") + " not kept"})
				end = a.At
			}
			number += v.Omitted
		}
		took := time.Duration(a.Duration * float64(time.Second))
		all = append(all, callRow{
			Number: strconv.Itoa(number), At: a.At.UTC().Format(layout), Took: Length(took), Before: beforeCall(a.At.Sub(end)),
			Condition: callCondition(a), Span: spanOf(v.First, last, end, a.At, took, callCondition(a).Tone),
		})
		end = a.At.Add(took)
	}
	if v.State == wire.StateRunning {
		all = append(all, callRow{
			Number: strconv.Itoa(len(v.Attempts) + v.Omitted + 1), At: v.Running.UTC().Format(layout), Took: Length(p.At.Sub(v.Running)), Before: beforeCall(v.Running.Sub(end)),
			Condition: condition{Tone: toneResting, Icon: "ring", Word: "in flight"}, Span: spanOf(v.First, last, end, v.Running, p.At.Sub(v.Running), toneGood),
		})
	}
	return all
}

func beforeCall(wait time.Duration) string {
	if wait < 50*time.Millisecond {
		return "at once"
	}
	return "after " + Length(wait)
}

// callCondition is how a call went.
func callCondition(a *wire.Attempt) condition {
	switch {
	case a.Cause == "" && a.Status > 0 && a.Status < 400:
		return condition{Tone: toneGood, Icon: "tick", Word: answerOf(a)}
	case a.Cause == "" && (a.Status == 429 || a.Status == 503):
		return condition{Tone: toneWarning, Icon: "clock", Word: answerOf(a)}
	}
	return condition{Tone: toneBad, Icon: "alert", Word: answerOf(a)}
}

// lineWidth is the width of the time line, and leastWidth that of a short call.
const lineWidth, leastWidth = 1000, 4

// spanOf places a call on a time line that begins with first and ends with last.
func spanOf(first, last, waited, at time.Time, took time.Duration, t tone) span {
	total := max(last.Sub(first), time.Millisecond)
	place := func(t time.Time) int {
		return int(min(max(float64(t.Sub(first))/float64(total), 0), 1) * lineWidth)
	}
	class := map[tone]string{toneGood: "c1", toneWarning: "c2"}[t]
	if class == "" {
		class = "c3"
	}
	s := span{Wait: place(waited), WaitEnd: place(at), Class: class}
	s.Width = max(place(at.Add(took))-s.WaitEnd, leastWidth)
	s.X = min(s.WaitEnd, lineWidth-s.Width)
	return s
}
