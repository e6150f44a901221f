package console

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"queue-worker/pkg/wire"
)

// policyOf is a policy in which every text of others is s.
func policyOf(s string) wire.Policy {
	return wire.Policy{
		Attempts: 10, Initial: "10s", Max: "2m0s", Backoff: s, Codes: s, DeadCodes: s, MaxAge: "0s", Timeout: "30s", MaxRetryAfter: "10m0s",
		MaxInflight: 50, Rate: 5, Priority: 5, From: map[string]string{"max_retry_attempts": "worker", "backoff": s},
		Schedule:  []string{"10s", "20s", "40s", "1m20s", "2m0s", "2m0s", "2m0s", "2m0s", "2m0s", "2m0s"},
		TotalWait: "14m30s", Refused: []wire.Refused{{Name: s, Value: s, Expected: s}, {Name: s, Expected: s}},
	}
}

// functionOf is the page of a function in which every text of others is s.
func functionOf(s string) Function {
	f := with(quiet(s), func(f *wire.Function) {
		f.Queue, f.Topic, f.GivenUp15, f.GivenUp1h, f.Dead, f.Running, f.Limit = s, s, 312, 400, 1204, 4, 4
		f.LastError = &wire.LastError{At: now.Add(-3 * time.Second), Cause: s}
		f.Paused = &wire.Pause{Reason: s, Author: s, Since: now.Add(-time.Minute)}
	})
	page := Function{Viewer: acting(s), Status: well(), Function: f, Queues: []string{s, "other"}, Policy: policyOf(s), Due: wire.Due{From: now, Step: 60, Due: make([]int, 60), Whole: true}}
	page.Due.Due[14] = 124
	for i := range 3 {
		page.Running = append(page.Running, wire.Invocation{ID: "019c0a06-1f54-7b60-a7c1-53b3d0d8c5e2", CallID: s, Running: now.Add(-time.Duration(i) * time.Second)})
	}
	return page
}

func TestAFunctionShowsItsStateAndPolicy(t *testing.T) {
	t.Parallel()
	page, err := functionOf("mail-send").Page()
	if err != nil {
		t.Fatal(err)
	}
	has(t, page, "Paused by mail-send for 1 min: “mail-send”", "400 invocations were given up in the last hour. Latest failure: mail-send, 3 s ago.",
		"3 of 4", "124, most at 03:01", "11 calls, waits of 10 s, 20 s, 40 s, 1 min 20 s, 6 times 2 min; dead after 14 min of waits.",
		"5 calls a second", "Not used: mail-send is mail-send; expected mail-send", `href="/dead?function=mail-send&amp;queue=mail-send"`,
		`href="/functions/mail-send?queue=other"`, "queue-worker function resume mail-send")
	if got := compressed(t, page); got > 14<<10 {
		t.Errorf("got a page of %d bytes compressed, want at most 14 KiB", got)
	}
}

// TestTheCauseOfAWaitIsSaid: the first cause of all that hold.
func TestTheCauseOfAWaitIsSaid(t *testing.T) {
	t.Parallel()
	later := now.Add(time.Minute)
	for want, change := range map[string]func(*Function){
		"For 1 min: refused. 3 ready invocations use up no retries. A probe is in flight.": func(f *Function) {
			f.Function.Breaker = wire.Breaker{State: wire.BreakerProbing, Since: now.Add(-time.Minute), Cause: "refused"}
		},
		"Paused for 1 min. It stays paused until an operator resumes it.": func(f *Function) {
			f.Function.Paused = &wire.Pause{Since: now.Add(-time.Minute)}
		},
		"The function asked by Retry-After for no calls for another 1 min.": func(f *Function) { f.Function.HeldUntil = &later },
		"No invocation is pending.":                                         func(f *Function) { f.Function.Ready, f.Function.Delayed, f.Function.Running = 0, 0, 0 },
		"1 invocation is in flight, and none is waiting.":                   func(f *Function) { f.Function.Ready, f.Function.Delayed = 0, 0 },
		"Nothing is ready; 2 invocations are delayed until their time.":     func(f *Function) { f.Function.Ready = 0 },
		"The worker calls it 4 times at a time, of 50 that the policy allows, because it pushed back.": func(f *Function) {
			f.Function.Running, f.Function.Limit = 4, 4
		},
		"All 50 calls that the policy allows at a time are in flight.":        func(f *Function) { f.Function.Running = 50 },
		"All 50 slots of the worker are used; the functions take turns.":      func(f *Function) { f.Status.Worker.Slots.Used = 50 },
		"At most 5 calls a second begin.":                                     func(*Function) {},
		"Ready invocations are called in turn with those of other functions.": func(f *Function) { f.Policy.Rate = 0 },
	} {
		f := Function{Status: well(), Function: quiet("f"), Policy: policyOf("x")}
		change(&f)
		if got := f.cause(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAScheduleIsDrawnToScale(t *testing.T) {
	t.Parallel()
	p := policyOf("x")
	s := scheduleOf(&p)
	var at []int
	for _, d := range s.Dots {
		at = append(at, d.X+4)
	}
	if want := []int{14, 24, 46, 89, 176, 305, 435, 565, 694, 824, 954}; !slices.Equal(at, want) {
		t.Errorf("got calls at %v, want %v", at, want)
	}
	if got := s.Dots[10].Class; got != "c3" {
		t.Errorf("got the last call in the class %s, want c3", got)
	}
	p.Shortest = []string{"5s", "10s", "20s", "40s", "1m0s", "1m0s", "1m0s", "1m0s", "1m0s", "1m0s"}
	if got, want := scheduleOf(&p).Dots[4], (dot{X: 95, Y: lineY - 4, Width: 81, Class: "c1"}); got != want {
		t.Errorf("got the fifth call at %+v, want %+v", got, want)
	}
	p.Attempts, p.TotalWait = -1, "unlimited"
	s = scheduleOf(&p)
	if !s.Open {
		t.Error("got an end, want none of retries without end")
	}
	if want := "Calls without end, waits of 10 s, 20 s, 40 s, 1 min 20 s, 6 times 2 min at most, each at random."; s.Title != want {
		t.Errorf("got %q, want %q", s.Title, want)
	}
}

func TestEverySchedulefitsItsPicture(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]wire.Policy{
		"no retry":       {TotalWait: "0s"},
		"no waits":       {Attempts: 2, Schedule: []string{"0s", "0s"}, TotalWait: "0s"},
		"one wait":       {Attempts: 1, Schedule: []string{"1ns"}, TotalWait: "1ns"},
		"twenty of more": {Attempts: 1000, Schedule: strings.Fields(strings.Repeat("720h0m0s ", 20)), TotalWait: "720000h0m0s"},
		"the longest":    {Attempts: 3, Schedule: []string{"2562047h47m16s", "2562047h47m16s", "2562047h47m16s"}, TotalWait: "2562047h47m16.854775807s"},
		"full jitter":    {Attempts: 2, Schedule: []string{"10s", "20s"}, Shortest: []string{"0s", "0s"}, TotalWait: "30s"},
		"not a duration": {Attempts: 2, Schedule: []string{"x"}, TotalWait: "x"},
	} {
		for _, d := range scheduleOf(&p).Dots {
			if d.X < 0 || d.Width < 8 || d.X+d.Width > 1000 || d.Y < 0 || d.Y > 52 {
				t.Errorf("%s: got a call at %+v, want it in the picture", name, d)
			}
		}
	}
}

func TestAFunctionIsLinkedFromTheOverview(t *testing.T) {
	t.Parallel()
	page, err := overviewOf(stateOf(well(), troubled()...)).Page()
	if err != nil {
		t.Fatal(err)
	}
	has(t, page, `<th scope="row"><a href="/functions/mail-send">mail-send</a>`, fmt.Sprintf(`<a href="%s">resize-image</a></div></li>`, FunctionPath("resize-image", "faas-request")))
}
