package worker

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/policy"
)

func TestWhatIsInForceAndWhereItIsFrom(t *testing.T) {
	t.Parallel()
	s := defaults(t)
	s.caller = newFake(statuses(200))
	s.policy.Timeout, s.policy.Lane = time.Minute, policy.Lane{MaxInflight: 4, Priority: 5}
	s.fns = &known{annotations: map[string]map[string]string{"fn": {policy.AnnotationRate: "5", policy.AnnotationTimeout: "30s"}}}
	slow := s.policy
	slow.Attempts = 3
	slow.Sources.Set(policy.Queue, policy.Attempts)
	s.queues = map[string]policy.Policy{"slow": slow}

	annotated := to("fn")
	annotated.Annotations = map[string]string{
		policy.AnnotationAttempts: "10", policy.AnnotationMinWait: "3m", policy.AnnotationCodes: "no codes", policy.AnnotationPriority: "2",
	}
	annotated.Header = http.Header{"X-Retry-Limit": {"2"}, "X-Timeout": {"10m"}}
	as := func(*invocation.Invocation) {}
	type words = map[string]string
	for _, tt := range []struct {
		name    string
		message message
		change  func(*invocation.Invocation)
		want    func(*policy.Policy)
		from    words // but for the worker's
	}{
		{"the worker's", to("other"), as, func(*policy.Policy) {}, nil},
		{
			"the gateway's annotations", to("fn"), as,
			func(p *policy.Policy) { p.Timeout, p.Lane.Rate = 30*time.Second, 5 },
			words{"timeout": "gateway annotation", "rate": "gateway annotation"},
		},
		{
			"the queue's", to("other"), func(inv *invocation.Invocation) { inv.Lane.Queue = "slow" },
			func(p *policy.Policy) { p.Attempts = 3 },
			words{"max_retry_attempts": "queue"},
		},
		{
			"annotations and header of the message, when they can be used", annotated, as,
			func(p *policy.Policy) {
				p.Attempts, p.Initial, p.Max, p.Timeout = 2, 3*time.Minute, 3*time.Minute, 30*time.Second
				p.Lane.Rate, p.Lane.Priority = 5, 2
			},
			words{
				"max_retry_attempts": "header", "initial_retry_wait": "annotation", "max_retry_wait": "annotation",
				"timeout": "gateway annotation", "rate": "gateway annotation", "priority": "annotation",
			},
		},
		{
			"a mailbox delivery brings its own", annotated, mailbox(1, 9, 4*time.Second),
			func(p *policy.Policy) {
				p.Policy = s.policy.ForMailbox(invocation.Terms{MaxRetries: 9, Delay: 4 * time.Second})
				p.Timeout, p.Lane.Rate, p.Lane.Priority = 30*time.Second, 5, 2
			},
			words{
				"max_retry_attempts": "mailbox", "initial_retry_wait": "mailbox", "max_retry_wait": "mailbox", "backoff": "mailbox",
				"retry_http_codes": "mailbox", "max_retry_after": "mailbox",
				"timeout": "gateway annotation", "rate": "gateway annotation", "priority": "annotation",
			},
		},
		{
			"a producer's message", to(""), produced("http://cb.example/"),
			func(p *policy.Policy) { p.Policy, p.Timeout = s.policy.ForProducer(), 10*time.Second },
			words{"initial_retry_wait": "producer", "backoff": "producer", "retry_http_codes": "producer"},
		},
		{
			"an age that came over HTTP", to("other"), expiring(time.Minute),
			func(p *policy.Policy) { p.MaxAge = time.Minute },
			words{"max_age": "header"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := build(t, s)
			for _, lane := range []string{"fn", "other", "url:cb.example:80"} {
				r.lanes.Pause(lane)
			}
			r.worker.CallbackTimeout = 10 * time.Second
			r.run()
			inv, err := r.store.Get(t.Context(), r.acceptAs(tt.message, tt.change))
			if err != nil {
				t.Fatal(err)
			}
			got := r.worker.PolicyOf(inv)
			want := s.policy
			tt.want(&want)
			want.Sources = got.Sources
			if got.Policy != want {
				t.Errorf("in force is %+v, want %+v", got.Policy, want)
			}
			from := policy.Sources{}.Words()
			maps.Copy(from, tt.from)
			if !maps.Equal(got.From, from) {
				t.Errorf("they are from %v, want %v", got.From, from)
			}
		})
	}
	r := build(t, s)
	r.run()
	if got := r.worker.PolicyOf(newInvocation("other", "")); got.Policy != s.policy {
		t.Errorf("of one that has ended it is %+v, want Policy %+v", got, s.policy)
	}
	switch got := r.worker.PolicyFor(queue, "fn"); {
	case got.Timeout != 30*time.Second:
		t.Errorf("of a function it is %+v, want Timeout %v", got, 30*time.Second)
	case got.From["timeout"] != "gateway annotation":
		t.Errorf("of a function it is %+v: got.From[\"timeout\"] = %q, want \"gateway annotation\"", got, got.From["timeout"])
	}
	switch got := r.worker.PolicyFor("slow", "fn"); {
	case got.Attempts != 3:
		t.Errorf("of a function in a queue of its own it is %+v, want Attempts 3", got)
	case got.From["max_retry_attempts"] != "queue":
		t.Errorf("of a function in a queue of its own it is %+v: got.From[\"max_retry_attempts\"] = %q, want \"queue\"", got, got.From["max_retry_attempts"])
	}
	switch got := r.worker.PolicyFor(queue, "url:cb.example:80"); {
	case !got.Only2xx:
		t.Errorf("of a URL it is %+v: got.Only2xx = false, want true", got)
	case got.Lane != s.policy.Lane:
		t.Errorf("of a URL it is %+v, want Lane %+v", got, s.policy.Lane)
	}
}
