// File act.go has what pages say about operations: who may carry them out, what was done, and the
// question before what cannot be undone.

package console

import (
	"net/url"
	"time"

	"queue-worker/pkg/wire"
)

// Viewer is for whom a page is made.
type Viewer struct {
	Version  string // of the worker
	Name     string // of the caller
	Acts     bool   // the caller may carry out operations
	ReadOnly bool   // the caller is the read-only account, which sees no bodies, answers and results
	Did      string // what was done just before, a word of the address
}

// ParamDid is the parameter that says what was done just before.
const ParamDid = "did"

// Did are the words of ParamDid. No other text of an address is shown.
var did = map[string]string{
	DidPause: "The function was paused.", DidResume: "The function was resumed.", DidReplay: "The dead letter was replayed.",
	DidDrop: "The dead letter was dropped for good.", DidCancel: "The invocation was cancelled.", DidPlan: "The job was planned. Nothing has been changed yet.",
	DidApply: "The job was applied.", DidPauseJob: "The job was paused.", DidResumeJob: "The job was resumed.", DidCancelJob: "The job was cancelled. What it has done stays done.",
}

// What was done.
const (
	DidPause     = "pause"
	DidResume    = "resume"
	DidReplay    = "replay"
	DidDrop      = "drop"
	DidCancel    = "cancel"
	DidPlan      = "plan"
	DidApply     = "apply"
	DidPauseJob  = "pause-job"
	DidResumeJob = "resume-job"
	DidCancelJob = "cancel-job"
)

// Done is the address of a page that says what was done.
func Done(path, word string) string { return path + "?" + ParamDid + "=" + url.QueryEscape(word) }

// Question is the page that asks before what cannot be undone.
type Question struct {
	Viewer
	At       time.Time
	Headline string
	Text     string
	Button   string
	Action   string // the path that the form is sent to
	Back     string
}

// Page renders a question.
func (q Question) Page() ([]byte, error) {
	return render("question", struct {
		frame
		Headline, Text, Button, Action, Back string
	}{newFrame(q.Headline, q.Viewer, q.At), q.Headline, q.Text, q.Button, q.Action, q.Back})
}

// DropQuestion asks before a dead letter is dropped.
func DropQuestion(v Viewer, at time.Time, d wire.Invocation) Question {
	return Question{
		Viewer: v, At: at, Headline: "Drop this dead letter for good?", Button: "Drop this dead letter for good", Action: InvocationPath(d.ID) + "/drop", Back: InvocationPath(d.ID),
		Text: "The dead letter " + Text(d.ID) + " of " + functionName(d.Function) + " was given up at " + stamp(d.Died) + ": " + whatHappened(d.Reason, d.Status) +
			". Its request is removed from the store. To keep a copy, type: queue-worker dead export --call-id " + quote(d.CallID),
	}
}

// CancelQuestion asks before a pending invocation is cancelled.
func CancelQuestion(v Viewer, at time.Time, d wire.Invocation) Question {
	q := Question{
		Viewer: v, At: at, Headline: "Cancel this invocation?", Button: "Cancel this invocation", Action: InvocationPath(d.ID) + "/cancel", Back: InvocationPath(d.ID),
		Text: "The invocation " + Text(d.ID) + " of " + functionName(d.Function) + " is removed from the store and not called again. There is no callback.",
	}
	if d.State == wire.StateRunning {
		q.Text += " It is in flight: the function may have done its work."
	}
	return q
}
