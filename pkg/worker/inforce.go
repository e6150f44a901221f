package worker

// What is in force for an invocation, and where each value comes from: for people
// who ask why.

import (
	"maps"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/retry"
)

// InForce is a policy as it is applied.
type InForce struct {
	retry.Policy
	// Timeout is the longest call, 0 for no bound.
	Timeout time.Duration
	// From tells for each setting, by its name, where the value comes from: worker
	// (the settings of this process), annotation (of the message), mailbox (the
	// delivery or what mailboxes do) or producer.
	From map[string]string
}

// Where values come from.
const (
	fromWorker     = "worker"
	fromAnnotation = "annotation"
	fromMailbox    = "mailbox"
	fromProducer   = "producer"
)

// Names of settings in InForce.From.
const (
	settingAttempts      = "max_retry_attempts"
	settingInitial       = "initial_retry_wait"
	settingMax           = "max_retry_wait"
	settingBackoff       = "backoff"
	settingCodes         = "retry_http_codes"
	settingMaxRetryAfter = "max_retry_after"
	settingTimeout       = "timeout"
)

// theWorkers is InForce.From where nothing has replaced the worker's settings.
var theWorkers = map[string]string{
	settingAttempts: fromWorker, settingInitial: fromWorker, settingMax: fromWorker, settingBackoff: fromWorker,
	settingCodes: fromWorker, settingMaxRetryAfter: fromWorker, settingTimeout: fromWorker,
}

// PolicyFor is what is in force for a function without an invocation: annotations
// come with messages.
func (w *Worker) PolicyFor(string) InForce {
	return InForce{w.Policy, w.Timeout, maps.Clone(theWorkers)}
}

// PolicyOf is what is in force for an invocation. It reads the message of one that
// is stored; of one that is over it cannot tell the annotations any more.
func (w *Worker) PolicyOf(inv *invocation.Invocation) InForce {
	f := InForce{w.basePolicy(inv), w.Timeout, maps.Clone(theWorkers)}
	switch inv.Source() {
	case invocation.SourceMailbox:
		f.from(fromMailbox, settingAttempts, settingInitial, settingMax, settingBackoff, settingCodes, settingMaxRetryAfter)
	case invocation.SourceProducer:
		f.from(fromProducer, settingInitial, settingBackoff, settingCodes)
	case invocation.SourceGateway, invocation.SourceHTTP:
	}
	if inv.Kind == invocation.KindCallback {
		f.Timeout = shorter(w.Timeout, w.CallbackTimeout)
	}
	if annotated(inv) {
		f.annotate(w.annotations(inv.ID))
	}
	return f
}

// shorter is the shorter of two bounds, of which 0 is none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

func (f *InForce) from(where string, settings ...string) {
	for _, s := range settings {
		f.From[s] = where
	}
}

// annotations are those of a stored message, nil when there is none.
func (w *Worker) annotations(id invocation.ID) map[string]string {
	_, raw, err := w.Store.Load(id)
	if err != nil {
		return nil
	}
	req, err := decode(raw)
	if err != nil {
		return nil
	}
	return req.Annotations
}

// annotate puts a function's own settings in place of the worker's.
func (f *InForce) annotate(annotations map[string]string) {
	before := f.Policy
	after, problems := before.WithAnnotations(annotations)
	f.Policy = after
	taken := func(key string) bool {
		for _, p := range problems {
			if p.Key == key {
				return false
			}
		}
		return annotations[key] != ""
	}
	for _, s := range []struct {
		setting, key string
		changed      bool
	}{
		{settingAttempts, retry.AnnotationAttempts, before.Attempts != after.Attempts},
		{settingInitial, retry.AnnotationMinWait, before.Initial != after.Initial},
		{settingMax, retry.AnnotationMaxWait, before.Max != after.Max},
		{settingCodes, retry.AnnotationCodes, before.Codes != after.Codes},
	} {
		if s.changed || taken(s.key) { // a wait may be moved by the other one's annotation
			f.From[s.setting] = fromAnnotation
		}
	}
}
