// File head.go writes what stands before the body of a small request.

package invoke

import (
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// head is the request line and the header of a small request.
type head struct {
	uri    string // of the request line, checked
	host   string
	fields fields // checked
}

// heads holds the memory of headers.
var heads = sync.Pool{New: func() any { return &head{fields: make(fields, 0, 24)} }}

// maxKeptFields bounds the memory that is kept for a header, in fields.
const maxKeptFields = 256

// free gives h back, without what it has of a message.
func (h *head) free() {
	clear(h.fields)
	if cap(h.fields) <= maxKeptFields {
		*h = head{fields: h.fields[:0]}
		heads.Put(h)
	}
}

// appendTo appends h to b, byte for byte as net/http would send it before a body of so many bytes.
func (h *head) appendTo(b []byte, body int64) []byte {
	slices.SortStableFunc(h.fields, func(x, y field) int { return strings.Compare(x.name, y.name) })
	b = append(b, "POST "...)
	b = append(b, h.uri...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, h.host...)
	if i := slices.IndexFunc(h.fields, isUserAgent); i >= 0 {
		b = appendField(b, h.fields[i]) // net/http sends the first value alone
	}
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, body, 10)
	for _, f := range h.fields {
		if !isUserAgent(f) {
			b = appendField(b, f)
		}
	}
	return append(b, "\r\n\r\n"...)
}

func isUserAgent(f field) bool { return f.name == "User-Agent" }

func appendField(b []byte, f field) []byte {
	b = append(b, "\r\n"...)
	b = append(b, f.name...)
	b = append(b, ": "...)
	return append(b, textproto.TrimString(f.value)...)
}
