// File ingest.go has what the three paths for submissions share.

package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/trace"
)

// Why nothing is accepted. A Taker's errors wrap them.
var (
	ErrDraining     = errors.New("the worker is shutting down")
	ErrFull         = errors.New("no room for more invocations")
	ErrNotConnected = errors.New("the queue is unreachable")
	ErrTooLarge     = errors.New("larger than the limit of the queue")
	// ErrUnsure: it may have been accepted, or not.
	ErrUnsure = errors.New("not confirmed")
)

// Taker makes work durable.
type Taker interface {
	// Open is nil while work is accepted, or one of the errors above. It is asked
	// before a body is read, and promises nothing for later.
	Open() error
	// Take returns a receipt when the submission is durable, or when its key was
	// used for the same payload before. After an error it was not taken, but for
	// ErrUnsure and the end of ctx, after which the outcome is unknown: that ends the waiting,
	// not the taking. A *store.KeyError: the key was used for another payload.
	Take(ctx context.Context, s Submission) (Receipt, error)
}

// Submission is an invocation to be accepted.
type Submission struct {
	Inv *invocation.Invocation
	Raw []byte     // its QueueRequest
	Key *store.Key // of its Idempotency-Key; nil for none
	// Release must be called exactly once, as soon as Raw is no longer needed. It
	// does not block and may be called by any goroutine.
	Release func()
}

// Receipt names the accepted invocation: the submission itself, or the one of its key.
type Receipt struct {
	ID     invocation.ID
	CallID string
}

// Functions knows which functions exist.
type Functions interface {
	// Known reports whether a function exists, and whether that is sure.
	Known(ctx context.Context, function string) (known, sure bool)
}

// Ingest is what taking work in needs.
type Ingest struct {
	Taker Taker
	// Functions is asked before an invocation is taken; nil: every name is fine.
	Functions Functions
	// CheckURL reads the URL of a callback; its error says nothing secret.
	CheckURL func(raw string) (*url.URL, error)
	// Queue is where work goes.
	Queue string
	// MaxBytes bounds a body.
	MaxBytes int64
	// Window is how long an Idempotency-Key is known; 0: it means nothing.
	Window time.Duration
	// Auth asks for the credentials here too.
	Auth   bool
	Tracer *trace.Tracer // nil makes no spans
}

const (
	// takeTimeout is how long is waited for work to become durable. It takes
	// milliseconds, unless the disk is full or NATS Streaming hangs.
	takeTimeout = 10 * time.Second
)

// ingest is the part of the API that takes work in.
type ingest struct {
	Ingest
	*api
	credentials *credentials // nil: open to every client
	room        *bodyRoom
}

func newIngest(a *api) *ingest {
	i := &ingest{Ingest: *a.Ingest, api: a}
	if i.Auth {
		i.credentials = a.guard.credentials
		if i.credentials == nil {
			i.credentials = newCredentials(a.SecretDir, a.log)
		}
	}
	i.room = newBodyRoom(roomFor(i.MaxBytes))
	return i
}

// routes take work in.
func (i *ingest) routes(mux *surface) {
	submit := i.handle(i.admit(i.submit))
	one := methods{http.MethodPost: submit}
	if i.Watch != nil {
		one[http.MethodDelete] = i.guard.admit(i.handle(i.cancelCall))
	}
	mux.Handle("/async-function/{fn}", one)
	mux.Handle("/async-function/{fn}/{path...}", methods{http.MethodPost: submit})
	mux.Handle("/deadletter/{fn}", methods{http.MethodPost: i.handle(i.admit(i.mail))})
	produce := methods{http.MethodPost: i.handle(i.admit(i.produce))}
	mux.Handle("/queue/producer", produce)
	mux.Handle("/queue/producer/{$}", produce)
}

// admit lets those through who may send work, while work is accepted.
func (i *ingest) admit(next func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := i.refusal(w, r)
		if err == nil {
			c := http.NewResponseController(w)
			_ = c.SetWriteDeadline(time.Now().Add(bodyTimeout + roomTimeout + takeTimeout + writeTimeout)) // every connection of a server can
			err = next(w, r)
		}
		if err != nil {
			i.discardBody(r)
		}
		return err
	}
}

// refusal is nil, or why nothing is taken from this request whatever it says.
func (i *ingest) refusal(w http.ResponseWriter, r *http.Request) error {
	if i.credentials != nil {
		if _, refusal := i.credentials.check(r); refusal != nil {
			if refusal.status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", challenge)
			}
			return refusal
		}
		r.Header.Del("Authorization") // it is ours, and no function's business
	}
	if r.ContentLength > i.MaxBytes {
		return problemBody
	}
	return i.Taker.Open()
}

// isGuest reports whether a request has no credentials, where the worker knows any.
func (i *ingest) isGuest(r *http.Request) bool {
	if i.credentials != nil || i.guard.credentials == nil {
		return false // all have credentials, or there are none
	}
	_, refusal := i.guard.credentials.check(r)
	return refusal != nil
}

// take hands a submission over and answers with what became of it. A client that
// goes away does not stop it: what is on its way is taken, and its key has to know.
func (i *ingest) take(w http.ResponseWriter, r *http.Request, s Submission) (Receipt, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), takeTimeout)
	defer cancel()
	receipt, err := i.Taker.Take(ctx, s)
	if _, ok := errors.AsType[*store.KeyError](err); ok {
		return receipt, problemKey
	}
	if err != nil {
		return receipt, err
	}
	h := w.Header()
	h.Set(invocation.HeaderCallID, receipt.CallID)
	h.Set(headerInvocationID, receipt.ID.String())
	return receipt, nil
}

// headerInvocationID is our own id of what was taken.
const headerInvocationID = "X-Invocation-Id"

// accepted is the answer of the gateway: 202 and an empty body.
func accepted(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// isMailbox reports whether a path is one of the mailbox, whose errors are text.
func isMailbox(path string) bool {
	return path == "/deadletter" || strings.HasPrefix(path, "/deadletter/")
}
