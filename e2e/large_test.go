package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// burn keeps two CPUs busy until the end of the test.
func burn(t *testing.T) {
	t.Helper()
	for range 2 {
		spawn(t, "a CPU burner", exec.Command("sh", "-c", "while :; do :; done"))
	}
}

// A backlog of large bodies is many times what the intake holds. No call is repeated, however
// slowly the processes run.
func TestChaosLargeBodiesAreCalledOnceOnABusyMachine(t *testing.T) {
	t.Parallel()
	runs, bodies := 1, 80
	if isLong() {
		runs, bodies = 50, 120
	}
	if _, err := plainBinary(); err != nil { // not while all CPUs are busy
		t.Fatal(err)
	}
	body := strings.Repeat("x", 200_000)
	var again, reconnects float64
	for n := range runs {
		t.Run(fmt.Sprint("run ", n+1), func(t *testing.T) {
			s := newStandOn(t, newMemoryBroker(t), "max_inflight=32")
			want := map[*message]int{}
			for range bodies {
				m := call("large", body)
				s.broker.publish(t, m)
				want[m] = 1
			}
			burn(t)
			w := s.worker()
			s.gateway.awaitDone(t, bodies)
			c := w.idle(t)
			if c.done != float64(bodies) {
				t.Errorf("the counts are %+v, want done %v", c, float64(bodies))
			}
			checkCalled(t, s, want)
			m := w.metrics(t)
			again += m.sum("queue_worker_nats_duplicates_total")
			reconnects += m.sum("queue_worker_nats_reconnect_total")
		})
	}
	t.Logf("%d runs of %d bodies: %v messages came again, %v new connections", runs, bodies, again, reconnects)
}
