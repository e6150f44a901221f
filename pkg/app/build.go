// File build.go makes each part from the settings.

package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/api"
	"queue-worker/pkg/datadir"
	"queue-worker/pkg/descriptor"
	"queue-worker/pkg/egress"
	"queue-worker/pkg/intake"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/jobs"
	"queue-worker/pkg/pause"
	"queue-worker/pkg/spool"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
	"queue-worker/pkg/worker"
)

// shutdownTimeout is how long requests to our own listener may take to end.
const shutdownTimeout = 5 * time.Second

// listen takes the port first, because a taken one is the commonest mistake.
func (a *App) listen(ctx context.Context) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", a.Config.ListenAddress)
	if err != nil {
		return fmt.Errorf("http_listen_address %s: %w: end what holds the port, or choose another", a.Config.ListenAddress, err)
	}
	a.listener = l
	a.onTeardown("listener", func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return nil
}

// shares divides the limit of open files.
func (a *App) shares() descriptor.Shares {
	return descriptor.Divide(descriptor.Limit(), a.Config.Descriptors())
}

// openStore opens the store. It returns when ctx ends, although files may be damaged or a disk
// not answer: what is then left half open is in the state of a kill, which the store survives.
func (a *App) openStore(ctx context.Context) error {
	c := a.Config
	a.lanes = worker.NewLanes(worker.LanesOptions{MaxInflight: c.MaxInflight, MaxURLs: c.CallbackMaxInflight, QueueLimits: c.QueueLimits, Greedy: !c.LimiterEnabled, NoBreaker: !c.Breaker})
	var state api.Opening
	end := state.Serve(a.listener)
	open := a.openEmbedded
	if c.IsShared() {
		open = a.openPostgres
	}
	s, err := open(ctx, &state)
	if err := errors.Join(err, end()); err != nil {
		return err
	}
	a.store = s
	a.onTeardown("store", s.Close)
	if err := store.CheckCopied(s); err != nil {
		return err
	}
	a.registry.MustRegister(store.NewCollector(s))
	held := s.Stats()
	a.log.Info("store open", "durable", s.Durable(), "ready", held.Ready, "delayed", held.Delayed, "dead", held.Dead)
	return nil
}

// openEmbedded opens the store in the process, below data_dir or in memory.
func (a *App) openEmbedded(ctx context.Context, state *api.Opening) (store.Store, error) {
	c := a.Config
	a.warnWorldWritable()
	o := embedded.Options{
		Dir: c.DataDir, Sync: c.StoreSync, MaxBytes: c.StoreMaxBytes, MinFree: c.StoreMinFree,
		EndTTL: c.EndTTL, EndBytes: c.EndBytes, Slots: a.lanes.Slots(), Watcher: watcher{a.lanes, a}, Metrics: embedded.NewMetrics(a.registry), Descriptors: a.descriptors, Logger: a.log,
		LastCallback: func(inv *invocation.Invocation, raw []byte) *store.Accept { return a.worker.LastCallback(inv, raw) },
	}
	if c.DataDir == "" {
		o.EndTTL = 0 // memory has the latest of them already
	}
	return a.onceFree(ctx, state, func() (store.Store, error) {
		return unlessStopped(ctx, func() (store.Store, error) { return embedded.Open(o) }, func(s store.Store) { _ = s.Close() })
	})
}

// warnWorldWritable says once when others could change what is stored. It is no reason to
// refuse: volumes of the kinds emptyDir and local-path are made so.
func (a *App) warnWorldWritable() {
	if a.Config.DataDir == "" {
		return
	}
	if dir := datadir.WorldWritable(a.Config.DataDir); dir != "" {
		a.log.Warn("data_dir is writable by every user", "dir", dir,
			"hint", "who writes there can change, forge and read what is stored; remove the permission unless no other user can reach the folder")
	}
}

// unlessStopped returns what open returns, or the error of ctx when that ends first. What
// is opened too late is closed.
func unlessStopped[T any](ctx context.Context, open func() (T, error), closeIt func(T)) (T, error) {
	type opened struct {
		it  T
		err error
	}
	done := make(chan opened)
	go func() {
		it, err := open()
		select {
		case done <- opened{it, err}:
		case <-ctx.Done():
			if err == nil {
				closeIt(it)
			}
		}
	}()
	select {
	case o := <-done:
		return o.it, o.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// embeddedServer is the embedded NATS Streaming server, which a build with the tag nostan does not have.
type embeddedServer interface {
	intake.Embedded
	intake.Backlog
	URL() string
	Addr() string
	Pause()
	Resume() error
	Close()
}

// openServer opens NATS Streaming in the process, when it is asked for.
func (a *App) openServer(ctx context.Context) error {
	if !a.Config.StanEmbedded {
		return nil
	}
	dir := ""
	if a.Config.DataDir != "" {
		dir = filepath.Join(a.Config.DataDir, datadir.Stan)
	}
	credentials, err := a.Config.StanUser()
	if err != nil {
		return err
	}
	server, err := a.startEmbedded(ctx, dir, credentials)
	if err != nil {
		return err
	}
	a.server = server
	a.onTeardown("embedded NATS Streaming", func() error { server.Close(); return nil })
	a.log.Info("embedded NATS Streaming open", "url", server.URL(), "cluster", a.Config.NATSCluster)
	return nil
}

func (a *App) makeWorker(ctx context.Context) error {
	c := a.Config
	policy, queues, err := a.policies()
	if err != nil {
		return err
	}
	a.askGateway()
	level, err := egress.ParseLevel(c.CallbackPolicy)
	if err != nil {
		return fmt.Errorf("callback_policy: %w", err)
	}
	guard, err := egress.New(egress.Options{
		Level: level, Allow: c.CallbackAllow, Gateway: c.GatewayURL, Listeners: a.listeners,
	})
	if err != nil {
		return fmt.Errorf("callback_allow: %w", err)
	}
	a.checkURL = guard.CheckURL
	answers, err := a.openSpool()
	if err != nil {
		return err
	}
	caller := invoke.New(invoke.Options{
		Gateway: c.GatewayURL, Timeout: c.UpstreamTimeout, CallbackTimeout: c.CallbackTimeout,
		MaxResponseBytes: c.MaxResponseBytes, MaxInflight: c.MaxInflight, TLSInsecure: c.TLSInsecure,
		Guard: guard, Version: a.Version, Descriptors: a.descriptors, Spool: answers,
	})
	a.onTeardown("connections", func() error { caller.Close(); return nil })
	labels := worker.NewLabels(a.names)
	a.metrics = worker.NewMetrics(a.registry, labels, c.Channels)
	a.registry.MustRegister(worker.NewCollector(a.store, a.lanes, labels, c.Channels))
	a.worker = worker.New(worker.Options{
		Store: a.store, Lanes: a.lanes, Caller: caller, Policy: policy, Queues: queues, Functions: a.functions,
		TrustHeader: c.HeaderPolicy == trustHeader, CallbackTimeout: c.CallbackTimeout, DeadSet: c.DeadSet, ResultTTL: c.ResultTTL, IdempotencyWindow: c.IdempotencyWindow, AnswerBytes: int(c.DeadSetAnswerBytes), Answers: answers,
		Discarded: a.discarded, Tracer: a.tracer, QuietAttempts: c.LogLevel == "warn", NumbersInLog: c.LogEncoding == "json",
		CheckURL: guard.CheckURL, Version: a.Version, Metrics: a.metrics, Logger: a.log,
	})
	a.retention = &worker.Retention{
		Store: a.store, Lanes: a.lanes, Known: a.functions.Known, Logger: a.log, MaxAge: c.DeadSetMaxAge, MaxBytes: c.DeadSetMaxBytes,
	}
	return a.worker.Recover(ctx, a.store)
}

// openSpool makes the room for large answers. The store is open by then, so no other worker has the data_dir.
func (a *App) openSpool() (*spool.Spool, error) {
	c := a.Config
	s, err := spool.New(spool.Options{Memory: c.MaxResponseMemory, Dir: c.DataDir, Full: a.store.Full, Many: limitHeap})
	if err != nil {
		return nil, fmt.Errorf("data_dir: folder of large answers: %w", err)
	}
	a.onTeardown("large answers", s.Close)
	gauge := func(name, help string, held func() int64) {
		a.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(held()) }))
	}
	gauge("queue_worker_answer_memory_bytes", "Bytes of answers longer than 64 KiB that are in memory, at most max_response_memory.", func() int64 { m, _ := s.Held(); return m })
	gauge("queue_worker_answer_file_bytes", "Bytes of answers longer than 64 KiB that are in files under data_dir.", func() int64 { _, f := s.Held(); return f })
	return s, nil
}

// listeners are our own addresses, where no callback may lead.
func (a *App) listeners() []string {
	own := []string{a.listener.Addr().String()}
	if a.server != nil {
		own = append(own, a.server.Addr())
	}
	return own
}

// accepting is the store as the intake sees it.
type accepting struct {
	*worker.Worker
	store.Condition
}

func (a *App) makeIntake(context.Context) error {
	c := a.Config
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("host name for the client id: %w", err)
	}
	a.submitted = intake.NewMetrics(a.registry, c.Channels)
	o := intake.Options{
		URL:     "nats://" + net.JoinHostPort(c.NATSAddress, strconv.Itoa(c.NATSPort)),
		Login:   intake.Login{Credentials: c.StanUser, TLS: c.StanTLS},
		Cluster: c.NATSCluster, Channels: c.Channels, Group: c.QueueGroup, Hostname: host, AckWait: c.AckWait,
		MaxUnsettled: c.MaxUnsettled, MaxUnsettledBytes: c.MaxUnsettledBytes, Names: a.names, CheckURL: a.checkURL,
		Store: accepting{a.worker, a.store}, Metrics: a.submitted, Logger: a.log,
	}
	if a.server != nil {
		o.URL, o.Embedded, o.Backlog, o.OnRest = a.server.URL(), a.server, a.server, a.onRest
	}
	a.intake, err = intake.New(o)
	if err != nil {
		return err
	}
	a.onTeardown("intake", a.intake.Close)
	return nil
}

// onRest pauses embedded NATS Streaming while the intake is paused, so that nothing
// is confirmed to a publisher that would wait there without bound.
func (a *App) onRest(resting bool) {
	if resting {
		a.server.Pause()
		return
	}
	if err := a.server.Resume(); err != nil {
		a.log.Error("embedded NATS Streaming not reopened", "error", err)
	}
}

// makePauses pauses what was paused before, and so comes before anything is called.
func (a *App) makePauses(context.Context) error {
	a.pauses = pause.New(a.store, a.lanes, a.log)
	return nil
}

func (a *App) makeJobs(context.Context) error {
	a.jobs = jobs.New(jobs.Options{
		Store: a.store, Filter: admin.FilterReader(a.names), Waiting: a.waiting, MaxInflight: a.Config.MaxInflight,
		FirstWait: a.worker.FirstWait, InFlight: a.worker.Running, Metrics: jobs.NewMetrics(a.registry), Logger: a.log,
	})
	return nil
}

// waiting is how many of a lane are ready and not being called.
func (a *App) waiting(ctx context.Context, lane invocation.Lane) (int, error) {
	n, err := a.store.Lane(ctx, lane)
	return n.Ready - a.lanes.InFlight()[lane], err
}
