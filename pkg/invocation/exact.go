// File exact.go keeps the bytes of a header and a query that are not UTF-8, which JSON cannot hold.

package invocation

import (
	stdjson "encoding/json"
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/openfaas/faas-provider/types"
)

// ExactKey is the key of a QueueRequest under which header fields and the query stand a second time, in
// base64, when they are not UTF-8. No gateway writes it, and workers that do not know it pass it over.
const ExactKey = "QueueWorkerBytes"

// exact is what stands under ExactKey.
type exact struct {
	Header map[string][][]byte `json:"header,omitempty"` // all values of a field of which one is not UTF-8
	Query  []byte              `json:"query,omitempty"`
}

// withExact is a QueueRequest with what JSON would replace in it.
type withExact struct {
	types.QueueRequest
	Exact exact `json:"QueueWorkerBytes"`
}

// encodeJSON makes the JSON of a QueueRequest from which Decode reads the same bytes.
func encodeJSON(q types.QueueRequest) ([]byte, error) {
	if NotUTF8(q.Header, q.QueryString) == "" {
		return stdjson.Marshal(q)
	}
	x := exact{}
	if !utf8.ValidString(q.QueryString) {
		x.Query = []byte(q.QueryString)
	}
	for name, values := range q.Header {
		if validUTF8(values) {
			continue
		}
		if x.Header == nil {
			x.Header = map[string][][]byte{}
		}
		for _, v := range values {
			x.Header[name] = append(x.Header[name], []byte(v))
		}
	}
	return stdjson.Marshal(withExact{q, x})
}

// read reads the value of ExactKey.
func (x *exact) read(value []byte) error {
	if err := stdjson.Unmarshal(value, x); err != nil {
		return errors.New("not bytes in base64")
	}
	return nil
}

// apply puts the bytes where JSON has replaced some of them.
func (x *exact) apply(r *Request) {
	if len(x.Query) > 0 {
		r.QueryString = withoutMark(string(x.Query))
	}
	for name, values := range x.Header {
		if r.Header == nil {
			r.Header = http.Header{}
		}
		r.Header[name] = make([]string, 0, len(values))
		for _, v := range values {
			r.Header[name] = append(r.Header[name], string(v))
		}
	}
}

// NotUTF8 names what of a request is not UTF-8: the first such header field in the order of names, or
// "the query". It is "" when all is.
func NotUTF8(h http.Header, query string) (what string) {
	for name, values := range h {
		if !validUTF8(values) && (what == "" || name < what) {
			what = name
		}
	}
	if what == "" && !utf8.ValidString(query) {
		what = "the query"
	}
	return what
}

func validUTF8(values []string) bool {
	for _, v := range values {
		if !utf8.ValidString(v) {
			return false
		}
	}
	return true
}
