// File function.go keeps the metric children of a function, so that an outcome looks them up once.

package worker

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// function has the children of one value of the label function_name.
type function struct {
	label    string
	attempts []child // as codeClasses
	retries  child
	done     child

	// histogram is the function's own, or the one that functions share.
	histogram atomic.Pointer[durations]
	calls     atomic.Uint64 // since the functions were ranked
}

// durations is a histogram of the duration of attempts.
type durations struct{ prometheus.Observer }

// child is a counter that is made when it first counts, so that no function has series of what never happened to it.
type child struct {
	once    sync.Once
	counter prometheus.Counter
}

func (c *child) inc(v *prometheus.CounterVec, labels ...string) {
	c.once.Do(func() { c.counter = v.WithLabelValues(labels...) })
	c.counter.Inc()
}

// functions are those that have a label. There are at most as many as labels.
type functions struct {
	busiest *busiest

	mu  sync.RWMutex
	all map[string]*function
}

// of returns the function of a label.
func (f *functions) of(label string) *function {
	f.mu.RLock()
	fn := f.all[label]
	f.mu.RUnlock()
	if fn != nil {
		return fn
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fn := f.all[label]; fn != nil {
		return fn
	}
	fn = &function{label: label, attempts: make([]child, len(codeClasses))}
	f.busiest.add(fn)
	f.all[label] = fn
	return fn
}
