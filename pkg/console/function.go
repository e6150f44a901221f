// File function.go has the page of one function in one queue: its state, what is in flight,
// what becomes due, and the policy that it is called by.

package console

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"queue-worker/pkg/wire"
)

// FunctionPrefix is the beginning of the paths of the pages of functions.
const FunctionPrefix = "/functions/"

// ParamQueue is the parameter that chooses a queue.
const ParamQueue = "queue"

// FunctionPath is the address of the page of a function in a queue; "" for its only one.
func FunctionPath(function, queue string) string {
	path := FunctionPrefix + url.PathEscape(function)
	if queue != "" {
		path += "?" + ParamQueue + "=" + url.QueryEscape(queue)
	}
	return path
}

// Function is the page of a function in one queue.
type Function struct {
	Viewer
	Status   wire.Status // without summary and history
	Function wire.Function
	Queues   []string // in which it has anything, more than one
	Policy   wire.Policy
	Due      wire.Due
	Running  []wire.Invocation // some of those in flight
}

// function is the model of the template.
type function struct {
	frame
	Name, Queue  string
	Condition    condition
	Text         string
	Queues       []choice
	Figures      []figures
	Hour         picture
	From, To     string
	Started      string
	Due          picture
	DueText      string
	DueTo        string
	Schedule     schedule
	Running      []runningRow
	RunningTitle string
	Policy       []policyRow
	Refused      []string
	Links        []link
	Path         string // of the forms
	Paused       bool
	Pending      int
	Commands     string
}

// link is a text that leads to another page.
type link struct{ Text, To string }

// choice is one of several links, perhaps that to the page itself.
type choice struct {
	link
	Current bool
}

type runningRow struct{ ID, Link, Call, Since string }

// policyRow is a value of the policy, with its setting and its origin.
type policyRow struct{ Name, Setting, Value, From string }

// Page renders a function.
func (f Function) Page() ([]byte, error) {
	s, fn := f.Status, &f.Function
	due := dueBars(f.Due.Due, 1000)
	m := function{
		frame: newFrame(Text(fn.Function), f.Viewer, s.At), Name: Text(fn.Function), Queue: Text(fn.Queue),
		Condition: conditionOf(s, fn), Text: f.text(), Queues: f.queues(), Figures: f.figures(),
		From: s.At.Add(-(minutes - 1) * time.Minute).UTC().Format("15:04"), To: s.At.UTC().Format("15:04"), Started: s.Worker.Started.UTC().Format("15:04"),
		Due: due, DueText: f.dueText(), DueTo: s.At.Add(time.Hour).UTC().Format("15:04"),
		Schedule: scheduleOf(&f.Policy), Running: f.running(), RunningTitle: f.runningTitle(), Policy: policyRows(&f.Policy), Refused: refused(&f.Policy),
		Links: f.links(), Commands: f.commands(),
		Path: FunctionPrefix + url.PathEscape(fn.Function), Paused: fn.Paused != nil, Pending: fn.Ready + fn.Delayed,
	}
	if fn.History != nil {
		m.Hour = bars(fn.History, 1000)
	}
	return render("function", m)
}

// text says what holds pending invocations back, and what failed last.
func (f Function) text() string {
	fn, failed := &f.Function, ""
	if fn.GivenUp1h > 0 {
		failed = Things(fn.GivenUp1h, "invocation was", "invocations were") + " given up in the last hour."
	}
	if e := fn.LastError; e != nil {
		failed = sentences(failed, strings.TrimSuffix(statusOf(fn), ".")+", "+Length(f.Status.At.Sub(e.At))+" ago.")
	}
	return sentences(f.cause(), failed)
}

// cause says why pending invocations are not in flight: the first of all causes.
func (f Function) cause() string {
	s, fn, slots := State{Status: f.Status}, &f.Function, f.Status.Worker.Slots
	switch {
	case isOpen(fn):
		found := unreachable(State{Status: f.Status, Functions: []wire.Function{*fn}})
		return found[0].Text
	case fn.Paused != nil:
		return pauseText(s, fn.Paused)
	case fn.HeldUntil != nil && fn.HeldUntil.After(f.Status.At):
		return "The function asked by Retry-After for no calls for another " + ended(Length(fn.HeldUntil.Sub(f.Status.At)))
	case fn.Ready == 0 && fn.Delayed == 0 && fn.Running > 0:
		return Things(fn.Running, "invocation is", "invocations are") + " in flight, and none is waiting."
	case fn.Ready == 0 && fn.Delayed == 0:
		return "No invocation is pending."
	case fn.Ready == 0:
		return "Nothing is ready; " + Things(fn.Delayed, "invocation is", "invocations are") + " delayed until their time."
	case fn.Running >= fn.Limit && fn.Limit < f.Policy.MaxInflight:
		return fmt.Sprintf("The worker calls it %s at a time, of %d that the policy allows, because it pushed back.", Things(fn.Limit, "time", "times"), f.Policy.MaxInflight)
	case fn.Running >= fn.Limit:
		return fmt.Sprintf("All %d calls that the policy allows at a time are in flight.", fn.Limit)
	case slots.Used >= slots.Max:
		return fmt.Sprintf("All %d slots of the worker are used; the functions take turns.", slots.Max)
	case f.Policy.Rate > 0:
		return fmt.Sprintf("At most %s calls a second begin.", Rate(f.Policy.Rate))
	}
	return "Ready invocations are called in turn with those of other functions."
}

func (f Function) queues() (all []choice) {
	for _, q := range f.Queues {
		all = append(all, choice{link{Text(q), FunctionPath(f.Function.Function, q)}, q == f.Function.Queue})
	}
	return all
}

func (f Function) figures() []figures {
	fn := &f.Function
	oldest := ""
	if fn.OldestAge > 0 {
		oldest = "oldest " + Seconds(fn.OldestAge)
	}
	return []figures{
		{"worker", "This worker", []figure{
			{"Calls per second", Rate(fn.Rate), ""},
			{"In flight", Count(fn.Running), "of " + Count(fn.Limit)},
			{"Given up", Count(fn.GivenUp1h), "in 1 h"},
		}},
		{"store", "The store", []figure{
			{"Ready", Count(fn.Ready), oldest},
			{"Delayed", Count(fn.Delayed), ""},
			{"Dead", Count(fn.Dead), ""},
		}},
	}
}

// dueText says in words what the picture of due invocations shows.
func (f Function) dueText() string {
	sum, most, at := 0, 0, 0
	for i, n := range f.Due.Due {
		sum += n
		if n > most {
			most, at = n, i
		}
	}
	if sum == 0 {
		return "nothing"
	}
	text := fmt.Sprintf("%s, most at %s", Count(sum), f.Due.From.Add(time.Duration(at*f.Due.Step)*time.Second).UTC().Format("15:04"))
	if !f.Due.Whole {
		return "at least " + text
	}
	return text
}

func (f Function) running() (all []runningRow) {
	for i := range f.Running {
		v := &f.Running[i]
		all = append(all, runningRow{ID: v.ID, Link: InvocationPath(v.ID), Call: fmt.Sprintf("%d", len(v.Attempts)+v.Omitted+1), Since: Length(f.Status.At.Sub(v.Running))})
	}
	return all
}

func (f Function) runningTitle() string {
	if n := len(f.Running); n < f.Function.Running {
		return Count(n) + " of " + Count(f.Function.Running)
	}
	return Count(len(f.Running))
}

// links lead to the invocations of the function.
func (f Function) links() (all []link) {
	fn := &f.Function
	q := url.Values{"function": {fn.Topic}, "queue": {fn.Queue}}
	if n := fn.Ready + fn.Running + fn.Delayed; n > 0 {
		all = append(all, link{Things(n, "invocation", "invocations") + " ready, in flight or delayed", InvocationsPath + "?" + q.Encode()})
	}
	if fn.Dead > 0 {
		all = append(all, link{Things(fn.Dead, "dead letter", "dead letters"), DeadPath + "?" + q.Encode()})
	}
	return all
}

func (f Function) commands() string {
	name := quote(f.Function.Function)
	lines := []string{"queue-worker function ls " + name, "queue-worker policy show " + name, "queue-worker function due " + name}
	if f.Function.Paused != nil {
		return strings.Join(append(lines, "queue-worker function resume "+name), "\n")
	}
	return strings.Join(append(lines, "queue-worker function pause "+name+" --for 1h --reason '…'"), "\n")
}
