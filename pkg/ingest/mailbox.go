// File mailbox.go has the mailbox, POST /deadletter/{fn}: a request is delivered after a
// delay, and again after the same delay while it fails.

package ingest

import (
	"net/http"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/wire"
)

// mailDelay is the wait before every delivery when the caller names none.
const mailDelay = 4 * time.Second

// Mail accepts a request for the mailbox.
func (i *Ingest) Mail(w http.ResponseWriter, r *http.Request) error {
	return i.accept(w, r, i.mail)
}

func (i *Ingest) mail(w http.ResponseWriter, r *http.Request) (err error) {
	retries, err := count(r.Header, headerRetries, 0)
	if err != nil {
		return err
	}
	most, err := count(r.Header, headerMaxRetries, invocation.Unlimited)
	if err != nil {
		return err
	}
	delay, err := seconds(r.Header, wire.HeaderDelay, mailDelay)
	if err != nil {
		return err
	}
	inv, head, err := i.head(w, r, invocation.SourceMailbox)
	if err != nil {
		return err
	}
	span := i.Tracer.Accept(inv, r.Header)
	defer func() { span.End(inv.ID.String(), err) }()
	err = i.finish(w, r, inv, head, nil, func(inv *invocation.Invocation) {
		inv.Retries = retries + 1 // the caller's own call was the one before
		inv.Terms.MaxRetries, inv.Terms.Delay = most, delay
		inv.Since = inv.Accepted.Add(delay)
		if inv.IsExhausted() {
			inv.Bury(invocation.AttemptsExhausted, invocation.CameExhausted, inv.Accepted)
		}
	})
	if err != nil {
		return err
	}
	return accepted(w)
}
