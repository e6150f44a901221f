// File overview.go has the first page: the summary, the figures, the last hour, the health
// of what the worker depends on, and the functions.

package console

import (
	"fmt"
	"net/url"
	"time"

	"queue-worker/pkg/wire"
)

// PageRows is how many functions a page has.
const PageRows = 50

// Overview is the first page.
type Overview struct {
	Viewer
	Status    wire.Status
	Functions wire.FunctionList // those that are shown, in their order, with their History
	Total     int               // functions that there are
	ByName    bool              // they are in the order of their names, not those in trouble first
	Example   string            // a function to try that can be made to fail; "" for none
}

// First returns the functions of the first page: those in trouble before others.
func First(s wire.Status, all []wire.Function) []wire.Function {
	sorted := byTrouble(s, all)
	return sorted[:min(len(sorted), PageRows)]
}

// overview is the model of the template.
type overview struct {
	frame
	Summary  wire.Summary
	Findings []finding
	Empty    bool
	Steps    []step
	Figures  []figures
	Hour     picture
	Most     string
	From, To string
	Started  string
	Health   []health
	Rows     []row
	Showing  string
	ByName   bool
	Next     string
	Others   []string
}

// finding is a finding with its looks.
type finding struct {
	wire.Finding
	Tone tone
	Icon string
	Link *link
}

// step is something to try.
type step struct{ Text, Command string }

// figures are numbers of one origin.
type figures struct {
	ID, Title string
	Figures   []figure
}

type figure struct{ Name, Value, Beside string }

// health is something that the worker depends on.
type health struct {
	Name      string
	Condition condition
}

// row is a function in the table.
type row struct {
	Name, Queue, Link           string
	Condition                   condition
	Hour                        *picture
	Rate, Ready, Running, Limit string
	Delayed, Dead, Oldest       string
}

// Page renders the overview.
func (o Overview) Page() ([]byte, error) {
	s := o.Status
	h := &s.Worker.History
	m := overview{
		frame: newFrame(title(s.Summary), o.Viewer, s.At), Summary: s.Summary, Findings: findingsOf(s.Summary),
		Empty: isEmpty(State{Status: s, Functions: o.Functions.Functions}), Steps: o.steps(), Figures: figuresOf(s),
		Hour: bars(h, 1000), Started: s.Worker.Started.UTC().Format("15:04"), Health: healthOf(s),
		From: s.At.Add(-(minutes - 1) * time.Minute).UTC().Format("15:04"), To: s.At.UTC().Format("15:04"),
		Rows: o.rows(), Showing: o.showing(), ByName: o.ByName, Next: o.next(), Others: others(o.Functions.Others),
	}
	m.Current = "overview"
	m.Most = "at most " + Count(m.Hour.Most)
	return render("overview", m)
}

// title is the title of the page: how many findings are critical, so that a tab in the
// background shows it.
func title(s wire.Summary) string {
	n := 0
	for _, f := range s.Findings {
		if f.Level == wire.LevelCritical {
			n++
		}
	}
	if n == 0 {
		return "Overview"
	}
	return fmt.Sprintf("(%d) Overview", n)
}

func findingsOf(s wire.Summary) (all []finding) {
	for _, f := range s.Findings {
		x := finding{f, toneWarning, "clock", nil}
		if f.Function != "" {
			x.Link = &link{Text(f.Function), FunctionPath(f.Function, f.Queue)}
		}
		switch {
		case f.Level == wire.LevelCritical:
			x.Tone, x.Icon = toneBad, "alert"
		case f.Rule == "function_paused" || f.Rule == "intake_paused":
			x.Icon = "pause"
		}
		all = append(all, x)
	}
	return all
}

func figuresOf(s wire.Status) []figures {
	w, st := s.Worker, s.Store
	givenUp := 0
	for _, n := range w.History.GivenUp {
		givenUp += int(n)
	}
	return []figures{
		{"worker", "This worker", []figure{
			{"Calls per second", Rate(w.Rate), ""},
			{"In flight", Count(w.Slots.Used), "of " + Count(w.Slots.Max)},
			{"Given up", Count(givenUp), "in 1 h"},
		}},
		{"store", "The store", []figure{
			{"Ready", Count(st.Ready), ""},
			{"Delayed", Count(st.Delayed), ""},
			{"Dead", Count(st.Dead), ""},
		}},
	}
}

func (o Overview) rows() (all []row) {
	for i := range o.Functions.Functions {
		f := &o.Functions.Functions[i]
		r := row{
			Name: Text(f.Function), Link: FunctionPath(f.Function, ""), Condition: conditionOf(o.Status, f), Rate: Rate(f.Rate), Ready: Count(f.Ready),
			Running: Count(f.Running), Limit: Count(f.Limit), Delayed: Count(f.Delayed), Dead: Count(f.Dead),
		}
		if len(o.Status.Worker.Queues) > 1 {
			r.Queue, r.Link = Text(f.Queue), FunctionPath(f.Function, f.Queue)
		}
		if f.OldestAge > 0 {
			r.Oldest = Seconds(f.OldestAge)
		}
		if f.History != nil {
			hour := silhouette(f.History, 20)
			r.Hour = &hour
		}
		all = append(all, r)
	}
	return all
}

// showing says which functions are in the table.
func (o Overview) showing() string {
	order := "those in trouble first"
	if o.ByName {
		order = "by name"
	}
	if n := len(o.Functions.Functions); n < o.Total {
		return fmt.Sprintf("%s of %s, %s", Count(n), Count(o.Total), order)
	}
	return Count(o.Total) + ", " + order
}

// next is the address of the next page; "" when there is none.
func (o Overview) next() string {
	switch {
	case o.ByName && o.Functions.Next != "":
		return "/?by=name&after=" + url.QueryEscape(o.Functions.Next)
	case !o.ByName && len(o.Functions.Functions) < o.Total:
		return "/?by=name"
	}
	return ""
}

// others says what is in functions that are not listed one by one.
func others(all []wire.Others) (lines []string) {
	for _, o := range all {
		lines = append(lines, fmt.Sprintf("Queue %s: functions not listed one by one have %s ready, %s delayed and %s dead.",
			Text(o.Queue), Count(o.Ready), Count(o.Delayed), Count(o.Dead)))
	}
	return lines
}
