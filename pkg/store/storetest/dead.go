package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// kill puts n invocations of fn into the dead set, one a second.
func (w *world) kill(n int) []*invocation.Invocation {
	w.Helper()
	var all []*invocation.Invocation
	for range n {
		inv := w.now("fn")
		w.take(inv)
		w.clock.add(time.Second)
		w.bury(inv)
		all = append(all, inv)
	}
	return all
}

// expire takes what is beyond the bounds, until nothing is.
func (w *world) expire(b store.Bounds) []*invocation.Invocation {
	w.Helper()
	var all []*invocation.Invocation
	for {
		taken, err := w.Expire(w.Context(), b)
		if err != nil {
			w.Fatalf("expire: %v", err)
		}
		if len(taken.Letters) == 0 {
			return all
		}
		all = append(all, taken.Letters...)
	}
}

var deadSet = []test{
	{"dead letters are listed oldest first, page by page", func(w *world) {
		all := w.kill(5)
		w.wantDead(all...)
		page, err := w.Letters(w.Context(), store.Filter{}, "", 5)
		if err != nil || len(page.Letters) != 5 || page.Next != "" {
			w.Errorf("a page that holds all: %d, next %q, %v", len(page.Letters), page.Next, err)
		}
		page, err = w.Letters(w.Context(), store.Filter{}, "", 4)
		if err != nil || len(page.Letters) != 4 || page.Next == "" {
			w.Errorf("a page that does not: %d, next %q, %v", len(page.Letters), page.Next, err)
		}
		page, err = w.Letters(w.Context(), store.Filter{}, page.Next, 4)
		if err != nil || len(page.Letters) != 1 || page.Next != "" || page.Letters[0].ID != all[4].ID {
			w.Errorf("the page after it: %v, next %q, %v", ids(page.Letters), page.Next, err)
		}
	}},
	{"letters that die in the same instant are all listed", func(w *world) {
		var all []*invocation.Invocation
		for range 5 {
			inv := w.now("fn")
			w.take(inv)
			w.bury(inv)
			all = append(all, inv)
		}
		w.wantDead(all...)
	}},
	{"a listing continues where it was, whatever came and went meanwhile", func(w *world) {
		all := w.kill(6)
		first, err := w.Letters(w.Context(), store.Filter{}, "", 3)
		if err != nil {
			w.Fatal(err)
		}
		for _, inv := range []*invocation.Invocation{all[1], all[2], all[3]} { // one is the cursor's own
			if err := w.Drop(w.Context(), inv.ID); err != nil {
				w.Fatal(err)
			}
		}
		late := w.kill(1)
		page, err := w.Letters(w.Context(), store.Filter{}, first.Next, 10)
		if d := cmp.Diff(ids([]*invocation.Invocation{all[4], all[5], late[0]}), ids(page.Letters)); d != "" || page.Next != "" || err != nil {
			w.Errorf("next %q, %v, page (-want +got):\n%s", page.Next, err, d)
		}
	}},
	{"a cursor that no listing gave is refused", func(w *world) {
		for _, cursor := range []string{"x", "00", "zz", "0123456789abcdef0123456789abcdef0123456789abcde", "é"} {
			if _, err := w.Letters(w.Context(), store.Filter{}, cursor, 10); !errors.Is(err, store.ErrBadCursor) {
				w.Errorf("%q gives %v, want ErrBadCursor", cursor, err)
			}
		}
	}},
	{"a listing without room lists nothing", func(w *world) {
		w.kill(2)
		for _, limit := range []int{0, -1} {
			if page, err := w.Letters(w.Context(), store.Filter{}, "", limit); len(page.Letters) != 0 || err != nil {
				w.Errorf("limit %d gives %v, %v", limit, page, err)
			}
		}
	}},
	{"a replayed letter is ready at once, with its history and all retries before it", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		inv.Record(invocation.Attempt{At: w.clock.Now(), Duration: time.Second, Status: 500})
		inv.Retries, inv.Crashes, inv.Detail = 10, 3, "no"
		w.bury(inv)
		w.watcher.take()
		w.clock.add(time.Hour)
		if err := w.Replay(w.Context(), inv.ID); err != nil {
			w.Fatal(err)
		}
		inv.State, inv.Reason, inv.Detail, inv.DiedAt = invocation.Pending, "", "", time.Time{}
		inv.Retries, inv.Crashes, inv.Replays, inv.Since = 0, 0, 1, w.clock.Now()
		w.wantDead()
		w.wantReady("fn", inv)
		w.wantKept(inv)
		if notified, _ := w.watcher.take(); len(notified) != 1 || notified[0].ID != inv.ID {
			w.Errorf("the watcher got %v", notified)
		}
		if st := w.Stats(); st.DeadBytes != 0 || st.Bytes != int64(inv.Size) {
			w.Errorf("counts %+v", st)
		}
	}},
	{"a letter is replayed once, and can die again", func(w *world) {
		inv := w.kill(1)[0]
		for n := 1; n <= 3; n++ {
			if err := w.Replay(w.Context(), inv.ID); err != nil {
				w.Fatal(err)
			}
			if err := w.Replay(w.Context(), inv.ID); !errors.Is(err, store.ErrNotFound) {
				w.Errorf("the second replay gives %v, want ErrNotFound", err)
			}
			got, err := w.Get(w.Context(), inv.ID)
			if err != nil || got.Replays != n {
				w.Fatalf("replays %d, %v", got.Replays, err)
			}
			w.bury(got) // in the very instant of the replay
			w.wantDead(got)
			w.wantReady("fn")
		}
	}},
	{"a dropped letter is gone, and can be neither dropped nor replayed", func(w *world) {
		inv := w.kill(1)[0]
		if err := w.Drop(w.Context(), inv.ID); err != nil {
			w.Fatal(err)
		}
		w.wantDead()
		w.wantGone(inv)
		for name, f := range map[string]func() error{
			"drop":   func() error { return w.Drop(w.Context(), inv.ID) },
			"replay": func() error { return w.Replay(w.Context(), inv.ID) },
		} {
			if err := f(); !errors.Is(err, store.ErrNotFound) {
				w.Errorf("%s gives %v, want ErrNotFound", name, err)
			}
		}
		if st := w.Stats(); st.Dropped != 1 || st.Bytes != 0 || st.DeadBytes != 0 {
			w.Errorf("counts %+v", st)
		}
	}},
	{"what is not dead can be neither dropped nor replayed", func(w *world) {
		ready, delayed := w.now("fn"), w.pending("fn", w.clock.Now().Add(time.Hour))
		w.take(ready, delayed)
		for _, inv := range []*invocation.Invocation{ready, delayed} {
			if err := w.Drop(w.Context(), inv.ID); !errors.Is(err, store.ErrNotFound) {
				w.Errorf("drop gives %v, want ErrNotFound", err)
			}
			if err := w.Replay(w.Context(), inv.ID); !errors.Is(err, store.ErrNotFound) {
				w.Errorf("replay gives %v, want ErrNotFound", err)
			}
			w.wantKept(inv)
		}
	}},
	{"of many who replay and drop one letter one succeeds", func(w *world) {
		for _, inv := range w.kill(10) {
			var won atomic.Int32
			var wg sync.WaitGroup
			for n := range 4 {
				wg.Go(func() {
					f := w.Replay
					if n%2 == 0 {
						f = w.Drop
					}
					if err := f(w.Context(), inv.ID); err == nil {
						won.Add(1)
					} else if !errors.Is(err, store.ErrNotFound) {
						w.Error(err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				w.Fatalf("%d succeeded", won.Load())
			}
		}
	}},
	{"without bounds nothing expires", func(w *world) {
		all := w.kill(3)
		w.clock.add(1000 * time.Hour)
		if taken := w.expire(store.Bounds{}); len(taken) != 0 {
			w.Errorf("taken: %v", ids(taken))
		}
		w.wantDead(all...)
	}},
	{"letters older than the bound expire, and no others", func(w *world) {
		all := w.kill(5)
		w.clock.add(time.Hour)
		age := w.clock.Now().Sub(all[2].DiedAt) // the third is just as old as allowed
		taken := w.expire(store.Bounds{MaxAge: age})
		if d := cmp.Diff(ids(all[:2]), ids(taken)); d != "" {
			w.Errorf("taken (-want +got):\n%s", d)
		}
		w.wantDead(all[2:]...)
		if st := w.Stats(); st.Dropped != 2 {
			w.Errorf("counts %+v", st)
		}
	}},
	{"letters beyond the bytes expire oldest first, and what is pending does not count", func(w *world) {
		all := w.kill(5)
		waiting := w.now("fn")
		w.take(waiting)
		held := int64(0)
		for _, inv := range all[3:] {
			held += int64(inv.Size)
		}
		taken := w.expire(store.Bounds{MaxBytes: held})
		if d := cmp.Diff(ids(all[:3]), ids(taken)); d != "" {
			w.Errorf("taken (-want +got):\n%s", d)
		}
		w.wantDead(all[3:]...)
		w.wantKept(waiting)
		if got := w.Stats().DeadBytes; got != held {
			w.Errorf("%d bytes are dead, want %d", got, held)
		}
	}},
	{"a dead letter that expired is gone, and reported with its attempts", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		inv.Record(invocation.Attempt{At: w.clock.Now(), Status: 404})
		w.bury(inv)
		w.clock.add(time.Hour)
		taken := w.expire(store.Bounds{MaxAge: time.Minute})
		if d := cmp.Diff([]*invocation.Invocation{inv}, taken); d != "" {
			w.Errorf("taken (-want +got):\n%s", d)
		}
		w.wantGone(inv)
	}},
	{"the dead set outlives a restart, with its order and its counts", func(w *world) {
		all := w.kill(5)
		before := w.Stats()
		w.restart()
		w.wantDead(all...)
		after := w.Stats()
		if after.Dead != before.Dead || after.DeadBytes != before.DeadBytes || after.Bytes != before.Bytes {
			w.Errorf("counts were %+v, are %+v", before, after)
		}
		if taken := w.expire(store.Bounds{MaxBytes: 1}); len(taken) != 5 {
			w.Errorf("%d expired", len(taken))
		}
	}},
}
