// File letter.go has the value of an index entry of the dead set.

package record

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"queue-worker/pkg/invocation"
)

// Letter is the value of an index entry of the dead set: enough to list, filter
// and count dead letters without reading their records.
type Letter struct {
	Queue    string            `msgpack:"q"`
	Name     string            `msgpack:"l"` // of the lane
	Reason   invocation.Reason `msgpack:"r"`
	Status   int               `msgpack:"s"`
	Size     int               `msgpack:"z"` // StoredBytes of the invocation
	Function string            `msgpack:"f,omitempty"`
	Replays  int               `msgpack:"p,omitempty"`
	// Superseded is 1 for a callback whose origin was replayed since it was written.
	Superseded int `msgpack:"v,omitempty"`
}

// LetterOf is the index entry of a dead invocation.
func LetterOf(inv *invocation.Invocation) Letter {
	superseded := 0
	if inv.Superseded {
		superseded = 1
	}
	return Letter{
		Superseded: superseded,
		Queue:      inv.Lane.Queue, Name: inv.Lane.Name, Reason: inv.Reason,
		Status: inv.LastStatus(), Size: inv.StoredBytes(), Function: inv.Function, Replays: inv.Replays,
	}
}

// Invocation is what a letter alone says of a dead invocation.
func (l Letter) Invocation(id invocation.ID, died time.Time) *invocation.Invocation {
	return &invocation.Invocation{
		ID: id, Lane: l.Lane(), Function: l.Function, Size: l.Size, State: invocation.Dead, Replays: l.Replays, Superseded: l.Superseded > 0,
		Reason: l.Reason, DiedAt: died, Detail: "its record cannot be read; run the store check",
	}
}

// Lane is the lane of the dead invocation.
func (l Letter) Lane() invocation.Lane { return invocation.Lane{Queue: l.Queue, Name: l.Name} }

// EncodeLetter encodes an index entry. DecodeLetter reads it.
func EncodeLetter(l Letter) []byte {
	b, err := msgpack.Marshal(l)
	must(err)
	return b
}

// DecodeLetter decodes an index entry.
func DecodeLetter(b []byte) (Letter, error) {
	if l, ok := readLetter(b); ok {
		return l, nil
	}
	var l Letter
	if err := msgpack.Unmarshal(b, &l); err != nil {
		return l, fmt.Errorf("index entry of a dead letter: %w", err)
	}
	return l, nil
}

// readLetter reads what EncodeLetter writes, at a fifth of what reflection costs:
// the dead set may hold millions. It leaves everything else to msgpack.
func readLetter(b []byte) (l Letter, ok bool) {
	if len(b) == 0 || b[0]&0xf0 != 0x80 { // a map of up to 15
		return l, false
	}
	r := reader{b[1:], true}
	for range b[0] & 0x0f {
		key := r.text()
		if len(key) != 1 {
			return l, false
		}
		switch key[0] {
		case 'q':
			l.Queue = string(r.text())
		case 'l':
			l.Name = string(r.text())
		case 'r':
			l.Reason = reasonOf(r.text())
		case 'f':
			if f := r.text(); string(f) == l.Name {
				l.Function = l.Name // as most are: one piece of memory
			} else {
				l.Function = string(f)
			}
		case 's':
			l.Status = r.number()
		case 'z':
			l.Size = r.number()
		case 'p':
			l.Replays = r.number()
		case 'v':
			l.Superseded = r.number()
		default:
			return l, false
		}
	}
	return l, r.ok && len(r.rest) == 0
}

var reasons = invocation.Reasons()

// reasonOf takes a reason from the closed set, where it is there, and makes no
// memory for it.
func reasonOf(b []byte) invocation.Reason {
	for _, r := range reasons {
		if string(b) == string(r) {
			return r
		}
	}
	return invocation.Reason(b)
}

// reader reads short texts and small numbers of msgpack.
type reader struct {
	rest []byte
	ok   bool // until something else was met
}

// take returns the next n bytes.
func (r *reader) take(n int) []byte {
	if len(r.rest) < n {
		r.ok, r.rest = false, nil
		return make([]byte, n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) text() []byte {
	switch c := r.take(1)[0]; {
	case c&0xe0 == 0xa0: // up to 31 bytes
		return r.take(int(c & 0x1f))
	case c == 0xd9: // up to 255
		return r.take(int(r.take(1)[0]))
	}
	r.ok = false
	return nil
}

func (r *reader) number() int {
	switch c := r.take(1)[0]; {
	case c < 0x80:
		return int(c)
	case c == 0xcc:
		return int(r.take(1)[0])
	case c == 0xcd:
		return int(binary.BigEndian.Uint16(r.take(2)))
	case c == 0xce:
		return int(binary.BigEndian.Uint32(r.take(4)))
	}
	r.ok = false
	return 0
}
