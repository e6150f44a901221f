package worker

// Pausing: a function, or a callback's host, of which nothing is begun for a while.
// What comes in and what falls due meanwhile keeps its place in the lane.

// Pause begins nothing more of the lanes with this name, in every queue, until
// Resume. Calls under way end. It holds for lanes that come later too, and costs
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

// Resume ends a pause. What waits is begun at once, as far as slots are free.
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

// Paused reports whether the lanes with this name are paused.
func (l *Lanes) Paused(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.paused[name]
	return ok
}
