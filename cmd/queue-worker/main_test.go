package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestRunPassesArgumentsAndReturnsTheExitCode(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if got, want := run([]string{"version"}, nil, strings.NewReader(""), &stdout, &stderr), 0; got != want {
		t.Errorf("version: exit code %d, want %d", got, want)
	}
	if got, want := stdout.String(), version+"\n"; got != want {
		t.Errorf("version: standard output is %q, want %q", got, want)
	}
	if got, want := run(nil, []string{"max_inflight=0"}, strings.NewReader(""), &stdout, &stderr), 2; got != want {
		t.Errorf("a wrong setting: exit code %d, want %d", got, want)
	}
	if got, want := stderr.String(), `max_inflight="0"`; !strings.Contains(got, want) {
		t.Errorf("a wrong setting: standard error is %q, want it to contain %q", got, want)
	}
}
