package admin_test

// The operations of pages: what they do, and where they lead.

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/console"
	"queue-worker/pkg/store"
)

// form sends a form as the browser does, and returns where it leads.
func (r *rig) form(t *testing.T, path string, fields url.Values) apitest.Answer {
	t.Helper()
	return r.Ask(t, http.MethodPost, path, func(q *http.Request) {
		q.Body, q.ContentLength = io.NopCloser(strings.NewReader(fields.Encode())), int64(len(fields.Encode()))
		q.Header.Set("Accept-Encoding", "identity")
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.Header.Set("Accept", "text/html")
		q.Header.Set("Sec-Fetch-Site", "same-origin")
	})
}

// leads holds that an operation was carried out, and returns the address of the next page.
func leads(t *testing.T, a apitest.Answer, prefix string) string {
	t.Helper()
	to := a.Header.Get("Location")
	if a.Status != http.StatusSeeOther || !strings.HasPrefix(to, prefix) {
		t.Fatalf("got %d to %q, %s, want 303 to %s", a.Status, to, a.Body, prefix)
	}
	return to
}

func TestAFunctionIsPausedAndResumedByForm(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Put(t, apitest.PendingAt(0, "figlet"), apitest.Request(t, types.QueueRequest{Function: "figlet"}))
	const page = "/functions/figlet.openfaas-fn"
	shows(t, r.form(t, page+"/pause", url.Values{"for": {"1h"}}), http.StatusBadRequest, "the reason is missing")
	to := leads(t, r.form(t, page+"/pause", url.Values{"for": {"1h"}, "reason": {"<b>away</b>"}, "queue": {"faas-request"}}), page+"?queue=faas-request&did=pause")
	shows(t, r.page(t, to), http.StatusOK, "The function was paused.", "&lt;b&gt;away&lt;/b&gt;", "loopback", "Resume")
	to = leads(t, r.form(t, page+"/resume", nil), page+"?did=resume")
	shows(t, r.page(t, to), http.StatusOK, "The function was resumed.", "Pause in all queues")
}

func TestADeadLetterIsReplayedAndDroppedByForm(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, 2)
	first, second := "/invocations/"+apitest.IDOf(0).String(), "/invocations/"+apitest.IDOf(1).String()
	shows(t, r.page(t, leads(t, r.form(t, first+"/replay", nil), first+"?did=replay")), http.StatusOK, "The dead letter was replayed.", "Ready for call")
	shows(t, r.form(t, first+"/replay", nil), http.StatusConflict, "the invocation is not in the dead set")
	shows(t, r.page(t, second+"/drop"), http.StatusOK, "Drop this dead letter for good?", `action="`+second+`/drop"`)
	leads(t, r.form(t, second+"/drop", nil), "/dead?did=drop")
	if _, err := r.Store.Get(t.Context(), apitest.IDOf(1)); err == nil {
		t.Error("got the dead letter in the store, want it dropped")
	}
	shows(t, r.form(t, second+"/replay", url.Values{"x": {"1"}}), http.StatusBadRequest, "unknown parameter")
	shows(t, r.page(t, first+"/cancel"), http.StatusOK, "Cancel this invocation?")
	leads(t, r.form(t, first+"/cancel", nil), "/?did=cancel") // here its end is not remembered
}

func TestAPlanActsOnWhatWasSeen(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, 3)
	fields := url.Values{"act": {"replay"}, "function": {"figlet"}, "queue": {"faas-request"}, "reason": {"attempts_exhausted"}, "status": {"0"}, "header": {""}}
	to := leads(t, r.form(t, "/dead/plan", fields), "/jobs/")
	shows(t, r.page(t, to), http.StatusOK, "Replay 3 dead letters?", "Nothing has been changed yet", "figlet")
	path, _, _ := strings.Cut(to, "?")
	changed := leads(t, r.form(t, path+"/plan", url.Values{"rate": {"5"}, "share": {"30"}}), "/jobs/")
	shows(t, r.page(t, changed), http.StatusOK, "Replay 3 dead letters?", "5 a second", `value="30"`)
	shows(t, r.form(t, path+"/apply", nil), http.StatusConflict, "the job has finished")
	changed, _, _ = strings.Cut(changed, "?")
	shows(t, r.form(t, changed+"/plan", url.Values{"rate": {"x"}}), http.StatusBadRequest, "rate is not a number")
	shows(t, r.page(t, leads(t, r.form(t, changed+"/apply", nil), changed+"?did=apply")), http.StatusOK, "The job was applied.", "Progress")
	shows(t, r.page(t, "/jobs"), http.StatusOK, "Replay 3 dead letters")
	shows(t, r.form(t, "/dead/plan", url.Values{"act": {"explode"}}), http.StatusBadRequest, "act is not one")
}

func TestADropOfManyNeedsItsCountTyped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, console.MostUntyped+1)
	to := leads(t, r.form(t, "/dead/plan", url.Values{"act": {"drop"}}), "/jobs/")
	path, _, _ := strings.Cut(to, "?")
	shows(t, r.page(t, to), http.StatusOK, "Drop 1,001 dead letters?", "Type 1001 to confirm")
	for _, typed := range []string{"", "1000", "1,001"} {
		shows(t, r.form(t, path+"/apply", url.Values{"count": {typed}}), http.StatusBadRequest, "the count was not typed")
	}
	leads(t, r.form(t, path+"/apply", url.Values{"count": {"1001"}}), path)
}

func TestPendingInvocationsArePurgedByPlan(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n := range 2 {
		r.Put(t, apitest.DelayedAt(n, "figlet"), apitest.Request(t, types.QueueRequest{Function: "figlet"}))
	}
	to := leads(t, r.form(t, "/functions/figlet/purge", url.Values{"queue": {"faas-request"}}), "/jobs/")
	shows(t, r.page(t, to), http.StatusOK, "Purge 2 invocations?", "Purge 2 invocations for good")
	list, _, err := r.Store.Pending(t.Context(), store.PendingFilter{}, "", 10)
	if got := fmt.Sprint(len(list), err); got != "2 <nil>" {
		t.Errorf("got %s pending before the plan is applied, want 2", got)
	}
}
