// Package retry decides what follows an attempt: done, a retry after a wait, or
// given up with a reason.
//
// The n-th retry waits min(initial * 2^(n-1), max). With the default settings
// (10 retries, initial_retry_wait 10s, max_retry_wait 120s, backoff exponential):
//
//	retry     1    2    3    4    5    6    7    8    9   10
//	wait    10s  20s  40s  80s 120s 120s 120s 120s 120s 120s
//	total   10s  30s  70s 150s 270s 390s 510s 630s 750s 870s
//
// So a function that always fails is given up 14m30s after its first call, plus the time
// of the calls.
//
// The package is pure: it does no I/O, reads no clock, draws no random numbers of
// its own and logs nothing. It does not know the source of a policy and does not
// pause lanes.
package retry

import (
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Unlimited as Policy.Attempts means that retrying never ends by count.
const Unlimited = -1

// Mode says how the computed wait becomes the wait of one retry.
type Mode uint8

// The closed set of modes.
const (
	// Exponential waits exactly min(initial * 2^(n-1), max).
	Exponential Mode = iota
	// Full waits 0..100 % of that, chosen at random.
	Full
	// Equal waits 50..100 % of that, chosen at random.
	Equal
	// Constant always waits the initial wait, or max when that is less.
	Constant
)

// Modes lists the closed set.
func Modes() []Mode { return []Mode{Exponential, Full, Equal, Constant} }

// String is the word that the backoff setting takes.
func (m Mode) String() string {
	switch m {
	case Exponential:
		return "exponential"
	case Full:
		return "full"
	case Equal:
		return "equal"
	case Constant:
		return "constant"
	}
	panic("retry: unknown mode")
}

// ParseMode reads the word that Mode.String writes, and nothing else.
func ParseMode(s string) (Mode, error) {
	for _, m := range Modes() {
		if m.String() == s {
			return m, nil
		}
	}
	return Exponential, fmt.Errorf("%s is not a backoff: expected exponential, full, equal or constant", quote(s))
}

// Policy is what a worker, or a function by its annotations, wants of retries.
// The zero value makes one call and no retry. A Policy is a value: it may be
// copied and used by any number of goroutines.
type Policy struct {
	// Attempts is how many retries may follow the first call: 0 for none,
	// Unlimited for no end. Any other negative number counts as 0.
	Attempts int
	// Initial is the wait before the first retry; 0 makes every retry immediate.
	Initial time.Duration
	// Max bounds the computed wait. An Initial above it counts as Max.
	Max time.Duration
	// MaxRetryAfter bounds what a Retry-After header can ask for; 0 ignores it.
	MaxRetryAfter time.Duration
	// UnknownGrace is how long a function is waited for that the gateway does not know;
	// 0 not at all.
	UnknownGrace time.Duration
	// Codes are the statuses that are retried. Those below 400 have no effect,
	// because they are successes.
	Codes Codes
	// DeadCodes are the final statuses that go to the dead set.
	DeadCodes Codes
	// Mode is how the wait is spread.
	Mode Mode
	// Only2xx: nothing but 2xx is a success and every failure is retried, whatever
	// Codes and DeadCodes say. So it is for what is not called as a function.
	Only2xx bool
}

// Wait is how long the n-th retry waits, n from 1; less counts as 1. It is never
// negative and never above Max, and it costs at most 63 steps at any n. Random
// gives numbers in [0,1) and is asked once, by Full and Equal only. Waits above
// 104 days may be off by some nanoseconds, because the library counts in float64.
func (p Policy) Wait(n int, random func() float64) time.Duration {
	return p.spread(p.computed(n), random)
}

// waitAfter is Wait for a known status. A function that answers 429 asks for
// less, so its retry waits at least half of the computed wait in any mode.
func (p Policy) waitAfter(status, n int, random func() float64) time.Duration {
	computed := p.computed(n)
	wait := p.spread(computed, random)
	if status == http.StatusTooManyRequests {
		wait = max(wait, computed-computed/2)
	}
	return wait
}

// computed is the wait before it is spread: min(initial * 2^(n-1), max), or
// min(initial, max) in mode Constant.
func (p Policy) computed(n int) time.Duration {
	if p.Initial <= 0 || p.Max <= 0 {
		return 0
	}
	if p.Mode == Constant || p.Initial >= p.Max {
		return min(p.Initial, p.Max)
	}
	b := backoff.ExponentialBackOff{
		InitialInterval: p.Initial,
		Multiplier:      2,
		MaxInterval:     p.Max,
		Stop:            backoff.Stop,
		Clock:           noClock{},
	}
	b.Reset()
	wait := b.NextBackOff()
	for i := 1; i < n && wait < p.Max; i++ { // doubling from 1ns reaches any max in 63 steps
		wait = b.NextBackOff()
	}
	return min(wait, p.Max) // the library caps what follows, not its first interval
}

// spread applies the mode to a computed wait.
func (p Policy) spread(computed time.Duration, random func() float64) time.Duration {
	switch p.Mode {
	case Exponential, Constant:
		return computed
	case Full:
		return share(computed, random())
	case Equal:
		rest := computed / 2
		return computed - rest + share(rest, random())
	}
	panic("retry: unknown mode")
}

// share is the part r of d. An r that is no number in [0,1] counts as 1, so that a
// bad source of random numbers makes no retry early.
func share(d time.Duration, r float64) time.Duration {
	if math.IsNaN(r) || r < 0 || r > 1 {
		return d
	}
	return min(d, time.Duration(math.Min(r*float64(d), math.MaxInt64-1023)))
}

// noClock is the clock of a back-off that has no end by time. It keeps the
// package pure.
type noClock struct{}

// Now is always the same instant.
func (noClock) Now() time.Time { return time.Time{} }
