// File job.go has the pages of jobs: all of them, and one with its plan, its progress and what
// failed again.

package console

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"queue-worker/pkg/wire"
)

// JobsPath is the path of the page of all jobs.
const JobsPath = "/jobs"

// JobPath is the path of the page of a job.
func JobPath(id string) string { return JobsPath + "/" + url.PathEscape(id) }

// MostUntyped is how many invocations are dropped or purged without typing the count.
const MostUntyped = 1000

// Jobs is the page of all jobs.
type Jobs struct {
	Viewer
	At   time.Time
	List wire.JobList
}

type jobsPage struct {
	frame
	Rows []jobRow
	Next string
}

type jobRow struct {
	ID, Link, What, State, Reason, By, Created, Progress string
	Condition                                            condition
}

// Page renders all jobs.
func (p Jobs) Page() ([]byte, error) {
	m := jobsPage{frame: newFrame("Jobs", p.Viewer, p.At)}
	m.Current = "jobs"
	for i := range p.List.Jobs {
		j := &p.List.Jobs[i]
		m.Rows = append(m.Rows, jobRow{
			ID: j.ID, Link: JobPath(j.ID), What: jobWhat(j), Condition: jobCondition(j), Reason: Text(j.StateReason), By: Text(j.By), Created: stamp(j.Created),
			Progress: Count(j.Done) + " of " + Count(j.Plan.Count),
		})
	}
	if p.List.Next != "" {
		m.Next = JobsPath + "?cursor=" + url.QueryEscape(p.List.Next)
	}
	return render("jobs", m)
}

// jobWhat says what a job acts on.
func jobWhat(j *wire.Job) string {
	what := Things(j.Plan.Count, "dead letter", "dead letters")
	if j.Act == wire.ActPurge {
		what = Things(j.Plan.Count, "invocation", "invocations")
	}
	return title1(j.Act) + " " + what
}

// jobCondition is the state of a job with its looks.
func jobCondition(j *wire.Job) condition {
	switch j.State {
	case wire.JobStopped:
		return condition{Tone: toneBad, Icon: "alert", Word: j.State}
	case wire.JobWaiting, wire.JobPaused:
		return condition{Tone: toneWarning, Icon: "pause", Word: j.State}
	case wire.JobDone, wire.JobRunning:
		return condition{Tone: toneGood, Icon: "tick", Word: j.State}
	}
	return condition{Tone: toneResting, Icon: "ring", Word: j.State}
}

// Job is the page of one job.
type Job struct {
	Viewer
	At     time.Time
	Job    wire.Job
	Filter []Condition // what it acts on
	// Latest is the latest failed call of the only function that it replays; nil when there is none.
	Latest *wire.LastError
}

// Condition is one condition of a filter.
type Condition struct{ Name, Value string }

type jobPage struct {
	frame
	ID, Headline, Note string
	Condition          condition
	Groups             []pair
	Facts              []pair
	Done, Count        int
	Progress           []pair
	Again              string // dead letters since it was applied
	Warning            string
	Apply              *applyForm
	Steer              []steerForm
	Commands           string
}

// applyForm is the form of a plan.
type applyForm struct {
	Button             string
	Hot                bool
	Typed              string // what has to be typed
	Replay             bool
	Rate, Share        string
	Canary, Force      bool
	Action, PlanAction string
}

// steerForm is a button of a job.
type steerForm struct{ Action, Button string }

// Page renders a job.
func (p Job) Page() ([]byte, error) {
	j := &p.Job
	m := jobPage{
		frame: newFrame(jobWhat(j), p.Viewer, p.At), ID: j.ID, Headline: p.headline(), Note: p.note(), Condition: jobCondition(j), Groups: p.groups(), Facts: p.facts(),
		Done: j.Done + j.Skipped, Count: max(j.Plan.Count, 1), Progress: p.progress(), Again: p.again(), Warning: p.warning(), Commands: p.commands(),
	}
	m.Current = "jobs"
	if p.Acts {
		m.Apply, m.Steer = p.apply(), p.steer()
	}
	return render("job", m)
}

func (p Job) headline() string {
	if p.Job.State == wire.JobPlanned {
		return jobWhat(&p.Job) + "?"
	}
	return jobWhat(&p.Job)
}

func (p Job) note() string {
	j := &p.Job
	if j.State == wire.JobPlanned {
		return fmt.Sprintf("Nothing has been changed yet. This plan acts on the %s found at %s, and on none that comes later. It can be applied until %s.",
			Count(j.Plan.Count), stamp(j.Created), stamp(j.Expires))
	}
	return sentences(ended(Text(j.StateReason)), "Planned at "+stamp(j.Created)+" by "+ended(Text(j.By)))
}

func (p Job) groups() (all []pair) {
	for _, g := range p.Job.Plan.Groups {
		name := functionName(g.Function)
		if g.Reason != "" {
			name += ", " + Text(g.Reason)
		}
		all = append(all, pair{Name: name, Value: Count(g.Count)})
	}
	if n := p.Job.Plan.MoreGroups; n > 0 {
		all = append(all, pair{Name: Things(n, "more group", "more groups")})
	}
	return all
}

func (p Job) facts() []pair {
	j, all := &p.Job, []pair{}
	if !j.Plan.Oldest.IsZero() {
		all = append(all, pair{Name: "From", Value: stamp(j.Plan.Oldest)}, pair{Name: "To", Value: stamp(j.Plan.Newest)})
	}
	all = append(all, pair{Name: "Size", Value: Bytes(bytesOf(j.Plan.Bytes))})
	if len(p.Filter) == 0 {
		all = append(all, pair{Name: "Filter", Value: "none: all of them"})
	}
	for _, c := range p.Filter {
		all = append(all, pair{Name: title1(Text(c.Name)), Value: Text(c.Value)})
	}
	if j.Act == wire.ActReplay {
		rate := "no limit"
		if j.Rate > 0 {
			rate = Count(j.Rate) + " a second, " + length(j.Plan.Duration) + " in all"
		}
		all = append(all, pair{Name: "Rate", Value: rate}, pair{Name: "Need force", Value: Count(j.Plan.NeedsForce) + unless(j.Force, " are left out", " are replayed")})
	}
	return all
}

func (p Job) progress() (all []pair) {
	j := &p.Job
	if j.State == wire.JobPlanned {
		return nil
	}
	all = append(all, pair{Name: "Done", Value: Count(j.Done) + " of " + Count(j.Plan.Count)}, pair{Name: "Skipped", Value: Count(j.Skipped)})
	if !j.Known() {
		return all
	}
	for _, o := range []struct {
		name string
		n    *int
	}{{"Succeeded", j.Succeeded}, {"Failed again", j.FailedAgain}, {"Given up, not kept", j.Dropped}, {"Cancelled", j.Cancelled}, {"Without an outcome so far", j.Pending}} {
		if o.n != nil {
			all = append(all, pair{Name: o.name, Value: Count(*o.n)})
		}
	}
	return all
}

// again leads to the dead letters of the job's filter since it was applied.
func (p Job) again() string {
	j := &p.Job
	if j.Act != wire.ActReplay || j.FailedAgain == nil || *j.FailedAgain == 0 || j.Applied.IsZero() {
		return ""
	}
	q := url.Values{"since": {j.Applied.UTC().Format(time.RFC3339)}}
	for _, c := range p.Filter {
		if c.Name == "function" || c.Name == "queue" {
			q.Set(c.Name, c.Value)
		}
	}
	return DeadPath + "?" + q.Encode()
}

func (p Job) warning() string {
	e := p.Latest
	if e == nil || p.Job.State != wire.JobPlanned || p.At.Sub(e.At) > 15*time.Minute {
		return ""
	}
	what := "status " + strconv.Itoa(e.Status)
	if e.Cause != "" {
		what = Text(e.Cause)
	}
	return fmt.Sprintf("The function failed %s ago: %s. With a canary one dead letter is tried first.", Length(p.At.Sub(e.At)), what)
}

func (p Job) apply() *applyForm {
	j := &p.Job
	if j.State != wire.JobPlanned || j.Plan.Count == 0 {
		return nil
	}
	f := &applyForm{
		Button: jobWhat(j), Hot: j.Act != wire.ActReplay, Replay: j.Act == wire.ActReplay, Rate: strconv.Itoa(j.Rate), Canary: j.Canary, Force: j.Force,
		Action: JobPath(j.ID) + "/apply", PlanAction: JobPath(j.ID) + "/plan",
	}
	if j.MaxFailedShare != nil {
		f.Share = strconv.FormatFloat(*j.MaxFailedShare*100, 'f', -1, 64)
	}
	if f.Hot {
		f.Button += " for good"
		if j.Plan.Count > MostUntyped {
			f.Typed = strconv.Itoa(j.Plan.Count)
		}
	}
	return f
}

func (p Job) steer() (all []steerForm) {
	j := &p.Job
	path := JobPath(j.ID)
	switch j.State {
	case wire.JobRunning, wire.JobWaiting:
		all = append(all, steerForm{path + "/pause", "Pause the job"})
	case wire.JobPaused, wire.JobStopped:
		all = append(all, steerForm{path + "/resume", "Resume the job"})
	}
	if j.State != wire.JobDone && j.State != wire.JobCancelled {
		all = append(all, steerForm{path + "/cancel", unless(j.State == wire.JobPlanned, "Cancel the job", "Cancel the plan")})
	}
	return all
}

func (p Job) commands() string {
	id := quote(p.Job.ID)
	if p.Job.State == wire.JobPlanned {
		return "queue-worker job show " + id + "\nqueue-worker job apply " + id
	}
	return strings.Join([]string{"queue-worker job show " + id, "queue-worker job wait " + id}, "\n")
}
