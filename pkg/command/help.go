// File help.go has the help of commands.

package command

import (
	"strings"

	"github.com/spf13/cobra"
)

// partlyError is an error of work of which a part was done.
type partlyError struct{ error }

func (e partlyError) Unwrap() error { return e.error }

// The ends of the help texts: exit codes that several commands have.
const (
	codesPlain  = "0 done, 1 failed, 2 wrong usage"
	codesReplay = "0 all succeeded, or --detach; 1 nothing done or interrupted, 2 wrong usage, 3 some failed again, are pending or were skipped"
	codesWatch  = "0 all done and, of a replay, succeeded; 1 nothing done or interrupted, 2 wrong usage, 3 some failed, are pending or were skipped"
	codesBulk   = "0 all done, 1 nothing done or interrupted, 2 wrong usage, 3 partly: some failed or were skipped"
)

// command makes a command. Its help is a sentence, what there is to know beyond
// that, and the exit codes; examples come one a line.
func command(use, short, long, codes string, examples ...string) *cobra.Command {
	if long != "" {
		long = "\n\n" + strings.TrimSpace(long)
	}
	return &cobra.Command{
		Use: use, Short: short, Long: short + "." + long + "\n\nExit codes: " + codes + ".",
		Example: "  " + strings.Join(examples, "\n  "),
	}
}

// group makes a command for others to be added below it.
func group(use, short, long string) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Long: short + ".", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	if long != "" {
		c.Long += "\n\n" + strings.TrimSpace(long)
	}
	return c
}

// args checks the number of arguments; most below 0 is no bound.
func args(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		for _, a := range args {
			if strings.TrimSpace(a) == "" {
				return misused(c, "an argument is empty: %s", what)
			}
		}
		if len(args) < least || most >= 0 && len(args) > most {
			return misused(c, "want arguments %s, got %d", what, len(args))
		}
		return nil
	}
}
