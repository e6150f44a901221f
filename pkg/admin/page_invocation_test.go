package admin_test

// The pages of functions and invocations, and requests.

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/wire"
)

func TestAnInvocationPageShowsRequestCallsAndBodyOnDemand(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	inv := apitest.DeadAt(0)
	inv.Detail = "<b>bold</b>"
	inv.Record(invocation.Attempt{At: inv.Accepted, Status: 500})
	r.Put(t, inv, apitest.Request(t, types.QueueRequest{
		Function: "figlet", Header: http.Header{"X-Note": {"<script>alert(1)</script>"}, "Authorization": {"Bearer SECRET"}}, Body: []byte(`{"b":"BODY"}`),
	}))
	path := "/invocations/" + inv.ID.String()
	a := r.page(t, path)
	shows(t, a, http.StatusOK, "Dead after 1 call", "500", "&lt;script&gt;alert(1)&lt;/script&gt;", "&lt;b&gt;bold&lt;/b&gt;", "Authorization", "Show the body", "max_retry_attempts")
	for _, secret := range []string{"SECRET", "BODY", "<script", "<b>", "Last answer"} {
		if strings.Contains(a.Body, secret) {
			t.Errorf("got %q on the page, want it hidden, escaped or absent", secret)
		}
	}
	shows(t, r.page(t, path+"?body=1"), http.StatusOK, "&#34;b&#34;: &#34;BODY&#34;", "Hide the body")
	shows(t, r.page(t, "/invocations/"+apitest.IDOf(1).String()), http.StatusNotFound, "no invocation has this id")
}

func TestFindLeadsToAnInvocationOrAList(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n := range 2 {
		inv := apitest.PendingAt(n, "figlet")
		inv.CallID = "order/1 ?"
		r.Put(t, inv, apitest.Request(t, types.QueueRequest{Function: "figlet"}))
	}
	a := r.page(t, "/find?id=+order%2F1+%3F+")
	if got, want := a.Header.Get("Location"), "/invocations/order%2F1%20%3F"; a.Status != http.StatusSeeOther || got != want {
		t.Fatalf("got %d to %q, want 303 to %q", a.Status, got, want)
	}
	shows(t, r.page(t, a.Header.Get("Location")), http.StatusOK, "2 invocations of one call id", apitest.IDOf(0).String(), apitest.IDOf(1).String())
	shows(t, r.page(t, "/find?id="), http.StatusBadRequest, "neither an invocation id nor a call id")
	if got, want := r.page(t, "/dead/"+apitest.IDOf(0).String()).Header.Get("Location"), "/invocations/"+apitest.IDOf(0).String(); got != want {
		t.Errorf("got the old address of a dead letter leading to %q, want %q", got, want)
	}
	shows(t, r.page(t, "/invocations?function=figlet&state=ready&queue="), http.StatusOK, apitest.IDOf(0).String())
	shows(t, r.page(t, "/invocations?state=gone"), http.StatusBadRequest, "state is none of those that are pending")
}

func TestACallbackAndItsOriginAreLinked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	origin, callback := apitest.DeadAt(0), apitest.PendingAt(1, "figlet")
	callback.Kind, callback.URL, callback.Origin, callback.CallID = invocation.KindCallback, "http://h.example/secret?token=x", origin.ID, origin.CallID
	for _, inv := range []*invocation.Invocation{origin, callback} {
		r.Put(t, inv, apitest.Request(t, types.QueueRequest{Function: "figlet"}))
	}
	a := r.page(t, "/invocations/"+origin.ID.String())
	shows(t, a, http.StatusOK, `href="/invocations/`+callback.ID.String()+`">http://h.example:80, ready`)
	if strings.Contains(a.Body, "token") {
		t.Error("got the query of the callback's URL, want it hidden")
	}
	shows(t, r.page(t, "/invocations/"+callback.ID.String()), http.StatusOK, `href="/invocations/`+origin.ID.String()+`"`)
}

func TestARequestIsShownRedactedAndWholeOnDemand(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	inv := apitest.PendingAt(0, "figlet")
	body := strings.Repeat("x", 5000)
	r.Put(t, inv, apitest.Request(t, types.QueueRequest{
		Function: "figlet", Path: "/a", QueryString: "token=SECRET", Header: http.Header{"Cookie": {"SECRET"}, "X-A": {"b"}}, Body: []byte(body),
	}))
	for query, want := range map[string]int{"": 4096, "?body=true": 5000} {
		var got wire.Request
		r.Get(t, "/v1/invocations/"+inv.ID.String()+"/request"+query, &got)
		if len(got.Message) != want || got.MessageSize != 5000 || got.MessageCut != (want < 5000) {
			t.Errorf("%q: got %d bytes of %d, cut %v, want %d of 5000", query, len(got.Message), got.MessageSize, got.MessageCut, want)
		}
		if got.Headers.Get("Cookie") != "[hidden]" || got.Query != "[hidden]" || got.Path != "/a" {
			t.Errorf("%q: got %+v, want path, and secrets hidden", query, got.Headers)
		}
	}
	r.Settle(t, inv, invocation.OutcomeDone, nil)
	if a := r.Ask(t, http.MethodGet, "/v1/invocations/"+inv.ID.String()+"/request"); a.Status != http.StatusNotFound {
		t.Errorf("got %d after its end, want 404", a.Status)
	}
}

func TestAFunctionPageShowsWhatIsInFlight(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	inv := apitest.PendingAt(0, "figlet")
	r.Put(t, inv, apitest.Request(t, types.QueueRequest{Function: "figlet"}))
	r.Put(t, apitest.DelayedAt(1, "figlet"), apitest.Request(t, types.QueueRequest{Function: "figlet"}))
	r.Calls.Start(inv.ID)
	shows(t, r.page(t, "/functions/figlet"), http.StatusOK, "figlet.openfaas-fn", inv.ID.String(), "Policy in force", "Delayed")
	shows(t, r.page(t, "/functions/figlet?queue=faas-request"), http.StatusOK, inv.ID.String())
	shows(t, r.page(t, "/functions/figlet?queue=gone"), http.StatusNotFound, "no such queue")
	shows(t, r.page(t, "/functions/"+url.PathEscape("a b")), http.StatusBadRequest, "not a function")
}
