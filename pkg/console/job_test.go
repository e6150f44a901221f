package console

import (
	"bytes"
	"testing"
	"time"

	"queue-worker/pkg/wire"
)

// jobOf is the page of a replay in a state, in which every text of others is s.
func jobOf(s, state string) Job {
	n, none, share := 12, 0, 0.2
	j := wire.Job{
		ID: "019c0a06-1f54-7b60-a7c1-53b3d0d8c5e2", Act: wire.ActReplay, State: state, StateReason: s, By: s, Created: now.Add(-11 * time.Second),
		Expires: now.Add(time.Hour), Applied: now, Rate: 10, Canary: true, MaxFailedShare: &share, Done: 20,
		Plan: wire.Plan{Count: 298, Bytes: 610 << 10, Oldest: now.Add(-16 * time.Minute), Newest: now, Duration: "29.8s", NeedsForce: 3, MoreGroups: 2,
			Groups: []wire.PlanGroup{{Function: s, Reason: s, Count: 298}}},
		JobOutcomes: wire.JobOutcomes{Replayed: &n, Succeeded: &none, FailedAgain: &n, Dropped: &none, Cancelled: &none, Pending: &none},
	}
	return Job{Viewer: acting(s), At: now, Job: j, Filter: []Condition{{"function", s}, {"status", s}}, Latest: &wire.LastError{At: now.Add(-3 * time.Second), Cause: s}}
}

func jobsOf(s string) Jobs {
	return Jobs{Viewer: acting(s), At: now, List: wire.JobList{Jobs: []wire.Job{jobOf(s, wire.JobRunning).Job, jobOf(s, wire.JobPaused).Job}, Next: s}}
}

func TestAPlanSaysWhatItActsOn(t *testing.T) {
	t.Parallel()
	page, err := jobOf("mail-send", wire.JobPlanned).Page()
	if err != nil {
		t.Fatal(err)
	}
	has(t, page, "<h1 id=\"h\">Replay 298 dead letters?</h1>", "This plan acts on the 298 found at 30 Nov 02:47:20, and on none that comes later.",
		"10 a second, 29 s in all", "3 are left out", "The function failed 3 s ago: mail-send.", `value="20"`, "Cancel the plan",
		`action="/jobs/019c0a06-1f54-7b60-a7c1-53b3d0d8c5e2/apply"`, "queue-worker job apply 019c0a06")
}

func TestADropOfManyAsksForTheCount(t *testing.T) {
	t.Parallel()
	for count, want := range map[int]bool{1000: false, 1001: true} {
		p := jobOf("f", wire.JobPlanned)
		p.Job.Act, p.Job.Plan.Count = wire.ActDrop, count
		page, err := p.Page()
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(page, []byte(`name="count" required`)); got != want {
			t.Errorf("%d: got a field for the count %v, want %v", count, got, want)
		}
	}
}

func TestAJobShowsProgressAndWhatFailedAgain(t *testing.T) {
	t.Parallel()
	page, err := jobOf("mail-send", wire.JobStopped).Page()
	if err != nil {
		t.Fatal(err)
	}
	has(t, page, "Failed again", `href="/dead?function=mail-send&amp;since=2026-11-30T02%3A47%3A31Z"`, "Resume the job", "20 of 298")
}

func TestWithoutLeaveNoPageHasAForm(t *testing.T) {
	t.Parallel()
	d, f, l, j := deadSetOf("f"), functionOf("f"), letterOf("f"), jobOf("f", wire.JobPlanned)
	d.Viewer, f.Viewer, l.Viewer, j.Viewer = Viewer{}, Viewer{}, Viewer{}, Viewer{}
	for name, render := range map[string]func() ([]byte, error){"dead": d.Page, "function": f.Page, "invocation": l.Page, "job": j.Page} {
		page, err := render()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(page, []byte(`method="post"`)) {
			t.Errorf("%s: got a form that changes something, want none", name)
		}
		has(t, page, "Read-only: use the command line to change anything")
	}
}

func TestOnlyKnownWordsOfTheAddressAreShown(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]bool{DidReplay: true, "you have won": false} {
		f := functionOf("f")
		f.Did = word
		page, err := f.Page()
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(page, []byte(`role="status"`)); got != want {
			t.Errorf("%q: got a line that says what was done %v, want %v", word, got, want)
		}
	}
}
