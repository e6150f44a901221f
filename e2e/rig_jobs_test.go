package e2e

// Bulk acts: planned, applied, steered.

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

// job is a bulk act as the API shows it.
type job struct {
	ID       string    `json:"id"`
	Act      string    `json:"act"`
	State    string    `json:"state"`
	Why      string    `json:"state_reason"`
	By       string    `json:"by"`
	Applied  time.Time `json:"applied_at"`
	Finished time.Time `json:"finished_at"`
	Rate     int       `json:"rate"`
	Plan     struct {
		Count      int    `json:"count"`
		Bytes      int64  `json:"bytes"`
		NeedsForce int    `json:"needs_force"`
		Duration   string `json:"duration"`
		Groups     []struct {
			Function string `json:"function"`
			Queue    string `json:"queue"`
			Reason   string `json:"reason"`
			Count    int    `json:"count"`
		} `json:"groups"`
	} `json:"plan"`
	Done    int `json:"done"`
	Skipped int `json:"skipped"`
	jobOutcomes
}

// jobOutcomes are the counts of a replay; they are absent where they are not known.
type jobOutcomes struct {
	Replayed    int `json:"replayed"`
	Succeeded   int `json:"succeeded"`
	FailedAgain int `json:"failed_again"`
	Pending     int `json:"pending"`
}

// plan plans on the dead set, and must succeed.
func (w *worker) plan(t testing.TB, body string) job {
	t.Helper()
	return w.planAt(t, "/v1/dead_set/plan", body)
}

func (w *worker) planAt(t testing.TB, path, body string) (j job) {
	t.Helper()
	code, text := w.ask(t, http.MethodPost, path, sending("application/json", body))
	switch err := json.Unmarshal([]byte(text), &j); {
	case err != nil:
		t.Fatalf("the plan %s is answered %d %s: got %v, want no error", body, code, text, err)
	case code != http.StatusCreated:
		t.Fatalf("the plan %s is answered %d %s, want code %d", body, code, text, http.StatusCreated)
	}
	return j
}

// steer applies, pauses, resumes or cancels, and must succeed.
func (w *worker) steer(t testing.TB, j job, step string) job {
	t.Helper()
	code, text := w.ask(t, http.MethodPost, "/v1/jobs/"+j.ID+"/"+step)
	switch err := json.Unmarshal([]byte(text), &j); {
	case err != nil:
		t.Fatalf("%s is answered %d %s: got %v, want no error", step, code, text, err)
	case code != http.StatusOK && code != http.StatusAccepted:
		t.Fatalf("%s is answered %d %s, want code %d or %d", step, code, text, http.StatusOK, http.StatusAccepted)
	}
	return j
}

// begin plans and applies.
func (w *worker) begin(t testing.TB, body string) job {
	t.Helper()
	return w.steer(t, w.plan(t, body), "apply")
}

// job is a job as it is now.
func (w *worker) job(t testing.TB, j job) job {
	t.Helper()
	code, text := w.ask(t, http.MethodGet, "/v1/jobs/"+j.ID)
	j = job{}
	switch err := json.Unmarshal([]byte(text), &j); {
	case err != nil:
		t.Fatalf("the job is answered %d %s: got %v, want no error", code, text, err)
	case code != http.StatusOK:
		t.Fatalf("the job is answered %d %s, want code %d", code, text, http.StatusOK)
	}
	return j
}

// awaitJob waits until something is true of a job.
func (w *worker) awaitJob(t testing.TB, j job, what string, is func(job) bool) job {
	t.Helper()
	testkit.Eventually(t, "the job to be "+what, func() bool { j = w.job(t, j); return is(j) })
	return j
}

func (w *worker) awaitState(t testing.TB, j job, state string) job {
	t.Helper()
	return w.awaitJob(t, j, state, func(j job) bool { return j.State == state })
}

// wantJob waits for the end of a job and checks its counts.
func (w *worker) wantJob(t testing.TB, j job, done, skipped int) job {
	t.Helper()
	j = w.awaitState(t, j, "done")
	if j.Done != done || j.Skipped != skipped {
		t.Errorf("the job has done %d and skipped %d, want %d and %d: %+v", j.Done, j.Skipped, done, skipped, j)
	}
	return j
}

// fill imports n letters of the function fn1, oldest first.
func (w *worker) fill(t testing.TB, n int, edits ...func(*corpse)) []*corpse {
	t.Helper()
	all := make([]*corpse, n)
	for i := range all {
		all[i] = corpseAt(t, time.Now().UTC(), i, edits...)
	}
	if got := w.load(t, linesOf(t, all...)); got.Imported != n {
		t.Fatalf("%d of %d were imported: %+v, want %v", got.Imported, n, got, n)
	}
	return all
}

// kept are the letters of an export by call id.
func (w *worker) kept(t testing.TB) map[string]corpse {
	t.Helper()
	all := map[string]corpse{}
	for line := range strings.Lines(w.export(t, "")) {
		var c corpse
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("the export has %s: %v, want no error", line, err)
		}
		all[c.CallID] = c
	}
	return all
}

// byCall counts the calls of functions by call id.
func (s *stub) byCall() map[string]int {
	n := map[string]int{}
	for _, a := range s.calls() {
		n[a.callID()]++
	}
	return n
}
