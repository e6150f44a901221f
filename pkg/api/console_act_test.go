package api_test

// The operations of pages: who may carry them out.

import (
	"net/http"
	"strings"
	"testing"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/console"
)

// ownForm sends a form as a browser does from a page of the worker.
func ownForm(r *http.Request) {
	browser(r)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
}

// formLines are all forms, as request lines.
func formLines(t *testing.T, r *rig) (lines []string) {
	t.Helper()
	for _, o := range r.operations() {
		if isOfConsole(o.Path) && o.Method == http.MethodPost {
			lines = append(lines, requestLine(o))
		}
	}
	if len(lines) < 12 {
		t.Fatalf("got %d forms, want all", len(lines))
	}
	return lines
}

func TestOnlyOwnPagesMayCarryOutOperations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, line := range formLines(t, r) {
		_, path, _ := strings.Cut(line, " ")
		for name, c := range map[string]struct {
			header, value string
			want          bool
		}{
			"a page of ours":               {"Sec-Fetch-Site", "same-origin", true},
			"a page of ours, old browser":  {"Origin", r.Base, true},
			"neither header":               {"X-Any", "", false},
			"an address that was typed":    {"Sec-Fetch-Site", "none", false},
			"another site":                 {"Sec-Fetch-Site", "cross-site", false},
			"another site, an old browser": {"Origin", "http://evil.example", false},
			"an origin that is not shown":  {"Origin", "null", false},
			"another port of this machine": {"Origin", "http://127.0.0.1:1", false},
			"a sister site":                {"Sec-Fetch-Site", "same-site", false},
		} {
			a := r.Ask(t, http.MethodPost, path, browser, func(q *http.Request) { q.Header.Set(c.header, c.value) })
			if got := a.Status != http.StatusForbidden; got != c.want {
				t.Errorf("%s of %s: got %d, want to be let through %v", line, name, a.Status, c.want)
			}
		}
	}
}

func TestWithoutConsoleActionsNoFormExists(t *testing.T) {
	t.Parallel()
	all := formLines(t, newRig(t))
	r := newRig(t, func(o *apitest.Options) { o.API.ConsoleActions = false })
	r.Bury(t, 1)
	for _, line := range all {
		_, path, _ := strings.Cut(line, " ")
		if a := r.Ask(t, http.MethodPost, path, ownForm); a.Status != http.StatusNotFound && a.Status != http.StatusMethodNotAllowed {
			t.Errorf("%s: got %d, want 404 or 405", line, a.Status)
		}
	}
	a := r.Ask(t, http.MethodGet, "/invocations/"+apitest.IDOf(0).String(), browser, func(q *http.Request) { q.Header.Set("Accept-Encoding", "identity") })
	if strings.Contains(a.Body, `method="post"`) {
		t.Error("got a form on the page, want none")
	}
}

func TestAnyoneMayLookButNotAct(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *apitest.Options) { o.API.AdminOpen = true })
	r.Bury(t, 1)
	a := r.Ask(t, http.MethodPost, "/invocations/"+apitest.IDOf(0).String()+"/drop", ownForm)
	if a.Status != http.StatusForbidden {
		t.Errorf("got %d, want 403", a.Status)
	}
	page := r.Ask(t, http.MethodGet, "/invocations/"+apitest.IDOf(0).String(), func(q *http.Request) { q.Header.Set("Accept", "text/html") })
	if page.Status != http.StatusOK || strings.Contains(page.Body, `method="post"`) {
		t.Errorf("got %d with a form %v, want 200 without", page.Status, strings.Contains(page.Body, `method="post"`))
	}
}

func TestACallerWithCredentialsMayAct(t *testing.T) {
	t.Parallel()
	r := newRig(t, apitest.WithBasicAuth(t))
	r.Bury(t, 1)
	path := "/invocations/" + apitest.IDOf(0).String() + "/drop"
	if a := r.Ask(t, http.MethodPost, path, ownForm, apitest.As(apitest.TestUser, "wrong")); a.Status != http.StatusUnauthorized {
		t.Errorf("got %d with a wrong password, want 401", a.Status)
	}
	a := r.Ask(t, http.MethodPost, path, ownForm, apitest.As(apitest.TestUser, apitest.TestPassword))
	if got, want := a.Header.Get("Location"), console.Done(console.DeadPath, console.DidDrop); a.Status != http.StatusSeeOther || got != want {
		t.Errorf("got %d to %q, want 303 to %q", a.Status, got, want)
	}
	if a := r.Ask(t, http.MethodPost, path, ownForm, apitest.As(apitest.TestUser, apitest.TestPassword)); a.Status != http.StatusNotFound {
		t.Errorf("got %d the second time, want 404", a.Status)
	}
}

func TestFormsAreGuardedToo(t *testing.T) {
	t.Parallel()
	local, basic := newRig(t), newRig(t, apitest.WithBasicAuth(t))
	for _, o := range local.operations() {
		if !o.Acting {
			continue
		}
		_, path, _ := strings.Cut(requestLine(o), " ")
		proxied := local.Ask(t, o.Method, path, ownForm, func(q *http.Request) { q.Header.Set("Via", "1.1 proxy") })
		if proxied.Status != http.StatusForbidden {
			t.Errorf("%s %s through a proxy: got %d, want 403", o.Method, path, proxied.Status)
		}
		if a := basic.Ask(t, o.Method, path, ownForm); a.Status != http.StatusUnauthorized {
			t.Errorf("%s %s without credentials: got %d, want 401", o.Method, path, a.Status)
		}
	}
}
