// What callers can take from others by the names and hosts that they choose.

package worker

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
)

// silence is how long a call of a silent host takes: callback_timeout.
const silence = 10 * time.Second

// isSilent reports whether a target is a host that accepts and never answers.
func isSilent(target string) bool { return strings.HasPrefix(target, "http://silent-") }

// hangs answers for functions and hosts at once, but for silent hosts.
func hangs(ctx context.Context, _ int, c called) invoke.Result {
	if isSilent(c.target) {
		return takes(ctx, silence, invoke.Result{Status: 503, Cause: invocation.CauseTimeout})
	}
	return status(200)
}

// post has an invocation accepted that is posted to the root of a host.
func (r *rig) post(queue, host string, done chan<- error) {
	u := &url.URL{Scheme: "http", Host: host}
	inv := newInvocation("fn", "")
	inv.Kind, inv.URL = invocation.KindCallback, u.String()
	inv.Lane = invocation.Lane{Queue: queue, Name: invocation.CallbackLane(u)}
	r.holds.take(inv.ID)
	r.store.Accept(acceptOf(r.t, inv), func(err error) { done <- err })
}

// postAll has one invocation accepted for each of n hosts.
func (r *rig) postAll(queue, host string, n int) {
	r.t.Helper()
	done := make(chan error, n)
	for i := range n {
		r.post(queue, fmt.Sprintf("%s-%d", host, i), done)
	}
	for range n {
		if err := <-done; err != nil {
			r.t.Fatal(err)
		}
	}
}

// besideSilent starts a worker, has the hosts called that answer, and then so many
// silent ones, which are at work when it returns.
func besideSilent(t *testing.T, s setup, f *fake, silent int) *rig {
	t.Helper()
	s.caller, s.level = f, slog.Level(100)
	r := start(t, s)
	r.postAll(queue, "proven", 1)
	r.accept(to("quiet"))
	pass(time.Second)
	r.postAll(queue, "silent", silent)
	pass(silence / 2)
	return r
}

// waitOf is how long the latest call of a target waited that was accepted then.
func waitOf(t *testing.T, f *fake, target string, accepted time.Time, most time.Duration) time.Duration {
	t.Helper()
	for time.Since(accepted) <= most {
		if calls := f.of(target); len(calls) > 0 && !calls[len(calls)-1].begun.Before(accepted) {
			return calls[len(calls)-1].begun.Sub(accepted)
		}
		pass(most / 100)
	}
	t.Errorf("%s is not called within %s", target, most)
	return most
}

// mostOf is the largest number of calls at once of the targets that match.
func mostOf(f *fake, match func(target string) bool) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	var calls []called
	for _, c := range f.calls {
		if match(c.target) {
			calls = append(calls, *c)
		}
	}
	return most(calls)
}

func isURL(target string) bool { return strings.HasPrefix(target, "http://") }

func TestAFunctionIsCalledAtOnceBesideSilentHosts(t *testing.T) {
	t.Parallel()
	for _, silent := range []int{400, 5000} {
		for _, inflight := range []int{1, 2, 4, 8, 50} {
			t.Run(fmt.Sprintf("%d hosts, max_inflight %d", silent, inflight), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s, f := defaults(t), newFake(hangs)
					s.inflight = inflight
					r := besideSilent(t, s, f, silent)
					for n := range 25 {
						accepted := time.Now()
						r.accept(to("quiet"))
						if wait := waitOf(t, f, "quiet", accepted, time.Minute); wait > 50*time.Millisecond {
							t.Fatalf("call %d has waited %s, want at most %v", n, wait, 50*time.Millisecond)
						}
						pass(time.Second + time.Duration(n)*time.Millisecond)
					}
				})
			})
		}
	}
}

func TestSilentHostsHaveHalfOfTheSlotsOfURLsAndNoneOfTheReserve(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ inflight, urls, want, wantAnswering int }{
		{1, 0, 1, 1}, {2, 0, 1, 1}, {4, 0, 1, 2}, {7, 0, 2, 4}, {8, 0, 2, 4}, {50, 0, 12, 25},
		{50, 50, 22, 44}, {50, 3, 1, 3}, {8, 8, 3, 7}, {4, 4, 1, 3}, {2, 2, 1, 1}, {1, 1, 1, 1},
	} {
		t.Run(fmt.Sprintf("max_inflight %d, callback_max_inflight %d", tt.inflight, tt.urls), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(func(ctx context.Context, n int, c called) invoke.Result {
					if strings.HasPrefix(c.target, "http://slow-") {
						return takes(ctx, time.Second, status(200))
					}
					return hangs(ctx, n, c)
				})
				s := defaults(t)
				s.inflight, s.lanes.MaxURLs = tt.inflight, tt.urls
				s.caller, s.level = f, slog.Level(100)
				r := start(t, s)
				r.postAll(queue, "slow", 60) // they answer after a while
				pass(2 * time.Minute)
				r.postAll(queue, "silent", 400)
				pass(5 * time.Minute)
				if n := mostOf(f, isSilent); n != tt.want {
					t.Errorf("%d calls of silent hosts at once, want %d", n, tt.want)
				}
				for range 40 {
					r.postAll(queue, "slow", 60)
				}
				pass(2 * time.Minute)
				if n := mostOf(f, isURL); n != tt.wantAnswering {
					t.Errorf("%d calls of URLs at once, want %d", n, tt.wantAnswering)
				}
			})
		})
	}
}

func TestAHostThatAnsweredIsCalledWithinASecondBesideSilentHosts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, f := defaults(t), newFake(hangs)
		s.inflight = 50
		r := besideSilent(t, s, f, 5000)
		for n := range 60 {
			accepted := time.Now()
			r.postAll(queue, "proven", 1)
			if wait := waitOf(t, f, "http://proven-0", accepted, time.Minute); wait > time.Second {
				t.Fatalf("call %d has waited %s, want at most %v", n, wait, time.Second)
			}
			pass(time.Second)
		}
	})
}

func TestANewHostIsCalledWithinAMinuteBesideSilentHosts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		rest time.Duration // until all were called, or none
	}{
		{"that were never called", 0}, {"that were called before", 3 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, f := defaults(t), newFake(hangs)
				s.inflight, s.policy.Attempts = 50, 1000
				r := besideSilent(t, s, f, 5000)
				pass(tt.rest)
				if n := len(r.lanes.unprovenNow()); tt.rest > 0 && n != 5000 {
					t.Fatalf("%d of 5000 hosts are silent, want 5000", n)
				}
				for n := range 20 {
					accepted := time.Now()
					host := fmt.Sprintf("new-%d", n)
					r.postAll(queue, host, 1)
					if wait := waitOf(t, f, "http://"+host+"-0", accepted, 2*time.Minute); wait > time.Minute {
						t.Fatalf("host %d has waited %s, want at most %v", n, wait, time.Minute)
					}
				}
			})
		})
	}
}

// unprovenNow lists the hosts that are known to have left a call unanswered.
func (l *Lanes) unprovenNow() (hosts []invocation.Lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, t := range l.throttles {
		if t.silent {
			hosts = append(hosts, key)
		}
	}
	return hosts
}

func TestAHostThatOnceAnsweredRecoversSoonBesideSilentHosts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(ctx context.Context, n int, c called) invoke.Result {
			if c.target == "http://proven-0" && n == 1 {
				return invoke.Result{Status: 503, Cause: invocation.CauseReset} // once
			}
			return hangs(ctx, n, c)
		})
		s := defaults(t)
		s.inflight = 50
		r := besideSilent(t, s, f, 5000)
		r.postAll(queue, "proven", 1)
		pass(time.Second)
		due := time.Now().Add(s.policy.Initial)
		pass(s.policy.Initial + time.Minute)
		calls := f.of("http://proven-0")
		if len(calls) != 3 || calls[2].begun.Sub(due) > time.Minute {
			t.Errorf("%d calls, want a retry within a minute", len(calls))
		}
	})
}

func TestFloodedFunctionsAndHostsTakeTurns(t *testing.T) {
	t.Parallel()
	for _, inflight := range []int{1, 2, 8, 50} {
		t.Run(fmt.Sprintf("max_inflight %d", inflight), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(func(ctx context.Context, _ int, _ called) invoke.Result {
					return takes(ctx, 100*time.Millisecond, status(200))
				})
				s := defaults(t)
				s.caller, s.inflight, s.level = f, inflight, slog.Level(100)
				r := start(t, s)
				for n := range scaled(1000) {
					r.flood(fmt.Sprintf("flooded-%d", n), 12)
				}
				done := make(chan error, scaled(10_000))
				for range cap(done) {
					r.post(queue, "hosts.example", done)
				}
				pass(time.Duration(scaled(20)) * time.Second)
				functions, urls := mostOf(f, func(s string) bool { return !isURL(s) }), mostOf(f, isURL)
				f.mu.Lock()
				many := f.many["http://hosts.example"]
				all := len(f.calls)
				f.mu.Unlock()
				switch share := float64(many) / float64(all); {
				case share < 0.3:
					t.Errorf("URLs have %d of %d calls: share = %v, want at least 0.3", many, all, share)
				case share > 0.7:
					t.Errorf("URLs have %d of %d calls: share = %v, want at most 0.7", many, all, share)
				}
				switch {
				case urls > (inflight+1)/2:
					t.Errorf("%d functions and %d URLs at once: urls = %d, want at most %d", functions, urls, urls, (inflight+1)/2)
				case functions > inflight:
					t.Errorf("%d functions and %d URLs at once: functions = %d, want at most %d", functions, urls, functions, inflight)
				}
			})
		})
	}
}

func TestAQueuesURLsLeaveHalfOfItsLimitToItsFunctions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ limit, want int }{{1, 1}, {2, 1}, {5, 3}, {20, 10}, {40, 12}} {
		t.Run(fmt.Sprint("limit ", tt.limit), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, f := defaults(t), newFake(hangs)
				s.caller, s.inflight, s.lanes.QueueLimits = f, 50, map[string]int{queue: tt.limit}
				r := besideSilent(t, s, f, 400)
				for n := range 20 {
					accepted := time.Now()
					r.accept(to("quiet"))
					if wait := waitOf(t, f, "quiet", accepted, time.Minute); wait > 50*time.Millisecond {
						t.Fatalf("call %d has waited %s, want at most %v", n, wait, 50*time.Millisecond)
					}
					pass(time.Second)
				}
				if n := mostOf(f, isSilent); n != tt.want {
					t.Errorf("%d calls of silent hosts at once, want %d", n, tt.want)
				}
			})
		})
	}
}
