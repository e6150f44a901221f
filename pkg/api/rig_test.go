package api

// The stand of the tests: a real store, the real server, requests over HTTP.

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"
	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/jobs"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
)

var update = flag.Bool("update", false, "write the golden files")

// rig is one API with its store.
type rig struct {
	*api
	store *embedded.Store
	logs  *lockedBuffer
	base  string
}

// newRig starts an API on a store in memory. Edits change its options.
func newRig(t testing.TB, edits ...func(*Options)) *rig {
	t.Helper()
	return newRigOn(t, openStore(t, embedded.Options{}), edits...)
}

func newRigOn(t testing.TB, s *embedded.Store, edits ...func(*Options)) *rig {
	t.Helper()
	logs := &lockedBuffer{}
	o := Options{
		Store: s, Names: testNames, Queues: []string{"faas-request", "q1"}, Durable: s.Durable(), Gatherer: prometheus.NewRegistry(), Version: "1.2.3",
		Healthy: func() error { return nil }, Ready: func() error { return nil },
		Logger: logTo(logs),
	}
	o.Jobs = runJobs(t, s, o.Logger)
	withCalls(&o)
	for _, edit := range edits {
		edit(&o)
	}
	a, err := newAPI(o)
	if err != nil {
		t.Fatal(err)
	}
	a.arrival = 0 // nothing is on its way through a door
	server := httptest.NewUnstartedServer(nil)
	server.Config = NewServer(a.routes(), o.Logger)
	server.Start()
	t.Cleanup(server.Close)
	return &rig{api: a, store: s, logs: logs, base: server.URL}
}

// runJobs runs the jobs of a store. Nothing calls what they make ready.
func runJobs(t testing.TB, s *embedded.Store, logger *slog.Logger) *jobs.Jobs {
	j := jobs.New(jobs.Options{
		Store: s, Filter: FilterReader(invocation.Names{}), Waiting: func(invocation.Lane) int { return 0 }, MaxInflight: 1,
		InFlight: func(invocation.ID) bool { return false }, Logger: logger,
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); j.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return j
}

func openStore(t testing.TB, o embedded.Options) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask makes a request. Edits change it before it is sent.
func (r *rig) ask(t testing.TB, method, path string, edits ...func(*http.Request)) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, edit := range edits {
		edit(req)
	}
	res, err := http.DefaultTransport.RoundTrip(req) // follows no redirects
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// get asks and decodes a JSON answer with status 200.
func (r *rig) get(t testing.TB, path string, into any) {
	t.Helper()
	got := r.ask(t, http.MethodGet, path)
	if got.status != http.StatusOK {
		t.Fatalf("GET %s answers %d %s", path, got.status, got.body)
	}
	if err := json.Unmarshal([]byte(got.body), into); err != nil {
		t.Fatalf("GET %s answers %s: %v", path, got.body, err)
	}
}

// decode decodes an answer, whatever its status.
func decode(t testing.TB, a answer, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
}

// reasonOf is the reason in an error answer, which must have its whole shape.
func (a answer) reasonOf(t testing.TB) reason {
	t.Helper()
	var p problem
	d := json.NewDecoder(strings.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || p.Text == "" || p.Reason == "" || p.Hint == "" {
		t.Errorf("status %d has no error, reason and hint: %s (%v)", a.status, a.body, err)
	}
	if got := a.header.Get("Content-Type"); got != contentJSON {
		t.Errorf("Content-Type is %q, want %q", got, contentJSON)
	}
	return p.Reason
}

// golden compares JSON with the file of that name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(got), "", "  "); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("%s (-want +got), -update writes it again:\n%s", file, d)
	}
}

// begin is when the story of the tests begins.
var begin = time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC)

// deadAt makes a dead invocation. Different n die in the order of n.
func deadAt(n int) *invocation.Invocation {
	at := begin.Add(time.Duration(n) * time.Second)
	return &invocation.Invocation{
		ID: idOf(n), CallID: "call", Function: "figlet.openfaas-fn",
		Lane:     invocation.Lane{Queue: "faas-request", Name: "figlet"},
		Accepted: at.Add(-time.Minute), Since: at, State: invocation.Dead,
		Reason: invocation.AttemptsExhausted, DiedAt: at,
	}
}

// idOf is the n-th id.
func idOf(n int) invocation.ID {
	id := invocation.ID{0x01, 0x98, 0xf2, 0xa4, 0x7c, 0x1e, 0x70, 0, 0x80}
	id[14], id[15] = byte(n>>8), byte(n)
	return id
}

// request are the bytes of a QueueRequest.
func request(t testing.TB, q types.QueueRequest) []byte {
	t.Helper()
	raw, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// put stores an invocation and returns when it is there.
func (r *rig) put(t testing.TB, inv *invocation.Invocation, raw []byte) {
	t.Helper()
	done := make(chan error, 1)
	r.store.Accept(store.Accept{Inv: inv, Raw: raw}, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// bury puts n plain letters.
func (r *rig) bury(t testing.TB, n int) {
	t.Helper()
	for i := range n {
		r.put(t, deadAt(i), request(t, types.QueueRequest{Function: "figlet", Body: []byte("hello")}))
	}
}

// lockedBuffer is a log that can be read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
