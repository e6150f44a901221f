package command

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"queue-worker/pkg/config"
	"queue-worker/pkg/crash"
)

const envPanics = "QUEUE_WORKER_TEST_PANICS"

// TestAPanicEndsTheProcessWithAllLogLinesBeforeIt runs itself once more as the process that ends.
func TestAPanicEndsTheProcessWithAllLogLinesBeforeIt(t *testing.T) {
	if os.Getenv(envPanics) != "" {
		log, closeLog := newLogger(os.Stdout, &config.Config{})
		defer closeLog()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer crash.LogPanic(log, "slot")
			log.Info("first")
			log.Info("second")
			panic("no reason")
		}()
		<-ended
		select {}
	}
	t.Parallel()
	var stdout, stderr bytes.Buffer
	c := exec.Command(os.Args[0], "-test.run=^TestAPanicEndsTheProcess") // #nosec G204 -- itself
	c.Env = append(os.Environ(), envPanics+"=1")
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err == nil {
		t.Errorf("the process ended without an error: got %v, want an error", err)
	}
	got := stdout.String()
	if !(strings.Index(got, "INF first\n") < strings.Index(got, "INF second\n") && strings.Index(got, "INF second\n") < strings.Index(got, "ERR ")) || !strings.Contains(got, "INF first") {
		t.Errorf("the log is %q", got)
	}
	if got := stderr.String(); !strings.Contains(got, "panic: no reason") || !strings.Contains(got, "log_test.go") {
		t.Errorf("standard error is %q, want the panic and its stack", got)
	}
}

func TestTheLogIsWrittenWholeWhenTheCommandEnds(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"console", "json"} {
		got := with([]string{"gateway_url=http://127.0.0.1:1", "http_listen_address=127.0.0.1:0", "log_encoding=" + encoding, "data_dir=/dev/null/none"})
		switch {
		case got.code != exitFailed:
			t.Errorf("%s: code %d, %q, %q, want code %v", encoding, got.code, got.stdout, got.stderr, exitFailed)
		case strings.Count(got.stdout, "starting queue-worker") != 1:
			t.Errorf(`%s: code %d, %q, %q, want 1 of "starting queue-worker"`, encoding, got.code, got.stdout, got.stderr)
		}
	}
}

// The buffer changes when lines are written and nothing in them.
func TestAJSONLineIsTheOneThatItAlwaysWas(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, closeLog := newLogger(&out, &config.Config{LogEncoding: "json"})
	log.With("a", "<&\u202e").WithGroup("g").Info("x", "d", 90*time.Second, "at", time.Unix(0, 5).UTC(), slog.Group("h", "d", time.Second))
	closeLog()
	_, got, _ := strings.Cut(out.String(), ",")
	want := `"level":"INFO","msg":"x","a":"<&\u202e","g":{"d":"1m30s","at":"1970-01-01T00:00:00.000000005Z","h":{"d":"1s"}}}` + "\n"
	if got != want || !json.Valid(out.Bytes()) {
		t.Errorf("written is %q, want %q", got, want)
	}
}

func TestWithJSONEveryLineIsJSON(t *testing.T) {
	t.Parallel()
	worker := []string{"log_encoding=json", "gateway_url=http://127.0.0.1:1", "http_listen_address=127.0.0.1:0"}
	for name, tt := range map[string]struct {
		environ []string
		code    int
		want    string
	}{
		"a start that fails": {[]string{"data_dir=/dev/null/none"}, exitFailed, "/dev/null/none"},
		"settings":           {[]string{"max_inflight=0", "backoff=never"}, exitUsage, `max_inflight=\"0\"`},
		"a text of others":   {[]string{"max_inflight=\x1b[31m"}, exitUsage, "max_inflight"},
	} {
		got := with(append(slices.Clone(worker), tt.environ...))
		if got.code != tt.code {
			t.Errorf("%s: exit code %d, want %d", name, got.code, tt.code)
		}
		if !strings.Contains(got.stderr, tt.want) {
			t.Errorf("%s: standard error is %q, want it to contain %q", name, got.stderr, tt.want)
		}
		for line := range strings.Lines(got.stdout + got.stderr) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: got line %q, want valid JSON", name, line)
			}
		}
	}
}
