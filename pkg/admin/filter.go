// File filter.go reads filters of dead letters, from a query and from JSON, so that a
// listing shows what a job with the same filter affects.

package admin

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/retry"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// maxFilterHeaders bounds the headers of a filter. No useful filter
// comes near it.
const maxFilterHeaders = 8

// readFilter reads the filter of a query. Its names must be among those that
// readParams was given, with header in repeated.
func readFilter(p params, names invocation.Names, now time.Time) (store.Filter, error) {
	f, err := filterOf(p)
	if err != nil {
		return store.Filter{}, err
	}
	return storeFilter(f, names, now)
}

// filterOf is the filter of a query as JSON would have it.
func filterOf(p params) (f wire.Filter, err error) {
	for _, v := range []struct {
		name string
		to   *wire.Text
	}{{"function", &f.Function}, {"queue", &f.Queue}, {"since", &f.Since}, {"until", &f.Until}, {"call_id", &f.CallID}} {
		if p.has(v.name) {
			*v.to = wire.Text(p.text(v.name))
			err = orElse(err, v.to.Check(v.name))
		}
	}
	for _, v := range []struct {
		name string
		to   *wire.Texts
	}{{"reason", &f.Reasons}, {"status", &f.Statuses}, {"header", &f.Headers}} {
		if p.has(v.name) {
			*v.to = p[v.name]
			err = orElse(err, v.to.Check(v.name))
		}
	}
	return f, problemOfValue(err)
}

// shownFilter is a filter as it may be shown and logged: values of secret headers hidden.
func shownFilter(f wire.Filter) wire.Filter {
	f.Headers = slices.Clone(f.Headers)
	for i, h := range f.Headers {
		if name, value, ok := cutHeader(h); ok {
			f.Headers[i] = name + ": " + shownValue(name, value)
		}
	}
	return f
}

// fixedFilter is a filter whose ages have become times, so that it means the same
// letters whenever it is read again. It must have passed storeFilter.
func fixedFilter(f wire.Filter, now time.Time) wire.Filter {
	for _, at := range []*wire.Text{&f.Since, &f.Until} {
		if t, err := parseWhen(string(*at), now); err == nil {
			*at = wire.Text(t.UTC().Format(time.RFC3339Nano))
		}
	}
	return f
}

// storeFilter is what the store is asked for. Ages count back from now.
func storeFilter(f wire.Filter, names invocation.Names, now time.Time) (sf store.Filter, err error) {
	sf = store.Filter{Queue: string(f.Queue), CallID: string(f.CallID)}
	for _, read := range []func() error{
		func() (err error) { sf.Function, err = readFunction(string(f.Function), names); return },
		func() (err error) { sf.Reasons, err = readReasons(f.Reasons); return },
		func() (err error) { sf.Statuses, err = readStatuses(f.Statuses); return },
		func() (err error) { sf.Since, err = readWhen("since", f.Since, now); return },
		func() (err error) { sf.Until, err = readWhen("until", f.Until, now); return },
		func() (err error) { sf.Match, err = readHeaders(f.Headers); return },
	} {
		if err := read(); err != nil {
			return store.Filter{}, err
		}
	}
	if !sf.Since.IsZero() && !sf.Until.IsZero() && !sf.Since.Before(sf.Until) {
		return store.Filter{}, respond.Refuse("since is not before until", "Give the earlier time as since; as ages, the greater one.")
	}
	return sf, nil
}

// readFunction finds the lane's name of a function in either form of its name, or
// of a callback host.
func readFunction(s string, names invocation.Names) (string, error) {
	if s == "" || invocation.IsCallbackLane(s) || invocation.ValidName(s) {
		return names.Canonical(s), nil
	}
	return "", respond.Refuse("function is not a function's name", "a name, name.namespace, or url:host:port for callbacks")
}

func readReasons(list wire.Texts) ([]invocation.Reason, error) {
	var all []invocation.Reason
	for _, s := range splitTexts(list) {
		r := invocation.Reason(s)
		if !slices.Contains(invocation.Reasons(), r) {
			return nil, respond.Refuse("reason is not one of the reasons", "one or more of "+joined(invocation.Reasons())+", with commas between")
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
func readStatuses(list wire.Texts) ([]int, error) {
	var all []int
	for _, s := range splitTexts(list) {
		first, last, ok := statusRange(s)
		if !ok {
			return nil, respond.Refuse("status is not a list of statuses", "such as 500 or 429,5xx; 0 for dead letters without an attempt")
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

func readWhen(name string, s wire.Text, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := parseWhen(string(s), now)
	if err != nil {
		return t, respond.Refuse(name+" is not a time", "RFC 3339 such as 2026-03-04T05:06:07Z (a + in a query is %2B), or an age such as 90m, 2h or 7d")
	}
	return t, nil
}

// readHeaders makes the look at the QueueRequest, nil when no header is asked for.
func readHeaders(list wire.Texts) (func(*invocation.Invocation, []byte) bool, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if len(list) > maxFilterHeaders {
		return nil, respond.Refuse("too many headers", "a filter has at most 8 of them")
	}
	want := make([][2]string, len(list))
	for i, h := range list {
		name, value, ok := cutHeader(h)
		if !ok {
			return nil, respond.Refuse("header is not a header", `write it as "Name: value"; the name in any case, the value exactly`)
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
