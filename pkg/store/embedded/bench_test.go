package embedded

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// inFlight is how many invocations a benchmark lets be between their arrival and
// their end, as the worker's lanes and slots do.
const inFlight = 1024

// BenchmarkAcceptLoadSettle takes invocations through the store as the worker
// does: accepted from a source, loaded and settled by 64 goroutines. Behind a
// backlog, what is accepted is called after all that was there before.
func BenchmarkAcceptLoadSettle(b *testing.B) {
	for _, m := range []struct {
		name    string
		disk    bool
		backlog int
		kept    bool
	}{
		{"disk", true, 0, false}, {"memory", false, 0, false}, {"disk, behind 200000", true, 200_000, false},
		{"disk, with keys and results", true, 0, true},
	} {
		b.Run(m.name, func(b *testing.B) {
			o := Options{Slots: 64}
			if m.disk {
				o.Dir = b.TempDir()
			}
			s, err := Open(o)
			if err != nil {
				b.Fatal(err)
			}
			f := &flow{B: b, Store: s, kept: m.kept, work: make(chan *invocation.Invocation, m.backlog+2*inFlight), free: make(chan struct{}, m.backlog+inFlight)}
			f.run(m.backlog)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "inv/s")
			if err := s.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}

// BenchmarkAccept only takes invocations in, as fast as that goes.
func BenchmarkAccept(b *testing.B) {
	s, err := Open(Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	f := &flow{B: b, Store: s, work: make(chan *invocation.Invocation, 2*inFlight), free: make(chan struct{}, inFlight)}
	go func() {
		for range f.work {
			<-f.free
		}
	}()
	b.ReportAllocs()
	for b.Loop() {
		f.accept()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "inv/s")
	f.answers.Wait()
	close(f.work)
	if err := s.Close(); err != nil {
		b.Error(err)
	}
}

// flow is a stream of invocations through a store.
type flow struct {
	*testing.B
	*Store
	seq  uint64
	raw  [600]byte
	kept bool // with an idempotency key and a result each
	work chan *invocation.Invocation
	free chan struct{}

	answers sync.WaitGroup // that are still to come
}

func (f *flow) run(backlog int) {
	for range backlog {
		f.accept()
	}
	var wg sync.WaitGroup
	begin := make(chan struct{})
	var over atomic.Bool // what is left then is not settled
	for range 64 {
		wg.Go(func() {
			<-begin
			for inv := range f.work {
				if !over.Load() {
					f.settle(inv)
				}
				<-f.free
			}
		})
	}
	f.ReportAllocs()
	f.ResetTimer()
	first := true
	for f.Loop() {
		if first {
			close(begin)
			first = false
		}
		f.accept()
	}
	over.Store(true)
	f.answers.Wait()
	close(f.work)
	wg.Wait()
}

func (f *flow) accept() {
	f.free <- struct{}{}
	f.answers.Add(1)
	now := time.Now()
	f.seq++
	inv := &invocation.Invocation{
		ID: invocation.NewID(now), CallID: "9d8aaa1a-0000-4000-8000-0123456789ab", Function: "figlet",
		Lane: invocation.Lane{Queue: "faas-request", Name: "figlet"}, Accepted: now, Since: now,
	}
	var key *store.Key
	if f.kept {
		key = &store.Key{Expires: now.Add(time.Hour)}
		binary.BigEndian.PutUint64(key.Hash[:], f.seq)
	}
	source := &store.Source{Cluster: "faas-cluster", Channel: "faas-request", Sequence: f.seq, Timestamp: now.UnixNano()}
	f.Accept(store.Accept{Inv: inv, Raw: f.raw[:], Source: source, Key: key},
		func(err error) {
			if err != nil {
				f.Error(err)
			}
			f.work <- inv
			f.answers.Done()
		})
}

func (f *flow) settle(inv *invocation.Invocation) {
	l, _, err := f.Load(context.Background(), inv.ID)
	if err != nil {
		f.Error(err)
		return
	}
	st := store.Settlement{At: store.Ready{Lane: l.Lane, Since: l.Since, ID: l.ID}, Outcome: invocation.OutcomeDone, Inv: l}
	if f.kept {
		st.Result = &store.Result{Outcome: invocation.OutcomeDone, Status: 200, Body: f.raw[:], At: l.Since, Expires: l.Since.Add(time.Hour)}
	}
	err = f.Settle(f.Context(), st)
	if err != nil {
		f.Error(err)
	}
}
