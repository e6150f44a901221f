package e2e

// The ledger of a chaos run: what the producer and the function have written down,
// and the judgement over it. It does no I/O, so that it can be tested itself.

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// made is one call of a function. Its times are those of the wall clock, by which
// the worker plans.
type made struct {
	Life  int       // of the worker that made it, from 1
	Retry int       // the number that it got
	At    time.Time // when it came
	Done  time.Time // just before it was answered; zero when it never was
	OK    bool      // it was answered with a success
}

// ledger is written by producer and function while a run lasts.
type ledger struct {
	mu        sync.Mutex
	attempted map[string]bool // published, maybe
	acked     map[string]bool // published, as NATS Streaming has confirmed
	calls     map[string][]*made
	begun     int // calls
	waiting   int // confirmed, and not called yet
}

func newLedger() *ledger {
	return &ledger{attempted: map[string]bool{}, acked: map[string]bool{}, calls: map[string][]*made{}}
}

// attempt is written before a publish, ack after its confirmation.
func (l *ledger) attempt(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempted[id] = true
}

func (l *ledger) ack(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[id] = true
	if len(l.calls[id]) == 0 {
		l.waiting++
	}
}

// begin and end are written by the function.
func (l *ledger) begin(id string, m made) *made {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.acked[id] && len(l.calls[id]) == 0 {
		l.waiting--
	}
	l.calls[id] = append(l.calls[id], &m)
	l.begun++
	return &m
}

func (l *ledger) end(m *made, at time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m.Done, m.OK = at, ok
}

// progress is how many calls there were, and how many confirmed messages have not
// been called yet.
func (l *ledger) progress() (begun, waiting int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.begun, l.waiting
}

// of counts the calls of one life that are as wanted.
func (l *ledger) of(life int, wanted func(made) bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, calls := range l.calls {
		for _, c := range calls {
			if c.Life == life && wanted(*c) {
				n++
			}
		}
	}
	return n
}

// rules are what holds in a run.
type rules struct {
	limit   int                       // retries
	wait    func(n int) time.Duration // of the n-th retry
	atOnce  int                       // calls of one worker
	durable bool                      // a worker that is killed forgets no attempt
	drained map[int]bool              // lives that ended in order: nothing of theirs is made again
}

// findings list what is wrong, by kind, and counts what is allowed.
type findings struct {
	wrong      map[string][]string
	duplicates int // calls that were made again, all of them after a kill
}

func (v *findings) add(kind, format string, args ...any) {
	v.wrong[kind] = append(v.wrong[kind], fmt.Sprintf(format, args...))
}

// String tells every kind, with some examples of each.
func (v *findings) String() string {
	var b strings.Builder
	for kind, all := range v.wrong {
		fmt.Fprintf(&b, "%s %d:\n", kind, len(all))
		for _, one := range all[:min(len(all), 8)] {
			fmt.Fprintf(&b, "\t%s\n", one)
		}
	}
	return b.String()
}

// judge compares the ledger with what is left: the dead, and the pending, which
// that are not settled yet.
func (l *ledger) judge(r rules, dead, pending map[string]bool) *findings {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := &findings{wrong: map[string][]string{}}
	for id := range l.acked {
		if !l.succeeded(id) && !dead[id] && !pending[id] {
			v.add("lost", "%s: %s", id, history(l.calls[id]))
		}
	}
	for _, seen := range []map[string]bool{dead, pending, keys(l.calls)} {
		for id := range seen {
			if !l.attempted[id] {
				v.add("unexpected", "%s was never published", id)
			}
		}
	}
	again := map[int]int{} // by the life that had made the first of the two calls
	for id, calls := range l.calls {
		l.judgeCalls(v, r, id, calls, again)
	}
	for life, n := range again {
		v.duplicates += n
		if n > r.atOnce && r.durable {
			v.add("duplicates", "%d calls of life %d were made again, %d can be in flight", n, life, r.atOnce)
		}
	}
	return v
}

func keys(calls map[string][]*made) map[string]bool {
	set := map[string]bool{}
	for id := range calls {
		set[id] = true
	}
	return set
}

func (l *ledger) succeeded(id string) bool {
	return slices.ContainsFunc(l.calls[id], func(m *made) bool { return m.OK })
}

// judgeCalls goes through the calls of one invocation.
func (l *ledger) judgeCalls(v *findings, r rules, id string, calls []*made, again map[int]int) {
	for i, c := range calls {
		if c.Retry > r.limit {
			v.add("over", "%s: retry %d of %d", id, c.Retry, r.limit)
		}
		if i == 0 {
			if c.Retry != 0 {
				v.add("skipped", "%s: the first call has the retry number %d", id, c.Retry)
			}
			continue
		}
		before := calls[i-1]
		switch {
		case c.Retry == before.Retry+1:
			l.judgeRetry(v, r, id, before, c)
		case c.Life == before.Life, r.drained[before.Life]:
			v.add("repeated", "%s: %s, without a kill between", id, history(calls))
		case c.Retry == before.Retry, !r.durable && c.Retry == 0:
			again[before.Life]++
		case c.Retry < before.Retry:
			v.add("forgotten", "%s: %s", id, history(calls))
		default:
			v.add("skipped", "%s: %s", id, history(calls))
		}
	}
}

// judgeRetry compares a retry with the call before it.
func (l *ledger) judgeRetry(v *findings, r rules, id string, before, c *made) {
	if before.OK {
		v.add("again", "%s: retry %d came after a success", id, c.Retry)
	}
	if before.Done.IsZero() {
		v.add("counted", "%s: retry %d came after a call that was never answered", id, c.Retry)
		return
	}
	if due := before.Done.Add(r.wait(c.Retry)); c.At.Before(due) {
		v.add("early", "%s: retry %d came %s before it was due", id, c.Retry, due.Sub(c.At))
	}
}

// history is one invocation's calls in short: the life, the number, and how it ended.
func history(calls []*made) string {
	if len(calls) == 0 {
		return "never called"
	}
	var all []string
	for _, c := range calls {
		end := "failed"
		switch {
		case c.OK:
			end = "ok"
		case c.Done.IsZero():
			end = "unanswered"
		}
		all = append(all, fmt.Sprintf("life %d retry %d %s", c.Life, c.Retry, end))
	}
	return strings.Join(all, ", ")
}
