// File history.go counts the outcomes of attempts by minute, for the last hour.

package worker

import (
	"time"

	"queue-worker/pkg/invocation"
)

// HistoryMinutes is how many minutes are remembered, the running one included.
const HistoryMinutes = 60

// Minute counts the outcomes of attempts in one minute.
type Minute struct {
	Done, Retried uint32
	GivenUp       uint32 // dead or dropped
	Discarded     uint32 // dropped; GivenUp has them, too
}

// History returns what happened in a lane in the last 60 minutes, oldest first; nil when
// nothing is remembered of it.
func (w *Worker) History(lane invocation.Lane) []Minute {
	return w.activities.history(lane, time.Now())
}

// Total returns what happened in all lanes in the last 60 minutes, oldest first, and the
// calls per second over the last minute.
func (w *Worker) Total() ([]Minute, float64) { return w.activities.sum(time.Now()) }

// history counts by minute in a ring, of which the slot of the minute last counted is
// written. The zero value is ready for use.
type history struct {
	ring   [HistoryMinutes]Minute
	minute int64 // since 1970
}

// count adds the outcome of an attempt. A cancelled one is none of the three.
func (h *history) count(outcome invocation.Outcome, at time.Time) {
	m := h.at(at)
	switch outcome {
	case invocation.OutcomeDone:
		m.Done++
	case invocation.OutcomeRetry:
		m.Retried++
	case invocation.OutcomeDead:
		m.GivenUp++
	case invocation.OutcomeDropped:
		m.GivenUp++
		m.Discarded++
	case invocation.OutcomeCancelled:
	}
}

// at moves the ring on to the minute of a time, and empties what is older than an hour. A
// clock that was set back counts on in the minute it was at.
func (h *history) at(t time.Time) *Minute {
	now := t.Unix() / 60
	if now-h.minute >= HistoryMinutes {
		clear(h.ring[:])
		h.minute = now
	}
	for h.minute < now {
		h.minute++
		h.ring[h.minute%HistoryMinutes] = Minute{}
	}
	return &h.ring[h.minute%HistoryMinutes]
}

// last returns the minutes until now, oldest first.
func (h *history) last(now time.Time) []Minute {
	h.at(now)
	all := make([]Minute, 0, HistoryMinutes)
	for i := h.minute + 1; i <= h.minute+HistoryMinutes; i++ {
		all = append(all, h.ring[i%HistoryMinutes])
	}
	return all
}

// givenUp counts what was given up in the last minutes, the running one included, and how many of
// that were discarded.
func (h *history) givenUp(now time.Time, minutes int64) (n, discarded int) {
	h.at(now)
	for i := h.minute - minutes + 1; i <= h.minute; i++ {
		m := &h.ring[(i+HistoryMinutes)%HistoryMinutes]
		n, discarded = n+int(m.GivenUp), discarded+int(m.Discarded)
	}
	return n, discarded
}
