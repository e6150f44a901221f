// File invocations.go has the page that lists invocations: those of a call id, or the pending ones
// of a function.

package console

import (
	"net/url"
	"strings"
	"time"

	"queue-worker/pkg/wire"
)

// FindPath is the path that leads to an invocation or to those of a call id.
const FindPath = "/find"

// Invocations is the page of a list of invocations.
type Invocations struct {
	Viewer
	At          time.Time
	CallID      string // whose invocations they are; "" for pending ones
	Query       url.Values
	Invocations wire.InvocationList
}

// invocations is the model of the template.
type invocations struct {
	frame
	Headline, Note string
	Rows           []invocationRow
	Next           string
	Command        string
}

type invocationRow struct{ ID, Link, Function, State, Accepted, Calls, Remark string }

// Page renders the list.
func (p Invocations) Page() ([]byte, error) {
	list := &p.Invocations
	m := invocations{frame: newFrame("Invocations", p.Viewer, p.At), Command: "queue-worker invocation ls"}
	for i := range list.Invocations {
		m.Rows = append(m.Rows, p.row(&list.Invocations[i]))
	}
	switch fn := p.Query.Get("function"); {
	case p.CallID != "":
		m.Headline = Things(len(m.Rows), "invocation", "invocations") + " of one call id"
		m.Note, m.Command = "Call id "+Text(p.CallID)+", newest first.", "queue-worker invocation get "+quote(p.CallID)
	default:
		m.Headline = strings.TrimSpace("Pending invocations " + unless(fn == "", "of "+Text(fn), ""))
		m.Note = "Ready ones by queue and function, then delayed ones by their due time. The figures are the store's."
		m.Command += p.flags()
	}
	if list.Next != "" {
		q := url.Values{"cursor": {list.Next}}
		for _, name := range []string{"function", "queue", "state"} {
			if v := p.Query.Get(name); v != "" {
				q.Set(name, v)
			}
		}
		m.Next = InvocationsPath + "?" + q.Encode()
	}
	return render("invocations", m)
}

// flags are those of the command that lists the same.
func (p Invocations) flags() (all string) {
	for _, name := range []string{"function", "queue", "state"} {
		if v := p.Query.Get(name); v != "" {
			all += " --" + name + " " + quote(v)
		}
	}
	return all
}

func (p Invocations) row(v *wire.Invocation) invocationRow {
	r := invocationRow{
		ID: Text(v.ID), Link: InvocationPath(v.ID), Function: functionName(v.Topic), State: v.State, Accepted: stamp(v.First), Calls: Count(len(v.Attempts) + v.Omitted),
	}
	switch {
	case v.Kind == "callback":
		r.Remark = "callback to " + Text(v.Target)
	case v.State == wire.StateDelayed:
		r.Remark = "due in " + Length(v.Due.Sub(p.At))
	case v.State == wire.StateRunning:
		r.Remark = "for " + Length(p.At.Sub(v.Running))
	}
	return r
}
