package intake

// Without a durable store: what comes in over HTTP goes to the queue and comes
// back from there as it was.

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/invocation"
)

// submission is an invocation as HTTP makes it, and its QueueRequest.
func submission(t *testing.T, edits ...func(*invocation.Invocation)) (*invocation.Invocation, []byte) {
	t.Helper()
	now := time.Now().Round(0)
	inv := &invocation.Invocation{
		ID: invocation.NewID(now), CallID: "call", Function: "figlet.openfaas-fn",
		Lane:     invocation.Lane{Queue: channel, Name: "figlet"},
		Accepted: now, Since: now, Terms: &invocation.Terms{Source: invocation.SourceHTTP},
	}
	for _, edit := range edits {
		edit(inv)
	}
	e, err := invocation.NewEncoder(types.QueueRequest{
		Header: http.Header{"X-Call-Id": {inv.CallID}}, Method: http.MethodPost, Function: inv.Function,
	}, 5, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	env := invocation.EnvelopeOf(inv)
	raw, err := e.Finish(&env)
	if err != nil {
		t.Fatal(err)
	}
	inv.Size = len(raw)
	return inv, raw
}

func delayed(i *invocation.Invocation) { i.Since = i.Accepted.Add(time.Hour) }

func mailbox(retries, most int) func(*invocation.Invocation) {
	return func(i *invocation.Invocation) {
		i.Retries = retries
		i.Terms = &invocation.Terms{Source: invocation.SourceMailbox, MaxRetries: most, Delay: 4 * time.Second}
	}
}

func TestWhatWasPublishedComesBackAsItWas(t *testing.T) {
	t.Parallel()
	for _, durable := range []bool{false, true} { // the one that takes it may be another worker
		ns := startNATS(t, "", t.TempDir())
		s := newRecorder(t, durable)
		r := run(t, s, ns.URL())
		for name, edit := range map[string]func(*invocation.Invocation){
			"a delayed one": delayed,
			"a mailbox's": func(i *invocation.Invocation) {
				delayed(i)
				mailbox(3, 9)(i)
			},
			"one with an end": func(i *invocation.Invocation) {
				delayed(i)
				i.Terms.Expires = i.Accepted.Add(2 * time.Hour)
			},
			"a callback": func(i *invocation.Invocation) {
				delayed(i)
				i.Function, i.Kind, i.URL = "", invocation.KindCallback, "http://user:pw@Example.com/cb?a=b"
				i.Lane.Name, i.Terms = "url:example.com:80", &invocation.Terms{Source: invocation.SourceProducer}
			},
		} {
			want, raw := submission(t, edit)
			if err := r.Publish(t.Context(), channel, raw); err != nil {
				t.Fatalf("%s: %v, want nil", name, err)
			}
			all := s.got(t, 1)
			got := all[len(all)-1]
			s.set(func() { s.taken = nil })
			if d := cmp.Diff(want, got.Inv); d != "" {
				t.Errorf("durable %v: %s (-want +got):\n%s", durable, name, d)
			}
			r.settled(got.Inv.ID, noSuccessor)
		}
		r.idle(t)
	}
}

func TestAnEnvelopesInvocationIsSettledByItsOwnID(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ns := startNATS(t, "", dir)
	s := newRecorder(t, false)
	r := run(t, s, ns.URL())
	first, raw := submission(t)
	second, other := submission(t)
	for _, b := range [][]byte{raw, other, raw} { // the third is the first again
		if err := r.Publish(t.Context(), channel, b); err != nil {
			t.Fatal(err)
		}
	}
	r.until(t, "the submission that came twice to be known", func() bool { return r.duplicates() >= 1 })
	s.got(t, 2)
	r.settled(first.ID, noSuccessor)
	r.until(t, "only the second to be unsettled", func() bool { return r.holds() == 1 })
	r.settled(second.ID, noSuccessor)
	r.idle(t)
	if s.offered != 2 {
		t.Errorf("%d were offered to the store, want 2", s.offered)
	}
}

func TestAMailboxLetterBeyondItsLimitIsDeadOnArrival(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s := newRecorder(t, false)
	r := run(t, s, ns.URL())
	for _, edit := range []func(*invocation.Invocation){mailbox(4, 3), mailbox(3, 3), mailbox(9, invocation.Unlimited)} {
		_, raw := submission(t, edit)
		if err := r.Publish(t.Context(), channel, raw); err != nil {
			t.Fatal(err)
		}
	}
	for n, want := range []invocation.State{invocation.Dead, invocation.Pending, invocation.Pending} {
		inv := s.got(t, 3)[n].Inv
		switch {
		case inv.State != want:
			t.Errorf("dead letter %d is taken as %+v, want State %d", n, inv, want)
		case (inv.Reason == invocation.AttemptsExhausted) != (want == invocation.Dead):
			t.Errorf("dead letter %d is taken as %+v: inv.Reason == invocation.AttemptsExhausted = %v, want %v", n, inv, inv.Reason == invocation.AttemptsExhausted, want == invocation.Dead)
		}
	}
}

func TestAnEnvelopeOfSomebodyElseCostsNoMoreThanItsMessage(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s := newRecorder(t, false)
	r := run(t, s, ns.URL())
	const head = `{"Function":"f","QueueWorker":{"id":"0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7","source":"producer","accepted":"2026-03-04T05:06:07Z","due":"2026-03-04T05:06:07Z",`
	raws := []string{
		head + `"kind":"callback","url":"no host CANARY"}}`, head + `"kind":"nothing"}}`,
		head + `"kind":"callback","url":"http://CANARY` + strings.Repeat("x", 500_000) + `/"}}`, head + `"kind":"callback","url":"http://CANARY\u202e/"}}`,
		head + `"kind":"callback","url":"ftp://CANARY/"}}`, head + `"kind":"callback","url":"http://CANARY:0/"}}`,
	}
	for _, raw := range raws {
		publish(t, r.publisher(t), channel, []byte(raw))
	}
	for _, a := range s.got(t, len(raws)) {
		if name := a.Inv.Lane.Name; name != "f" && name != "" { // "" where the envelope is no JSON of ours
			t.Errorf(`it has the lane %.60q, want "f" or ""`, a.Inv.Lane.Name)
		}
		switch {
		case a.Inv.State != invocation.Dead:
			t.Errorf("it is taken as %+v, want State Dead", a.Inv)
		case a.Inv.Reason != invocation.Malformed:
			t.Errorf("it is taken as %+v, want Reason %q", a.Inv, invocation.Malformed)
		case a.Inv.Kind != invocation.KindFunction:
			t.Errorf("it is taken as %+v, want Kind %v", a.Inv, invocation.KindFunction)
		}
	}
	if strings.Contains(r.log.String(), "CANARY") {
		t.Errorf("a part of a URL is in the log: r.log.String() = %q, want no \"CANARY\" in it", r.log.String())
	}
}

func TestWhatIsNotConfirmedIsAnError(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s := newRecorder(t, false)
	r := run(t, s, ns.URL())
	if err := r.Publish(t.Context(), channel, make([]byte, 17<<20)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("17 MiB: %v, want %v", err, ErrTooLarge)
	}
	_, raw := submission(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Publish(gone, channel, raw); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has gone: %v", err)
	}
	ns.Close()
	r.until(t, "the loss", func() bool { return !r.Connected() })
	if err := r.Publish(t.Context(), channel, raw); !errors.Is(err, ErrNotConnected) {
		t.Errorf("without a connection: %v, want %v", err, ErrNotConnected)
	}
	r.close(t)
	if err := r.Publish(t.Context(), channel, raw); !errors.Is(err, ErrNotConnected) {
		t.Errorf("after Close: %v, want %v", err, ErrNotConnected)
	}
}

func TestPublishingBeforeTheStartIsAnError(t *testing.T) {
	t.Parallel()
	s := newRecorder(t, false)
	r := start(t, s, "nats://127.0.0.1:1")
	if err := r.Publish(t.Context(), channel, nil); !errors.Is(err, ErrNotConnected) {
		t.Errorf("error is %v, want %v", err, ErrNotConnected)
	}
}
