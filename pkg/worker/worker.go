// Package worker calls the ready invocations of the store, decides what follows, and
// persists it, in this order:
//
//	lanes -> slot -> attempt -> decision -> settle
//	  ^                                        |
//	  +---- due <---- delayed <----- retry ----+--> done, dead, callback
//
// Fairness is in lanes.go, due times are in due.go. An invocation is in flight from the
// moment that a slot takes it until its next state is durable. There are two ways to stop:
// Drain takes nothing more and lets the calls finish, and the end of Run's context aborts
// the calls. An aborted call leaves its invocation ready.
//
// The package knows no NATS, serves no HTTP and does not know the keys of the store.
package worker

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"queue-worker/pkg/crash"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/policy"
	"queue-worker/pkg/spool"
	"queue-worker/pkg/store"
	"queue-worker/pkg/trace"
)

// Store is what the worker needs of the store.
type Store interface {
	store.Intake
	store.Work
	store.Schedule
	store.Lookup
	// Result and End are those of store.Results.
	Result(ctx context.Context, id invocation.ID, withBody bool) (*store.Result, error)
	End(ctx context.Context, id invocation.ID) (*store.End, error)
	// Durable reports whether what is stored outlives the process.
	Durable() bool
	// Err is nil while outcomes can be stored; no call may begin otherwise.
	Err() error
}

// Caller makes the calls; see invoke.Client for what its results mean.
type Caller interface {
	Function(context.Context, invoke.Call) invoke.Result
	Callback(ctx context.Context, url string, c invoke.Call) invoke.Result
}

// Options say how a worker works.
type Options struct {
	Store  Store
	Lanes  *Lanes // the one that watches Store
	Caller Caller
	// Policy is the worker's own. What functions and messages ask for comes first.
	Policy policy.Policy
	// Queues have policies of their own, by their names; those that have none have
	// the worker's.
	Queues map[string]policy.Policy
	// Functions knows what functions ask for. Nil: only messages say.
	Functions Functions
	// TrustHeader lets a message ask for more than its function does, not only for less.
	TrustHeader bool
	// CallbackTimeout is what Caller keeps for callbacks, for those who ask what is in
	// force; zero for none.
	CallbackTimeout time.Duration
	// DeadSet false discards what was given up.
	DeadSet bool
	// CheckURL reads a callback's URL; its error means that it is refused.
	CheckURL URLChecker
	// Discarded is called for every invocation that was given up and has never been stored,
	// because there is no dead set. It must not block. May be nil.
	Discarded func(*invocation.Invocation)
	// ResultTTL is how long what became of a function's invocation is kept in the
	// store, its last answer included; 0 keeps nothing.
	ResultTTL time.Duration
	// IdempotencyWindow is how long the idempotency key of a message counts, and its result is kept
	// by a durable store, for functions that ask for it; 0 ignores the keys.
	IdempotencyWindow time.Duration
	// AnswerBytes is how much of the body of a function's latest answer is kept with an invocation that is
	// retried or dead; 0 keeps no answer.
	AnswerBytes int
	// Answers has the memory in which large answers are committed and sent; nil for no bound.
	Answers *spool.Spool
	Tracer  *trace.Tracer // nil makes no spans
	Version string
	Metrics *Metrics
	Logger  *slog.Logger
	// QuietAttempts leaves out the lines of attempts that succeeded, are retried or were cancelled.
	QuietAttempts bool
	// NumbersInLog adds keys with numbers to the lines of attempts, for logs that are read by programs.
	NumbersInLog bool
}

// Worker calls functions. Make it with New, let it Run once.
type Worker struct {
	Options

	warned     *warnings // annotations that were logged already
	activities *activities
	slots      []callSlot // by slot
	// repeating has room for one: the repetition that has the answer of its first in memory.
	repeating  chan struct{}
	moved      sync.Once // logs that the gateway redirects
	redirected sync.Once // logs that something else does
}

// New makes a worker. Nothing is called before Run.
func New(o Options) *Worker {
	o.Lanes.askFirst()
	return &Worker{Options: o, warned: newWarnings(), activities: newActivities(), slots: make([]callSlot, o.Lanes.Slots()), repeating: make(chan struct{}, 1)}
}

// settleGrace is how long outcomes may take to be stored after the calls were
// aborted. A disk that is full or stalls would keep the process for ever.
const settleGrace = 5 * time.Second

// contexts are the two that an attempt has: an abort ends calls at once, and
// settlements only after a while, since what is known is worth storing.
type contexts struct{ calls, settlements context.Context }

// Run calls ready invocations until ctx ends, which aborts the calls in flight, or
// until Drain. It returns when no call is in flight and nothing is left to
// settle. It may be called once.
func (w *Worker) Run(ctx context.Context) {
	calls, abort := context.WithCancel(ctx)
	defer abort()
	settlements, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	context.AfterFunc(calls, func() { graceful(settlements, giveUp) })

	c := contexts{calls, settlements}
	if w.Functions != nil {
		w.Lanes.askWith(func() { w.askers(calls) })
	}
	w.Lanes.start(calls, w.Store, func(slot int) { w.slot(c, slot) })
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		defer crash.LogPanic(w.Logger, "timer")
		w.runTimer(calls)
	}()
	var overdue sync.WaitGroup
	overdue.Go(func() { w.runDeadlines(c) })
	w.Lanes.await(calls)
	w.Lanes.running.Wait()
	abort()
	<-stopped
	overdue.Wait()
	w.Lanes.giveAllBack(settlements, w.Store)
}

// graceful calls giveUp after settleGrace, unless all has ended by then.
func graceful(ended context.Context, giveUp func()) {
	select {
	case <-time.After(settleGrace):
		giveUp()
	case <-ended.Done():
	}
}

// Drain takes nothing more. Run returns when the calls in flight have ended.
func (w *Worker) Drain() { w.Lanes.stop() }

// slot takes one entry after the other until there is none.
func (w *Worker) slot(c contexts, n int) {
	defer crash.LogPanic(w.Logger, "slot")
	for {
		if c.calls.Err() != nil {
			w.Lanes.stop() // Run does it too, maybe a moment later
		}
		h, ok := w.Lanes.take(c.calls, n, w.Store)
		if !ok {
			return
		}
		w.handle(c, n, h)
	}
}

// random is the source of jitter.
func random() float64 { return rand.Float64() } // #nosec G404 -- spreads load, guards nothing
