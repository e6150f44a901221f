// File backlog_linux_test.go measures what an invocation of a backlog costs, from its load to
// its outcome.

package embedded

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// BenchmarkBacklog loads and settles a backlog that memory does not keep, in 64 goroutines, with
// the lanes in turn. Run it with -benchtime 100000x.
func BenchmarkBacklog(b *testing.B) {
	for _, lanes := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("lanes=%d", lanes), func(b *testing.B) {
			s, err := Open(Options{Dir: b.TempDir(), Slots: 64})
			if err != nil {
				b.Fatal(err)
			}
			l := newBacklog(b, s, lanes)
			l.accept(b.N)
			b.ReportAllocs()
			cpu := cpuTime()
			b.ResetTimer()
			l.drain(b.N)
			b.StopTimer()
			b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1e3/float64(b.N), "cpu-us/op")
			if err := s.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}

// backlog is the pending invocations of some lanes.
type backlog struct {
	*testing.B
	*Store
	lanes []invocation.Lane
	calls chan store.Ready
}

func newBacklog(b *testing.B, s *Store, lanes int) *backlog {
	l := &backlog{B: b, Store: s, calls: make(chan store.Ready)}
	for i := range lanes {
		l.lanes = append(l.lanes, invocation.Lane{Queue: "faas-request", Name: fmt.Sprintf("figlet-%d", i)})
	}
	return l
}

func (l *backlog) accept(n int) {
	var wg sync.WaitGroup
	free := make(chan struct{}, 256)
	raw := make([]byte, 500)
	for i := range n {
		free <- struct{}{}
		wg.Add(1)
		now := time.Now()
		inv := &invocation.Invocation{
			ID: invocation.NewID(now), CallID: "9d8aaa1a-0000-4000-8000-0123456789ab", Function: l.lanes[i%len(l.lanes)].Name,
			Lane: l.lanes[i%len(l.lanes)], Accepted: now, Since: now,
		}
		source := &store.Source{Cluster: "faas-cluster", Channel: "faas-request", Sequence: uint64(i), Timestamp: now.UnixNano()} // #nosec G115 -- not negative
		l.Store.Accept(store.Accept{Inv: inv, Raw: raw, Source: source}, func(err error) {
			if err != nil {
				l.Error(err)
			}
			<-free
			wg.Done()
		})
	}
	wg.Wait()
}

func (l *backlog) drain(n int) {
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for r := range l.calls {
				l.call(r)
			}
		})
	}
	l.turns(n)
	close(l.calls)
	wg.Wait()
}

// turns sends the entries of the lanes in turn, which it reads in windows.
func (l *backlog) turns(n int) {
	window := max(16, min(256, (64<<10)/len(l.lanes)))
	windows, from := make([][]store.Ready, len(l.lanes)), make([]store.Ready, len(l.lanes))
	for i := 0; n > 0; i = (i + 1) % len(l.lanes) {
		if len(windows[i]) == 0 {
			page, err := l.Take(context.Background(), l.lanes[i], from[i], window)
			if err != nil {
				l.Fatal(err)
			}
			if len(page) == 0 {
				continue
			}
			windows[i], from[i] = page, page[len(page)-1]
		}
		l.calls <- windows[i][0]
		windows[i] = windows[i][1:]
		n--
	}
}

func (l *backlog) call(r store.Ready) {
	got, err := l.LoadReady(context.Background(), r)
	if err == nil {
		err = l.Settle(l.Context(), store.Settlement{At: r, Outcome: invocation.OutcomeDone, Inv: got.Inv})
	}
	if err != nil {
		l.Error(err)
	}
}

// cpuTime is what the process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
