// File body.go shows the bytes of callers and functions as text, whatever they are.

package console

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"queue-worker/pkg/escape"
	"queue-worker/pkg/wire"
)

// What is shown of a body: as text, and as hexadecimal numbers where it is none.
const (
	MostBody = 64 << 10
	mostHex  = 4 << 10
)

// answerText shows the kept answer of a dead letter.
func answerText(d *wire.LetterDetails) *text {
	a := d.Answer
	if a == nil {
		return nil
	}
	out := &text{Title: fmt.Sprintf("%d, %s, call of %s", a.Status, Text(a.Type), stamp(a.At))}
	if a.Type == "" {
		out.Title = fmt.Sprintf("%d, call of %s", a.Status, stamp(a.At))
	}
	switch {
	case a.Body == "":
		out.Note = "It has no body."
	case a.Base64:
		out.Note = "It is not text. Its base64: queue-worker dead show " + quote(d.ID) + " -o json"
	default:
		out.Text = escape.Lines(a.Body)
		out.Note = unless(a.Truncated, "", "The beginning.")
	}
	return out
}

// bodyText shows the body of a request: JSON laid out, with numbers and the order of keys as they
// came, other text as it is, and anything else as hexadecimal numbers.
func bodyText(r *wire.Request, id string) *text {
	b := r.Message
	out := &text{Title: Bytes(bytesOf(r.MessageSize)), Note: unless(r.MessageCut, "", "The beginning. The whole: queue-worker invocation request "+quote(id)+" --body")}
	switch {
	case r.MessageWithheld:
		out.Note = "It is malformed and may have credentials in it, so it is not shown."
	case len(b) == 0:
		out.Note = "It has no body."
	case r.MessageCut && isText(b) || utf8.Valid(b):
		out.Text = escape.Lines(laidOut(b))
	default:
		out.Text = hex.Dump(b[:min(len(b), mostHex)])
		if len(b) > mostHex {
			out.Note = "The first 4 KiB."
		}
	}
	return out
}

// isText reports whether bytes that were cut off are text, but for their last character.
func isText(b []byte) bool { return utf8.Valid(b[:max(len(b)-utf8.UTFMax, 0)]) }

// laidOut is JSON with one value a line, or the text as it is.
func laidOut(b []byte) string {
	var out bytes.Buffer
	if trimmed := bytes.TrimSpace(b); len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') && json.Indent(&out, trimmed, "", "  ") == nil && out.Len() <= 4*MostBody {
		return out.String()
	}
	return string(bytes.ToValidUTF8(b, []byte("\uFFFD")))
}
