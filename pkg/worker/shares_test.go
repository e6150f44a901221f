package worker

import (
	"context"
	"strconv"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/policy"
)

func TestTurnsGoByPriority(t *testing.T) {
	t.Parallel()
	s := shelf{}
	for _, name := range []string{"a", "b", "c"} {
		s.fill(name, 10_000)
	}
	l := s.open(1)
	l.Tune(invocation.Lane{Queue: queue, Name: "a"}, policy.Lane{Priority: 10}, false)
	l.Tune(invocation.Lane{Queue: queue, Name: "c"}, policy.Lane{Priority: 1}, false)
	turns := map[string]int{}
	for range 1600 {
		r, ok := l.take(context.Background(), 0, s)
		if !ok {
			t.Fatal("no turn: ok = false, want true")
		}
		turns[r.Lane.Name]++
		l.finish(r.Ready)
	}
	for name, want := range map[string]int{"a": 1000, "b": 500, "c": 100} {
		if got := turns[name]; got < want-2 || got > want+2 {
			t.Errorf("%s has %d turns of 1600, want %d", name, got, want)
		}
	}
}

func TestAQueueHasALimitOfItsOwn(t *testing.T) {
	t.Parallel()
	s := shelf{}
	s.fill("fn", 100)
	slow := invocation.Lane{Queue: "slow", Name: "fn"}
	for _, r := range s[invocation.Lane{Queue: queue, Name: "fn"}] {
		r.Lane = slow
		s[slow] = append(s[slow], r)
	}
	l := NewLanes(LanesOptions{MaxInflight: 8, QueueLimits: map[string]int{"slow": 2}})
	l.start(context.Background(), shelf{}, func(int) {})
	for key := range s {
		l.Ready(s[key])
	}
	l.running.Wait()
	var held []taken
	many := map[string]int{}
	for n := range 8 {
		if h, ok := l.take(context.Background(), n, s); ok {
			held = append(held, h)
			many[h.Lane.Queue]++
		}
	}
	switch { // the reserve is for lanes with nothing in flight
	case many["slow"] != 2:
		t.Fatalf(`in flight are %v, want many["slow"] 2`, many)
	case many[queue] != 5:
		t.Fatalf("in flight are %v, want many[queue] 5", many)
	}
	for _, h := range held {
		if h.Lane == slow {
			l.finish(h.Ready)
			break
		}
	}
	if h, ok := l.take(context.Background(), 0, s); !ok || h.Lane != slow {
		t.Errorf("then %v, %v is taken, want one of the slow queue", h, ok)
	}
}

func TestARateSpreadsTheCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(200))
		s := defaults(t)
		s.caller, s.fns = f, &known{annotations: map[string]map[string]string{"fn": {policy.AnnotationRate: "5"}}}
		r := start(t, s)
		for i := range 100 {
			r.accept(to("fn"))
			r.accept(to("other" + strconv.Itoa(i%3)))
		}
		pass(100 * time.Millisecond)
		if n := len(f.of("fn")); n != 1 {
			t.Errorf("it begins with %d calls at once, want 1", n)
		}
		from := time.Now()
		pass(10 * time.Second)
		in := 0
		for _, c := range f.of("fn") {
			if c.begun.After(from) {
				in++
			}
		}
		switch {
		case in < 49:
			t.Errorf("%d calls in 10 s at 5 a second, want at least 49", in)
		case in > 51:
			t.Errorf("%d calls in 10 s at 5 a second, want at most 51", in)
		}
		if n := len(f.of("other0")); n != 34 {
			t.Errorf("another function has %d calls, want 34", n)
		}
	})
}
