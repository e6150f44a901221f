// File record.go encodes records and index values.

package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"queue-worker/pkg/invocation"
)

// recordWriter writes records: msgpack maps without the fields that are empty.
// Doing it by hand costs a quarter of what reflection does; a test holds that no
// field of an invocation is forgotten.
type recordWriter struct {
	buf bytes.Buffer
	enc *msgpack.Encoder
	n   uint16 // fields
}

var recordWriters = sync.Pool{New: func() any {
	w := &recordWriter{}
	w.enc = msgpack.NewEncoder(&w.buf)
	return w
}}

// map16 begins a map of up to 65535 fields, whose number follows in two bytes.
const map16 = 0xde

// encodeRecord writes everything about an invocation but its ID, which is its key.
func encodeRecord(inv *invocation.Invocation) []byte {
	w := recordWriters.Get().(*recordWriter)
	defer recordWriters.Put(w)
	return bytes.Clone(w.write(inv))
}

// encodeInline writes a record with its QueueRequest behind it; see splitRecord.
func encodeInline(inv *invocation.Invocation, raw []byte) []byte {
	w := recordWriters.Get().(*recordWriter)
	defer recordWriters.Put(w)
	record := w.write(inv)
	b := make([]byte, 0, 1+binary.MaxVarintLen32+len(record)+len(raw))
	b = binary.AppendUvarint(append(b, inlineForm), uint64(len(record)))
	return append(append(b, record...), raw...)
}

// inlineForm begins a record that is followed by its QueueRequest. No record by itself
// begins with it.
const inlineForm = 0x01

// splitRecord takes the value of a record's key apart:
//
//	record                                       the QueueRequest has a key of its own
//	inlineForm, length of record, record, raw    raw is the QueueRequest
//
// raw is nil in the first form only.
func splitRecord(v []byte) (record, raw []byte, err error) {
	if len(v) == 0 || v[0] != inlineForm {
		return v, nil, nil
	}
	size, n := binary.Uvarint(v[1:])
	if n <= 0 || size > uint64(len(v)-1-n) { // #nosec G115 -- n is at most the rest of v
		return nil, nil, errBadKey
	}
	v = v[1+n:]
	return v[:size:size], v[size:], nil
}

// write encodes a record into the writer's memory.
func (w *recordWriter) write(inv *invocation.Invocation) []byte {
	w.buf.Reset()
	w.n = 0
	w.buf.Write([]byte{map16, 0, 0})
	w.text("c", inv.CallID)
	w.number("k", int(inv.Kind))
	w.lane("l", inv.Lane)
	w.text("f", inv.Function)
	w.text("u", inv.URL)
	if !inv.Origin.IsZero() {
		w.text("o", inv.Origin.String())
	}
	w.time("t", inv.Accepted)
	w.number("z", inv.Size)
	w.number("s", int(inv.State))
	w.time("q", inv.Since)
	w.number("r", inv.Retries)
	if len(inv.Attempts) > 0 {
		w.name("a")
		must(w.enc.Encode(inv.Attempts))
	}
	w.number("m", inv.Omitted)
	w.number("x", inv.Crashes)
	w.number("p", inv.Replays)
	if inv.Terms != nil {
		w.name("b")
		must(w.enc.Encode(inv.Terms))
	}
	if inv.Trace != nil {
		w.name("j")
		must(w.enc.Encode(inv.Trace))
	}
	w.text("w", string(inv.Reason))
	w.text("e", inv.Detail)
	w.time("d", inv.DiedAt)
	b := w.buf.Bytes()
	binary.BigEndian.PutUint16(b[1:], w.n)
	return b
}

func (w *recordWriter) name(key string) {
	w.n++
	must(w.enc.EncodeString(key))
}

func (w *recordWriter) text(key, v string) {
	if v != "" {
		w.name(key)
		must(w.enc.EncodeString(v))
	}
}

func (w *recordWriter) number(key string, v int) {
	if v != 0 {
		w.name(key)
		must(w.enc.EncodeInt(int64(v)))
	}
}

func (w *recordWriter) time(key string, v time.Time) {
	if !v.IsZero() {
		w.name(key)
		must(w.enc.EncodeTime(v))
	}
}

func (w *recordWriter) lane(key string, l invocation.Lane) {
	w.name(key)
	must(w.enc.EncodeMapLen(2))
	must(w.enc.EncodeString("q"))
	must(w.enc.EncodeString(l.Queue))
	must(w.enc.EncodeString("n"))
	must(w.enc.EncodeString(l.Name))
}

// must panics because writing to memory gives no error, and msgpack has none for
// our own types.
func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("store: encode: %v", err))
	}
}

// decodeRecord reads the value of a record's key, in either form.
func decodeRecord(id invocation.ID, v []byte) (*invocation.Invocation, error) {
	inv, _, err := decodeWhole(id, v)
	return inv, err
}

// decodeWhole is decodeRecord with the QueueRequest; nil when it has a key of its own.
func decodeWhole(id invocation.ID, v []byte) (inv *invocation.Invocation, raw []byte, err error) {
	record, raw, err := splitRecord(v)
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

// readyValue and delayedValue are the values of the other two indexes.
func readyValue(size int, from invocation.Source) []byte {
	return appendSource(binary.AppendUvarint(nil, uint64(size)), from) // #nosec G115 -- a length
}

func delayedValue(size int, l invocation.Lane, from invocation.Source) []byte {
	b := laneText(binary.AppendUvarint(nil, uint64(size)), l) // #nosec G115 -- a length
	if from == invocation.SourceGateway {
		return b
	}
	return appendSource(append(b, 0), from)
}

// appendSource writes nothing for the source of most.
func appendSource(b []byte, from invocation.Source) []byte {
	if from == invocation.SourceGateway {
		return b
	}
	return append(b, byte(from))
}

func parseReadyValue(b []byte) (size int, from invocation.Source, err error) {
	size, rest, err := parseSize(b)
	if len(rest) > 0 {
		from = invocation.Source(rest[0])
	}
	return size, from, err
}

func parseDelayedValue(b []byte) (size int, l invocation.Lane, from invocation.Source, err error) {
	size, rest, err := parseSize(b)
	if err != nil {
		return 0, l, from, err
	}
	queue, rest, ok := bytes.Cut(rest, nul)
	if !ok {
		return 0, l, from, errBadKey
	}
	name, rest, _ := bytes.Cut(rest, nul)
	if len(rest) > 0 {
		from = invocation.Source(rest[0])
	}
	return size, invocation.Lane{Queue: string(queue), Name: string(name)}, from, nil
}

var nul = []byte{0}

// parseSize reads the size that begins a value and returns what follows it.
func parseSize(b []byte) (size int, rest []byte, err error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > 1<<40 {
		return 0, nil, errBadKey
	}
	return int(v), b[n:], nil
}
