package jobs

// The stand of the tests: the real store, the clock of a bubble, and a worker
// that makes of each invocation what the test says.

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/internal/testkit"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
)

// bubble runs a test on a clock of its own, which stands still while anybody works.
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

// rig is one process: a store and its jobs.
type rig struct {
	t        testing.TB
	store    *embedded.Store
	jobs     *Jobs
	registry *prometheus.Registry
	logs     *testkit.Log
	stop     func() // ends Run and closes the store; may be called twice

	mu       sync.Mutex
	ready    map[invocation.ID]int // how often each became ready
	order    []invocation.ID
	times    []time.Time
	waiting  map[invocation.Lane]int
	inFlight map[invocation.ID]bool
	offset   time.Duration                                                         // of the wall clock
	outcome  func(*invocation.Invocation) (v invocation.Outcome, in time.Duration) // nil: it stays ready
	acting   sync.WaitGroup
	filter   func(json.RawMessage) (store.Filter, error)
}

// newRig starts a process on a store. Edits change it before jobs run.
func newRig(t testing.TB, o embedded.Options, edits ...func(*rig)) *rig {
	t.Helper()
	r := &rig{
		t: t, registry: prometheus.NewRegistry(), logs: &testkit.Log{}, ready: map[invocation.ID]int{},
		waiting: map[invocation.Lane]int{}, inFlight: map[invocation.ID]bool{}, filter: readFilter,
	}
	for _, edit := range edits {
		edit(r)
	}
	o.Slots, o.Watcher, o.Now = 4, r, r.now
	s, err := embedded.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	r.store = s
	r.jobs = New(Options{
		Store: s, Filter: func(b json.RawMessage) (store.Filter, error) { return r.filter(b) },
		Waiting: r.waits, MaxInflight: 50, InFlight: r.isInFlight,
		Metrics: NewMetrics(r.registry), Logger: slog.New(slog.NewTextHandler(r.logs, nil)), Now: r.now,
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); r.jobs.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		if err := s.Close(); err != nil { // nothing becomes ready after it
			t.Error(err)
		}
		r.acting.Wait()
	})
	t.Cleanup(r.stop)
	return r
}

// spec is the form of filters in these tests.
type spec struct {
	Function string    `json:"function,omitempty"`
	Queue    string    `json:"queue,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Until    time.Time `json:"until,omitzero"`
}

func readFilter(b json.RawMessage) (store.Filter, error) {
	var s spec
	if err := json.Unmarshal(b, &s); err != nil {
		return store.Filter{}, err
	}
	return store.Filter{Function: s.Function, Queue: s.Queue, Since: s.Since, Until: s.Until}, nil
}

func of(s spec) json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return b
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Add(r.offset)
}

// set sets the wall clock by d.
func (r *rig) set(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offset += d
}

// Due implements store.Watcher.
func (r *rig) Due(time.Time) {}

// Changing implements store.Watcher.
func (r *rig) Changing([]store.Change) func(error) { return func(error) {} }

// Ready implements store.Watcher: it counts, and lets the worker begin.
func (r *rig) Ready(all []store.Ready) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, at := range all {
		r.ready[at.ID]++
		r.order, r.times = append(r.order, at.ID), append(r.times, time.Now())
		if r.outcome != nil {
			r.acting.Go(func() { r.call(at) })
		}
	}
}

// call is what becomes of a ready invocation.
func (r *rig) call(at store.Ready) {
	inv, err := r.store.Get(context.Background(), at.ID)
	if err != nil {
		return
	}
	r.mu.Lock()
	f := r.outcome
	r.mu.Unlock()
	v, in := f(inv)
	time.Sleep(in)
	if v == invocation.OutcomeDead {
		inv.Reason, inv.DiedAt = invocation.AttemptsExhausted, r.now()
	}
	_ = r.store.Settle(context.Background(), store.Settlement{At: at, Outcome: v, Inv: inv})
}

// always is the same outcome for everybody.
func always(v invocation.Outcome, in time.Duration) func(*invocation.Invocation) (invocation.Outcome, time.Duration) {
	return func(*invocation.Invocation) (invocation.Outcome, time.Duration) { return v, in }
}

func (r *rig) become(f func(*invocation.Invocation) (invocation.Outcome, time.Duration)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcome = f
}

// waits is how many wait in a lane: those of the store, and others that the test
// speaks of.
func (r *rig) waits(_ context.Context, l invocation.Lane) (int, error) {
	ready := r.store.Lanes()[l].Ready
	r.mu.Lock()
	defer r.mu.Unlock()
	return ready + r.waiting[l], nil
}

func (r *rig) setWaiting(function string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting[lane(function)] = n
}

func (r *rig) isInFlight(id invocation.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inFlight[id]
}

func lane(function string) invocation.Lane {
	return invocation.Lane{Queue: "faas-request", Name: function}
}

// bury puts n letters of a function into the dead set; they died a second apart,
// the last one a second ago. It returns their ids, oldest first.
func (r *rig) bury(function string, n int, edits ...func(*invocation.Invocation)) []invocation.ID {
	r.t.Helper()
	var ids []invocation.ID
	for i := range n {
		died := r.now().Add(time.Duration(i-n) * time.Second)
		inv := &invocation.Invocation{
			ID: invocation.NewID(died), CallID: fmt.Sprint("call-", i), Function: function, Lane: lane(function),
			Accepted: died.Add(-time.Minute), Since: died, State: invocation.Dead, Reason: invocation.AttemptsExhausted, DiedAt: died,
		}
		for _, edit := range edits {
			edit(inv)
		}
		r.accept(inv)
		ids = append(ids, inv.ID)
	}
	return ids
}

// pend puts n invocations of a function that are to be called at a time from now.
func (r *rig) pend(function string, n int, in time.Duration) []invocation.ID {
	r.t.Helper()
	var ids []invocation.ID
	for i := range n {
		inv := &invocation.Invocation{
			ID: invocation.NewID(r.now()), CallID: fmt.Sprint("call-", i), Function: function, Lane: lane(function),
			Accepted: r.now().Add(-time.Second), Since: r.now().Add(in),
		}
		r.accept(inv)
		ids = append(ids, inv.ID)
	}
	return ids
}

func (r *rig) accept(inv *invocation.Invocation) {
	r.t.Helper()
	done := make(chan error, 1)
	r.store.Accept(store.Accept{Inv: inv, Raw: []byte("0123456789")}, func(err error) { done <- err })
	if err := <-done; err != nil {
		r.t.Fatal(err)
	}
}

func replays(n int) func(*invocation.Invocation) {
	return func(inv *invocation.Invocation) { inv.Replays = n }
}

// plan plans, and must succeed.
func (r *rig) plan(q Request) Job {
	r.t.Helper()
	v, err := r.jobs.Plan(r.t.Context(), q)
	if err != nil {
		r.t.Fatalf("plan: %v", err)
	}
	return v
}

// begin plans and applies, and must succeed.
func (r *rig) begin(q Request) Job {
	r.t.Helper()
	v, err := r.jobs.Apply(r.t.Context(), r.plan(q).ID)
	if err != nil {
		r.t.Fatalf("apply: %v", err)
	}
	return v
}

func (r *rig) get(v Job) Job {
	r.t.Helper()
	v, err := r.jobs.Get(v.ID)
	if err != nil {
		r.t.Fatalf("get: %v", err)
	}
	return v
}

// want checks the state and the counts of a job.
func (r *rig) want(v Job, s State, done, skipped int) Job {
	r.t.Helper()
	v = r.get(v)
	if v.State != s || v.Done != done || v.Skipped != skipped {
		r.t.Errorf("the job is %s (%s) with %d done, %d skipped; want %s with %d and %d", v.State, v.Reason, v.Done, v.Skipped, s, done, skipped)
	}
	return v
}

// replayed is how often each letter became ready.
func (r *rig) replayed(id invocation.ID) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ready[id]
}

// made is how many became ready so far.
func (r *rig) made() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.order)
}

// metric is the value of a counter or gauge with a label's value, "" for none.
func (r *rig) metric(name, label string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (len(m.GetLabel()) == 0 && label == "" || len(m.GetLabel()) == 1 && m.GetLabel()[0].GetValue() == label) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	r.t.Fatalf("there is no metric %s %s", name, label)
	return 0
}
