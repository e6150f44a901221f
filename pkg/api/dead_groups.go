// File dead_groups.go counts dead letters by function, queue, reason and status: GET
// /v1/dead_set/groups.

package api

import (
	"net/http"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// grouping is the dead set in groups, largest first.
type grouping struct {
	Groups []group `json:"groups"`
	Total  int     `json:"total"` // letters in all groups
}

// group is the letters of one function and queue with one reason and status.
type group struct {
	Function string            `json:"function"`     // name.namespace, or url:<host:port>
	Topic    string            `json:"topic-entity"` // the function's short name, or url:<host:port>
	Queue    string            `json:"queue"`
	Reason   invocation.Reason `json:"reason"`
	Status   int               `json:"status"` // of the last attempt, 0 without one
	Count    int               `json:"count"`
	Bytes    int64             `json:"bytes"`    // of their QueueRequests
	Replayed int               `json:"replayed"` // those that a job replays only with force
	First    time.Time         `json:"first_died"`
	Last     time.Time         `json:"last_died"`
}

func (a *api) groupDead(w http.ResponseWriter, r *http.Request) error {
	f, err := a.queryFilter(r)
	if err != nil {
		return err
	}
	groups, err := a.Store.Groups(r.Context(), f)
	if err != nil {
		return err
	}
	all := grouping{Groups: make([]group, len(groups))}
	for i, g := range groups {
		all.Groups[i] = group{
			Function: a.qualified(g.Function), Topic: g.Function, Queue: g.Queue, Reason: g.Reason, Status: g.Status,
			Count: g.Count, Bytes: g.Bytes, Replayed: g.Replayed, First: g.First.UTC(), Last: g.Last.UTC(),
		}
		all.Total += g.Count
	}
	return writeJSON(w, http.StatusOK, all)
}

// queryFilter reads the filter of a request that has no other parameters.
func (a *api) queryFilter(r *http.Request) (store.Filter, error) {
	p, err := readParams(r, filterNames...)
	if err != nil {
		return store.Filter{}, err
	}
	return readFilter(p, a.Names, time.Now())
}

// qualified is a lane's name as metrics and the gateway have it.
func (a *api) qualified(lane string) string {
	if lane == "" || invocation.IsCallbackLane(lane) {
		return lane
	}
	return a.Names.Qualified(lane)
}
