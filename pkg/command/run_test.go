package command

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/config"
	"queue-worker/pkg/escape"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
)

func TestExitCodesAndWhatIsSaid(t *testing.T) {
	empty := t.TempDir()
	tests := []struct {
		name           string
		args, environ  []string
		code           int
		stdout, stderr string // parts of them
	}{
		{"the version", []string{"version"}, nil, exitOK, "test\n", ""},
		{"help", []string{"--help"}, nil, exitOK, "queue-worker [command]", ""},
		{"help of dev", []string{"dev", "-h"}, nil, exitOK, "--gateway-listen", ""},
		{"an unknown command", []string{"run"}, nil, exitUsage, "", "unknown command run"},
		{"an unknown flag", []string{"--nope"}, nil, exitUsage, "", "--help"},
		{"every wrong setting at once", nil, []string{"max_inflight=0", "backoff=linear"}, exitUsage, "", "max_inflight"},
		{"a function without a URL", []string{"dev", "--function", "fn"}, nil, exitUsage, "", "name=http://host:port"},
		{"a check of no folder", []string{"store", "check"}, nil, exitUsage, "", "--data-dir"},
		{"a check of an empty folder", []string{"store", "check", "--data-dir", empty}, nil, exitFailed, "", "no store"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := with(tt.environ, tt.args...)
			if got.code != tt.code {
				t.Errorf("exit code %d, want %d", got.code, tt.code)
			}
			if !strings.Contains(got.stdout, tt.stdout) {
				t.Errorf("standard output is %q, want it to contain %q", got.stdout, tt.stdout)
			}
			if !strings.Contains(got.stderr, tt.stderr) {
				t.Errorf("standard error is %q, want it to contain %q", got.stderr, tt.stderr)
			}
		})
	}
}

// storeOfOne opens a store with one invocation.
func storeOfOne(t *testing.T) (dir string, s *embedded.Store) {
	t.Helper()
	dir = t.TempDir()
	s, err := embedded.Open(embedded.Options{Dir: dir, Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	now := time.Now()
	s.Accept(store.Accept{Inv: &invocation.Invocation{
		ID: invocation.NewID(now), CallID: "c", Function: "fn", Lane: invocation.Lane{Queue: "q", Name: "fn"}, Accepted: now, Since: now,
	}, Raw: []byte("{}")}, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return dir, s
}

func TestCheckReadsAStore(t *testing.T) {
	dir, s := storeOfOne(t)
	check := func() (code int, stdout, stderr string) {
		got := with([]string{"data_dir=" + dir}, "store", "check")
		return got.code, got.stdout, got.stderr
	}
	switch code, _, stderr := check(); {
	case code != exitFailed:
		t.Errorf("beside a running worker: code %d, %q, want code %v", code, stderr, exitFailed)
	case !strings.Contains(stderr, "in use"):
		t.Errorf(`beside a running worker: code %d, %q, want "in use" in it`, code, stderr)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	switch code, stdout, _ := check(); {
	case code != exitOK:
		t.Errorf("of a stopped worker: code %d, %q, want code %v", code, stdout, exitOK)
	case !strings.Contains(stdout, "invocations 1 (2 bytes): ready 1"):
		t.Errorf(`of a stopped worker: code %d, %q, want "invocations 1 (2 bytes): ready 1" in it`, code, stdout)
	}
}

func TestRepairOfAStore(t *testing.T) {
	dir, s := storeOfOne(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	repair := func(to string) ran { return with([]string{"data_dir=" + dir}, "store", "repair", "--to", to) }
	if got := repair(filepath.Join(t.TempDir(), "new")); got.code != exitOK || !strings.Contains(got.stdout, "kept: invocations 1 (2 bytes)") {
		t.Errorf("repair: code %d, %q, %q", got.code, got.stdout, got.stderr)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "store", "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no logs: %v", err)
	}
	for _, name := range logs {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if got := with([]string{"data_dir=" + dir}, "store", "check"); got.code != exitFailed || !strings.Contains(got.stdout, "advice: `queue-worker store repair") {
		t.Errorf("check of a damaged store: code %d, %q", got.code, got.stdout)
	}
	if got := repair(filepath.Join(t.TempDir(), "new")); got.code != exitPartly || !strings.Contains(got.stdout, "unreadable: ") {
		t.Errorf("repair of a damaged store: code %d, %q, %q", got.code, got.stdout, got.stderr)
	}
	if got := with([]string{"data_dir=" + dir}, "store", "repair"); got.code != exitUsage {
		t.Errorf("repair without a target: code %d, want %d", got.code, exitUsage)
	}
}

func TestFlagsOfTheCommercialWorkerAreTakenOut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		in, want []string
	}{
		{"nothing", nil, nil},
		{"with a value", []string{"-license-file=/var/secrets/license/license"}, nil},
		{"with a value of its own", []string{"-license-file", "/l", "version"}, []string{"version"}},
		{"two dashes", []string{"--license-file", "/l", "--pprof=true"}, nil},
		{"a switch has no value", []string{"-pprof", "dev"}, []string{"dev"}},
		{"others stay", []string{"dev", "--data", "x"}, []string{"dev", "--data", "x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := withoutIgnored(tt.in)
			if len(got) == 0 && len(tt.want) == 0 {
				return
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestNoLogLineControlsATerminal(t *testing.T) {
	t.Parallel()
	const hostile = "\x1b[2J\u009b31m\u202e\u2066\ufeff\x7f\nx"
	for _, encoding := range []string{"console", "json"} {
		var out bytes.Buffer
		log, closeLog := newLogger(&out, &config.Config{LogEncoding: encoding})
		log.Info(hostile, "call_id", hostile)
		closeLog()
		switch got := strings.TrimSuffix(out.String(), "\n"); {
		case got != escape.Line(got):
			t.Errorf("%s: %q, want %v", encoding, got, escape.Line(got))
		case got == "":
			t.Errorf("%s: %q, want not empty", encoding, got)
		}
	}
}

func TestFindingsOfACheckAreEscaped(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := printReport(&out, embedded.Report{Findings: []string{"lane \x1b[2J\nall is well"}})
	switch got := out.String(); {
	case !errors.Is(err, errFindings):
		t.Errorf("%v: %q, want %v", err, got, errFindings)
	case got != escape.Lines(got):
		t.Errorf("%v: %q, want %v", err, got, escape.Lines(got))
	case strings.Contains(got, "\nall"):
		t.Errorf(`%v: %q, want no "\nall" in it`, err, got)
	}
}
