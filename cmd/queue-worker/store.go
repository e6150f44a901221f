//go:build storecheck

package main

// queue-worker store: looking at a store from the outside.

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"queue-worker/pkg/config"
	"queue-worker/pkg/store"
)

func newStore(e *env) *cobra.Command {
	c := &cobra.Command{
		Use: "store", Short: "Look at the store of a stopped worker", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var dir string
	check := &cobra.Command{
		Use: "check", Short: "Read everything in the store and say what is found", Args: noArgs,
		Long: `check opens the store of a stopped worker without changing it, reads every
invocation in it and compares what is written about it. It ends with 0 when all
is well and with 1 when anything was found.`,
		RunE: func(*cobra.Command, []string) error { return checkStore(e, dir) },
	}
	check.Flags().StringVar(&dir, "data-dir", "", "the store's folder (default: data_dir of the environment)")
	c.AddCommand(check)
	return c
}

var errFindings = errors.New("the store is damaged")

func checkStore(e *env, dir string) error {
	if dir == "" {
		c, err := config.Load(e.environ)
		if err != nil {
			return usageError{err}
		}
		if dir = c.DataDir; dir == "" {
			return usageError{errors.New("which folder? give --data-dir, or set data_dir")}
		}
	}
	report, err := store.Check(dir, func(read int) { _, _ = fmt.Fprintf(e.stdout, "\rread %d", read) })
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(e.stdout, "\n%s", report)
	if len(report.Findings) > 0 {
		return errFindings
	}
	return nil
}
