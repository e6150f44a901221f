// File functions.go lists functions with their counts, latest calls and pauses.

package admin

import (
	"context"
	"net/http"
	"strings"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
	"queue-worker/pkg/worker"
)

// Lanes say what holds calls back; see worker.Lanes.
type Lanes interface {
	// InFlight counts the calls in flight.
	InFlight() map[invocation.Lane]int
	Throttle(invocation.Lane) worker.Throttle
	// Waiting returns since when the first entry of a lane is ready that is not in flight. The
	// zero time stands for a lane that has not read its index.
	Waiting() map[invocation.Lane]time.Time
}

var (
	problemNoFunction = respond.NewProblem(http.StatusNotFound, wire.NotFound, "no such function",
		"Nothing of it is stored and the gateway does not know it. Check the name and its namespace.")
	problemNoQueue = respond.NewProblem(http.StatusNotFound, wire.NotFound, "no such queue",
		"Name a queue of faas_nats_channel, or leave queue out for the first of them.")
	problemFunctionName = respond.Refuse("not a function's name",
		"a name as the gateway takes it, with or without its namespace, or url:<host:port> for the callbacks to a host")
)

// ListFunctions lists functions page by page.
func (a *Admin) ListFunctions(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, "limit", "cursor", paramHistory)
	if err != nil {
		return err
	}
	limit, err := p.limit(maxLimit) // most installations fit into one page
	if err != nil {
		return err
	}
	after, err := parseLaneCursor(p.text("cursor"))
	if err != nil {
		return err
	}
	s := a.snapshot()
	if s.history, err = p.hour(); err != nil {
		return err
	}
	return respond.JSON(w, http.StatusOK, s.page(r.Context(), after, limit))
}

// ShowFunction shows one function in all its queues.
func (a *Admin) ShowFunction(w http.ResponseWriter, r *http.Request) error {
	lane, err := a.pathLane(r)
	if err != nil {
		return err
	}
	p, err := readParams(r, paramHistory)
	if err != nil {
		return err
	}
	s, err := a.snapshotOf(r.Context(), lane)
	if err != nil {
		return err
	}
	if s.history, err = p.hour(); err != nil {
		return err
	}
	if len(s.keys()) == 0 && !a.mayExist(r.Context(), lane) {
		return problemNoFunction
	}
	return respond.JSON(w, http.StatusOK, s.of(r.Context(), lane))
}

// ShowPolicy shows the policy in force for a function.
func (a *Admin) ShowPolicy(w http.ResponseWriter, r *http.Request) error {
	lane, err := a.pathLane(r)
	if err != nil {
		return err
	}
	p, err := readParams(r, "queue")
	if err != nil {
		return err
	}
	queue, err := a.queueOr(p, a.Queues[0])
	if err != nil {
		return err
	}
	return respond.JSON(w, http.StatusOK, policyViewOf(a.Worker.PolicyFor(queue, lane)))
}

// pathLane is the name of the lanes of the function in the path.
func (a *Admin) pathLane(r *http.Request) (string, error) {
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
func (a *Admin) mayExist(ctx context.Context, lane string) bool {
	if a.Functions == nil || invocation.IsCallbackLane(lane) {
		return false
	}
	known, sure := a.Functions.Known(ctx, lane)
	return known || !sure
}
