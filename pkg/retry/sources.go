// Policies of what did not come through the gateway.

package retry

import (
	"time"

	"queue-worker/pkg/invocation"
)

// producerInitial is the first wait of what the callback producer delivers.
const producerInitial = time.Second

// failures are the statuses that Only2xx retries.
var failures = func() (c Codes) {
	c.add(minCode, strictBefore-1)
	c.add(strictFrom, maxCode)
	return c
}()

// only2xx retries everything but 2xx. Its codes say so too, for listings.
func (p Policy) only2xx() Policy {
	p.Only2xx, p.Codes = true, failures
	return p
}

// ForCallback is the policy of a callback: the worker's own waits, and nothing but
// 2xx counts as delivered.
func (p Policy) ForCallback() Policy { return p.only2xx() }

// ForProducer is the policy of a message of the callback producer. Its waits begin
// at one second and double up to the worker's longest one:
//
//	retry    1   2   3   4    5    6    7     8
//	wait    1s  2s  4s  8s  16s  32s  64s  120s
func (p Policy) ForProducer() Policy {
	p = p.only2xx()
	p.Mode, p.Initial = Exponential, producerInitial
	return p
}

// minMailboxWait is the shortest wait between two calls of a mailbox delivery. The
// caller chooses its delay, and may choose no limit of retries: without this, one
// request with a delay of zero calls a failing function without end or pause.
const minMailboxWait = time.Second

// ForMailbox is the policy of a mailbox delivery: always the same wait, whatever
// an answer asks for, and the limit that the delivery itself brought.
func (p Policy) ForMailbox(t invocation.Terms) Policy {
	p = p.only2xx()
	p.Mode, p.Initial = Constant, max(t.Delay, minMailboxWait)
	p.Attempts = t.MaxRetries
	p.Max, p.MaxRetryAfter = p.Initial, 0
	return p
}
