// File hosts.go orders the hosts of callbacks among themselves. A host that answered
// its last call is proven. All others may be silent, and share a bound, since a caller
// can name any number of them.

package worker

import (
	"container/list"

	"queue-worker/pkg/invocation"
)

// host is what is known of the host of a URL lane.
type host uint8

// The closed set of states of a host.
const (
	hostNew    host = iota // never called, as far as is remembered
	hostLapsed             // did not answer its last call, and has answered before
	hostSilent             // did not answer its last call
	hostProven             // answered its last call
)

// mostHosts bounds how many hosts are remembered that have answered.
const mostHosts = 4096

// hosts remembers the hosts that have answered, those of the latest calls.
type hosts struct {
	known  map[invocation.Lane]*list.Element // of *answered
	latest *list.List                        // the host of the latest answer first
}

// answered is a host that has answered a call; last says whether it was the last one.
type answered struct {
	lane invocation.Lane
	last bool
}

func newHosts() hosts {
	return hosts{known: map[invocation.Lane]*list.Element{}, latest: list.New()}
}

// of is the state of a lane's host. A lane of functions has none.
func (h *hosts) of(ln *lane) host {
	if !ln.isURL {
		return hostNew
	}
	if e, ok := h.known[ln.key]; ok {
		if e.Value.(*answered).last {
			return hostProven
		}
		return hostLapsed
	}
	if ln.throttle.silent {
		return hostSilent
	}
	return hostNew
}

// note keeps whether a host has answered. The one that has not answered for longest
// makes room for a new one.
func (h *hosts) note(key invocation.Lane, answer bool) {
	e, ok := h.known[key]
	switch {
	case ok:
		e.Value.(*answered).last = answer
		if answer {
			h.latest.MoveToFront(e)
		}
	case answer:
		if len(h.known) >= mostHosts {
			delete(h.known, h.latest.Remove(h.latest.Back()).(*answered).lane)
		}
		h.known[key] = h.latest.PushFront(&answered{key, true})
	}
}

// laneList is a list of lanes in the order in which they came; those that were absent
// before (resident.go) have come before the fresh ones.
type laneList struct{ oldest, newest *lane }

// push puts a lane where it belongs. It must stand nowhere.
func (s *laneList) push(ln *lane) {
	older := s.newest
	for !ln.fresh && older != nil && older.fresh {
		older = older.older
	}
	ln.list, ln.older, ln.newer = s, older, s.oldest
	if older == nil {
		s.oldest = ln
	} else {
		ln.newer, older.newer = older.newer, ln
	}
	if ln.newer == nil {
		s.newest = ln
	} else {
		ln.newer.older = ln
	}
}

// remove takes a lane out.
func (s *laneList) remove(ln *lane) {
	if ln.older == nil {
		s.oldest = ln.newer
	} else {
		ln.older.newer = ln.newer
	}
	if ln.newer == nil {
		s.newest = ln.older
	} else {
		ln.newer.older = ln.older
	}
	ln.list, ln.older, ln.newer = nil, nil, nil
}
