package worker

// Whose settings hold for an invocation.

import (
	"sync"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/retry"
)

// policyFor is the worker's policy with the annotations of the message in it.
func (w *Worker) policyFor(function string, req *invocation.Request) retry.Policy {
	if req == nil || len(req.Annotations) == 0 {
		return w.Policy
	}
	p, problems := w.Policy.WithAnnotations(req.Annotations)
	for _, problem := range problems {
		if w.warned.first(function + "\x00" + problem.Key + "\x00" + problem.Value) {
			w.Logger.Warn("annotation not usable, the worker's setting holds", keyFunction, function,
				"annotation", problem.Key, "value", problem.Value, "expected", problem.Expected)
		}
	}
	return p
}

// maxWarnings bounds what is remembered; beyond it a warning may come again.
const maxWarnings = 1000

// warnings remembers what was said, so that it is said once.
type warnings struct {
	mu   sync.Mutex
	said map[string]struct{}
}

func newWarnings() *warnings { return &warnings{said: map[string]struct{}{}} }

func (w *warnings) first(what string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.said[what]; ok {
		return false
	}
	if len(w.said) >= maxWarnings {
		clear(w.said)
	}
	w.said[what] = struct{}{}
	return true
}
