package e2e

// How the program starts, and why it does not.

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fails runs the program to its end and returns what it wrote.
func fails(t *testing.T, exit int, env []string, args ...string) string {
	t.Helper()
	p := launch(t, plainBinary, env, args...)
	if code := p.exit(t); code != exit {
		t.Errorf("the exit code is %d, want %d", code, exit)
	}
	return p.out.String()
}

// lastLine is what the operator sees last.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func TestAllProblemsOfTheSettingsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	out := fails(t, 2, []string{
		"faas_nats_port=none", "max_inflight=0", "initial_retry_wait=soon", "retry_http_codes=5yy",
		"backoff=linear", "max_retry_attempts=-1", "gateway_url=http://user:CANARY@gateway:8080", "log_encoding=xml",
	})
	for _, name := range []string{"faas_nats_port", "max_inflight", "initial_retry_wait", "retry_http_codes", "backoff", "max_retry_attempts", "gateway_url", "log_encoding"} {
		logged := 0
		for l := range strings.Lines(out) {
			if strings.Contains(l, name+"=") && strings.Contains(l, "expected") {
				logged++
			}
		}
		if logged != 1 {
			t.Errorf("%s is named in %d lines, want 1", name, logged)
		}
	}
	for _, value := range []string{`"none"`, `"0"`, `"soon"`, `"5yy"`, `"linear"`, `"-1"`, `"xml"`} {
		if !strings.Contains(out, value) {
			t.Errorf("the value %s is not shown, want it", value)
		}
	}
	if strings.Contains(out, "CANARY") {
		t.Errorf(`a password is shown: got %q, want no "CANARY" in it`, out)
	}
	if t.Failed() {
		t.Log(out)
	}
}

func TestADataDirInUseIsRefusedInOneLine(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	out := fails(t, 1, append(s.env, "http_listen_address=127.0.0.1:0", "data_dir_wait=0"))
	switch line := lastLine(out); {
	case !strings.HasPrefix(line, "queue-worker: "):
		t.Errorf(`the last line is %q, want "queue-worker: " at its beginning`, line)
	case !strings.Contains(line, "data_dir"):
		t.Errorf(`the last line is %q, want "data_dir" in it`, line)
	case !strings.Contains(line, "in use by another process"):
		t.Errorf(`the last line is %q, want "in use by another process" in it`, line)
	}
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "done") // the first one was not disturbed
	w.kill()
	s.worker() // a lock does not outlive its process
}

func TestATakenPortIsOneLine(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	for name, test := range map[string]struct {
		env  []string
		args []string
		want string
	}{
		"http_listen_address": {[]string{"http_listen_address=" + taken}, nil, "http_listen_address"},
		"stan_listen_address": {[]string{"http_listen_address=127.0.0.1:0", "stan_embedded=true", "stan_listen_address=" + taken}, nil, "stan_listen_address"},
		"dev gateway":         {nil, []string{"dev", "--gateway-listen", taken, "--stan-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"}, "--gateway-listen"},
		"dev stan":            {nil, []string{"dev", "--gateway-listen", "127.0.0.1:0", "--stan-listen", taken, "--http-listen", "127.0.0.1:0"}, "stan"},
		"dev http":            {nil, []string{"dev", "--gateway-listen", "127.0.0.1:0", "--stan-listen", "127.0.0.1:0", "--http-listen", taken}, "http"},
	} {
		out := fails(t, 1, test.env, test.args...)
		line := lastLine(out)
		switch {
		case !strings.HasPrefix(line, "queue-worker: "):
			t.Errorf(`%s: the last line is %q, want "queue-worker: " at its beginning`, name, line)
		case !strings.Contains(line, taken):
			t.Errorf("%s: the last line is %q, want %q in it", name, line, taken)
		case !strings.Contains(line, test.want):
			t.Errorf("%s: the last line is %q, want %q in it", name, line, test.want)
		}
		if errors := strings.Count(out, "queue-worker: "); errors != 1 {
			t.Errorf("%s: the error has %d lines:\n%s, want 1", name, errors, out)
		}
	}
}

func TestAnUnusableDataDirIsOneLine(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out := fails(t, 1, []string{"http_listen_address=127.0.0.1:0", "data_dir=" + file})
	switch line := lastLine(out); {
	case !strings.HasPrefix(line, "queue-worker: "):
		t.Errorf(`the last line is %q, want "queue-worker: " at its beginning`, line)
	case !strings.Contains(line, file):
		t.Errorf("the last line is %q, want %q in it", line, file)
	}
}

func TestTheFlagsOfChartsAreIgnored(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	for _, args := range [][]string{
		{"-license-file=/var/secrets/license/license"}, {"-license-file", "/var/secrets/license/license", "-pprof=true"}, {"--license-file=x", "--pprof"},
	} {
		w := startWorker(t, plainBinary, s.env, args...).ready(t)
		w.kill()
	}
	if out := fails(t, 2, nil, "-licence-file=x"); !strings.Contains(out, "licence-file") {
		t.Errorf(`an unknown flag is reported as %s, want "licence-file" in it`, out)
	}
	if out := fails(t, 2, nil, "serve"); !strings.Contains(out, "serve") {
		t.Errorf(`an unknown command is reported as %s, want "serve" in it`, out)
	}
}

func TestSettingsWithoutMeaningAreNamedInOneLine(t *testing.T) {
	t.Parallel()
	s := newStand(t, "faas_function_suffix=.openfaas-fn", "gateway_invoke=true", "faas_max_reconnect=120", "nats_stream=x",
		"nats_durable=y", "scaling_mode=static", "consumer_inactive_threshold=30s", "print_request_body=true", "faas_print_body=true", "write_debug=true")
	w := s.worker()
	var lines []entry
	all, _ := w.out.since(0)
	for _, l := range all {
		if strings.Contains(l, "faas_function_suffix") || strings.Contains(l, "write_debug") {
			lines = append(lines, parse(l))
		}
	}
	if len(lines) != 1 {
		t.Fatalf("%d lines name them: %v, want 1 line", len(lines), lines)
	}
	named, _ := lines[0]["names"].([]any)
	if len(named) != 10 {
		t.Errorf("the line names %v, want 10 named", named)
	}
	m := call("fn1", "CANARY")
	s.broker.publish(t, m)
	w.next(t, m, "done")
	if strings.Contains(w.out.String(), "CANARY") {
		t.Errorf(`the body is in the log: got %q, want no "CANARY" in it`, w.out.String())
	}
}

func TestWithoutADataDirNoFileIsWritten(t *testing.T) {
	t.Parallel()
	s := newStand(t, "data_dir=")
	w := s.worker()
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "done")
	for _, dir := range []string{w.cmd.Dir} {
		switch files, err := os.ReadDir(dir); {
		case err != nil:
			t.Errorf("%s holds %v, %v, want no error", dir, files, err)
		case len(files) > 0:
			t.Errorf("%s holds %v, %v, want no files", dir, files, err)
		}
	}
	if n := w.metrics(t).sum("queue_worker_store_durable"); n != 0 {
		t.Errorf("queue_worker_store_durable is %v, want 0", n)
	}
	w.event(t, "the missing data_dir", func(e entry) bool {
		return e.text("level") == "WARN" && strings.Contains(e.message(), "data_dir is not set")
	})
}

func TestTheConsoleLogIsForPeople(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	p := launch(t, plainBinary, append(s.env, "log_encoding=console", "http_listen_address=127.0.0.1:0", "initial_retry_wait=10ms"))
	s.gateway.tell(byRetry(status(500), answer{}))
	m := call("fn1", "")
	s.broker.publish(t, m)
	retry := p.line(t, "the retry", func(l string) bool { return strings.Contains(l, "next=retry") })
	for _, want := range []string{"INF invoked", "call_id=" + id(m), "function=fn1", "status=500", "retry=0/10", "wait=10ms"} {
		if !strings.Contains(retry, want) {
			t.Errorf("%q is not in the line %q, want it", want, retry)
		}
	}
	done := p.line(t, "the end", func(l string) bool { return strings.Contains(l, "next=done") })
	switch {
	case !strings.Contains(done, "retry=1/10"):
		t.Errorf(`the line is %q, want "retry=1/10" in it`, done)
	case strings.Contains(done, "\x1b["):
		t.Errorf(`the line is %q, want no "\x1b[" in it`, done)
	}
}

func TestTheStoreCanBeCheckedWhenTheWorkerIsStopped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newStand(t, "data_dir="+dir, "max_retry_attempts=0")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	s.bury(w, "fn1", "a", "b")
	if line := lastLine(fails(t, 1, nil, "store", "check", "--data-dir", dir)); !strings.Contains(line, "in use by another process") {
		t.Errorf(`beside a running worker it says %q, want "in use by another process" in it`, line)
	}
	w.kill()
	p := launch(t, plainBinary, []string{"data_dir=" + dir}, "store", "check")
	if code := p.exit(t); code != 0 {
		t.Errorf("the exit code is %d:\n%s, want 0", code, p.out.String())
	}
	if n := len(s.worker().deadSet(t)); n != 2 {
		t.Errorf("after the check the dead set has %d dead letters, want 2", n)
	}
}

func TestAStartWithAMillisecondTimeoutStillDrains(t *testing.T) {
	t.Parallel()
	s := newStand(t, "upstream_timeout=1ms", "initial_retry_wait=1ms", "max_retry_attempts=1")
	s.gateway.tell(always(answer{Delay: time.Hour}))
	w := s.worker()
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "dead")
	w.signal(t, 15)
	if code := w.exit(t); code != 0 {
		t.Errorf("the exit code is %d, want 0", code)
	}
}
