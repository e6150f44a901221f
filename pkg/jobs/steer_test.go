package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
)

// steps are what operators can do with a job, by name.
func (r *rig) steps() map[string]func(context.Context, invocation.ID) (Job, error) {
	return map[string]func(context.Context, invocation.ID) (Job, error){
		"apply": r.jobs.Apply, "pause": r.jobs.Pause, "resume": r.jobs.Resume, "cancel": r.jobs.Cancel,
	}
}

func TestWhatCanBeDoneWithAJob(t *testing.T) {
	for _, tt := range []struct {
		steps string // done before, with time to work between them
		then  string
		err   error
		state State
	}{
		{"", "apply", nil, Waiting},
		{"", "pause", ErrNotApplied, Planned},
		{"", "resume", ErrNotApplied, Planned},
		{"", "cancel", nil, Cancelled},
		{"apply", "apply", ErrApplied, Waiting},
		{"apply", "pause", nil, Paused},
		{"apply", "resume", nil, Waiting},
		{"apply", "cancel", nil, Cancelled},
		{"apply pause", "apply", ErrApplied, Paused},
		{"apply pause", "pause", nil, Paused},
		{"apply pause", "resume", nil, Waiting},
		{"apply pause", "cancel", nil, Cancelled},
		{"cancel", "apply", ErrOver, Cancelled},
		{"cancel", "pause", ErrOver, Cancelled},
		{"cancel", "resume", ErrOver, Cancelled},
		{"cancel", "cancel", nil, Cancelled},
		{"apply finish", "apply", ErrApplied, Done},
		{"apply finish", "pause", ErrOver, Done},
		{"apply finish", "resume", ErrOver, Done},
		{"apply finish", "cancel", ErrOver, Done},
		{"apply pause resume", "pause", nil, Paused},
		{"expire", "apply", ErrExpired, Cancelled},
		{"expire", "cancel", nil, Cancelled},
	} {
		t.Run(fmt.Sprintf("%q then %s", tt.steps, tt.then), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, embedded.Options{})
				r.bury("fn", 3)
				r.setWaiting("fn", 51)
				v := r.plan(Request{Act: Replay})
				for step := range strings.FieldsSeq(tt.steps) {
					switch step {
					case "finish":
						r.setWaiting("fn", 0)
					case "expire":
						pass(time.Hour)
					default:
						if _, err := r.steps()[step](t.Context(), v.ID); err != nil {
							t.Fatalf("%s: %v, want nil", step, err)
						}
					}
					pass(time.Minute)
				}
				if _, err := r.steps()[tt.then](t.Context(), v.ID); !errors.Is(err, tt.err) {
					t.Errorf("the error is %v, want %v", err, tt.err)
				}
				pass(time.Minute)
				if v = r.get(v); v.State != tt.state || v.State.IsOver() == v.Finished.IsZero() {
					t.Errorf("the job is %+v, want %s", v, tt.state)
				}
			})
		})
	}
}

func TestAnUnknownJobIsNotFound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		for name, do := range r.steps() {
			if _, err := do(t.Context(), invocation.NewID(time.Now())); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v, want %v", name, err, ErrNotFound)
			}
		}
	})
}

func TestAWrongRequestIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		share, tooMuch := 0.5, 1.5
		for name, q := range map[string]Request{
			"no act":              {},
			"an unknown act":      {Act: "burn"},
			"a negative rate":     {Act: Replay, Rate: -1},
			"a rate too high":     {Act: Replay, Rate: MaxRate + 1},
			"a negative limit":    {Act: Replay, Limit: -1},
			"a share above one":   {Act: Replay, MaxFailedShare: &tooMuch},
			"a canary of a drop":  {Act: Drop, Canary: true},
			"force for a drop":    {Act: Drop, Force: true},
			"a share of a purge":  {Act: Purge, Pending: Pending{Function: "fn"}, MaxFailedShare: &share},
			"a purge of all":      {Act: Purge},
			"a filtered purge":    {Act: Purge, Pending: Pending{Function: "fn"}, Filter: of(spec{})},
			"a filter too long":   {Act: Replay, Filter: []byte(`{"function":"` + strings.Repeat("x", MaxFilter) + `"}`)},
			"a filter that is no": {Act: Replay, Filter: []byte(`[`)},
		} {
			if v, err := r.jobs.Plan(t.Context(), q); err == nil {
				t.Errorf("%s: %+v: err = %v, want an error", name, v, err)
			}
			if v, err := r.jobs.Start(t.Context(), q); err == nil {
				t.Errorf("%s started: %+v: err = %v, want an error", name, v, err)
			}
		}
		if n := len(r.jobs.List()); n != 0 {
			t.Errorf("%d jobs are kept, want 0", n)
		}
	})
}

func TestFourJobsWorkAtOnceAndTheOthersInTurn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		var all []Job
		for i := range 6 {
			fn := fmt.Sprint("fn", i)
			r.bury(fn, 20)
			all = append(all, r.begin(Request{Act: Replay, Filter: of(spec{Function: fn})}))
		}
		pass(time.Second)
		var waiting []Job
		for _, v := range all {
			if v = r.get(v); v.State == Waiting && strings.Contains(v.Reason, "for its turn") {
				waiting = append(waiting, v)
			}
		}
		if len(waiting) != 2 {
			t.Fatalf("%d wait for their turn, want 2", len(waiting))
		}
		if _, err := r.jobs.Cancel(t.Context(), waiting[0].ID); err != nil { // also while it waits
			t.Fatal(err)
		}
		pass(time.Minute)
		for _, v := range all {
			if v.ID != waiting[0].ID {
				r.want(v, Done, 20, 0)
			}
		}
		r.want(waiting[0], Cancelled, 0, 0)
		if n := r.metric("queue_worker_jobs", "done"); n != 5 {
			t.Errorf("%v jobs are counted as done, want 5", n)
		}
	})
}

func TestJobsThatHoldGiveTheirTurnAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		r.bury("busy", 20)
		r.setWaiting("busy", 51)
		for range 8 {
			r.begin(Request{Act: Replay, Filter: of(spec{Function: "busy"})})
		}
		r.bury("fn", 20)
		v := r.begin(Request{Act: Drop, Filter: of(spec{Function: "fn"})})
		pass(time.Minute)
		r.want(v, Done, 20, 0)
	})
}

func TestNoMoreJobsAreOpenThanAllowed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		r.bury("fn", 1)
		first := r.plan(Request{Act: Drop})
		for range maxOpen - 1 {
			r.plan(Request{Act: Drop})
		}
		if _, err := r.jobs.Plan(t.Context(), Request{Act: Drop}); !errors.Is(err, ErrTooMany) {
			t.Errorf("one too many: %v, want %v", err, ErrTooMany)
		}
		if _, err := r.jobs.Start(t.Context(), Request{Act: Drop}); !errors.Is(err, ErrTooMany) {
			t.Errorf("one too many: %v, want %v", err, ErrTooMany)
		}
		if _, err := r.jobs.Cancel(t.Context(), first.ID); err != nil {
			t.Fatal(err)
		}
		r.plan(Request{Act: Drop})
	})
}

func TestPlansExpireAndJobsThatAreOverAreForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		r.bury("fn", 1)
		v := r.plan(Request{Act: Drop})
		pass(59 * time.Minute)
		r.want(v, Planned, 0, 0)
		pass(2 * time.Minute)
		if v = r.want(v, Cancelled, 0, 0); v.Reason == "" {
			t.Errorf("it does not say why: v.Reason = %q, want not \"\"", v.Reason)
		}
		pass(6 * 24 * time.Hour)
		r.want(v, Cancelled, 0, 0)
		pass(24 * time.Hour)
		if _, err := r.jobs.Get(v.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("after 7 days: %v, want %v", err, ErrNotFound)
		}
		if n := len(r.store.Notes("")); n != 0 {
			t.Errorf("%d notes are left, want 0", n)
		}
		for range maxOver + 20 {
			if _, err := r.jobs.Cancel(t.Context(), r.plan(Request{Act: Drop}).ID); err != nil {
				t.Fatal(err)
			}
		}
		pass(2 * time.Minute)
		switch n, notes := len(r.jobs.List()), len(r.store.Notes(notePrefix)); {
		case n != maxOver:
			t.Errorf("%d jobs are kept, want %d", n, maxOver)
		case notes != maxOver:
			t.Errorf("%d notes, want %d", notes, maxOver)
		}
	})
}

func TestTheLargestJobFitsIntoANote(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 255)
	r := record{Job: Job{ID: invocation.NewID(time.Now()), Act: Replay, State: Running, By: strings.Repeat("\x01", maxBy)}}
	r.Filter = []byte(`"` + strings.Repeat("x", MaxFilter-2) + `"`)
	for range MaxGroups {
		r.Plan.Groups = append(r.Plan.Groups, Group{Function: long, Queue: long, Reason: invocation.AttemptsExhausted, Count: 1})
	}
	for range mostWatched {
		r.Watch = append(r.Watch, invocation.NewID(time.Now()))
	}
	n, err := r.note()
	switch {
	case err != nil:
		t.Fatalf("%v, want nil", err)
	case len(n.Value) > noteBytes:
		t.Fatalf("the note has %d bytes, want at most %d", len(n.Value), noteBytes)
	}
	switch back, err := readRecord(n.Name, n.Value); {
	case err != nil:
		t.Errorf("%v, want nil", err)
	case back.Plan.MoreGroups+len(back.Plan.Groups) != MaxGroups:
		t.Errorf("read again it is %+v, %v: back.Plan.MoreGroups+len(back.Plan.Groups) = %d, want %d", back, err, back.Plan.MoreGroups+len(back.Plan.Groups), MaxGroups)
	}
}

func TestANoteThatCannotBeReadIsLeftAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		r := w.open()
		id := invocation.NewID(time.Now())
		for i, text := range []string{
			"", "{", `{"v":2}`, `{"v":1}`, fmt.Sprintf(`{"v":1,"id":%q,"state":"asleep","act":"drop"}`, id), fmt.Sprintf(`{"v":1,"id":%q,"state":"done","act":"burn"}`, id),
		} {
			if err := r.store.PutNote(t.Context(), store.Note{Name: fmt.Sprint(notePrefix, i), Value: []byte(text)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.store.PutNote(t.Context(), store.Note{Name: noteName(id), Value: []byte(`{"v":1,"id":"` + id.String() + `","state":"waiting","act":"drop"}`)}); err != nil {
			t.Fatal(err)
		}
		r.stop()
		r = w.open()
		switch n, notes := len(r.jobs.List()), len(r.store.Notes("")); {
		case n != 0:
			t.Errorf("%d jobs are known, want 0", n)
		case notes != 7:
			t.Errorf("%d notes are left, want 7", notes)
		}
		if n := strings.Count(r.logs.String(), "cannot read job"); n != 7 {
			t.Errorf("the log names %d, want 7", n)
		}
	})
}

func TestWhenTheFilterCannotBeReadAnyMoreTheJobStopsAndSaysWhy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		r.bury("fn", 3)
		v := r.plan(Request{Act: Replay})
		r.filter = func(json.RawMessage) (store.Filter, error) { return store.Filter{}, errors.New("unknown key") }
		if _, err := r.jobs.Apply(t.Context(), v.ID); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if v = r.want(v, Stopped, 0, 0); !strings.Contains(v.Reason, "unknown key") {
			t.Errorf("the reason is %q, want \"unknown key\" in it", v.Reason)
		}
		r.filter = readFilter
		if _, err := r.jobs.Resume(t.Context(), v.ID); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		r.want(v, Done, 3, 0)
	})
}

func TestTheLogTellsOfProgressEveryTenSecondsAtMost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		r.bury("fn", 600)
		r.become(always(invocation.OutcomeDone, 0))
		v := r.begin(Request{Act: Replay, By: "admin"})
		pass(2 * time.Minute)
		r.want(v, Done, 600, 0)
		log := r.logs.String()
		if n := strings.Count(log, "job progress"); n != 5 && n != 6 {
			t.Errorf("the log reports progress %d times in a minute, want 5 or 6", n)
		}
		for _, want := range []string{"job planned", "by=admin", "count=600", "job done", "done=600", "took=59.9s"} {
			if !strings.Contains(log, want) {
				t.Errorf("the log does not have %q, want %q in it\n%s", want, want, log)
			}
		}
	})
}

func TestAFailedStoreHoldsJobsUntilARestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		ids := r.bury("fn", 20)
		broken := &failing{Store: r.store}
		r.jobs.Store = broken
		v := r.begin(Request{Act: Replay})
		pass(500 * time.Millisecond)
		broken.err.Store(&store.ErrFailed)
		pass(time.Minute)
		switch v = r.get(v); {
		case v.State != Waiting:
			t.Errorf("the job is %+v, want State %q", v, Waiting)
		case !strings.Contains(v.Reason, "for the store: store failed"):
			t.Errorf("the job is %+v, want Reason \"for the store: store failed\" in it", v)
		case v.Done > 7:
			t.Errorf("the job is %+v, want Done at most 7", v)
		}
		if n := strings.Count(r.logs.String(), "job waiting for the store"); n != 1 {
			t.Errorf("the log says so %d times, want 1", n)
		}
		broken.err.Store(nil)
		pass(time.Minute)
		r.want(v, Done, 20, 0)
		for _, id := range ids {
			if n := r.replayed(id); n != 1 {
				t.Errorf("a dead letter became ready %d times, want 1", n)
			}
		}
	})
}

// failing is a store whose reads fail while it has an error, and that does not say
// so beforehand.
type failing struct {
	*embedded.Store
	err atomic.Pointer[error]
}

func (f *failing) Letters(ctx context.Context, x store.Filter, cursor string, limit int) (store.LetterPage, error) {
	if err := f.err.Load(); err != nil {
		return store.LetterPage{}, *err
	}
	return f.Store.Letters(ctx, x, cursor, limit)
}
