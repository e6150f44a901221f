// File filter.go has the flags that select dead letters for listing, exporting, replaying
// and dropping.

package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"queue-worker/pkg/client"
	"queue-worker/pkg/wire"
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
	f.StringSliceVar(&ff.reasons, "reason", nil, "reasons, separated by commas: attempts_exhausted, poison, ...")
	f.StringSliceVar(&ff.statuses, "status", nil, "statuses of the last attempt, separated by commas: 404,5xx")
	f.StringVar(&ff.since, "since", "", "died then or later: 2h or 7d (that long ago), or 2026-01-31T12:00:00Z")
	f.StringVar(&ff.until, "until", "", "died before then")
	f.StringVar(&ff.callID, "call-id", "", "with this X-Call-Id")
	f.StringArrayVar(&ff.headers, "header", nil, "with this header, 'Name: value'; may be repeated, all have to match")
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
		Function: wire.Text(ff.function), Queue: wire.Text(ff.queue), CallID: wire.Text(ff.callID),
		Reasons: ff.reasons, Statuses: ff.statuses, Since: wire.Text(ff.since), Until: wire.Text(ff.until),
	}
	for _, h := range ff.headers {
		name, value, ok := strings.Cut(h, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return f, usageError{fmt.Errorf("--header %q: write it as 'Name: value'", h)}
		}
		f.Headers = append(f.Headers, name+":"+strings.TrimSpace(value))
	}
	return f, nil
}
