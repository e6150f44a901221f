package e2e

// Bytes that are not UTF-8, on every way that goes past the gateway.

import (
	"net/http"
	"strings"
	"testing"
)

func TestBytesThatAreNotUTF8ArriveAsTheyCame(t *testing.T) {
	t.Parallel()
	const name = "J\xf6rg \x80\xff"
	s, target := newStand(t, "result_ttl=1h", "retry_http_codes=503"), newStub(t)
	s.gateway.tell(always(answer{Status: http.StatusOK, Header: http.Header{"X-Answer": {name}, "Content-Language": {name}}, Body: "hi"}))
	w := s.worker()
	m := w.submit(t, "/async-function/good?q=J\xf6rg", "hi", "X-Name", name, "X-Callback-Url", target.url())
	w.posted(t, m, "done")
	wantBytes(t, s.gateway.calls()[0], "X-Name", name, "q=J\xf6rg")
	wantBytes(t, target.all()[0], "X-Answer", name, "")
	res, _ := w.result(t, id(m))
	if got := res.Header.Get("Content-Language"); got != name {
		t.Errorf("the result has %q, want %q", got, name)
	}

	s.gateway.tell(always(status(400)))
	w.next(t, w.submit(t, "/async-function/bad?q=J\xf6rg", "hi", "X-Name", name), "dead")
	lines := w.export(t, "")
	other := newStand(t)
	to := other.worker()
	if got := to.load(t, lines); got.Imported != 1 {
		t.Fatalf("the import is answered %+v, want imported 1", got)
	}
	to.deadSet(t).only(t).replay(t, to)
	wantBytes(t, other.gateway.await(t, 1)[0], "X-Name", name, "q=J\xf6rg")
}

// wantBytes checks a header field and the query of a request.
func wantBytes(t *testing.T, a asked, field, value, query string) {
	t.Helper()
	if got := a.Header.Get(field); got != value {
		t.Errorf("%s: got %q, want %q", field, got, value)
	}
	if _, got, _ := strings.Cut(a.URI, "?"); got != query {
		t.Errorf("query: got %q, want %q", got, query)
	}
}
