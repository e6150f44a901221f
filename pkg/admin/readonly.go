// File readonly.go has what the read-only account does not see: bodies, answers and results, and
// what it could find out of hidden values by filtering for them.

package admin

import (
	"context"
	"net/http"

	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

// ProblemReadOnly is the answer to the read-only account where it may not do or see something.
var ProblemReadOnly = respond.NewProblem(http.StatusForbidden, wire.Forbidden, "this account may only read, and no bodies, results, answers or exports",
	"Use the user and password of OpenFaaS's basic-auth secret.")

// ReadsOnly reports whether the client is the read-only account.
func ReadsOnly(ctx context.Context) bool { return ctx.Value(readOnlyKey{}) != nil }

// maySeeBody refuses the body of a request to the read-only account.
func maySeeBody(ctx context.Context, body bool) error {
	if body && ReadsOnly(ctx) {
		return ProblemReadOnly
	}
	return nil
}

// mayFilterBy refuses to tell the read-only account which requests have a hidden value.
func mayFilterBy(ctx context.Context, headers wire.Texts) error {
	if !ReadsOnly(ctx) {
		return nil
	}
	for _, h := range headers {
		if name, value, ok := cutHeader(h); ok && shownValue(http.CanonicalHeaderKey(name), value) != value {
			return ProblemReadOnly
		}
	}
	return nil
}

// previewFor is preview for the client, without the message for the read-only account.
func (m message) previewFor(ctx context.Context, l *wire.Letter) error {
	if !ReadsOnly(ctx) {
		return m.preview(l)
	}
	l.MessageSize, l.MessageRaw = m.size(), m.isRaw()
	l.MessageWithheld, l.MessageCut = true, l.MessageSize > 0
	return nil
}

// previewMost is how many bytes of a message the client sees at once.
func previewMost(ctx context.Context) int64 {
	if ReadsOnly(ctx) {
		return 0
	}
	return previewBytes
}
