package worker

// Whose settings hold for an invocation.

import (
	"sync"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/retry"
)

// basePolicy is the policy of an invocation without what its message says.
func (w *Worker) basePolicy(inv *invocation.Invocation) retry.Policy {
	switch source := inv.Source(); {
	case source == invocation.SourceMailbox:
		return w.Policy.ForMailbox(*inv.Terms)
	case source == invocation.SourceProducer:
		return w.Policy.ForProducer()
	case inv.Kind == invocation.KindCallback:
		return w.Policy.ForCallback()
	}
	return w.Policy
}

// annotated reports whether annotations of its function hold for an invocation.
// What came through the mailbox brought its own terms, and a URL has none.
func annotated(inv *invocation.Invocation) bool {
	return inv.Kind == invocation.KindFunction && inv.Source() != invocation.SourceMailbox
}

// withAnnotations is a policy with the annotations of the message in it.
func (w *Worker) withAnnotations(p retry.Policy, inv *invocation.Invocation, req *invocation.Request) retry.Policy {
	if len(req.Annotations) == 0 || !annotated(inv) {
		return p
	}
	p, problems := p.WithAnnotations(req.Annotations)
	for _, problem := range problems {
		if w.warned.first(inv.Function + "\x00" + problem.Key + "\x00" + problem.Value) {
			w.Logger.Warn("annotation not usable, the worker's setting holds", keyFunction, inv.Function,
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
