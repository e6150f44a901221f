// File ask.go asks the gateway about a lane before its first call. The lane holds no
// slot meanwhile, so names that callers invent take none from functions, and a
// function that was never called waits behind no slow one.

package worker

import (
	"context"

	"queue-worker/pkg/invocation"
)

// mostAskers is how many lanes are asked about at once; the gateway's client has as
// many questions in flight.
const mostAskers = 16

// askWith makes lanes wait until ask was called for them.
// It has to be called before start. ask runs in a goroutine of its own, and calls
// nextUnasked and then asked until there is no lane left.
func (l *Lanes) askWith(ask func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ask = ask
}

// awaitAnswer lets a lane wait until it was asked about.
func (l *Lanes) awaitAnswer(ln *lane) {
	l.unasked.push(ln)
	if l.started && !l.stopped && l.askers < mostAskers {
		l.askers++
		l.running.Go(l.ask)
	}
}

// nextUnasked takes a lane to ask about; when there is none, ok is false and the
// goroutine has to end. The newest and the oldest lane take turns, so a function among
// many invented names is found soon.
func (l *Lanes) nextUnasked() (key invocation.Lane, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln := l.unasked.oldest
	if l.askNewest {
		ln = l.unasked.newest
	}
	if ln == nil || l.stopped {
		l.askers--
		return key, false
	}
	l.askNewest = !l.askNewest
	l.unasked.remove(ln)
	return ln.key, true
}

// asked lets a lane have its turns, among those where it belongs.
func (l *Lanes) asked(key invocation.Lane, unknown bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.throttle(key)
	t.unasked, t.unknown = false, unknown
	if ln := l.lanes[key]; ln != nil {
		l.classify(ln)
		l.enqueue(ln)
		l.spawn()
	}
}

// askers asks about one lane after the other until there is none left.
func (w *Worker) askers(ctx context.Context) {
	for {
		key, ok := w.Lanes.nextUnasked()
		if !ok {
			return
		}
		_, unknown := w.Functions.Annotations(ctx, key.Name, firstPatience)
		w.Lanes.asked(key, unknown)
	}
}
