// File letter.go has the page of one dead letter: what happened to scale, the request, and
// the last answer where it is kept.

package console

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"queue-worker/pkg/escape"
	"queue-worker/pkg/wire"
)

// Letter is the page of one dead letter.
type Letter struct {
	At      time.Time
	Version string
	Letter  wire.LetterDetails
}

// letter is the model of the template.
type letter struct {
	frame
	Headline, Note string
	Calls          []callRow
	All            []span
	From, To       string
	Request        []pair
	RequestTitle   string
	Identity       []pair
	Answer         *answer
	Commands       string
}

// pair is a name and a value.
type pair struct{ Name, Value, Link string }

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

type answer struct {
	Title string
	Text  string
	Note  string
}

// Page renders a dead letter.
func (l Letter) Page() ([]byte, error) {
	d := &l.Letter
	m := letter{
		frame: newFrame("Dead letter", l.Version, l.At), Headline: headlineOf(d), Note: l.note(), Calls: callsOf(d), From: stamp(d.First), To: stamp(d.Died),
		Request: requestOf(d), RequestTitle: requestTitle(d), Identity: identityOf(d), Answer: answerText(d),
		Commands: fmt.Sprintf("queue-worker dead show %[1]s\nqueue-worker dead show %[1]s --body\nqueue-worker dead replay %[1]s", quote(d.ID)),
	}
	m.Current = "dead"
	for _, c := range m.Calls {
		if c.Omitted == "" {
			m.All = append(m.All, c.Span)
		}
	}
	return render("letter", m)
}

func headlineOf(d *wire.LetterDetails) string {
	calls := len(d.Attempts) + d.Omitted
	if calls == 0 {
		return "Dead without a call: " + whatHappened(d.Reason, d.Status)
	}
	return fmt.Sprintf("Dead after %s in %s: %s", Things(calls, "call", "calls"), Length(d.Died.Sub(d.First)), whatHappened(d.Reason, d.Status))
}

func (l Letter) note() string {
	d := &l.Letter
	return sentences(
		ended(Text(d.Detail)), fmt.Sprintf("Accepted at %s, dead since %s, %s ago.", stamp(d.First), stamp(d.Died), Length(l.At.Sub(d.Died))),
		unless(d.Unreadable, "", "The store cannot read its request."),
	)
}

// unless is a text for a claim that is false, and another for one that is true.
func unless(claim bool, no, yes string) string {
	if claim {
		return yes
	}
	return no
}

// callsOf are the calls of a dead letter, on one time line from when it was accepted until
// it died.
func callsOf(d *wire.LetterDetails) (all []callRow) {
	end, layout := d.First, "15:04:05.000"
	if d.Died.Sub(d.First) > 12*time.Hour {
		layout = "2 Jan 15:04:05"
	}
	for i := range d.Attempts {
		a := &d.Attempts[i]
		number := i + 1
		if d.Omitted > 0 && i >= len(d.Attempts)/2 {
			if i == len(d.Attempts)/2 {
				all = append(all, callRow{Omitted: Things(d.Omitted, "call", "calls") + " not kept"})
				end = a.At
			}
			number += d.Omitted
		}
		took := time.Duration(a.Duration * float64(time.Second))
		all = append(all, callRow{
			Number: strconv.Itoa(number), At: a.At.UTC().Format(layout), Took: Length(took), Before: beforeCall(a.At.Sub(end)),
			Condition: callCondition(a), Span: spanOf(d, end, a.At, took, callCondition(a).Tone),
		})
		end = a.At.Add(took)
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

func spanOf(d *wire.LetterDetails, waited, at time.Time, took time.Duration, t tone) span {
	total := max(d.Died.Sub(d.First), time.Millisecond)
	place := func(t time.Time) int {
		return int(min(max(float64(t.Sub(d.First))/float64(total), 0), 1) * lineWidth)
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

func requestTitle(d *wire.LetterDetails) string {
	if d.Kind == "callback" {
		return "POST " + Text(d.Target)
	}
	query := ""
	if d.Query != "" {
		query = ", with a query"
	}
	return Text(d.Path) + query
}

// requestOf is the header of the request, by name. Secrets are hidden by the API.
func requestOf(d *wire.LetterDetails) (all []pair) {
	for _, name := range slices.Sorted(maps.Keys(d.Headers)) {
		all = append(all, pair{Name: Text(name), Value: Text(strings.Join(d.Headers[name], ", "))})
	}
	return all
}

func identityOf(d *wire.LetterDetails) []pair {
	all := []pair{
		{Name: "Call id", Value: Text(d.CallID)}, {Name: "Invocation id", Value: Text(d.ID)}, {Name: "Function", Value: functionName(d.Function)},
		{Name: "Queue", Value: Text(d.Queue)}, {Name: "Source", Value: d.Source}, {Name: "Request", Value: Bytes(bytesOf(d.Size))},
		{Name: "Replays", Value: Count(d.Replays)}, {Name: "Crashes in flight", Value: Count(d.Crashes)},
	}
	if d.Target != "" {
		all = append(all, pair{Name: "Callback to", Value: Text(d.Target)})
	}
	if d.Origin != "" {
		all = append(all, pair{Name: "Result of", Value: Text(d.Origin)})
	}
	if d.Sequence > 0 {
		all = append(all, pair{Name: "Callback sequence", Value: Count(d.Sequence)})
	}
	if d.Superseded {
		all = append(all, pair{Name: "Superseded", Value: "by a replay of its invocation; its replay needs force"})
	}
	if !d.Expires.IsZero() {
		all = append(all, pair{Name: "Too old since", Value: stamp(d.Expires)})
	}
	return all
}

// answerText shows the kept answer as text, whatever it is.
func answerText(d *wire.LetterDetails) *answer {
	a := d.Answer
	if a == nil {
		return nil
	}
	out := &answer{Title: fmt.Sprintf("%d, %s, call of %s", a.Status, Text(a.Type), stamp(a.At))}
	if a.Type == "" {
		out.Title = fmt.Sprintf("%d, call of %s", a.Status, stamp(a.At))
	}
	switch {
	case a.Body == "":
		out.Note = "It has no body."
	case a.Base64:
		out.Note = "It is not text. Its base64: queue-worker dead show " + quote(d.ID) + " -o json"
	default:
		out.Text = escape.Lines(a.Body)
		out.Note = unless(a.Truncated, "", "The beginning.")
	}
	return out
}
