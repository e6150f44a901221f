// File jobs_refused_test.go has the plans and steps that are refused.

package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/jobs"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

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
