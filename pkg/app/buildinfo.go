// File buildinfo.go has the metric that names the version.

package app

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

// buildInfo is 1, with what is running as labels.
func buildInfo(version string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "queue_worker_build_info", Help: "1, with the version of the worker and of Go as labels.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	}, func() float64 { return 1 })
}
