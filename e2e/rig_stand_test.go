package e2e

// The stand of most tests: NATS Streaming, a gateway, a folder, and workers.

import (
	"strconv"
	"testing"
)

// stand is what surrounds the workers of a test.
type stand struct {
	t       testing.TB
	broker  *broker
	gateway *stub
	env     []string // settings of every worker
}

// newStand makes a stand with a durable NATS Streaming and, for every worker that
// it starts, a data_dir that stays the same. Settings are name=value.
func newStand(t testing.TB, settings ...string) *stand {
	t.Helper()
	return newStandOn(t, newBroker(t), settings...)
}

func newStandOn(t testing.TB, b *broker, settings ...string) *stand {
	t.Helper()
	s := &stand{t: t, broker: b, gateway: newStub(t)}
	secrets := t.TempDir()
	writeSecret(t, secrets, gatewayUser, gatewayPassword)
	s.env = append([]string{
		"secret_mount_path=" + secrets,
		"faas_nats_address=127.0.0.1", "faas_nats_port=" + strconv.Itoa(b.port),
		"gateway_url=" + s.gateway.url(), "data_dir=" + t.TempDir(), "store_min_free=0",
		"callback_allow=127.0.0.0/8,::1/128",
	}, settings...)
	return s
}

// worker starts a worker and waits until it is ready. Settings add to the stand's,
// and the last one of a name counts.
func (s *stand) worker(settings ...string) *worker {
	s.t.Helper()
	return s.launch(plainBinary, settings...).ready(s.t)
}

// crasher starts a worker that kills itself when it passes a point for the n-th time.
func (s *stand) crasher(point string, n int, settings ...string) *worker {
	s.t.Helper()
	return s.launch(crashingBinary, append(settings, "QUEUE_WORKER_CRASH="+point+":"+strconv.Itoa(n))...)
}

// launch starts a worker that need not become ready. What it has accepted must be
// accounted for at the end of the test.
func (s *stand) launch(binary func() (string, error), settings ...string) *worker {
	s.t.Helper()
	w := startWorker(s.t, binary, append(s.env[:len(s.env):len(s.env)], settings...))
	s.t.Cleanup(func() { checkAccount(s.t, w) })
	return w
}

// checkAccount checks that every accepted invocation is accounted for.
func checkAccount(t testing.TB, w *worker) {
	t.Helper()
	if w.isOver() {
		return
	}
	switch m := w.metrics(t); {
	case m["queue_worker_unaccounted"] == nil:
		t.Errorf(`invocations are not accounted for: %+v: got m["queue_worker_unaccounted"] %v, want set`, w.counts(t), m["queue_worker_unaccounted"])
	case m.sum("queue_worker_unaccounted") != 0:
		t.Errorf(`invocations are not accounted for: %+v, want queue_worker_unaccounted 0`, w.counts(t))
	}
}
