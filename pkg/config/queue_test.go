package config

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAQueueMayHaveALimitAndRetriesOfItsOwn(t *testing.T) {
	t.Parallel()
	c := load(t, "faas_nats_channel=faas-request, slow-queue:5 ,com.example.q", "max_inflight=20", "max_retry_attempts=7", "backoff=full",
		"max_retry_attempts__slow_queue=3", "initial_retry_wait__slow-queue=1m", "max_retry_wait__slow_queue=5m",
		"retry_http_codes__com_example_q=5xx,!501", "backoff__com.example.q=constant", "max_retry_attempts__com_example_q=",
		"SOME__OTHER=variable", "__x=y", "other__slow_queue=1")
	switch {
	case !slices.Equal(c.Channels, []string{"faas-request", "slow-queue", "com.example.q"}):
		t.Errorf("queues %q, want %q", c.Channels, []string{"faas-request", "slow-queue", "com.example.q"})
	case !maps.Equal(c.QueueLimits, map[string]int{"slow-queue": 5}):
		t.Errorf("limits %v, want %v", c.QueueLimits, map[string]int{"slow-queue": 5})
	}
	common := Retries{MaxRetryAttempts: 7, InitialRetryWait: 10 * time.Second, MaxRetryWait: 2 * time.Minute, RetryCodes: "408,429,500,502,503,504", Backoff: "full"}
	slow := Retries{3, time.Minute, 5 * time.Minute, common.RetryCodes, "full", []string{"initial_retry_wait", "max_retry_attempts", "max_retry_wait"}}
	other := Retries{7, 10 * time.Second, 2 * time.Minute, "5xx,!501", "constant", []string{"backoff", "retry_http_codes"}}
	for queue, want := range map[string]Retries{"faas-request": common, "slow-queue": slow, "com.example.q": other, "unknown": common} {
		if d := cmp.Diff(want, c.Retries(queue)); d != "" {
			t.Errorf("%s (-want +got):\n%s", queue, d)
		}
	}
	if len(c.Warnings()) != len(load(t).Warnings()) {
		t.Errorf("warnings: %q, want %d warnings", c.Warnings(), len(load(t).Warnings()))
	}
	if c := load(t, "faas_nats_channel=a:5", "max_inflight=4"); !strings.Contains(strings.Join(c.Warnings(), "\n"), "a:5") {
		t.Errorf(`a limit that has no effect is not reported: %q, want "a:5" in it`, c.Warnings())
	}
}

func TestAWrongSettingOfAQueueIsReportedUnderItsName(t *testing.T) {
	t.Parallel()
	const queues = "faas_nats_channel=a-b:3,c"
	for _, tt := range []struct {
		name, variable, expected string
		more                     []string
	}{
		{"a queue that is not there", "max_retry_attempts__d=1", "a queue of faas_nats_channel", nil},
		{"no queue", "max_retry_attempts__=1", "a queue of faas_nats_channel", nil},
		{"in capitals", "max_retry_attempts__C=1", "a queue of faas_nats_channel", nil},
		{"two queues of one name", "max_retry_attempts__a_b=1", "a-b and a.b have the same name", []string{"faas_nats_channel=a-b,a.b"}},
		{"one queue under two names", "max_retry_attempts__a_b=1", "max_retry_attempts__a-b is of the same queue", []string{"max_retry_attempts__a-b=2"}},
		{"a setting that no queue has", "upstream_timeout__c=1m", "only max_retry_attempts, ", nil},
		{"a limit in the wrong place", "max_inflight__c=5", "slow-queue:5", nil},
		{"a wrong number", "max_retry_attempts__c=-1", "a whole number from 0", nil},
		{"a wrong duration", "initial_retry_wait__c=soon", "a duration", nil},
		{"wrong codes", "retry_http_codes__c=all", "statuses", nil},
		{"a wrong mode", "backoff__c=linear", "exponential, full", nil},
		{"a first wait above the worker's longest", "initial_retry_wait__c=5m", "at most the max_retry_wait of this queue, which is 2m", nil},
		{"a longest wait below the worker's first", "max_retry_wait__c=5s", "at least the initial_retry_wait of this queue, which is 10s", nil},
		{"two waits that contradict each other", "max_retry_wait__c=5s", "which is 10s", []string{"initial_retry_wait__c=10s"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(append([]string{queues, tt.variable}, tt.more...))
			name, _, _ := strings.Cut(tt.variable, "=")
			all := problemsOf(err)
			switch {
			case len(all) != 1:
				t.Errorf("the error is %v: len(all) = %d, want 1", err, len(all))
			case all[0].Name != name:
				t.Errorf("the error is %v: all[0].Name = %q, want %q", err, all[0].Name, name)
			case !strings.Contains(all[0].Want, tt.expected):
				t.Errorf("the error is %v: all[0].Want = %q, want %q in it", err, all[0].Want, tt.expected)
			}
		})
	}
	if c := load(t, queues, "max_retry_wait=5m", "initial_retry_wait__c=4m"); c.Retries("c").MaxRetryWait != 5*time.Minute {
		t.Errorf("%+v, want MaxRetryWait %v", c.Retries("c"), 5*time.Minute)
	}
}

func TestSettingsOfQueuesAreListed(t *testing.T) {
	t.Parallel()
	o := List([]string{"faas_nats_channel=a,b:2", "max_retry_attempts__b=3", "backoff__d=full"})
	switch e := o.entry(t, "max_retry_attempts__b"); {
	case e.Value != "3":
		t.Errorf("%+v, want Value \"3\"", e)
	case e.From != FromEnvironment:
		t.Errorf("%+v, want From %q", e, FromEnvironment)
	case e.Group != "Calls and retries":
		t.Errorf("%+v, want Group \"Calls and retries\"", e)
	case e.Expects != "":
		t.Errorf("%+v, want Expects \"\"", e)
	}
	switch e := o.entry(t, "backoff__d"); {
	case e.Expects == "":
		t.Errorf("%+v, problems %q, want Expects not \"\"", e, o.Problems)
	case len(o.Problems) != 1:
		t.Errorf("%+v, problems %q, want len 1", e, o.Problems)
	}
}
