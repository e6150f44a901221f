package app

import (
	"testing"
	"time"

	"queue-worker/pkg/config"
	"queue-worker/pkg/policy"
	"queue-worker/pkg/retry"
)

func TestEachQueueHasItsPolicy(t *testing.T) {
	t.Parallel()
	c, err := config.Load([]string{
		"faas_nats_channel=main,slow-queue:5,wide:100", "max_inflight=50", "upstream_timeout=1m", "unknown_function_grace=10s", "dead_set_codes=5xx",
		"max_retry_attempts__slow_queue=3", "backoff__slow_queue=full",
	})
	if err != nil {
		t.Fatal(err)
	}
	common, queues, err := (&App{Options: Options{Config: c}}).policies()
	if err != nil {
		t.Fatal(err)
	}
	dead, _ := retry.ParseCodes("5xx")
	switch {
	case common.Attempts != 10:
		t.Errorf("the worker's is %+v, want attempts 10", common)
	case common.Timeout != time.Minute:
		t.Errorf("the worker's is %+v, want timeout %v", common, time.Minute)
	case common.UnknownGrace != 10*time.Second:
		t.Errorf("the worker's is %+v, want UnknownGrace %v", common, 10*time.Second)
	case common.DeadCodes != dead:
		t.Errorf("the worker's is %+v, want DeadCodes %v", common, dead)
	case common.Lane != (policy.Lane{MaxInflight: 50, Priority: 5}):
		t.Errorf("the worker's is %+v, want lane %v", common, policy.Lane{MaxInflight: 50, Priority: 5})
	}
	slow := common
	slow.Attempts, slow.Mode, slow.Lane.MaxInflight = 3, retry.Full, 5
	slow.Sources.Set(policy.Queue, policy.Attempts, policy.Backoff, policy.MaxInflight)
	for name, want := range map[string]policy.Policy{"main": common, "wide": common, "slow-queue": slow} {
		if queues[name] != want {
			t.Errorf("of %s it is %+v, want %v", name, queues[name], want)
		}
	}
}

// The settings that can be a queue's own have their place in a policy.
func TestNoSettingOfAQueueIsForgotten(t *testing.T) {
	t.Parallel()
	for name, setting := range retrySettings {
		if setting.String() != name {
			t.Errorf("%s is %s in a policy, want setting %v", name, setting, name)
		}
	}
}
