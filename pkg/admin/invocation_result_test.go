package admin_test

// Which parts of a function's answer its result has.

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

func TestAResultHasOnlyTheFieldsThatDescribeItsBody(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	w.Header().Set("Server", "queue-worker/1.2.3")
	admin.WriteResult(w, &store.Result{Outcome: invocation.OutcomeDone, Status: 201, Body: []byte("<script>"), Truncated: true, Header: http.Header{
		"Content-Type": {"text/html"}, "content-encoding": {"gzip"}, "Content-Language": {"de"}, "Content-Disposition": {"attachment"}, "Etag": {`"x"`},
		"Last-Modified": {"then"}, "Location": {"/x"}, "Content-Location": {"/x"}, "Link": {"</x>; rel=preload"}, "Refresh": {"0; url=/x"},
		"Report-To": {"{}"}, "Reporting-Endpoints": {"a=/x"}, "Nel": {"{}"}, "Cross-Origin-Resource-Policy": {"cross-origin"},
		"Cross-Origin-Opener-Policy": {"unsafe-none"}, "Timing-Allow-Origin": {"*"}, "X-Accel-Redirect": {"/x"}, "X-Sendfile": {"/x"},
		"Retry-After": {"9"}, "X-Two": {"a", "b"}, "Vary": {"*"}, "Expires": {"never"}, "Sourcemap": {"/x"}, "Set-Login": {"logged-in"},
		"Connection": {"close"}, "Keep-Alive": {"1"}, "Transfer-Encoding": {"chunked"}, "Upgrade": {"x"}, "Te": {"x"}, "Trailer": {"X-Two"},
		"Content-Length": {"999"}, "Proxy-Authenticate": {"Basic"}, "Www-Authenticate": {"Basic"}, "Set-Cookie": {"a=b"},
		"Access-Control-Allow-Origin": {"*"}, "Clear-Site-Data": {"*"}, "Strict-Transport-Security": {"max-age=1"}, "Alt-Svc": {"h3"},
		"Content-Security-Policy": {"default-src *"}, "X-Content-Type-Options": {"no"}, "Cache-Control": {"public"}, "Server": {"nginx"},
		"X-Queue-Worker-Outcome": {"dead"}, "X-Queue-Worker-Status": {"1"}, "X-Queue-Worker-Truncated": {"false"}, "Date": {"never"},
	}})
	want := http.Header{
		"Content-Type": {"text/html"}, "Content-Encoding": {"gzip"}, "Content-Language": {"de"}, "Content-Disposition": {"attachment"},
		"Etag": {`"x"`}, "Last-Modified": {"then"},
		"Content-Length": {"8"}, "Content-Security-Policy": {"default-src 'none'; frame-ancestors 'none'; sandbox"}, "Server": {"queue-worker/1.2.3"},
		"X-Queue-Worker-Outcome": {"done"}, "X-Queue-Worker-Status": {"201"}, "X-Queue-Worker-Truncated": {"true"},
	}
	if d := cmp.Diff(want, w.Header()); d != "" || w.Code != 201 || w.Body.String() != "<script>" {
		t.Errorf("it answers %d %q (-want +got):\n%s", w.Code, w.Body, d)
	}
}

func TestAResultOfAnyStatusIsAnswered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, tt := range []struct {
		given, status int
		body          string
	}{{200, 200, "x"}, {101, 200, "x"}, {199, 200, "x"}, {204, 204, ""}, {304, 304, ""}, {404, 404, "x"}, {599, 599, "x"}, {999, 999, "x"}, {1000, 200, "x"}} {
		inv := apitest.PendingAt(tt.given, "figlet")
		r.Put(t, inv, nil)
		r.Settle(t, inv, invocation.OutcomeDone, &store.Result{
			Inv: inv, Outcome: invocation.OutcomeDone, Status: tt.given, Body: []byte("x"), At: apitest.Begin, Expires: apitest.Begin.AddDate(100, 0, 0),
		})
		got := r.Ask(t, http.MethodGet, "/v1/invocations/"+apitest.IDOf(tt.given).String()+"/result")
		switch {
		case got.Status != tt.status:
			t.Errorf("%d is answered %d %v %q, want status %v", tt.given, got.Status, got.Header, got.Body, tt.status)
		case got.Body != tt.body:
			t.Errorf("%d is answered %d %v %q, want body %v", tt.given, got.Status, got.Header, got.Body, tt.body)
		case got.Header.Get("Content-Type") != "":
			t.Errorf("%d is answered %d %v %q, want Content-Type empty", tt.given, got.Status, got.Header, got.Body)
		}
	}
}
