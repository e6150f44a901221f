// File monitor.go waits for what the process lacks, and logs that.

package descriptor

import (
	"errors"
	"log/slog"
	"sync"
	"syscall"
	"time"
)

const (
	// retryEvery is the pause between two tries of an operation that found no free descriptor, buffer or port.
	retryEvery = 100 * time.Millisecond
	// askEvery is that pause where each try costs others something: a lookup, or a whole request.
	askEvery = time.Second
	// calm is how long no operation may wait before a lack counts as ended, so that a
	// process at its limit logs one warning and not one a second.
	calm = time.Second
)

// Monitor repeats operations for which the process lacked something. The parts of a process share one: it
// logs a warning when the first of them begins to wait for a kind, and one line when none has waited for it for a
// second. A nil Monitor logs nothing. A Monitor may be used by any number of goroutines.
type Monitor struct {
	log *slog.Logger

	mu    sync.Mutex
	lacks [kinds]episode
}

// episode is the time during which the process lacks one kind.
type episode struct {
	waiting int
	since   time.Time // when it began; zero while there is none
	last    time.Time // when an operation last stopped waiting
	ending  *time.Timer
}

// NewMonitor returns a monitor that logs to logger.
func NewMonitor(logger *slog.Logger) *Monitor { return &Monitor{log: logger} }

// Await repeats again until it no longer returns an error of which Exhausted is true, and returns what it
// returned last. err is such an error, of the try before. When stop is closed, Await returns err.
func (m *Monitor) Await(stop <-chan struct{}, err error, again func() error) error {
	for {
		kind, lacking := lackOf(err)
		if !lacking {
			return err
		}
		var stopped bool
		if err, stopped = m.awaitKind(stop, kind, err, again); stopped {
			return err
		}
	}
}

// awaitKind repeats again until the process no longer lacks a kind.
func (m *Monitor) awaitKind(stop <-chan struct{}, kind Kind, err error, again func() error) (_ error, stopped bool) { //nolint:revive // stopped explains the error
	m.begin(kind, err)
	defer m.end(kind)
	tick := time.NewTicker(kind.pause())
	defer tick.Stop()
	for now, lacking := kind, true; lacking && now == kind; now, lacking = lackOf(err) {
		select {
		case <-stop:
			return err, true
		case <-tick.C:
			err = again()
		}
	}
	return err, false
}

// pause is the time between two tries.
func (k Kind) pause() time.Duration {
	if k == Resolver || k == Proxy {
		return askEvery
	}
	return retryEvery
}

// Note logs an error of exhaustion like Await, where the caller does not have to wait.
func (m *Monitor) Note(err error) {
	kind, _ := lackOf(err)
	m.begin(kind, err)
	m.end(kind)
}

// Lacks returns an error for each kind that the process lacks now, joined; nil for none.
func (m *Monitor) Lacks() error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []error
	for kind := range m.lacks {
		if !m.lacks[kind].since.IsZero() {
			all = append(all, errors.New(Kind(kind).String())) // #nosec G115 -- one of kinds
		}
	}
	return errors.Join(all...)
}

func (m *Monitor) begin(kind Kind, err error) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := &m.lacks[kind]
	e.waiting++
	if e.ending != nil {
		e.ending.Stop()
		e.ending = nil
	}
	if !e.since.IsZero() {
		return
	}
	e.since = time.Now()
	attrs := []any{"hint", texts[kind].hint}
	if kind == Files || kind == Buffers {
		attrs = append([]any{"limit", Limit(), "error", reason(err)}, attrs...)
	}
	m.log.Warn(kind.String()+", waiting", attrs...)
}

func (m *Monitor) end(kind Kind) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := &m.lacks[kind]
	e.waiting--
	e.last = time.Now()
	if e.waiting == 0 {
		e.ending = time.AfterFunc(calm, func() { m.finish(kind) })
	}
}

func (m *Monitor) finish(kind Kind) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := &m.lacks[kind]
	if e.waiting > 0 || e.since.IsZero() || time.Since(e.last) < calm {
		return
	}
	m.log.Info(texts[kind].ended, "waited", e.last.Sub(e.since).Round(time.Millisecond))
	e.since, e.ending = time.Time{}, nil
}

// reason returns the error of the kernel in err. The rest may name the host of a callback.
func reason(err error) error {
	for _, e := range exhausted {
		if errors.Is(err, e.errno) {
			return e.errno
		}
	}
	return syscall.EMFILE // only the text of a lookup names it
}
