package command

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"queue-worker/pkg/basicauth"
)

// secretIn writes files of a secret and returns their folder.
func secretIn(t *testing.T, user, password string) string {
	t.Helper()
	dir := t.TempDir()
	for name, value := range map[string]string{basicauth.UserFile: user, basicauth.PasswordFile: password} {
		if value == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestWhereCredentialsComeFrom(t *testing.T) {
	t.Parallel()
	secret := secretIn(t, "admin\n", "mounted\n")
	half := secretIn(t, "admin", "")
	reader := t.TempDir()
	for name, value := range map[string]string{basicauth.ReadUserFile: "viewer", basicauth.ReadPasswordFile: "look"} {
		if err := os.WriteFile(filepath.Join(reader, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(secret, basicauth.PasswordFile)
	const here, there = "http://127.0.0.1:8081", "http://worker.example:8081"
	tests := []struct {
		name    string
		args    []string
		environ []string
		stdin   string
		server  string
		want    string // user:password
		err     string // a part of it
	}{
		{"no credentials", nil, nil, "", here, ":", ""},
		{"a user and a file", []string{"--user", "me", "--password-file", file}, nil, "", there, "me:mounted", ""},
		{"a user and standard input", []string{"--user", "me", "--password-stdin"}, nil, "typed\r\n", there, "me:typed", ""},
		{"the environment", nil, []string{envUser + "=me", envPassword + "=set"}, "", there, "me:set", ""},
		{"a flag before the environment", []string{"--user", "you"}, []string{envUser + "=me", envPassword + "=set"}, "", there, "you:set", ""},
		{"the environment before the secret", nil, []string{envUser + "=me", envPassword + "=set", "secret_mount_path=" + secret}, "", there, "me:set", ""},
		{"a folder", []string{"--secret-dir", secret}, nil, "", there, "admin:mounted", ""},
		{"a folder of the read-only account", []string{"--secret-dir", reader}, nil, "", there, "viewer:look", ""},
		{"a folder before the environment", []string{"--secret-dir", secret}, []string{envUser + "=me", envPassword + "=set"}, "", there, "admin:mounted", ""},
		{"the secret of the worker", nil, []string{"secret_mount_path=" + secret}, "", here, "admin:mounted", ""},
		{"a folder that is not there", []string{"--secret-dir", secret + "/none"}, nil, "", here, "", "none"},
		{"the secret of the worker is not there", nil, []string{"secret_mount_path=" + secret + "/none"}, "", here, ":", ""},
		{"half a folder", []string{"--secret-dir", half}, nil, "", here, "", basicauth.PasswordFile},
		{"a user alone", []string{"--user", "me"}, nil, "", here, "", "--password-file"},
		{"a password alone", []string{"--password-stdin"}, nil, "x", here, "", "--user"},
		{"two passwords", []string{"--user", "me", "--password-stdin", "--password-file", file}, nil, "x", here, "", "exclude"},
		{"an empty password", []string{"--user", "me", "--password-stdin"}, nil, "\n", here, "", "is empty"},
		{"a folder and a user", []string{"--user", "me", "--secret-dir", secret}, nil, "", here, "", "leave the other flags out"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &cobra.Command{}
			r := newRemote(&env{drain: t.Context(), Process: Process{Environ: tt.environ, Stdin: strings.NewReader(tt.stdin)}}, c)
			if err := c.ParseFlags(tt.args); err != nil {
				t.Fatal(err)
			}
			user, password, err := r.credentials(tt.server)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("the error is %v, want %q", err, tt.err)
				}
				return
			}
			if got := user + ":" + password; err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestWhichServerIsAsked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		flag    string
		environ []string
		want    string
	}{
		{"none is named", "", nil, "http://127.0.0.1:8081"},
		{"a flag", "http://a:1", []string{envServer + "=http://b:2"}, "http://a:1"},
		{"the environment", "", []string{envServer + "=http://b:2", "http_listen_address=:9000"}, "http://b:2"},
		{"the worker beside it", "", []string{"http_listen_address=:9000"}, "http://127.0.0.1:9000"},
		{"the worker on an address", "", []string{"http_listen_address=10.0.0.7:9000"}, "http://10.0.0.7:9000"},
		{"the worker everywhere", "", []string{"http_listen_address=[::]:9000"}, "http://127.0.0.1:9000"},
		{"the worker on any port", "", []string{"http_listen_address=127.0.0.1:0"}, "http://127.0.0.1:8081"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &remote{e: &env{Process: Process{Environ: tt.environ}}, server: tt.flag}
			if got := r.address(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestAnExportsFileAppearsWhenItIsComplete(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "letters")
	broken := partial(t, name, "half", os.ErrDeadlineExceeded)
	if broken == nil || exists(name) || exists(name+".partial") {
		t.Errorf("one that broke off leaves a file, or says %v", broken)
	}
	if err := partial(t, name, "all but one", partlyError{os.ErrNotExist}); exitCode(err, &strings.Builder{}) != exitPartly || !exists(name) {
		t.Errorf("one with letters that cannot be read: %v", err)
	}
	switch err := partial(t, name, "again", nil); {
	case err == nil:
		t.Errorf("over another: %v, want an error", err)
	case !strings.Contains(err.Error(), "exists"):
		t.Errorf(`over another: %v, want "exists" in Error`, err)
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		t.Errorf("the file is %v, %v, want no error", info, err)
	case info.Mode().Perm() != 0o600:
		t.Errorf("the file is %v, %v, want perm 0o600", info, err)
	}
}

func partial(t *testing.T, name, text string, end error) error {
	t.Helper()
	return whole(name, func(w io.Writer) error {
		if _, err := io.WriteString(w, text); err != nil {
			t.Error(err)
		}
		return end
	})
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
