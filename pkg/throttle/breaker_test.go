package throttle

import (
	"testing"
	"time"

	"queue-worker/pkg/invocation"
)

func id(n int) invocation.ID { return invocation.ID{15: byte(n)} }

func miss(b *Breaker, from, n, of int) (opened bool) {
	for i := range n {
		opened = b.Missed(id((from+i)%of), invocation.CauseRefused, false, epoch) || opened
	}
	return opened
}

func TestABreakerOpensAfterTwentyInARowOfFive(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		do   func(*Breaker) bool
		want bool
	}{
		{"nineteen in a row", func(b *Breaker) bool { return miss(b, 0, 19, 19) }, false},
		{"twenty in a row", func(b *Breaker) bool { return miss(b, 0, 20, 20) }, true},
		{"twenty of five", func(b *Breaker) bool { return miss(b, 0, 20, 5) }, true},
		{"a hundred of four", func(b *Breaker) bool { return miss(b, 0, 100, 4) }, false},
		{"a hundred of four, then another", func(b *Breaker) bool { miss(b, 0, 100, 4); return miss(b, 4, 1, 5) }, true},
		{"nineteen, one that arrives, nineteen", func(b *Breaker) bool {
			miss(b, 0, 19, 19)
			b.Reached()
			return miss(b, 0, 19, 19)
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b Breaker
			switch got := tt.do(&b); {
			case got != tt.want:
				t.Errorf("it reports %v and is %+v: got = %v, want %v", got, b.Status(), got, tt.want)
			case b.Status().Open != tt.want:
				t.Errorf("it reports %v and is %+v, want Open %v", got, b.Status(), tt.want)
			}
		})
	}
}

func TestAnOpenBreakerLetsOneProbeWithGrowingPauses(t *testing.T) {
	t.Parallel()
	var b Breaker
	miss(&b, 0, 20, 20)
	now := epoch
	for _, pause := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second} {
		switch {
		case b.Admit(now):
			t.Fatalf("a call begins before the pause of %s has ended, want none", pause)
		case b.Admit(now.Add(pause - 1)):
			t.Fatalf("a call begins before the pause of %s has ended by one nanosecond, want none", pause)
		}
		now = now.Add(pause)
		if next := b.Status().Next; !next.Equal(now) {
			t.Fatalf("the next probe is announced for %s, want %s", next, now)
		}
		switch {
		case !b.Admit(now):
			t.Fatalf("after %s there is not exactly one probe: b.Admit(now) = false, want true", pause)
		case b.Admit(now.Add(time.Hour)):
			t.Fatalf("after %s a second probe is admitted, want one", pause)
		}
		switch {
		case b.Missed(id(99), invocation.CauseTimeout, false, now):
			t.Fatal("a call that began before it opened counts as the probe: b.Missed(id(99), invocation.CauseTimeout, false, now) = true, want false")
		case !b.probing:
			t.Fatal("a call that began before it opened counts as the probe: b.probing = false, want true")
		}
		b.Missed(id(0), invocation.CauseTimeout, true, now)
	}
	switch s := b.Status(); {
	case s.Cause != invocation.CauseTimeout:
		t.Errorf("status is %+v, want Cause %q", s, invocation.CauseTimeout)
	case !s.Since.Equal(epoch):
		t.Errorf("status is %+v, want Since %v", s, epoch)
	}
	switch b.Admit(now.Add(mostPause)); {
	case !b.Reached():
		t.Error("a probe that arrives does not close it: b.Reached() = false, want true")
	case b.Status().Open:
		t.Error("a probe that arrives does not close it: b.Status().Open = true, want false")
	}
	if b.Reached() {
		t.Error("a closed breaker closes again: b.Reached() = true, want false")
	}
	if miss(&b, 0, 19, 19) {
		t.Error("it opens at once again: miss(&b, 0, 19, 19) = true, want false")
	}
}

func TestAProbeThatSaysNothingIsMadeAgain(t *testing.T) {
	t.Parallel()
	var b Breaker
	miss(&b, 0, 20, 20)
	now := epoch.Add(time.Second)
	b.Admit(now)
	b.Ended()
	switch {
	case !b.Ready(now):
		t.Error("no other probe may begin: b.Ready(now) = false, want true")
	case !b.Admit(now):
		t.Error("no other probe may begin: b.Admit(now) = false, want true")
	}
}
