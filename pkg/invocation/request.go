package invocation

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Header names that this program reads or sets.
const (
	HeaderCallID      = "X-Call-Id"
	HeaderCallbackURL = "X-Callback-Url"
	HeaderStartTime   = "X-Start-Time"
)

// Request is a decoded QueueRequest: what the gateway published, without the
// fields that the worker does not need. Its body stays where it was, in the
// bytes given to Decode.
type Request struct {
	Header      http.Header // keys in canonical form
	Path        string      // after the function's name: "", "/" or "/rest"
	QueryString string      // raw, without the "?" before it
	Function    string      // as the caller named it, without surrounding slashes
	QueueName   string
	Annotations map[string]string
	// CallbackURL is where the result goes, "" for nowhere. The header wins over
	// the URL object, because the object has lost the credentials on the wire.
	CallbackURL string
	// Envelope came with a QueueRequest that this program published itself; nil for
	// the ones of gateways.
	Envelope *Envelope

	body []byte // base64, a part of the bytes given to Decode; or the plain body
	flat bool   // body is plain
	kept Kept   // instead of body; nil for none
}

// Errors that Decode wraps. Both mean that no retry can help.
var (
	ErrUndecodable = errors.New("not a QueueRequest")
	ErrNoFunction  = errors.New("no usable function name")
)

// lenient accepts what encoding/json accepts, since that is what publishers test against.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// Decode reads a QueueRequest in every form that gateways have published since
// 2021. Keys match in any case and unknown ones are passed over, as
// encoding/json does it. The returned request points into raw, which must not
// change while it is in use. On ErrNoFunction the request is returned too, so
// that its call id is known.
func Decode(raw []byte) (*Request, error) {
	r := &Request{}
	var callback *url.URL
	if !r.scan(raw, &callback) {
		*r, callback = Request{}, nil
		if err := r.walk(raw, &callback); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUndecodable, err)
		}
	}
	return r.finish(callback)
}

// finish checks what was read and derives the rest. callback is the URL object, nil for none.
func (r *Request) finish(callback *url.URL) (*Request, error) {
	r.Header = canonical(r.Header)
	r.CallbackURL = r.Header.Get(HeaderCallbackURL)
	if r.CallbackURL == "" && callback != nil {
		callback.User = nil // what is left of it is an empty object
		r.CallbackURL = callback.String()
	}
	r.Function = strings.Trim(r.Function, "/")
	if r.Envelope != nil && r.Envelope.Kind == KindCallback {
		return r, nil // it calls a URL, and may carry no function's result
	}
	if !ValidName(r.Function) {
		return r, ErrNoFunction
	}
	return r, nil
}

// CallID is the caller's X-Call-Id, "" when there was none.
func (r *Request) CallID() string { return r.Header.Get(HeaderCallID) }

// canonical brings header names into the form that net/http looks for.
func canonical(h http.Header) http.Header {
	for k := range h {
		if http.CanonicalHeaderKey(k) != k {
			c := make(http.Header, len(h))
			for k, v := range h {
				k = http.CanonicalHeaderKey(k)
				c[k] = append(c[k], v...)
			}
			return c
		}
	}
	return h
}
