// File letter.go has the JSON of a dead letter. message, topic-entity, retry-count and
// metadata are the keys of ziggurat, whose clients read them.

package api

import (
	"time"

	"queue-worker/pkg/invocation"
)

// letter is an item of the dead set.
type letter struct {
	ID       invocation.ID     `json:"id"`
	CallID   string            `json:"call_id"`
	Kind     string            `json:"kind"`   // function or callback
	Source   string            `json:"source"` // how it came in: gateway, http, mailbox or producer
	Queue    string            `json:"queue"`
	Function string            `json:"function"`          // as the caller named it; of a callback, whose result it carries
	Topic    string            `json:"topic-entity"`      // the function's short name, or url:<host:port>
	Target   string            `json:"target,omitempty"`  // of a callback: scheme://host:port
	Origin   string            `json:"origin,omitempty"`  // of a callback: the id of the invocation whose result it carries
	Reason   invocation.Reason `json:"reason"`            // why it is dead, one of a closed set
	Detail   string            `json:"detail"`            // a sentence beside it, or nothing
	Status   int               `json:"status"`            // of the last attempt, 0 without one
	Retries  int               `json:"retry-count"`       // since it was accepted or replayed
	Attempts []attempt         `json:"attempts"`          // oldest first
	Omitted  int               `json:"attempts_omitted"`  // between the first half and the latest half of them
	Crashes  int               `json:"crashes"`           // crashes of the worker while it was in flight
	Replays  int               `json:"replays"`           // times it was taken out of the dead set
	First    time.Time         `json:"first_seen"`        // when it was accepted
	Died     time.Time         `json:"died_at"`           // when it was given up
	Expires  *time.Time        `json:"expires,omitempty"` // when it would have been too late to call, if ever
	Size     int               `json:"size"`              // bytes of the QueueRequest
	Metadata metadata          `json:"metadata"`          // as ziggurat has it
	// Unreadable: the store has lost the message or cannot read it.
	Unreadable bool `json:"unreadable,omitempty"`

	MessageSize int64 `json:"message_size"` // bytes, before base64
	// MessageCut: message holds only the first bytes, or none.
	MessageCut bool `json:"message_cut"`
	// MessageRaw: the letter is malformed, and message is the QueueRequest as it came.
	MessageRaw bool `json:"message_raw"`
	// MessageWithheld: it is raw and may hold credentials; only body=true gives it.
	MessageWithheld bool   `json:"message_withheld,omitempty"`
	Message         string `json:"message"` // base64
}

// attempt is one call.
type attempt struct {
	At       time.Time        `json:"at"`
	Status   int              `json:"status"`
	Cause    invocation.Cause `json:"cause,omitempty"` // why no answer came
	Duration float64          `json:"duration_seconds"`
}

// metadata is what ziggurat shows of a message's origin, as far as it exists here.
type metadata struct {
	Topic     string `json:"topic"`     // the queue
	Timestamp int64  `json:"timestamp"` // first seen, in Unix milliseconds
}

// letterOf is an invocation as a letter, without its message.
func letterOf(inv *invocation.Invocation) letter {
	l := letter{
		ID: inv.ID, CallID: inv.CallID, Kind: inv.Kind.String(), Source: inv.Source().String(),
		Queue: inv.Lane.Queue, Function: inv.Function, Topic: inv.Lane.Name,
		Reason: inv.Reason, Detail: inv.Detail, Status: inv.LastStatus(), Retries: inv.Retries,
		Attempts: make([]attempt, len(inv.Attempts)), Omitted: inv.Omitted, Crashes: inv.Crashes, Replays: inv.Replays,
		First: inv.Accepted.UTC(), Died: inv.DiedAt.UTC(), Size: inv.Size,
		Metadata: metadata{Topic: inv.Lane.Queue, Timestamp: inv.Accepted.UnixMilli()},
	}
	for i, a := range inv.Attempts {
		l.Attempts[i] = attempt{At: a.At.UTC(), Status: a.Status, Cause: a.Cause, Duration: a.Duration.Seconds()}
	}
	if at := inv.Expires().UTC(); !at.IsZero() {
		l.Expires = &at
	}
	if inv.Kind == invocation.KindCallback {
		l.Target, l.Origin = originOf(inv.URL), inv.Origin.String()
	}
	return l
}

// weight is about how many bytes a letter has as JSON.
func (l *letter) weight() int64 {
	const fields, perAttempt = 1 << 10, 128
	return fields + int64(len(l.Message)+len(l.CallID)+len(l.Detail)+perAttempt*len(l.Attempts))
}
