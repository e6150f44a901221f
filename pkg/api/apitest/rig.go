// File rig.go stores invocations and makes requests.

package apitest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"

	"queue-worker/internal/testkit"
	"queue-worker/pkg/admin"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/jobs"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
	"queue-worker/pkg/wire"
)

// runJobs runs the jobs of a store. Nothing calls what they make ready.
func runJobs(t testing.TB, s *embedded.Store, logger *slog.Logger) *jobs.Jobs {
	j := jobs.New(jobs.Options{
		Store: s, Filter: admin.FilterReader(invocation.Names{}), Waiting: func(context.Context, invocation.Lane) (int, error) { return 0, nil }, MaxInflight: 1,
		InFlight: func(invocation.ID) bool { return false }, Logger: logger,
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); j.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return j
}

// OpenStore opens a store until the end of the test.
func OpenStore(t testing.TB, o embedded.Options) *embedded.Store {
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

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Ask makes a request. Edits change it before it is sent.
func (r *Rig) Ask(t testing.TB, method, path string, edits ...func(*http.Request)) Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.Base+path, nil)
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
	return Answer{res.StatusCode, res.Header, string(body)}
}

// Get asks and decodes a JSON answer with status 200.
func (r *Rig) Get(t testing.TB, path string, into any) {
	t.Helper()
	got := r.Ask(t, http.MethodGet, path)
	if got.Status != http.StatusOK {
		t.Fatalf("GET %s answers %d %s, want %d", path, got.Status, got.Body, http.StatusOK)
	}
	if err := json.Unmarshal([]byte(got.Body), into); err != nil {
		t.Fatalf("GET %s answers %s: %v, want no error", path, got.Body, err)
	}
}

// Decode decodes an answer, whatever its status.
func Decode(t testing.TB, a Answer, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Body), into); err != nil {
		t.Fatalf("%d %s: %v, want no error", a.Status, a.Body, err)
	}
}

// Job is the job in an answer with a status.
func (a Answer) Job(t testing.TB, status int) (v wire.Job) {
	t.Helper()
	if a.Status != status {
		t.Fatalf("the answer is %d %s, want %d", a.Status, a.Body, status)
	}
	Decode(t, a, &v)
	return v
}

// Functions are the functions in an answer.
func (a Answer) Functions(t testing.TB) []wire.Function {
	t.Helper()
	if a.Status != http.StatusOK {
		t.Fatalf("the answer is %d %s, want 200", a.Status, a.Body)
	}
	var list wire.FunctionList
	Decode(t, a, &list)
	return list.Functions
}

// ReasonOf is the reason in an error answer, which must have its whole shape.
func (a Answer) ReasonOf(t testing.TB) wire.Reason {
	t.Helper()
	var p wire.Problem
	d := json.NewDecoder(strings.NewReader(a.Body))
	d.DisallowUnknownFields()
	switch err := d.Decode(&p); {
	case err != nil:
		t.Errorf("status %d has no error, reason and hint: %s (%v), want no error", a.Status, a.Body, err)
	case p.Text == "":
		t.Errorf("status %d has no error, reason and hint: %s (%v): got text %v, want not empty", a.Status, a.Body, err, p.Text)
	case p.Reason == "":
		t.Errorf("status %d has no error, reason and hint: %s (%v): got reason %v, want not empty", a.Status, a.Body, err, p.Reason)
	case p.Hint == "":
		t.Errorf("status %d has no error, reason and hint: %s (%v): got hint %v, want not empty", a.Status, a.Body, err, p.Hint)
	}
	if got := a.Header.Get("Content-Type"); got != respond.ContentJSON {
		t.Errorf("Content-Type is %q, want %q", got, respond.ContentJSON)
	}
	return p.Reason
}

// Golden compares JSON with the file of that name.
func Golden(t *testing.T, name, got string) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(got), "", "  "); err != nil {
		t.Fatalf("%s: %v, want no error", got, err)
	}
	testkit.Golden(t, filepath.Join("testdata", name), b.String())
}

// GoldenProblems compares problems with the file errors.json.
func GoldenProblems(t *testing.T, all map[string]*respond.Problem) {
	t.Helper()
	var b strings.Builder
	b.WriteString("{")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		w := httptest.NewRecorder()
		all[name].Write(w)
		if b.Len() > 1 {
			b.WriteString(",")
		}
		b.WriteString(`"` + name + ` ` + http.StatusText(w.Code) + `":` + w.Body.String())
	}
	Golden(t, "errors.json", b.String()+"}\n")
}

// Begin is when the story of the tests begins.
var Begin = time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC)

// DeadAt makes a dead invocation. Different n die in the order of n.
func DeadAt(n int) *invocation.Invocation {
	at := Begin.Add(time.Duration(n) * time.Second)
	return &invocation.Invocation{
		ID: IDOf(n), CallID: "call", Function: "figlet.openfaas-fn",
		Lane:     invocation.Lane{Queue: "faas-request", Name: "figlet"},
		Accepted: at.Add(-time.Minute), Since: at, State: invocation.Dead,
		Reason: invocation.AttemptsExhausted, DiedAt: at,
	}
}

// IDOf is the n-th id.
func IDOf(n int) invocation.ID {
	id := invocation.ID{0x01, 0x98, 0xf2, 0xa4, 0x7c, 0x1e, 0x70, 0, 0x80}
	id[14], id[15] = byte(n>>8), byte(n)
	return id
}

// Request are the bytes of a QueueRequest.
func Request(t testing.TB, q types.QueueRequest) []byte {
	t.Helper()
	raw, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Put stores an invocation and returns when it is there.
func (r *Rig) Put(t testing.TB, inv *invocation.Invocation, raw []byte) {
	t.Helper()
	done := make(chan error, 1)
	r.Store.Accept(store.Accept{Inv: inv, Raw: raw}, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// Bury puts n plain dead letters.
func (r *Rig) Bury(t testing.TB, n int) {
	t.Helper()
	for i := range n {
		r.Put(t, DeadAt(i), Request(t, types.QueueRequest{Function: "figlet", Body: []byte("hello")}))
	}
}
