package intake

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/invocation"
)

func TestTheDelayOfAMessageIsHonoured(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	past := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	for _, tt := range []struct {
		name, header string
		wait         time.Duration // after it was accepted
		at           time.Time     // or the moment; zero for at once
		ignored      invocation.DelayIgnored
		unchanged    bool // it has no delay that is for us
	}{
		{name: "a duration", header: `"X-Delay-Duration":["10m"]`, wait: 10 * time.Minute},
		{name: "days", header: `"X-Delay-Duration":["2d"]`, wait: 48 * time.Hour},
		{name: "seconds", header: `"X-Delay-Duration":["90"]`, wait: 90 * time.Second},
		{name: "none", header: `"X-Delay-Duration":["0"]`},
		{name: "a moment", header: `"X-Not-Before":["` + soon.Format(time.RFC3339) + `"]`, at: soon},
		{name: "a moment that has passed", header: `"X-Not-Before":["` + past.Format(time.RFC3339) + `"]`},
		{name: "the longest", header: `"X-Delay-Duration":["366d"]`, wait: 366 * 24 * time.Hour},
		{name: "beyond the longest", header: `"X-Delay-Duration":["367d"]`, ignored: invocation.DelayTooLong},
		{name: "a moment beyond the longest", header: `"X-Not-Before":["2999-01-01T00:00:00Z"]`, ignored: invocation.DelayTooLong},
		{name: "words", header: `"X-Delay-Duration":["soon"]`, ignored: invocation.DelayInvalid},
		{name: "below 0", header: `"X-Delay-Duration":["-5s"]`, ignored: invocation.DelayInvalid},
		{name: "two values", header: `"X-Delay-Duration":["5s","6s"]`, ignored: invocation.DelayInvalid},
		{name: "both fields", header: `"X-Delay-Duration":["5s"],"X-Not-Before":["` + soon.Format(time.RFC3339) + `"]`, ignored: invocation.DelayInvalid},
		{name: "longer than its age", header: `"X-Delay-Duration":["2h"],"X-Max-Age":["1h"]`, ignored: invocation.DelayInvalid},
		{name: "a mailbox client", header: `"X-Delay-Duration":["10"],"X-Retries":["1"]`, unchanged: true},
		{name: "a mailbox client with a limit", header: `"X-Delay-Duration":["10"],"X-Max-Retries":["3"]`, unchanged: true},
		{name: "no delay", header: `"X-Other":["10"]`, unchanged: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inv, _ := delayedBy(t, true, tt.header)
			want := inv.Accepted.Add(tt.wait)
			if !tt.at.IsZero() {
				want = tt.at
			}
			if !inv.Since.Equal(want) {
				t.Errorf("it is due at %s, want %s", inv.Since, want)
			}
			if tt.unchanged {
				if inv.Terms != nil {
					t.Errorf("its terms are %+v, want none", inv.Terms)
				}
				return
			}
			if inv.Terms.DelayIgnored != tt.ignored {
				t.Errorf("the delay is ignored because of %q, want %q", inv.Terms.DelayIgnored, tt.ignored)
			}
			if inv.Terms.Delayed != (tt.ignored == "") {
				t.Errorf("the delay is honoured: %t, want %t", inv.Terms.Delayed, tt.ignored == "")
			}
		})
	}
}

// delayedBy is what an intake makes of a message with a header.
func delayedBy(t *testing.T, durable bool, header string) (*invocation.Invocation, *rig) {
	t.Helper()
	in, err := New(optionsFor(t, durable))
	if err != nil {
		t.Fatal(err)
	}
	return admitted(in, 1, header, true), &rig{Intake: in}
}

func admitted(in *Intake, sequence uint64, header string, first bool) *invocation.Invocation {
	now := time.Now()
	h := &hold{
		key: key{sequence: sequence, timestamp: now.Add(-time.Minute).UnixNano()}, id: invocation.NewID(now), first: first,
		raw: []byte(`{"Header":{` + header + `},"Function":"figlet"}`),
	}
	return in.admit(h, now).Inv
}

func TestWithoutAStoreDelaysAreBounded(t *testing.T) {
	t.Parallel()
	o := optionsFor(t, false)
	o.MaxUnsettled = 4
	in, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if got := admitted(in, 1, `"X-Delay-Duration":["61m"]`, true).Terms.DelayIgnored; got != invocation.DelayTooLong {
		t.Errorf("more than an hour is ignored because of %q, want %q", got, invocation.DelayTooLong)
	}
	for n, want := range []invocation.DelayIgnored{"", "", invocation.DelayTooMany} {
		if got := admitted(in, uint64(n+2), `"X-Delay-Duration":["1h"]`, true).Terms.DelayIgnored; got != want { // #nosec G115 -- small
			t.Errorf("number %d is ignored because of %q, want %q", n, got, want)
		}
	}
	if got := value(in.opts.Metrics.ignored.WithLabelValues(channel, string(invocation.DelayTooMany))); got != 1 {
		t.Errorf("%v are counted as too many, want 1", got)
	}
}

// TestADelayBeginsOnce: a message that comes again, because the worker was restarted, does not wait twice.
func TestADelayBeginsOnce(t *testing.T) {
	t.Parallel()
	in, err := New(optionsFor(t, false))
	if err != nil {
		t.Fatal(err)
	}
	inv := admitted(in, 1, `"X-Delay-Duration":["10m"]`, false) // it was published a minute ago
	if wait := inv.Since.Sub(inv.Accepted); wait > 9*time.Minute || wait < 9*time.Minute-time.Second {
		t.Errorf("it waits for %s, want 9m", wait)
	}
}

func TestAnIgnoredDelayIsLoggedOncePerFunction(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s := newRecorder(t, true)
	r := run(t, s, ns.URL())
	c := r.publisher(t)
	for range 3 {
		publish(t, c, channel, []byte(`{"Header":{"X-Delay-Duration":["C4N4RY"]},"Function":"figlet"}`))
	}
	s.got(t, 3)
	if n := strings.Count(r.log.String(), "delay not honoured"); n != 1 {
		t.Errorf("it is logged %d times, want once", n)
	}
	if strings.Contains(r.log.String(), "C4N4RY") {
		t.Error("the log has the value of a header")
	}
	if got := value(r.opts.Metrics.ignored.WithLabelValues(channel, string(invocation.DelayInvalid))); got != 3 {
		t.Errorf("%v are counted, want 3", got)
	}
}

// optionsFor are the options of an intake that does not run.
func optionsFor(t *testing.T, durable bool) Options {
	t.Helper()
	o := options(newRecorder(t, durable), "nats://127.0.0.1:1")
	o.Metrics = NewMetrics(prometheus.NewRegistry(), o.Channels)
	return o
}
