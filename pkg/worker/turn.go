// File turn.go finds the lane that has the next turn. Each class has a turn after the
// other, as far as it has work and room; within a class the lanes go round (round.go).
//
//	functions -> unknown names -> URLs -> functions ...
//	                               |
//	            proven hosts <-> the others: newest, oldest, lapsed, silent
//
// A function with little waiting goes ahead of all.

package worker

// group is a set of lanes of which one is offered for the next turn.
type group uint8

// The closed set of groups. The first two are the classes of the same numbers.
const (
	groupFunction group = iota
	groupUnknown
	groupProven
	groupNewest // of the hosts that were never called
	groupOldest // of the same
	groupLapsed
	groupSilent
	groupCount
)

// classOf is the class of a group.
func (g group) class() class { return min(class(g), classURL) }

// offers are the lanes that may have the next turn, the first of each group.
type offers [groupCount]*lane

// better reports whether a lane has its turn before another of the same group.
func (g group) better(a, b *lane) bool {
	switch {
	case g <= groupProven:
		return a.before(b)
	case g == groupNewest:
		return a.came > b.came
	}
	return a.came < b.came
}

// add takes in the offers of one queue.
func (o *offers) add(more *offers) {
	for g, ln := range more {
		if ln != nil && (o[g] == nil || group(g).better(ln, o[g])) {
			o[g] = ln
		}
	}
}

// class is the class that has its turn after another one.
func (o *offers) class(last class) (c class, ok bool) {
	if f := o[groupFunction]; f != nil && f.ahead {
		return classFunction, true
	}
	for i := range classCount {
		if c = (last + 1 + i) % classCount; o.has(c) {
			return c, true
		}
	}
	return 0, false
}

// has reports whether there is an offer of a class.
func (o *offers) has(c class) bool {
	for g, ln := range o {
		if ln != nil && group(g).class() == c {
			return true
		}
	}
	return false
}

// only drops the offers of all other classes.
func (o *offers) only(c class) {
	for g := range o {
		if group(g).class() != c {
			o[g] = nil
		}
	}
}

// turns remember who had the latest turns.
type lastTurns struct {
	class    class
	proven   bool  // whether the last host was proven
	unproven group // of the last that was not
}

// group is the group that has its turn now.
func (t *lastTurns) group(o *offers) (g group, ok bool) {
	c, ok := o.class(t.class)
	if !ok || c != classURL {
		return group(c), ok
	}
	for i := range groupCount - groupNewest {
		g = groupNewest + (t.unproven-groupNewest+1+i)%(groupCount-groupNewest)
		if o[g] != nil && (t.proven || o[groupProven] == nil) {
			return g, true
		}
	}
	return groupProven, true
}

// took notes a turn.
func (t *lastTurns) took(g group) {
	t.class = g.class()
	switch {
	case g == groupProven:
		t.proven = true
	case g > groupProven:
		t.proven, t.unproven = false, g
	}
}

// next finds the next lane that may have another call while so many slots are free,
// nil for none, and the group whose turn that is. There are no more queues than there
// may be subscriptions, so looking at each of them costs little.
func (l *Lanes) next(free int) (*lane, group) {
	if free == 0 {
		return nil, 0
	}
	reserveOnly := free <= l.reserve && l.idleFunctions() <= free
	var all offers
	for _, r := range l.rounds {
		own := l.offers(r, free <= l.reserve, reserveOnly)
		all.add(&own)
	}
	g, ok := l.last.group(&all)
	if !ok {
		return nil, 0
	}
	return all[g], g
}

// idleFunctions is how many functions with nothing in flight want a slot. When there
// are more of them than slots, the reserve is used up, and who else has a turn takes
// nothing from a function that comes later.
func (l *Lanes) idleFunctions() (n int) {
	for _, r := range l.rounds {
		if r.has(classFunction) {
			n += len(r.stands[groupFunction].idle)
		}
	}
	return n
}

// offers are those of one queue. While only the reserve of slots is free, idleOnly, no
// function has a turn that has something in flight, and with reserveOnly nothing but
// functions.
func (l *Lanes) offers(r *round, idleOnly, reserveOnly bool) (o offers) {
	may := func(c class) bool { return l.room.has(c) && r.has(c) }
	if may(classFunction) {
		o[groupFunction] = r.stands[groupFunction].first(idleOnly)
	}
	if reserveOnly {
		return o
	}
	if may(classUnknown) {
		o[groupUnknown] = r.stands[groupUnknown].first(false)
	}
	if may(classURL) {
		l.offerHosts(r, &o)
	}
	if r.narrow && r.left() <= 1 {
		r.alternate(&o)
	}
	return o
}

// offerHosts adds the hosts of one queue. The last slots of URLs serve only proven
// hosts with nothing in flight, as the reserve does for functions.
func (l *Lanes) offerHosts(r *round, o *offers) {
	reserveOnly := l.room.most[classURL]-l.room.running[classURL] <= l.urlReserve
	o[groupProven] = r.stands[groupProven].first(reserveOnly)
	if reserveOnly || l.unproven >= l.mostUnproven {
		return
	}
	o[groupNewest], o[groupOldest] = r.hosts[hostNew].newest, r.hosts[hostNew].oldest
	o[groupLapsed], o[groupSilent] = r.hosts[hostLapsed].oldest, r.hosts[hostSilent].oldest
}

// alternate lets the classes have the last call of a queue in turns. Otherwise one
// could be called whenever another call of the queue ends, and always be first.
func (r *round) alternate(o *offers) {
	var urls offers
	if r.limit == 1 { // they have a call of their own
		copy(urls[groupProven:], o[groupProven:])
		clear(o[groupProven:])
	}
	if c, ok := o.class(r.last); ok {
		o.only(c)
	}
	o.add(&urls)
}

// turn takes the next lane out of its round, for a slot that is not counted as
// free any more; nil for none. The lane has one call more from then on.
func (l *Lanes) turn() *lane {
	for {
		ln, g := l.next(len(l.slots) + 1)
		if ln == nil {
			return nil
		}
		l.last.took(g)
		l.round(ln.key.Queue).take(&l.clocks[ln.class], ln)
		if ln.hasRoom() && (!ln.throttle.timed || l.inTime(ln)) {
			l.count(ln, 1)
			return ln
		}
		// What was found out since it came holds it back now.
	}
}

// spawn starts one slot when there is a turn to take. Each slot that finds work
// starts the next, so any number gets going.
func (l *Lanes) spawn() {
	if !l.started || l.stopped {
		return
	}
	if ln, _ := l.next(len(l.slots)); ln == nil {
		return
	}
	n := l.slots[len(l.slots)-1]
	l.slots = l.slots[:len(l.slots)-1]
	l.running.Go(func() { l.begin(n) })
}
