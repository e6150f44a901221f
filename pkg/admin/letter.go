// File letter.go makes the document of a dead letter.

package admin

import (
	"encoding/base64"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/wire"
)

// letterOf is an invocation as a letter, without its message.
func letterOf(inv *invocation.Invocation) wire.Letter {
	l := wire.Letter{
		ID: inv.ID.String(), CallID: inv.CallID, Kind: inv.Kind.String(), Source: inv.Source().String(),
		Queue: inv.Lane.Queue, Function: inv.Function, Topic: inv.Lane.Name,
		Reason: string(inv.Reason), Detail: inv.Detail, Status: inv.LastStatus(), Retries: inv.Retries,
		Attempts: make([]wire.Attempt, len(inv.Attempts)), Omitted: inv.Omitted, Crashes: inv.Crashes, Replays: inv.Replays,
		First: inv.Accepted.UTC(), Died: inv.DiedAt.UTC(), Size: int64(inv.Size), Expires: utc(inv.Expires()),
		Metadata: wire.Metadata{Topic: inv.Lane.Queue, Timestamp: inv.Accepted.UnixMilli()},
		Message:  []byte{}, // no null in JSON
	}
	for i, a := range inv.Attempts {
		l.Attempts[i] = wire.Attempt{At: a.At.UTC(), Status: a.Status, Cause: string(a.Cause), Duration: a.Duration.Seconds()}
	}
	if inv.Kind == invocation.KindCallback {
		l.Target, l.Origin = originOf(inv.URL), inv.Origin.String()
		l.Superseded = inv.Superseded
	}
	if inv.Kind == invocation.KindCallback && !inv.Origin.IsZero() {
		l.Sequence = max(inv.Sequence, 1)
	}
	return l
}

// weight is about how many bytes a dead letter has as JSON.
func weight(l *wire.Letter) int64 {
	const fields, perAttempt = 1 << 10, 128
	return fields + int64(base64.StdEncoding.EncodedLen(len(l.Message))+len(l.CallID)+len(l.Detail)+perAttempt*len(l.Attempts))
}
