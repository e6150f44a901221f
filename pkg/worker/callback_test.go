package worker

// Callbacks, with everything but the network.

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/egress"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/store"
)

const hook = "http://hooks.example:8443/result?token=s"

// answers calls functions and callbacks by their targets.
func answers(function, callback func(n int) invoke.Result) *fake {
	return newFake(func(_ context.Context, n int, c called) invoke.Result {
		if strings.HasPrefix(c.target, "http") {
			return callback(n)
		}
		return function(n)
	})
}

func always(code int) func(int) invoke.Result { return func(int) invoke.Result { return status(code) } }

func TestACallbackCarriesTheFinalOutcomeOnly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := answers(func(n int) invoke.Result {
			if n < 2 {
				return status(500)
			}
			return invoke.Result{Status: 201, Header: http.Header{"X-A": {"b"}}, Body: []byte("result")}
		}, always(200))
		s := defaults(t)
		s.caller = f
		r := start(t, s)
		id := r.accept(calling("fn", hook))
		pass(15 * time.Second)
		if n := len(f.of(hook)); n != 0 {
			t.Fatalf("%d posts while it is retried, want 0", n)
		}
		pass(time.Hour)
		posts := f.of(hook)
		switch {
		case len(posts) != 1:
			t.Fatalf("%+v, want 1 post", posts)
		case len(f.of("fn")) != 3:
			t.Fatalf("%+v, want 3", posts)
		case !f.of("fn")[0].KeepBody:
			t.Fatalf("%+v, want KeepBody", posts)
		}
		p := posts[0]
		h := p.Request.Header
		switch {
		case p.body != "result":
			t.Errorf("%v %q: p.body = %q, want \"result\"", h, p.body, p.body)
		case h.Get("X-A") != "b":
			t.Errorf("%v %q: h.Get(\"X-A\") = %q, want \"b\"", h, p.body, h.Get("X-A"))
		case h.Get("X-Function-Status") != "201":
			t.Errorf("%v %q: h.Get(\"X-Function-Status\") = %q, want \"201\"", h, p.body, h.Get("X-Function-Status"))
		case h.Get("X-Retry") != "2":
			t.Errorf("%v %q: h.Get(\"X-Retry\") = %q, want \"2\"", h, p.body, h.Get("X-Retry"))
		case p.ID == id:
			t.Errorf("%v %q: p.ID = %v, want not %v", h, p.body, p.ID, id)
		}
		switch {
		case r.metric("callbacks_total", "delivered") != 1:
			t.Error(`not counted, want r.metric("callbacks_total", "delivered") 1`)
		case r.metric("callbacks_total", "dead") != 0:
			t.Error(`not counted, want r.metric("callbacks_total", "dead") 0`)
		}
	})
}

func TestACallbackThatFailsIsRetriedAndHasNoneItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := answers(always(200), always(404)) // for a function 404 is final
		s := defaults(t)
		s.caller, s.policy.Attempts = f, 3
		r := start(t, s)
		r.accept(calling("fn", hook))
		pass(time.Hour)
		posts := f.of(hook)
		switch {
		case len(posts) != 4:
			t.Fatalf("%d posts of %d calls, want 4 posts", len(posts), len(f.of("fn")))
		case len(f.of("fn")) != 1:
			t.Fatalf("%d posts of %d calls, want 1", len(posts), len(f.of("fn")))
		}
		for n, wait := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second} {
			if got := posts[n+1].begun.Sub(posts[n].end); got != wait {
				t.Errorf("retry %d after %s, want %v", n+1, got, wait)
			}
		}
		dead := r.letters()
		switch {
		case len(dead) != 1:
			t.Fatalf("%+v, want len 1", dead)
		case dead[0].Kind != invocation.KindCallback:
			t.Fatalf("%+v, want [0].Kind %v", dead, invocation.KindCallback)
		case dead[0].Reason != invocation.AttemptsExhausted:
			t.Fatalf("%+v, want [0].Reason %q", dead, invocation.AttemptsExhausted)
		}
		if want := (invocation.Lane{Queue: queue, Name: "url:hooks.example:8443"}); dead[0].Lane != want {
			t.Errorf("lane %v, want %v", dead[0].Lane, want)
		}
		switch st := r.store.Stats(); {
		case st.Done != 1:
			t.Errorf("%+v, %d unacked, want Done 1", st, r.holds.count())
		case st.Accepted != 2:
			t.Errorf("%+v, %d unacked, want Accepted 2", st, r.holds.count())
		case r.holds.count() != 0:
			t.Errorf("%d unacked, want 0", r.holds.count())
		}
		switch {
		case r.metric("callbacks_total", "dead") != 1:
			t.Error(`not counted, want r.metric("callbacks_total", "dead") 1`)
		case r.metric("attempts_total", callbackLabel, "4xx") != 4:
			t.Error(`not counted, want r.metric("attempts_total", callbackLabel, "4xx") 4`)
		}
	})
}

func TestAnExhaustedInvocationHasACallback(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := answers(func(int) invoke.Result { return invoke.Result{Status: 503, Cause: invocation.CauseRefused} }, always(200))
		s := defaults(t)
		s.caller, s.policy.Attempts = f, 1
		r := start(t, s)
		id := r.accept(calling("fn", hook))
		pass(time.Hour)
		posts := f.of(hook)
		switch {
		case len(posts) != 1:
			t.Errorf("%+v, want len 1", posts)
		case posts[0].Request.Header.Get("X-Function-Status") != "503":
			t.Errorf("%+v: posts[0].Request.Header.Get(\"X-Function-Status\") = %q, want \"503\"", posts, posts[0].Request.Header.Get("X-Function-Status"))
		case posts[0].Request.Header.Get("X-Retry") != "1":
			t.Errorf("%+v: posts[0].Request.Header.Get(\"X-Retry\") = %q, want \"1\"", posts, posts[0].Request.Header.Get("X-Retry"))
		case posts[0].body != "":
			t.Errorf("%+v, want [0].body \"\"", posts)
		}
		if r.letter(id).Reason != invocation.AttemptsExhausted {
			t.Errorf("and it is not dead, want reason %v", invocation.AttemptsExhausted)
		}
	})
}

func TestADiscardedInvocationHasACallbackToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := answers(always(500), always(200))
		s := defaults(t)
		s.caller, s.policy.Attempts, s.noDead = f, 0, true
		r := start(t, s)
		r.accept(calling("fn", hook))
		pass(time.Hour)
		switch {
		case len(f.of(hook)) != 1:
			t.Errorf("%d posts, want 1", len(f.of(hook)))
		case r.store.Stats().Dropped != 1:
			t.Errorf("%d posts, %+v, want Dropped 1", len(f.of(hook)), r.store.Stats())
		}
	})
}

func TestARefusedCallbackIsDeadAtOnceAndTheResultStands(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		noDead bool
	}{{"kept in the dead set", false}, {"discarded when there is none", true}} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := answers(always(200), always(200))
				s := defaults(t)
				s.caller, s.noDead = f, tt.noDead
				s.check = func(string) (*url.URL, error) { return nil, egress.ErrRefused }
				r := start(t, s)
				r.accept(calling("fn", hook))
				pass(time.Hour)
				switch {
				case len(f.of(hook)) != 0:
					t.Errorf("%d posts, want 0", len(f.of(hook)))
				case r.holds.count() != 0:
					t.Errorf("%d unacked, want 0", r.holds.count())
				}
				st, dead := r.store.Stats(), r.letters()
				if st.Done != 1 {
					t.Errorf("%+v, want Done 1", st)
				}
				metric, next := "dead_letters_total", "dead"
				if tt.noDead {
					metric, next = "discarded_total", "discarded"
				} else if len(dead) != 1 || dead[0].Reason != invocation.CallbackRefused || dead[0].Lane.Name != "url:invalid" {
					t.Errorf("%+v", dead)
				}
				switch {
				case r.metric(metric, string(invocation.CallbackRefused)) != 1:
					t.Error("not counted, want r.metric(metric, string(invocation.CallbackRefused)) 1")
				case r.metric("callbacks_total", "dead") != 1:
					t.Error(`not counted, want r.metric("callbacks_total", "dead") 1`)
				}
				switch l := r.log.lines(t, "callback"); {
				case len(l) != 1:
					t.Errorf("logged %v, want len 1", l)
				case l[0]["next"] != next:
					t.Errorf("logged %v: l[0][\"next\"] = %v, want %q", l, l[0]["next"], next)
				case l[0]["reason"] != "callback_refused":
					t.Errorf("logged %v: l[0][\"reason\"] = %v, want \"callback_refused\"", l, l[0]["reason"])
				}
			})
		})
	}
}

func TestTheHostOfACallbackIsCalledInItsDNSForm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		guard, err := egress.New(egress.Options{Level: egress.Guarded})
		if err != nil {
			t.Fatal(err)
		}
		f := answers(always(200), always(200))
		s := defaults(t)
		s.caller, s.check = f, guard.CheckURL
		r := start(t, s)
		r.accept(calling("fn", "http://user:p%40ss@bücher.example/a%2Fb?q=%20"))
		pass(time.Second)
		if n := len(f.of("http://user:p%40ss@xn--bcher-kva.example/a%2Fb?q=%20")); n != 1 {
			t.Errorf("%d posts: %+v, want 1", n, f.calls)
		}
	})
}

// quick is a store whose Settle returns only after a callback that it wrote is
// over, which a busy machine can do too.
type quick struct {
	Store
	posted chan struct{}
}

func (q *quick) Settle(ctx context.Context, st store.Settlement) error {
	err := q.Store.Settle(ctx, st)
	if st.Callback != nil {
		<-q.posted
		synctest.Wait() // the callback's slot has reported all
	}
	return err
}

func TestACallbackFinishedBeforeItsOriginsSlotIsAckedToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := &quick{posted: make(chan struct{})}
		f := answers(always(200), func(int) invoke.Result { close(q.posted); return status(200) })
		s := defaults(t)
		s.caller, s.wrap = f, func(st Store) Store { q.Store = st; return q }
		r := start(t, s)
		r.accept(calling("fn", hook))
		pass(time.Second)
		if r.holds.count() != 0 {
			t.Errorf("%d messages stay unacked for ever, want 0", r.holds.count())
		}
	})
}

// broken is a store that cannot store outcomes.
type broken struct {
	Store
	err error
}

func (b *broken) Settle(ctx context.Context, st store.Settlement) error {
	if b.err != nil {
		return b.err
	}
	return b.Store.Settle(ctx, st)
}

func TestACallbackThatWasNotStoredHoldsNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error
	}{{"an error", errors.New("no")}, {"gone meanwhile", store.ErrNotFound}} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := answers(always(200), always(200))
				s := defaults(t)
				s.caller, s.wrap = f, func(st Store) Store { return &broken{st, tt.err} }
				r := start(t, s)
				synctest.Wait() // the first scan of the index has ended: this store lies about what is gone
				id := r.accept(calling("fn", hook))
				pass(time.Hour)
				switch {
				case !r.holds.held[id]:
					t.Errorf("held %v, %d posts, %d calls: r.holds.held[id] = false, want true", r.holds.held, len(f.of(hook)), len(f.of("fn")))
				case len(f.of(hook)) != 0:
					t.Errorf("%d posts, want 0", len(f.of(hook)))
				case len(f.of("fn")) != 1:
					t.Errorf("%d calls, want 1", len(f.of("fn")))
				}
			})
		})
	}
}
