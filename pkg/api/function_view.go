// File function_view.go has the JSON of functions.

package api

import (
	"cmp"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/pause"
	"queue-worker/pkg/store"
	"queue-worker/pkg/throttle"
	"queue-worker/pkg/worker"
)

// functionView is a function of one queue, or a host that callbacks go to.
type functionView struct {
	Function  string     `json:"function"` // with its namespace
	Topic     string     `json:"topic-entity"`
	Queue     string     `json:"queue"`
	Ready     int        `json:"ready"` // those that run are not among them
	Running   int        `json:"running"`
	Delayed   int        `json:"delayed"`
	Dead      int        `json:"dead"`
	Oldest    float64    `json:"oldest_age_seconds"` // of the first that is ready, 0 without one
	Rate      float64    `json:"rate_per_second"`    // calls over the last minute
	LastError *lastError `json:"last_error"`         // since the start; null without one
	// What holds it back, other than a pause.
	Limit   int         `json:"limit"`      // calls at a time
	Held    *time.Time  `json:"held_until"` // by a Retry-After; null: it is not held
	Breaker breakerView `json:"breaker"`
	Paused  *pauseView  `json:"paused"` // null: it is called
}

type lastError struct {
	At     time.Time        `json:"at"`
	Status int              `json:"status"`
	Cause  invocation.Cause `json:"cause,omitempty"`
}

// States of a breaker.
const (
	breakerClosed  = "closed"
	breakerOpen    = "open"
	breakerProbing = "probing" // it is open, and a probe is in flight
)

// breakerView shows whether a function is only probed, because it cannot
// be reached.
type breakerView struct {
	State string    `json:"state"`
	Since time.Time `json:"since,omitzero"`
	Cause string    `json:"cause,omitempty"`     // internal: OpenFaaS answers in the function's place
	Next  time.Time `json:"next_probe,omitzero"` // of one that is open
}

func breakerViewOf(s throttle.Status) breakerView {
	v := breakerView{State: breakerOpen, Since: utc(s.Since), Cause: cmp.Or(string(s.Cause), "internal"), Next: utc(s.Next)}
	switch {
	case !s.Open:
		return breakerView{State: breakerClosed}
	case s.Next.IsZero():
		v.State = breakerProbing
	}
	return v
}

type pauseView struct {
	Reason string     `json:"reason"`
	Author string     `json:"author"`
	By     string     `json:"by"`
	Since  time.Time  `json:"since"`
	Until  *time.Time `json:"until"` // null: until it is resumed
}

// functionList is every answer about functions.
type functionList struct {
	Functions []functionView `json:"functions"`
	Next      string         `json:"next,omitempty"`
	Others    []othersView   `json:"others,omitempty"`
}

// othersView counts what is in lanes of a queue that are not listed one by one,
// because there are too many.
type othersView struct {
	Queue   string `json:"queue"`
	Ready   int    `json:"ready"` // those that run are among them
	Delayed int    `json:"delayed"`
	Dead    int    `json:"dead"`
}

// snapshot is what the views are made of, read once.
type snapshot struct {
	api      *api
	now      time.Time
	lanes    map[invocation.Lane]store.LaneStats
	inFlight map[invocation.Lane]int
	activity map[invocation.Lane]worker.Activity
	pauses   map[string]pause.Pause
}

func (a *api) snapshot() *snapshot {
	return &snapshot{
		a, time.Now(), a.Store.Lanes(), a.Activity.InFlight(), a.Activity.Activity(), a.Pauses.All(),
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
			all[invocation.Lane{Queue: s.api.Queues[0], Name: name}] = true
		}
	}
	return all
}

// page has up to limit functions after a lane, in the order of their names and queues.
func (s *snapshot) page(from invocation.Lane, limit int) functionList {
	keys := s.keys()
	maps.DeleteFunc(keys, func(l invocation.Lane, _ bool) bool {
		return l.Name == "" || byName(l, from) <= 0 // what is malformed names none
	})
	sorted := slices.SortedFunc(maps.Keys(keys), byName)
	list := functionList{Functions: []functionView{}, Others: s.others()}
	if len(sorted) > limit {
		sorted = sorted[:limit]
		list.Next = laneCursor(sorted[limit-1])
	}
	for _, lane := range sorted {
		list.Functions = append(list.Functions, s.view(lane))
	}
	return list
}

// others count what is not listed, by queue.
func (s *snapshot) others() (all []othersView) {
	rest := s.api.Store.Rest()
	for _, queue := range slices.Sorted(maps.Keys(rest)) {
		n := rest[queue]
		all = append(all, othersView{queue, n.Ready, n.Delayed, n.Dead})
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
func (a *api) lanesOf(name string) map[invocation.Lane]store.LaneStats {
	lanes := a.Store.Lanes()
	maps.DeleteFunc(lanes, func(l invocation.Lane, _ store.LaneStats) bool { return l.Name != name })
	for queue := range a.Store.Rest() {
		l := invocation.Lane{Queue: queue, Name: name}
		if _, counted := lanes[l]; counted {
			continue
		}
		if n := a.Store.Lane(l); n != (store.LaneStats{}) {
			lanes[l] = n
		}
	}
	return lanes
}

// snapshotOf is what views of one function are made of.
func (a *api) snapshotOf(name string) *snapshot {
	s := a.snapshot()
	s.lanes = a.lanesOf(name)
	maps.DeleteFunc(s.activity, func(l invocation.Lane, _ worker.Activity) bool { return l.Name != name })
	maps.DeleteFunc(s.pauses, func(n string, _ pause.Pause) bool { return n != name })
	return s
}

// of is one function. Of one that nothing is known of it is a view with nothing.
func (s *snapshot) of(name string) functionList {
	keys := slices.SortedFunc(maps.Keys(s.keys()), byName)
	if len(keys) == 0 {
		keys = append(keys, invocation.Lane{Queue: s.api.Queues[0], Name: name})
	}
	list := functionList{}
	for _, lane := range keys {
		list.Functions = append(list.Functions, s.view(lane))
	}
	return list
}

func (s *snapshot) view(lane invocation.Lane) functionView {
	n, running := s.lanes[lane], s.inFlight[lane]
	v := functionView{
		Function: lane.Name, Topic: lane.Name, Queue: lane.Queue,
		Ready: max(n.Ready-running, 0), Running: running, Delayed: n.Delayed, Dead: n.Dead,
		Rate: s.activity[lane].Rate,
	}
	if !invocation.IsCallbackLane(lane.Name) {
		v.Function = s.api.Names.Qualified(lane.Name)
	}
	if since, ok := s.api.Store.Oldest(lane); ok {
		v.Oldest = max(s.now.Sub(since).Seconds(), 0)
	}
	if e := s.activity[lane].LastError; e != nil {
		v.LastError = &lastError{e.At.UTC(), e.Status, e.Cause}
	}
	if p, ok := s.pauses[lane.Name]; ok {
		v.Paused = pauseViewOf(p)
	}
	throttle := s.api.Activity.Throttle(lane)
	v.Limit, v.Breaker = throttle.Limit, breakerViewOf(throttle.Breaker)
	if !throttle.Until.IsZero() {
		until := throttle.Until.UTC()
		v.Held = &until
	}
	return v
}

func pauseViewOf(p pause.Pause) *pauseView {
	v := &pauseView{Reason: p.Reason, Author: p.Author, By: p.By, Since: p.Since.UTC()}
	if !p.Until.IsZero() {
		until := p.Until.UTC()
		v.Until = &until
	}
	return v
}
