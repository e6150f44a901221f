// File monitor.go waits for a free descriptor, and logs when there is none.

package descriptor

import (
	"errors"
	"log/slog"
	"sync"
	"syscall"
	"time"
)

const (
	// retryEvery is the pause between two tries of an operation that found no free descriptor.
	retryEvery = 100 * time.Millisecond
	// calm is how long no operation may wait before the exhaustion counts as ended, so that a
	// process at its limit logs one warning and not one a second.
	calm = time.Second
)

// Monitor repeats operations that found no free descriptor. The parts of a process share one: it
// logs a warning when the first of them begins to wait, and one line when none has waited for a
// second. A nil Monitor logs nothing. A Monitor may be used by any number of goroutines.
type Monitor struct {
	log *slog.Logger

	mu      sync.Mutex
	waiting int
	since   time.Time // when the exhaustion began; zero while there is none
	last    time.Time // when an operation last stopped waiting
	ending  *time.Timer
}

// NewMonitor returns a monitor that logs to logger.
func NewMonitor(logger *slog.Logger) *Monitor { return &Monitor{log: logger} }

// Await repeats again until it no longer returns an error of exhaustion, and returns what it
// returned last. err is such an error, of the try before. When stop is closed, Await returns err.
func (m *Monitor) Await(stop <-chan struct{}, err error, again func() error) error {
	m.begin(err)
	defer m.end()
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for Exhausted(err) {
		select {
		case <-stop:
			return err
		case <-tick.C:
			err = again()
		}
	}
	return err
}

// Note logs an error of exhaustion like Await, where the caller does not have to wait.
func (m *Monitor) Note(err error) {
	m.begin(err)
	m.end()
}

func (m *Monitor) begin(err error) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting++
	if m.ending != nil {
		m.ending.Stop()
		m.ending = nil
	}
	if !m.since.IsZero() {
		return
	}
	m.since = time.Now()
	m.log.Warn("no free file descriptor, waiting", "limit", Limit(), "error", reason(err),
		"hint", "raise the limit of open files (ulimit -n, LimitNOFILE) or close connections to this worker; nothing is lost and no attempt is counted")
}

func (m *Monitor) end() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting--
	m.last = time.Now()
	if m.waiting == 0 {
		m.ending = time.AfterFunc(calm, m.finish)
	}
}

func (m *Monitor) finish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting > 0 || m.since.IsZero() || time.Since(m.last) < calm {
		return
	}
	m.log.Info("file descriptors are free again", "waited", m.last.Sub(m.since).Round(time.Millisecond))
	m.since, m.ending = time.Time{}, nil
}

// reason returns the error of the kernel in err. The rest may name the host of a callback.
func reason(err error) error {
	for _, e := range exhausted {
		if errors.Is(err, e) {
			return e
		}
	}
	return syscall.EMFILE // only the text of a lookup names it
}
