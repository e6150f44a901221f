package main

// Which dead letters are meant: the flags that listing, exporting, replaying and
// dropping share.

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"queue-worker/pkg/client"
)

// filterFlags are the flags of a filter.
type filterFlags struct {
	function, queue, callID string
	reasons, statuses       []string
	since, until            string
	headers                 []string
}

var filterNames = []string{"function", "queue", "reason", "status", "since", "until", "call-id", "header"}

func newFilter(c *cobra.Command) *filterFlags {
	ff := &filterFlags{}
	f := c.Flags()
	f.StringVar(&ff.function, "function", "", "of this function")
	f.StringVar(&ff.queue, "queue", "", "of this queue")
	f.StringSliceVar(&ff.reasons, "reason", nil, "why they are dead, a list with commas: attempts_exhausted, poison, ...")
	f.StringSliceVar(&ff.statuses, "status", nil, "status of the last attempt, a list with commas: 404,5xx")
	f.StringVar(&ff.since, "since", "", "died then or later: 2h (that long ago), or 2026-01-31T12:00:00Z")
	f.StringVar(&ff.until, "until", "", "died before then")
	f.StringVar(&ff.callID, "call-id", "", "with this X-Call-Id")
	f.StringArrayVar(&ff.headers, "header", nil, "with this header, 'Name: value'; may be given more than once, all have to be there")
	return ff
}

// given reports whether any of the flags is there, with whatever value: an empty
// one, of a variable that was not set perhaps, must not mean everything.
func given(c *cobra.Command) bool {
	return slices.ContainsFunc(filterNames, func(name string) bool { return c.Flags().Changed(name) })
}

// filter reads the flags. A flag without a value is refused.
func (ff *filterFlags) filter(c *cobra.Command) (client.Filter, error) {
	for _, name := range filterNames {
		if f := c.Flags().Lookup(name); f.Changed && strings.Trim(f.Value.String(), "[]") == "" {
			return client.Filter{}, usageError{fmt.Errorf("--%s has no value", name)}
		}
	}
	f := client.Filter{
		Function: ff.function, Queue: ff.queue, CallID: ff.callID, Reasons: ff.reasons, Statuses: ff.statuses,
	}
	for _, h := range ff.headers {
		name, value, ok := strings.Cut(h, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return f, usageError{fmt.Errorf("--header %q: write it as 'Name: value'", h)}
		}
		f.Headers = append(f.Headers, name+":"+strings.TrimSpace(value))
	}
	var err error
	if f.Since, err = parseTime("since", ff.since); err != nil {
		return f, err
	}
	f.Until, err = parseTime("until", ff.until)
	return f, err
}

// parseTime reads a moment: RFC 3339, a date, or how long ago.
func parseTime(flag, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	if ago, err := parseLength(s); err == nil && ago >= 0 {
		return time.Now().Add(-ago), nil
	}
	return time.Time{}, usageError{fmt.Errorf("--%s %q: a time such as 2026-01-31T12:00:00Z, a date, or a length such as 2h or 3d (ago)", flag, s)}
}

// parseLength reads a Go duration, or a whole number of days.
func parseLength(s string) (time.Duration, error) {
	var days int
	if n, err := fmt.Sscanf(s, "%dd", &days); n == 1 && err == nil && fmt.Sprintf("%dd", days) == s && days < 100_000 {
		return time.Duration(days) * 24 * time.Hour, nil
	}
	return time.ParseDuration(s)
}
