// File busiest.go gives the busiest functions a histogram of their own. A histogram has many series, so the others
// share one.

package worker

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/invocation"
)

const (
	// maxHistograms is how many functions have a histogram of their own.
	maxHistograms = 200
	// rankPeriod is how long the ranking stays at least, so that scrapes by several servers change nothing.
	rankPeriod = time.Minute
	// rankFactor is how many times as busy a function has to be to take the histogram of another. A series that comes
	// and goes is worth less than one that stays.
	rankFactor = 2
)

// busiest is the histogram queue_worker_attempt_seconds. A function that gets a histogram of its own begins it at zero,
// and one that loses it is counted in the shared one: no series ever decreases.
type busiest struct {
	vec    *prometheus.HistogramVec
	shared *durations

	mu     sync.Mutex
	all    []*function
	own    map[*function]bool
	ranked time.Time
}

func newBusiest() *busiest {
	b := &busiest{own: map[*function]bool{}, ranked: time.Now()}
	b.vec = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "queue_worker_attempt_seconds", Help: "Duration in seconds of attempts by function, for the 200 busiest; of callbacks, only of those that were answered.",
		Buckets: []float64{.001, .005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800},
	}, []string{"kind", "function_name"})
	b.shared = b.histogram(otherLabel)
	return b
}

// histogram is that of a value of the label.
func (b *busiest) histogram(label string) *durations {
	kind := invocation.KindFunction
	if label == callbackLabel {
		kind = invocation.KindCallback
	}
	return &durations{b.vec.WithLabelValues(kind.String(), label)}
}

// add takes in a function that has a label. While there is room it gets a histogram of its own.
func (b *busiest) add(f *function) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch f.label {
	case callbackLabel:
		f.histogram.Store(b.histogram(callbackLabel))
		return
	case otherLabel:
		f.histogram.Store(b.shared)
		return
	}
	b.all = append(b.all, f)
	if len(b.own) >= maxHistograms {
		f.histogram.Store(b.shared)
		return
	}
	b.give(f)
}

func (b *busiest) give(f *function) {
	b.own[f] = true
	f.histogram.Store(b.histogram(f.label))
}

// take removes the histogram of a function. An attempt that ends at this moment may be counted nowhere.
func (b *busiest) take(f *function) {
	delete(b.own, f)
	f.histogram.Store(b.shared)
	b.vec.DeleteLabelValues(invocation.KindFunction.String(), f.label)
}

// Describe implements prometheus.Collector.
func (b *busiest) Describe(ch chan<- *prometheus.Desc) { b.vec.Describe(ch) }

// Collect implements prometheus.Collector.
func (b *busiest) Collect(ch chan<- prometheus.Metric) {
	b.rank(time.Now())
	b.vec.Collect(ch)
}

// rank gives the histograms of the least busy functions to busier ones, by the attempts since the last ranking.
func (b *busiest) rank(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.ranked) < rankPeriod || len(b.all) <= maxHistograms {
		return
	}
	b.ranked = now
	calls := make(map[*function]uint64, len(b.all))
	var with, without []*function
	for _, f := range b.all {
		calls[f] = f.calls.Swap(0)
		if b.own[f] {
			with = append(with, f)
		} else {
			without = append(without, f)
		}
	}
	slices.SortFunc(with, func(x, y *function) int { return cmp.Compare(calls[x], calls[y]) })
	slices.SortFunc(without, func(x, y *function) int { return cmp.Compare(calls[y], calls[x]) })
	for i := range min(len(with), len(without)) {
		if calls[without[i]] <= rankFactor*calls[with[i]] {
			return
		}
		b.take(with[i])
		b.give(without[i])
	}
}
