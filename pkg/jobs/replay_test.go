package jobs

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store/embedded"
)

func TestAPlanCountsAndChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		ids := r.bury("fn", 7)
		r.bury("fn", 3, replays(3))
		r.bury("gn", 2, func(i *invocation.Invocation) { i.Reason = invocation.Poison })
		v := r.plan(Request{Act: Replay, Filter: of(spec{Function: "fn"}), By: "admin"})
		at := time.Now().UTC()
		want := Plan{
			Count: 10, Bytes: 100, Oldest: at.Add(-7 * time.Second), Newest: at.Add(-time.Second), NeedsForce: 3, Duration: 700 * time.Millisecond,
			Groups: []Group{{Function: "fn", Queue: "faas-request", Reason: invocation.AttemptsExhausted, Count: 10}},
		}
		if d := cmp.Diff(want, v.Plan); d != "" {
			t.Errorf("the plan (-want +got):\n%s", d)
		}
		switch {
		case v.State != Planned:
			t.Errorf("the job is %+v, want State %q", v, Planned)
		case v.By != "admin":
			t.Errorf("the job is %+v, want By \"admin\"", v)
		case v.Rate != DefaultRate:
			t.Errorf("the job is %+v, want Rate %d", v, DefaultRate)
		case !v.Expires.Equal(at.Add(time.Hour)):
			t.Errorf("the job is %+v, want Expires %v", v, at.Add(time.Hour))
		case !v.Applied.IsZero():
			t.Errorf("the job is %+v: v.Applied.IsZero() = false, want true", v)
		}
		pass(10 * time.Minute)
		r.want(v, Planned, 0, 0)
		if n := r.made(); n != 0 {
			t.Errorf("%d became ready, want 0", n)
		}
		v = r.plan(Request{Act: Drop, Limit: 4})
		switch {
		case v.Plan.Count != 4:
			t.Errorf("the plan with a limit is %+v, want Count 4", v.Plan)
		case v.Plan.Groups[0].Count+v.Plan.Groups[len(v.Plan.Groups)-1].Count < 4:
			t.Errorf("the plan with a limit is %+v: v.Plan.Groups[0].Count+v.Plan.Groups[len(v.Plan.Groups)-1].Count = %d, want at least 4", v.Plan, v.Plan.Groups[0].Count+v.Plan.Groups[len(v.Plan.Groups)-1].Count)
		case v.Rate != 0:
			t.Errorf("the plan with a limit is %+v: v.Rate = %d, want 0", v.Plan, v.Rate)
		case v.Plan.Duration != 0:
			t.Errorf("the plan with a limit is %+v, want Duration 0", v.Plan)
		}
		if _, err := r.store.Get(t.Context(), ids[0]); err != nil {
			t.Error(err)
		}
	})
}

func TestAReplayTakesEachLetterOnceOldestFirstAndAtTheRate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		ids := r.bury("fn", 25)
		r.become(always(invocation.OutcomeDone, 0))
		begun := time.Now()
		v := r.begin(Request{Act: Replay})
		pass(time.Second)
		if n := r.made(); n < 10 || n > 12 {
			t.Errorf("%d became ready in a second, want 10", n)
		}
		switch got := r.get(v); {
		case got.State != Running:
			t.Errorf("meanwhile the job is %+v, want state %v", got, Running)
		case got.Done != r.made():
			t.Errorf("meanwhile the job is %+v, want done %v", got, r.made())
		}
		pass(time.Minute)
		v = r.want(v, Done, 25, 0)
		if !slices.Equal(r.order, ids) {
			t.Errorf("the dead letters did not come once each, oldest first: r.order = %+v, want %+v", r.order, ids)
		}
		if took := v.Finished.Sub(begun); took < 2400*time.Millisecond || took > 2600*time.Millisecond {
			t.Errorf("it took %s, want 2.5s", took)
		}
		switch st := r.store.Stats(); {
		case st.Dead != 0:
			t.Errorf("the store counts %+v, want dead 0", st)
		case st.Done != 25:
			t.Errorf("the store counts %+v, want done 25", st)
		case st.Difference() != 0:
			t.Errorf("the store counts %+v, want difference 0", st)
		}
		if n := r.metric("queue_worker_replayed_total", ""); n != 25 {
			t.Errorf("%v replays are counted, want 25", n)
		}
		switch log := r.logs.String(); {
		case !strings.Contains(log, "job planned"):
			t.Errorf("the log is, want \"job planned\" in it\n%s", log)
		case !strings.Contains(log, "job done"):
			t.Errorf("the log is, want \"job done\" in it\n%s", log)
		}
	})
}

func TestTheSetIsThatOfTheMomentOfPlanning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		ids := r.bury("fn", 10)
		v := r.plan(Request{Act: Replay})
		pass(time.Minute)
		later := r.bury("fn", 5) // after the plan
		for _, id := range ids[:2] {
			if err := r.store.Drop(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		r.become(always(invocation.OutcomeDead, 0))
		if err := r.store.Replay(t.Context(), ids[2]); err != nil { // and is dead again
			t.Fatal(err)
		}
		pass(time.Second)
		if _, err := r.jobs.Apply(t.Context(), v.ID); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		r.want(v, Done, 7, 3)
		for _, id := range later {
			if r.replayed(id) != 0 {
				t.Error("a dead letter that died after the plan was replayed, want r.replayed(id) 0")
			}
		}
		for _, id := range ids[2:] {
			if n := r.replayed(id); n != 1 {
				t.Errorf("a dead letter became ready %d times, want 1", n)
			}
		}
	})
}

func TestALimitTakesTheOldestOfTheMomentOfPlanning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		ids := r.bury("fn", 10)
		v := r.plan(Request{Act: Replay, Limit: 4})
		if err := r.store.Drop(t.Context(), ids[1]); err != nil {
			t.Fatal(err)
		}
		if _, err := r.jobs.Apply(t.Context(), v.ID); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		r.want(v, Done, 3, 1)
		if want := []invocation.ID{ids[0], ids[2], ids[3]}; !slices.Equal(r.order, want) {
			t.Errorf("%d became ready, want the first, third and fourth", len(r.order))
		}
	})
}

func TestWhatWasReplayedThreeTimesNeedsForce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		r.bury("fn", 5, replays(2))
		stubborn := r.bury("fn", 1500, replays(3))
		r.become(always(invocation.OutcomeDone, 0))
		v := r.begin(Request{Act: Replay, Rate: MaxRate})
		pass(time.Minute)
		r.want(v, Done, 5, 1500)
		v = r.begin(Request{Act: Replay, Rate: MaxRate, Force: true})
		pass(time.Minute)
		r.want(v, Done, 1500, 0)
		if n := r.replayed(stubborn[0]); n != 1 {
			t.Errorf("with force a dead letter became ready %d times, want 1", n)
		}
	})
}

func TestADropNeedsNoForceAndNoRate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		r.bury("fn", 1200, replays(7))
		r.bury("gn", 3)
		v := r.begin(Request{Act: Drop, Filter: of(spec{Function: "fn"})})
		pass(time.Second)
		r.want(v, Done, 1200, 0)
		switch st := r.store.Stats(); {
		case st.Dropped != 1200:
			t.Errorf("the store counts %+v, want dropped 1200", st)
		case st.Dead != 3:
			t.Errorf("the store counts %+v, want dead 3", st)
		case st.Difference() != 0:
			t.Errorf("the store counts %+v, want difference 0", st)
		}
		if n := r.metric("queue_worker_job_dropped_total", "drop"); n != 1200 {
			t.Errorf("%v drops are counted, want 1200", n)
		}
	})
}

func TestStartDoesWhatAPlanAndApplyDo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		v, err := r.jobs.Start(t.Context(), Request{Act: Replay, Limit: 1 << 31})
		switch {
		case err != nil:
			t.Errorf("%v, want nil", err)
		case v.State != Done:
			t.Errorf("with nothing to do it is %+v, %v, and %d are kept, want State %q", v, err, len(r.jobs.List()), Done)
		case v.Plan.Count != 0:
			t.Errorf("with nothing to do it is %+v, %v, and %d are kept: v.Plan.Count = %d, want 0", v, err, len(r.jobs.List()), v.Plan.Count)
		case len(r.jobs.List()) != 0:
			t.Errorf("and %d are kept, want 0", len(r.jobs.List()))
		}
		r.bury("fn", 3)
		r.bury("gn", 3)
		if v, err = r.jobs.Start(t.Context(), Request{Act: Replay, Filter: of(spec{Function: "fn"}), Limit: 1 << 31}); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		r.want(v, Done, 3, 0)
	})
}

func TestTwoJobsOverTheSameLettersTakeEachOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		ids := r.bury("fn", 1500)
		r.become(always(invocation.OutcomeDead, 0)) // dead again at once
		var all []Job
		for _, rate := range []int{MaxRate, 9000, 5000, 300} {
			all = append(all, r.plan(Request{Act: Replay, Rate: rate}))
		}
		for _, v := range all {
			if _, err := r.jobs.Apply(t.Context(), v.ID); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Hour)
		done, skipped := 0, 0
		for _, v := range all {
			v = r.get(v)
			if v.State != Done {
				t.Errorf("a job is %s (%s), want %q", v.State, v.Reason, Done)
			}
			done, skipped = done+v.Done, skipped+v.Skipped
		}
		switch {
		case done != len(ids):
			t.Errorf("together they did %d and skipped %d: done = %d, want %d", done, skipped, done, len(ids))
		case skipped != 3*len(ids):
			t.Errorf("together they did %d and skipped %d: skipped = %d, want %d", done, skipped, skipped, 3*len(ids))
		}
		for _, id := range ids {
			if n := r.replayed(id); n != 1 {
				t.Fatalf("a dead letter became ready %d times, want 1", n)
			}
		}
	})
}

func TestTheRateHoldsWhateverHappens(t *testing.T) {
	for _, tt := range []struct {
		name string
		rate int
		do   func(*rig, Job)
	}{
		{"left alone", 10, func(*rig, Job) { pass(10 * time.Second) }},
		{"at a thousand a second", 1000, func(*rig, Job) { pass(2 * time.Second) }},
		{"when the clock is set forward and back", 10, func(r *rig, _ Job) {
			for _, d := range []time.Duration{time.Hour, -2 * time.Hour, 0, 48 * time.Hour, -time.Minute} {
				r.set(d)
				pass(2 * time.Second)
			}
		}},
		{"when it is paused and resumed again and again", 10, func(r *rig, v Job) {
			for range 1000 {
				for _, do := range []func(context.Context, invocation.ID) (Job, error){r.jobs.Pause, r.jobs.Resume} {
					if _, err := do(context.Background(), v.ID); err != nil {
						r.t.Fatal(err)
					}
				}
				pass(10 * time.Millisecond)
			}
		}},
		{"after it has held for long", 10, func(r *rig, _ Job) {
			r.setWaiting("fn", 51)
			pass(9 * time.Second)
			r.setWaiting("fn", 0)
			pass(time.Second)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, embedded.Options{})
				r.bury("fn", 3*tt.rate+200)
				r.become(always(invocation.OutcomeDone, 0))
				begun := time.Now()
				v := r.begin(Request{Act: Replay, Rate: tt.rate})
				tt.do(r, v)
				step := max(1, tt.rate/stepsPerSecond)
				for i, n := 0, tt.rate+2*step; i+n < len(r.times); i++ {
					if d := r.times[i+n].Sub(r.times[i]); d < time.Second {
						t.Fatalf("%d became ready within %s, the rate is %d, want at least %v", n+1, d, tt.rate, time.Second)
					}
				}
				switch took, n := time.Since(begun), r.made(); {
				case n > int(took.Seconds())*tt.rate+2*step:
					t.Errorf("%d became ready in %s: n = %d, want at most %d", n, took, n, int(took.Seconds())*tt.rate+2*step)
				case n < tt.rate/2:
					t.Errorf("%d became ready in %s: n = %d, want at least %d", n, took, n, tt.rate/2)
				}
			})
		})
	}
}

func TestLiveWorkComesFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		r.bury("fn", 100)
		r.setWaiting("fn", 51)
		v := r.begin(Request{Act: Replay, Rate: 100})
		pass(time.Minute)
		if v = r.want(v, Waiting, 0, 0); !strings.Contains(v.Reason, "51 invocations of fn") {
			t.Errorf("the reason is %q, want \"51 invocations of fn\" in it", v.Reason)
		}
		r.setWaiting("fn", 46)
		pass(time.Minute)
		if n := r.made(); n != 5 {
			t.Errorf("%d became ready where 5 had room, want 5", n)
		}
		r.setWaiting("fn", -49)
		pass(time.Minute)
		r.want(v, Done, 100, 0)
	})
}
