// File take.go moves messages to the store.

package intake

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"queue-worker/pkg/crash"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/policy"
	"queue-worker/pkg/store"
)

// maxCallID bounds a call id in bytes, because the store has it in a key. A UUID
// has 36. A longer one is not looked up by; the message's own header keeps it.
const maxCallID = 256

// takeLoop hands what the book has taken to the store, in the order of arrival.
// Here, not in the connection's reader, is where a busy store makes us wait.
func (i *Intake) takeLoop() {
	defer crash.LogPanic(i.log, "intake")
	for {
		for _, h := range i.book.takeAll() {
			select {
			case <-i.quit:
				return // the rest is unacked and will be redelivered
			default:
				i.accept(h)
			}
		}
		select {
		case <-i.toTake:
		case <-i.quit:
			return
		}
	}
}

func (i *Intake) accept(h *hold) {
	a := i.admit(h, time.Now())
	h.raw = nil
	if a.Inv.ID != h.id && !i.book.rename(h, a.Inv.ID) {
		i.opts.Metrics.duplicates.WithLabelValues(a.Inv.Lane.Queue).Inc()
		i.passed(h)
		i.book.done(h) // the same submission is in flight already
		return
	}
	dead := a.Inv.State == invocation.Dead
	crash.Point("before-commit")
	i.opts.Store.Accept(a, func(err error) { i.accepted(h, dead, err) })
}

// accepted is called on the committer's goroutine and does not block.
func (i *Intake) accepted(h *hold, dead bool, err error) {
	queue := i.opts.Channels[h.key.queue]
	if err == nil || errors.Is(err, store.ErrSeen) {
		i.passed(h)
	}
	if err == nil {
		i.opts.Metrics.submitted.WithLabelValues(queue).Inc()
	}
	switch {
	case errors.Is(err, store.ErrSeen):
		// Without a durable store that is a dead letter, which was settled before.
		i.opts.Metrics.duplicates.WithLabelValues(queue).Inc()
		i.book.done(h)
	case err != nil:
		i.opts.Metrics.refused.Inc()
		i.book.refused(h)
	case i.durable || dead:
		// order matters: see docs/guarantees.md. The commit is behind us, done queues
		// the ack. After a crash between the two the store recognises the redelivery.
		i.book.done(h)
	}
}

// passed allows an embedded server to remove a message.
func (i *Intake) passed(h *hold) {
	if i.opts.Backlog != nil {
		i.opts.Backlog.Accepted(i.opts.Channels[h.key.queue], h.key.sequence, int(h.size), h.first)
	}
}

// admit makes an invocation of a message. One that cannot be called goes to the
// dead set, with its bytes as they came.
func (i *Intake) admit(h *hold, now time.Time) store.Accept {
	k := h.key
	queue := i.opts.Channels[k.queue]
	inv := &invocation.Invocation{
		ID: h.id, Lane: invocation.Lane{Queue: queue},
		Accepted: now, Since: now, Size: len(h.raw),
	}
	r, err := invocation.Decode(h.raw)
	if r != nil && len(r.CallID()) <= maxCallID {
		inv.CallID = strings.Clone(r.CallID()) // a part of the header, which need not stay as long
	}
	if inv.CallID == "" {
		inv.CallID = h.id.String()
	}
	// The id of a redelivered message is the same without a durable store, so
	// it may be that of a dead letter which the book has forgotten.
	a := store.Accept{Inv: inv, Raw: h.raw, Request: r, Once: !i.durable}
	if err == nil {
		err = i.name(inv, r, now, i.asked(h, now))
	}
	switch {
	case err != nil:
		inv.Bury(invocation.Malformed, detail(err), now)
		i.opts.Metrics.malformed.WithLabelValues(queue).Inc()
		i.log.Warn("malformed message, not called", "id", inv.ID, "call_id", inv.CallID, "queue", queue, "detail", inv.Detail)
	case r.Envelope != nil:
		a.Once = true // a publisher that did not hear of its success may try again
		if inv.IsExhausted() {
			inv.Bury(invocation.AttemptsExhausted, invocation.CameExhausted, now)
		}
	}
	if i.durable {
		// Without a durable store the book knows what came before, for as long as it
		// is unacked and a while longer, in bounded memory.
		a.Source = &store.Source{Cluster: i.opts.Cluster, Channel: queue, Sequence: k.sequence, Timestamp: k.timestamp}
	}
	return a
}

// derivedID is the id of a message without a durable store. Only the server knows
// the message after a crash, and the function is to see the same Idempotency-Key.
func (i *Intake) derivedID(k key) invocation.ID {
	identity := fmt.Appendf(nil, "%s\x00%s\x00%d\x00%d", i.opts.Cluster, i.opts.Channels[k.queue], k.sequence, k.timestamp)
	return invocation.DerivedID(time.Unix(0, k.timestamp), identity)
}

// asked is when a delay begins: now, or without a durable store when the message was published, if it comes again.
func (i *Intake) asked(h *hold, now time.Time) time.Time {
	if i.durable || h.first {
		return now
	}
	return time.Unix(0, h.key.timestamp)
}

// name gives an invocation its function or its URL, what its envelope says, and the
// end that its header asks for.
func (i *Intake) name(inv *invocation.Invocation, r *invocation.Request, now, asked time.Time) error {
	inv.Function = r.Function
	inv.Lane.Name = i.opts.Names.Canonical(r.Function)
	if r.Envelope == nil {
		if age := policy.AgeOf(r.Header); age > 0 {
			inv.Terms = &invocation.Terms{Expires: now.Add(age)}
		}
		i.delay(inv, r.Header, asked, now)
		return nil
	}
	lane := inv.Lane.Name
	if r.Envelope.Kind == invocation.KindCallback {
		u, err := i.opts.CheckURL(r.Envelope.URL)
		if err != nil {
			return errCallbackURL
		}
		lane = invocation.CallbackLane(u)
	}
	noCallID := inv.CallID == inv.ID.String()
	r.Envelope.Take(inv, now)
	inv.Lane.Name = lane
	if noCallID {
		inv.CallID = inv.ID.String()
	}
	return nil
}

// errCallbackURL repeats nothing of the URL, which may hold credentials.
var errCallbackURL = errors.New("the envelope's URL is invalid")

// detail says in a sentence why a message cannot be used. The errors of the
// decoder are not passed on, because they repeat values of the message.
func detail(err error) string {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, invocation.ErrNoFunction):
		return "The message names no usable function."
	case errors.As(err, &syntax):
		return "The message is not a JSON object."
	}
	return "A field of the message has a wrong type or value."
}
