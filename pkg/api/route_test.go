package api_test

// Paths, methods, health and metrics.

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/api"
	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/wire"
)

func TestUnknownPathsAre404AndNeverRedirected(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, path := range []string{
		"/nope", "/dead/", "/assets/", "/v1", "/v1/", "/v1/dead_set/", "/v1/dead_set/" + apitest.IDOf(0).String() + "/", "/v1/dead_set/" + apitest.IDOf(0).String() + "/nope",
		"//v1/dead_set", "/v1//dead_set", "/v1/./dead_set", "/x/../v1/dead_set", "/v1/dead_set/../../metrics", "/ping/", "/PING", "/favicon.ico",
	} {
		for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS"} {
			switch got := r.Ask(t, method, path); {
			case got.Status != http.StatusNotFound:
				t.Errorf("%s %s answers %d %s, want status %d", method, path, got.Status, got.Body, http.StatusNotFound)
			case got.ReasonOf(t) != wire.NotFound:
				t.Errorf("%s %s answers %d %s, want reason %v", method, path, got.Status, got.Body, wire.NotFound)
			}
		}
	}
}

func TestWrongMethodsAre405AndHaveNoEffect(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, 1)
	one := "/v1/dead_set/" + apitest.IDOf(0).String()
	for path, allow := range map[string]string{
		"/": "GET, HEAD", "/dead": "GET, HEAD", "/ping": "GET, HEAD", "/healthz": "GET, HEAD", "/readyz": "GET, HEAD", "/metrics": "GET, HEAD", "/_metrics": "GET, HEAD",
		"/v1/dead_set": "DELETE, GET, HEAD", "/v1/dead_set/groups": "GET, HEAD", "/v1/dead_set/export": "GET, HEAD",
		"/v1/dead_set/import": "POST", "/v1/dead_set/replay": "POST", one: "DELETE, GET, HEAD", one + "/replay": "POST",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			if strings.Contains(allow, method) {
				continue
			}
			got := r.Ask(t, method, path)
			switch {
			case got.Status != http.StatusMethodNotAllowed:
				t.Errorf("%s %s answers %d, Allow %q, want status %d", method, path, got.Status, got.Header.Get("Allow"), http.StatusMethodNotAllowed)
			case got.Header.Get("Allow") != allow:
				t.Errorf("%s %s answers %d, Allow %q, want allow %v", method, path, got.Status, got.Header.Get("Allow"), allow)
			}
			if method != http.MethodHead && got.ReasonOf(t) != wire.MethodNotAllowed {
				t.Errorf("%s %s answers %s", method, path, got.Body)
			}
		}
	}
	if n := r.Store.Stats().Dead; n != 1 {
		t.Errorf("a wrong method had an effect: got %v, want 1", n)
	}
}

func TestHeadIsGetWithoutABody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, 1)
	for _, path := range []string{"/ping", "/v1/dead_set", "/v1/dead_set/" + apitest.IDOf(0).String() + "?body=true"} {
		get, head := r.Ask(t, http.MethodGet, path), r.Ask(t, http.MethodHead, path)
		switch {
		case head.Status != http.StatusOK:
			t.Errorf("HEAD %s answers %d %v %q, want status %d", path, head.Status, head.Header, head.Body, http.StatusOK)
		case head.Body != "":
			t.Errorf("HEAD %s answers %d %v %q, want body empty", path, head.Status, head.Header, head.Body)
		case head.Header.Get("Content-Length") != get.Header.Get("Content-Length"):
			t.Errorf("HEAD %s answers %d %v %q, want Content-Length %v", path, head.Status, head.Header, head.Body, get.Header.Get("Content-Length"))
		}
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	got := newRig(t).Ask(t, http.MethodGet, "/ping")
	switch {
	case got.Status != http.StatusOK:
		t.Errorf("answer is %d %v %q, want status %d", got.Status, got.Header, got.Body, http.StatusOK)
	case got.Body != "pong":
		t.Errorf(`answer is %d %v %q, want body "pong"`, got.Status, got.Header, got.Body)
	case !strings.HasPrefix(got.Header.Get("Content-Type"), "text/plain"):
		t.Errorf(`answer is %d %v %q, want "text/plain" at its beginning`, got.Status, got.Header, got.Body)
	}
	if s := got.Header.Get("Server"); s != "queue-worker/1.2.3" {
		t.Errorf(`Server is %q, want "queue-worker/1.2.3"`, s)
	}
}

func TestHealthAndReadinessNameEveryReason(t *testing.T) {
	t.Parallel()
	source, disk := errors.New("source: not connected to nats:4222"), errors.New("store: disk full")
	tests := []struct {
		name           string
		healthy, ready error
		path           string
		status         int
		reason         wire.Reason
		reasons        []string
	}{
		{"all is well, healthz", nil, nil, "/healthz", 200, "", nil},
		{"all is well, readyz", nil, nil, "/readyz", 200, "", nil},
		{"NATS Streaming that is away does not make a process ill", nil, source, "/healthz", 200, "", nil},
		{"NATS Streaming that is away makes it not ready", nil, source, "/readyz", 503, wire.NotReady, []string{source.Error()}},
		{"both reasons are listed", nil, errors.Join(disk, source), "/readyz", 503, wire.NotReady, []string{disk.Error(), source.Error()}},
		{"a store that has failed makes it ill", disk, disk, "/healthz", 503, wire.Unhealthy, []string{disk.Error()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(o *apitest.Options) {
				o.API.Healthy, o.API.Ready = func() error { return tt.healthy }, func() error { return tt.ready }
			})
			got := r.Ask(t, http.MethodGet, tt.path)
			switch {
			case got.Status != tt.status:
				t.Errorf("answer is %d %s, want status %v", got.Status, got.Body, tt.status)
			case r.Ask(t, http.MethodGet, "/ping").Status != http.StatusOK:
				t.Errorf("answer is %d %s, want status %d", got.Status, got.Body, http.StatusOK)
			}
			if tt.status == http.StatusOK {
				if got.Body != "ok" {
					t.Errorf(`answer is %q, want "ok"`, got.Body)
				}
				return
			}
			if got.ReasonOf(t) != tt.reason {
				t.Errorf("answer is %s, want reason %v", got.Body, tt.reason)
			}
			for _, want := range tt.reasons {
				if !strings.Contains(got.Body, want) {
					t.Errorf("%q is not in %s, want it", want, got.Body)
				}
			}
		})
	}
}

func TestMetricsAreAtBothPathsAndSurviveABrokenPart(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "queue_worker_test_total", Help: "A test."})
	registry.MustRegister(c, broken{})
	c.Inc()
	r := newRig(t, func(o *apitest.Options) { o.API.Gatherer = registry })
	for _, path := range []string{"/metrics", "/_metrics"} {
		got := r.Ask(t, http.MethodGet, path)
		switch {
		case got.Status != http.StatusOK:
			t.Errorf("%s answers %d %v\n%s, want status %d", path, got.Status, got.Header, got.Body, http.StatusOK)
		case !strings.Contains(got.Body, "\nqueue_worker_test_total 1\n"):
			t.Errorf("%s answers %d %v\n%s, want \"\\nqueue_worker_test_total 1\\n\" in it", path, got.Status, got.Header, got.Body)
		case !strings.HasPrefix(got.Header.Get("Content-Type"), "text/plain"):
			t.Errorf("%s answers %d %v\n%s, want \"text/plain\" at its beginning", path, got.Status, got.Header, got.Body)
		}
	}
	if !strings.Contains(r.Logs.String(), "cannot be collected") {
		t.Errorf("the log is\n%s, want \"cannot be collected\" in it", r.Logs)
	}
}

// broken is a collector that fails.
type broken struct{}

var brokenDesc = prometheus.NewDesc("queue_worker_broken", "Fails.", nil, nil)

func (broken) Describe(c chan<- *prometheus.Desc) { c <- brokenDesc }

func (broken) Collect(c chan<- prometheus.Metric) {
	c <- prometheus.NewInvalidMetric(brokenDesc, errors.New("cannot be collected"))
}

func TestHealthAndMetricsAreOpenToEveryone(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*apitest.Options){"basic_auth": apitest.WithBasicAuth(t), "without": func(*apitest.Options) {}} {
		r := newRig(t, edit)
		for _, path := range []string{"/ping", "/healthz", "/readyz", "/metrics", "/_metrics"} {
			got := r.Ask(t, http.MethodGet, path, func(r *http.Request) {
				r.Host = "worker.example"
				r.Header.Set("X-Forwarded-For", "10.0.0.1")
				r.Header.Set("Authorization", "Basic wrong")
			})
			if got.Status != http.StatusOK {
				t.Errorf("%s: %s answers %d %s, want %d", name, path, got.Status, got.Body, http.StatusOK)
			}
		}
	}
}

func TestNewRefusesMissingParts(t *testing.T) {
	t.Parallel()
	var whole api.Options
	r := newRig(t, func(o *apitest.Options) { whole = o.API })
	whole.Admin, whole.Ingest = r.Admin, r.Ingest
	if _, err := api.New(whole); err != nil {
		t.Error(err)
	}
	for name, edit := range map[string]func(*api.Options){
		"Admin": func(o *api.Options) { o.Admin = nil }, "Ingest": func(o *api.Options) { o.Ingest = nil }, "Gatherer": func(o *api.Options) { o.Gatherer = nil },
		"Healthy": func(o *api.Options) { o.Healthy = nil }, "Ready": func(o *api.Options) { o.Ready = nil },
	} {
		o := whole
		edit(&o)
		if _, err := api.New(o); err == nil {
			t.Errorf("New works without %s: got %v, want an error", name, err)
		}
	}
}

func TestErrorsHaveTheShapeOfTheGoldenFile(t *testing.T) {
	t.Parallel()
	apitest.GoldenProblems(t, api.Problems())
}
