// Retry-After headers as functions, proxies and attackers write them.

package retry

import (
	"math"
	"strings"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
)

var noon = time.Date(2026, time.March, 5, 12, 0, 0, 0, time.UTC)

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	const longest = time.Duration(math.MaxInt64)
	tests := []struct {
		name, value string
		want        time.Duration
		ok          bool
	}{
		{"seconds", "120", 2 * time.Minute, true},
		{"no seconds", "0", 0, true},
		{"leading zeros", "0005", 5 * time.Second, true},
		{"spaces around it", " \t7 ", 7 * time.Second, true},
		{"the last second that fits", "9223372036", 9223372036 * time.Second, true},
		{"the first one that does not saturates", "9223372037", longest, true},
		{"10^18 seconds", "1000000000000000000", longest, true},
		{"more than 64 bits", "99999999999999999999999999", longest, true},
		{"a thousand digits", strings.Repeat("9", 1000), longest, true},
		{"a date to come", "Thu, 05 Mar 2026 12:00:30 GMT", 30 * time.Second, true},
		{"a date that is now", "Thu, 05 Mar 2026 12:00:00 GMT", 0, true},
		{"a date in the past", "Fri, 31 Dec 1999 23:59:59 GMT", 0, true},
		{"a date in the form of RFC 850", "Thursday, 05-Mar-26 12:01:00 GMT", time.Minute, true},
		{"a date in the form of asctime", "Thu Mar  5 12:00:01 2026", time.Second, true},
		{"the end of time", "Fri, 31 Dec 9999 23:59:59 GMT", longest, true},
		{"the beginning of time", "Mon, 01 Jan 0001 00:00:00 GMT", 0, true},
		{"nothing", "", 0, false},
		{"only spaces", "   ", 0, false},
		{"negative", "-5", 0, false},
		{"a plus sign", "+5", 0, false},
		{"a fraction", "1.5", 0, false},
		{"an exponent", "1e3", 0, false},
		{"hexadecimal", "0x10", 0, false},
		{"a duration", "10s", 0, false},
		{"two values", "10, 20", 0, false},
		{"digits of another script", "٥", 0, false},
		{"a word", "soon", 0, false},
		{"a date without a zone", "Thu, 05 Mar 2026 12:00:30", 0, false},
		{"a date that does not exist", "Thu, 31 Feb 2026 12:00:30 GMT", 0, false},
		{"a date of RFC 3339", "2026-03-05T12:00:30Z", 0, false},
		{"control characters", "5\r\nX: y", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, ok := ParseRetryAfter(tt.value, noon); got != tt.want || ok != tt.ok {
				t.Errorf("ParseRetryAfter(%q) is %v, %v; want %v, %v", tt.value, got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestDecideWithRetryAfter(t *testing.T) {
	t.Parallel()
	p := Policy{
		Attempts: 10, Initial: 10 * time.Second, Max: 2 * time.Minute, MaxRetryAfter: time.Hour,
		Codes: mustCodes("429,500,503"),
	}
	tests := []struct {
		name, value string
		status      int
		want        time.Duration
	}{
		{"longer than the computed wait", "60", 429, time.Minute},
		{"shorter than the computed wait", "3", 429, 10 * time.Second},
		{"a 503 counts as well", "60", 503, time.Minute},
		{"a 500 is not one that asks", "60", 500, 10 * time.Second},
		{"beyond the cap waits the cap", "1000000000000000000", 429, time.Hour},
		{"a date beyond the cap waits the cap", "Fri, 31 Dec 9999 23:59:59 GMT", 503, time.Hour},
		{"a date to come", "Thu, 05 Mar 2026 12:05:00 GMT", 503, 5 * time.Minute},
		{"a date in the past leaves the computed wait", "Fri, 31 Dec 1999 23:59:59 GMT", 503, 10 * time.Second},
		{"one that does not parse is ignored", "soon", 429, 10 * time.Second},
		{"a negative one is ignored", "-60", 429, 10 * time.Second},
		{"above max_retry_wait is honoured up to its own cap", "600", 429, 10 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := p.Decide(0, Result{Status: tt.status, RetryAfter: tt.value}, noon, never(t))
			if want := (Decision{Outcome: invocation.OutcomeRetry, Wait: tt.want}); got != want {
				t.Errorf("decision is %+v, want %+v", got, want)
			}
		})
	}
}

func TestRetryAfterNeverShortensAWaitAboveItsCap(t *testing.T) {
	t.Parallel()
	p := Policy{Attempts: 1, Initial: 2 * time.Hour, Max: 2 * time.Hour, MaxRetryAfter: time.Hour, Codes: mustCodes("429")}
	if got := p.Decide(0, Result{Status: 429, RetryAfter: "99999"}, noon, never(t)); got.Wait != 2*time.Hour {
		t.Errorf("it waits %v, want 2h", got.Wait)
	}
	p.MaxRetryAfter, p.Initial = 0, time.Second
	if got := p.Decide(0, Result{Status: 429, RetryAfter: "60"}, noon, never(t)); got.Wait != time.Second {
		t.Errorf("with a cap of 0 it waits %v, want 1s", got.Wait)
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("99999999999999999999")
	f.Add("Thu, 05 Mar 2026 12:00:30 GMT")
	f.Add("Thursday, 05-Mar-26 12:01:00 GMT")
	f.Add("-1")
	p := Policy{Attempts: 1, Initial: time.Second, Max: time.Second, MaxRetryAfter: time.Hour, Codes: mustCodes("503")}
	f.Fuzz(func(t *testing.T, value string) {
		wait, ok := ParseRetryAfter(value, noon)
		if wait < 0 || !ok && wait != 0 {
			t.Fatalf("%q is %v, %v", value, wait, ok)
		}
		got := p.Decide(0, Result{Status: 503, RetryAfter: value}, noon, nil)
		if want := max(time.Second, min(wait, time.Hour)); got.Outcome != invocation.OutcomeRetry || got.Wait != want {
			t.Fatalf("%q leads to %+v, want a wait of %v", value, got, want)
		}
	})
}
