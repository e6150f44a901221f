// File loose.go reads parameters as ziggurat does: in the query or in the body, in several
// spellings, numbers as numbers or as text.

package admin

import (
	"bytes"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"queue-worker/pkg/respond"
)

// The parameters, and how they may be spelt.
const (
	paramCount   = "count"
	paramTopic   = "topic-entity"
	paramChannel = "channel"
)

var looseNames = map[string][]string{
	paramCount: {"count"}, paramTopic: {"topic-entity", "topic_entity", "topicEntity"}, paramChannel: {"channel"},
}

var problemMalformed = respond.Refuse("Malformed JSON in request body.",
	`send an object such as {"count":"10","topic_entity":"figlet"}, with each key once`)

// loose are the values of parameters as JSON, by their first spelling.
type loose map[string]jsontext.Value

// readLoose reads query and body. What is there twice, or is not known, is
// refused: an act may not pass over a parameter that was to bound it.
func readLoose(w http.ResponseWriter, r *http.Request) (loose, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, respond.Refuse("the query cannot be read", "write it as name=value, with & between parameters")
	}
	p := loose{}
	if err := p.addForm(query); err != nil {
		return nil, err
	}
	body, err := readBody(w, r)
	if err != nil || len(bytes.TrimSpace(body)) == 0 {
		return p, err
	}
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); {
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		return p, p.addJSON(body)
	case kind == "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, respond.Refuse("the form cannot be read", "send JSON with Content-Type: application/json")
		}
		return p, p.addForm(form)
	}
	return p, respond.Refuse("the body is neither JSON nor a form", "send JSON with Content-Type: application/json")
}

func (p loose) addForm(v url.Values) error {
	for name, values := range v {
		for _, s := range values {
			quoted, err := jsontext.AppendQuote(nil, s)
			if err != nil {
				return respond.Refuse("a parameter is not UTF-8", "names of functions and queues have letters, digits, '-', '_' and '.'")
			}
			if err := p.add(name, quoted); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p loose) addJSON(b []byte) error {
	var object map[string]jsontext.Value
	if err := json.Unmarshal(b, &object); err != nil || object == nil {
		return problemMalformed
	}
	for name, value := range object {
		if err := p.add(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (p loose) add(name string, value jsontext.Value) error {
	for first, names := range looseNames {
		for _, n := range names {
			if n != name {
				continue
			}
			if p.has(first) {
				return respond.Refuse("a parameter is there twice", "give count, topic-entity and channel at most once, in the query or in the body")
			}
			p[first] = value
			return nil
		}
	}
	return respond.Refuse("unknown parameter", "with count and topic-entity there is only channel beside them; filters go without count")
}

func (p loose) has(name string) bool { return len(p[name]) > 0 }

// text is a parameter that is a string.
func (p loose) text(name string) (s string, ok bool) {
	v := p[name]
	if v.Kind() != '"' {
		return "", false
	}
	return s, json.Unmarshal(v, &s) == nil
}

// count is a whole number from 0 to 2147483647, as a string or as a number.
func (p loose) count() (int, bool) {
	s, ok := p.text(paramCount)
	if !ok {
		s = string(p[paramCount])
	}
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err == nil // #nosec G115 -- 31 bits
}
