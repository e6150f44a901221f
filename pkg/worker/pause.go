// File pause.go pauses a function, or a callback's host: no new calls start. Accepted and
// due entries keep their place in the lane meanwhile.

package worker

import (
	"maps"
	"slices"
)

// Pause begins nothing more of the lanes with this name, in every queue, until
// Resume. Calls in flight finish. It applies to later lanes too, and costs
// those of other names nothing: a paused lane takes no slot and no turn.
func (l *Lanes) Pause(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused[name] = struct{}{}
	for key, ln := range l.lanes {
		if key.Name == name {
			ln.paused = true
			l.round(key.Queue).leave(ln)
		}
	}
}

// Resume ends a pause. Ready invocations are called at once, as far as slots are free.
func (l *Lanes) Resume(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.paused[name]; !ok {
		return
	}
	delete(l.paused, name)
	var resumed []*lane
	for key, ln := range l.lanes {
		if key.Name == name {
			ln.paused = false
			resumed = append(resumed, ln)
		}
	}
	if l.started {
		l.enqueueEach(resumed)
	}
}

// PausedNames are the names of paused lanes.
func (l *Lanes) PausedNames() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.paused))
}

// Paused reports whether the lanes with this name are paused.
func (l *Lanes) Paused(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.paused[name]
	return ok
}
