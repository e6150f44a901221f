package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// waiting reads what is pending, page by page.
func (w *world) waiting(f store.PendingFilter, limit int) []*invocation.Invocation {
	w.Helper()
	var all []*invocation.Invocation
	for cursor := ""; ; {
		page, next, err := w.Pending(w.Context(), f, cursor, limit)
		if err != nil {
			w.Fatalf("pending: %v", err)
		}
		all = append(all, page...)
		if next == "" {
			return all
		}
		cursor = next
	}
}

// crowdOf accepts pending invocations of several kinds.
func (w *world) crowdOf() []*invocation.Invocation {
	w.Helper()
	now := w.clock.Now()
	var all []*invocation.Invocation
	for _, d := range []struct {
		queue, function string
		in              time.Duration
	}{
		{"faas-request", "fn", 0}, {"faas-request", "fn", 0}, {"faas-request", "fn2", 0}, {"slow", "fn", 0},
		{"slow", "fn", time.Minute}, {"faas-request", "fn", time.Hour}, {"faas-request", "gn", 2 * time.Hour},
	} {
		inv := w.pending(d.function, now.Add(d.in))
		inv.Lane.Queue = d.queue
		w.take(inv)
		w.clock.add(time.Second)
		all = append(all, inv)
	}
	return all
}

var pending = []test{
	{"what is pending is listed lane by lane, then by due time", func(w *world) {
		all := w.crowdOf()
		w.kill(1)
		for name, tt := range map[string]struct {
			f    store.PendingFilter
			want []int
		}{
			"all":              {store.PendingFilter{}, []int{0, 1, 2, 3, 4, 5, 6}},
			"ready":            {store.PendingFilter{State: store.StateReady}, []int{0, 1, 2, 3}},
			"delayed":          {store.PendingFilter{State: store.StateDelayed}, []int{4, 5, 6}},
			"queue":            {store.PendingFilter{Queue: "slow"}, []int{3, 4}},
			"function":         {store.PendingFilter{Function: "fn"}, []int{0, 1, 3, 4, 5}},
			"both":             {store.PendingFilter{Queue: "faas-request", Function: "fn"}, []int{0, 1, 5}},
			"both, ready":      {store.PendingFilter{Queue: "faas-request", Function: "fn", State: store.StateReady}, []int{0, 1}},
			"unknown function": {store.PendingFilter{Function: "hn"}, nil},
			"until":            {store.PendingFilter{Until: all[2].Accepted}, []int{0, 1}},
		} {
			for _, limit := range []int{1, 2, 3, 10} {
				if d := cmp.Diff(ids(of(all, tt.want...)), ids(w.waiting(tt.f, limit))); d != "" {
					w.Errorf("%s by %d (-want +got):\n%s", name, limit, d)
				}
			}
		}
		if d := cmp.Diff(all, w.waiting(store.PendingFilter{}, 10)); d != "" {
			w.Errorf("records (-want +got):\n%s", d)
		}
	}},
	{"a listing of pending invocations continues where it was, whatever came and went meanwhile", func(w *world) {
		all := w.crowdOf()
		_, next, err := w.Pending(w.Context(), store.PendingFilter{}, "", 2)
		if err != nil {
			w.Fatal(err)
		}
		for _, inv := range of(all, 0, 1, 2) { // one is the cursor's own, with it its lane is gone
			if _, err := w.Cancel(w.Context(), inv.ID); err != nil {
				w.Fatal(err)
			}
		}
		page, next, err := w.Pending(w.Context(), store.PendingFilter{}, next, 10)
		if d := cmp.Diff(ids(of(all, 3, 4, 5, 6)), ids(page)); d != "" || next != "" || err != nil {
			w.Errorf("next %q, %v, page (-want +got):\n%s", next, err, d)
		}
	}},
	{"a cursor that no listing of what is pending gave is refused", func(w *world) {
		for _, cursor := range []string{"x", "00", "zz", "ci9h", "ZC8", "é", "===="} {
			if _, _, err := w.Pending(w.Context(), store.PendingFilter{}, cursor, 10); !errors.Is(err, store.ErrBadCursor) {
				w.Errorf("%q gives %v, want ErrBadCursor", cursor, err)
			}
		}
		w.crowdOf()
		if page, _, err := w.Pending(w.Context(), store.PendingFilter{}, "", 0); err != nil || len(page) != 0 {
			w.Errorf("without room: %v, %v", page, err)
		}
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		if _, _, err := w.Pending(ctx, store.PendingFilter{}, "", 1); !errors.Is(err, context.Canceled) {
			w.Errorf("who has gone gets %v", err)
		}
	}},
	{"delayed invocations are counted by when they become due", func(w *world) {
		now := w.clock.Now()
		w.crowdOf()
		ends := []time.Time{now.Add(time.Minute), now.Add(2 * time.Minute), now.Add(61 * time.Minute)}
		for name, tt := range map[string]struct {
			f    store.PendingFilter
			ends []time.Time
			want []int
		}{
			"of all lanes":    {store.PendingFilter{}, ends, []int{0, 1, 1}},
			"of a function":   {store.PendingFilter{Function: "fn"}, ends, []int{0, 1, 1}},
			"of one lane":     {store.PendingFilter{Queue: "slow", Function: "fn"}, ends, []int{0, 1, 0}},
			"of another":      {store.PendingFilter{Function: "gn"}, ends, []int{0, 0, 0}},
			"until the last":  {store.PendingFilter{}, []time.Time{now.Add(3 * time.Hour)}, []int{3}},
			"of no time":      {store.PendingFilter{}, nil, []int{}},
			"of what was due": {store.PendingFilter{}, []time.Time{now}, []int{0}},
		} {
			got, whole, err := w.Due(w.Context(), tt.f, tt.ends)
			if err != nil {
				w.Fatalf("%s: %v", name, err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				w.Errorf("%s (-want +got):\n%s", name, d)
			}
			if !whole {
				w.Errorf("%s: got a part, want the whole of 3", name)
			}
		}
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		if _, _, err := w.Due(ctx, store.PendingFilter{}, ends); !errors.Is(err, context.Canceled) {
			w.Errorf("got %v for a context that has ended, want %v", err, context.Canceled)
		}
	}},
	{"lanes that have anything ready are read in their order, those of URLs apart", func(w *world) {
		w.crowdOf() // gn has nothing ready
		w.take(w.now("url:b:80"), w.now("url:a:80"), w.now("hn"), w.now(""))
		for _, urls := range []bool{false, true} {
			want := []string{"faas-request ", "faas-request fn", "faas-request fn2", "faas-request hn", "slow fn"}
			if urls {
				want = []string{"faas-request url:a:80", "faas-request url:b:80"}
			}
			for _, limit := range []int{1, 2, 10} {
				got := []string{}
				for from, more := (invocation.Lane{}), true; more; {
					page, err := w.ReadyLanes(w.Context(), from, urls, limit)
					if err != nil {
						w.Fatalf("ready lanes: %v", err)
					}
					for _, l := range page {
						got = append(got, l.Queue+" "+l.Name)
						from = l
					}
					more = len(page) == limit
				}
				if d := cmp.Diff(want, got); d != "" {
					w.Errorf("urls %v, by %d (-want +got):\n%s", urls, limit, d)
				}
			}
		}
	}},
	{"the oldest of a lane is the one that became ready first", func(w *world) {
		if at, ok := w.Oldest(w.Context(), lane("fn")); ok {
			w.Errorf("in an empty lane: %v", at)
		}
		first, second := w.pending("fn", w.clock.Now().Add(-time.Hour)), w.now("fn")
		w.take(second, first, w.pending("gn", w.clock.Now().Add(time.Hour)))
		if at, ok := w.Oldest(w.Context(), lane("fn")); !ok || !at.Equal(first.Since) {
			w.Errorf("%v, %v", at, ok)
		}
		w.settle(first, invocation.OutcomeDone, nil)
		if at, ok := w.Oldest(w.Context(), lane("fn")); !ok || !at.Equal(second.Since) {
			w.Errorf("after the first: %v, %v", at, ok)
		}
		if at, ok := w.Oldest(w.Context(), lane("gn")); ok {
			w.Errorf("where all are delayed: %v", at)
		}
	}},
}
