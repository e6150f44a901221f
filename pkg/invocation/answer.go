// File answer.go has the answer of a function that is kept with its invocation.

package invocation

import "time"

// Bounds of an answer that is kept with its invocation, in bytes.
const (
	MaxAnswerBody = 4 << 10
	MaxAnswerType = 256
)

// Answer is the latest answer of a function, as far as it is kept while the invocation is retried or
// dead. It is never in a log, a metric, a trace or a listing.
type Answer struct {
	At        time.Time `msgpack:"a"` // when its call began
	Status    int       `msgpack:"s"`
	Type      string    `msgpack:"t,omitempty"` // its Content-Type, in valid UTF-8
	Body      []byte    `msgpack:"b,omitempty"` // at most MaxAnswerBody bytes of its body
	Truncated bool      `msgpack:"c,omitempty"` // its body is longer
}

// StoredBytes is what an invocation counts in the store: its QueueRequest and its answer.
func (i *Invocation) StoredBytes() int {
	if i.Answer == nil {
		return i.Size
	}
	return i.Size + len(i.Answer.Type) + len(i.Answer.Body)
}
