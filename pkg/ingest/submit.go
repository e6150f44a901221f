// File submit.go has POST /async-function/{fn}[/path], as the gateway has it.

package ingest

import (
	"hash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// Submit accepts a call of a function: POST /async-function/{fn}.
func (i *Ingest) Submit(w http.ResponseWriter, r *http.Request) error {
	return i.accept(w, r, i.submit)
}

func (i *Ingest) submit(w http.ResponseWriter, r *http.Request) (err error) {
	inv, head, err := i.head(w, r, invocation.SourceHTTP)
	if err != nil {
		return err
	}
	span := i.Tracer.Accept(inv, r.Header)
	defer func() { span.End(w.Header().Get(wire.HeaderInvocationID), err) }()
	timing, err := readTiming(r.Header, inv.Accepted)
	if err != nil {
		return err
	}
	key, err := i.readKey(r, inv, head)
	if err != nil {
		return err
	}
	if i.Functions != nil {
		if known, sure := i.Functions.Known(r.Context(), inv.Function); sure && !known {
			return problemUnknown
		}
	}
	if err := i.finish(w, r, inv, head, key, timing.apply); err != nil {
		return err
	}
	return accepted(w)
}

// head reads what every call of a function has: its name, ids, and what is sent.
func (i *Ingest) head(w http.ResponseWriter, r *http.Request, from invocation.Source) (*invocation.Invocation, types.QueueRequest, error) {
	var none types.QueueRequest
	function := r.PathValue("fn")
	if !invocation.ValidName(function) {
		return nil, none, problemName
	}
	if p := PathProblem(r.URL); p != nil {
		return nil, none, p
	}
	if what := invocation.NotUTF8(r.Header, r.URL.RawQuery); what != "" && !i.durable {
		return nil, none, respond.Refuse(what+" is not UTF-8", "UTF-8; a worker with data_dir takes any bytes")
	}
	callback, err := readCallback(r.Header)
	if err != nil {
		return nil, none, err
	}
	inv, err := i.identify(w, r, from)
	if err != nil {
		return nil, none, err
	}
	inv.Function, inv.Lane.Name = function, i.Names.Canonical(function)
	return inv, types.QueueRequest{
		Header: r.Header, Host: r.Host, Method: r.Method, Path: restOf(r.URL), QueryString: r.URL.RawQuery,
		Function: function, CallbackURL: callback,
	}, nil
}

// identify makes an invocation and gives request and answer the fields that every
// call has behind the gateway: an id, which is the caller's own when there is one,
// and the time at which it came, which is added to one that is there already.
func (i *Ingest) identify(w http.ResponseWriter, r *http.Request, from invocation.Source) (*invocation.Invocation, error) {
	fields := 0
	for _, values := range r.Header {
		fields += len(values)
	}
	if fields > maxFields {
		return nil, respond.Refuse("the header has too many fields", "at most "+strconv.Itoa(maxFields))
	}
	now := time.Now().Round(0) // a time that is stored has no monotonic part
	inv := &invocation.Invocation{
		ID: invocation.NewID(now), Lane: invocation.Lane{Queue: i.Queue},
		Accepted: now, Since: now, Terms: &invocation.Terms{Source: from},
	}
	inv.CallID = r.Header.Get(invocation.HeaderCallID)
	if len(inv.CallID) > maxCallID {
		return nil, respond.Refuse(invocation.HeaderCallID+" is too long", "at most "+strconv.Itoa(maxCallID)+" bytes")
	}
	if inv.CallID == "" {
		inv.CallID = inv.ID.String()
		r.Header.Set(invocation.HeaderCallID, inv.CallID)
	}
	started := strconv.FormatInt(now.UnixNano(), 10)
	r.Header.Add(invocation.HeaderStartTime, started)
	w.Header().Set(invocation.HeaderStartTime, started)
	return inv, nil
}

// readCallback checks the URL for the result as far as the gateway does.
func readCallback(h http.Header) (*url.URL, error) {
	raw := h.Get(invocation.HeaderCallbackURL)
	if raw == "" {
		return nil, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, respond.Refuse(invocation.HeaderCallbackURL+" is not a URL", "a URL such as http://gateway:8080/function/next")
	}
	return u, nil
}

// restOf is the path behind the first two segments, as it was written: "", "/" or
// "/rest". The mailbox has none.
func restOf(u *url.URL) string {
	rest := u.EscapedPath()
	for range 2 {
		n := strings.IndexByte(rest[1:], '/')
		if n < 0 {
			return ""
		}
		rest = rest[1+n:]
	}
	return rest
}

// PathProblem is why a path below a function cannot be called, and nil when it can.
func PathProblem(u *url.URL) *respond.Problem {
	rest := restOf(u)
	if rest == "" {
		return nil
	}
	if _, _, err := invocation.SafePath(rest); err != nil {
		return respond.Refuse(err.Error(), "the gateway cannot carry it to the function; send the value in the query or in the body")
	}
	return nil
}

// finish reads the body and accepts the invocation. The invocation is accepted when
// the body is there; last gives it what depends on that moment.
func (i *Ingest) finish(w http.ResponseWriter, r *http.Request, inv *invocation.Invocation, head types.QueueRequest, key *keyed, last func(*invocation.Invocation)) error {
	var also io.Writer
	if key != nil {
		also = key.digest
	}
	e, u, err := i.encode(w, r, head, also)
	if err != nil {
		u.release()
		return err
	}
	inv.Accepted = time.Now().Round(0)
	inv.Since = inv.Accepted
	last(inv)
	s := submission{inv: inv, release: u.release}
	if key != nil {
		s.key = key.done(inv.Accepted.Add(i.Window))
	}
	if s.raw, err = e.Finish(i.envelope(inv)); err != nil {
		u.release()
		return err
	}
	_, err = i.confirm(w, r, s)
	return err
}

// envelope is what travels with an invocation through the queue; a store keeps it
// beside the bytes anyway.
func (i *Ingest) envelope(inv *invocation.Invocation) *invocation.Envelope {
	if i.durable {
		return nil
	}
	e := invocation.EnvelopeOf(inv)
	return &e
}

// keyed is an Idempotency-Key whose content is being read.
type keyed struct {
	key    store.Key
	digest hash.Hash
}

// readKey reads the key; nil when there is none. A key belongs to its function. A request is a repetition
// only when it has the same path, query, content type and body, and the same sender.
func (i *Ingest) readKey(r *http.Request, inv *invocation.Invocation, head types.QueueRequest) (*keyed, error) {
	hint := "from 1 to " + strconv.Itoa(invocation.MaxIdempotencyKey) + " bytes, such as a UUID"
	value, there, err := field(r.Header, wire.HeaderIdempotencyKey, hint)
	if err != nil || !there || i.Window == 0 {
		return nil, err
	}
	if value == "" || len(value) > invocation.MaxIdempotencyKey {
		return nil, respond.Refuse(wire.HeaderIdempotencyKey+" has a wrong length", hint)
	}
	k := &keyed{digest: invocation.ContentDigest(head.Path, head.QueryString, r.Header.Get("Content-Type"))}
	k.key.Hash = invocation.KeyHash(inv.Lane.Name, value)
	k.key.Sender = invocation.SenderDigest(r.Method, r.Header)
	return k, nil
}

// done is the key when all of the content has been read.
func (k *keyed) done(expires time.Time) *store.Key {
	k.digest.Sum(k.key.Payload[:0])
	k.key.Expires = expires
	return &k.key
}
