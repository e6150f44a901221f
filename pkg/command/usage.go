// File usage.go says what is wrong with a command line, in the words of the command line.

package command

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"queue-worker/pkg/client"
	"queue-worker/pkg/similar"
	"queue-worker/pkg/wire"
)

// usageError is an error of how the program was called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// misused is a usage error that names where to read on.
func misused(c *cobra.Command, format string, args ...any) error {
	return usageError{fmt.Errorf(format+"; see '%s --help'", append(args, c.CommandPath())...)}
}

// noArgs refuses every argument: it is a command that does not exist.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return misused(c, "unknown command %s%s", args[0], didYouMean(commandsLike(c, args[0])))
}

// commandsLike are the commands below c whose names are close to a word, or begin with it.
func commandsLike(c *cobra.Command, word string) []string {
	var names, begin []string
	for _, below := range c.Commands() {
		if !below.IsAvailableCommand() {
			continue
		}
		names = append(names, below.Name())
		if strings.HasPrefix(below.Name(), word) {
			begin = append(begin, below.Name())
		}
	}
	return slices.Compact(append(begin, similar.Nearest(word, names, nearby, mostNames)...))
}

// How close a name has to be to be suggested, and how many are.
const nearby, mostNames = 2, 3

// didYouMean is the end of a sentence about a name that does not exist.
func didYouMean(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ", did you mean " + strings.Join(names, " or ") + "?"
}

// flagError says what is wrong with a flag.
func flagError(c *cobra.Command, err error) error {
	text := err.Error()
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		text = fmt.Sprintf("--%s %q: %s", e.GetFlag().Name, e.GetValue(), expected(e))
	}
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		text += didYouMean(flagsLike(c, e.GetSpecifiedName()))
	}
	return usageError{fmt.Errorf("%s\nsee '%s --help'", text, c.CommandPath())}
}

// expected says which values a flag takes.
func expected(e *pflag.InvalidValueError) string {
	switch e.GetFlag().Value.Type() {
	case "int":
		return "expected a whole number"
	case "float64":
		return "expected a number"
	case "bool":
		return "expected true or false"
	case (*span)(nil).Type():
		return e.Unwrap().Error()
	}
	return "expected values separated by commas"
}

// flagsLike are flags of a command whose names are close to one.
func flagsLike(c *cobra.Command, name string) []string {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	near := similar.Nearest(name, names, nearby, mostNames)
	for i := range near {
		near[i] = "--" + near[i]
	}
	return near
}

// headerFlags are the flags that become header fields.
var headerFlags = map[string]string{
	wire.HeaderDelay: "delay", wire.HeaderNotBefore: "not-before", wire.HeaderMaxAge: "max-age", wire.HeaderIdempotencyKey: "idempotency-key",
}

// inFlags is an error of the server that names the flags of a command instead of what they become: the header
// fields and parameters of a request.
func inFlags(c *cobra.Command, err error) error {
	e, ok := errors.AsType[*client.Error](err)
	if _, partly := errors.AsType[partlyError](err); !ok || partly || e.Status != http.StatusBadRequest {
		return err
	}
	named := *e
	var pairs []string
	for field, name := range headerFlags {
		if c.Flags().Changed(name) {
			pairs = append(pairs, field, "--"+name)
		}
	}
	r := strings.NewReplacer(pairs...)
	named.Text, named.Hint = r.Replace(e.Text), r.Replace(e.Hint)
	first, rest, _ := strings.Cut(named.Text, " ")
	if f := c.Flags().Lookup(strings.ReplaceAll(first, "_", "-")); f != nil && f.Changed {
		named.Text = "--" + f.Name + " " + rest
	}
	return &named
}
