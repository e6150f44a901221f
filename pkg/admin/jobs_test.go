package admin_test

// Plans and jobs.

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// with gives a request a body.
func withBody(body string) func(*http.Request) {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Type", "application/json")
	}
}

func (r *rig) plan(t testing.TB, body string) wire.Job {
	t.Helper()
	return r.Ask(t, http.MethodPost, "/v1/dead_set/plan", withBody(body)).Job(t, http.StatusCreated)
}

// steered is a job after a step.
func (r *rig) steered(t testing.TB, v wire.Job, step string, status int) wire.Job {
	t.Helper()
	return r.Ask(t, http.MethodPost, "/v1/jobs/"+v.ID+"/"+step).Job(t, status)
}

// awaitJob waits until a job is in a state.
func (r *rig) awaitJob(t testing.TB, v wire.Job, state string) wire.Job {
	t.Helper()
	for late := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		v = r.Ask(t, http.MethodGet, "/v1/jobs/"+v.ID).Job(t, http.StatusOK)
		if v.State == state {
			return v
		}
		if time.Now().After(late) {
			t.Fatalf("the job stays %s (%s), want now not after %v", v.State, v.StateReason, late)
		}
	}
}

// changing is what of a job differs from run to run.
var changing = regexp.MustCompile(`"[0-9a-f-]{36}"|"20[0-9]{2}-[0-9TZ:.-]+"`)

func TestAPlanSaysWhatItWouldDo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, 12)
	for i := range 3 {
		inv := apitest.DeadAt(20 + i)
		inv.Replays, inv.Reason = 3, invocation.Poison
		r.Put(t, inv, []byte("{}"))
	}
	got := r.Ask(t, http.MethodPost, "/v1/dead_set/plan", withBody(
		`{"act":"replay","filter":{"function":"figlet","since":"3650d"},"limit":14,"canary":true,"rate":5}`))
	v := got.Job(t, http.StatusCreated)
	apitest.Golden(t, "plan.json", changing.ReplaceAllString(got.Body, `"(changes)"`))
	if age := v.Expires.Sub(v.Created); age != time.Hour {
		t.Errorf("it expires after %s, want %v", age, time.Hour)
	}
	switch {
	case !v.Plan.Oldest.Equal(apitest.DeadAt(0).DiedAt):
		t.Errorf("the oldest died at %s, the newest at %s, want oldest %v", v.Plan.Oldest, v.Plan.Newest, apitest.DeadAt(0).DiedAt)
	case !v.Plan.Newest.Equal(apitest.DeadAt(21).DiedAt):
		t.Errorf("the oldest died at %s, the newest at %s, want newest %v", v.Plan.Oldest, v.Plan.Newest, apitest.DeadAt(21).DiedAt)
	}
	if st := r.Store.Stats(); st.Dead != 15 {
		t.Errorf("the store counts %+v, want dead 15", st)
	}
}

func TestAJobIsPlannedAppliedAndDone(t *testing.T) {
	t.Parallel()
	r := newRig(t, apitest.WithBasicAuth(t))
	operator := apitest.As(apitest.TestUser, apitest.TestPassword)
	r.Bury(t, 5)
	v := r.Ask(t, http.MethodPost, "/v1/dead_set/plan", withBody(`{"act":"drop","all":true}`), operator).Job(t, http.StatusCreated)
	switch {
	case v.State != "planned":
		t.Errorf(`the plan is %+v, want state "planned"`, v)
	case v.By != apitest.TestUser:
		t.Errorf("the plan is %+v, want by %v", v, apitest.TestUser)
	case v.Plan.Count != 5:
		t.Errorf("the plan is %+v, want count 5", v)
	case v.Rate != 0:
		t.Errorf("the plan is %+v, want rate 0", v)
	}
	path := "/v1/jobs/" + v.ID
	switch got := r.Ask(t, http.MethodPost, path+"/apply", operator).Job(t, http.StatusAccepted); {
	case got.Applied.IsZero():
		t.Errorf("applied it is %+v, want Applied not zero", got)
	case !got.Expires.IsZero():
		t.Errorf("applied it is %+v, want Expires zero", got)
	}
	for v.State != "done" {
		v = r.Ask(t, http.MethodGet, path, operator).Job(t, http.StatusOK)
	}
	switch {
	case v.Done != 5:
		t.Errorf("done it is %+v, want done 5", v)
	case v.Skipped != 0:
		t.Errorf("done it is %+v, want skipped 0", v)
	case v.Finished.IsZero():
		t.Errorf("done it is %+v, want Finished not zero", v)
	case r.Store.Stats().Dead != 0:
		t.Errorf("done it is %+v, want dead 0", v)
	}
	got := r.Ask(t, http.MethodPost, path+"/apply", operator)
	switch {
	case got.Status != http.StatusConflict:
		t.Errorf("applied twice it answers %d %s, want status %d", got.Status, got.Body, http.StatusConflict)
	case got.ReasonOf(t) != wire.NotPlanned:
		t.Errorf("applied twice it answers %d %s, want reason %v", got.Status, got.Body, wire.NotPlanned)
	}
	want := "act=apply job=" + v.ID + " what=drop"
	switch log := r.Logs.String(); {
	case strings.Count(log, want) != 1:
		t.Errorf("the log is\n%s, want 1 of %q", log, want)
	case !strings.Contains(log, "by=admin"):
		t.Errorf("the log is\n%s, want \"by=admin\" in it", log)
	case !strings.Contains(log, "job planned"):
		t.Errorf("the log is\n%s, want \"job planned\" in it", log)
	}
}

func TestAJobIsPausedResumedAndCancelled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, 5)
	for range 2 { // the lane is full after two: the rig calls nothing
		v := r.plan(t, `{"act":"replay","all":true,"rate":1}`)
		for _, step := range []string{"pause", "resume"} {
			switch got := r.Ask(t, http.MethodPost, "/v1/jobs/"+v.ID+"/"+step); {
			case got.Status != http.StatusConflict:
				t.Errorf("%s of a plan answers %d %s, want status %d", step, got.Status, got.Body, http.StatusConflict)
			case got.ReasonOf(t) != wire.NotApplied:
				t.Errorf("%s of a plan answers %d %s, want reason %v", step, got.Status, got.Body, wire.NotApplied)
			}
		}
		r.steered(t, v, "apply", http.StatusAccepted)
		if v = r.steered(t, v, "pause", http.StatusOK); v.State != "paused" {
			t.Errorf(`paused it is %s, want "paused"`, v.State)
		}
		if v = r.steered(t, v, "resume", http.StatusOK); v.State != "running" && v.State != "waiting" {
			t.Errorf(`resumed it is %s, want "running" or "waiting"`, v.State)
		}
		switch v = r.steered(t, v, "cancel", http.StatusOK); {
		case v.State != "cancelled":
			t.Errorf(`cancelled it is %+v, want state "cancelled"`, v)
		case v.Finished.IsZero():
			t.Errorf("cancelled it is %+v, want Finished not zero", v)
		}
		switch got := r.Ask(t, http.MethodPost, "/v1/jobs/"+v.ID+"/resume"); {
		case got.Status != http.StatusConflict:
			t.Errorf("resume after that answers %d %s, want status %d", got.Status, got.Body, http.StatusConflict)
		case got.ReasonOf(t) != wire.IsOver:
			t.Errorf("resume after that answers %d %s, want reason %v", got.Status, got.Body, wire.IsOver)
		}
	}
}

func TestAPurgeIsPlannedForOneFunction(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 3 {
		inv := apitest.DeadAt(i)
		inv.State, inv.Reason, inv.DiedAt = invocation.Pending, "", time.Time{}
		if i == 2 {
			inv.Since = time.Now().Add(time.Hour)
		}
		r.Put(t, inv, []byte("{}"))
	}
	got := r.Ask(t, http.MethodPost, "/v1/functions/figlet/purge", withBody(`{"state":"delayed","queue":"faas-request"}`))
	apitest.Golden(t, "purge.json", changing.ReplaceAllString(got.Body, `"(changes)"`))
	v := got.Job(t, http.StatusCreated)
	r.steered(t, v, "apply", http.StatusAccepted)
	if v = r.awaitJob(t, v, "done"); v.Done != 1 {
		t.Errorf("the job is %+v, want done 1", v)
	}
	switch st := r.Store.Stats(); {
	case st.Ready != 2:
		t.Errorf("the store counts %+v, want ready 2", st)
	case st.Delayed != 0:
		t.Errorf("the store counts %+v, want delayed 0", st)
	case st.Dropped != 1:
		t.Errorf("the store counts %+v, want dropped 1", st)
	}
}

func TestJobsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, 1)
	var ids []string
	for range 5 {
		ids = append(ids, r.plan(t, `{"act":"drop","filter":{"header":"Authorization: Bearer tomato"}}`).ID)
	}
	var list wire.JobList
	r.Get(t, "/v1/jobs", &list)
	switch {
	case len(list.Jobs) != 5:
		t.Errorf("the list is %+v, want 5 jobs", list)
	case list.Next != "":
		t.Errorf("the list is %+v, want next empty", list)
	case list.Jobs[0].ID != ids[4]:
		t.Errorf("the list is %+v, want ID %v", list, ids[4])
	}
	var seen []string
	for path := "/v1/jobs?limit=2"; path != ""; {
		var page wire.JobList
		r.Get(t, path, &page)
		for _, v := range page.Jobs {
			seen = append([]string{v.ID}, seen...)
		}
		path = ""
		if page.Next != "" {
			path = "/v1/jobs?limit=2&cursor=" + page.Next
		}
	}
	if fmt.Sprint(seen) != fmt.Sprint(ids) {
		t.Errorf("page by page they are %v, want %v", seen, ids)
	}
	switch got := r.Ask(t, http.MethodGet, "/v1/jobs"); {
	case strings.Contains(got.Body, "tomato"):
		t.Errorf(`a secret of a filter is shown: %s, want no "tomato" in it`, got.Body)
	case !strings.Contains(got.Body, "Authorization: "+admin.Hidden):
		t.Errorf("a secret of a filter is shown: %s, want %q in it", got.Body, "Authorization: "+admin.Hidden)
	}
}

// A filter keeps its meaning: an age is one of the moment of planning, and what a
// job keeps can be read again.
func TestAFilterOfAJobIsWrittenWithTimes(t *testing.T) {
	t.Parallel()
	now := apitest.Begin
	f := wire.Filter{Function: "figlet.openfaas-fn", Reasons: wire.Texts{"poison", "malformed"}, Statuses: wire.Texts{"5xx,404"}, Since: "2h", Until: "2026-03-04T05:00:00+01:00", Headers: wire.Texts{"X-A: b"}}
	names := invocation.Names{DefaultNamespace: "openfaas-fn"}
	b, err := admin.WrittenFilter(f, names, now)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"function":"figlet.openfaas-fn","reason":["poison","malformed"],"status":["5xx,404"],"since":"2026-03-04T03:06:07.123456789Z","until":"2026-03-04T04:00:00Z","header":["X-A: b"]}`
	if string(b) != want {
		t.Errorf("it is written as\n%s, want\n%s", b, want)
	}
	back, err := admin.FilterReader(names)(b)
	switch {
	case err != nil:
		t.Errorf("read again it is %+v, %v, want no error", back, err)
	case back.Function != "figlet":
		t.Errorf(`read again it is %+v, %v, want function "figlet"`, back, err)
	case !back.Since.Equal(now.Add(-2 * time.Hour)):
		t.Errorf("read again it is %+v, %v, want since %v", back, err, now.Add(-2*time.Hour))
	case len(back.Statuses) != 101:
		t.Errorf("read again it is %+v, %v, want 101 statuses", back, err)
	case back.Match == nil:
		t.Errorf("read again it is %+v, %v, want match set", back, err)
	}
	switch all, err := admin.FilterReader(names)([]byte("{}")); {
	case err != nil:
		t.Errorf("no filter is read as %+v, %v, want no error", all, err)
	case all.Match != nil:
		t.Errorf("no filter is read as %+v, %v, want match nil", all, err)
	case !all.Since.IsZero():
		t.Errorf("no filter is read as %+v, %v, want Since zero", all, err)
	case fmt.Sprint(all) != fmt.Sprint(store.Filter{}):
		t.Errorf("no filter is read as %+v, %v, want fmt.Sprint(all) %v", all, err, fmt.Sprint(store.Filter{}))
	}
}
