package api_test

// Who may, with basic_auth.

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/api"
	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/basicauth"
	"queue-worker/pkg/wire"
)

func TestWrongCredentialsAreRefusedAllInTheSameWay(t *testing.T) {
	t.Parallel()
	r := newRig(t, apitest.WithBasicAuth(t))
	wrong := map[string]func(*http.Request){
		"none":            func(*http.Request) {},
		"a token":         func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+apitest.TestPassword) },
		"no base64":       func(r *http.Request) { r.Header.Set("Authorization", "Basic %%%") },
		"no colon":        func(r *http.Request) { r.Header.Set("Authorization", "Basic YWRtaW4=") },
		"an empty header": func(r *http.Request) { r.Header.Set("Authorization", "") },
		"in the query": func(r *http.Request) {
			r.URL.RawQuery = "user=" + apitest.TestUser + "&password=" + apitest.TestPassword
		},
		"swapped":            apitest.As(apitest.TestPassword, apitest.TestUser),
		"another case":       apitest.As(apitest.TestUser, strings.ToLower(apitest.TestPassword)),
		"another user":       apitest.As("root", apitest.TestPassword),
		"user in upper case": apitest.As(strings.ToUpper(apitest.TestUser), apitest.TestPassword),
		"with a line end":    apitest.As(apitest.TestUser, apitest.TestPassword+"\n"),
		"with a NUL":         apitest.As(apitest.TestUser, apitest.TestPassword+"\x00"),
		"with a space":       apitest.As(apitest.TestUser, " "+apitest.TestPassword),
		"very long":          apitest.As(apitest.TestUser, strings.Repeat(apitest.TestPassword, 500)),
	}
	for i := range apitest.TestPassword {
		wrong["password "+apitest.TestPassword[:i]] = apitest.As(apitest.TestUser, apitest.TestPassword[:i])
		wrong["password "+apitest.TestPassword[i+1:]+" at the end"] = apitest.As(apitest.TestUser, apitest.TestPassword[i+1:])
		wrong["password as long, wrong at "+apitest.TestPassword[:i]] = apitest.As(apitest.TestUser, apitest.TestPassword[:i]+"?"+apitest.TestPassword[i+1:])
	}
	for i := range apitest.TestUser {
		wrong["user "+apitest.TestUser[:i]] = apitest.As(apitest.TestUser[:i], apitest.TestPassword)
	}
	for _, path := range guardedPaths(r) {
		method, path, _ := strings.Cut(path, " ")
		first := r.Ask(t, method, path)
		switch {
		case first.Status != http.StatusUnauthorized:
			t.Errorf("%s %s answers %d %v %s, want status %d", method, path, first.Status, first.Header, first.Body, http.StatusUnauthorized)
		case first.ReasonOf(t) != wire.Unauthorized:
			t.Errorf("%s %s answers %d %v %s, want reason %v", method, path, first.Status, first.Header, first.Body, wire.Unauthorized)
		case first.Header.Get("WWW-Authenticate") != api.Challenge:
			t.Errorf("%s %s answers %d %v %s, want WWW-Authenticate %v", method, path, first.Status, first.Header, first.Body, api.Challenge)
		}
		first.Header.Del("Date")
		for name, edit := range wrong {
			got := r.Ask(t, method, path, edit)
			got.Header.Del("Date")
			if d := cmp.Diff(first, got); d != "" {
				t.Errorf("%s: %s %s (-none +this):\n%s", name, method, path, d)
			}
		}
		if got := r.Ask(t, method, path, apitest.As(apitest.TestUser, apitest.TestPassword)); got.Status == http.StatusUnauthorized {
			t.Errorf("the right ones: %s %s answers %d, want other than %d", method, path, got.Status, http.StatusUnauthorized)
		}
	}
}

func TestTheRightCredentialsMayFromAnywhere(t *testing.T) {
	t.Parallel()
	r := newRig(t, apitest.WithBasicAuth(t))
	for _, line := range guardedPaths(r) {
		method, path, _ := strings.Cut(line, " ")
		got := r.Ask(t, method, path, apitest.As(apitest.TestUser, apitest.TestPassword), func(r *http.Request) {
			r.Host = "worker.example"
			r.Header.Set("X-Forwarded-For", "10.0.0.1")
		})
		if got.Status == http.StatusUnauthorized || got.Status == http.StatusForbidden {
			t.Errorf("%s: got %d %s, want neither 401 nor 403", line, got.Status, got.Body)
		}
	}
}

func TestAdminOpenDoesNotLiftBasicAuth(t *testing.T) {
	t.Parallel()
	r := newRig(t, apitest.WithBasicAuth(t), func(o *apitest.Options) { o.API.AdminOpen = true })
	for _, line := range guardedPaths(r) {
		method, path, _ := strings.Cut(line, " ")
		if got := r.Ask(t, method, path); got.Status != http.StatusUnauthorized {
			t.Errorf("%s answers %d %s, want %d", line, got.Status, got.Body, http.StatusUnauthorized)
		}
	}
}

func TestUnusableCredentialsCloseTheDeadSetAndNothingElse(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, user, password string }{
		{"no files", "", ""},
		{"an empty password", "admin", "-"},
		{"a password of spaces", "admin", " \n"},
		{"an empty user", "-", "secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if tt.user != "" {
				apitest.Secret(t, dir, strings.Trim(tt.user, "-"), strings.Trim(tt.password, "-"))
			}
			r := newRig(t, func(o *apitest.Options) { o.API.BasicAuth, o.API.SecretDir = true, dir })
			for range 3 {
				got := r.Ask(t, http.MethodGet, "/v1/dead_set", apitest.As(strings.Trim(tt.user, "-"), strings.TrimSpace(strings.Trim(tt.password, "-"))))
				switch {
				case got.Status != http.StatusForbidden:
					t.Errorf("answer is %d %s, want status %d", got.Status, got.Body, http.StatusForbidden)
				case got.ReasonOf(t) != wire.Forbidden:
					t.Errorf("answer is %d %s, want reason %v", got.Status, got.Body, wire.Forbidden)
				}
			}
			for _, path := range []string{"/ping", "/healthz", "/readyz", "/metrics", "/_metrics"} {
				if got := r.Ask(t, http.MethodGet, path); got.Status != http.StatusOK {
					t.Errorf("%s answers %d, want %d", path, got.Status, http.StatusOK)
				}
			}
			if n := strings.Count(r.Logs.String(), "level=WARN"); n != 1 {
				t.Errorf("%d warnings, want one:\n%s", n, r.Logs)
			}
		})
	}
}

// rotation asks with two passwords, as the mounted secret changes in between.
type rotation struct {
	t *testing.T
	r *rig
	h http.Handler
}

func (o rotation) status(password string) int { return o.statusOf(apitest.TestUser, password) }

func (o rotation) statusOf(user, password string) int {
	w := httptest.NewRecorder()
	o.h.ServeHTTP(w, apitest.Arriving("GET /v1/dead_set", apitest.As(user, password)))
	return w.Code
}

// passes moves the clock on until the files are looked at again.
func (o rotation) passes() { time.Sleep(basicauth.Period) }

func (o rotation) want(what, password string, status int) {
	o.t.Helper()
	if got := o.status(password); got != status {
		o.t.Errorf("%s: %s answers %d, want %d", what, password, got, status)
	}
}

func newRotation(t *testing.T, dir string) rotation {
	p := apitest.Pipe(t, func(o *apitest.Options) { o.API.BasicAuth, o.API.SecretDir, o.API.AdminOpen = true, dir, false })
	return rotation{t, &rig{p.Rig}, p.Handler}
}

func TestCredentialsThatChangeAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	apitest.Secret(t, dir, apitest.TestUser, "first")
	synctest.Test(t, func(t *testing.T) {
		o := newRotation(t, dir)
		o.want("at start", "first", 200)
		apitest.Secret(t, dir, apitest.TestUser, "other") // as long as the first
		o.want("before the next look", "first", 200)
		o.passes()
		o.want("written in place", "first", 401)
		o.want("written in place", "other", 200)

		if err := os.Remove(filepath.Join(dir, basicauth.PasswordFile)); err != nil {
			t.Fatal(err)
		}
		o.passes()
		o.want("gone", "other", 403)
		o.passes()
		o.want("still gone", "other", 403)
		apitest.Secret(t, dir, apitest.TestUser, "third")
		o.passes()
		o.want("back", "other", 401)
		o.want("back", "third", 200)
		if n := strings.Count(o.r.Logs.String(), "level=WARN"); n != 1 {
			t.Errorf("%d warnings, want one:\n%s", n, o.r.Logs)
		}
	})
}

func TestCredentialsThatKubernetesExchangesAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := time.Now().Add(-time.Hour)
	for _, v := range []string{"v1", "v2"} {
		if err := os.Mkdir(filepath.Join(dir, v), 0o700); err != nil {
			t.Fatal(err)
		}
		apitest.Secret(t, filepath.Join(dir, v), apitest.TestUser, v)
		for _, name := range []string{basicauth.UserFile, basicauth.PasswordFile} { // the same age and size: only the files differ
			if err := os.Chtimes(filepath.Join(dir, v, name), long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := func(to, name string) {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("v1", "..data")
	link(filepath.Join("..data", basicauth.UserFile), basicauth.UserFile)
	link(filepath.Join("..data", basicauth.PasswordFile), basicauth.PasswordFile)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(long.Add(time.Hour))) // the clock of the bubble begins in 2000
		o := newRotation(t, dir)
		o.want("at start", "v1", 200)
		o.passes()
		o.want("nothing changed", "v1", 200)
		link("v2", "..next")
		if err := os.Rename(filepath.Join(dir, "..next"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
		o.passes()
		o.want("exchanged", "v1", 401)
		o.want("exchanged", "v2", 200)
		apitest.Secret(t, filepath.Join(dir, "v2"), apitest.TestUser, "v3")
		if err := os.Chtimes(filepath.Join(dir, "v2", basicauth.PasswordFile), long, long.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		o.passes()
		o.want("another time in the same file", "v3", 200)
	})
}
