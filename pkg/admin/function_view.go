// File function_view.go has the JSON of functions.

package admin

import (
	"cmp"
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/pause"
	"queue-worker/pkg/store"
	"queue-worker/pkg/throttle"
	"queue-worker/pkg/wire"
	"queue-worker/pkg/worker"
)

// breakerViewOf is a breaker, as JSON.
func breakerViewOf(s throttle.Status) wire.Breaker {
	v := wire.Breaker{State: wire.BreakerOpen, Since: utc(s.Since), Cause: cmp.Or(string(s.Cause), "internal"), Next: utc(s.Next)}
	switch {
	case !s.Open:
		return wire.Breaker{State: wire.BreakerClosed}
	case s.Next.IsZero():
		v.State = wire.BreakerProbing
	}
	return v
}

// snapshot is what the views are made of, read once.
type snapshot struct {
	admin    *Admin
	now      time.Time
	lanes    map[invocation.Lane]store.LaneStats
	inFlight map[invocation.Lane]int
	activity map[invocation.Lane]worker.Activity
	pauses   map[string]pause.Pause
	waiting  map[invocation.Lane]time.Time
	history  bool // views have it
}

func (a *Admin) snapshot() *snapshot {
	return &snapshot{
		admin: a, now: time.Now(), lanes: a.Store.Lanes(), inFlight: a.Lanes.InFlight(), activity: a.Calls.Activity(),
		pauses: a.Pauses.All(), waiting: a.Lanes.Waiting(),
	}
}

// keys are the lanes of which anything is known, in no order. A function that is
// paused and has nothing yet stands in the default queue.
func (s *snapshot) keys() map[invocation.Lane]bool {
	all, names := map[invocation.Lane]bool{}, map[string]bool{}
	for lane := range s.lanes {
		all[lane], names[lane.Name] = true, true
	}
	for lane := range s.activity {
		all[lane], names[lane.Name] = true, true
	}
	for name := range s.pauses {
		if !names[name] {
			all[invocation.Lane{Queue: s.admin.Queues[0], Name: name}] = true
		}
	}
	return all
}

// page has up to limit functions after a lane, in the order of their names and queues.
func (s *snapshot) page(ctx context.Context, from invocation.Lane, limit int) wire.FunctionList {
	sorted := s.sorted(from)
	list := wire.FunctionList{Functions: []wire.Function{}, Others: s.others()}
	if len(sorted) > limit {
		sorted = sorted[:limit]
		list.Next = laneCursor(sorted[limit-1])
	}
	for _, lane := range sorted {
		list.Functions = append(list.Functions, s.view(ctx, lane))
	}
	return list
}

// sorted are the lanes after a lane, by the names of functions and queues.
func (s *snapshot) sorted(from invocation.Lane) []invocation.Lane {
	keys := s.keys()
	maps.DeleteFunc(keys, func(l invocation.Lane, _ bool) bool {
		return l.Name == "" || byName(l, from) <= 0 // what is malformed names none
	})
	return slices.SortedFunc(maps.Keys(keys), byName)
}

// all are all functions, by name.
func (s *snapshot) all(ctx context.Context) (all []wire.Function) {
	for _, lane := range s.sorted(invocation.Lane{}) {
		all = append(all, s.view(ctx, lane))
	}
	return all
}

// others count what is not listed, by queue.
func (s *snapshot) others() (all []wire.Others) {
	rest := s.admin.Store.Rest()
	for _, queue := range slices.Sorted(maps.Keys(rest)) {
		n := rest[queue]
		all = append(all, wire.Others{Queue: queue, Ready: n.Ready, Delayed: n.Delayed, Dead: n.Dead})
	}
	return all
}

func byName(x, y invocation.Lane) int {
	return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Queue, y.Queue))
}

// laneCursor is the cursor of the page after a lane.
func laneCursor(l invocation.Lane) string {
	return base64.RawURLEncoding.EncodeToString([]byte(l.Name + "\x00" + l.Queue))
}

func parseLaneCursor(cursor string) (l invocation.Lane, err error) {
	if cursor == "" {
		return l, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	var ok bool
	if l.Name, l.Queue, ok = strings.Cut(string(text), "\x00"); err != nil || !ok {
		return l, store.ErrBadCursor
	}
	return l, nil
}

// lanesOf counts the lanes of a name that have anything.
func (a *Admin) lanesOf(ctx context.Context, name string) (map[invocation.Lane]store.LaneStats, error) {
	lanes := a.Store.Lanes()
	maps.DeleteFunc(lanes, func(l invocation.Lane, _ store.LaneStats) bool { return l.Name != name })
	for queue := range a.Store.Rest() {
		l := invocation.Lane{Queue: queue, Name: name}
		if _, counted := lanes[l]; counted {
			continue
		}
		n, err := a.Store.Lane(ctx, l)
		if err != nil {
			return nil, err
		}
		if n != (store.LaneStats{}) {
			lanes[l] = n
		}
	}
	return lanes, nil
}

// snapshotOf is what views of one function are made of.
func (a *Admin) snapshotOf(ctx context.Context, name string) (s *snapshot, err error) {
	s = a.snapshot()
	if s.lanes, err = a.lanesOf(ctx, name); err != nil {
		return nil, err
	}
	maps.DeleteFunc(s.activity, func(l invocation.Lane, _ worker.Activity) bool { return l.Name != name })
	maps.DeleteFunc(s.pauses, func(n string, _ pause.Pause) bool { return n != name })
	return s, nil
}

// of is one function. Of one that nothing is known of it is a view with nothing.
func (s *snapshot) of(ctx context.Context, name string) wire.FunctionList {
	keys := slices.SortedFunc(maps.Keys(s.keys()), byName)
	if len(keys) == 0 {
		keys = append(keys, invocation.Lane{Queue: s.admin.Queues[0], Name: name})
	}
	list := wire.FunctionList{}
	for _, lane := range keys {
		list.Functions = append(list.Functions, s.view(ctx, lane))
	}
	return list
}

func (s *snapshot) view(ctx context.Context, lane invocation.Lane) wire.Function {
	n, running := s.lanes[lane], s.inFlight[lane]
	v := wire.Function{
		Function: lane.Name, Topic: lane.Name, Queue: lane.Queue,
		Ready: max(n.Ready-running, 0), Running: running, Delayed: n.Delayed, Dead: n.Dead,
		Rate: s.activity[lane].Rate, GivenUp15: s.activity[lane].GivenUp15m, GivenUp1h: s.activity[lane].GivenUp1h, Discarded15: s.activity[lane].Discarded15m,
	}
	if !invocation.IsCallbackLane(lane.Name) {
		v.Function = s.admin.Names.Qualified(lane.Name)
	}
	if since, ok := s.oldest(ctx, lane); ok && v.Ready > 0 {
		v.OldestAge = max(s.now.Sub(since).Seconds(), 0)
	}
	if s.history {
		h := s.admin.history(lane, s.now)
		v.History = &h
	}
	if e := s.activity[lane].LastError; e != nil {
		v.LastError = &wire.LastError{At: e.At.UTC(), Status: e.Status, Cause: string(e.Cause)}
	}
	if p, ok := s.pauses[lane.Name]; ok {
		v.Paused = pauseViewOf(p)
	}
	throttle := s.admin.Lanes.Throttle(lane)
	v.Limit, v.Breaker = throttle.Limit, breakerViewOf(throttle.Breaker)
	if !throttle.Until.IsZero() {
		until := throttle.Until.UTC()
		v.HeldUntil = &until
	}
	return v
}

// oldest is since when the first invocation of a lane is ready that is not in flight. A lane
// that has not read the index does not know, and the store counts those in flight too.
func (s *snapshot) oldest(ctx context.Context, lane invocation.Lane) (time.Time, bool) {
	if since := s.waiting[lane]; !since.IsZero() {
		return since, true
	}
	return s.admin.Store.Oldest(ctx, lane)
}

func pauseViewOf(p pause.Pause) *wire.Pause {
	v := &wire.Pause{Reason: p.Reason, Author: p.Author, By: p.By, Since: p.Since.UTC()}
	if !p.Until.IsZero() {
		until := p.Until.UTC()
		v.Until = &until
	}
	return v
}
