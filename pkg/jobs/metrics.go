// File metrics.go has the metrics of jobs.

package jobs

import "github.com/prometheus/client_golang/prometheus"

// Metrics of jobs. A nil *Metrics records nothing.
type Metrics struct {
	r        prometheus.Registerer
	replayed prometheus.Counter
	dropped  *prometheus.CounterVec
}

// NewMetrics registers the metrics; the states of jobs follow when there are Jobs.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		r: r,
		replayed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "queue_worker_replayed_total",
			Help: "Dead letters replayed by jobs; replays of single dead letters are not counted here.",
		}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "queue_worker_job_dropped_total",
			Help: "Invocations removed by jobs, by act: drop of dead letters, purge of pending ones. queue_worker_dropped_total has them too.",
		}, []string{"act"}),
	}
	r.MustRegister(m.replayed, m.dropped)
	for _, a := range []Act{Drop, Purge} {
		m.dropped.WithLabelValues(string(a))
	}
	return m
}

// acted counts what a step has done.
func (m *Metrics) acted(a Act, n int) {
	switch {
	case m == nil || n <= 0:
	case a == Replay:
		m.replayed.Add(float64(n))
	default:
		m.dropped.WithLabelValues(string(a)).Add(float64(n))
	}
}

// watch registers the gauge of the jobs in each state.
func (m *Metrics) watch(count func() map[State]int) {
	if m != nil {
		m.r.MustRegister(gauge{count, prometheus.NewDesc("queue_worker_jobs",
			"Number of jobs by state: planned, running, waiting (for live invocations or the store), paused, stopped (by its failures), cancelled, done. Finished jobs are kept for 7 days.",
			[]string{"state"}, nil)})
	}
}

// gauge counts the jobs when it is asked.
type gauge struct {
	count func() map[State]int
	desc  *prometheus.Desc
}

func (g gauge) Describe(c chan<- *prometheus.Desc) { c <- g.desc }

func (g gauge) Collect(c chan<- prometheus.Metric) {
	n := g.count()
	for _, s := range States() {
		c <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, float64(n[s]), string(s))
	}
}
