// File result.go encodes results.

package record

import (
	"fmt"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// result is a result as it is written; its body is stored beside it.
type result struct {
	Record    []byte              `msgpack:"i"`
	Outcome   invocation.Outcome  `msgpack:"o"`
	Status    int                 `msgpack:"s,omitempty"`
	Header    map[string][]string `msgpack:"h,omitempty"`
	Body      int                 `msgpack:"b,omitempty"` // its length
	Truncated bool                `msgpack:"t,omitempty"`
	At        time.Time           `msgpack:"a"`
	Expires   time.Time           `msgpack:"x"`
}

// EncodeResult writes a result, but for its body. The answer that the invocation kept is not in it: it is
// erased with the invocation.
func EncodeResult(r *store.Result) []byte {
	inv := *r.Inv
	inv.Answer = nil
	b, err := msgpack.Marshal(&result{
		Record: Encode(&inv), Outcome: r.Outcome, Status: r.Status, Header: r.Header, Body: len(r.Body),
		Truncated: r.Truncated, At: r.At, Expires: r.Expires,
	})
	must(err)
	return b
}

// DecodeResult reads a result and the length of its body.
func DecodeResult(id invocation.ID, b []byte) (r *store.Result, body int, err error) {
	var x result
	if err := msgpack.Unmarshal(b, &x); err != nil {
		return nil, 0, fmt.Errorf("result of %s: %w", id, err)
	}
	inv, err := Decode(id, x.Record)
	if err != nil {
		return nil, 0, fmt.Errorf("result: %w", err)
	}
	return &store.Result{
		Inv: inv, Outcome: x.Outcome, Status: x.Status, Header: x.Header, Truncated: x.Truncated, At: x.At, Expires: x.Expires,
	}, x.Body, nil
}
