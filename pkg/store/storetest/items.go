package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// filling puts one of each kind of things into a store.
type filling struct {
	testing.TB
	store.Store
	n int
}

// Fill puts all kinds of things that a store keeps into one, rounds times each. The store has to be
// opened with an EndTTL.
func Fill(t testing.TB, s store.Store, rounds int) {
	t.Helper()
	f := filling{TB: t, Store: s}
	for range rounds {
		f.round()
	}
}

func (f *filling) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatalf("filling a store: %v", err)
	}
}

// accept accepts an invocation as change makes it, and returns it.
func (f *filling) accept(change func(*store.Accept)) *invocation.Invocation {
	f.Helper()
	f.n++
	now := f.Now()
	inv := &invocation.Invocation{
		ID: invocation.NewID(now), CallID: fmt.Sprintf("call-%d", f.n), Function: "fn", Lane: lane(fmt.Sprintf("fn%d", f.n%3)), Accepted: now, Since: now,
	}
	a := store.Accept{Inv: inv, Raw: fmt.Appendf(nil, "request of %s \xff\x00", inv.CallID)}
	change(&a)
	done := make(chan error, 1)
	f.Accept(a, func(err error) { done <- err })
	f.must(<-done)
	return inv
}

// settle settles a ready invocation after an attempt.
func (f *filling) settle(inv *invocation.Invocation, o invocation.Outcome, change func(*store.Settlement)) {
	f.Helper()
	l, err := f.LoadReady(f.Context(), at(inv))
	f.must(err)
	l.Inv.Record(invocation.Attempt{At: f.Now(), Duration: time.Second, Status: 500})
	st := store.Settlement{At: at(inv), Outcome: o, Inv: l.Inv}
	if o == invocation.OutcomeDead {
		l.Inv.Reason, l.Inv.Detail, l.Inv.DiedAt = invocation.AttemptsExhausted, "why", f.Now()
	}
	change(&st)
	f.must(f.Settle(f.Context(), st))
	*inv = *st.Inv
}

func (f *filling) round() {
	f.Helper()
	ready := func(*store.Accept) {}
	f.accept(ready)
	f.accept(func(a *store.Accept) { a.Inv.Since = f.Now().Add(time.Hour) })
	f.accept(func(a *store.Accept) {
		a.Inv.Terms = &invocation.Terms{Source: invocation.SourceMailbox, MaxRetries: 3, Expires: f.Now().Add(time.Hour)}
		a.Inv.Crashes, a.Raw = 2, bytes.Repeat([]byte("large"), 100_000)
	})
	f.accept(func(a *store.Accept) {
		a.Source = &store.Source{Cluster: "faas-cluster", Channel: "faas-request", Sequence: uint64(f.n), Timestamp: f.Now().UnixNano()} // #nosec G115 -- a count
		a.Key = &store.Key{Hash: [32]byte{byte(f.n), byte(f.n >> 8)}, Payload: [32]byte{1}, Expires: f.Now().Add(time.Hour)}
	})
	retried := f.accept(ready)
	f.settle(retried, invocation.OutcomeRetry, func(st *store.Settlement) { st.Inv.Since = f.Now().Add(time.Minute) })
	f.settle(f.accept(ready), invocation.OutcomeDone, func(st *store.Settlement) {
		st.Result = &store.Result{Outcome: invocation.OutcomeDone, Status: 200, Header: http.Header{"X-A": {"1"}}, Body: []byte("answer"), At: f.Now(), Expires: f.Now().Add(time.Hour)}
		callback := &invocation.Invocation{ID: invocation.NewID(f.Now()), CallID: st.Inv.CallID, Kind: invocation.KindCallback, URL: "http://a/", Origin: st.Inv.ID, Lane: lane("url:a:80"), Accepted: f.Now(), Since: f.Now(), Sequence: 2}
		st.Callback = &store.Accept{Inv: callback, Raw: []byte("callback")}
	})
	f.settle(f.accept(ready), invocation.OutcomeDropped, func(*store.Settlement) {})
	buried := f.accept(ready)
	f.settle(buried, invocation.OutcomeDead, func(st *store.Settlement) {
		st.Answer = &invocation.Answer{At: f.Now(), Status: 500, Type: "text/plain", Body: []byte("no")}
	})
	f.job(buried)
	if f.n < 12 { // one of them is enough
		f.settle(f.accept(ready), invocation.OutcomeDone, func(st *store.Settlement) {
			st.Result = &store.Result{Outcome: invocation.OutcomeDone, Status: 200, Body: bytes.Repeat([]byte("answer"), 300_000), At: f.Now(), Expires: f.Now().Add(2 * time.Hour)}
		})
	}
	f.settle(f.accept(ready), invocation.OutcomeDead, func(*store.Settlement) {})
}

// job replays a dead letter, writes notes and leaves the replayed one dead again.
func (f *filling) job(buried *invocation.Invocation) {
	f.Helper()
	id := invocation.NewID(f.Now())
	taken, err := f.Act(f.Context(), store.Batch{Verb: store.ActReplay, IDs: []invocation.ID{buried.ID}, Job: id, Note: &store.Note{Name: "job/" + id.String(), Value: []byte("progress")}})
	f.must(err)
	f.must(taken[0].Err)
	f.must(f.PutNote(f.Context(), store.Note{Name: "pause/" + id.String(), Value: []byte{}}))
	f.settle(taken[0].Inv, invocation.OutcomeDead, func(*store.Settlement) {})
}

// AllItems reads everything that a store keeps, page by page.
func AllItems(t testing.TB, s store.Portable) (all []store.Item) {
	t.Helper()
	for kind := range store.ItemKinds {
		for cursor, more := []byte(nil), true; more; more = cursor != nil {
			var page []store.Item
			var err error
			if page, cursor, err = s.Items(t.Context(), kind, cursor); err != nil {
				t.Fatalf("items of kind %d: %v", kind, err)
			}
			all = append(all, page...)
		}
	}
	return all
}

// sorted are items in an order that does not depend on the engine.
func sorted(all []store.Item) []store.Item {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b store.Item) int {
		return strings.Compare(fmt.Sprint(a.Kind, " ", string(a.Key)), fmt.Sprint(b.Kind, " ", string(b.Key)))
	})
	return all
}

var items = []test{
	{"what is read as items and put into another store is all of it, and works there", func(w *world) {
		w.endTTL = time.Hour
		if w.durable {
			w.restart()
		} else {
			w.Skip("it remembers no ends")
		}
		Fill(w.TB, w.Store, 3)
		all := AllItems(w.TB, w.Store)
		other := &world{TB: w.TB, clock: w.clock, watcher: &watcher{}, open: w.kind.New(w.TB), durable: w.durable, endTTL: w.endTTL}
		other.start()
		defer other.stop()
		for i := range all {
			if err := other.PutItems(w.Context(), all[i:i+1], store.Note{Name: "progress", Value: []byte{byte(i)}}); err != nil {
				w.Fatalf("put item %d of kind %d: %v", i, all[i].Kind, err)
			}
		}
		other.note("progress") // which deletes it
		check := func() {
			w.Helper()
			if d := cmp.Diff(sorted(all), sorted(AllItems(w.TB, other.Store)), cmp.Comparer(bytes.Equal)); d != "" {
				w.Errorf("items of the other store (-want +got):\n%s", d)
			}
			was, is := w.Stats(), other.Stats()
			for _, s := range []*store.Stats{&was, &is} { // what went through them is not copied
				s.AtStart, s.Accepted, s.Done, s.Dropped, s.EndBytes = 0, 0, 0, 0, 0
			}
			if d := cmp.Diff(was, is); d != "" {
				w.Errorf("counts of the other store (-want +got):\n%s", d)
			}
		}
		check()
		other.restart()
		check()
		again := other.now("fn")
		k := &store.Key{Hash: [32]byte{4}, Payload: [32]byte{1}, Expires: w.clock.Now().Add(time.Hour)}
		if known, ok := errors.AsType[*store.KeyError](other.under(again, k)); !ok || !known.Same {
			w.Errorf("a key that was copied: got %v, want one that is known with the same payload", known)
		}
		other.wantSeen(store.Source{Cluster: "faas-cluster", Channel: "faas-request", Sequence: 4, Timestamp: w.clock.Now().UnixNano()})
		ready := other.ready("fn1")
		if len(ready) == 0 {
			w.Fatal("ready in the other store: got none, want some")
		}
		for _, r := range ready {
			l, err := other.LoadReady(context.Background(), r)
			if err != nil {
				w.Fatalf("load: %v", err)
			}
			other.settle(l.Inv, invocation.OutcomeDone, nil)
		}
	}},
	{"items come in pages, each once", func(w *world) {
		const n = store.ItemPage + 10
		for range n {
			w.take(w.now("fn"))
		}
		if got := len(AllItems(w.TB, w.Store)); got != n+1 { // and the secret
			w.Errorf("items: got %d, want %d", got, n+1)
		}
		page, next, err := w.Items(w.Context(), store.ItemInvocation, nil)
		if err != nil || len(page) != store.ItemPage || next == nil {
			w.Errorf("first page: got %d items, %v, want %d and a cursor", len(page), err, store.ItemPage)
		}
	}},
	{"a page is bounded in bytes", func(w *world) {
		for range 5 {
			inv := w.now("fn")
			if err := w.try(store.Accept{Inv: inv, Raw: make([]byte, store.ItemPageBytes/2)}); err != nil {
				w.Fatal(err)
			}
		}
		if page, _, err := w.Items(w.Context(), store.ItemInvocation, nil); err != nil || len(page) > 3 {
			w.Errorf("first page: got %d items, %v, want at most 3", len(page), err)
		}
		if got := len(AllItems(w.TB, w.Store)); got != 6 {
			w.Errorf("items: got %d, want 6", got)
		}
	}},
}
