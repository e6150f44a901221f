// File classes.go says which share of the slots each class of lanes has. Names and
// hosts are chosen by callers, so their number means nothing: what one class may take
// from another is bounded for the class as a whole.

package worker

// class is the first level of the schedule: which lanes share a bound.
type class uint8

// The closed set of classes.
const (
	// classFunction has the functions, and every lane of which the gateway cannot
	// tell whether there is such a function.
	classFunction class = iota
	// classUnknown has the names of which the gateway knows surely no function.
	classUnknown
	// classURL has the hosts of callbacks and of the callback producer.
	classURL
	classCount
)

// String is the word for the API.
func (c class) String() string {
	switch c {
	case classFunction:
		return "function"
	case classUnknown:
		return "unknown"
	case classURL:
		return "url"
	case classCount:
	}
	panic("worker: unknown class")
}

// room counts the calls in flight within a limit, that of the worker or of a queue.
// A limit of one call is of functions; URLs have one call of their own beside it, or
// a silent host would hold up every function.
type room struct {
	limit   int
	most    [classCount]int // of one class
	running [classCount]int
}

// newRoom makes the room of a limit, of which URLs may have at most urls. At least one
// call is left to functions.
func newRoom(limit, urls int) room {
	return room{limit: limit, most: [classCount]int{
		classFunction: limit, classUnknown: max(limit/8, 1), classURL: max(min(urls, limit-1), 1),
	}}
}

// has reports whether one more call of a class fits.
func (r *room) has(c class) bool {
	if r.running[c] >= r.most[c] {
		return false
	}
	return c == classURL && r.limit == 1 || r.left() > 0
}

// left is how many more calls fit, URLs beside a limit of one not counted.
func (r *room) left() int {
	n := r.limit - r.running[classFunction] - r.running[classUnknown]
	if r.limit > 1 {
		n -= r.running[classURL]
	}
	return n
}

// half is half of a limit, rounded up.
func half(limit int) int { return (limit + 1) / 2 }

// urlLimit is how many calls of URLs may be in flight: what is set, half of the slots
// without, and never a slot of the reserve.
func (o LanesOptions) urlLimit() int {
	n := o.MaxURLs
	if n <= 0 {
		n = half(o.MaxInflight)
	}
	return min(n, o.MaxInflight-o.reserve())
}

// reserve is how many slots only functions with nothing in flight may take.
func (o LanesOptions) reserve() int {
	if o.MaxInflight < reserveFrom {
		return 0
	}
	return o.MaxInflight / 8
}

// slots is how many calls may be in flight, all classes together.
func (o LanesOptions) slots() int { return max(o.MaxInflight, 2) }

// class is that of a lane, as far as its name and the gateway tell.
func (l *lane) classNow() class {
	switch {
	case l.isURL:
		return classURL
	case l.throttle.unknown:
		return classUnknown
	}
	return classFunction
}

// count adds calls in flight to a lane and to everything that bounds it; n is
// negative for calls that have ended.
func (l *Lanes) count(ln *lane, n int) {
	ln.running += n
	l.countElsewhere(ln, n)
}

func (l *Lanes) countElsewhere(ln *lane, n int) {
	l.room.running[ln.class] += n
	l.round(ln.key.Queue).running[ln.class] += n
	if ln.class == classURL && ln.host != hostProven {
		l.unproven += n
	}
}

// classify puts a lane where it belongs by now, with its calls in flight. It takes it
// out of its round when it has moved; enqueue has to follow.
func (l *Lanes) classify(ln *lane) {
	c, h := ln.classNow(), l.hosts.of(ln)
	if c == ln.class && h == ln.host {
		return
	}
	l.round(ln.key.Queue).leave(ln)
	l.countElsewhere(ln, -ln.running)
	if c != ln.class {
		ln.turnAt = 0 // its pass is of another clock
	}
	ln.class, ln.host = c, h
	l.countElsewhere(ln, ln.running)
}
