package e2e

// Acts on many from the shell: the plan, the question, watching, leaving.

import (
	"strings"
	"syscall"
	"testing"

	"queue-worker/internal/testkit"
)

func TestCLI_AScriptHasToSayYes(t *testing.T) {
	t.Parallel()
	s, w := givingUp(t)
	s.bury(w, "fn1", "a", "b", "c")
	s.bury(w, "fn2", "d")
	s.gateway.tell(always(status(200)))
	w.cli(t, "dead", "replay", "--function", "fn1").want(t, 2, "--yes")
	w.cli(t, "dead", "drop", "--all").want(t, 2, "--yes")
	w.cli(t, "dead", "replay", "--function", "typo").want(t, 1, "no dead letters match")
	w.cli(t, "dead", "drop", "--until", "7").want(t, 2, "until", "7d")
	w.cli(t, "function", "purge", "fn1").want(t, 1, "no pending invocations match")
	w.cli(t, "dead", "drop", "--all", "--dry-run").want(t, 0, "drop: 4, ", "3\tfn1.openfaas-fn\t"+defaultQueue+"\tattempts_exhausted\n")
	if left := w.deadSet(t); len(left) != 4 {
		t.Fatalf("%d letters are left, want 4 left", len(left))
	}
	w.cli(t, "dead", "replay", "--function", "fn1", "--limit", "2", "--rate", "100", "--yes").want(t, 0, "replay: 2, ", "replayed 2, succeeded 2, failed again 0, pending 0")
	got := w.cli(t, "dead", "replay", "--all", "--yes", "-o", "json").want(t, 0, `"state":"done"`)
	if len(got.lines()) != 1 {
		t.Errorf("not one document: %q, want 1 line", got.stdout)
	}
	w.cli(t, "dead", "replay", "--all", "--yes").want(t, 0, "nothing to replay")
	s.gateway.await(t, 4+4)
}

func TestCLI_APersonIsAsked(t *testing.T) {
	t.Parallel()
	s, w := givingUp(t)
	s.bury(w, "fn1", "a", "b", "c")
	for _, answer := range []string{"no\n", "y\n", "\n", "\x04"} {
		p := w.person(t, "dead", "drop", "--all")
		p.answers(`Type "yes" to proceed: `, answer)
		p.want(1, "drop: 3, ", "COUNT", "nothing was done")
	}
	if n := len(w.deadSet(t)); n != 3 {
		t.Fatalf("%d letters are left, want 3", n)
	}
	p := w.person(t, "dead", "drop", "--all")
	p.answers("drop 3?", "\x03") // Ctrl-C
	p.want(1, "interrupted")
	p = w.person(t, "dead", "drop", "--all")
	p.answers("drop 3?", "yes\n")
	if screen := p.want(0, "drop done: 3 of 3 done"); !strings.Contains(screen, "fn1.openfaas-fn") {
		t.Errorf(`the screen is %q, want "fn1.openfaas-fn" in it`, screen)
	}
	for _, line := range w.cli(t, "job", "ls").want(t, 0).lines() {
		if strings.Contains(line, "planned") {
			t.Errorf(`a plan is left: %q, want no "planned" in it`, line)
		}
	}
}

func TestCLI_WhatFailsAgainIsPartly(t *testing.T) {
	t.Parallel()
	s, w := givingUp(t)
	s.bury(w, "fn1", "a", "b", "c")
	got := w.cli(t, "dead", "replay", "--all", "--canary", "--yes").want(t, 3, "it has stopped because of failures", "replay stopped: ")
	job := strings.Fields(w.cli(t, "job", "ls").want(t, 0).lines()[0])[0]
	w.cli(t, "job", "status", job).want(t, 0, "state\tstopped\n", "canary\ttrue\n")
	w.cli(t, "job", "status", job, "--watch").want(t, 3)
	if !strings.Contains(got.stderr, "queue-worker job resume "+job) {
		t.Errorf("it says %q, want %q in it", got.stderr, "queue-worker job resume "+job)
	}
	s.gateway.tell(always(status(200)))
	w.cli(t, "job", "resume", job).want(t, 0, "replay "+job+": running")
	testkit.Eventually(t, "the rest to be replayed", func() bool { return len(w.deadSet(t)) <= 1 })
}

// TestCLI_AReplaySaysWhatBecameOfIt: success is reported only for what succeeded.
func TestCLI_AReplaySaysWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	s, w := givingUp(t)
	s.bury(w, "fn1", strings.Split(strings.Repeat("x", 15), "")...)
	s.gateway.tell(always(status(400)))
	replay := func(more ...string) said {
		return w.cli(t, append([]string{"dead", "replay", "--all", "--rate", "1000", "--yes"}, more...)...)
	}
	replay().want(t, 3, "replayed 15, succeeded 0, failed again 15, pending 0", "15 of 15 have not succeeded")
	replay("-o", "json").want(t, 3, `"succeeded":0,"failed_again":15`, `"pending":0`)
	replay("--detach").want(t, 0, "not observed")
	testkit.Eventually(t, "all to be dead again", func() bool { return len(w.deadSet(t)) == 15 })
	w.kill()
	w = s.worker("max_retry_attempts=3", "initial_retry_wait=1h", "max_retry_wait=1h")
	s.gateway.tell(always(status(500)))
	got := replay("--force", "--observe", "1s").want(t, 3, "replayed 15, succeeded 0, failed again 0, pending 15")
	if strings.Contains(got.stdout, "skipped") {
		t.Errorf("it says %q, want nothing of skipped ones", got.stdout)
	}
	w.cli(t, "dead", "replay", "--all", "--dry-run", "-o", "json").want(t, 0, `"plan":{"count":0`)
}

func TestCLI_CtrlCLeavesTheJobRunning(t *testing.T) {
	t.Parallel()
	s, w := givingUp(t)
	s.bury(w, "fn1", strings.Split(strings.Repeat("x", 60), "")...)
	s.gateway.tell(always(status(200)))
	p := w.person(t, "dead", "replay", "--all", "--rate", "1", "--yes") // takes a minute
	testkit.Eventually(t, "the job to have begun", func() bool { return len(s.gateway.all()) > 60 })
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	screen := p.want(1, "the job continues", "queue-worker job status", "queue-worker job cancel")
	job := strings.Fields(screen[strings.Index(screen, "job cancel ")+len("job cancel "):])[0]
	if got := w.cli(t, "job", "status", job).want(t, 0).stdout; !strings.Contains(got, "state\trunning\n") && !strings.Contains(got, "state\twaiting\n") {
		t.Errorf("the job is %s", got)
	}
	w.cli(t, "job", "pause", job).want(t, 0, ": paused")
	w.cli(t, "job", "resume", job).want(t, 0, ": running")
	w.cli(t, "job", "cancel", job).want(t, 0, ": cancelled")
	w.cli(t, "job", "resume", job).want(t, 1, "the job has finished")
	w.cli(t, "job", "cancel", "0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7", job).want(t, 1, "no job has this id")
	w.cli(t, "job", "status", "x").want(t, 2, "not a job's id")
}

func TestCLI_NoWaitReturnsAtOnce(t *testing.T) {
	t.Parallel()
	s, w := givingUp(t)
	s.bury(w, "fn1", "a", "b")
	s.gateway.tell(always(status(200)))
	job := w.cli(t, "dead", "replay", "--all", "--rate", "1", "--yes", "--no-wait").want(t, 0, "not observed", "continues in the worker").lines()
	if len(job) != 1 {
		t.Fatalf("it writes %q, want 1", job)
	}
	w.cli(t, "job", "status", job[0], "--watch", "-o", "json").want(t, 0, `"state":"done"`, `"done":2`)
}

// A worker that is away for a while does not end the watching.
func TestCLI_AJobIsWatchedOverARestart(t *testing.T) {
	t.Parallel()
	s, w := givingUp(t)
	s.bury(w, "fn1", "a", "b", "c", "d", "e", "f", "g", "h")
	s.gateway.tell(always(status(200)))
	p := w.person(t, "dead", "replay", "--all", "--rate", "1", "--yes")
	testkit.Eventually(t, "the job to have begun", func() bool { return len(s.gateway.all()) > 8 })
	w.kill()
	testkit.Eventually(t, "the watcher to notice", func() bool { return strings.Contains(p.screen(), "does not answer") })
	s.worker("http_listen_address=" + strings.TrimPrefix(w.base, "http://"))
	p.want(0, "replayed 8, succeeded 8, failed again 0, pending 0")
}
