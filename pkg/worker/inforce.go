// File inforce.go returns the policy in force for an invocation, and the source of each
// value.

package worker

import (
	"context"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/policy"
)

// InForce is a policy as it is applied.
type InForce struct {
	policy.Policy
	// From says for each setting, by its name, where the value comes from: worker or
	// queue (the settings of this process), gateway annotation, annotation (of the
	// message), header (of the message), mailbox (the delivery or what mailboxes do) or
	// producer.
	From map[string]string
	// Refused are the values of annotations and header fields that could not be used. Those of a header
	// are not repeated.
	Refused []policy.Problem
}

// askedPatience is how long a request waits for what a function asks for.
const askedPatience = 2 * time.Second

// PolicyFor is what is in force in a queue for a function, by the name of its lanes,
// without an invocation: what messages ask for comes with them.
func (w *Worker) PolicyFor(queue, function string) InForce {
	return w.show(&invocation.Invocation{Function: function, Lane: invocation.Lane{Queue: queue, Name: function}}, nil)
}

// FirstWait is the longest that the first retry of an invocation of a lane waits, as far as it is
// known what its function asks for.
func (w *Worker) FirstWait(lane invocation.Lane) time.Duration {
	inv := &invocation.Invocation{Function: lane.Name, Lane: lane}
	if invocation.IsCallbackLane(lane.Name) {
		inv.Kind = invocation.KindCallback
	}
	p, _ := w.inForce(inv, w.recall(inv), nil)
	return p.Initial
}

// PolicyOf is what is in force for an invocation. It reads the message of one that
// is stored; of a finished one it no longer knows what that asked for.
func (w *Worker) PolicyOf(inv *invocation.Invocation) InForce {
	var req *invocation.Request
	if _, raw, err := w.Store.Load(context.Background(), inv.ID); err == nil {
		req, _ = decode(raw)
	}
	return w.show(inv, req)
}

func (w *Worker) show(inv *invocation.Invocation, req *invocation.Request) InForce {
	if invocation.IsCallbackLane(inv.Lane.Name) {
		url := *inv
		url.Kind = invocation.KindCallback
		inv = &url
	}
	annotations, _ := w.annotations(context.Background(), inv, askedPatience)
	p, c := w.inForce(inv, annotations, req)
	for i := range c.header {
		c.header[i].Value = ""
	}
	return InForce{p, p.Sources.Words(), append(c.annotations, c.header...)}
}
