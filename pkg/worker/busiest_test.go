package worker

// Histograms of the busiest functions, and how large the page of metrics gets.

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
)

// attempts are the counts of the histograms by function.
func (b *busiest) attempts(t *testing.T) map[string]uint64 {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(b)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]uint64{}
	for _, m := range families[0].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "function_name" {
				counts[l.GetValue()] = m.GetHistogram().GetSampleCount()
			}
		}
	}
	return counts
}

func (f *function) observe(n int) {
	for range n {
		f.calls.Add(1)
		f.histogram.Load().Observe(1)
	}
}

func TestTheBusiestFunctionsHaveAHistogram(t *testing.T) {
	t.Parallel()
	b := newBusiest()
	all := &functions{busiest: b, all: map[string]*function{}}
	name := func(n int) string { return fmt.Sprint("fn-", n) }
	for n := range maxHistograms + 10 { // the later ones are the busier ones, but for the last
		all.of(name(n)).observe(100 + 3*n)
	}
	first := b.attempts(t)
	if got, want := len(first), maxHistograms+1; got != want {
		t.Fatalf("got %d histograms, want %d", got, want)
	}
	if got, want := first[otherLabel], uint64(0); got == want {
		t.Errorf("got %d attempts in %s, want those of 10 functions", got, otherLabel)
	}

	b.rank(time.Now().Add(rankPeriod)) // the least busy ones lose theirs
	second := b.attempts(t)
	if got, has := second[name(0)]; has {
		t.Errorf("got %d attempts of the least busy function, want no histogram", got)
	}
	if got, has := second[name(maxHistograms+9)]; !has || got != 0 {
		t.Errorf("got %d attempts (%t) of the busiest function, want a histogram that begins at 0", got, has)
	}
	if got, want := second[otherLabel], first[otherLabel]; got != want {
		t.Errorf("got %d attempts in %s, want %d: no series decreases", got, otherLabel, want)
	}

	all.of(name(0)).observe(5)
	all.of(name(maxHistograms + 9)).observe(7)
	third := b.attempts(t)
	if got, want := third[otherLabel], first[otherLabel]+5; got != want {
		t.Errorf("got %d attempts in %s, want %d", got, otherLabel, want)
	}
	if got, want := third[name(maxHistograms+9)], uint64(7); got != want {
		t.Errorf("got %d attempts of the busiest function, want %d", got, want)
	}
	if got, want := len(third), maxHistograms+1; got != want {
		t.Errorf("got %d histograms, want %d", got, want)
	}
}

func TestAFunctionThatIsLittleBusierTakesNoHistogram(t *testing.T) {
	t.Parallel()
	b := newBusiest()
	all := &functions{busiest: b, all: map[string]*function{}}
	for n := range maxHistograms {
		all.of(fmt.Sprint("fn-", n)).observe(10)
	}
	all.of("late").observe(20)
	b.rank(time.Now().Add(rankPeriod))
	if got, has := b.attempts(t)["late"]; has {
		t.Errorf("got a histogram with %d attempts, want none before the function is more than twice as busy", got)
	}
}

func TestHistogramsMoveWhileTheyAreUsed(t *testing.T) {
	t.Parallel()
	b := newBusiest()
	all := &functions{busiest: b, all: map[string]*function{}}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 300 {
				all.of(fmt.Sprint("fn-", n)).observe(1 + (n+i)%7)
				if n%50 == 0 {
					b.rank(time.Now().Add(time.Duration(n+i) * rankPeriod))
				}
			}
		})
	}
	wg.Wait()
	if got, want := len(b.attempts(t)), maxHistograms+1; got != want {
		t.Errorf("got %d histograms, want %d", got, want)
	}
}

// TestThePageOfMetricsOf2000FunctionsIsSmall: each of them has invocations that are done, delayed, dead and without an
// answer.
func TestThePageOfMetricsOf2000FunctionsIsSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("a size: nothing in it is for the race detector")
	}
	bubble(t, func(t *testing.T) {
		s := defaults(t)
		s.inflight = 64
		s.caller = newFake(func(_ context.Context, n int, _ called) invoke.Result {
			switch n % 4 {
			case 0:
				return status(200)
			case 1:
				return status(404)
			case 2:
				return invoke.Result{Status: 503, Cause: invocation.CauseTimeout}
			}
			return status(500)
		})
		r := start(t, s)
		for range 4 {
			for n := range 2000 {
				r.accept(to(fmt.Sprintf("team-%02d-a-function-name-%04d", n%40, n)))
			}
			pass(2 * time.Second)
		}
		pass(30 * time.Second)
		families, err := r.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		size, most := pageSize(t, families), 2_000_000
		t.Logf("%d bytes", size)
		if size > most {
			t.Errorf("got %d bytes, want at most %d", size, most)
		}
		if size < most/8 {
			t.Errorf("got %d bytes, want a page that the functions make large", size)
		}
	})
}

func pageSize(t *testing.T, families []*dto.MetricFamily) int {
	t.Helper()
	var page bytes.Buffer
	for _, f := range families {
		before := page.Len()
		if _, err := expfmt.MetricFamilyToText(&page, f); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d series, %d bytes", f.GetName(), len(f.GetMetric()), page.Len()-before)
	}
	return page.Len()
}
