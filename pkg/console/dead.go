// File dead.go has the page of the dead set: its groups first, then the dead letters of one
// of them, newest first.

package console

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/wire"
)

// DeadPath is the path of the page of the dead set.
const DeadPath = "/dead"

// ParamGroup is the parameter that chooses a group; ParamCursor that of the next page of its
// dead letters.
const (
	ParamGroup  = "in"
	ParamCursor = "cursor"
)

// DeadSet is the page of the dead set.
type DeadSet struct {
	Viewer
	At      time.Time
	Query   url.Values // of the page
	Groups  wire.GroupList
	Chosen  *wire.Group      // nil for none
	Letters *wire.LetterPage // of the chosen group
	Durable bool
}

// GroupKey is the value of ParamGroup for a group.
func GroupKey(g *wire.Group) string {
	return strings.Join([]string{g.Reason, strconv.Itoa(g.Status), g.Queue, g.Topic}, "|")
}

// deadSet is the model of the template.
type deadSet struct {
	frame
	Headline, Note string
	Fields         []field
	Reasons        []option
	Groups         []groupRow
	Chosen         *chosen
	All            []planForm // for what the filter lets pass
	Command        string
}

// planForm is a button that plans a job.
type planForm struct {
	Act, Button string
	Fields      []hidden
}

// hidden is a field of a form that is not shown.
type hidden struct{ Name, Value string }

// field is an input of the filter.
type field struct{ Name, Label, Value, Example string }

// option is a choice of a filter.
type option struct {
	Value    string
	Selected bool
}

type groupRow struct {
	Name, What, Queue, Reason string
	Link                      string
	Count, First, Last, Size  string
	Replayed                  string
	Chosen                    bool
}

// chosen is the group whose dead letters are listed.
type chosen struct {
	Title   string
	Letters []letterRow
	Next    string
	Plans   []planForm
}

type letterRow struct{ ID, Link, Died, Answer, Calls, Size, Remark string }

// Page renders the dead set.
func (d DeadSet) Page() ([]byte, error) {
	m := deadSet{
		frame: newFrame("Dead letters", d.Viewer, d.At), Headline: d.headline(), Note: d.note(), Fields: d.fields(), Reasons: d.reasons(),
		Command: d.command(),
	}
	m.Current = "dead"
	for i := range d.Groups.Groups {
		m.Groups = append(m.Groups, d.row(&d.Groups.Groups[i]))
	}
	if d.Chosen != nil && d.Letters != nil {
		m.Chosen = d.chosen()
	}
	if d.Acts && d.Groups.Total > 0 {
		m.All = d.plans("all "+Count(d.Groups.Total), nil)
	}
	return render("dead", m)
}

func (d DeadSet) headline() string {
	n, groups := d.Groups.Total, len(d.Groups.Groups)
	of := ""
	if d.isFiltered() {
		of = " with this filter"
	}
	if n == 0 {
		return "No dead letters" + of
	}
	return fmt.Sprintf("%s in %s%s", Things(n, "dead letter", "dead letters"), Things(groups, "group", "groups"), of)
}

func (d DeadSet) note() string {
	text := "Invocations that were given up. They are kept in the store, and not called again unless they are replayed."
	if !d.Durable {
		text += " The store is in memory: they end with this process."
	}
	return text
}

func (d DeadSet) isFiltered() bool {
	for _, name := range wire.FilterNames {
		if d.Query.Get(name) != "" {
			return true
		}
	}
	return false
}

// fields are the inputs of the filter, but for the reason, which has a list.
func (d DeadSet) fields() []field {
	all := []field{
		{Name: "function", Label: "Function"}, {Name: "queue", Label: "Queue"}, {Name: "status", Label: "Status", Example: "429,5xx"},
		{Name: "since", Label: "Died since", Example: "2h, 7d"}, {Name: "until", Label: "and before"}, {Name: "call_id", Label: "Call id"},
		{Name: "header", Label: "Header", Example: "X-Tenant: acme"},
	}
	for i := range all {
		all[i].Value = d.Query.Get(all[i].Name)
	}
	return all
}

func (d DeadSet) reasons() (all []option) {
	for _, r := range invocation.Reasons() {
		all = append(all, option{string(r), d.Query.Get("reason") == string(r)})
	}
	return all
}

func (d DeadSet) row(g *wire.Group) groupRow {
	r := groupRow{
		Name: functionName(g.Function), What: whatHappened(g.Reason, g.Status), Queue: Text(g.Queue), Reason: g.Reason, Count: Count(g.Count),
		First: d.when(g.First), Last: d.when(g.Last), Size: Bytes(bytesOf(g.Bytes)), Link: d.link(ParamGroup, GroupKey(g)),
		Chosen: d.Chosen != nil && GroupKey(d.Chosen) == GroupKey(g),
	}
	if g.Replayed > 0 {
		r.Replayed = Count(g.Replayed) + " died again after replays"
	}
	return r
}

// functionName is the name of a function, or words where a message names none.
func functionName(name string) string {
	if name == "" {
		return "no function"
	}
	return Text(name)
}

// link is the address of this page with a parameter in place of the group and the cursor.
func (d DeadSet) link(name, value string) string {
	q := url.Values{}
	for _, filter := range wire.FilterNames {
		if values := d.Query[filter]; len(values) > 0 && values[0] != "" {
			q[filter] = values
		}
	}
	if name == ParamCursor {
		q.Set(ParamGroup, GroupKey(d.Chosen))
	}
	q.Set(name, value)
	return DeadPath + "?" + q.Encode() + "#letters"
}

// when is a time with its age where that is short.
func (d DeadSet) when(t time.Time) string {
	if age := d.At.Sub(t); age < 24*time.Hour {
		return Length(age) + " ago"
	}
	return t.UTC().Format("2 Jan 15:04")
}

func (d DeadSet) chosen() *chosen {
	g := d.Chosen
	c := &chosen{Title: fmt.Sprintf("%s: %s", functionName(g.Function), whatHappened(g.Reason, g.Status))}
	for i := range d.Letters.Letters {
		c.Letters = append(c.Letters, letterRowOf(&d.Letters.Letters[i]))
	}
	if d.Acts {
		c.Plans = d.plans(unless(g.Count == 1, "these "+Count(g.Count), "this one"), map[string]string{"function": g.Topic, "queue": g.Queue, "reason": g.Reason, "status": strconv.Itoa(g.Status)})
	}
	if d.Letters.Next != "" {
		c.Next = d.link(ParamCursor, d.Letters.Next)
	}
	return c
}

// plans are the buttons for dead letters, those of the filter of the page and of a group.
func (d DeadSet) plans(which string, group map[string]string) (all []planForm) {
	var fields []hidden
	for _, name := range wire.FilterNames {
		values := d.Query[name]
		if v, is := group[name]; is {
			values = []string{v}
		}
		for _, v := range values {
			if v != "" {
				fields = append(fields, hidden{name, v})
			}
		}
	}
	for _, act := range []string{wire.ActReplay, wire.ActDrop} {
		all = append(all, planForm{act, title1(act) + " " + which + "…", fields})
	}
	return all
}

func letterRowOf(l *wire.Letter) letterRow {
	r := letterRow{
		ID: l.ID, Link: InvocationPath(l.ID), Died: stamp(l.Died), Answer: lastAnswer(l), Calls: Count(len(l.Attempts) + l.Omitted), Size: Bytes(bytesOf(l.Size)),
	}
	if l.Replays > 0 {
		r.Remark = "replayed " + Things(l.Replays, "time", "times")
	}
	return r
}

// stamp writes a time with its date.
func stamp(t time.Time) string { return t.UTC().Format("2 Jan 15:04:05") }

// lastAnswer is the status of the last call, or why there is none.
func lastAnswer(l *wire.Letter) string {
	if n := len(l.Attempts); n > 0 {
		return answerOf(&l.Attempts[n-1])
	}
	return "no call"
}

func answerOf(a *wire.Attempt) string {
	switch {
	case a.Cause != "":
		return "no answer: " + Text(a.Cause)
	case a.Status == 0:
		return "no answer"
	}
	return strconv.Itoa(a.Status)
}

// whatHappened says in words why dead letters of a group are dead.
func whatHappened(reason string, status int) string {
	answer := "no answer"
	if status != 0 {
		answer = strconv.Itoa(status)
	}
	switch invocation.Reason(reason) {
	case invocation.AttemptsExhausted:
		return answer + ", retries used up"
	case invocation.NonRetryable:
		return answer + ", final"
	case invocation.Malformed:
		return "malformed"
	case invocation.Poison:
		return "the worker crashed while it was in flight"
	case invocation.CallbackRefused:
		return "callback_policy forbids the URL"
	case invocation.Superseded:
		return "replaced by that of a replay"
	case invocation.MaxAgeExceeded:
		return "too old for another call"
	case invocation.FunctionNotFound:
		return "the gateway does not know the function"
	}
	return Text(reason)
}

// command is the command line that lists the same.
func (d DeadSet) command() string {
	line := "queue-worker dead groups"
	if d.Chosen != nil {
		line = fmt.Sprintf("queue-worker dead ls --order newest --reason %s --status %d", d.Chosen.Reason, d.Chosen.Status)
		if d.Chosen.Function != "" {
			line += " --function " + quote(d.Chosen.Function)
		}
	}
	return line
}

// quote makes a text one word of a shell.
func quote(s string) string {
	if s = Text(s); strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
