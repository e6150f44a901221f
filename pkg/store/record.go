package store

// How records and index values are written.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/vmihailenco/msgpack/v5"

	"queue-worker/pkg/invocation"
)

// letter is the value of an index entry of the dead set: enough to list, filter
// and count dead letters without reading their records.
type letter struct {
	Queue    string            `msgpack:"q"`
	Lane     string            `msgpack:"l"`
	Reason   invocation.Reason `msgpack:"r"`
	Status   int               `msgpack:"s"`
	Size     int               `msgpack:"z"`
	Function string            `msgpack:"f,omitempty"`
}

func letterOf(inv *invocation.Invocation) letter {
	return letter{
		Queue: inv.Lane.Queue, Lane: inv.Lane.Name, Reason: inv.Reason,
		Status: inv.LastStatus(), Size: inv.Size, Function: inv.Function,
	}
}

// invocation is what a letter alone tells of a dead invocation.
func (l letter) invocation(e entry) *invocation.Invocation {
	return &invocation.Invocation{
		ID: e.id, Lane: l.lane(), Function: l.Function, Size: l.Size, State: invocation.Dead,
		Reason: l.Reason, DiedAt: e.at, Detail: "its record cannot be read; run the store check",
	}
}

func (l letter) lane() invocation.Lane { return invocation.Lane{Queue: l.Queue, Name: l.Lane} }

// encoder is a msgpack encoder with the memory that it writes to.
type encoder struct {
	buf bytes.Buffer
	enc *msgpack.Encoder
}

var encoders = sync.Pool{New: func() any {
	e := &encoder{}
	e.enc = msgpack.NewEncoder(&e.buf)
	return e
}}

// encode panics on an error because msgpack has none to give for our own types.
func encode(v any) []byte {
	e := encoders.Get().(*encoder) //nolint:forcetypeassert // the pool holds nothing else
	defer encoders.Put(e)
	e.buf.Reset()
	if err := e.enc.Encode(v); err != nil {
		panic(fmt.Sprintf("store: encode %T: %v", v, err))
	}
	return bytes.Clone(e.buf.Bytes())
}

func decodeRecord(id invocation.ID, b []byte) (*invocation.Invocation, error) {
	inv := &invocation.Invocation{}
	if err := msgpack.Unmarshal(b, inv); err != nil {
		return nil, fmt.Errorf("record of %s: %w", id, err)
	}
	inv.ID = id
	return inv, nil
}

func decodeLetter(b []byte) (letter, error) {
	var l letter
	if err := msgpack.Unmarshal(b, &l); err != nil {
		return l, fmt.Errorf("index entry of a dead letter: %w", err)
	}
	return l, nil
}

// readyValue and delayedValue are the values of the other two indexes.
func readyValue(size int) []byte {
	return binary.AppendUvarint(nil, uint64(size)) // #nosec G115 -- a length
}

func delayedValue(size int, l invocation.Lane) []byte {
	return laneText(readyValue(size), l)
}

// parseSize reads the size that begins a value and returns what follows it.
func parseSize(b []byte) (size int, rest []byte, err error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > 1<<40 {
		return 0, nil, errBadKey
	}
	return int(v), b[n:], nil
}
