package api_test

// The pages of the console: who gets them, and with which header.

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/console"
	"queue-worker/pkg/respond"
)

// isOfConsole reports whether a path is one of a page or of what a page loads.
func isOfConsole(path string) bool {
	first, _, _ := strings.Cut(path[1:], "/")
	return path == "/{$}" || slices.Contains(console.Sections, "/"+first) || strings.HasPrefix(path, console.AssetPrefix)
}

// browser asks as a browser does.
func browser(r *http.Request) {
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	r.Header.Set("Accept-Encoding", "gzip, br")
}

func TestAPageRunsNothingAndIsNeverCached(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, 1)
	for _, line := range []string{"GET /", "HEAD /", "GET /dead", "HEAD /dead", "GET /invocations", "GET /invocations/" + apitest.IDOf(0).String(), "GET /functions/figlet", "GET /jobs", "GET /invocations/" + apitest.IDOf(0).String() + "/drop"} {
		method, path, _ := strings.Cut(line, " ")
		a := r.Ask(t, method, path, browser)
		for name, want := range map[string]string{
			"Content-Type": admin.ContentHTML, "Content-Security-Policy": console.Policy, "Cache-Control": "no-store", "Referrer-Policy": "same-origin",
			"X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			"Content-Encoding": "gzip", "Vary": "Accept-Encoding",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s: got %s: %q, want %q", line, name, got, want)
			}
		}
		if a.Status != http.StatusOK {
			t.Errorf("%s: got %d, want 200", line, a.Status)
		}
	}
}

func TestAssetsAreKeptByBrowsers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, asset := range console.Assets() {
		a := r.Ask(t, http.MethodGet, asset.Path, func(q *http.Request) { q.Header.Set("Accept-Encoding", "gzip;q=0") })
		if a.Status != http.StatusOK || a.Body != string(asset.Content) {
			t.Errorf("%s: got %d and %d bytes, want 200 and %d", asset.Path, a.Status, len(a.Body), len(asset.Content))
		}
		if got, want := a.Header.Get("Cache-Control"), "public, max-age=31536000, immutable"; got != want {
			t.Errorf("%s: got Cache-Control %q, want %q", asset.Path, got, want)
		}
		packed := r.Ask(t, http.MethodGet, asset.Path, browser)
		if packed.Header.Get("Content-Encoding") != "gzip" || len(packed.Body) >= len(asset.Content) && len(asset.Content) > 1<<10 {
			t.Errorf("%s: got %d bytes with %q, want fewer than %d with gzip", asset.Path, len(packed.Body), packed.Header.Get("Content-Encoding"), len(asset.Content))
		}
	}
}

func TestWithoutTheConsoleThereIsNoPage(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *apitest.Options) { o.API.Console = false })
	for _, path := range append([]string{"/", console.DeadPath}, console.Assets()[0].Path) {
		a := r.Ask(t, http.MethodGet, path, browser)
		if a.Status != http.StatusNotFound || a.Header.Get("Content-Type") != respond.ContentJSON {
			t.Errorf("%s: got %d, %s, want 404 as JSON", path, a.Status, a.Header.Get("Content-Type"))
		}
	}
}

func TestARefusedBrowserGetsAPage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	remote := func(q *http.Request) { q.Header.Set("Via", "1.1 proxy") }
	a := r.Ask(t, http.MethodGet, "/", remote, func(q *http.Request) {
		q.Header.Set("Accept", "text/html")
		q.Header.Set("Accept-Encoding", "identity")
	})
	if a.Status != http.StatusForbidden || !strings.Contains(a.Body, "kubectl -n openfaas port-forward") {
		t.Errorf("got %d %s, want 403 and what to type", a.Status, a.Body)
	}
	if got := a.Header.Get("Content-Security-Policy"); got != console.Policy {
		t.Errorf("got the policy %q, want that of pages", got)
	}
	if a := r.Ask(t, http.MethodGet, "/", remote); a.Header.Get("Content-Type") != respond.ContentJSON {
		t.Errorf("got %s for a program, want JSON", a.Header.Get("Content-Type"))
	}
	if a := r.Ask(t, http.MethodGet, "/v1/status", remote, browser); a.Header.Get("Content-Type") != respond.ContentJSON {
		t.Errorf("got %s outside of the pages, want JSON", a.Header.Get("Content-Type"))
	}
}

func TestAPageHasNoOtherMethods(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		if a := r.Ask(t, method, "/", browser); a.Status != http.StatusMethodNotAllowed {
			t.Errorf("%s: got %d, want 405", method, a.Status)
		}
	}
}
