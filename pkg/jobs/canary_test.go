package jobs

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store/embedded"
)

func TestACanaryReplaysOneThenTenThenTheRest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		r.bury("fn", 40)
		r.become(always(invocation.OutcomeDone, time.Minute))
		v := r.begin(Request{Act: Replay, Canary: true})
		pass(59 * time.Second)
		if v = r.want(v, Waiting, 1, 0); !strings.Contains(v.Reason, "outcome of 1") {
			t.Errorf("the reason is %q, want \"outcome of 1\" in it", v.Reason)
		}
		pass(50 * time.Second)
		r.want(v, Waiting, 11, 0)
		pass(time.Minute)
		v = r.want(v, Done, 40, 0)
		switch {
		case v.Failed != 0:
			t.Errorf("the job is %+v, want Failed 0", v)
		case *v.MaxFailedShare != DefaultShare:
			t.Errorf("the job is %+v: *v.MaxFailedShare = %v, want %v", v, *v.MaxFailedShare, DefaultShare)
		}
	})
}

func TestACanaryStopsByItselfAndContinuesWhenResumed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		r.bury("fn", 40)
		r.become(always(invocation.OutcomeDead, time.Second))
		v := r.begin(Request{Act: Replay, Canary: true})
		pass(time.Minute)
		v = r.want(v, Stopped, 1, 0)
		switch {
		case v.Failed != 1:
			t.Errorf("the job is %+v, want Failed 1", v)
		case !strings.Contains(v.Reason, "1 of the latest 1 failed again"):
			t.Errorf("the job is %+v, want Reason \"1 of the latest 1 failed again\" in it", v)
		}
		pass(time.Hour)
		r.want(v, Stopped, 1, 0)
		for _, done := range []int{11} {
			if _, err := r.jobs.Resume(t.Context(), v.ID); err != nil {
				t.Fatal(err)
			}
			pass(time.Minute)
			r.want(v, Stopped, done, 0)
		}
		r.become(always(invocation.OutcomeDone, time.Second))
		if _, err := r.jobs.Resume(t.Context(), v.ID); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if v = r.want(v, Done, 40, 0); v.Failed != 11 {
			t.Errorf("%d failed again, want 11", v.Failed)
		}
	})
}

func TestACancelledLetterIsNoSuccessOfACanary(t *testing.T) {
	for name, tt := range map[string]struct {
		then  invocation.Outcome // after the first was cancelled
		state State
		done  int
	}{
		"another takes its place, and fails":    {invocation.OutcomeDead, Stopped, 2},
		"another takes its place, and succeeds": {invocation.OutcomeDone, Done, 40},
		"what is discarded has failed":          {invocation.OutcomeDropped, Stopped, 2},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, embedded.Options{})
				r.bury("fn", 40)
				var n atomic.Int32
				r.become(func(*invocation.Invocation) (invocation.Outcome, time.Duration) {
					if n.Add(1) == 1 {
						return invocation.OutcomeCancelled, time.Second
					}
					return tt.then, time.Second
				})
				v := r.begin(Request{Act: Replay, Canary: true})
				pass(10 * time.Minute)
				r.want(v, tt.state, tt.done, 0)
			})
		})
	}
}

func TestTheRestIsWatchedToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		r.bury("fn", 2000)
		var n atomic.Int32
		r.become(func(*invocation.Invocation) (invocation.Outcome, time.Duration) {
			if n.Add(1) > 500 {
				return invocation.OutcomeDead, 2 * time.Second
			}
			return invocation.OutcomeDone, 100 * time.Millisecond
		})
		v := r.begin(Request{Act: Replay, Canary: true, Rate: 20})
		pass(time.Hour)
		v = r.get(v)
		switch {
		case v.State != Stopped:
			t.Errorf("the job is %s after %d: %s: v.State = %q, want %q", v.State, v.Done, v.Reason, v.State, Stopped)
		case v.Done < 500:
			t.Errorf("the job is %s after %d: %s: v.Done = %d, want at least 500", v.State, v.Done, v.Reason, v.Done)
		case v.Done > 650:
			t.Errorf("the job is %s after %d: %s: v.Done = %d, want at most 650", v.State, v.Done, v.Reason, v.Done)
		case !strings.Contains(v.Reason, "of the latest 100"):
			t.Errorf("the job is %s after %d: %s, want \"of the latest 100\" in it", v.State, v.Done, v.Reason)
		}
	})
}

func TestAShareStopsAJobWithoutACanaryToo(t *testing.T) {
	for _, tt := range []struct {
		name  string
		share float64
		want  State
	}{{"none may fail", 0, Stopped}, {"a half may fail", 0.5, Done}, {"all may fail", 1, Done}} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, embedded.Options{})
				r.bury("fn", 300)
				var n atomic.Int32
				r.become(func(*invocation.Invocation) (invocation.Outcome, time.Duration) {
					if n.Add(1)%3 == 0 {
						return invocation.OutcomeDead, 0
					}
					return invocation.OutcomeDone, 0
				})
				v := r.begin(Request{Act: Replay, MaxFailedShare: &tt.share})
				pass(time.Hour)
				v = r.get(v)
				switch {
				case v.State != tt.want:
					t.Errorf("the job is %+v, want State %q", v, tt.want)
				case v.Failed == 0:
					t.Errorf("the job is %+v, want Failed not 0", v)
				case v.Canary:
					t.Errorf("the job is %+v: v.Canary = true, want false", v)
				}
			})
		})
	}
}

func TestACanaryContinuesAfterARestartWithWhatItWatched(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		r := w.open()
		r.bury("fn", 40)
		v := r.begin(Request{Act: Replay, Canary: true})
		pass(time.Minute)
		r.want(v, Waiting, 1, 0)
		r.stop()
		pass(time.Minute)
		r = w.open()
		pass(time.Minute)
		r.want(v, Waiting, 1, 0)
		first := w.onlyReady(r)
		r.become(always(invocation.OutcomeDone, 0))
		if _, err := r.store.Cancel(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		r.want(v, Done, 40, 0)
	})
}
