package console

import (
	"fmt"
	"testing"

	"queue-worker/pkg/wire"
)

// BenchmarkOverview makes the first page of a worker with a thousand functions; the goal is
// 50 ms.
func BenchmarkOverview(b *testing.B) {
	var all []wire.Function
	for i := range 1000 {
		all = append(all, with(quiet(fmt.Sprintf("function-%d", i)), func(f *wire.Function) { f.Ready, f.GivenUp15 = i, i%3 }))
	}
	s := stateOf(well(), all...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := overviewOf(s).Page(); err != nil {
			b.Fatal(err)
		}
	}
}
