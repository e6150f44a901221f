package worker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/store"
)

// TestEveryOutcomeIsReportedOnceAndKept takes one invocation to each end.
func TestEveryOutcomeIsReportedOnceAndKept(t *testing.T) {
	for _, noDead := range []bool{false, true} {
		t.Run(fmt.Sprint("dead_set off is ", noDead), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var mu sync.Mutex
				reported := map[invocation.ID][]store.Change{}
				s := defaults(t)
				s.keep, s.noDead = time.Hour, noDead
				s.onEnd = func(c store.Change) {
					mu.Lock()
					defer mu.Unlock()
					reported[c.Inv.ID] = append(reported[c.Inv.ID], c)
				}
				s.check = func(raw string) (*url.URL, error) {
					if strings.Contains(raw, "forbidden") {
						return nil, errors.New("forbidden")
					}
					return url.Parse(raw)
				}
				s.caller = newFake(func(ctx context.Context, n int, c called) invoke.Result {
					header := http.Header{"Content-Type": {"text/plain"}, "Set-Cookie": {"secret"}}
					switch c.target {
					case "late":
						if n == 0 {
							return status(500)
						}
					case "missing":
						return invoke.Result{Status: 404, Header: header, Body: []byte("what?")}
					case "down":
						return invoke.Result{Status: 503, Cause: invocation.CauseRefused}
					case "slow":
						return takes(ctx, time.Hour, status(200))
					case "http://cb.example/":
						return status(500)
					}
					return invoke.Result{Status: 200, Header: header, Body: []byte("fine"), Truncated: true}
				})
				r := start(t, s)
				ids := map[string]invocation.ID{
					"done": r.accept(calling("fine", "http://cb.example/")), "late": r.accept(to("late")),
					"missing": r.accept(calling("missing", "http://forbidden/")), "down": r.accept(to("down")),
					"old":  r.acceptAs(to("old"), func(inv *invocation.Invocation) { expiring(time.Second)(inv); inv.Since = inv.Since.Add(time.Minute) }),
					"slow": r.accept(to("slow")),
				}
				pass(time.Second)
				r.worker.Cancel(ids["slow"])
				pass(40 * time.Minute)

				dead, kept := invocation.OutcomeDead, "dead"
				if noDead {
					dead, kept = invocation.OutcomeDropped, "dropped"
				}
				for _, tt := range []struct {
					what   string
					end    invocation.Outcome
					last   int // status of the last attempt
					status int // of the answer that is kept
					body   string
				}{
					{"done", invocation.OutcomeDone, 200, 200, "fine"},
					{"late", invocation.OutcomeDone, 200, 200, "fine"},
					{"missing", dead, 404, 404, "what?"},
					{"down", dead, 503, 503, ""},
					{"old", dead, 0, 0, ""},
					{"slow", invocation.OutcomeCancelled, 0, 0, ""},
				} {
					all := reported[ids[tt.what]]
					if len(all) != 1 {
						t.Fatalf("%s was reported %d times, want once: %+v", tt.what, len(all), all)
					}
					if got := all[0].Outcome; got != tt.end {
						t.Errorf("%s was reported as %s, want %s", tt.what, got, tt.end)
					}
					if got := all[0].Inv.LastStatus(); got != tt.last {
						t.Errorf("%s was reported with status %d, want %d", tt.what, got, tt.last)
					}
					res, err := r.store.Result(t.Context(), ids[tt.what], true)
					if err != nil {
						t.Errorf("%s: %v, want no error", tt.what, err)
						continue
					}
					switch {
					case res.Outcome != tt.end:
						t.Errorf("%s is kept as %+v, want Outcome %q", tt.what, res, tt.end)
					case res.Status != tt.status:
						t.Errorf("%s is kept as %+v, want Status %d", tt.what, res, tt.status)
					case string(res.Body) != tt.body:
						t.Errorf("%s is kept as %+v: string(res.Body) = %q, want %q", tt.what, res, string(res.Body), tt.body)
					case res.Expires.Sub(res.At) != time.Hour:
						t.Errorf("%s is kept as %+v: res.Expires.Sub(res.At) = %v, want %v", tt.what, res, res.Expires.Sub(res.At), time.Hour)
					}
					switch {
					case res.Truncated != (tt.body == "fine"):
						t.Errorf("%s is kept with %v: res.Truncated = %v, want %v", tt.what, res.Header, res.Truncated, tt.body == "fine")
					case res.Header.Get("Set-Cookie") != "":
						t.Errorf("%s is kept with %v: res.Header.Get(\"Set-Cookie\") = %q, want \"\"", tt.what, res.Header, res.Header.Get("Set-Cookie"))
					case res.Header.Get("X-Function-Name") == "":
						t.Errorf("%s is kept with %v: res.Header.Get(\"X-Function-Name\") = %q, want not \"\"", tt.what, res.Header, res.Header.Get("X-Function-Name"))
					}
				}
				// Callbacks are reported too, and not kept.
				ends := map[string]int{}
				for _, all := range reported {
					for _, o := range all {
						if o.Inv.Kind == invocation.KindCallback {
							ends[o.Inv.URL+" "+string(o.Outcome)]++
							if _, err := r.store.Result(t.Context(), o.Inv.ID, false); !errors.Is(err, store.ErrNotFound) {
								t.Errorf("reading the result of a callback gives %v, want it not kept", err)
							}
						}
					}
				}
				if d := cmp.Diff(map[string]int{"http://cb.example/ " + kept: 1, "http://forbidden/ " + kept: 1}, ends); d != "" {
					t.Errorf("callbacks (-want +got):\n%s", d)
				}
				if len(reported) != 8 {
					t.Errorf("%d invocations were reported, want 8", len(reported))
				}
			})
		})
	}
}

func TestWithoutAResultTTLNothingIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := defaults(t)
		keep := false
		s.caller = newFake(func(_ context.Context, _ int, c called) invoke.Result {
			keep = keep || c.KeepBody
			return status(200)
		})
		r := start(t, s)
		id := r.accept(to("fn"))
		pass(time.Second)
		switch _, err := r.store.Result(t.Context(), id, true); {
		case !errors.Is(err, store.ErrNotFound):
			t.Errorf("the result is %v, want %v", err, store.ErrNotFound)
		case keep:
			t.Errorf("the result is %v, the body was kept: %v: keep = true, want false", err, keep)
		}
	})
}

func TestTheMailboxHasADepth(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := defaults(t)
		s.caller = newFake(statuses(500, 200))
		r := start(t, s)
		for range 3 {
			r.acceptAs(to("fn"), mailbox(1, 9, time.Minute))
		}
		r.accept(to("other"))
		depth := func() float64 {
			families, err := r.registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range families {
				if f.GetName() == "mailbox_queue_depth" {
					return f.GetMetric()[0].GetGauge().GetValue()
				}
			}
			return -1
		}
		for _, want := range []float64{3, 1, 0} { // the first one is delivered twice
			if got := depth(); got != want {
				t.Errorf("the depth is %v, want %v", got, want)
			}
			pass(61 * time.Second)
		}
	})
}
