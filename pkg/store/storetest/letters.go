package storetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// graveyard puts letters of several kinds into the dead set, one a second.
func (w *world) graveyard() []*invocation.Invocation {
	w.Helper()
	var all []*invocation.Invocation
	for n, d := range []struct {
		queue, function string
		status          int
		reason          invocation.Reason
	}{
		{"faas-request", "fn", 500, invocation.AttemptsExhausted},
		{"faas-request", "fn", 404, invocation.NonRetryable},
		{"faas-request", "gn", 500, invocation.AttemptsExhausted},
		{"slow", "fn", 503, invocation.AttemptsExhausted},
		{"slow", "fn", 503, invocation.AttemptsExhausted},
		{"faas-request", "url:cb:80", 0, invocation.CallbackRefused},
		{"faas-request", "fn", 500, invocation.AttemptsExhausted},
	} {
		inv := w.now(d.function)
		inv.Lane.Queue = d.queue
		inv.CallID = []string{"one", "two"}[n%2]
		w.take(inv)
		w.clock.add(time.Second)
		if d.status != 0 {
			inv.Record(invocation.Attempt{At: w.clock.Now(), Status: 418})
			inv.Record(invocation.Attempt{At: w.clock.Now(), Status: d.status})
		}
		inv.Reason, inv.DiedAt = d.reason, w.clock.Now()
		w.settle(inv, invocation.OutcomeDead, nil)
		all = append(all, inv)
	}
	return all
}

// of picks letters by their numbers.
func of(all []*invocation.Invocation, numbers ...int) []*invocation.Invocation {
	picked := []*invocation.Invocation{}
	for _, n := range numbers {
		picked = append(picked, all[n])
	}
	return picked
}

// filters name what each of them lets pass of the graveyard.
func filters(all []*invocation.Invocation) map[string]struct {
	f    store.Filter
	want []int
} {
	return map[string]struct {
		f    store.Filter
		want []int
	}{
		"nothing":           {store.Filter{}, []int{0, 1, 2, 3, 4, 5, 6}},
		"queue":             {store.Filter{Queue: "slow"}, []int{3, 4}},
		"function":          {store.Filter{Function: "fn"}, []int{0, 1, 3, 4, 6}},
		"callback host":     {store.Filter{Function: "url:cb:80"}, []int{5}},
		"unknown function":  {store.Filter{Function: "hn"}, nil},
		"reason":            {store.Filter{Reasons: []invocation.Reason{invocation.NonRetryable, invocation.CallbackRefused}}, []int{1, 5}},
		"status":            {store.Filter{Statuses: []int{404, 503}}, []int{1, 3, 4}},
		"status of none":    {store.Filter{Statuses: []int{0}}, []int{5}},
		"earlier status":    {store.Filter{Statuses: []int{418}}, nil},
		"since is included": {store.Filter{Since: all[5].DiedAt}, []int{5, 6}},
		"until is not":      {store.Filter{Until: all[2].DiedAt}, []int{0, 1}},
		"since and until":   {store.Filter{Since: all[2].DiedAt, Until: all[4].DiedAt}, []int{2, 3}},
		"since after until": {store.Filter{Since: all[4].DiedAt, Until: all[2].DiedAt}, nil},
		"far bounds":        {store.Filter{Since: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), Until: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}, []int{0, 1, 2, 3, 4, 5, 6}},
		"call id":           {store.Filter{CallID: "two"}, []int{1, 3, 5}},
		"call id and time":  {store.Filter{CallID: "two", Since: all[2].DiedAt, Until: all[5].DiedAt}, []int{3}},
		"unknown call id":   {store.Filter{CallID: "three"}, nil},
		"the bytes":         {store.Filter{Match: func(_ *invocation.Invocation, raw []byte) bool { return bytes.HasSuffix(raw, []byte("two")) }}, []int{1, 3, 5}},
		"all at once": {store.Filter{
			Queue: "slow", Function: "fn", Reasons: []invocation.Reason{invocation.AttemptsExhausted}, Statuses: []int{503},
			Since: all[0].DiedAt, Until: all[6].DiedAt, CallID: "one",
			Match: func(inv *invocation.Invocation, _ []byte) bool { return inv.LastStatus() == 503 },
		}, []int{4}},
	}
}

var letters = []test{
	{"a filter lets pass what it says, page by page and in order", func(w *world) {
		all := w.graveyard()
		w.take(w.now("fn")) // is not dead
		for name, tt := range filters(all) {
			if d := cmp.Diff(ids(of(all, tt.want...)), ids(w.letters(tt.f))); d != "" {
				w.Errorf("%s (-want +got):\n%s", name, d)
			}
		}
	}},
	{"newest first is the same in reverse, page by page", func(w *world) {
		all := w.graveyard()
		for name, tt := range filters(all) {
			want := ids(of(all, tt.want...))
			slices.Reverse(want)
			tt.f.Newest = true
			if d := cmp.Diff(want, ids(w.letters(tt.f))); d != "" {
				w.Errorf("%s (-want +got):\n%s", name, d)
			}
		}
	}},
	{"letters are listed as they are kept", func(w *world) {
		all := w.graveyard()
		if d := cmp.Diff(of(all, 1, 3, 5), w.letters(store.Filter{CallID: "two"})); d != "" {
			w.Errorf("letters (-want +got):\n%s", d)
		}
	}},
	{"groups count what a filter lets pass", func(w *world) {
		all := w.graveyard()
		for name, tt := range filters(all) {
			groups, err := w.Groups(w.Context(), tt.f)
			if err != nil {
				w.Fatal(err)
			}
			count, size, want := 0, int64(0), int64(0)
			for _, g := range groups {
				count += g.Count
				size += g.Bytes
			}
			for _, inv := range of(all, tt.want...) {
				want += int64(inv.Size)
			}
			if count != len(tt.want) || size != want {
				w.Errorf("%s: %d letters of %d bytes, want %d of %d", name, count, size, len(tt.want), want)
			}
		}
	}},
	{"groups are those of one lane, reason and status, largest first", func(w *world) {
		all := w.graveyard()
		size := func(numbers ...int) (n int64) {
			for _, inv := range of(all, numbers...) {
				n += int64(inv.Size)
			}
			return n
		}
		want := []store.Group{
			{Queue: "faas-request", Function: "fn", Reason: invocation.AttemptsExhausted, Status: 500, Count: 2, Bytes: size(0, 6), First: all[0].DiedAt, Last: all[6].DiedAt},
			{Queue: "slow", Function: "fn", Reason: invocation.AttemptsExhausted, Status: 503, Count: 2, Bytes: size(3, 4), First: all[3].DiedAt, Last: all[4].DiedAt},
			{Queue: "faas-request", Function: "fn", Reason: invocation.NonRetryable, Status: 404, Count: 1, Bytes: size(1), First: all[1].DiedAt, Last: all[1].DiedAt},
			{Queue: "faas-request", Function: "gn", Reason: invocation.AttemptsExhausted, Status: 500, Count: 1, Bytes: size(2), First: all[2].DiedAt, Last: all[2].DiedAt},
			{Queue: "faas-request", Function: "url:cb:80", Reason: invocation.CallbackRefused, Count: 1, Bytes: size(5), First: all[5].DiedAt, Last: all[5].DiedAt},
		}
		got, err := w.Groups(w.Context(), store.Filter{})
		if d := cmp.Diff(want, got); d != "" || err != nil {
			w.Errorf("%v, groups (-want +got):\n%s", err, d)
		}
	}},
	{"a group tells what was replayed too often", func(w *world) {
		often := w.kill(2)[0]
		for range store.ManyReplays {
			if err := w.Replay(w.Context(), often.ID); err != nil {
				w.Fatal(err)
			}
			got, err := w.Get(w.Context(), often.ID)
			if err != nil {
				w.Fatal(err)
			}
			w.bury(got)
		}
		groups, err := w.Groups(w.Context(), store.Filter{})
		if err != nil || len(groups) != 1 || groups[0].Count != 2 || groups[0].Replayed != 1 {
			w.Errorf("groups %+v, %v", groups, err)
		}
	}},
	{"a letter that says that it died before time began is listed, filtered and dropped", func(w *world) {
		inv := w.now("fn")
		inv.State, inv.Reason = invocation.Dead, invocation.Malformed
		w.take(inv)
		w.wantDead(inv)
		if err := w.Drop(w.Context(), inv.ID); err != nil {
			w.Error(err)
		}
		w.wantDead()
	}},
	{"who has gone gets no letters and no groups", func(w *world) {
		w.kill(1)
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		if _, err := w.Letters(ctx, store.Filter{}, "", 1); !errors.Is(err, context.Canceled) {
			w.Errorf("letters: %v", err)
		}
		if _, err := w.Groups(ctx, store.Filter{}); !errors.Is(err, context.Canceled) {
			w.Errorf("groups: %v", err)
		}
	}},
	{"letters with a call id that came very often are found too", func(w *world) {
		const n = 1200
		want := []*invocation.Invocation{}
		for i := range n {
			inv := w.now("fn")
			inv.CallID = "again"
			if i%400 == 0 {
				inv.State, inv.Reason, inv.DiedAt = invocation.Dead, invocation.Malformed, w.clock.Now()
				want = append(want, inv)
				w.clock.add(time.Second)
			}
			w.take(inv)
		}
		w.kill(3) // others
		if d := cmp.Diff(ids(want), ids(w.letters(store.Filter{CallID: "again"}))); d != "" {
			w.Errorf("letters (-want +got):\n%s", d)
		}
	}},
}
