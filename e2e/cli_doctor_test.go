package e2e

// queue-worker doctor beside a worker, and who may ask.

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// doctor runs the doctor with the settings of the stand, as in the worker's container.
func (s *stand) doctor(w *worker, settings ...string) said {
	s.t.Helper()
	env := append(s.env[:len(s.env):len(s.env)], "QUEUE_WORKER_SERVER="+w.base)
	return command(s.t, "", append(env, settings...), "doctor", "-o", "json")
}

// openFaaS lets the stub answer what a gateway tells of itself.
func (s *stand) openFaaS(user, password string) {
	s.gateway.tell(func(a asked) answer {
		r := http.Request{Header: a.Header}
		u, p, _ := r.BasicAuth()
		if strings.HasPrefix(a.URI, "/system/") && (u != user || p != password) {
			return status(http.StatusUnauthorized)
		}
		return answer{Body: "[]"}
	})
}

// statuses are the worst that was found in each check.
func (s said) statuses(t *testing.T) map[string]string {
	t.Helper()
	var report struct {
		Findings []struct{ Check, Status, Text, Advice string }
	}
	if err := json.Unmarshal([]byte(s.stdout), &report); err != nil {
		t.Fatalf("%v: %s %s, want no error", err, s.stdout, s.stderr)
	}
	worst := map[string]string{}
	for _, f := range report.Findings {
		if worst[f.Check] == "" || worst[f.Check] == "ok" || f.Status == "bad" {
			worst[f.Check] = f.Status
		}
		if f.Status != "ok" && f.Advice == "" && f.Check != "clock" {
			t.Errorf("nothing is advised: %+v", f)
		}
	}
	return worst
}

func TestCLI_TheDoctorFindsNothingBesideAHealthyWorker(t *testing.T) {
	t.Parallel()
	dir := credentials(t, "admin", "hunter2")
	s := newStand(t, "basic_auth=true", "secret_mount_path="+dir)
	s.openFaaS("admin", "hunter2")
	w := s.worker()
	got := s.doctor(w).want(t, 0)
	for check, status := range got.statuses(t) {
		if status != "ok" && check != "limits" {
			t.Errorf("%s is %s: %s", check, status, got.stdout)
		}
	}
	switch {
	case strings.Contains(got.stdout, "hunter2"):
		t.Errorf(`it says %s, want no "hunter2" in it`, got.stdout)
	case !strings.Contains(got.stdout, "a running worker uses it"):
		t.Errorf(`it says %s, want "a running worker uses it" in it`, got.stdout)
	}
	if n := s.broker.out.String(); strings.Contains(n, "faas-doctor") && strings.Contains(n, "[ERR]") {
		t.Errorf("NATS Streaming says %s", n)
	}
}

func TestCLI_TheDoctorFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := credentials(t, "admin", "hunter2")
	s := newStand(t)
	s.openFaaS("admin", "other")
	w := s.worker()
	for _, tt := range []struct {
		name, setting, check, status string
	}{
		{"credentials that the gateway refuses", "secret_mount_path=" + dir, "gateway", "bad"},
		{"a cluster that is not there", "faas_nats_cluster_name=other", "door", "bad"},
		{"a secret that is not there", "basic_auth=true\nsecret_mount_path=" + t.TempDir(), "credentials", "bad"},
		{"a setting", "max_inflight=none", "settings", "bad"},
	} {
		got := s.doctor(w, strings.Split(tt.setting, "\n")...).want(t, 1, " checks failed")
		if is := got.statuses(t)[tt.check]; is != tt.status {
			t.Errorf("%s: %s is %q: %s, want %v", tt.name, tt.check, is, got.stdout, tt.status)
		}
	}
	s.gateway.close()
	s.broker.kill()
	w.unready(t, "NATS Streaming")
	found := s.doctor(w).want(t, 1).statuses(t)
	for check, want := range map[string]string{"gateway": "bad", "door": "bad", "clock": "warn", "worker": "bad", "store": "ok"} {
		if found[check] != want {
			t.Errorf("%s is %q, want %q", check, found[check], want)
		}
	}
	w.kill()
	if is := s.doctor(w).want(t, 1).statuses(t)["worker"]; is != "warn" {
		t.Errorf(`a worker that does not run is %q, want "warn"`, is)
	}
}

// credentials writes the secret of OpenFaaS and returns its folder.
func credentials(t *testing.T, user, password string) string {
	t.Helper()
	dir := t.TempDir()
	for name, value := range map[string]string{"basic-auth-user": user, "basic-auth-password": password} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCLI_WhoAsks(t *testing.T) {
	t.Parallel()
	dir := credentials(t, "admin", "hunter2")
	s := newStand(t, "basic_auth=true", "secret_mount_path="+dir)
	w := s.worker()
	server := "QUEUE_WORKER_SERVER=" + w.base
	for _, tt := range []struct {
		name  string
		stdin string
		env   []string
		args  []string
		code  int
	}{
		{"no credentials", "", nil, nil, 1},
		{"a wrong password", "wrong\n", nil, []string{"--user", "admin", "--password-stdin"}, 1},
		{"standard input", "hunter2\n", nil, []string{"--user", "admin", "--password-stdin"}, 0},
		{"a file", "", nil, []string{"--user", "admin", "--password-file", filepath.Join(dir, "basic-auth-password")}, 0},
		{"a folder", "", nil, []string{"--secret-dir", dir}, 0},
		{"the environment", "", []string{"QUEUE_WORKER_USER=admin", "QUEUE_WORKER_PASSWORD=hunter2"}, nil, 0},
		{"the worker's own secret", "", []string{"secret_mount_path=" + dir}, nil, 0},
		{"a password as an argument", "", nil, []string{"--user", "admin", "--password", "hunter2"}, 2},
	} {
		got := command(t, tt.stdin, append([]string{server}, tt.env...), append([]string{"dead", "ls"}, tt.args...)...)
		switch {
		case got.code != tt.code:
			t.Errorf("%s: exit code %d: %s, want code %v", tt.name, got.code, got.stderr, tt.code)
		case tt.code == 1 && !strings.Contains(got.stderr, "unauthorized"):
			t.Errorf(`%s: exit code %d: %s, want "unauthorized" in it`, tt.name, got.code, got.stderr)
		}
	}
}
