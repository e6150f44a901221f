// File producer.go has the callback producer, POST /queue/producer: a message is posted to
// a URL until that answers 2xx.

package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/trace"
	"queue-worker/pkg/wire"
)

const hintOrder = `send {"message": "text", "callback_url": "http://host/path"}`

// Produce accepts a message for a URL.
func (i *Ingest) Produce(w http.ResponseWriter, r *http.Request) error {
	return i.accept(w, r, i.produce)
}

func (i *Ingest) produce(w http.ResponseWriter, r *http.Request) error {
	most := r.ContentLength
	if most < 0 {
		most = i.MaxBytes
	}
	u := i.begin(w, r, 4*most)
	o, err := readOrder(u)
	if err != nil {
		u.release()
		return err
	}
	s, span, err := i.deliveryOf(w, r, o)
	if err != nil {
		u.release()
		return err
	}
	s.release = u.release
	got, err := i.confirm(w, r, s)
	span.End(got.id.String(), err)
	if err != nil {
		return err
	}
	return respond.JSON(w, http.StatusAccepted, []wire.Produced{{ID: got.id.String(), URL: *o.CallbackURL, Msg: *o.Message}})
}

// fourfold is a buffer that takes memory for four times what is written to it.
type fourfold struct {
	to *bytes.Buffer
	u  *upload
}

func (f fourfold) Write(p []byte) (int, error) {
	if err := f.u.take(4 * int64(len(p))); err != nil {
		return 0, err
	}
	return f.to.Write(p)
}

// readOrder reads the request. It is in memory several times over, as JSON, as
// text, as JSON again and as base64, for which there has to be memory.
func readOrder(u *upload) (o wire.ProducerRequest, err error) {
	var b bytes.Buffer
	if err := u.copyTo(func() (io.Writer, error) { return fourfold{&b, u}, nil }); err != nil {
		return o, bodyProblem(err)
	}
	if err := json.Unmarshal(b.Bytes(), &o); err != nil {
		return o, orderProblem(err)
	}
	if o.Message == nil || o.CallbackURL == nil {
		return o, respond.Refuse("message or callback_url is missing", hintOrder)
	}
	return o, nil
}

// orderProblem distinguishes invalid JSON from a value of a wrong type.
func orderProblem(err error) *respond.Problem {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && (wrong.Field == "message" || wrong.Field == "callback_url") {
		return respond.Refuse(wrong.Field+" is not a string", hintOrder)
	}
	return respond.Refuse("the body is not a JSON object", hintOrder)
}

// deliveryOf makes an invocation that posts the message, and begins its span.
func (i *Ingest) deliveryOf(w http.ResponseWriter, r *http.Request, o wire.ProducerRequest) (s submission, span *trace.Accept, err error) {
	u, err := i.CheckURL(*o.CallbackURL)
	if err != nil {
		return s, nil, respond.Refuse("callback_url: "+err.Error(), "an http or https URL of a host that callback_policy allows")
	}
	inv, err := i.identify(w, r, invocation.SourceProducer)
	if err != nil {
		return s, nil, err
	}
	inv.Kind, inv.URL, inv.Lane.Name = invocation.KindCallback, u.String(), invocation.CallbackLane(u)
	body, err := respond.Encode(wire.Delivery{Message: *o.Message})
	if err != nil {
		return s, nil, err
	}
	body = body[:len(body)-1] // the line end
	header := http.Header{"Content-Type": {"application/json"}, invocation.HeaderCallID: {inv.CallID}}
	span = i.Tracer.AcceptFor(inv, r.Header, header)
	defer func() {
		if err != nil {
			span.End("", err)
		}
	}()
	e, err := invocation.NewEncoder(types.QueueRequest{Method: http.MethodPost, Header: header}, int64(len(body)), true, nil)
	if err != nil {
		return s, span, err
	}
	if _, err := e.Write(body); err != nil {
		return s, span, err
	}
	env := invocation.EnvelopeOf(inv) // always: without it, this would be a call of no function
	raw, err := e.Finish(&env)
	return submission{inv: inv, raw: raw}, span, err
}
