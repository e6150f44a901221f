package jobs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
)

// looking counts how often it is asked.
type looking struct {
	*embedded.Store
	groups, letters int
}

func (l *looking) Groups(ctx context.Context, f store.Filter) ([]store.Group, error) {
	l.groups++
	return l.Store.Groups(ctx, f)
}

func (l *looking) Letters(ctx context.Context, f store.Filter, cursor string, limit int) (store.LetterPage, error) {
	l.letters++
	return l.Store.Letters(ctx, f, cursor, limit)
}

func TestALimitFindsTheOldestHoweverTheyDied(t *testing.T) {
	t.Parallel()
	const n = 4000
	for name, when := range map[string]func(i int) time.Duration{
		"evenly":               func(i int) time.Duration { return time.Duration(i) * time.Second },
		"all at one instant":   func(int) time.Duration { return time.Hour },
		"most at one instant":  func(i int) time.Duration { return time.Duration(max(i-n+100, 0)) * time.Hour },
		"in two crowds":        func(i int) time.Duration { return time.Duration(i%2)*720*time.Hour + time.Duration(rand.IntN(1e6)) },
		"anyhow":               func(int) time.Duration { return time.Duration(rand.Int64N(int64(720 * time.Hour))) },
		"ever closer together": func(i int) time.Duration { return 720 * time.Hour / time.Duration(1+i) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, embedded.Options{})
				began := r.now().Add(-1000 * time.Hour)
				i := 0
				r.bury("fn", n, func(inv *invocation.Invocation) {
					inv.DiedAt = began.Add(when(i))
					inv.Lane = lane(fmt.Sprint("fn", i%3))
					inv.Replays = i % 5
					i++
				})
				all, err := r.store.Letters(t.Context(), store.Filter{}, "", n)
				if err != nil || len(all.Letters) != n {
					t.Fatal(len(all.Letters), err)
				}
				l := &looking{Store: r.store}
				r.jobs.Store = l
				for _, limit := range []int{1, 2, 999, 1000, 1001, 2000, 3333, n - 1, n, 1 << 31} {
					l.groups, l.letters = 0, 0
					q := Request{Act: Drop, Limit: limit}
					rec := q.record(r.now())
					if err := r.jobs.countSet(t.Context(), rec); err != nil {
						t.Fatal(err)
					}
					within, replayed := 0, 0
					for _, inv := range all.Letters {
						if rec.End == nil || !rec.End.isBefore(inv) {
							within++
							if inv.Replays >= store.ManyReplays {
								replayed++
							}
						}
					}
					want := min(limit, n)
					switch {
					case rec.Plan.Count != want:
						t.Errorf("limit %d: %d are within, the plan is %+v, want Count %d", limit, within, rec.Plan, want)
					case within != want:
						t.Errorf("limit %d: %d are within, want %d", limit, within, want)
					case rec.Plan.Bytes != int64(10*want):
						t.Errorf("limit %d: %d are within, the plan is %+v, want Bytes %d", limit, within, rec.Plan, int64(10*want))
					case rec.Plan.NeedsForce != replayed:
						t.Errorf("limit %d: %d are within, the plan is %+v, want NeedsForce %d", limit, within, rec.Plan, replayed)
					case !rec.Plan.Oldest.Equal(all.Letters[0].DiedAt):
						t.Errorf("limit %d: %d are within, the plan is %+v, want Oldest %v", limit, within, rec.Plan, all.Letters[0].DiedAt)
					case !rec.Plan.Newest.Equal(all.Letters[want-1].DiedAt):
						t.Errorf("limit %d: %d are within, the plan is %+v, want Newest %v", limit, within, rec.Plan, all.Letters[want-1].DiedAt)
					}
					switch {
					case l.groups > 60:
						t.Errorf("limit %d: %d looks at groups, want at most 60", limit, l.groups)
					case l.letters > n/planPage:
						t.Errorf("limit %d: %d at dead letters, want at most %d", limit, l.letters, n/planPage)
					}
				}
			})
		})
	}
}
