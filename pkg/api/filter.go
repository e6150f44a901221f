// File filter.go reads filters of dead letters, from a query and from JSON, so that a
// listing shows what a job with the same filter affects.

package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/retry"
	"queue-worker/pkg/store"
)

// filterNames are the query parameters of a filter, and the keys of filterJSON.
var filterNames = []string{"function", "queue", "reason", "status", "since", "until", "call_id", "header"}

// maxFilterHeaders bounds the headers of a filter. No useful filter
// comes near it.
const maxFilterHeaders = 8

// filterJSON is a filter as JSON: keys that are absent filter nothing, and an
// empty or null value is refused, because it is a variable that was not set.
type filterJSON struct {
	Function word  `json:"function,omitzero"`
	Queue    word  `json:"queue,omitzero"`
	Reason   words `json:"reason,omitzero"` // any of these
	Status   words `json:"status,omitzero"` // of the last attempt: any of 500, 5xx; 0 without one
	Since    word  `json:"since,omitzero"`  // of the death: RFC 3339, or an age such as 2h or 7d
	Until    word  `json:"until,omitzero"`  // not included
	CallID   word  `json:"call_id,omitzero"`
	Header   words `json:"header,omitzero"` // all of these: "Name: value"
}

// readFilter reads the filter of a query. Its names must be among those that
// readParams was given, with header in repeated.
func readFilter(p params, names invocation.Names, now time.Time) (store.Filter, error) {
	f, err := filterOf(p)
	if err != nil {
		return store.Filter{}, err
	}
	return f.filter(names, now)
}

// filterOf is the filter of a query as JSON would have it.
func filterOf(p params) (f filterJSON, err error) {
	for _, v := range []struct {
		name string
		to   *word
	}{{"function", &f.Function}, {"queue", &f.Queue}, {"since", &f.Since}, {"until", &f.Until}, {"call_id", &f.CallID}} {
		if p.has(v.name) {
			*v.to = word(p.text(v.name))
			err = orElse(err, v.to.check(v.name))
		}
	}
	for _, v := range []struct {
		name string
		to   *words
	}{{"reason", &f.Reason}, {"status", &f.Status}, {"header", &f.Header}} {
		if p.has(v.name) {
			*v.to = p[v.name]
			err = orElse(err, v.to.check(v.name))
		}
	}
	return f, err
}

// isEmpty reports whether everything passes.
func (f filterJSON) isEmpty() bool {
	return f.Function == "" && f.Queue == "" && len(f.Reason) == 0 && len(f.Status) == 0 && f.Since == "" && f.Until == "" &&
		f.CallID == "" && len(f.Header) == 0
}

// shown is a filter as it may be shown and logged: values of secret headers hidden.
func (f filterJSON) shown() filterJSON {
	f.Header = slices.Clone(f.Header)
	for i, h := range f.Header {
		if name, value, ok := cutHeader(h); ok {
			f.Header[i] = name + ": " + shownValue(name, value)
		}
	}
	return f
}

// fixed is a filter whose ages have become times, so that it means the same
// letters whenever it is read again. It must have passed filter.
func (f filterJSON) fixed(now time.Time) filterJSON {
	for _, at := range []*word{&f.Since, &f.Until} {
		if t, err := parseWhen(string(*at), now); err == nil {
			*at = word(t.UTC().Format(time.RFC3339Nano))
		}
	}
	return f
}

// filter is what the store is asked for. Ages count back from now.
func (f filterJSON) filter(names invocation.Names, now time.Time) (sf store.Filter, err error) {
	sf = store.Filter{Queue: string(f.Queue), CallID: string(f.CallID)}
	for _, read := range []func() error{
		func() (err error) { sf.Function, err = readFunction(string(f.Function), names); return },
		func() (err error) { sf.Reasons, err = readReasons(f.Reason); return },
		func() (err error) { sf.Statuses, err = readStatuses(f.Status); return },
		func() (err error) { sf.Since, err = readWhen("since", f.Since, now); return },
		func() (err error) { sf.Until, err = readWhen("until", f.Until, now); return },
		func() (err error) { sf.Match, err = readHeaders(f.Header); return },
	} {
		if err := read(); err != nil {
			return store.Filter{}, err
		}
	}
	if !sf.Since.IsZero() && !sf.Until.IsZero() && !sf.Since.Before(sf.Until) {
		return store.Filter{}, refuse("since is not before until", "Give the earlier time as since; as ages, the greater one.")
	}
	return sf, nil
}

// readFunction finds the lane's name of a function in either form of its name, or
// of a callback host.
func readFunction(s string, names invocation.Names) (string, error) {
	if s == "" || invocation.IsCallbackLane(s) || invocation.ValidName(s) {
		return names.Canonical(s), nil
	}
	return "", refuse("function is not a function's name", "a name, name.namespace, or url:host:port for callbacks")
}

func readReasons(list words) ([]invocation.Reason, error) {
	var all []invocation.Reason
	for _, s := range list.split() {
		r := invocation.Reason(s)
		if !slices.Contains(invocation.Reasons(), r) {
			return nil, refuse("reason is not one of the reasons", "one or more of "+joined(invocation.Reasons())+", with commas between")
		}
		all = append(all, r)
	}
	return all, nil
}

func joined(reasons []invocation.Reason) string {
	all := make([]string, len(reasons))
	for i, r := range reasons {
		all[i] = string(r)
	}
	return strings.Join(all, ", ")
}

// readStatuses reads statuses and classes of them.
func readStatuses(list words) ([]int, error) {
	var all []int
	for _, s := range list.split() {
		first, last, ok := statusRange(s)
		if !ok {
			return nil, refuse("status is not a list of statuses", "such as 500 or 429,5xx; 0 for dead letters without an attempt")
		}
		for n := first; n <= last; n++ {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// statusRange reads 503 or 5xx, and 0, as the first and the last that are meant.
func statusRange(s string) (first, last int, ok bool) {
	if s == "0" {
		return 0, 0, true
	}
	return retry.ParseStatus(s)
}

func readWhen(name string, s word, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := parseWhen(string(s), now)
	if err != nil {
		return t, refuse(name+" is not a time", "RFC 3339 such as 2026-03-04T05:06:07Z (a + in a query is %2B), or an age such as 90m, 2h or 7d")
	}
	return t, nil
}

// readHeaders makes the look at the QueueRequest, nil when no header is asked for.
func readHeaders(list words) (func(*invocation.Invocation, []byte) bool, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if len(list) > maxFilterHeaders {
		return nil, refuse("too many headers", "a filter has at most 8 of them")
	}
	want := make([][2]string, len(list))
	for i, h := range list {
		name, value, ok := cutHeader(h)
		if !ok {
			return nil, refuse("header is not a header", `write it as "Name: value"; the name in any case, the value exactly`)
		}
		want[i] = [2]string{http.CanonicalHeaderKey(name), value}
	}
	return func(_ *invocation.Invocation, raw []byte) bool {
		r, _ := invocation.Decode(raw) // with an error it leaves what can be read, or nil
		return r != nil && !slices.ContainsFunc(want, func(w [2]string) bool { return !slices.Contains(r.Header[w[0]], w[1]) })
	}, nil
}

// cutHeader reads "Name: value".
func cutHeader(s string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(s, ":")
	value = strings.Trim(value, " \t")
	return name, value, ok && httpguts.ValidHeaderFieldName(name) && httpguts.ValidHeaderFieldValue(value)
}
