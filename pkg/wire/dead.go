// File dead.go has the documents of the dead set. message, topic-entity, retry-count and
// metadata are the keys of ziggurat, whose clients read them.

package wire

import (
	"net/http"
	"time"
)

// Letter is a dead letter.
type Letter struct {
	ID       string `json:"id"`
	CallID   string `json:"call_id"`
	Kind     string `json:"kind"`   // function or callback
	Source   string `json:"source"` // how it came in: gateway, http, mailbox or producer
	Queue    string `json:"queue"`
	Function string `json:"function"`         // as the caller named it; of a callback, whose result it carries
	Topic    string `json:"topic-entity"`     // the function's short name, or url:<host:port>
	Target   string `json:"target,omitempty"` // of a callback: scheme://host:port
	Origin   string `json:"origin,omitempty"` // of a callback: the id of the invocation whose result it carries
	// Sequence is the number of a callback among those of its origin; Superseded that its origin
	// was replayed since, so that a replay needs force.
	Sequence   int       `json:"callback_sequence,omitempty"`
	Superseded bool      `json:"superseded,omitempty"`
	Reason     string    `json:"reason"`           // why it is dead, one of a closed set
	Detail     string    `json:"detail"`           // a sentence beside it, or nothing
	Status     int       `json:"status"`           // of the last attempt, 0 without one
	Retries    int       `json:"retry-count"`      // since it was accepted or replayed
	Attempts   []Attempt `json:"attempts"`         // oldest first
	Omitted    int       `json:"attempts_omitted"` // between the first half and the latest half of them
	Crashes    int       `json:"crashes"`          // crashes of the worker while it was in flight
	Replays    int       `json:"replays"`          // times it was taken out of the dead set
	First      time.Time `json:"first_seen"`       // when it was accepted
	Died       time.Time `json:"died_at"`          // when it was given up
	Expires    time.Time `json:"expires,omitzero"` // when it would have been too late to call, if ever
	Size       int64     `json:"size"`             // bytes of the QueueRequest
	Metadata   Metadata  `json:"metadata"`         // as ziggurat has it
	// Unreadable: the store has lost the message or cannot read it.
	Unreadable bool `json:"unreadable,omitempty"`

	MessageSize int64 `json:"message_size"` // bytes, before base64
	// MessageCut: Message has only the first bytes, or none.
	MessageCut bool `json:"message_cut"`
	// MessageRaw: the dead letter is malformed, and Message is the QueueRequest as it came.
	MessageRaw bool `json:"message_raw"`
	// MessageWithheld: it is raw and may contain credentials, and only body=true gives it; or
	// the caller is the read-only account.
	MessageWithheld bool   `json:"message_withheld,omitempty"`
	Message         []byte `json:"message"`
}

// Attempt is one call of a function or a callback.
type Attempt struct {
	At       time.Time `json:"at"`
	Status   int       `json:"status"`          // 0 when no answer came
	Cause    string    `json:"cause,omitempty"` // why none came
	Duration float64   `json:"duration_seconds"`
}

// Metadata is what ziggurat shows of a message's origin, as far as it exists here.
type Metadata struct {
	Topic     string `json:"topic"`     // the queue
	Timestamp int64  `json:"timestamp"` // first seen, in Unix milliseconds
}

// LetterDetails is a dead letter with what its QueueRequest says beside the body. Of a
// callback these are the header and the body that would be posted.
type LetterDetails struct {
	Letter
	Path    string      `json:"path"`            // after the function's name
	Query   string      `json:"query,omitempty"` // hidden, when there is one
	Headers http.Header `json:"headers"`         // secrets hidden
	// Answer is the function's latest answer; nil when none is kept. No listing has it.
	Answer *Answer `json:"answer,omitempty"`
}

// Answer is the answer of a function that is kept with a dead letter.
type Answer struct {
	At     time.Time `json:"at"` // when its call began
	Status int       `json:"status"`
	Type   string    `json:"content_type,omitempty"`
	Body   string    `json:"body"` // up to dead_set_answer_bytes of it
	// Base64: the body is not UTF-8, and Body is its base64.
	Base64    bool `json:"body_base64,omitempty"`
	Truncated bool `json:"truncated,omitempty"` // Body is the beginning only
}

// LetterPage is a page of the dead set. It may have fewer dead letters than were asked for;
// there are more as long as Next is there.
type LetterPage struct {
	Letters []Letter `json:"messages"`
	Next    string   `json:"next,omitempty"`
	Durable bool     `json:"durable"`
	Note    string   `json:"note,omitempty"`
}

// LetterList is the answer to ziggurat's listing.
type LetterList struct {
	Letters []Letter `json:"messages"`
}

// Triggered is the answer to ziggurat's replay and delete.
type Triggered struct {
	Message string `json:"message"`
	Job     string `json:"job,omitempty"` // that does it; none when there was nothing to do
}

// GroupList are the groups of a dead set, the largest first.
type GroupList struct {
	Groups []Group `json:"groups"`
	Total  int     `json:"total"` // dead letters in all groups
}

// Group counts the dead letters of one function, queue, reason and status.
type Group struct {
	Function string    `json:"function"`     // name.namespace, or url:<host:port>
	Topic    string    `json:"topic-entity"` // the function's short name, or url:<host:port>
	Queue    string    `json:"queue"`
	Reason   string    `json:"reason"`
	Status   int       `json:"status"` // of the last attempt, 0 without one
	Count    int       `json:"count"`
	Bytes    int64     `json:"bytes"`    // of their QueueRequests
	Replayed int       `json:"replayed"` // those that a job replays only with force
	First    time.Time `json:"first_died"`
	Last     time.Time `json:"last_died"`
}

// Acted is the answer to a change of one invocation: what it is now.
type Acted struct {
	ID    string `json:"id"`
	State string `json:"state"` // ready, dropped or cancelled
}
