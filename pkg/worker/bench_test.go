package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"queue-worker/pkg/invoke"
)

// BenchmarkInvocations takes invocations through everything but HTTP: accepted,
// called, settled, in a store in memory.
func BenchmarkInvocations(b *testing.B) {
	s := defaults(b)
	s.inflight, s.level = 64, slog.LevelError
	s.caller = answersAtOnce{}
	r := start(b, s)
	raw, err := json.Marshal(to("fn"))
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		r.submit("fn", "", raw, done)
	}
	r.await(b.N)
}

// answersAtOnce answers at once.
type answersAtOnce struct{}

func (answersAtOnce) Function(context.Context, invoke.Call) invoke.Result {
	return invoke.Result{Status: 200}
}

func (answersAtOnce) Callback(context.Context, string, invoke.Call) invoke.Result {
	return invoke.Result{Status: 200}
}

// BenchmarkTurns takes entries and gives them back, one after the other.
func BenchmarkTurns(b *testing.B) {
	for _, lanes := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint("lanes ", lanes), func(b *testing.B) {
			s := shelf{}
			for n := range lanes {
				s.fill(fmt.Sprint("fn-", n), b.N/lanes+1)
			}
			l := s.open(64)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				h, ok := l.take(context.Background(), 0, s)
				if !ok {
					b.Fatal("nothing is left: ok = false, want true")
				}
				l.finish(h.Ready)
			}
		})
	}
}
