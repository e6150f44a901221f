package worker

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"queue-worker/pkg/invoke"
	"queue-worker/pkg/spool"
)

// TestALargeAnswerIsCommittedAndSent has a callback and a result of it, with little memory.
func TestALargeAnswerIsCommittedAndSent(t *testing.T) {
	for name, cut := range map[string]bool{"whole": false, "cut": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				body := strings.Repeat("0123456789abcdef", 160<<10) // 2.5 MiB
				room, err := spool.New(spool.Options{Memory: 1 << 20, Dir: t.TempDir()})
				if err != nil {
					t.Fatal(err)
				}
				defer room.Close()
				s := defaults(t)
				s.keep, s.answers = time.Hour, room
				sent := make(chan string, 4)
				s.caller = newFake(func(_ context.Context, _ int, c called) invoke.Result {
					if c.target == "http://cb/" {
						sent <- c.body
						return status(200)
					}
					large, err := room.Read([]byte(body[:64<<10]), strings.NewReader(body[64<<10:]), 1<<30)
					if err != nil {
						t.Error(err)
					}
					return invoke.Result{
						Status: 200, Header: http.Header{"Etag": {"x"}}, Body: []byte(body[:64<<10]), Large: large, Size: large.Size(), Truncated: cut,
					}
				})
				r := start(t, s)
				id := r.accept(calling("fn", "http://cb/"))
				r.accept(calling("fn", "http://cb/"))
				pass(time.Minute)
				for range 2 {
					if got := <-sent; got != body {
						t.Errorf("the callback has %d other bytes, want all %d", len(got), len(body))
					}
				}
				res, err := r.store.Result(t.Context(), id, true)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(res.Body, []byte(body)) {
					t.Errorf("the result has %d other bytes, want all %d", len(res.Body), len(body))
				}
				if got := res.Header.Get("Etag") == ""; got != cut || res.Truncated != cut {
					t.Errorf("got an ETag removed %t, truncated %t, want %t", got, res.Truncated, cut)
				}
				want := map[bool]float64{true: 2}[cut]
				if got := r.metric("answers_truncated_total", cutByLimit); got != want {
					t.Errorf("truncated: got %v, want %v", got, want)
				}
				if got := strings.Count(r.log.String(), "answer truncated"); got != int(want)/2 {
					t.Errorf("warnings: got %d, want %d", got, int(want)/2)
				}
				if m, f := room.Held(); m != 0 || f != 0 {
					t.Errorf("held at the end: got %d and %d bytes, want none", m, f)
				}
				if release, err := room.Settle(t.Context(), 1<<40); err == nil {
					release()
				}
			})
		})
	}
}

// TestAnAnswerThatIsRetriedHoldsNothing fails with a large answer, and is delayed then.
func TestAnAnswerThatIsRetriedHoldsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		room := spool.InMemory()
		s := defaults(t)
		s.answers = room
		s.caller = newFake(func(context.Context, int, called) invoke.Result {
			large, _ := room.Read(nil, strings.NewReader(strings.Repeat("x", 1<<20)), 1<<30)
			return invoke.Result{Status: 500, Header: http.Header{}, Large: large, Size: large.Size()}
		})
		r := start(t, s)
		r.accept(calling("fn", "http://cb/"))
		pass(time.Second)
		if got := r.store.Stats().Delayed; got != 1 {
			t.Errorf("delayed: got %d, want 1", got)
		}
		if m, f := room.Held(); m != 0 || f != 0 {
			t.Errorf("held: got %d and %d bytes, want none", m, f)
		}
	})
}
