// File filter.go has filters of dead letters. Keys that are absent filter nothing. An empty
// or null value is refused, because it is a variable that was not set.

package wire

import (
	"encoding/json"
	"strconv"
)

// Filter says which dead letters are meant. The zero value means every one.
type Filter struct {
	Function Text  `json:"function,omitzero"`
	Queue    Text  `json:"queue,omitzero"`
	Reasons  Texts `json:"reason,omitzero"` // any of these
	Statuses Texts `json:"status,omitzero"` // of the last attempt: any of 500, 5xx; 0 without one
	Since    Text  `json:"since,omitzero"`  // of the death: RFC 3339, or an age such as 2h or 7d
	Until    Text  `json:"until,omitzero"`  // not included
	CallID   Text  `json:"call_id,omitzero"`
	Headers  Texts `json:"header,omitzero"` // all of these: "Name: value"
}

// FilterNames are the keys of a Filter, and the query parameters of a listing.
var FilterNames = []string{"function", "queue", "reason", "status", "since", "until", "call_id", "header"}

// IsZero reports whether every dead letter is meant.
func (f Filter) IsZero() bool {
	return f.Function == "" && f.Queue == "" && len(f.Reasons) == 0 && len(f.Statuses) == 0 && f.Since == "" && f.Until == "" &&
		f.CallID == "" && len(f.Headers) == 0
}

// maxText bounds a text in bytes. Nothing that exists comes near it.
const maxText = 1 << 10

// Text is a text that is not empty.
type Text string

// Texts are one or more texts.
type Texts []string

// ValueError says what is wrong with a value, and what is expected.
type ValueError struct{ Text, Hint string }

func (e *ValueError) Error() string { return e.Text }

// UnmarshalJSON takes a string.
func (t *Text) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil || s == nil {
		return &ValueError{"a value is not a string", "leave out the keys that you do not mean"}
	}
	*t = Text(*s)
	return t.Check("a value")
}

// Check refuses what is empty or too long for anything that exists.
func (t Text) Check(name string) error {
	switch {
	case t == "":
		return &ValueError{name + " is empty", "leave it out when you do not mean it"}
	case len(t) > maxText:
		return &ValueError{name + " is too long", "at most " + strconv.Itoa(maxText) + " bytes"}
	}
	return nil
}

// UnmarshalJSON takes a string or a number, or a list of them.
func (t *Texts) UnmarshalJSON(b []byte) error {
	var list []json.RawMessage
	if json.Unmarshal(b, &list) != nil || list == nil {
		list = []json.RawMessage{b}
	}
	for _, item := range list {
		var n json.Number // a string that is no number is refused, so it is tried first
		if len(item) > 0 && item[0] != '"' && json.Unmarshal(item, &n) == nil && n != "" {
			*t = append(*t, n.String())
			continue
		}
		var s Text
		if err := s.UnmarshalJSON(item); err != nil {
			return err
		}
		*t = append(*t, string(s))
	}
	return t.Check("a list")
}

// Check refuses an empty list, and what no Text may be.
func (t Texts) Check(name string) error {
	if len(t) == 0 {
		return &ValueError{name + " is empty", "leave it out when you do not mean it"}
	}
	for _, s := range t {
		if err := Text(s).Check(name); err != nil {
			return err
		}
	}
	return nil
}
