package finished

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// BenchmarkEnd notes ends of a common form; held is what they take in memory at the end.
func BenchmarkEnd(b *testing.B) {
	w := New()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		now := time.Now()
		i := &invocation.Invocation{
			ID: idOf(n & 0xffff), CallID: fmt.Sprintf("eb8283f5-1679-48e0-afec-%012d", n), Function: "figlet", Lane: invocation.Lane{Queue: "faas-request", Name: "figlet"},
			Accepted: now, Since: now, Size: 512, Attempts: []invocation.Attempt{{At: now, Duration: time.Millisecond, Status: 200}},
		}
		changed(w, store.Change{Inv: i, Outcome: invocation.OutcomeDone})
	}
	b.StopTimer()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc), "held-B")
	runtime.KeepAlive(w)
}
