// File openings.go wakes the lanes that only time holds back: by a rate, by a
// Retry-After or by an open breaker.

package worker

import (
	"cmp"
	"container/heap"
	"time"
)

// openings is a heap of lanes that wait for a time, the next one first.
type openings []*lane

func (o openings) Len() int { return len(o) }
func (o openings) Less(i, j int) bool {
	return cmp.Or(o[i].opens.Compare(o[j].opens), byName(o[i], o[j])) < 0
}
func (o openings) Swap(i, j int) {
	o[i], o[j] = o[j], o[i]
	o[i].opensAt, o[j].opensAt = i+1, j+1
}

// Push implements heap.Interface.
func (o *openings) Push(x any) {
	*o = append(*o, x.(*lane))
	(*o)[len(*o)-1].opensAt = len(*o)
}

// Pop implements heap.Interface.
func (o *openings) Pop() any {
	last := len(*o) - 1
	ln := (*o)[last]
	(*o)[last] = nil
	*o = (*o)[:last]
	ln.opensAt = 0
	return ln
}

// set lets a lane wait for a time, and for no other. It reports whether that is the next
// one.
func (o *openings) set(ln *lane, at time.Time) (next bool) {
	ln.opens = at
	if ln.opensAt > 0 {
		heap.Fix(o, ln.opensAt-1)
	} else {
		heap.Push(o, ln)
	}
	return (*o)[0] == ln
}

// leave takes a lane out that is not to be woken any more.
func (o *openings) leave(ln *lane) {
	if ln.opensAt > 0 {
		heap.Remove(o, ln.opensAt-1)
	}
}

// inTime reports whether time lets a lane begin a call. If not, the timer is set
// to look at it again.
func (l *Lanes) inTime(ln *lane) bool {
	open, at := ln.throttle.opens(time.Now())
	if open || at.IsZero() {
		return open
	}
	if l.timed.set(ln, at) {
		l.wakeTimer()
	}
	return false
}

// nextOpening is when a lane may begin a call that time holds back now, zero for never.
func (l *Lanes) nextOpening() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.timed) == 0 {
		return time.Time{}
	}
	return l.timed[0].opens
}

// open lets lanes take turns again whose time has come.
func (l *Lanes) open(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.timed) > 0 && !now.Before(l.timed[0].opens) {
		l.enqueue(heap.Pop(&l.timed).(*lane))
	}
	l.spawn()
}
