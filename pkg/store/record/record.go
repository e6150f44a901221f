// Package record has the encoding of what a store keeps of an invocation: its record, its entry
// in the index of the dead set, and its result. All engines write the same.
package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"queue-worker/pkg/invocation"
)

// writer writes records: msgpack maps without the fields that are empty.
// Doing it by hand costs a quarter of what reflection does; a test holds that no
// field of an invocation is forgotten.
type writer struct {
	buf bytes.Buffer
	enc *msgpack.Encoder
	n   uint16 // fields
}

var writers = sync.Pool{New: func() any {
	w := &writer{}
	w.enc = msgpack.NewEncoder(&w.buf)
	return w
}}

// map16 begins a map of up to 65535 fields, whose number follows in two bytes.
const map16 = 0xde

// Encode writes everything about an invocation but its ID, which is its key.
func Encode(inv *invocation.Invocation) []byte {
	w := writers.Get().(*writer)
	defer writers.Put(w)
	return bytes.Clone(w.write(inv))
}

// write encodes a record into the writer's memory.
func (w *writer) write(inv *invocation.Invocation) []byte {
	w.buf.Reset()
	w.n = 0
	w.buf.Write([]byte{map16, 0, 0})
	w.text("c", inv.CallID)
	w.number("k", int(inv.Kind))
	w.lane("l", inv.Lane)
	w.text("f", inv.Function)
	w.text("u", inv.URL)
	w.id("o", inv.Origin)
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
	if inv.Answer != nil {
		w.name("g")
		must(w.enc.Encode(inv.Answer))
	}
	w.id("n", inv.Job)
	w.number("h", inv.Sequence)
	if inv.Superseded {
		w.name("v")
		must(w.enc.EncodeBool(true))
	}
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

func (w *writer) name(key string) {
	w.n++
	must(w.enc.EncodeString(key))
}

func (w *writer) text(key, v string) {
	if v != "" {
		w.name(key)
		must(w.enc.EncodeString(v))
	}
}

func (w *writer) id(key string, v invocation.ID) {
	if !v.IsZero() {
		w.text(key, v.String())
	}
}

func (w *writer) number(key string, v int) {
	if v != 0 {
		w.name(key)
		must(w.enc.EncodeInt(int64(v)))
	}
}

func (w *writer) time(key string, v time.Time) {
	if !v.IsZero() {
		w.name(key)
		must(w.enc.EncodeTime(v))
	}
}

func (w *writer) lane(key string, l invocation.Lane) {
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

// Decode reads the value of a record's key, in either form.
func Decode(id invocation.ID, v []byte) (*invocation.Invocation, error) {
	inv, _, err := DecodeInline(id, v)
	return inv, err
}
