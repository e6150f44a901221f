package throttle

import (
	"math"
	"testing"
	"time"
)

// begun counts the calls that begin in so long when one is always waiting and is
// woken late.
func begun(r *Rate, from time.Time, span, late time.Duration) int {
	n := 0
	for now := from; ; n++ {
		if next := r.Next(); next.After(now) {
			now = next.Add(late)
		}
		if now.Sub(from) >= span {
			return n
		}
		r.Begin(now)
	}
}

func TestCallsAreSpreadOverASecond(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rate float64
		late time.Duration
		span time.Duration
		want int
	}{
		{10, 0, 10 * time.Second, 100},
		{10, 5 * time.Millisecond, 10 * time.Second, 100},
		{0.5, 0, 10 * time.Second, 5},
		{1000, 0, time.Second, 1000},
	} {
		var r Rate
		r.Set(tt.rate)
		if got := begun(&r, epoch, tt.span, tt.late); got < tt.want-1 || got > tt.want+1 {
			t.Errorf("%v a second, woken %s late: %d calls in %s, want %d", tt.rate, tt.late, got, tt.span, tt.want)
		}
	}
}

func TestTimeThatWasNotUsedIsLost(t *testing.T) {
	t.Parallel()
	var r Rate
	r.Set(10)
	r.Begin(epoch)
	if got := begun(&r, epoch.Add(time.Hour), time.Second, 0); got > 11 {
		t.Errorf("after an idle hour %d calls begin in a second, want at most 11", got)
	}
}

func TestARateThatIsNoneLimitsNothing(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		var r Rate
		r.Set(1)
		r.Begin(epoch)
		r.Set(rate)
		r.Begin(epoch)
		if !r.Next().IsZero() {
			t.Errorf("rate %v makes calls wait: r.Next().IsZero() = false, want true", rate)
		}
	}
	var slow Rate
	slow.Set(1e-300)
	slow.Begin(epoch)
	if slow.Next().Before(epoch.Add(time.Hour)) {
		t.Error("a rate of next to nothing overflows: slow.Next().Before(epoch.Add(time.Hour)) = true, want false")
	}
}
