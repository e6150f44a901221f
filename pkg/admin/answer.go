// File answer.go makes the document of the answer that a dead letter keeps, and reads it.

package admin

import (
	"encoding/base64"
	"errors"
	"unicode/utf8"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/wire"
)

// answerOf is the kept answer of an invocation, nil for none.
func answerOf(inv *invocation.Invocation) *wire.Answer {
	a := inv.Answer
	if a == nil {
		return nil
	}
	out := &wire.Answer{At: a.At.UTC(), Status: a.Status, Type: a.Type, Body: string(a.Body), Truncated: a.Truncated}
	if !utf8.Valid(a.Body) {
		out.Body, out.Base64 = base64.StdEncoding.EncodeToString(a.Body), true
	}
	return out
}

var errAnswer = errors.New("answer cannot be")

// readAnswer reads what answerOf has made.
func readAnswer(a *wire.Answer) (*invocation.Answer, error) {
	if a == nil {
		return nil, nil
	}
	body := []byte(a.Body)
	if a.Base64 {
		var err error
		if body, err = base64.StdEncoding.DecodeString(a.Body); err != nil {
			return nil, errAnswer
		}
	}
	if len(body) > invocation.MaxAnswerBody || len(a.Type) > invocation.MaxAnswerType || a.Status < 0 || a.Status > 999 || !isStorable(a.At) {
		return nil, errAnswer
	}
	out := &invocation.Answer{At: a.At, Status: a.Status, Type: a.Type, Truncated: a.Truncated}
	if len(body) > 0 {
		out.Body = body
	}
	return out, nil
}
