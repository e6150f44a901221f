package api

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

	"queue-worker/pkg/basicauth"
)

const (
	testUser     = "admin"
	testPassword = "Correct-Horse-7"
)

// secret mounts credentials as a folder.
func secret(t testing.TB, dir, user, password string) {
	t.Helper()
	for name, text := range map[string]string{basicauth.UserFile: user, basicauth.PasswordFile: password} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// withBasicAuth turns basic_auth on.
func withBasicAuth(t testing.TB) func(*Options) {
	t.Helper()
	dir := t.TempDir()
	secret(t, dir, testUser, testPassword+"\n") // as people write files
	return func(o *Options) { o.BasicAuth, o.SecretDir = true, dir }
}

func as(user, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

func TestWrongCredentialsAreRefusedAllInTheSameWay(t *testing.T) {
	t.Parallel()
	r := newRig(t, withBasicAuth(t))
	wrong := map[string]func(*http.Request){
		"none":               func(*http.Request) {},
		"a token":            func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+testPassword) },
		"no base64":          func(r *http.Request) { r.Header.Set("Authorization", "Basic %%%") },
		"no colon":           func(r *http.Request) { r.Header.Set("Authorization", "Basic YWRtaW4=") },
		"an empty header":    func(r *http.Request) { r.Header.Set("Authorization", "") },
		"in the query":       func(r *http.Request) { r.URL.RawQuery = "user=" + testUser + "&password=" + testPassword },
		"swapped":            as(testPassword, testUser),
		"another case":       as(testUser, strings.ToLower(testPassword)),
		"another user":       as("root", testPassword),
		"user in upper case": as(strings.ToUpper(testUser), testPassword),
		"with a line end":    as(testUser, testPassword+"\n"),
		"with a NUL":         as(testUser, testPassword+"\x00"),
		"with a space":       as(testUser, " "+testPassword),
		"very long":          as(testUser, strings.Repeat(testPassword, 500)),
	}
	for i := range testPassword {
		wrong["password "+testPassword[:i]] = as(testUser, testPassword[:i])
		wrong["password "+testPassword[i+1:]+" at the end"] = as(testUser, testPassword[i+1:])
		wrong["password as long, wrong at "+testPassword[:i]] = as(testUser, testPassword[:i]+"?"+testPassword[i+1:])
	}
	for i := range testUser {
		wrong["user "+testUser[:i]] = as(testUser[:i], testPassword)
	}
	for _, path := range guardedPaths(r.api) {
		method, path, _ := strings.Cut(path, " ")
		first := r.ask(t, method, path)
		if first.status != http.StatusUnauthorized || first.reasonOf(t) != unauthorized || first.header.Get("WWW-Authenticate") != challenge {
			t.Errorf("%s %s answers %d %v %s", method, path, first.status, first.header, first.body)
		}
		first.header.Del("Date")
		for name, edit := range wrong {
			got := r.ask(t, method, path, edit)
			got.header.Del("Date")
			if d := cmp.Diff(first, got, cmp.AllowUnexported(answer{})); d != "" {
				t.Errorf("%s: %s %s (-none +this):\n%s", name, method, path, d)
			}
		}
		if got := r.ask(t, method, path, as(testUser, testPassword)); got.status == http.StatusUnauthorized {
			t.Errorf("the right ones: %s %s answers %d", method, path, got.status)
		}
	}
}

func TestTheRightCredentialsMayFromAnywhere(t *testing.T) {
	t.Parallel()
	r := newRig(t, withBasicAuth(t))
	for _, line := range guardedPaths(r.api) {
		method, path, _ := strings.Cut(line, " ")
		got := r.ask(t, method, path, as(testUser, testPassword), func(r *http.Request) {
			r.Host = "worker.example"
			r.Header.Set("X-Forwarded-For", "10.0.0.1")
		})
		if got.status == http.StatusUnauthorized || got.status == http.StatusForbidden {
			t.Errorf("%s answers %d %s", line, got.status, got.body)
		}
	}
}

func TestAdminOpenDoesNotLiftBasicAuth(t *testing.T) {
	t.Parallel()
	r := newRig(t, withBasicAuth(t), func(o *Options) { o.AdminOpen = true })
	for _, line := range guardedPaths(r.api) {
		method, path, _ := strings.Cut(line, " ")
		if got := r.ask(t, method, path); got.status != http.StatusUnauthorized {
			t.Errorf("%s answers %d %s", line, got.status, got.body)
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
				secret(t, dir, strings.Trim(tt.user, "-"), strings.Trim(tt.password, "-"))
			}
			r := newRig(t, func(o *Options) { o.BasicAuth, o.SecretDir = true, dir })
			for range 3 {
				got := r.ask(t, http.MethodGet, "/v1/dead_set", as(strings.Trim(tt.user, "-"), strings.TrimSpace(strings.Trim(tt.password, "-"))))
				if got.status != http.StatusForbidden || got.reasonOf(t) != forbidden {
					t.Errorf("answer is %d %s", got.status, got.body)
				}
			}
			for _, path := range []string{"/ping", "/healthz", "/readyz", "/metrics", "/_metrics"} {
				if got := r.ask(t, http.MethodGet, path); got.status != http.StatusOK {
					t.Errorf("%s answers %d", path, got.status)
				}
			}
			if n := strings.Count(r.logs.String(), "level=WARN"); n != 1 {
				t.Errorf("%d warnings, want one:\n%s", n, r.logs)
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

func (o rotation) status(password string) int {
	w := httptest.NewRecorder()
	o.h.ServeHTTP(w, arriving("GET /v1/dead_set", as(testUser, password)))
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
	r := &rig{logs: &lockedBuffer{}}
	a, err := newAPI(Options{
		Store: emptyStore{}, Queues: []string{"q"}, Gatherer: noMetrics, Healthy: fine, Ready: fine,
		BasicAuth: true, SecretDir: dir, Logger: logTo(r.logs),
	})
	if err != nil {
		t.Fatal(err)
	}
	return rotation{t, r, a.routes()}
}

func TestCredentialsThatChangeAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret(t, dir, testUser, "first")
	synctest.Test(t, func(t *testing.T) {
		o := newRotation(t, dir)
		o.want("at start", "first", 200)
		secret(t, dir, testUser, "other") // as long as the first
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
		secret(t, dir, testUser, "third")
		o.passes()
		o.want("back", "other", 401)
		o.want("back", "third", 200)
		if n := strings.Count(o.r.logs.String(), "level=WARN"); n != 1 {
			t.Errorf("%d warnings, want one:\n%s", n, o.r.logs)
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
		secret(t, filepath.Join(dir, v), testUser, v)
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
		secret(t, filepath.Join(dir, "v2"), testUser, "v3")
		if err := os.Chtimes(filepath.Join(dir, "v2", basicauth.PasswordFile), long, long.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		o.passes()
		o.want("another time in the same file", "v3", 200)
	})
}
