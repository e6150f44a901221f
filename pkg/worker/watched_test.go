package worker

// What operators see: metrics and log lines.

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"queue-worker/internal/testkit"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/retry"
)

// golden compares with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	testkit.Golden(t, filepath.Join("testdata", name), got)
}

// series lists names, types and labels of all metrics, a line each.
func (r *rig) series() string {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		fmt.Fprintf(&b, "%s %s\n", f.GetName(), strings.ToLower(f.GetType().String()))
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				value := l.GetValue()
				if l.GetName() == "store" { // random
					value = "…"
				}
				labels = append(labels, l.GetName()+"="+value)
			}
			if len(labels) > 0 {
				fmt.Fprintf(&b, "    %s\n", strings.Join(labels, " "))
			}
		}
	}
	return b.String()
}

func TestMetricsArePresentAtZero(t *testing.T) {
	t.Parallel()
	s := defaults(t)
	s.caller = newFake(statuses(200))
	r := start(t, s)
	golden(t, "metrics-at-start.txt", r.series())
}

func TestMetricsAfterOneOfEverything(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(_ context.Context, n int, c called) invoke.Result {
			switch c.target {
			case "down":
				return invoke.Result{Status: 503, Cause: invocation.CauseTimeout}
			case "wrong":
				return status(404)
			case "late":
				if n == 0 {
					return status(500)
				}
			}
			return status(200)
		})
		s := defaults(t)
		s.caller = f
		r := start(t, s)
		r.accept(calling("fine", hook))
		r.accept(to("wrong.staging"))
		r.accept(to("wrong"))
		r.accept(to("late"))
		r.accept(to("down"))
		pass(5 * time.Second)
		for name, want := range map[string]float64{"delayed": 2, "pending_messages": 2, "ready": 0, "dead": 1, "accepted_total": 6, "unaccounted": 0} {
			if got := r.metric(name); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		pass(time.Hour)
		golden(t, "metrics-after.txt", r.series())
		for _, tt := range []struct {
			name   string
			labels []string
			want   float64
		}{
			{"attempts_total", []string{"late.openfaas-fn", "5xx"}, 1},
			{"attempts_total", []string{"late.openfaas-fn", "2xx"}, 1},
			{"attempts_total", []string{"down.openfaas-fn", "none"}, 11},
			{"attempts_total", []string{"wrong.staging", "2xx"}, 1},
			{"attempts_total", []string{callbackLabel, "2xx"}, 1},
			{"attempts_unanswered_total", []string{"timeout"}, 11},
			{"retries_total", []string{"down.openfaas-fn"}, 10},
			{"dead_letters_total", []string{"attempts_exhausted"}, 1},
			{"dead_letters_total", []string{"non_retryable"}, 1},
			{"messages_processed_total", []string{queue}, 6},
			{"callbacks_total", []string{"delivered"}, 1},
			{"attempt_seconds", []string{"function"}, 16},
			{"attempt_seconds", []string{"callback"}, 1},
			{"lateness_seconds", nil, 17},
			{"function_invocation_inflight", nil, 0},
			{"dead", nil, 2},
			{"done_total", nil, 4},
		} {
			if got := r.metric(tt.name, tt.labels...); got != tt.want {
				t.Errorf("%s %v is %v, want %v", tt.name, tt.labels, got, tt.want)
			}
		}
	})
}

func TestWhatIsInFlightIsNotReady(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := defaults(t)
		s.caller = newFake(func(ctx context.Context, _ int, _ called) invoke.Result { return takes(ctx, time.Hour, status(200)) })
		r := start(t, s)
		for range 10 {
			r.accept(to("fn"))
		}
		pass(time.Second)
		switch {
		case r.metric("function_invocation_inflight", "fn.openfaas-fn") != 4:
			t.Errorf(`%v in flight, %v ready, want r.metric("function_invocation_inflight", "fn.openfaas-fn") 4`, r.metric("function_invocation_inflight"), r.metric("ready"))
		case r.metric("ready") != 6:
			t.Errorf(`%v in flight, %v ready, want r.metric("ready") 6`, r.metric("function_invocation_inflight"), r.metric("ready"))
		case r.metric("pending_messages") != 6:
			t.Errorf(`%v in flight, %v ready, want r.metric("pending_messages") 6`, r.metric("function_invocation_inflight"), r.metric("ready"))
		}
	})
}

func TestMetricNamesAreGood(t *testing.T) {
	t.Parallel()
	s := defaults(t)
	s.caller = newFake(statuses(200))
	r := start(t, s)
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	l := NewLabels(invocation.Names{DefaultNamespace: "openfaas-fn"})
	seen := map[string]bool{}
	for n := range 3 * maxLabels {
		seen[l.Answered(invocation.Lane{Name: fmt.Sprint("fn-", n)})] = true
	}
	if len(seen) != maxLabels+1 || !seen[otherLabel] {
		t.Errorf("%d values, want %d and %s", len(seen), maxLabels, otherLabel)
	}
	for _, tt := range []struct{ lane, want string }{
		{"fn-1", "fn-1.openfaas-fn"},
		{"url:example.com:443", callbackLabel},
		{"", unnamedLabel},
		{"new", otherLabel},
	} {
		if got := l.Lane(invocation.Lane{Name: tt.lane}); got != tt.want {
			t.Errorf("label of %q is %q, want %q", tt.lane, got, tt.want)
		}
	}
}

func TestLabelsOfManyAtOnce(t *testing.T) {
	t.Parallel()
	l := NewLabels(invocation.Names{})
	done := make(chan struct{})
	for range 8 {
		go func() {
			defer func() { done <- struct{}{} }()
			for n := range 2 * maxLabels {
				_ = l.Answered(invocation.Lane{Name: fmt.Sprint(n)})
			}
		}()
	}
	for range 8 {
		<-done
	}
	if len(l.known) != maxLabels {
		t.Errorf("%d labels, want %d", len(l.known), maxLabels)
	}
}

func TestManyFunctionsShareOneSeries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := defaults(t)
		s.caller, s.policy.DeadCodes = newFake(statuses(500)), retry.Codes{}
		s.inflight = 50
		r := start(t, s)
		for n := range maxLabels + 20 {
			r.accept(to(fmt.Sprint("fn-", n)))
		}
		pass(5 * time.Second)
		switch {
		case r.metric("delayed", otherLabel) != 20:
			t.Errorf(`%v share a series, want r.metric("delayed", otherLabel) 20`, r.metric("delayed", otherLabel))
		case r.metric("attempts_total", otherLabel) != 20:
			t.Errorf(`%v share a series, want r.metric("attempts_total", otherLabel) 20`, r.metric("delayed", otherLabel))
		}
	})
}

func TestLogLines(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(ctx context.Context, n int, c called) invoke.Result {
			switch {
			case c.target == "late" && n == 0:
				return takes(ctx, 1500*time.Millisecond, status(429))
			case c.target == "down":
				return invoke.Result{Status: 503, Cause: invocation.CauseRefused, Detail: "connection refused"}
			case c.target == "wrong":
				return status(404)
			case c.target == "bad":
				return invoke.Result{Malformed: true, Detail: "the header has a field with an illegal name"}
			}
			return status(200)
		})
		s := defaults(t)
		s.caller, s.inflight, s.policy.Attempts = f, 1, 1
		r := start(t, s)
		for _, name := range []string{"fine", "late", "down", "wrong", "bad"} {
			m := calling(name, hook)
			if name != "fine" {
				m.Header.Del("X-Callback-Url")
			}
			r.accept(m)
			pass(time.Minute)
		}
		golden(t, "log.txt", r.lines())
	})
}

func TestLogLinesOfAWorkerWithoutADeadSetAndWithoutALimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(500, 404))
		s := defaults(t)
		s.caller, s.noDead, s.policy.Attempts = f, true, retry.Unlimited
		r := start(t, s)
		r.accept(calling("fn", ""))
		pass(time.Minute)
		golden(t, "log-unlimited.txt", r.lines())
	})
}

// lines are the log's lines above debug, their fields in order of name, without
// what differs from run to run.
func (r *rig) lines() string {
	var b strings.Builder
	for _, message := range []string{"invoked", "callback"} {
		for _, record := range r.log.lines(r.t, message) {
			delete(record, "time")
			record["id"] = "<id>"
			if _, ok := record["at"]; ok {
				record["at"] = "<time>"
			}
			var fields []string
			for _, key := range slices.Sorted(maps.Keys(record)) {
				value := record[key]
				if n, ok := value.(float64); ok && (key == "duration" || key == "wait") {
					value = time.Duration(n)
				}
				fields = append(fields, fmt.Sprintf("%s=%q", key, fmt.Sprint(value)))
			}
			b.WriteString(strings.Join(fields, " ") + "\n")
		}
	}
	return b.String()
}

const canary = "CANARY-7f31"

func TestNothingThatIsSecretIsEverLogged(t *testing.T) {
	t.Parallel()
	hook := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("X-Answer", canary)
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, canary)
	})
	gateway := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		w.Header().Set("X-Answer", canary)
		if strings.Contains(r.URL.Path, "broken") {
			panic(http.ErrAbortHandler)
		}
		if strings.Contains(r.URL.Path, "failing") {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, canary)
	})
	s := online(t, gateway)
	s.policy.Attempts, s.dir = 1, t.TempDir()
	r := start(t, s)
	secret := func(name, url string) message {
		return message{
			Function: name, Body: []byte(canary), Path: "/" + canary, QueryString: "q=" + canary,
			Header: http.Header{
				"Authorization": {"Bearer " + canary}, "Cookie": {canary}, "X-" + canary: {canary}, "X-Callback-Url": {url},
			},
			Annotations: map[string]string{"x": canary},
		}
	}
	target := strings.Replace(hook.URL, "//", "//user:"+canary+"@", 1) + "/" + canary + "?q=" + canary + "#" + canary
	urls := []string{target, "http://127.0.0.1:1/" + canary, "ftp://" + canary, "http://u:" + canary + "@10.0.0.1.5/", "http://[" + canary}
	for _, name := range []string{"fine", "failing", "broken"} {
		for _, u := range urls {
			r.accept(secret(name, u))
		}
	}
	bad := secret("fine", target)
	bad.Header["X-Bad"] = []string{canary + "\n"}
	r.accept(bad)
	r.acceptRaw("", "", []byte(`{"Header":{"`+canary+`":5}}`))
	r.await(3*len(urls) + 2)
	r.close()
	log := r.log.String()
	for _, secret := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary))} {
		if i := strings.Index(log, secret); i >= 0 {
			start := strings.LastIndexByte(log[:i], '\n') + 1
			t.Errorf("the log holds a secret: %s", log[start:start+strings.IndexByte(log[start:], '\n')])
		}
	}
	switch {
	case !strings.Contains(log, "callback_refused"):
		t.Errorf(`the test has not tried what it is about: got %q, want "callback_refused" in log`, log)
	case len(hook.requests("/"+canary)) == 0:
		t.Error("the test has not tried what it is about, want at least 1")
	}
}

func TestMetricsDoNotTellHowACallbackFailed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		causes := invocation.Causes()
		f := answers(always(200), func(n int) invoke.Result {
			return invoke.Result{Status: 503, Cause: causes[n%len(causes)], Duration: time.Duration(n) * time.Second}
		})
		s := defaults(t)
		s.caller, s.policy.Attempts = f, len(causes)-1
		r := start(t, s)
		r.accept(calling("fn", hook))
		pass(time.Hour)
		for _, cause := range causes {
			want := 0.0
			if cause == invocation.CauseTransport {
				want = float64(len(causes))
			}
			if got := r.metric("attempts_unanswered_total", string(cause)); got != want {
				t.Errorf("%s is counted %v times, want %v", cause, got, want)
			}
		}
		if got := r.metric("attempt_seconds", "callback"); got != 0 {
			t.Errorf("%v durations of callbacks that got no answer, want 0", got)
		}
		if got := r.metric("attempts_total", callbackLabel, "none"); got != float64(len(causes)) {
			t.Errorf("%v calls are counted, want %v", got, float64(len(causes)))
		}
		var got []string // in the dead letter
		for _, a := range r.letters()[0].Attempts {
			got = append(got, string(a.Cause))
		}
		if want := fmt.Sprint(causes); fmt.Sprint(got) != want {
			t.Errorf("the dead letter has %v, want %v", got, want)
		}
	})
}
