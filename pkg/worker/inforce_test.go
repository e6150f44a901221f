package worker

import (
	"maps"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/retry"
)

func TestWhatIsInForceAndWhereItIsFrom(t *testing.T) {
	t.Parallel()
	s := defaults(t)
	s.caller = newFake(statuses(200))
	annotated := to("fn")
	annotated.Annotations = map[string]string{
		retry.AnnotationAttempts: "10", retry.AnnotationMinWait: "3m", retry.AnnotationCodes: "no codes",
	}
	as := func(inv *invocation.Invocation) {}
	for _, tt := range []struct {
		name    string
		message message
		change  func(*invocation.Invocation)
		want    retry.Policy
		timeout time.Duration
		from    map[string]string // but for the worker's
	}{
		{"the worker's", to("fn"), as, s.policy, time.Minute, nil},
		{
			"annotations, when they can be used", annotated, as,
			func() retry.Policy { p := s.policy; p.Initial, p.Max = 3*time.Minute, 3*time.Minute; return p }(), time.Minute,
			map[string]string{settingAttempts: fromAnnotation, settingInitial: fromAnnotation, settingMax: fromAnnotation},
		},
		{
			"a mailbox delivery brings its own", annotated, mailbox(1, 9, 4*time.Second),
			s.policy.ForMailbox(invocation.Terms{MaxRetries: 9, Delay: 4 * time.Second}), time.Minute,
			map[string]string{
				settingAttempts: fromMailbox, settingInitial: fromMailbox, settingMax: fromMailbox, settingBackoff: fromMailbox,
				settingCodes: fromMailbox, settingMaxRetryAfter: fromMailbox,
			},
		},
		{
			"a producer's message", to(""), produced("http://cb.example/"), s.policy.ForProducer(), 10 * time.Second,
			map[string]string{settingInitial: fromProducer, settingBackoff: fromProducer, settingCodes: fromProducer},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := build(t, s)
			r.lanes.Pause("fn")
			r.lanes.Pause("url:cb.example:80")
			r.worker.Timeout, r.worker.CallbackTimeout = time.Minute, 10*time.Second
			r.run()
			id := r.acceptAs(tt.message, tt.change)
			inv, err := r.store.Get(id)
			if err != nil {
				t.Fatal(err)
			}
			got := r.worker.PolicyOf(inv)
			want := maps.Clone(r.worker.PolicyFor("fn").From)
			maps.Copy(want, tt.from)
			if got.Policy != tt.want || got.Timeout != tt.timeout || !maps.Equal(got.From, want) {
				t.Errorf("in force is %+v", got)
			}
		})
	}
	r := build(t, s)
	r.run()
	over := newInvocation("fn", "")
	if got := r.worker.PolicyOf(over); got.Policy != s.policy || got.From[settingAttempts] != fromWorker {
		t.Errorf("of one that is over it is %+v", got)
	}
}
