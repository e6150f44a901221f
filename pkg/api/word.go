// File word.go reads values of filters and requests, and times.

package api

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"queue-worker/pkg/duration"
)

// maxWord bounds a word in bytes. Nothing that exists comes near it.
const maxWord = 1 << 10

// word is a text that is not empty.
type word string

// UnmarshalJSON takes a string.
func (w *word) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil || s == nil {
		return refuse("a value is not a string", "leave out the keys that you do not mean")
	}
	*w = word(*s)
	return w.check("a value")
}

// check refuses what is empty or too long for anything that exists.
func (w word) check(name string) error {
	switch {
	case w == "":
		return refuse(name+" is empty", "leave it out when you do not mean it")
	case len(w) > maxWord:
		return refuse(name+" is too long", "at most "+strconv.Itoa(maxWord)+" bytes")
	}
	return nil
}

// words are one or more texts.
type words []string

// UnmarshalJSON takes a string or a number, or a list of them.
func (w *words) UnmarshalJSON(b []byte) error {
	var list []json.RawMessage
	if json.Unmarshal(b, &list) != nil || list == nil {
		list = []json.RawMessage{b}
	}
	for _, item := range list {
		var n json.Number // a string that is no number is refused, so it is tried first
		if len(item) > 0 && item[0] != '"' && json.Unmarshal(item, &n) == nil && n != "" {
			*w = append(*w, n.String())
			continue
		}
		var s word
		if err := s.UnmarshalJSON(item); err != nil {
			return err
		}
		*w = append(*w, string(s))
	}
	return w.check("a list")
}

func (w words) check(name string) error {
	if len(w) == 0 {
		return refuse(name+" is empty", "leave it out when you do not mean it")
	}
	for _, s := range w {
		if err := word(s).check(name); err != nil {
			return err
		}
	}
	return nil
}

// split takes lists with commas apart.
func (w words) split() []string {
	var all []string
	for _, s := range w {
		all = append(all, strings.Split(s, ",")...)
	}
	return all
}

// orElse is the first error.
func orElse(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

var errNoTime = errors.New("not a time")

// longestAge is beyond everything that was ever stored.
const longestAge = 100 * 365 * 24 * time.Hour

// parseWhen reads a time, or an age before now.
func parseWhen(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	age, err := parseAge(s)
	if err != nil {
		return time.Time{}, err
	}
	return now.Add(-age), nil
}

// parseAge reads an age, none below 0.
func parseAge(s string) (time.Duration, error) {
	d, err := duration.ParseAge(s)
	if err != nil || d < 0 || d > longestAge || strings.HasPrefix(s, "+") {
		return 0, errNoTime
	}
	return d, nil
}
