package store

import (
	"errors"
	"sync"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
)

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func pending(at time.Time) *invocation.Invocation {
	return &invocation.Invocation{
		ID: invocation.NewID(at), CallID: "c", Function: "fn",
		Lane: invocation.Lane{Queue: "q", Name: "fn"}, Accepted: at, Since: at,
	}
}

func accept(t testing.TB, s *Store, a Accept) error {
	t.Helper()
	done := make(chan error, 1)
	s.Accept(a, func(err error) { done <- err })
	return <-done
}

func TestLifeOfAnInvocation(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := open(t, Options{Dir: t.TempDir(), Slots: 4})
	inv := pending(now)
	door := &Door{Cluster: "c", Channel: "ch", Sequence: 7, Timestamp: 99}
	if err := accept(t, s, Accept{Inv: inv, Raw: []byte("raw"), Door: door}); err != nil {
		t.Fatal(err)
	}
	if err := accept(t, s, Accept{Inv: pending(now), Raw: []byte("raw"), Door: door}); !errors.Is(err, ErrSeen) {
		t.Fatalf("the same door gives %v, want ErrSeen", err)
	}
	got, err := s.NextReady(inv.Lane, Ready{}, 10)
	if err != nil || len(got) != 1 || got[0].ID != inv.ID {
		t.Fatalf("ready: %v, %v", got, err)
	}
	loaded, raw, err := s.Load(inv.ID)
	if err != nil || string(raw) != "raw" {
		t.Fatal(err, string(raw))
	}
	loaded.Since = time.Now().Add(30 * time.Millisecond)
	loaded.Retries++
	if err := s.Settle(t.Context(), Settlement{At: got[0], Verdict: Later, Inv: loaded}); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Delayed != 1 || st.Ready != 0 || st.Difference() != 0 {
		t.Fatalf("%+v", st)
	}
	time.Sleep(time.Until(loaded.Since))
	if _, err := s.MoveDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, _ = s.NextReady(inv.Lane, Ready{}, 10)
	if len(got) != 1 {
		t.Fatal("not moved")
	}
	loaded.State, loaded.DiedAt, loaded.Reason = invocation.Dead, time.Now(), invocation.AttemptsExhausted
	if err := s.Settle(t.Context(), Settlement{At: got[0], Verdict: Bury, Inv: loaded}); err != nil {
		t.Fatal(err)
	}
	page, next, err := s.ListDead("", 10)
	if err != nil || len(page) != 1 || next != "" {
		t.Fatal(page, next, err)
	}
	if err := s.Replay(t.Context(), inv.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Replay(t.Context(), inv.ID); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	got, _ = s.NextReady(inv.Lane, Ready{}, 10)
	loaded, _, _ = s.Load(inv.ID)
	if err := s.Settle(t.Context(), Settlement{At: got[0], Verdict: Done, Inv: loaded}); err != nil {
		t.Fatal(err)
	}
	st := s.Stats()
	if st.Difference() != 0 || st.Bytes != 0 || st.Done != 1 || st.Ready+st.Delayed+st.Dead != 0 || len(s.Lanes()) != 0 {
		t.Fatalf("%+v %v", st, s.Lanes())
	}
}

func BenchmarkAcceptLoadSettle(b *testing.B) {
	for _, mode := range []string{"disk", "memory"} {
		b.Run(mode, func(b *testing.B) {
			o := Options{Slots: 64}
			if mode == "disk" {
				o.Dir = b.TempDir()
			}
			s := open(b, o)
			raw := make([]byte, 600)
			var wg sync.WaitGroup
			work := make(chan *invocation.Invocation, 1<<22) // done must not block
			for range 64 {
				wg.Go(func() {
					for inv := range work {
						l, _, err := s.Load(inv.ID)
						if err != nil {
							b.Error(err)
						}
						err = s.Settle(b.Context(), Settlement{At: Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}, Verdict: Done, Inv: l})
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			b.ReportAllocs()
			seq := uint64(0)
			for b.Loop() {
				inv := pending(time.Now())
				seq++
				s.Accept(Accept{Inv: inv, Raw: raw, Door: &Door{Cluster: "faas-cluster", Channel: "faas-request", Sequence: seq, Timestamp: 5}}, func(err error) {
					work <- inv
				})
			}
			for s.Stats().Done < seq && !b.Failed() {
				time.Sleep(time.Millisecond)
			}
			close(work)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "inv/s")
		})
	}
}
