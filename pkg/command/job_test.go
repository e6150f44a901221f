package command

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestReplayIsAHiddenNameOfJob: scripts written for the first name of the group keep working.
func TestReplayIsAHiddenNameOfJob(t *testing.T) {
	t.Parallel()
	const id = "0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7"
	worker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		one := `{"id":"` + id + `","act":"purge","state":"running","plan":{"count":2}}`
		if r.URL.Path == "/v1/jobs" {
			one = `{"jobs":[` + one + `],"next":""}`
		}
		_, _ = io.WriteString(w, one)
	}))
	t.Cleanup(worker.Close)
	environ := []string{envServer + "=" + worker.URL}
	for _, line := range []string{"ls", "ls -o json", "status " + id, "pause " + id, "resume " + id, "cancel " + id, "status", "nonsense"} {
		want := with(environ, append([]string{"job"}, strings.Fields(line)...)...)
		for _, name := range []string{"replay", "jobs"} {
			got := with(environ, append([]string{name}, strings.Fields(line)...)...)
			if got.code != want.code {
				t.Errorf("%s %s: exit code %d, want %d", name, line, got.code, want.code)
			}
			if got.stdout != want.stdout {
				t.Errorf("%s %s: standard output is %q, want %q", name, line, got.stdout, want.stdout)
			}
		}
	}
}

func TestHelpNamesTheGroupJob(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"job", "--help"}, {"__complete", ""}} {
		got := with(nil, args...)
		if !strings.Contains(got.stdout, "job") {
			t.Errorf("%v: output is %q, want it to contain job", args, got.stdout)
		}
		for _, old := range []string{"\n  replay ", "\nreplay\t", "queue-worker replay", "job, jobs, replay"} {
			if strings.Contains(got.stdout, old) {
				t.Errorf("%v: output has %q, want the group to be hidden under that name: %s", args, old, got.stdout)
			}
		}
	}
}
