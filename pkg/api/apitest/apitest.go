// Package apitest runs the HTTP surface for tests: a real store, the real handlers and the
// real server, and requests over HTTP. The tests of pkg/admin, pkg/ingest and pkg/api use it.
//
// Doubles exist for what the network has behind the worker: NATS Streaming and the gateway;
// and for the store in tests that run in a bubble of testing/synctest.
package apitest

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/internal/testkit"
	"queue-worker/pkg/admin"
	"queue-worker/pkg/api"
	"queue-worker/pkg/finished"
	"queue-worker/pkg/ingest"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/pause"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
	"queue-worker/pkg/wire"
	"queue-worker/pkg/worker"
)

// Options are those of all parts.
type Options struct {
	Admin  admin.Options
	Ingest ingest.Options
	API    api.Options
}

// Rig is the surface with its store.
type Rig struct {
	*admin.Admin
	Ingest  *ingest.Ingest
	Handler http.Handler
	Store   *embedded.Store
	Accepts *Recorder // the store as pkg/ingest sees it
	Queue   *Queue
	Calls   *Calls
	Logs    *testkit.Log
	Base    string // URL of the server
}

// Names are those of functions in tests.
var Names = invocation.Names{DefaultNamespace: "openfaas-fn"}

// New starts the surface on a store in memory. Edits change its options.
func New(t testing.TB, edits ...func(*Options)) *Rig {
	t.Helper()
	return NewOn(t, OpenStore(t, embedded.Options{}), edits...)
}

// NewWatched starts the surface on a store in memory that reports what becomes of
// invocations.
func NewWatched(t testing.TB, edits ...func(*Options)) *Rig {
	t.Helper()
	w := watcher{worker.NewLanes(worker.LanesOptions{}), finished.New()}
	known := func(o *Options) { o.Admin.Watch = w.watch }
	return NewOn(t, OpenStore(t, embedded.Options{Watcher: w}), append([]func(*Options){known}, edits...)...)
}

// watcher notifies callers that wait.
type watcher struct {
	*worker.Lanes
	watch *finished.Watch
}

// Changing implements store.Watcher.
func (w watcher) Changing(changes []store.Change) (changed func(error)) {
	return w.watch.Changing(changes)
}

// NewOn starts the surface on a store.
func NewOn(t testing.TB, s *embedded.Store, edits ...func(*Options)) *Rig {
	t.Helper()
	r := &Rig{Store: s, Logs: &testkit.Log{}}
	o := r.options(s)
	o.Admin.Jobs = runJobs(t, s, o.Admin.Logger)
	o.Admin.Pauses = pause.New(s, worker.NewLanes(worker.LanesOptions{}), o.Admin.Logger)
	r.build(t, o, edits)
	server := httptest.NewUnstartedServer(nil)
	server.Config = api.NewServer(r.Handler, o.API.Logger)
	server.Start()
	t.Cleanup(server.Close)
	r.Base = server.URL
	return r
}

// options are the options of a surface on a store, which may be a double.
func (r *Rig) options(s store.Store) *Options {
	r.Accepts, r.Queue, r.Calls = &Recorder{Store: s, durable: true}, &Queue{}, &Calls{}
	logger := LogTo(r.Logs)
	o := &Options{
		Admin: admin.Options{
			Store: s, Names: Names, Queues: []string{"faas-request", "q1"}, Watch: finished.New(), Calls: r.Calls,
			Durable: s.Durable(), MaxResponseBytes: 1 << 20, Logger: logger, State: stateOf(s), Started: time.Now(),
		},
		Ingest: ingest.Options{
			Accept: r.Accepts.Accept, Store: r.Accepts, Published: r.Queue, Draining: func() bool { return false }, Accepted: func(string) {}, Names: Names,
			CheckURL: checkURL, Queue: "faas-request", MaxBytes: 64 << 10, Window: time.Hour, Logger: logger,
		},
		API: api.Options{
			Gatherer: prometheus.NewRegistry(), Healthy: Fine, Ready: Fine, Console: true, ConsoleActions: true, Version: "1.2.3", Logger: logger,
		},
	}
	withWorker(&o.Admin, s)
	return o
}

// stateOf is the state of a durable store and of a worker that is ready.
func stateOf(s store.Store) func() wire.Status {
	return func() wire.Status {
		var st store.LaneStats
		for _, n := range s.Lanes() {
			st.Ready, st.Delayed, st.Dead = st.Ready+n.Ready, st.Delayed+n.Delayed, st.Dead+n.Dead
		}
		return wire.Status{
			Worker: wire.WorkerStatus{
				Version: "1.2.3", Started: Begin, Ready: true, Reasons: []string{}, Queues: []wire.QueueStatus{{Name: "faas-request"}},
				Source: wire.SourceStatus{URL: "nats://nats:4222", Connected: true}, Gateway: wire.GatewayStatus{URL: "http://gateway:8080"},
			},
			Store: wire.StoreStatus{Durable: true, Path: "/data", Ready: st.Ready, Delayed: st.Delayed, Dead: st.Dead},
		}
	}
}

// build makes the parts after the edits.
func (r *Rig) build(t testing.TB, o *Options, edits []func(*Options)) {
	t.Helper()
	for _, edit := range edits {
		edit(o)
	}
	var err error
	if r.Admin, err = admin.New(o.Admin); err != nil {
		t.Fatal(err)
	}
	if r.Ingest, err = ingest.New(o.Ingest); err != nil {
		t.Fatal(err)
	}
	o.API.Admin, o.API.Ingest = r.Admin, r.Ingest
	if r.Handler, err = api.New(o.API); err != nil {
		t.Fatal(err)
	}
}

// Fine is the health of a part that works.
func Fine() error { return nil }

// LogTo logs everything.
func LogTo(l *testkit.Log) *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
