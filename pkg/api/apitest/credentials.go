// File credentials.go has the credentials of an operator and of the read-only account.

package apitest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"queue-worker/pkg/basicauth"
)

// The operator, and the read-only account.
const (
	TestUser           = "admin"
	TestPassword       = "Correct-Horse-7"
	TestReader         = "viewer"
	TestReaderPassword = "Battery-Staple-9"
)

// Secret mounts credentials as a folder.
func Secret(t testing.TB, dir, user, password string) {
	t.Helper()
	for name, text := range map[string]string{basicauth.UserFile: user, basicauth.PasswordFile: password} {
		SecretFile(t, dir, name, text)
	}
}

// SecretFile writes one file of a mounted secret.
func SecretFile(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// WithReader turns basic_auth on, with the read-only account.
func WithReader(t testing.TB) func(*Options) {
	t.Helper()
	dir := t.TempDir()
	Secret(t, dir, TestUser, TestPassword)
	SecretFile(t, dir, basicauth.ReadUserFile, TestReader+"\n")
	SecretFile(t, dir, basicauth.ReadPasswordFile, TestReaderPassword+"\n")
	return func(o *Options) { o.API.BasicAuth, o.API.SecretDir = true, dir }
}

// WithBasicAuth turns basic_auth on.
func WithBasicAuth(t testing.TB) func(*Options) {
	t.Helper()
	dir := t.TempDir()
	Secret(t, dir, TestUser, TestPassword+"\n") // as editors write files
	return func(o *Options) { o.API.BasicAuth, o.API.SecretDir = true, dir }
}

// As sends credentials.
func As(user, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

// Arriving makes a request from "METHOD /path" as a server sees it.
func Arriving(line string, edits ...func(*http.Request)) *http.Request {
	method, path, _ := strings.Cut(line, " ")
	r := httptest.NewRequest(method, path, nil)
	for _, edit := range edits {
		edit(r)
	}
	return r
}
