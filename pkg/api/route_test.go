package api

// Paths, methods, health and metrics.

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestUnknownPathsAre404AndNeverRedirected(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, path := range []string{
		"/", "/nope", "/v1", "/v1/", "/v1/dead_set/", "/v1/dead_set/" + idOf(0).String() + "/", "/v1/dead_set/" + idOf(0).String() + "/nope",
		"//v1/dead_set", "/v1//dead_set", "/v1/./dead_set", "/x/../v1/dead_set", "/v1/dead_set/../../metrics", "/ping/", "/PING", "/favicon.ico",
	} {
		for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS"} {
			if got := r.ask(t, method, path); got.status != http.StatusNotFound || got.reasonOf(t) != notFound {
				t.Errorf("%s %s answers %d %s", method, path, got.status, got.body)
			}
		}
	}
}

func TestACallIDOfAnyCharactersIsFoundAndCancelled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n, call := range []string{"//", ".", "..", "...", "https://", "a//b", "a/../b", "../../metrics", "a%2Fb", "?", " "} {
		inv := delayedAt(n, "figlet")
		inv.CallID = call
		r.put(t, inv, nil)
		path := strings.ReplaceAll(url.PathEscape(call), ".", "%2E")
		var got shown
		r.get(t, "/v1/invocations/"+path, &got)
		if want := []string{num(n) + " delayed"}; !slices.Equal(got.states(), want) {
			t.Errorf("%q: got %q, want %q", call, got.states(), want)
		}
		if got := r.ask(t, http.MethodDelete, "/v1/invocations/"+path); got.status != http.StatusAccepted {
			t.Errorf("DELETE %s: got %d %s, want 202", path, got.status, got.body)
		}
	}
}

func TestWrongMethodsAre405AndHaveNoEffect(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.bury(t, 1)
	one := "/v1/dead_set/" + idOf(0).String()
	for path, allow := range map[string]string{
		"/ping": "GET, HEAD", "/healthz": "GET, HEAD", "/readyz": "GET, HEAD", "/metrics": "GET, HEAD", "/_metrics": "GET, HEAD",
		"/v1/dead_set": "DELETE, GET, HEAD", "/v1/dead_set/groups": "GET, HEAD", "/v1/dead_set/export": "GET, HEAD",
		"/v1/dead_set/import": "POST", "/v1/dead_set/replay": "POST", one: "DELETE, GET, HEAD", one + "/replay": "POST",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			if strings.Contains(allow, method) {
				continue
			}
			got := r.ask(t, method, path)
			if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != allow {
				t.Errorf("%s %s answers %d, Allow %q", method, path, got.status, got.header.Get("Allow"))
			}
			if method != http.MethodHead && got.reasonOf(t) != methodNotAllowed {
				t.Errorf("%s %s answers %s", method, path, got.body)
			}
		}
	}
	if ids, _ := r.readAll(t, 500); len(ids) != 1 {
		t.Error("a wrong method had an effect")
	}
}

func TestHeadIsGetWithoutABody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.bury(t, 1)
	for _, path := range []string{"/ping", "/v1/dead_set", "/v1/dead_set/" + idOf(0).String() + "?body=true"} {
		get, head := r.ask(t, http.MethodGet, path), r.ask(t, http.MethodHead, path)
		if head.status != http.StatusOK || head.body != "" || head.header.Get("Content-Length") != get.header.Get("Content-Length") {
			t.Errorf("HEAD %s answers %d %v %q", path, head.status, head.header, head.body)
		}
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	got := newRig(t).ask(t, http.MethodGet, "/ping")
	if got.status != http.StatusOK || got.body != "pong" || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") {
		t.Errorf("answer is %d %v %q", got.status, got.header, got.body)
	}
	if s := got.header.Get("Server"); s != "queue-worker/1.2.3" {
		t.Errorf("Server is %q", s)
	}
}

func TestHealthAndReadinessNameEveryReason(t *testing.T) {
	t.Parallel()
	door, disk := errors.New("door: not connected to nats:4222"), errors.New("store: disk full")
	tests := []struct {
		name           string
		healthy, ready error
		path           string
		status         int
		reason         reason
		reasons        []string
	}{
		{"all is well, healthz", nil, nil, "/healthz", 200, "", nil},
		{"all is well, readyz", nil, nil, "/readyz", 200, "", nil},
		{"a door that is away does not make a process ill", nil, door, "/healthz", 200, "", nil},
		{"a door that is away makes it not ready", nil, door, "/readyz", 503, notReady, []string{door.Error()}},
		{"both reasons are listed", nil, errors.Join(disk, door), "/readyz", 503, notReady, []string{disk.Error(), door.Error()}},
		{"a store that has failed makes it ill", disk, disk, "/healthz", 503, unhealthy, []string{disk.Error()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(o *Options) {
				o.Healthy, o.Ready = func() error { return tt.healthy }, func() error { return tt.ready }
			})
			got := r.ask(t, http.MethodGet, tt.path)
			if got.status != tt.status || r.ask(t, http.MethodGet, "/ping").status != http.StatusOK {
				t.Errorf("answer is %d %s", got.status, got.body)
			}
			if tt.status == http.StatusOK {
				if got.body != "ok" {
					t.Errorf("answer is %q", got.body)
				}
				return
			}
			if got.reasonOf(t) != tt.reason {
				t.Errorf("answer is %s", got.body)
			}
			for _, want := range tt.reasons {
				if !strings.Contains(got.body, want) {
					t.Errorf("%q is not in %s", want, got.body)
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
	r := newRig(t, func(o *Options) { o.Gatherer = registry })
	for _, path := range []string{"/metrics", "/_metrics"} {
		got := r.ask(t, http.MethodGet, path)
		if got.status != http.StatusOK || !strings.Contains(got.body, "\nqueue_worker_test_total 1\n") || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s answers %d %v\n%s", path, got.status, got.header, got.body)
		}
	}
	if !strings.Contains(r.logs.String(), "cannot be collected") {
		t.Errorf("the log is\n%s", r.logs)
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
	for name, edit := range map[string]func(*Options){"basic_auth": withBasicAuth(t), "without": func(*Options) {}} {
		r := newRig(t, edit)
		for _, path := range []string{"/ping", "/healthz", "/readyz", "/metrics", "/_metrics"} {
			got := r.ask(t, http.MethodGet, path, func(r *http.Request) {
				r.Host = "worker.example"
				r.Header.Set("X-Forwarded-For", "10.0.0.1")
				r.Header.Set("Authorization", "Basic wrong")
			})
			if got.status != http.StatusOK {
				t.Errorf("%s: %s answers %d %s", name, path, got.status, got.body)
			}
		}
	}
}

func TestNewRefusesMissingParts(t *testing.T) {
	t.Parallel()
	whole := Options{Store: emptyStore{}, Queues: []string{"q"}, Gatherer: noMetrics, Healthy: fine, Ready: fine}
	if _, err := New(whole); err != nil {
		t.Error(err)
	}
	for name, edit := range map[string]func(*Options){
		"Store": func(o *Options) { o.Store = nil }, "Queues": func(o *Options) { o.Queues = nil }, "Gatherer": func(o *Options) { o.Gatherer = nil },
		"Healthy": func(o *Options) { o.Healthy = nil }, "Ready": func(o *Options) { o.Ready = nil },
	} {
		o := whole
		edit(&o)
		if _, err := New(o); err == nil {
			t.Errorf("New works without %s", name)
		}
	}
}

func TestErrorsHaveTheShapeOfTheGoldenFile(t *testing.T) {
	t.Parallel()
	all := map[string]*problem{
		"path": problemPath, "method": problemMethod, "id": problemID, "cursor": problemCursor, "not_found": problemNotFound,
		"not_dead": problemNotDead, "internal": problemInternal, "failed": problemFailed, "closed": problemClosed,
		"stalled": problemStalled, "busy": problemBusy, "origin": problemOrigin, "not_local": problemNotLocal,
		"json": problemJSON, "unknown_key": problemUnknownKey, "too_large": problemTooLarge, "importing": problemImporting, "import_cut": problemImportCut,
		"endless": problemEndless, "import_full": problemImportFull, "topic": problemTopic, "count": problemCount, "channel": problemChannel, "malformed": problemMalformed,
		"no_invocation": problemNoInvocation, "any_id": problemAnyID, "many_wait": problemManyWait, "is_dead": problemIsDead,
		"is_over": problemIsOver, "not_over": problemNotOver, "no_result": problemNoResult, "not_forgotten": problemNotForgotten,
		"no_function": problemNoFunction, "function_name": problemFunctionName, "many_pauses": problemManyPauses, "state": problemState,
		"unauthorized": problemUnauthorized, "unreadable": problemUnreadable,
		"body": problemBody, "queue_size": problemQueueSize, "cut": problemCut, "slow": problemSlow, "crowded": problemCrowded, "unsure": problemUnsure,
		"name": problemName, "unknown": problemUnknown, "key": problemKey,
		"full": problemOfTaking(ErrFull), "draining": problemOfTaking(ErrDraining), "not_connected": problemOfTaking(ErrNotConnected),
	}
	var b strings.Builder
	b.WriteString("{")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		w := httptest.NewRecorder()
		all[name].ServeHTTP(w, nil)
		if b.Len() > 1 {
			b.WriteString(",")
		}
		b.WriteString(`"` + name + ` ` + http.StatusText(w.Code) + `":` + w.Body.String())
	}
	golden(t, "errors.json", b.String()+"}\n")
}
