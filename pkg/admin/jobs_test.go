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
	"queue-worker/pkg/jobs"
	"queue-worker/pkg/respond"
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
			t.Errorf("resumed it is %s", v.State)
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

func TestBadPlansAndStepsAreRefusedAndDoNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, 3)
	planned := r.plan(t, `{"act":"replay","all":true}`).ID
	unknown := apitest.IDOf(9).String()
	const plan, job = "POST /v1/dead_set/plan", "/v1/jobs/"
	for _, tt := range []struct {
		name, line, body string
		status           int
		want             wire.Reason
	}{
		{"no body", plan, "", 400, wire.BadRequest},
		{"not JSON", plan, "{", 400, wire.BadRequest},
		{"a list", plan, `[{"act":"drop","all":true}]`, 400, wire.BadRequest},
		{"null", plan, "null", 400, wire.BadRequest},
		{"two objects", plan, `{"act":"drop","all":true}{"act":"drop","all":true}`, 400, wire.BadRequest},
		{"no act", plan, `{"all":true}`, 400, wire.BadRequest},
		{"an unknown act", plan, `{"act":"burn","all":true}`, 400, wire.BadRequest},
		{"a purge", plan, `{"act":"purge","all":true}`, 400, wire.BadRequest},
		{"an act that is a number", plan, `{"act":1,"all":true}`, 400, wire.BadRequest},
		{"everything by omission", plan, `{"act":"drop"}`, 400, wire.BadRequest},
		{"everything by an empty filter", plan, `{"act":"drop","filter":{}}`, 400, wire.BadRequest},
		{"everything by a filter of null", plan, `{"act":"drop","filter":null}`, 400, wire.BadRequest},
		{"everything by an empty function", plan, `{"act":"drop","filter":{"function":""}}`, 400, wire.BadRequest},
		{"everything by a function of null", plan, `{"act":"drop","filter":{"function":null}}`, 400, wire.BadRequest},
		{"everything by an empty list", plan, `{"act":"drop","filter":{"reason":[]}}`, 400, wire.BadRequest},
		{"not everything", plan, `{"act":"drop","all":false}`, 400, wire.BadRequest},
		{"everything and a filter", plan, `{"act":"drop","all":true,"filter":{"function":"figlet"}}`, 400, wire.BadRequest},
		{"everything as a string", plan, `{"act":"drop","all":"true"}`, 400, wire.BadRequest},
		{"a filter with a typing error", plan, `{"act":"drop","filter":{"fuction":"figlet"}}`, 400, wire.BadRequest},
		{"a key with a typing error", plan, `{"act":"drop","all":true,"limti":1}`, 400, wire.BadRequest},
		{"a key in another case", plan, `{"act":"drop","All":true}`, 400, wire.BadRequest},
		{"a key that comes twice", plan, `{"act":"drop","all":false,"all":true}`, 400, wire.BadRequest},
		{"an unknown reason", plan, `{"act":"drop","filter":{"reason":"bored"}}`, 400, wire.BadRequest},
		{"a status that is none", plan, `{"act":"drop","filter":{"status":"9xx9"}}`, 400, wire.BadRequest},
		{"a function that is none", plan, `{"act":"drop","filter":{"function":"a/b?c"}}`, 400, wire.BadRequest},
		{"since after until", plan, `{"act":"drop","filter":{"since":"1h","until":"2h"}}`, 400, wire.BadRequest},
		{"a time that is none", plan, `{"act":"drop","filter":{"since":"yesterday"}}`, 400, wire.BadRequest},
		{"a filter that is too long", plan, `{"act":"drop","filter":{"reason":["` + strings.Repeat(`poison","`, 3000) + `poison"]}}`, 400, wire.BadRequest},
		{"a body that is too long", plan, `{"act":"drop","filter":{"function":"` + strings.Repeat("x", admin.MaxBody) + `"}}`, 413, wire.TooLarge},
		{"limit 0", plan, `{"act":"drop","all":true,"limit":0}`, 400, wire.BadRequest},
		{"a negative limit", plan, `{"act":"drop","all":true,"limit":-1}`, 400, wire.BadRequest},
		{"half a letter", plan, `{"act":"drop","all":true,"limit":1.5}`, 400, wire.BadRequest},
		{"a limit as a string", plan, `{"act":"drop","all":true,"limit":"10"}`, 400, wire.BadRequest},
		{"a limit beyond all", plan, `{"act":"drop","all":true,"limit":2147483649}`, 400, wire.BadRequest},
		{"a limit beyond numbers", plan, `{"act":"drop","all":true,"limit":1e300}`, 400, wire.BadRequest},
		{"rate 0", plan, `{"act":"replay","all":true,"rate":0}`, 400, wire.BadRequest},
		{"a rate too high", plan, `{"act":"replay","all":true,"rate":10001}`, 400, wire.BadRequest},
		{"a negative rate", plan, `{"act":"replay","all":true,"rate":-5}`, 400, wire.BadRequest},
		{"a share above one", plan, `{"act":"replay","all":true,"canary":true,"max_failed_share":1.1}`, 400, wire.BadRequest},
		{"a negative share", plan, `{"act":"replay","all":true,"canary":true,"max_failed_share":-0.1}`, 400, wire.BadRequest},
		{"a share that is no number", plan, `{"act":"replay","all":true,"max_failed_share":"0.2"}`, 400, wire.BadRequest},
		{"a canary as a number", plan, `{"act":"replay","all":true,"canary":1}`, 400, wire.BadRequest},
		{"a canary of a drop", plan, `{"act":"drop","all":true,"canary":true}`, 400, wire.BadRequest},
		{"force for a drop", plan, `{"act":"drop","all":true,"force":true}`, 400, wire.BadRequest},
		{"a query", plan + "?all=true", `{"act":"drop","all":true}`, 400, wire.BadRequest},
		{"a wrong method", "PUT /v1/dead_set/plan", `{"act":"drop","all":true}`, 405, wire.MethodNotAllowed},

		{"a purge without a body", "POST /v1/functions/figlet/purge", "", 400, wire.BadRequest},
		{"a purge without a state", "POST /v1/functions/figlet/purge", "{}", 400, wire.BadRequest},
		{"a purge of an unknown state", "POST /v1/functions/figlet/purge", `{"state":"dead"}`, 400, wire.BadRequest},
		{"a purge of an empty queue", "POST /v1/functions/figlet/purge", `{"state":"all","queue":""}`, 400, wire.BadRequest},
		{"a purge of what is no function", "POST /v1/functions/a%20b/purge", `{"state":"all"}`, 400, wire.BadRequest},
		{"a purge with an unknown key", "POST /v1/functions/figlet/purge", `{"state":"all","force":true}`, 400, wire.BadRequest},

		{"an id that is none", "GET " + job + "7", "", 400, wire.BadRequest},
		{"an unknown id", "GET " + job + unknown, "", 404, wire.NotFound},
		{"a query of a job", "GET " + job + planned + "?x=1", "", 400, wire.BadRequest},
		{"a bad limit", "GET /v1/jobs?limit=0", "", 400, wire.BadRequest},
		{"a huge limit", "GET /v1/jobs?limit=99999999999999999999", "", 400, wire.BadRequest},
		{"a bad cursor", "GET /v1/jobs?cursor=x", "", 400, wire.BadRequest},
		{"an unknown parameter", "GET /v1/jobs?state=done", "", 400, wire.BadRequest},
		{"apply of an id that is none", "POST " + job + "../apply", "", 404, wire.NotFound},
		{"apply of an unknown id", "POST " + job + unknown + "/apply", "", 404, wire.NotFound},
		{"pause of an unknown id", "POST " + job + unknown + "/pause", "", 404, wire.NotFound},
		{"resume of an unknown id", "POST " + job + unknown + "/resume", "", 404, wire.NotFound},
		{"cancel of an unknown id", "POST " + job + unknown + "/cancel", "", 404, wire.NotFound},
		{"apply by GET", "GET " + job + planned + "/apply", "", 405, wire.MethodNotAllowed},
		{"apply with a body", "POST " + job + planned + "/apply", `{"rate":1000}`, 400, wire.BadRequest},
		{"apply with a query", "POST " + job + planned + "/apply?force=true", "", 400, wire.BadRequest},
		{"an unknown step", "POST " + job + planned + "/start", "", 404, wire.NotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			method, path, _ := strings.Cut(tt.line, " ")
			got := r.Ask(t, method, path, withBody(tt.body))
			switch {
			case got.Status != tt.status:
				t.Errorf("it answers %d %s, want status %v", got.Status, got.Body, tt.status)
			case got.ReasonOf(t) != tt.want:
				t.Errorf("it answers %d %s, want reason %v", got.Status, got.Body, tt.want)
			}
		})
	}
	var list wire.JobList
	r.Get(t, "/v1/jobs", &list)
	switch {
	case len(list.Jobs) != 1:
		t.Errorf("the jobs are %+v, want 1 job", list.Jobs)
	case list.Jobs[0].State != "planned":
		t.Errorf(`the jobs are %+v, want state "planned"`, list.Jobs)
	}
	switch st := r.Store.Stats(); {
	case st.Dead != 3:
		t.Errorf("the store counts %+v, want dead 3", st)
	case st.Ready != 0:
		t.Errorf("the store counts %+v, want ready 0", st)
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

func TestWhatJobsRefuseHasItsAnswer(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]*respond.Problem{
		jobs.ErrNotFound: admin.ProblemNoJob, jobs.ErrApplied: admin.ProblemApplied, jobs.ErrExpired: admin.ProblemExpired, jobs.ErrOver: admin.ProblemOver,
		jobs.ErrNotApplied: admin.ProblemNotApplied, jobs.ErrTooMany: admin.ProblemTooMany, jobs.ErrBusy: admin.ProblemPlanning,
	} {
		switch got := admin.ProblemOfJob(fmt.Errorf("details: %w", err)); {
		case got != error(want):
			t.Errorf("%v is answered with %v, want %v", err, got, error(want))
		case want.Hint == "":
			t.Errorf("%v is answered with %v: got hint %v, want not empty", err, got, want.Hint)
		}
	}
	switch {
	case admin.ProblemExpired.Status != http.StatusConflict:
		t.Errorf("an expired plan is no conflict, or a busy server names no wait: got status %v, want %d", admin.ProblemExpired.Status, http.StatusConflict)
	case admin.ProblemPlanning.Wait == 0:
		t.Errorf("an expired plan is no conflict, or a busy server names no wait: got wait %v, want not 0", admin.ProblemPlanning.Wait)
	}
}
