package app

// The policies of the settings, and who knows what functions ask for.

import (
	"errors"

	"queue-worker/pkg/gateway"
	"queue-worker/pkg/policy"
	"queue-worker/pkg/retry"
)

// trustHeader is the word of header_policy that lets messages ask for more.
const trustHeader = "trust"

// commonPriority is that of a function that asks for none.
const commonPriority = 5

// policy reads the settings of the worker.
func (a *App) policy() (p policy.Policy, err error) {
	c := a.Config
	p.Policy = retry.Policy{
		Attempts: c.MaxRetryAttempts, Initial: c.InitialRetryWait, Max: c.MaxRetryWait, MaxRetryAfter: c.MaxRetryAfter,
		UnknownGrace: c.UnknownGrace,
	}
	p.Timeout = c.UpstreamTimeout
	p.Lane = policy.Lane{MaxInflight: c.MaxInflight, Priority: commonPriority}
	var errs [3]error
	p.Codes, errs[0] = retry.ParseCodes(c.RetryCodes)
	p.DeadCodes, errs[1] = retry.ParseCodes(c.DeadSetCodes)
	p.Mode, errs[2] = retry.ParseMode(c.Backoff)
	return p, errors.Join(errs[:]...)
}

// askGateway makes who asks the gateway about functions, with the credentials of
// OpenFaaS where there are any.
func (a *App) askGateway() {
	s := &secret{dir: a.Config.SecretMountPath}
	a.functions = gateway.New(gateway.Options{
		URL: a.Config.GatewayURL, Names: a.names, Credentials: s.credentials, Concerns: policy.Concerns,
		Version: a.Version, Logger: a.log,
	})
	a.onTeardown("questions to the gateway", func() error { a.functions.Close(); return nil })
}
