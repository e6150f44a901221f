package jobs

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store/embedded"
)

func TestAPurgeTakesWhatItsPlanCounted(t *testing.T) {
	for _, tt := range []struct {
		state          string
		count, dropped int
	}{{"", 1507, 1505}, {"ready", 1204, 1202}, {"delayed", 303, 303}} {
		t.Run("state "+tt.state, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, embedded.Options{})
				inFlight := r.pend("fn", 2, 0)
				r.pend("fn", 1202, 0)
				r.pend("fn", 303, time.Hour)
				other := r.pend("gn", 5, 0)
				r.bury("fn", 4)
				for _, id := range inFlight {
					r.inFlight[id] = true
				}
				v := r.plan(Request{Act: Purge, Pending: Pending{Function: "fn", State: tt.state}})
				switch {
				case v.Plan.Count != tt.count:
					t.Errorf("the plan is %+v, want Count %d", v.Plan, tt.count)
				case v.Plan.Bytes != int64(10*tt.count):
					t.Errorf("the plan is %+v, want Bytes %d", v.Plan, int64(10*tt.count))
				case v.Rate != 0:
					t.Errorf("the plan is %+v: v.Rate = %d, want 0", v.Plan, v.Rate)
				}
				want := []Group{{Function: "fn", Queue: "faas-request", Count: tt.count}}
				if d := cmp.Diff(want, v.Plan.Groups); d != "" {
					t.Errorf("its groups (-want +got):\n%s", d)
				}
				pass(2 * time.Second)
				late := r.pend("fn", 3, time.Hour)
				r.set(0)
				for _, id := range late { // accepted after the plan
					inv, err := r.store.Get(t.Context(), id)
					if err != nil || inv.Accepted.Before(v.Created) {
						t.Fatal(inv, err)
					}
				}
				if _, err := r.jobs.Apply(t.Context(), v.ID); err != nil {
					t.Fatal(err)
				}
				pass(time.Minute)
				r.want(v, Done, tt.dropped, tt.count-tt.dropped)
				for _, id := range append(append(other, late...), inFlight...) {
					if _, err := r.store.Get(t.Context(), id); err != nil {
						t.Errorf("one that was not meant is gone: %v, want nil", err)
					}
				}
				st := r.store.Stats()
				switch {
				case int(st.Dropped) != tt.dropped:
					t.Errorf("the store counts %+v, want int(st.Dropped) %v", st, tt.dropped)
				case st.Dead != 4:
					t.Errorf("the store counts %+v, want dead 4", st)
				case st.Difference() != 0:
					t.Errorf("the store counts %+v, want difference 0", st)
				}
				if n := r.metric("queue_worker_job_dropped_total", "purge"); int(n) != tt.dropped {
					t.Errorf("%v are counted: int(n) = %d, want %d", n, int(n), tt.dropped)
				}
			})
		})
	}
}

// What falls due during a purge moves from behind it to before it.
func TestAPurgeForgetsNothingThatFallsDueMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		r.pend("fn", 40, 0)
		r.pend("fn", 40, time.Second)
		v := r.begin(Request{Act: Purge, Pending: Pending{Function: "fn"}, Rate: 10})
		pass(2500 * time.Millisecond)
		for more := true; more; {
			var err error
			if more, err = r.store.MoveDue(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Minute)
		r.want(v, Done, 80, 0)
		switch st := r.store.Stats(); {
		case st.Ready != 0:
			t.Errorf("the store counts %+v, want Ready 0", st)
		case st.Delayed != 0:
			t.Errorf("the store counts %+v, want Delayed 0", st)
		case st.Dropped != 80:
			t.Errorf("the store counts %+v, want Dropped 80", st)
		}
	})
}

func TestAPurgeOfOneQueueLeavesTheOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		r.pend("fn", 3, 0)
		v := r.begin(Request{Act: Purge, Pending: Pending{Function: "fn", Queue: "other"}})
		pass(time.Minute)
		r.want(v, Done, 0, 0)
		v = r.begin(Request{Act: Purge, Pending: Pending{Function: "fn", Queue: "faas-request"}})
		pass(time.Minute)
		r.want(v, Done, 3, 0)
	})
}

// The worker begins to call one between the look and the batch.
func TestAPurgeLeavesWhatIsInFlightInTheLastMoment(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		ids := r.pend("fn", 3, 0)
		asked := map[invocation.ID]int{}
		r.jobs.InFlight = func(id invocation.ID) bool { asked[id]++; return id == ids[1] && asked[id] == 2 }
		v := r.begin(Request{Act: Purge, Pending: Pending{Function: "fn"}})
		pass(time.Minute)
		r.want(v, Done, 3, 0) // the second pass has found it no longer in flight
		if asked[ids[1]] < 3 {
			t.Errorf("it was asked %d times whether it is in flight, want at least 3", asked[ids[1]])
		}
	})
}
