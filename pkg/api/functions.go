// File functions.go lists functions with their counts, latest calls and pauses.

package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/pause"
	"queue-worker/pkg/store"
	"queue-worker/pkg/worker"
)

// Lanes count what is where, by function and queue.
type Lanes interface {
	Lanes() map[invocation.Lane]store.LaneStats
	// Rest counts by queue what is in lanes that Lanes does not have, see store.Store.
	Rest() map[string]store.LaneStats
	// Lane counts one lane, whether Lanes has it or not.
	Lane(invocation.Lane) store.LaneStats
	// Oldest returns since when the first ready one of a lane is ready.
	Oldest(invocation.Lane) (time.Time, bool)
}

// Activity shows what happens in the lanes.
type Activity interface {
	// InFlight counts the calls in flight.
	InFlight() map[invocation.Lane]int
	// Activity describes the latest calls.
	Activity() map[invocation.Lane]worker.Activity
	// Throttle returns what holds calls back.
	Throttle(invocation.Lane) worker.Throttle
}

// Pauses pause functions, by the name of their lanes; see pause.Keeper.
type Pauses interface {
	Set(ctx context.Context, lane string, p pause.Pause) error
	Lift(ctx context.Context, lane, by string) error
	All() map[string]pause.Pause
}

var (
	problemNoFunction = &problem{
		status: http.StatusNotFound, Text: "no such function", Reason: notFound,
		Hint: "Nothing of it is stored and the gateway does not know it. Check the name and its namespace.",
	}
	problemNoQueue = &problem{
		status: http.StatusNotFound, Text: "no such queue", Reason: notFound,
		Hint: "Name a queue of faas_nats_channel, or leave queue out for the first of them.",
	}
	problemFunctionName = refuse("not a function's name",
		"a name as the gateway takes it, with or without its namespace, or url:<host:port> for the callbacks to a host")
)

// functionRoutes show functions and steer them.
func (a *api) functionRoutes(mux *surface) {
	a.guarded(mux, "/v1/functions", methods{http.MethodGet: a.handle(a.listFunctions)})
	a.guarded(mux, "/v1/functions/{fn}", methods{http.MethodGet: a.handle(a.showFunction)})
	a.guarded(mux, "/v1/functions/{fn}/pause", methods{http.MethodPost: a.handle(a.pauseFunction)})
	a.guarded(mux, "/v1/functions/{fn}/resume", methods{http.MethodPost: a.handle(a.resumeFunction)})
	a.guarded(mux, "/v1/functions/{fn}/policy", methods{http.MethodGet: a.handle(a.showPolicy)})
}

func (a *api) listFunctions(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := p.count("limit", maxLimit, maxLimit) // most installations fit into one page
	if err != nil {
		return err
	}
	after, err := parseLaneCursor(p.text("cursor"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, a.snapshot().page(after, limit))
}

func (a *api) showFunction(w http.ResponseWriter, r *http.Request) error {
	lane, err := a.pathLane(r)
	if err != nil {
		return err
	}
	if _, err := readParams(r); err != nil {
		return err
	}
	s := a.snapshotOf(lane)
	if len(s.keys()) == 0 && !a.mayExist(r.Context(), lane) {
		return problemNoFunction
	}
	return writeJSON(w, http.StatusOK, s.of(lane))
}

func (a *api) showPolicy(w http.ResponseWriter, r *http.Request) error {
	lane, err := a.pathLane(r)
	if err != nil {
		return err
	}
	p, err := readParams(r, "queue")
	if err != nil {
		return err
	}
	queue := a.Queues[0]
	if p.has("queue") {
		if queue = p.text("queue"); !slices.Contains(a.Queues, queue) {
			return problemNoQueue
		}
	}
	return writeJSON(w, http.StatusOK, policyViewOf(a.Policies.PolicyFor(queue, lane)))
}

// pathLane is the name of the lanes of the function in the path.
func (a *api) pathLane(r *http.Request) (string, error) {
	name := r.PathValue("fn")
	host, isURL := strings.CutPrefix(name, invocation.CallbackLanePrefix)
	switch {
	case isURL && isHostPort(host), !isURL && invocation.ValidName(name):
		return a.Names.Canonical(name), nil
	}
	return "", problemFunctionName
}

// isHostPort reports whether s may be what a callback's lane is named by.
func isHostPort(s string) bool {
	return s != "" && len(s) <= invocation.MaxName && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`/\?#@"`, c)
	})
}

// mayExist reports whether the gateway has a function, or cannot tell.
func (a *api) mayExist(ctx context.Context, lane string) bool {
	if a.Functions == nil || invocation.IsCallbackLane(lane) {
		return false
	}
	known, sure := a.Functions.Known(ctx, lane)
	return known || !sure
}
