// The laws of the wait: tables for what people read, properties for the rest.

package retry

import (
	"math"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// always is a source of random numbers that gives r.
func always(r float64) func() float64 { return func() float64 { return r } }

// never fails the test when a random number is drawn.
func never(t testing.TB) func() float64 {
	return func() float64 {
		t.Helper()
		t.Error("a random number was drawn")
		return 0
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	const half = 0.5
	tests := []struct {
		name   string
		policy Policy
		random float64
		want   []time.Duration
	}{
		{
			"the default settings double up to two minutes",
			Policy{Initial: 10 * time.Second, Max: 2 * time.Minute},
			half,
			[]time.Duration{10e9, 20e9, 40e9, 80e9, 120e9, 120e9, 120e9},
		},
		{"an initial wait of zero retries at once", Policy{Max: time.Minute}, half, []time.Duration{0, 0, 0}},
		{"a negative initial wait counts as zero", Policy{Initial: -1, Max: time.Minute}, half, []time.Duration{0, 0}},
		{"a greatest wait of zero retries at once", Policy{Initial: time.Second}, half, []time.Duration{0, 0}},
		{"the greatest wait bounds the first one too", Policy{Initial: time.Hour, Max: time.Second}, half, []time.Duration{1e9, 1e9}},
		{"constant stays at the initial wait", Policy{Initial: time.Second, Max: time.Minute, Mode: Constant}, half, []time.Duration{1e9, 1e9, 1e9}},
		{"constant stays below the greatest wait", Policy{Initial: time.Hour, Max: time.Minute, Mode: Constant}, half, []time.Duration{60e9, 60e9}},
		{"full can be nothing", Policy{Initial: 10 * time.Second, Max: time.Minute, Mode: Full}, 0, []time.Duration{0, 0, 0}},
		{"full is the drawn share", Policy{Initial: 10 * time.Second, Max: time.Minute, Mode: Full}, half, []time.Duration{5e9, 10e9, 20e9, 30e9}},
		{"equal is at least half", Policy{Initial: 10 * time.Second, Max: time.Minute, Mode: Equal}, 0, []time.Duration{5e9, 10e9, 20e9, 30e9}},
		{"equal is half and the drawn share of the other half", Policy{Initial: 10 * time.Second, Max: time.Minute, Mode: Equal}, half, []time.Duration{7.5e9, 15e9, 30e9, 45e9}},
		{"a random number below the range is no excuse to be early", Policy{Initial: 10 * time.Second, Max: time.Minute, Mode: Full}, -3, []time.Duration{10e9}},
		{"a random number above the range is no excuse to be late", Policy{Initial: 10 * time.Second, Max: time.Minute, Mode: Full}, 7, []time.Duration{10e9}},
		{"no number at all is no excuse either", Policy{Initial: 10 * time.Second, Max: time.Minute, Mode: Equal}, math.NaN(), []time.Duration{10e9}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for i, want := range tt.want {
				if got := tt.policy.Wait(i+1, always(tt.random)); got != want {
					t.Errorf("retry %d waits %v, want %v", i+1, got, want)
				}
			}
			first := tt.policy.Wait(1, always(tt.random))
			for _, n := range []int{0, -1, math.MinInt} {
				if got := tt.policy.Wait(n, always(tt.random)); got != first {
					t.Errorf("retry %d waits %v, want the first wait %v", n, got, first)
				}
			}
		})
	}
}

func TestExponentialAndConstantDrawNoRandomNumber(t *testing.T) {
	t.Parallel()
	for _, m := range []Mode{Exponential, Constant} {
		Policy{Initial: time.Second, Max: time.Minute, Mode: m}.Wait(3, never(t))
	}
}

func TestWaitAfterABillionRetriesIsTheGreatestWait(t *testing.T) {
	t.Parallel()
	for _, limit := range []time.Duration{1, time.Minute, math.MaxInt64 - 1, math.MaxInt64} {
		for _, n := range []int{64, 1_000_000, 1_000_000_000, math.MaxInt} {
			p := Policy{Initial: 1, Max: limit}
			if got := p.Wait(n, never(t)); got != limit {
				t.Errorf("retry %d waits %d, want %d", n, got, limit)
			}
		}
	}
}

// anyPolicy draws policies from the whole range of durations.
func anyPolicy(t *rapid.T) Policy {
	d := rapid.OneOf(
		rapid.Int64(),
		rapid.Int64Range(0, int64(time.Hour)),
		rapid.SampledFrom([]int64{0, 1, math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64/2 + 1, 1 << 53, 1<<53 + 1, math.MinInt64}),
	)
	return Policy{
		Attempts:      rapid.IntRange(-1, 1_000_000_000).Draw(t, "attempts"),
		Initial:       time.Duration(d.Draw(t, "initial")),
		Max:           time.Duration(d.Draw(t, "max")),
		MaxRetryAfter: time.Duration(d.Draw(t, "max retry after")),
		Codes:         mustCodes(rapid.SampledFrom([]string{"", "429,503", "5xx", "1xx,2xx,3xx,4xx,5xx"}).Draw(t, "codes")),
		DeadCodes:     mustCodes(rapid.SampledFrom([]string{"", "4xx,5xx"}).Draw(t, "dead codes")),
		Mode:          rapid.SampledFrom(Modes()).Draw(t, "mode"),
		Only2xx:       rapid.Float64Range(0, 1).Draw(t, "only 2xx") > 0.7,
	}
}

// drawn is a source of random numbers in [0,1) that rapid can shrink.
func drawn(t *rapid.T) func() float64 {
	return func() float64 { return rapid.Float64Range(0, math.Nextafter(1, 0)).Draw(t, "random") }
}

func TestPropertyWaitIsNeverNegativeNorAboveMax(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := anyPolicy(t)
		n := rapid.OneOf(rapid.IntRange(1, 70), rapid.IntRange(1, math.MaxInt)).Draw(t, "n")
		switch got := p.Wait(n, drawn(t)); {
		case got < 0:
			t.Fatalf("retry %d of %+v waits %d: got = %v, want at least 0", n, p, got, got)
		case got > max(p.Max, 0):
			t.Fatalf("retry %d of %+v waits %d: got = %v, want at most %v", n, p, got, got, max(p.Max, 0))
		}
	})
}

func TestPropertyExponentialWaitIsTheFormula(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := Policy{
			Initial: time.Duration(rapid.Int64Range(0, 1<<53).Draw(t, "initial")),
			Max:     time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "max")),
		}
		n := rapid.IntRange(1, 200).Draw(t, "n")
		want := new(big.Int).Lsh(big.NewInt(int64(p.Initial)), uint(n-1))
		if limit := big.NewInt(int64(p.Max)); want.Cmp(limit) > 0 {
			want = limit
		}
		if got := p.Wait(n, nil); big.NewInt(int64(got)).Cmp(want) != 0 {
			t.Fatalf("retry %d of %d up to %d waits %d, want %d", n, p.Initial, p.Max, got, want)
		}
	})
}

func TestPropertyWaitNeverShrinksWithTheNumberOfRetries(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := anyPolicy(t)
		r := always(rapid.Float64Range(0, math.Nextafter(1, 0)).Draw(t, "random"))
		n := rapid.IntRange(1, 200).Draw(t, "n")
		if a, b := p.Wait(n, r), p.Wait(n+1, r); b < a {
			t.Fatalf("retry %d of %+v waits %d, the next only %d, want at least %v", n, p, a, b, a)
		}
	})
}

func TestPropertyModesSpreadTheComputedWait(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := anyPolicy(t)
		n := rapid.IntRange(1, 200).Draw(t, "n")
		with := func(m Mode) time.Duration {
			q := p
			q.Mode = m
			return q.Wait(n, drawn(t))
		}
		computed := with(Exponential)
		switch full := with(Full); {
		case full < 0:
			t.Fatalf("full waits %d of %d: full = %v, want at least 0", full, computed, full)
		case full > computed:
			t.Fatalf("full waits %d of %d: full = %v, want at most %v", full, computed, full, computed)
		}
		switch equal := with(Equal); {
		case equal < computed/2:
			t.Fatalf("equal waits %d of %d: equal = %v, want at least %v", equal, computed, equal, computed/2)
		case equal > computed:
			t.Fatalf("equal waits %d of %d: equal = %v, want at most %v", equal, computed, equal, computed)
		}
		if constant := with(Constant); constant != max(0, min(p.Initial, p.Max)) {
			t.Fatalf("constant waits %d of %d, want %v", constant, p.Initial, max(0, min(p.Initial, p.Max)))
		}
	})
}

func TestModesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for _, m := range Modes() {
		switch got, err := ParseMode(m.String()); {
		case err != nil:
			t.Errorf("ParseMode(%q) is %v, %v, want no error", m, got, err)
		case got != m:
			t.Errorf("ParseMode(%q) is %v, %v, want %v", m, got, err, m)
		}
	}
	for _, bad := range []string{"", "Full", " full", "jitter"} {
		if _, err := ParseMode(bad); err == nil {
			t.Errorf("ParseMode(%q) accepts it: err = %v, want an error", bad, err)
		}
	}
}

func TestUnknownEnumsPanic(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(){
		"a mode's word": func() { _ = Mode(9).String() },
		"a mode's wait": func() { Policy{Initial: 1, Max: 1, Mode: 9}.Wait(1, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("it accepts a value that does not exist, want recover() set")
				}
			}()
			f()
		})
	}
}
