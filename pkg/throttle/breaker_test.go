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
			if got := tt.do(&b); got != tt.want || b.Status().Open != tt.want {
				t.Errorf("it reports %v and is %+v", got, b.Status())
			}
		})
	}
}

func TestAnOpenBreakerLetsOneProbeWithGrowingPauses(t *testing.T) {
	t.Parallel()
	var b Breaker
	miss(&b, 0, 20, 20)
	now := epoch
	for _, pause := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		pause *= time.Second
		if b.Admit(now) || b.Admit(now.Add(pause-1)) {
			t.Fatalf("a call begins before the pause of %s is over", pause)
		}
		now = now.Add(pause)
		if next := b.Status().Next; !next.Equal(now) {
			t.Fatalf("the next probe is announced for %s, want %s", next, now)
		}
		if !b.Admit(now) || b.Admit(now.Add(time.Hour)) {
			t.Fatalf("after %s there is not exactly one probe", pause)
		}
		if b.Missed(id(99), invocation.CauseTimeout, false, now) || !b.probing {
			t.Fatal("a call that began before it opened counts as the probe")
		}
		b.Missed(id(0), invocation.CauseTimeout, true, now)
	}
	if s := b.Status(); s.Cause != invocation.CauseTimeout || !s.Since.Equal(epoch) {
		t.Errorf("status is %+v", s)
	}
	if b.Admit(now.Add(mostPause)); !b.Reached() || b.Status().Open {
		t.Error("a probe that arrives does not close it")
	}
	if b.Reached() {
		t.Error("a closed breaker closes again")
	}
	if miss(&b, 0, 19, 19) {
		t.Error("it opens at once again")
	}
}

func TestAProbeThatSaysNothingIsMadeAgain(t *testing.T) {
	t.Parallel()
	var b Breaker
	miss(&b, 0, 20, 20)
	now := epoch.Add(time.Second)
	b.Admit(now)
	b.Ended()
	if !b.Ready(now) || !b.Admit(now) {
		t.Error("no other probe may begin")
	}
}
