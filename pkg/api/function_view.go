package api

// Functions as JSON.

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/pace"
	"queue-worker/pkg/pause"
	"queue-worker/pkg/store"
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
	// What holds it back, beside people.
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
	breakerProbing = "probing" // it is open, and a probe is under way
)

// breakerView tells whether a function is called only now and then, because it cannot
// be reached.
type breakerView struct {
	State string    `json:"state"`
	Since time.Time `json:"since,omitzero"`
	Cause string    `json:"cause,omitempty"`     // internal: OpenFaaS answers in the function's place
	Next  time.Time `json:"next_probe,omitzero"` // of one that is open
}

func breakerViewOf(s pace.Status) breakerView {
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

// keys are the lanes of which anything is known, in the order of their names. A
// function that is paused and has nothing yet stands in the default queue.
func (s *snapshot) keys() []invocation.Lane {
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
	return slices.SortedFunc(maps.Keys(all), func(x, y invocation.Lane) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Queue, y.Queue))
	})
}

// views are those of the lanes whose names are wanted.
func (s *snapshot) views(wanted func(name string) bool) []functionView {
	views := []functionView{}
	for _, lane := range s.keys() {
		if wanted(lane.Name) {
			views = append(views, s.view(lane))
		}
	}
	return views
}

// has reports whether anything is known of a function.
func (s *snapshot) has(name string) bool {
	return slices.ContainsFunc(s.keys(), func(l invocation.Lane) bool { return l.Name == name })
}

// of is one function. Of one that nothing is known of it is a view with nothing.
func (s *snapshot) of(name string) functionList {
	views := s.views(func(n string) bool { return n == name })
	if len(views) == 0 {
		views = append(views, s.view(invocation.Lane{Queue: s.api.Queues[0], Name: name}))
	}
	return functionList{views}
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
	tempo := s.api.Activity.Tempo(lane)
	v.Limit, v.Breaker = tempo.Limit, breakerViewOf(tempo.Breaker)
	if !tempo.Until.IsZero() {
		until := tempo.Until.UTC()
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
