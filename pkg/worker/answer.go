// File answer.go keeps the latest answer of a function with its invocation.

package worker

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"queue-worker/pkg/invocation"
)

// keptAnswer is the answer that an invocation keeps after an attempt: that of the latest call
// that brought one. It is nil where none is kept.
func (w *Worker) keptAnswer(a *attempt) *invocation.Answer {
	most := w.answerBytes(a)
	if most == 0 {
		return nil
	}
	r := a.result
	if r.Header == nil { // no whole answer came
		return a.inv.Answer
	}
	kind := r.Header.Get("Content-Type")
	return &invocation.Answer{
		At: a.begun, Status: r.Status, Type: strings.ToValidUTF8(kind[:min(len(kind), invocation.MaxAnswerType)], ""),
		Body: beginning(r.Body, most), Truncated: r.Truncated || r.Size > int64(most),
	}
}

// answerBytes is how much of an answer's body an invocation keeps, 0 for no answer.
func (w *Worker) answerBytes(a *attempt) int {
	if !w.DeadSet || a.inv.Kind == invocation.KindCallback {
		return 0
	}
	return w.AnswerBytes
}

// beginning copies up to most bytes of b. Of a text it cuts no character in two.
func beginning(b []byte, most int) []byte {
	if len(b) <= most {
		return bytes.Clone(b)
	}
	cut := b[:most]
	for n := range utf8.UTFMax {
		if whole := cut[:max(len(cut)-n, 0)]; utf8.Valid(whole) {
			cut = whole
			break
		}
	}
	return bytes.Clone(cut)
}
