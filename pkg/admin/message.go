// File message.go reads QueueRequests: it bounds their bytes in memory, and selects what
// is shown as the message.

package admin

import (
	"bytes"
	"context"
	"io"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

const (
	// rawBytes bounds the QueueRequests that all answers together hold in memory.
	// One that is larger is read alone.
	rawBytes = 64 << 20
	// rawWait is how long a request waits for its part of them.
	rawWait = 10 * time.Second
	// previewBytes is what is shown of a message unless all of it is asked for.
	previewBytes = 4 << 10
)

// problemBusy is the answer when a request has waited for its part in vain.
var problemBusy = respond.Later(wire.Busy, "too many large messages are being read",
	"Nothing was changed. Try again.")

// message is what an invocation carries: the body of its QueueRequest. Of a
// malformed one it is the QueueRequest as it came, since the body may not be what
// is wrong with it.
type message struct {
	request *invocation.Request // nil when it cannot be decoded
	raw     []byte              // nil unless that is the message
}

func readMessage(inv *invocation.Invocation, raw []byte) message {
	r, _ := invocation.Decode(raw) // with an error it leaves what can be shown, or nil
	if r != nil && inv.Reason != invocation.Malformed {
		return message{request: r}
	}
	return message{r, raw}
}

func (m message) isRaw() bool { return m.raw != nil || m.request == nil }

func (m message) reader() io.Reader {
	if m.isRaw() {
		return bytes.NewReader(m.raw)
	}
	return m.request.Body()
}

// size is the length of what reader gives, in bytes.
func (m message) size() int64 {
	if m.isRaw() {
		return int64(len(m.raw))
	}
	return m.request.BodyLen()
}

// preview fills in what a letter shows of its message.
func (m message) preview(l *wire.Letter) error { return m.previewUpTo(l, previewBytes) }

// previewUpTo is preview with up to most bytes.
func (m message) previewUpTo(l *wire.Letter, most int64) error {
	b, err := io.ReadAll(io.LimitReader(m.reader(), most))
	if err != nil {
		return err
	}
	l.MessageSize, l.MessageRaw = m.size(), m.isRaw()
	if l.MessageRaw && mentionsSecret(b) {
		l.MessageWithheld, b = true, nil
	}
	l.MessageCut = int64(len(b)) < l.MessageSize
	l.Message = append(l.Message, b...)
	return nil
}

// withMessage loads an invocation and calls use with its message, which is gone
// afterwards. It waits for a while when answers hold too much.
func (a *Admin) withMessage(ctx context.Context, inv *invocation.Invocation, use func(*invocation.Invocation, message) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, rawWait, problemBusy)
	defer cancel()
	return a.withRaw(ctx, inv, func(inv *invocation.Invocation, raw []byte) error {
		return use(inv, readMessage(inv, raw))
	})
}

// withRaw loads an invocation and calls use with its QueueRequest, which is gone
// afterwards. It waits while answers hold too much, until ctx ends, and returns
// the cause of that.
func (a *Admin) withRaw(ctx context.Context, inv *invocation.Invocation, use func(*invocation.Invocation, []byte) error) error {
	n := min(int64(inv.Size), rawBytes)
	if a.raw.Acquire(ctx, n) != nil {
		return context.Cause(ctx)
	}
	defer a.raw.Release(n)
	inv, raw, err := a.Store.Load(ctx, inv.ID)
	if err != nil {
		return err
	}
	return use(inv, raw)
}
