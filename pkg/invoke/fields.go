// File fields.go has the header of a request as a list. A small request is written from the list; a map is made of it
// for net/http only.

package invoke

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// field is a header field with one value. A field with several values stands in a list several times.
type field struct{ name, value string }

// fields are a header. The values of one name are in their order; names have none.
type fields []field

var (
	errFields      = fmt.Errorf("the header has more than %d fields", maxFields)
	errHeaderBytes = fmt.Errorf("the header is longer than %d bytes", maxHeaderBytes)
	errFieldName   = errors.New("the header has a field with an illegal name")
)

// pass appends the fields of a stored header that the function pass would copy. It fails on an illegal name, also of a
// field without values.
func (f fields) pass(h http.Header, ours []string) (_ fields, err error) {
	drop := named(h)
	for name, values := range h {
		if !passes(name, drop, ours) {
			continue
		}
		if !httpguts.ValidHeaderFieldName(name) {
			err = errFieldName
		}
		for _, v := range values {
			f = append(f, field{name, v})
		}
	}
	return f, err
}

// bounded checks a caller's header against the limits.
func (f fields) bounded() error {
	if len(f) > maxFields {
		return errFields
	}
	size := 0
	for _, x := range f {
		size += len(x.name) + len(x.value) + fieldOverhead
	}
	if size > maxHeaderBytes {
		return errHeaderBytes
	}
	return nil
}

// isBlank reports whether a field is missing or its first value is empty; what surrounds a value is not sent.
func (f fields) isBlank(name string) bool {
	for _, x := range f {
		if x.name == name {
			return strings.TrimSpace(x.value) == ""
		}
	}
	return true
}

// remove takes a field out, with all its values.
func (f fields) remove(name string) fields {
	return slices.DeleteFunc(f, func(x field) bool { return x.name == name })
}

// set gives a field one value in place of those that it has.
func (f fields) set(name, value string) fields { return append(f.remove(name), field{name, value}) }

// check reports values that cannot be written: net/http would refuse them too, but with an error that looks like one
// of the network.
func (f fields) check() error {
	for _, x := range f {
		if !httpguts.ValidHeaderFieldValue(x.value) {
			return fmt.Errorf("the header field %.64s has an illegal value", x.name)
		}
	}
	return nil
}

// makeUnreplayable spells the fields so that net/http does not know them by which it takes a POST for idempotent. It
// would send such a request again, without a word, when the connection breaks after the function may have been called;
// an attempt is counted here, and only here. Names mean the same in any case (RFC 9110, 5.1).
func (f fields) makeUnreplayable() {
	for i := range f {
		switch f[i].name {
		case HeaderIdempotencyKey:
			f[i].name = "idempotency-key"
		case "X-Idempotency-Key":
			f[i].name = "x-idempotency-key"
		}
	}
}

// header is the list as net/http has it.
func (f fields) header() http.Header {
	h := make(http.Header, len(f))
	for _, x := range f {
		h[x.name] = append(h[x.name], x.value)
	}
	return h
}
