// File header.go reads the header fields for delay, age and number of retries.

package ingest

import (
	"net/http"
	"strconv"
	"time"

	"queue-worker/pkg/duration"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

// Header fields of the mailbox that say something to us. Its delay is wire.HeaderDelay.
const (
	headerRetries    = "X-Retries"
	headerMaxRetries = "X-Max-Retries"
)

const (
	// maxCallID bounds a call id in bytes, because the store has it in a key.
	maxCallID = 256
	// maxFields bounds the fields of a header. A call with more than 128, ours
	// among them, could not be sent on.
	maxFields = 120
)

// The hints say what a field takes. maxDelaySeconds is invocation.MaxDelay.
const (
	hintCount    = "a whole number from 0 to 1000000000, in digits alone"
	hintSeconds  = "whole seconds from 0 to 31622400 (366 days), in digits alone"
	hintDuration = "whole seconds, or a duration such as 90s, 5m, 1h30m or 7d, at most 366 days"
	hintMoment   = "a time of RFC 3339 such as 2026-03-04T05:06:07Z, at most 366 days ahead"
)

// field is the value of a header field and whether it is there. One that is there
// twice is a mistake.
func field(h http.Header, name, hint string) (string, bool, error) {
	values := h.Values(name)
	switch len(values) {
	case 0:
		return "", false, nil
	case 1:
		return values[0], true, nil
	}
	return "", false, respond.Refuse(name+" is there twice", hint)
}

// count reads a number of retries: digits and nothing else.
func count(h http.Header, name string, otherwise int) (int, error) {
	n, there, err := digits(h, name, invocation.MaxCount, hintCount)
	if err != nil || !there {
		return otherwise, err
	}
	return int(n), nil
}

// seconds reads a duration as the mailbox has it.
func seconds(h http.Header, name string, otherwise time.Duration) (time.Duration, error) {
	n, there, err := digits(h, name, int64(invocation.MaxDelay/time.Second), hintSeconds)
	if err != nil || !there {
		return otherwise, err
	}
	return time.Duration(n) * time.Second, nil
}

func digits(h http.Header, name string, most int64, hint string) (n int64, there bool, err error) {
	s, there, err := field(h, name, hint)
	if err != nil || !there {
		return 0, false, err
	}
	u, err := strconv.ParseUint(s, 10, 63) // takes no sign
	if err != nil || int64(u) > most {     // #nosec G115 -- 63 bits
		return 0, false, respond.Refuse(name+" is not a number in its range", hint)
	}
	return int64(u), true, nil // #nosec G115 -- the same
}

// span reads a duration, none below 0.
func span(h http.Header, name string) (d time.Duration, there bool, err error) {
	s, there, err := field(h, name, hintDuration)
	if err != nil || !there {
		return 0, false, err
	}
	d, err = duration.Parse(s)
	if err != nil || d < 0 || d > invocation.MaxDelay {
		return 0, false, respond.Refuse(name+" is not a duration in its range", hintDuration)
	}
	return d, true, nil
}

// timing is what a caller says of the time of its invocation.
type timing struct {
	delay     time.Duration // before the first call
	notBefore time.Time     // or the moment of it; zero for at once
	maxAge    time.Duration // 0 for any
}

// readTiming reads the fields and takes them out of the header: they are meant for
// us, and carried out.
func readTiming(h http.Header, now time.Time) (w timing, err error) {
	var delayed, aged bool
	if w.delay, delayed, err = span(h, wire.HeaderDelay); err != nil {
		return w, err
	}
	if w.notBefore, err = moment(h, wire.HeaderNotBefore, now); err != nil {
		return w, err
	}
	if w.maxAge, aged, err = span(h, wire.HeaderMaxAge); err != nil {
		return w, err
	}
	switch {
	case delayed && !w.notBefore.IsZero():
		return w, respond.Refuse(wire.HeaderDelay+" and "+wire.HeaderNotBefore+" say the same in two ways", "send one of them")
	case aged && w.maxAge == 0:
		return w, respond.Refuse(wire.HeaderMaxAge+" is 0, so nothing would ever be called", hintDuration)
	case aged && (w.delay > w.maxAge || w.notBefore.Sub(now) > w.maxAge):
		return w, respond.Refuse(wire.HeaderMaxAge+" ends before the first call", "Leave it out, or make it longer than the wait before the first call.")
	}
	for _, name := range []string{wire.HeaderDelay, wire.HeaderNotBefore, wire.HeaderMaxAge} {
		h.Del(name)
	}
	return w, nil
}

func moment(h http.Header, name string, now time.Time) (time.Time, error) {
	s, there, err := field(h, name, hintMoment)
	if err != nil || !there {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Sub(now) > invocation.MaxDelay {
		return time.Time{}, respond.Refuse(name+" is not a time in its range", hintMoment)
	}
	return t, nil
}

// apply gives an invocation that is being accepted its due time and its end.
func (w timing) apply(inv *invocation.Invocation) {
	inv.Since = inv.Accepted.Add(w.delay)
	if w.notBefore.After(inv.Since) {
		inv.Since = w.notBefore
	}
	if w.maxAge > 0 {
		inv.Terms.Expires = inv.Accepted.Add(w.maxAge)
	}
}
