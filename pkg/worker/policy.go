// File policy.go finds the settings that apply to an invocation.

package worker

import (
	"cmp"
	"context"
	"sync"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/policy"
)

// Functions knows what the gateway says of functions, by the names of their lanes.
type Functions interface {
	// Annotations are those of a function. Of one that is called often they are there
	// at once; otherwise they are waited for as long as patience lasts. unknown means
	// that there is surely no such function.
	Annotations(ctx context.Context, function string, patience time.Duration) (annotations map[string]string, unknown bool)
	// Recall are the annotations of a function as far as they are known already; it asks nothing
	// and does not wait.
	Recall(function string) map[string]string
	// Missing reports whether there surely is no such function now.
	Missing(ctx context.Context, function string) bool
}

// firstPatience is how long the first call of a function waits for what the function
// asks for. It holds no slot meanwhile.
const firstPatience = 250 * time.Millisecond

// base is the policy of a queue, which is the worker's unless it has its own.
func (w *Worker) base(queue string) policy.Policy {
	if p, ok := w.Queues[queue]; ok {
		return p
	}
	return w.Policy
}

// reads reports whether an invocation calls a function that can be asked about.
func reads(inv *invocation.Invocation) bool {
	return inv.Kind == invocation.KindFunction && asksGateway(inv.Lane.Name)
}

// asksGateway reports whether the gateway can be asked about lanes of a name.
func asksGateway(name string) bool { return name != "" && !invocation.IsCallbackLane(name) }

// annotations are those that the gateway has of the function of an invocation; unknown
// means that there is surely no such function.
func (w *Worker) annotations(ctx context.Context, inv *invocation.Invocation, patience time.Duration) (a map[string]string, unknown bool) {
	if w.Functions == nil || !reads(inv) {
		return nil, false
	}
	return w.Functions.Annotations(ctx, inv.Lane.Name, patience)
}

// complaints are what could not be used of what function and message ask for.
type complaints struct {
	annotations, header []policy.Problem
}

// inForce is the policy of an invocation: what its message and its function, of
// which the gateway has annotations, ask for over that of its queue. req is nil when
// the message cannot be read.
func (w *Worker) inForce(inv *invocation.Invocation, annotations map[string]string, req *invocation.Request) (p policy.Policy, c complaints) {
	base := w.base(inv.Lane.Queue)
	if inv.Kind == invocation.KindCallback {
		return w.forURL(base, inv), c
	}
	p, c.annotations = base.With(annotations, policy.GatewayAnnotation)
	if req != nil {
		var more []policy.Problem
		own := p
		p, more = p.With(req.Annotations, policy.Annotation)
		if most := cmp.Or(own.Lane.Priority, commonPriority); p.Lane.Priority > most {
			// Turns are taken from others, so a message may have fewer and not more.
			p.Lane.Priority, p.Sources[policy.Priority] = own.Lane.Priority, own.Sources[policy.Priority]
		}
		c.annotations = append(c.annotations, more...)
		p, c.header = p.WithHeader(req.Header, w.TrustHeader)
	}
	p = p.Within(base)
	if inv.Source() == invocation.SourceMailbox {
		return forMailbox(p, base, inv), c
	}
	return aged(p, inv, w.TrustHeader), c
}

// forURL is the policy of what is posted to a URL.
func (w *Worker) forURL(p policy.Policy, inv *invocation.Invocation) policy.Policy {
	p.Timeout = shorter(p.Timeout, w.CallbackTimeout)
	if inv.Source() == invocation.SourceProducer {
		p.Policy = p.ForProducer()
		p.Sources.Set(policy.Producer, policy.Initial, policy.Backoff, policy.Codes)
		return p
	}
	p.Policy = p.ForCallback()
	return p
}

// forMailbox is the policy of a mailbox delivery. It brings its own retries, whatever
// its function asks for; how fast and how long it is called is the function's.
func forMailbox(p, base policy.Policy, inv *invocation.Invocation) policy.Policy {
	p.Policy = base.ForMailbox(*inv.Terms)
	p.MaxAge = base.MaxAge
	p.Sources.Set(policy.Mailbox, policy.Attempts, policy.Initial, policy.Max, policy.Backoff, policy.Codes, policy.MaxRetryAfter)
	p.Sources[policy.DeadCodes], p.Sources[policy.MaxAge] = base.Sources[policy.DeadCodes], base.Sources[policy.MaxAge]
	return p
}

// aged is a policy with the age that a caller has asked for over HTTP, where that was
// taken out of the header. What was replayed has no bound on its age.
func aged(p policy.Policy, inv *invocation.Invocation, trust bool) policy.Policy {
	if inv.Replays > 0 {
		p.MaxAge, p.Sources[policy.MaxAge] = 0, policy.Worker
		return p
	}
	if inv.Source() != invocation.SourceHTTP || inv.Expires().IsZero() {
		return p
	}
	if age := inv.Expires().Sub(inv.Accepted); age != p.MaxAge && (trust || p.MaxAge == 0 || age < p.MaxAge) {
		p.MaxAge, p.Sources[policy.MaxAge] = age, policy.Header
	}
	return p
}

// shorter is the shorter of two bounds, of which 0 is none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// apply finds out what is in force for an invocation in flight, and passes its
// lane what the function asks for.
func (w *Worker) apply(ctx context.Context, a *attempt) {
	var c complaints
	annotations, unknown := w.annotations(ctx, a.inv, patience(a.taken))
	a.policy, c = w.inForce(a.inv, annotations, a.req)
	w.complain(a.inv, c)
	lane := a.policy.Lane
	if a.inv.Kind == invocation.KindCallback {
		lane = policy.Lane{} // a URL has no policy
	}
	if !a.taken.introduced || a.taken.asked != lane || a.taken.unknown != unknown {
		w.Lanes.Tune(a.at.Lane, lane, unknown)
	}
	expire(a.inv, a.policy.MaxAge)
}

// patience is how long a call may hold its slot for an answer of the gateway. Before a
// first call that was asked already, and names that the gateway does not know are worth
// no wait.
func patience(t taken) time.Duration {
	if !t.introduced || t.unknown {
		return 0
	}
	return firstPatience
}

// expire gives an invocation the end that its age sets, unless it has an earlier one.
func expire(inv *invocation.Invocation, age time.Duration) {
	if age == 0 {
		return
	}
	at := inv.Accepted.Add(age)
	if have := inv.Expires(); !have.IsZero() && !at.Before(have) {
		return
	}
	terms := invocation.Terms{}
	if inv.Terms != nil {
		terms = *inv.Terms
	}
	terms.Expires = at
	inv.Terms = &terms
}

// complain logs each value once that cannot be used. Those of a header are not
// repeated: no header's value is ever logged.
func (w *Worker) complain(inv *invocation.Invocation, c complaints) {
	for _, p := range c.annotations {
		if w.warned.first(inv.Lane.Name + "\x00" + p.Key + "\x00" + p.Value) {
			about := []any{keyFunction, inv.Function, "annotation", p.Key}
			if p.Value != "" {
				about = append(about, "value", p.Value)
			}
			w.Logger.Warn("invalid annotation, worker setting applies", append(about, "expected", p.Expected)...)
		}
	}
	for _, p := range c.header {
		if w.warned.first(inv.Lane.Name + "\x00" + p.Key) {
			w.Logger.Warn("invalid header field, function setting applies", keyFunction, inv.Function,
				"header", p.Key, "expected", p.Expected)
		}
	}
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
