package console

import (
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"queue-worker/pkg/wire"
)

func TestALetterShowsItsCallsToScale(t *testing.T) {
	t.Parallel()
	l := letterOf("mail-send")
	page, err := l.Page()
	if err != nil {
		t.Fatal(err)
	}
	has(t, page, "Dead after 10 calls in 15 min: 502, retries used up", "no answer: timeout", "2 calls not kept", "X-Note", "Last answer", "queue-worker dead replay 019c0a06")
	calls := l.calls()
	if got, want := len(calls), 9; got != want {
		t.Fatalf("got %d lines, want %d: 8 calls, and one for those not kept", got, want)
	}
	third := calls[2]
	if got, want := third.Span, (span{Wait: 134, WaitEnd: 266, X: 266, Width: 34, Class: "c3"}); got != want {
		t.Errorf("got the third call at %+v, want %+v", got, want)
	}
	if got, want := third.Before, "after 1 min 58 s"; got != want {
		t.Errorf("got the wait %q, want %q", got, want)
	}
	if got, want := calls[8].Number, "10"; got != want {
		t.Errorf("got the last call as number %s, want %s", got, want)
	}
	for _, c := range calls {
		if c.Omitted == "" && (c.Span.X < 0 || c.Span.X+c.Span.Width > lineWidth) {
			t.Errorf("got a call at %+v, want it on the line", c.Span)
		}
	}
}

func TestAnInvocationSaysHowItDoes(t *testing.T) {
	t.Parallel()
	one := []wire.Attempt{{At: now.Add(-time.Minute), Status: 500, Duration: 1}}
	for want, v := range map[string]wire.Invocation{
		"Dead without a call: malformed":         {State: wire.StateDead, Reason: "malformed", Died: now},
		"In flight for 5 s, call 2":              {State: wire.StateRunning, Running: now.Add(-5 * time.Second), Attempts: one},
		"Delayed: call 2 is due in 20 s":         {State: wire.StateDelayed, Due: now.Add(20 * time.Second), Attempts: one},
		"Ready for call 1":                       {State: wire.StateReady},
		"Done after 1 call in 50 s":              {State: wire.StateDone, Finished: now.Add(-10 * time.Second), Attempts: one},
		"Cancelled without a call":               {State: wire.StateCancelled, Finished: now},
		"Dropped after 1 call in 1 min":          {State: wire.StateDropped, Finished: now, Attempts: one},
		"Dead after 1 call in 1 min: 500, final": {State: wire.StateDead, Reason: "non_retryable", Status: 500, Died: now, Attempts: one},
	} {
		v.First = now.Add(-time.Minute)
		p := Invocation{At: now, Invocation: v}
		if got := p.headline(); got != want {
			t.Errorf("%s: got %q, want %q", v.State, got, want)
		}
		page, err := p.Page()
		if err != nil {
			t.Fatal(err)
		}
		has(t, page, "Accepted at 30 Nov 02:46:31.", "It is no longer stored.")
	}
}

func TestACallInFlightIsOnTheTimeLine(t *testing.T) {
	t.Parallel()
	v := wire.Invocation{State: wire.StateRunning, First: now.Add(-10 * time.Second), Running: now.Add(-5 * time.Second)}
	calls := Invocation{At: now, Invocation: v}.calls()
	if len(calls) != 1 {
		t.Fatalf("got %d calls, want 1", len(calls))
	}
	if got, want := calls[0].Span, (span{Wait: 0, WaitEnd: 500, X: 500, Width: 500, Class: "c1"}); got != want {
		t.Errorf("got the call at %+v, want %+v", got, want)
	}
}

func TestABodyIsShownAsItCame(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request    wire.Request
		text, note string
	}{
		"JSON keeps numbers and order": {wire.Request{Message: []byte(`{"b":1.0,"a":12345678901234567890}`)}, "{\n  \"b\": 1.0,\n  \"a\": 12345678901234567890\n}", ""},
		"text":                         {wire.Request{Message: []byte("hello\u202e")}, `hello\u202e`, ""},
		"none":                         {wire.Request{}, "", "It has no body."},
		"bytes":                        {wire.Request{Message: []byte{0xff, 0}}, "00000000  ff 00                                             |..|\n", ""},
		"withheld":                     {wire.Request{MessageWithheld: true}, "", "It is malformed and may have credentials in it, so it is not shown."},
		"cut":                          {wire.Request{Message: []byte("{\"a\": \xc3"), MessageCut: true}, "{\"a\": \uFFFD", "The beginning. The whole: queue-worker invocation request x --body"},
	} {
		got := bodyText(&c.request, "x")
		if got.Text != c.text {
			t.Errorf("%s: got %q, want %q", name, got.Text, c.text)
		}
		if got.Note != c.note {
			t.Errorf("%s: got the note %q, want %q", name, got.Note, c.note)
		}
	}
}

func FuzzBodyText(f *testing.F) {
	for _, s := range hostile {
		f.Add([]byte(s), false)
	}
	f.Add([]byte(`{"a":[1e999,"\ud800"]}`), true)
	f.Fuzz(func(t *testing.T, b []byte, cut bool) {
		got := bodyText(&wire.Request{Message: b, MessageCut: cut}, "x")
		if !utf8.ValidString(got.Text) || strings.ContainsAny(got.Text, "\x00\u202e") {
			t.Errorf("got %q, want text without invisible characters", got.Text)
		}
	})
}

func TestAnAnswerIsShownAsText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer     wire.Answer
		text, note string
	}{
		"whole":               {wire.Answer{Body: "hello\n\tyou"}, "hello\n\tyou", ""},
		"empty":               {wire.Answer{}, "", "It has no body."},
		"not text":            {wire.Answer{Body: "//4=", Base64: true}, "", "It is not text. Its base64: queue-worker dead show x -o json"},
		"cut":                 {wire.Answer{Body: "hel", Truncated: true}, "hel", "The beginning."},
		"of a hostile sender": {wire.Answer{Body: "a\x1b[2J\u202e\r"}, `a\x1b[2J\u202e\r`, ""},
	} {
		got := answerText(&wire.LetterDetails{Letter: wire.Letter{ID: "x"}, Answer: &c.answer})
		if got.Text != c.text {
			t.Errorf("%s: got the text %.40q, want %.40q", name, got.Text, c.text)
		}
		if got.Note != c.note {
			t.Errorf("%s: got the note %q, want %q", name, got.Note, c.note)
		}
	}
}

func TestInvocationsAreListedByCallID(t *testing.T) {
	t.Parallel()
	page, err := invocationsOf("mail-send").Page()
	if err != nil {
		t.Fatal(err)
	}
	has(t, page, "3 invocations of one call id", "callback to mail-send", "due in 20 s", "queue-worker invocation get mail-send")
	p := invocationsOf("f")
	p.CallID = ""
	page, err = p.Page()
	if err != nil {
		t.Fatal(err)
	}
	has(t, page, "Pending invocations of f", `href="/invocations?cursor=f&amp;function=f"`, "queue-worker invocation ls --function f")
}

// invocationsOf is a list in which every text of others is s.
func invocationsOf(s string) Invocations {
	p := Invocations{At: now, CallID: s, Query: url.Values{"function": {s}}}
	p.Invocations.Next = s
	for _, v := range []wire.Invocation{{State: wire.StateDelayed, Due: now.Add(20 * time.Second)}, {Kind: "callback", Target: s}, {State: wire.StateRunning, Running: now}} {
		v.ID, v.Topic = s, s
		p.Invocations.Invocations = append(p.Invocations.Invocations, v)
	}
	return p
}
