// File worker.go checks the worker that runs with these settings, if there is one.

package doctor

import (
	"context"
	"strings"

	"queue-worker/pkg/client"
)

func (e *examiner) worker(ctx context.Context) []Finding {
	const check = "worker"
	ctx, cancel := context.WithTimeoutCause(ctx, 2*askTimeout, errNoAnswer)
	defer cancel()
	reasons, err := e.Worker.Ready(ctx)
	switch {
	case client.IsPassing(err):
		return []Finding{look(check, "Start it, or give its address with --server.", "no answer at %s", e.Worker.Server())}
	case err != nil:
		return []Finding{wrong(check, "Give the address of the worker with --server.", "%s", firstLine(err))}
	}
	all := []Finding{fine(check, "the one at %s is ready", e.Worker.Server())}
	if len(reasons) > 0 {
		all = nil
	}
	for _, reason := range reasons {
		all = append(all, wrong(check, "See its log; it becomes ready when the reason is gone.", "the one at %s is not ready: %s", e.Worker.Server(), reason))
	}
	if err := e.Worker.Admitted(ctx); err != nil {
		all = append(all, wrong(check, "Give --user and --password-file, or --secret-dir; without basic_auth only the machine of the worker is admitted.",
			"the one at %s refuses access to stored invocations: %s", e.Worker.Server(), firstLine(err)))
		return all
	}
	if s, err := e.Worker.Status(ctx); err == nil && e.Config != nil {
		all = append(all, e.otherSettings(s)...)
	}
	return all
}

// otherSettings warns when the worker that answers runs with other settings than those that were checked.
func (e *examiner) otherSettings(s *client.Status) []Finding {
	c := e.Config
	var other []string
	if url := s.Worker.Gateway.URL; url != "" && url != c.GatewayURL.Redacted() {
		other = append(other, "gateway_url="+url)
	}
	if s.Store.Durable && s.Store.Path != c.DataDir {
		other = append(other, "data_dir="+s.Store.Path)
	}
	if s.Worker.Source.Embedded && !c.StanEmbedded {
		other = append(other, "stan_embedded=true")
	}
	if len(other) == 0 {
		return nil
	}
	settings := strings.Join(other, " ")
	return []Finding{look("worker", "Run doctor with the settings of that worker: "+settings+" queue-worker doctor",
		"the one at %s runs with other settings than those of this environment, which the other checks are about: %s", e.Worker.Server(), settings)}
}
