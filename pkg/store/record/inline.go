// File inline.go has the records that are followed by their QueueRequest.

package record

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"

	"queue-worker/pkg/invocation"
)

// EncodeInline writes a record with its QueueRequest behind it; see Split.
func EncodeInline(inv *invocation.Invocation, raw []byte) []byte {
	w := writers.Get().(*writer)
	defer writers.Put(w)
	record := w.write(inv)
	b := make([]byte, 0, 1+binary.MaxVarintLen32+len(record)+len(raw))
	b = binary.AppendUvarint(append(b, InlineForm), uint64(len(record)))
	return append(append(b, record...), raw...)
}

// InlineForm begins a record that is followed by its QueueRequest. No record by itself
// begins with it.
const InlineForm = 0x01

// Split takes the value of a record's key apart:
//
//	record                                       the QueueRequest has a key of its own
//	InlineForm, length of record, record, raw    raw is the QueueRequest
//
// raw is nil in the first form only.
func Split(v []byte) (record, raw []byte, err error) {
	if len(v) == 0 || v[0] != InlineForm {
		return v, nil, nil
	}
	size, n := binary.Uvarint(v[1:])
	if n <= 0 || size > uint64(len(v)-1-n) { // #nosec G115 -- n is at most the rest of v
		return nil, nil, errNoRecord
	}
	v = v[1+n:]
	return v[:size:size], v[size:], nil
}

// DecodeInline is Decode with the QueueRequest; nil when it has a key of its own.
func DecodeInline(id invocation.ID, v []byte) (inv *invocation.Invocation, raw []byte, err error) {
	record, raw, err := Split(v)
	inv = &invocation.Invocation{}
	if err == nil {
		err = msgpack.Unmarshal(record, inv)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("record of %s: %w", id, err)
	}
	inv.ID = id
	return inv, raw, nil
}

var errNoRecord = errors.New("record of an unknown form")
