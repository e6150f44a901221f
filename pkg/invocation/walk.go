// File walk.go reads a QueueRequest of any form, field by field. scan.go reads the gateway's own form.

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
)

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
