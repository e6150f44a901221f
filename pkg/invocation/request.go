package invocation

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/openfaas/faas-provider/types"
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

// walk goes once over the top level of raw and fills r.
func (r *Request) walk(raw []byte, callback **url.URL) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(raw), lenient)
	if t, err := d.ReadToken(); err != nil {
		return err
	} else if t.Kind() != '{' {
		return fmt.Errorf("a JSON object is expected, not %s", t.Kind())
	}
	var x exact
	for d.PeekKind() == '"' {
		t, err := d.ReadToken()
		if err != nil {
			return err
		}
		f := fieldOf(t.String())
		if f == fieldHeader && d.PeekKind() == '{' {
			if err := r.readHeader(d); err != nil {
				return fmt.Errorf("header: %w", err)
			}
			continue
		}
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		if f == fieldBody { // its place in raw, not where the decoder may have put it
			end := int(d.InputOffset())
			value = raw[end-len(value) : end]
		}
		if f == fieldExact {
			err = x.read(value)
		} else {
			err = r.set(f, value, callback)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	x.apply(r)
	return nil
}

// field is a top-level key that means something here.
type field string

const (
	fieldHeader      field = "Header"
	fieldBody        field = "Body"
	fieldPath        field = "Path"
	fieldQueryString field = "QueryString"
	fieldFunction    field = "Function"
	fieldQueueName   field = "QueueName"
	fieldAnnotations field = "Annotations"
	fieldCallbackURL field = "CallbackUrl"
	fieldEnvelope    field = EnvelopeKey
	fieldExact       field = ExactKey
)

var fields = []field{
	fieldHeader, fieldBody, fieldPath, fieldQueryString, fieldFunction, fieldQueueName, fieldAnnotations, fieldCallbackURL, fieldEnvelope, fieldExact,
}

// fieldOf finds a key, in any case.
func fieldOf(name string) field {
	for _, f := range fields {
		if len(name) == len(f) && strings.EqualFold(name, string(f)) {
			return f
		}
	}
	return ""
}

// readHeader reads the header in place: it is the larger part of most messages.
// Keys that come twice are joined, as encoding/json does it with a map.
func (r *Request) readHeader(d *jsontext.Decoder) error {
	if _, err := d.ReadToken(); err != nil { // {
		return err
	}
	if r.Header == nil {
		r.Header = make(http.Header, 8)
	}
	room := make([]string, 0, 16) // for the values of most headers, in one piece
	for d.PeekKind() == '"' {
		t, err := d.ReadToken()
		if err != nil {
			return err
		}
		key := t.String()
		values, err := readStrings(d, room[len(room):len(room):cap(room)])
		if err != nil {
			return err
		}
		r.Header[key] = values[:len(values):len(values)]
		if n := len(room) + len(values); n <= cap(room) {
			room = room[:n] // beyond it, append has found another place
		}
	}
	_, err := d.ReadToken() // }
	return err
}

// readStrings appends a list of strings to list, which is empty; null is none,
// and "" inside the list.
func readStrings(d *jsontext.Decoder, list []string) ([]string, error) {
	t, err := d.ReadToken()
	if err != nil || t.Kind() == 'n' {
		return nil, err
	}
	if t.Kind() != '[' {
		return nil, fmt.Errorf("a list of values is expected, not %s", t.Kind())
	}
	for {
		switch t, err = d.ReadToken(); {
		case err != nil:
			return nil, err
		case t.Kind() == '"':
			list = append(list, t.String())
		case t.Kind() == 'n':
			list = append(list, "")
		case t.Kind() == ']':
			return list, nil
		default:
			return nil, fmt.Errorf("a value is a string, not %s", t.Kind())
		}
	}
}

// withoutMark removes the question marks before a query. Some publishers write one, and the Community worker removes
// them too.
func withoutMark(query string) string { return strings.TrimLeft(query, "?") }

// set takes one top-level value.
func (r *Request) set(f field, value jsontext.Value, callback **url.URL) error {
	switch f {
	case fieldBody:
		return r.setBody(value)
	case fieldPath:
		return setString(&r.Path, value)
	case fieldQueryString:
		err := setString(&r.QueryString, value)
		r.QueryString = withoutMark(r.QueryString)
		return err
	case fieldFunction:
		return setString(&r.Function, value)
	case fieldQueueName:
		return setString(&r.QueueName, value)
	default: // below, where null is one for all
	}
	if value.Kind() == 'n' {
		return nil
	}
	switch f {
	case fieldHeader:
		return fmt.Errorf("an object is expected, not %s", value.Kind())
	case fieldAnnotations:
		return json.Unmarshal(value, &r.Annotations, lenient)
	case fieldCallbackURL:
		return setCallback(value, callback)
	case fieldEnvelope:
		r.Envelope = &Envelope{}
		return r.Envelope.UnmarshalJSON(value)
	default:
		return nil
	}
}

// setString takes a string; null leaves what is there.
func setString(to *string, value jsontext.Value) error {
	switch value.Kind() {
	case 'n':
		return nil
	case '"':
		b, err := jsontext.AppendUnquote(nil, value)
		*to = string(b)
		if err != nil && !utf8.Valid(value) {
			err = nil // invalid UTF-8 was replaced, as encoding/json does it
		}
		return err
	default:
		return fmt.Errorf("a string is expected, not %s", value.Kind())
	}
}

// setCallback takes the URL object of the gateway, and a plain string too.
func setCallback(value jsontext.Value, callback **url.URL) error {
	var u url.URL
	if value.Kind() == '"' {
		var s string
		if err := json.Unmarshal(value, &s, lenient); err != nil {
			return err
		}
		p, err := url.Parse(s)
		if err != nil {
			return errors.New("not a URL") // the error of net/url repeats the URL, credentials and all
		}
		u = *p
	} else if err := stdjson.Unmarshal(value, &u); err != nil {
		return err
	}
	if u.Host != "" || u.Opaque != "" {
		*callback = &u
	}
	return nil
}

// setBody keeps the body where it is when it is base64 without escapes, which
// is what encoding/json writes, and decodes any other form.
func (r *Request) setBody(value []byte) error {
	if len(value) >= 2 && value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
		b := value[1 : len(value)-1]
		if !isBase64(b) {
			return errors.New("not base64")
		}
		r.body, r.flat = b, false
		return nil
	}
	var plain []byte
	if err := stdjson.Unmarshal(value, &plain); err != nil {
		return errors.New("not base64")
	}
	r.body, r.flat = plain, true
	return nil
}

// isBase64 reports whether b is whole, padded standard base64.
func isBase64(b []byte) bool {
	if len(b)%4 != 0 {
		return false
	}
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("=")), []byte("="))
	for _, c := range b {
		if !base64Alphabet[c] {
			return false
		}
	}
	return true
}

var base64Alphabet = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = true
	}
	return t
}()

// CallID is the caller's X-Call-Id, "" when there was none.
func (r *Request) CallID() string { return r.Header.Get(HeaderCallID) }

// BodyLen is the length of the decoded body in bytes.
func (r *Request) BodyLen() int64 {
	switch {
	case r.kept != nil:
		return r.kept.Size()
	case r.flat:
		return int64(len(r.body))
	}
	n := int64(len(r.body) / 4 * 3)
	for i := len(r.body); i > 0 && r.body[i-1] == '='; i-- {
		n--
	}
	return n
}

// Body streams the decoded body: each read decodes straight from the bytes given to Decode into
// the reader's buffer. Every call begins at the start.
func (r *Request) Body() io.Reader {
	switch {
	case r.kept != nil:
		return r.kept.Reader()
	case r.flat:
		return bytes.NewReader(r.body)
	}
	return &bodyReader{rest: r.body}
}

// Kept is a decoded body that is kept elsewhere. Each reader begins at the start.
type Kept interface {
	Size() int64
	Reader() io.Reader
}

// Keep takes the body from elsewhere. The request then needs the bytes given to Decode no more.
func (r *Request) Keep(body Kept) { r.kept, r.body = body, nil }

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

// EncodeCallbackFrom is EncodeCallback for a body of size bytes that writes itself.
func EncodeCallbackFrom(function string, h http.Header, size int64, body io.WriterTo) ([]byte, error) {
	e, err := NewEncoder(types.QueueRequest{Method: http.MethodPost, Function: function, Header: h}, size, true, nil)
	if err != nil {
		return nil, err
	}
	if _, err := body.WriteTo(e); err != nil {
		return nil, err
	}
	return e.Finish(nil)
}

// EncodeCallback makes the bytes of a callback: a QueueRequest whose header and
// body are what will be posted. Its target is not in it, because Invocation.URL
// holds that.
func EncodeCallback(function string, h http.Header, body []byte) ([]byte, error) {
	return encodeJSON(types.QueueRequest{Method: http.MethodPost, Function: function, Header: h, Body: body})
}
