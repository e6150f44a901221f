// File invocation.go has the page of one invocation in any state: what happened to scale, the
// request, and the last answer where it is kept.

package console

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"queue-worker/pkg/wire"
)

// InvocationsPath is the path of the page that lists invocations.
const InvocationsPath = "/invocations"

// ParamBody is the parameter that asks for the body of a request.
const ParamBody = "body"

// InvocationPath is the path of the page of an invocation, by its id or call id.
func InvocationPath(id string) string { return InvocationsPath + "/" + url.PathEscape(id) }

// Invocation is the page of one invocation.
type Invocation struct {
	Viewer
	At         time.Time
	Invocation wire.Invocation
	Letter     *wire.LetterDetails // of a dead one
	Request    *wire.Request       // nil when it is no longer stored
	WithBody   bool                // Request has the body
	Callbacks  []wire.Invocation   // that carry its result
}

// invocationPage is the model of the template.
type invocationPage struct {
	frame
	Headline, Note string
	Up             link
	Calls          []callRow
	All            []span
	From, To       string
	Request        []pair
	RequestTitle   string
	Stored         bool
	Body           *text
	BodyLink       string
	Identity       []pair
	Answer         *text
	Result         string
	Policy         []policyRow
	Path           string // of the forms
	Dead, Pending  bool
	Refused        []string
	Commands       string
}

// pair is a name and a value, which may lead to another page.
type pair struct{ Name, Value, Link string }

// text is a text of others, with what there is to know of it.
type text struct{ Title, Text, Note string }

// Page renders an invocation.
func (p Invocation) Page() ([]byte, error) {
	v := &p.Invocation
	m := invocationPage{
		frame: newFrame("Invocation", p.Viewer, p.At), Headline: p.headline(), Note: p.note(), Up: p.up(), Calls: p.calls(),
		From: stamp(v.First) + " accepted", To: stamp(p.end()) + " " + unless(v.Over(), "now", v.State),
		RequestTitle: p.requestTitle(), Identity: p.identity(), Stored: p.Request != nil, Commands: p.commands(),
		Path: InvocationPath(v.ID), Dead: v.State == wire.StateDead, Pending: !v.Over(),
	}
	m.Current = unless(v.State == wire.StateDead, "", "dead")
	for _, c := range m.Calls {
		if c.Omitted == "" {
			m.All = append(m.All, c.Span)
		}
	}
	if r := p.Request; r != nil {
		m.Request = headerOf(r)
		switch {
		case p.WithBody:
			m.Body, m.BodyLink = bodyText(r, v.ID), InvocationPath(v.ID)
		case !p.ReadOnly:
			m.BodyLink = InvocationPath(v.ID) + "?" + ParamBody + "=1"
		}
	}
	if p.Letter != nil {
		m.Answer = answerText(p.Letter)
	}
	if v.HasResult && !p.ReadOnly {
		m.Result = "/v1/invocations/" + url.PathEscape(v.ID) + "/result"
	}
	if v.Policy != nil {
		m.Policy, m.Refused = policyRows(v.Policy), refused(v.Policy)
	}
	return render("invocation", m)
}

func (p Invocation) up() link {
	v := &p.Invocation
	if v.State == wire.StateDead {
		return link{"Dead letters", DeadPath}
	}
	return link{"Overview", "/"}
}

// end is the end of the time line.
func (p Invocation) end() time.Time {
	v := &p.Invocation
	switch {
	case v.State == wire.StateDead:
		return v.Died
	case !v.Finished.IsZero():
		return v.Finished
	}
	return p.At
}

// headline says in a sentence how the invocation does.
func (p Invocation) headline() string {
	v := &p.Invocation
	calls := len(v.Attempts) + v.Omitted
	made := fmt.Sprintf("%s in %s", Things(calls, "call", "calls"), Length(p.end().Sub(v.First)))
	switch {
	case v.State == wire.StateDead && calls == 0:
		return "Dead without a call: " + whatHappened(v.Reason, v.Status)
	case v.State == wire.StateDead:
		return "Dead after " + made + ": " + whatHappened(v.Reason, v.Status)
	case v.State == wire.StateRunning:
		return fmt.Sprintf("In flight for %s, call %d", Length(p.At.Sub(v.Running)), calls+1)
	case v.State == wire.StateDelayed:
		return fmt.Sprintf("Delayed: call %d is due in %s", calls+1, Length(v.Due.Sub(p.At)))
	case v.State == wire.StateReady:
		return fmt.Sprintf("Ready for call %d", calls+1)
	case v.State == wire.StateDone:
		return "Done after " + made
	case calls == 0:
		return title1(v.State) + " without a call"
	}
	return title1(v.State) + " after " + made
}

// title1 writes a word with a capital.
func title1(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func (p Invocation) note() string {
	v := &p.Invocation
	end, late, lost := "", "", ""
	if at := p.end(); v.Over() && !at.IsZero() {
		end = fmt.Sprintf("%s since %s, %s ago.", title1(v.State), stamp(at), Length(p.At.Sub(at)))
	}
	if !v.Expires.IsZero() {
		late = "No call begins after " + stamp(v.Expires) + "."
	}
	if p.Letter != nil && p.Letter.Unreadable {
		lost = "The store cannot read its request."
	}
	if p.Letter != nil && p.Letter.Superseded {
		lost = sentences(lost, "Its origin was replayed since, so that a replay of this callback needs force.")
	}
	return sentences(ended(Text(v.Detail)), "Accepted at "+stamp(v.First)+".", end, late, lost)
}

// requestTitle is where the request goes.
func (p Invocation) requestTitle() string {
	v, r := &p.Invocation, p.Request
	if v.Kind == "callback" {
		return "POST " + Text(v.Target)
	}
	if r == nil {
		return ""
	}
	return Text(r.Path) + unless(r.Query != "", "", ", with a query")
}

// headerOf is the header of a request, by name. Secrets are hidden by the API.
func headerOf(r *wire.Request) (all []pair) {
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		all = append(all, pair{Name: Text(name), Value: Text(strings.Join(r.Headers[name], ", "))})
	}
	return all
}

func (p Invocation) identity() []pair {
	v := &p.Invocation
	all := []pair{
		{Name: "Call id", Value: Text(v.CallID), Link: unless(v.CallID != "", "", InvocationPath(v.CallID))}, {Name: "Invocation id", Value: Text(v.ID)},
		{Name: "Function", Value: functionName(v.Function), Link: unless(v.Topic != "", "", FunctionPath(v.Topic, v.Queue))},
		{Name: "Queue", Value: Text(v.Queue)}, {Name: "Source", Value: v.Source}, {Name: "Request", Value: Bytes(bytesOf(v.Size))},
		{Name: "Replays", Value: Count(v.Replays)},
	}
	if p.Letter != nil {
		all = append(all, pair{Name: "Crashes in flight", Value: Count(p.Letter.Crashes)})
	}
	if v.Target != "" {
		all = append(all, pair{Name: "Callback to", Value: Text(v.Target)})
	}
	if v.Origin != "" {
		all = append(all, pair{Name: "Result of", Value: Text(v.Origin), Link: InvocationPath(v.Origin)})
	}
	for i := range p.Callbacks {
		c := &p.Callbacks[i]
		all = append(all, pair{Name: "Callback", Value: Text(c.Target) + ", " + c.State, Link: InvocationPath(c.ID)})
	}
	if v.DelayIgnored != "" {
		all = append(all, pair{Name: "Delay ignored", Value: Text(v.DelayIgnored)})
	}
	return all
}

func (p Invocation) commands() string {
	id, dead := quote(p.Invocation.ID), p.Invocation.State == wire.StateDead
	lines := []string{"queue-worker invocation get " + id}
	switch {
	case dead:
		lines = []string{"queue-worker dead show " + id, "queue-worker dead show " + id + " --body", "queue-worker dead replay " + id}
	case !p.Invocation.Over():
		lines = append(lines, "queue-worker invocation request "+id+" --body", "queue-worker invocation cancel "+id)
	case p.Invocation.HasResult:
		lines = append(lines, "queue-worker invocation get "+id+" --result")
	}
	return strings.Join(lines, "\n")
}
