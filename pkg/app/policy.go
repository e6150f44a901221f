// File policy.go makes the policies of the settings, and the client that queries the
// gateway about functions.

package app

import (
	"errors"

	"queue-worker/pkg/basicauth"
	"queue-worker/pkg/config"
	"queue-worker/pkg/gateway"
	"queue-worker/pkg/policy"
	"queue-worker/pkg/retry"
)

// trustHeader is the word of header_policy that lets messages ask for more.
const trustHeader = "trust"

// commonPriority is that of a function that asks for none.
const commonPriority = 5

// policies read the settings: those of the worker, and of each queue that has its own.
func (a *App) policies() (common policy.Policy, queues map[string]policy.Policy, err error) {
	c := a.Config
	common.Policy = retry.Policy{MaxRetryAfter: c.MaxRetryAfter, UnknownGrace: c.UnknownGrace}
	common.Timeout = c.UpstreamTimeout
	common.Lane = policy.Lane{MaxInflight: c.MaxInflight, Priority: commonPriority}
	if common.DeadCodes, err = retry.ParseCodes(c.DeadSetCodes); err != nil {
		return common, nil, err
	}
	if err = setRetries(&common, c.Retries("")); err != nil {
		return common, nil, err
	}
	queues = map[string]policy.Policy{}
	for _, name := range c.Channels {
		p, r := common, c.Retries(name)
		if err := setRetries(&p, r); err != nil {
			return common, nil, err
		}
		for _, own := range r.Own {
			p.Sources[retrySettings[own]] = policy.Queue
		}
		if limit := c.QueueLimits[name]; limit > 0 && limit < c.MaxInflight {
			p.Lane.MaxInflight, p.Sources[policy.MaxInflight] = limit, policy.Queue
		}
		queues[name] = p
	}
	return common, queues, nil
}

// retrySettings are the settings that a queue may have of its own, by their names.
var retrySettings = map[string]policy.Setting{
	"max_retry_attempts": policy.Attempts, "initial_retry_wait": policy.Initial, "max_retry_wait": policy.Max,
	"retry_http_codes": policy.Codes, "backoff": policy.Backoff,
}

// setRetries puts retry settings into a policy.
func setRetries(p *policy.Policy, r config.Retries) error {
	p.Attempts, p.Initial, p.Max = r.MaxRetryAttempts, r.InitialRetryWait, r.MaxRetryWait
	var errs [2]error
	p.Codes, errs[0] = retry.ParseCodes(r.RetryCodes)
	p.Mode, errs[1] = retry.ParseMode(r.Backoff)
	return errors.Join(errs[:]...)
}

// askGateway creates the client that queries the gateway about functions, with the credentials of
// OpenFaaS where there are any.
func (a *App) askGateway() {
	secret := basicauth.NewFolder(a.Config.SecretMountPath)
	a.functions = gateway.New(gateway.Options{
		URL: a.Config.GatewayURL, Names: a.names, Credentials: secret.Credentials, Concerns: policy.Concerns,
		Version: a.Version, Descriptors: a.descriptors, Logger: a.log,
	})
	a.onTeardown("questions to the gateway", func() error { a.functions.Close(); return nil })
}
