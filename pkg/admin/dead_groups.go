// File dead_groups.go counts dead letters by function, queue, reason and status: GET
// /v1/dead_set/groups.

package admin

import (
	"context"
	"net/http"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// GroupDead counts dead letters by group.
func (a *Admin) GroupDead(w http.ResponseWriter, r *http.Request) error {
	f, err := a.queryFilter(r)
	if err != nil {
		return err
	}
	all, err := a.groups(r.Context(), f)
	if err != nil {
		return err
	}
	return respond.JSON(w, http.StatusOK, all)
}

// groups counts the dead letters that pass a filter by group.
func (a *Admin) groups(ctx context.Context, f store.Filter) (all wire.GroupList, err error) {
	groups, err := a.Store.Groups(ctx, f)
	if err != nil {
		return all, err
	}
	all = wire.GroupList{Groups: make([]wire.Group, len(groups))}
	for i, g := range groups {
		all.Groups[i] = wire.Group{
			Function: a.qualified(g.Function), Topic: g.Function, Queue: g.Queue, Reason: string(g.Reason), Status: g.Status,
			Count: g.Count, Bytes: g.Bytes, Replayed: g.Replayed, First: g.First.UTC(), Last: g.Last.UTC(),
		}
		all.Total += g.Count
	}
	return all, nil
}

// queryFilter reads the filter of a request that has no other parameters.
func (a *Admin) queryFilter(r *http.Request) (store.Filter, error) {
	p, err := readParams(r, wire.FilterNames...)
	if err != nil {
		return store.Filter{}, err
	}
	if err := mayFilterBy(r.Context(), wire.Texts(p["header"])); err != nil {
		return store.Filter{}, err
	}
	return readFilter(p, a.Names, time.Now())
}

// qualified is a lane's name as metrics and the gateway have it.
func (a *Admin) qualified(lane string) string {
	if lane == "" || invocation.IsCallbackLane(lane) {
		return lane
	}
	return a.Names.Qualified(lane)
}
