// File delay.go finds out when a message of the gateway asks to be called first.

package intake

import (
	"container/heap"
	"net/http"
	"time"

	"queue-worker/pkg/duration"
	"queue-worker/pkg/invocation"
)

// Header fields of a message. With one of the latter two it is for a mailbox, or a function passes on what a
// mailbox has sent it, and a delay is not for the first call.
const (
	headerDelay      = "X-Delay-Duration"
	headerNotBefore  = "X-Not-Before"
	headerRetries    = "X-Retries"
	headerMaxRetries = "X-Max-Retries"
)

// volatileDelay bounds a delay without a durable store, where a delayed message stays unacked.
const volatileDelay = time.Hour

// maxLogged bounds the functions that are remembered as logged; beyond it a line may come again.
const maxLogged = 1000

// delays are what is known of delays. Only takeLoop uses it.
type delays struct {
	longest time.Duration
	most    int // delayed at a time; 0: no bound
	due     times
	logged  map[string]bool // functions
}

func newDelays(durable bool, maxUnsettled int) delays {
	d := delays{longest: invocation.MaxDelay, logged: map[string]bool{}}
	if !durable {
		d.longest, d.most = volatileDelay, max(maxUnsettled/2, 1)
	}
	return d
}

// asksForDelay reports whether a header may ask for a delay of the first call.
func asksForDelay(h http.Header) bool {
	return (h[headerDelay] != nil || h[headerNotBefore] != nil) && h[headerRetries] == nil && h[headerMaxRetries] == nil
}

// delay gives an invocation the due time that its header asks for, counted from a moment. A delay that cannot be
// honoured is ignored, since the field may be the function's own, and kept with the invocation, logged and counted.
func (i *Intake) delay(inv *invocation.Invocation, h http.Header, from, now time.Time) {
	if !asksForDelay(h) {
		return
	}
	terms := invocation.Terms{}
	if inv.Terms != nil {
		terms = *inv.Terms
	}
	inv.Terms = &terms
	due, ignored := i.delays.dueOf(h, from)
	if ignored == "" && !terms.Expires.IsZero() && due.After(terms.Expires) {
		ignored = invocation.DelayInvalid
	}
	if ignored == "" && due.After(now) && !i.delays.take(due, now) {
		ignored = invocation.DelayTooMany
	}
	if ignored == "" {
		terms.Delayed = true
		if due.After(now) {
			inv.Since = due
		}
		return
	}
	terms.DelayIgnored = ignored
	i.opts.Metrics.ignored.WithLabelValues(inv.Lane.Queue, string(ignored)).Inc()
	if i.delays.first(inv.Lane.Name) {
		i.log.Warn("delay not honoured, called at once", "function", inv.Function, "call_id", inv.CallID, "reason", string(ignored),
			"hint", "Send "+headerDelay+" as a duration such as 90s, or "+headerNotBefore+" as a time of RFC 3339, within the bounds in docs/functions.md.")
	}
}

// dueOf reads the due time, or says why it is ignored.
func (d *delays) dueOf(h http.Header, from time.Time) (due time.Time, ignored invocation.DelayIgnored) {
	delay, moment := h[headerDelay], h[headerNotBefore]
	switch {
	case len(delay) == 1 && len(moment) == 0:
		wait, err := duration.Parse(delay[0])
		if err != nil || wait < 0 {
			return due, invocation.DelayInvalid
		}
		if wait > d.longest {
			return due, invocation.DelayTooLong
		}
		return from.Add(wait), ""
	case len(moment) == 1 && len(delay) == 0:
		due, err := time.Parse(time.RFC3339, moment[0])
		if err != nil {
			return due, invocation.DelayInvalid
		}
		if due.Sub(from) > d.longest {
			return due, invocation.DelayTooLong
		}
		return due, ""
	}
	return due, invocation.DelayInvalid
}

// take counts one more that is delayed, if there is room.
func (d *delays) take(due, now time.Time) bool {
	if d.most == 0 {
		return true
	}
	for len(d.due) > 0 && !d.due[0].After(now) {
		heap.Pop(&d.due)
	}
	if len(d.due) >= d.most {
		return false
	}
	heap.Push(&d.due, due)
	return true
}

// first reports whether a function is to be logged.
func (d *delays) first(function string) bool {
	if d.logged[function] {
		return false
	}
	if len(d.logged) >= maxLogged {
		clear(d.logged)
	}
	d.logged[function] = true
	return true
}

// times is a heap, the earliest time first.
type times []time.Time

func (t times) Len() int           { return len(t) }
func (t times) Less(i, j int) bool { return t[i].Before(t[j]) }
func (t times) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *times) Push(x any)        { *t = append(*t, x.(time.Time)) }

func (t *times) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	*t = (*t)[:last]
	return x
}
