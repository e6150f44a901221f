package worker

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
)

// saying is an answer with a body.
func saying(status int, body string) invoke.Result {
	return invoke.Result{Status: status, Header: http.Header{"Content-Type": {"text/plain"}}, Body: []byte(body), Size: int64(len(body))}
}

// wantAnswer checks the answer that a stored invocation keeps, but for its time.
func (r *rig) wantAnswer(id invocation.ID, want *invocation.Answer) {
	r.t.Helper()
	inv, err := r.store.Get(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	if d := cmp.Diff(want, inv.Answer, cmpopts.IgnoreFields(invocation.Answer{}, "At")); d != "" {
		r.t.Errorf("answer (-want +got):\n%s", d)
	}
}

// TestADeadLetterKeepsTheLatestAnswer goes through answers, a call without one, and the end.
func TestADeadLetterKeepsTheLatestAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		long := strings.Repeat("x", 15) + "ü and more"
		answers := []invoke.Result{saying(500, "first CANARY"), saying(500, long), {Status: 503, Cause: invocation.CauseRefused}, saying(400, "no\xff")}
		s := defaults(t)
		s.answer = 16
		s.caller = newFake(func(_ context.Context, n int, c called) invoke.Result {
			if got, want := c.KeepBeginning, 16; got != want {
				t.Errorf("beginning that is asked for: got %d, want %d", got, want)
			}
			return answers[n]
		})
		r := start(t, s)
		id := r.accept(to("fn"))
		pass(time.Second)
		r.wantAnswer(id, &invocation.Answer{Status: 500, Type: "text/plain", Body: []byte("first CANARY")})
		pass(10 * time.Second)
		cut := &invocation.Answer{Status: 500, Type: "text/plain", Body: []byte(strings.Repeat("x", 15)), Truncated: true}
		r.wantAnswer(id, cut)
		pass(20 * time.Second)
		r.wantAnswer(id, cut)
		pass(2 * time.Minute)
		if got, want := r.letter(id).Reason, invocation.NonRetryable; got != want {
			t.Errorf("reason: got %s, want %s", got, want)
		}
		r.wantAnswer(id, &invocation.Answer{Status: 400, Type: "text/plain", Body: []byte("no\xff")})
		if strings.Contains(r.log.String(), "CANARY") {
			t.Errorf("the log has the answer, want it nowhere:\n%s", r.log)
		}
	})
}

// TestAnswersAreKeptOnlyWhereTheyAreAskedFor has the setting at 0, and the answer of a callback's receiver.
func TestAnswersAreKeptOnlyWhereTheyAreAskedFor(t *testing.T) {
	for name, edit := range map[string]func(*setup){"dead_set_answer_bytes is 0": func(s *setup) { s.answer = 0 }, "callbacks": func(s *setup) { s.answer = 16 }} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := defaults(t)
				edit(&s)
				s.caller = newFake(func(_ context.Context, _ int, c called) invoke.Result {
					if c.target == "fn" {
						return saying(200, "fine")
					}
					return saying(404, "no")
				})
				r := start(t, s)
				r.accept(calling("fn", "http://cb/"))
				r.accept(to("gn"))
				pass(time.Hour)
				for _, inv := range r.letters() {
					if s.answer == 0 || inv.Kind == invocation.KindCallback {
						r.wantAnswer(inv.ID, nil)
					}
				}
			})
		})
	}
}

// TestAnAnswerIsRemovedAtTheNextSettle changes the setting to 0 while an invocation is delayed.
func TestAnAnswerIsRemovedAtTheNextSettle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := defaults(t)
		s.fs, s.dir, s.answer = newDisk(), "/data", 16
		s.caller = newFake(func(context.Context, int, called) invoke.Result { return saying(500, "no") })
		r := start(t, s)
		id := r.accept(to("fn"))
		pass(time.Second)
		r.wantAnswer(id, &invocation.Answer{Status: 500, Type: "text/plain", Body: []byte("no")})
		r.close()
		s.answer = 0
		r = start(t, s)
		pass(time.Minute)
		r.wantAnswer(id, nil)
	})
}

func TestABeginningCutsNoCharacter(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", "abcd": "abcd", "abcde": "abcd", "abcü": "abc", "ab€d": "ab", "a\U0001f600b": "a", "\xff\xff\xff\xff\xff": "\xff\xff\xff\xff"} {
		if got := string(beginning([]byte(in), 4)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
