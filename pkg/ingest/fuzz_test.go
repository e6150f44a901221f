package ingest

import (
	"net/http"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/wire"
)

// FuzzTiming holds what callers write of time and number against the bounds of
// what may be stored: whatever is taken can be stored, and nothing panics.
func FuzzTiming(f *testing.F) {
	for _, s := range []string{
		"", "0", "1", "-1", "+1", "1.5", "1s", "366h", "8784h", "8784h1ns", "31622400", "31622401", "9223372036854775807", "18446744073709551615",
		"2026-03-04T05:06:07Z", "2026-03-04T05:06:07.123+14:00", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1e9", "٣", "-0", "1h-1m",
	} {
		f.Add(s, s, s)
	}
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	f.Fuzz(func(t *testing.T, delay, notBefore, maxAge string) {
		for _, h := range []http.Header{
			{wire.HeaderDelay: {delay}, wire.HeaderMaxAge: {maxAge}}, {wire.HeaderNotBefore: {notBefore}, wire.HeaderMaxAge: {maxAge}}, {wire.HeaderDelay: {delay}, wire.HeaderNotBefore: {notBefore}},
		} {
			timing, err := readTiming(h, now)
			if err != nil {
				continue
			}
			inv := &invocation.Invocation{Accepted: now, Terms: &invocation.Terms{}}
			timing.apply(inv)
			due, end := inv.Since.Sub(now), inv.Terms.Expires
			if due < 0 || due > invocation.MaxDelay || !end.IsZero() && (end.Before(inv.Since) || end.Sub(now) > invocation.MaxDelay) || len(h) != 0 {
				t.Errorf("%q %q %q: due %s, over %s, left %v", delay, notBefore, maxAge, inv.Since, end, h)
			}
		}
		h := http.Header{headerRetries: {delay}, wire.HeaderDelay: {delay}}
		if n, err := count(h, headerRetries, 0); err == nil && (n < 0 || n > invocation.MaxCount) {
			t.Errorf("%q is the number %d", delay, n)
		}
		if d, err := seconds(h, wire.HeaderDelay, 0); err == nil && (d < 0 || d > invocation.MaxDelay) {
			t.Errorf("%q is %s", delay, d)
		}
	})
}
