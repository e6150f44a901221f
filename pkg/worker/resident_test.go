// What lanes cost whose names callers have invented.

package worker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// mostLanes is how many lanes of a kind may be in memory here.
const mostLanes = mostResident + mostFresh

// resident fails the test when too many lanes are in memory.
func resident(t *testing.T, l *Lanes, most int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := len(l.residents[0].fresh) + len(l.residents[1].fresh)
	switch {
	case len(l.lanes) > most:
		t.Fatalf("%d lanes and %d throttles are in memory, %d are fresh, %+v counted: len(l.lanes) = %d, want at most %d", len(l.lanes), len(l.throttles), fresh, l.residents[0].count, len(l.lanes), most)
	case len(l.throttles) > mostThrottles+most:
		t.Fatalf("%d lanes and %d throttles are in memory, %d are fresh, %+v counted: len(l.throttles) = %d, want at most %d", len(l.lanes), len(l.throttles), fresh, l.residents[0].count, len(l.throttles), mostThrottles+most)
	case fresh > 2*mostFresh:
		t.Fatalf("%d are fresh, want at most %d", fresh, 2*mostFresh)
	case l.residents[0].count+l.residents[1].count != len(l.lanes):
		t.Fatalf("%d lanes and %d throttles are in memory, %d are fresh, %+v counted: l.residents[0].count+l.residents[1].count = %d, want %d", len(l.lanes), len(l.throttles), fresh, l.residents[0].count, l.residents[0].count+l.residents[1].count, len(l.lanes))
	}
}

func TestLanesInMemoryAreBoundedAndAllHaveTheirTurn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, prefix string }{{"functions", "fn-"}, {"URLs", "url:host-"}} {
		for _, arrive := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, while the worker runs %v", tt.name, arrive), func(t *testing.T) {
				t.Parallel()
				const names = 30_000
				s, flood := shelf{}, shelf{}
				for n := range names {
					flood.fill(fmt.Sprint(tt.prefix, n), 1)
				}
				if !arrive {
					s = flood
				}
				l := s.open(1)
				if arrive {
					for key, entries := range flood {
						s[key] = entries
						l.Ready(entries)
					}
				}
				resident(t, l, mostLanes)
				seen := map[invocation.Lane]bool{}
				for len(seen) < names {
					h, ok := l.take(context.Background(), 0, s)
					if !ok {
						l.mu.Lock()
						l.slots = l.slots[:len(l.slots)-1]
						l.mu.Unlock()
						l.refill(context.Background(), s)
						if len(l.lanes) == 0 {
							t.Fatalf("%d of %d lanes had their turn: len(l.lanes) = %d, want not 0", len(seen), names, len(l.lanes))
						}
						continue
					}
					seen[h.Lane] = true
					s.settle(h.Ready)
					l.finish(h.Ready)
					if len(seen)%1000 == 0 {
						l.rotate()
						l.refill(context.Background(), s)
						resident(t, l, mostLanes)
					}
				}
				resident(t, l, 0)
			})
		}
	}
}

func TestAFunctionThatHasSucceededIsResidentBesideAFlood(t *testing.T) {
	t.Parallel()
	s := shelf{}
	s.fill("known", 1)
	l := s.open(1)
	known := invocation.Lane{Queue: queue, Name: "known"}
	h, _ := l.take(context.Background(), 0, s)
	l.learn(h, effect{began: time.Now(), success: true})
	l.Pause("known")
	l.Resume("known")
	for n := range 2 * mostLanes {
		l.Ready([]store.Ready{{Lane: invocation.Lane{Queue: queue, Name: fmt.Sprint("invented-", n)}, Since: time.Unix(1, 0), ID: h.ID}})
	}
	s.settle(h.Ready)
	l.finish(h.Ready)
	s.fill("known", 1)
	l.Ready(s[known])
	l.rotate()
	resident(t, l, mostLanes+1)
	switch got := l.Proven(); {
	case len(got) != 1:
		t.Errorf("proven are %v, want len 1", got)
	case got[0] != known:
		t.Errorf("proven are %v: got[0] = %+v, want %+v", got, got[0], known)
	}
	switch {
	case l.lanes[known] == nil:
		t.Errorf("it is not in memory: l.lanes[known] = %+v, want not nil", l.lanes[known])
	case l.throttles[known] == nil:
		t.Errorf("it is not in memory: l.throttles[known] = %+v, want not nil", l.throttles[known])
	case !l.throttles[known].proven:
		t.Error("it is not in memory: l.throttles[known].proven = false, want true")
	}
}

// unread is a store of which something is always due, and whose index cannot be read.
type unread struct{ Store }

func (unread) NextDue() time.Time { return time.Now().Add(time.Millisecond) }

func (unread) ReadyLanes(context.Context, invocation.Lane, bool, int) ([]invocation.Lane, error) {
	return nil, errors.New("unreadable")
}

func TestLanesMakeRoomOnceASecondHoweverOftenTheTimerFires(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := defaults(t)
		s.caller, s.wrap = newFake(statuses(200)), func(s Store) Store { return unread{s} }
		r := build(t, s)
		first := &r.lanes.residents[0]
		first.absent = true
		r.run()
		pass(longestSleep / 2)
		r.lanes.mu.Lock()
		first.spared = 7 // until all lanes are counted again
		r.lanes.mu.Unlock()
		var spared []int
		for range 2 {
			pass(longestSleep * 9 / 20)
			r.lanes.mu.Lock()
			spared = append(spared, first.spared)
			r.lanes.mu.Unlock()
		}
		if spared[0] != 7 || spared[1] != 0 {
			t.Errorf("before the second has passed and after it: %v, want 7 and 0", spared)
		}
	})
}
