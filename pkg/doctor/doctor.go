// Package doctor checks everything that a worker with given settings depends on, and
// reports one line each with advice: the settings themselves, NATS Streaming, the store,
// the gateway, the credentials, the clock, the limits of the process, and a worker that
// runs with them.
//
//	ok    as it should be
//	warn  it works, or may work; an operator should check
//	bad   a worker with these settings does not work
//
// It changes nothing, except that it writes one file to data_dir and removes it. Its
// queries are bounded, so that it ends within seconds whatever is unreachable.
package doctor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"queue-worker/pkg/client"
	"queue-worker/pkg/config"
)

// Status is how a thing is.
type Status string

// The statuses.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Bad  Status = "bad"
)

// Finding is one line.
type Finding struct {
	Check  string `json:"check"` // settings, door, store, gateway, credentials, clock, limits or worker
	Status Status `json:"status"`
	Text   string `json:"text"`
	Advice string `json:"advice"` // what to do about it, "" when there is nothing to do
}

// askTimeout bounds every single question.
const askTimeout = 5 * time.Second

// Options say what to look at.
type Options struct {
	// Config are the settings; nil when they are wrong, and Problems says how.
	Config   *config.Config
	Problems []string
	// Worker asks the worker that runs with these settings.
	Worker  *client.Client
	Version string
	// Hostname is that of this machine, as NATS Streaming gets to know it.
	Hostname string
}

// Examine looks at everything at once, and returns what it has found in a fixed
// order. It is never empty.
func Examine(ctx context.Context, o Options) []Finding {
	e := examiner{Options: o}
	checks := []func(context.Context) []Finding{e.settings, e.worker}
	if o.Config != nil {
		e.secret = readSecret(o.Config.SecretMountPath)
		checks = []func(context.Context) []Finding{
			e.settings, e.door, e.store, e.gateway, e.credentials, e.limits, e.worker,
		}
	}
	found := make([][]Finding, len(checks))
	var wg sync.WaitGroup
	for i, check := range checks {
		wg.Go(func() { found[i] = check(ctx) })
	}
	wg.Wait()
	var all []Finding
	for _, f := range found {
		all = append(all, f...)
	}
	return all
}

// examiner is one examination.
type examiner struct {
	Options
	secret secret
}

func fine(check, format string, args ...any) Finding {
	return Finding{Check: check, Status: OK, Text: fmt.Sprintf(format, args...)}
}

func look(check, advice, format string, args ...any) Finding {
	return Finding{Check: check, Status: Warn, Text: fmt.Sprintf(format, args...), Advice: advice}
}

func wrong(check, advice, format string, args ...any) Finding {
	return Finding{Check: check, Status: Bad, Text: fmt.Sprintf(format, args...), Advice: advice}
}

// settings are right, or worth a look, or wrong.
func (e *examiner) settings(context.Context) []Finding {
	const check = "settings"
	var all []Finding
	for _, p := range e.Problems {
		all = append(all, wrong(check, "Correct the setting, see docs/settings.md; the worker does not start with it.", "%s", p))
	}
	if e.Config != nil {
		for _, w := range e.Config.Warnings() {
			all = append(all, look(check, "See docs/settings.md.", "%s", w))
		}
	}
	if all == nil {
		all = append(all, fine(check, "those of this environment are valid"))
	}
	return all
}
