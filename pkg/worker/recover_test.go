package worker

import (
	"errors"
	"strings"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// crashed is a store that was opened after crashes.
type crashed struct {
	store.Store
	recovered store.Recovered
}

func (c crashed) Recovered() store.Recovered { return c.recovered }

func TestRecoverDropsPoisonOnlyWithoutADeadSet(t *testing.T) {
	t.Parallel()
	for name, noDead := range map[string]bool{"with a dead set": false, "without one": true} {
		s := defaults(t)
		s.noDead = noDead
		r := build(t, s)
		now := time.Now()
		inv := &invocation.Invocation{
			ID: invocation.NewID(now), CallID: "call-1", Function: "fn", Lane: invocation.Lane{Queue: queue, Name: "fn"},
			State: invocation.Dead, Reason: invocation.Poison, Accepted: now, Since: now, DiedAt: now, Crashes: store.PoisonLimit,
		}
		accepted := make(chan error, 1)
		r.store.Accept(store.Accept{Inv: inv, Raw: []byte("{}")}, func(err error) { accepted <- err })
		if err := <-accepted; err != nil {
			t.Fatal(err)
		}
		found := store.Recovered{InFlight: 2, Poisoned: []*invocation.Invocation{inv}}
		if err := r.worker.Recover(t.Context(), crashed{r.store, found}); err != nil {
			t.Errorf("%s: the error is %v, want none", name, err)
		}
		if _, err := r.store.Get(t.Context(), inv.ID); errors.Is(err, store.ErrNotFound) != noDead {
			t.Errorf("%s: reading the poison gives %v, want it dropped: %t", name, err, noDead)
		}
		if log := r.log.String(); strings.Count(log, `"msg":"poison"`) != 1 || !strings.Contains(log, `"in_hand":2`) {
			t.Errorf("%s: the log is %s, want a line for the crash and one for the poison", name, log)
		}
		r.run()
	}
}
