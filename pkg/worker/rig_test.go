package worker

// A worker with everything that is real but what it calls: the tests of this
// package stand on it.

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/policy"
	"queue-worker/pkg/retry"
	"queue-worker/pkg/spool"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
	"queue-worker/pkg/trace"
)

const queue = "faas-request"

// setup is what a rig is made of; every test changes what it is about.
type setup struct {
	inflight int
	policy   policy.Policy
	queues   map[string]policy.Policy
	fns      Functions
	trust    bool   // header_policy=trust
	noDead   bool   // dead_set=off
	dir      string // "" keeps the store in memory
	fs       vfs.FS
	caller   Caller
	check    URLChecker
	wrap     func(Store) Store
	onEnd    func(store.Change) // is called for each end
	keep     time.Duration      // result_ttl
	answer   int                // dead_set_answer_bytes
	window   time.Duration      // idempotency_window
	answers  *spool.Spool
	level    slog.Level
	tracer   *trace.Tracer
	lanes    LanesOptions // beside MaxInflight, which is inflight
}

// rig is a running worker.
type rig struct {
	setup
	t        testing.TB
	store    *embedded.Store
	lanes    *Lanes
	worker   *Worker
	registry *prometheus.Registry
	log      *logBuffer
	holds    *holds
	abort    context.CancelFunc
	ended    chan struct{} // Run has returned
	closed   bool
}

// defaults are the settings of the program, with retries of 500 only.
func defaults(t testing.TB) setup {
	t.Helper()
	codes, err := retry.ParseCodes("408,429,500,502,503,504")
	if err != nil {
		t.Fatal(err)
	}
	dead, err := retry.ParseCodes("4xx,5xx")
	if err != nil {
		t.Fatal(err)
	}
	return setup{
		inflight: 4,
		policy: policy.Policy{Policy: retry.Policy{
			Attempts: 10, Initial: 10 * time.Second, Max: 120 * time.Second, MaxRetryAfter: time.Hour,
			Codes: codes, DeadCodes: dead, UnknownGrace: 30 * time.Second,
		}},
		check: func(raw string) (*url.URL, error) { return url.Parse(raw) },
		level: slog.LevelDebug,
	}
}

// build opens the store and makes a worker that does not run yet.
func build(t testing.TB, s setup) *rig {
	t.Helper()
	r := &rig{setup: s, t: t, registry: prometheus.NewRegistry(), log: &logBuffer{}, holds: newHolds(), ended: make(chan struct{})}
	logger := slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: s.level}))
	s.lanes.MaxInflight = s.inflight
	r.lanes = NewLanes(s.lanes)
	var err error
	last := func(inv *invocation.Invocation, raw []byte) *store.Accept { return r.worker.LastCallback(inv, raw) }
	r.store, err = embedded.Open(embedded.Options{Dir: s.dir, FS: s.fs, Slots: r.lanes.Slots(), Watcher: watching{r.lanes, r}, LastCallback: last, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	labels := NewLabels(invocation.Names{DefaultNamespace: "openfaas-fn"})
	o := Options{
		Store: r.store, Lanes: r.lanes, Caller: s.caller, Policy: s.policy, DeadSet: !s.noDead, CheckURL: s.check,
		Queues: s.queues, Functions: s.fns, TrustHeader: s.trust, Discarded: r.discarded, ResultTTL: s.keep, IdempotencyWindow: s.window, AnswerBytes: s.answer, Answers: s.answers, Tracer: s.tracer,
		Version: "test", Metrics: NewMetrics(r.registry, labels, []string{queue}), Logger: logger,
	}
	if s.wrap != nil {
		o.Store = s.wrap(r.store)
	}
	r.registry.MustRegister(NewCollector(r.store, r.lanes, labels, []string{queue}), store.NewCollector(r.store))
	r.worker = New(o)
	return r
}

// watching is the watcher of a rig's store: the lanes, and what the intake does.
type watching struct {
	*Lanes
	rig *rig
}

func (w watching) Changing(changes []store.Change) func(error) {
	return func(err error) {
		for _, c := range changes {
			if err == nil && c.Outcome != "" && c.Outcome != invocation.OutcomeRetry {
				w.rig.holds.settled(c.Inv.ID, c.Callback)
				w.rig.report(c)
			}
		}
	}
}

func (r *rig) report(c store.Change) {
	if r.onEnd != nil {
		r.onEnd(c)
	}
}

func (r *rig) discarded(inv *invocation.Invocation) {
	r.report(store.Change{Inv: inv, Outcome: invocation.OutcomeDropped})
}

// run lets the worker of a rig run. At the end of the test it is aborted, and
// the accounts of the store have to be even.
func (r *rig) run() *rig {
	r.t.Helper()
	ctx, abort := context.WithCancel(context.Background())
	r.abort = abort
	go func() { defer close(r.ended); r.worker.Run(ctx) }()
	r.t.Cleanup(r.close)
	return r
}

func start(t testing.TB, s setup) *rig { t.Helper(); return build(t, s).run() }

// close ends a rig; it may be called before the end of the test.
func (r *rig) close() {
	r.t.Helper()
	if r.closed {
		return
	}
	r.closed = true
	r.abort()
	<-r.ended
	if n := len(r.lanes.InFlight()); n != 0 {
		r.t.Errorf("%d lanes have calls in flight after the end", n)
	}
	if d := r.store.Stats().Difference(); d != 0 {
		r.t.Errorf("the accounts of the store differ by %d", d)
	}
	if err := r.store.Close(); err != nil {
		r.t.Error(err)
	}
}

// drain takes nothing more and waits for the end of Run.
func (r *rig) drain() { r.worker.Drain(); <-r.ended }

// message is a QueueRequest to be.
type message struct {
	Header      http.Header       `json:",omitempty"`
	Body        []byte            `json:",omitempty"`
	Function    string            `json:",omitempty"`
	Path        string            `json:",omitempty"`
	QueryString string            `json:",omitempty"`
	Annotations map[string]string `json:",omitempty"`
}

// to is a message for a function.
func to(function string) message { return message{Function: function, Body: []byte("hello")} }

// calling is a message whose result goes to a URL.
func calling(function, callback string) message {
	m := to(function)
	m.Header = http.Header{"X-Callback-Url": {callback}, "X-Call-Id": {"call-" + function}}
	return m
}

// accept takes a message in, as the intake does, and waits until it is durable.
func (r *rig) accept(m message) invocation.ID {
	r.t.Helper()
	raw, err := json.Marshal(m)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.acceptRaw(m.Function, m.Header.Get("X-Call-Id"), raw)
}

// acceptAs is accept of a message that comes with terms of its own.
func (r *rig) acceptAs(m message, change func(*invocation.Invocation)) invocation.ID {
	r.t.Helper()
	raw, err := json.Marshal(m)
	if err != nil {
		r.t.Fatal(err)
	}
	inv := newInvocation(m.Function, m.Header.Get("X-Call-Id"))
	change(inv)
	r.holds.take(inv.ID)
	done := make(chan error, 1)
	r.store.Accept(store.Accept{Inv: inv, Raw: raw}, func(err error) { done <- err })
	if err := <-done; err != nil {
		r.t.Fatal(err)
	}
	return inv.ID
}

func (r *rig) acceptRaw(function, callID string, raw []byte) invocation.ID {
	r.t.Helper()
	done := make(chan error, 1)
	id := r.submit(function, callID, raw, done)
	if err := <-done; err != nil {
		r.t.Fatal(err)
	}
	return id
}

// submit takes a message in and does not wait.
func (r *rig) submit(function, callID string, raw []byte, done chan<- error) invocation.ID {
	inv := newInvocation(function, callID)
	r.holds.take(inv.ID)
	r.store.Accept(store.Accept{Inv: inv, Raw: raw}, func(err error) { done <- err })
	return inv.ID
}

func newInvocation(function, callID string) *invocation.Invocation {
	now := time.Now()
	inv := &invocation.Invocation{
		ID: invocation.NewID(now), CallID: callID, Function: function,
		Lane: invocation.Lane{Queue: queue, Name: function}, Accepted: now, Since: now,
	}
	if callID == "" {
		inv.CallID = inv.ID.String()
	}
	return inv
}

// letter is the dead letter with an id.
func (r *rig) letter(id invocation.ID) *invocation.Invocation {
	r.t.Helper()
	inv, err := r.store.Get(context.Background(), id)
	if err != nil || inv.State != invocation.Dead {
		r.t.Fatalf("no dead letter %s: %v, %+v\n%s", id, err, inv, r.log)
	}
	return inv
}

// letters are all dead letters.
func (r *rig) letters() []*invocation.Invocation {
	r.t.Helper()
	page, err := r.store.Letters(r.t.Context(), store.Filter{}, "", 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	return page.Letters
}

// metric is the sum of a metric's series that have the given label values, with
// the count of a histogram.
func (r *rig) metric(name string, labels ...string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	sum, found := 0.0, false
	for _, f := range families {
		for _, m := range f.GetMetric() {
			have := map[string]bool{}
			for _, l := range m.GetLabel() {
				have[l.GetValue()] = true
			}
			match := f.GetName() == "queue_worker_"+name
			for _, l := range labels {
				match = match && have[l]
			}
			if match {
				found = true
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	if !found {
		r.t.Errorf("no metric %s %v", name, labels)
	}
	return sum
}

// holds is the intake as far as the worker knows it: what is unacked.
type holds struct {
	mu   sync.Mutex
	held map[invocation.ID]bool
	over chan invocation.ID // origins that are over
	root map[invocation.ID]invocation.ID
}

func newHolds() *holds {
	return &holds{held: map[invocation.ID]bool{}, root: map[invocation.ID]invocation.ID{}, over: make(chan invocation.ID, 1<<18)}
}

func (h *holds) take(id invocation.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held[id], h.root[id] = true, id
}

func (h *holds) settled(id, successor invocation.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.held[id] {
		return
	}
	delete(h.held, id)
	if successor.IsZero() {
		h.over <- h.root[id]
		return
	}
	h.held[successor], h.root[successor] = true, h.root[id]
}

func (h *holds) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.held)
}

// await waits until so many invocations are over, their callbacks included.
func (r *rig) await(n int) {
	r.t.Helper()
	deadline := time.After(2 * time.Minute)
	for range n {
		select {
		case <-r.holds.over:
		case <-deadline:
			r.t.Fatalf("%d invocations are not over\n%s", r.holds.count(), r.log)
		}
	}
}

// bubble runs a test with a clock of its own, which advances only when everybody
// waits. Pebble fits into one: its goroutines wait on channels and conditions.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// pass lets time go by and everybody come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// newDisk is a file system in memory that outlives a store.
func newDisk() *vfs.MemFS { return vfs.NewCrashableMem() }

// acceptOf is an empty message, to be accepted for an invocation.
func acceptOf(t testing.TB, inv *invocation.Invocation) store.Accept {
	t.Helper()
	raw, err := json.Marshal(to(inv.Function))
	if err != nil {
		t.Fatal(err)
	}
	return store.Accept{Inv: inv, Raw: raw}
}

// scaled is n, and a tenth of it with -short.
func scaled(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}
