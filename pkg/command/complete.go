// File complete.go completes the values of flags and the names of what a worker has.

package command

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"queue-worker/pkg/client"
	"queue-worker/pkg/invocation"
)

// Bounds of a question while a shell waits.
const (
	completionTimeout = 2 * time.Second
	mostCompletions   = 500
)

// fixedValues are the flags with few values.
var fixedValues = map[string][]string{
	"output": {"table", "json"},
	"order":  {"oldest", "newest"},
	"status": {"4xx", "5xx", "404", "429", "500", "502", "503", "504", "0"},
	"reason": reasons(),
}

func reasons() []string {
	var all []string
	for _, r := range invocation.Reasons() {
		all = append(all, string(r))
	}
	return all
}

// states are those that a command selects by.
var states = map[string][]string{"ls": {"ready", "running", "delayed"}, "purge": {"ready", "delayed", "all"}}

// names lists what a worker has.
type names func(ctx context.Context, c *client.Client) []string

// argumentNames say what the arguments of a command are, by the name of its group and its own.
var argumentNames = map[string]names{
	"function ls": functionNames, "function pause": functionNames, "function resume": functionNames, "function purge": functionNames,
	"policy show": functionNames, "queue-worker send": functionNames,
	"dead show": letterIDs, "dead replay": letterIDs, "dead drop": letterIDs,
	"job status": jobIDs, "job pause": jobIDs, "job resume": jobIDs, "job cancel": jobIDs,
}

// completeAll makes a command and those below it complete their values.
func completeAll(e *env, c *cobra.Command) {
	for _, below := range c.Commands() {
		completeAll(e, below)
	}
	for name, words := range fixedValues {
		completeFlag(c, name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
	completeFlag(c, "state", cobra.FixedCompletions(states[c.Name()], cobra.ShellCompDirectiveNoFileComp))
	completeFlag(c, "queue", asked(e, queueNames))
	if len(c.Commands()) > 0 || c.Parent() == nil {
		return
	}
	if c.Parent().Name() == "dead" || c.Parent().Name() == "invocation" { // elsewhere it is a setting of dev
		completeFlag(c, "function", asked(e, functionNames))
	}
	if list := argumentNames[c.Parent().Name()+" "+c.Name()]; list != nil {
		c.ValidArgsFunction = asked(e, list)
	}
}

func completeFlag(c *cobra.Command, name string, f cobra.CompletionFunc) {
	if c.LocalFlags().Lookup(name) != nil {
		_ = c.RegisterFlagCompletionFunc(name, f) // it is registered once
	}
}

// asked completes with what the worker lists. Where it does not answer there is nothing.
func asked(e *env, list names) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		r := remoteOf(e, c)
		worker, err := r.client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer worker.Close()
		ctx, cancel := context.WithTimeout(e.drain, completionTimeout)
		defer cancel()
		var all []cobra.Completion
		for _, name := range list(ctx, worker) {
			if strings.HasPrefix(name, begun) {
				all = append(all, name)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	}
}

// remoteOf reads the flags of a command that say which worker to ask. Standard input is left alone.
func remoteOf(e *env, c *cobra.Command) *remote {
	text := func(name string) string {
		if f := c.Flag(name); f != nil {
			return f.Value.String()
		}
		return ""
	}
	return &remote{
		e: e, server: text("server"), user: text("user"), passwordFile: text("password-file"), secretDir: text("secret-dir"),
		timeout: completionTimeout,
	}
}

func functionNames(ctx context.Context, c *client.Client) (all []string) {
	for page, err := range c.Functions(ctx, mostCompletions) {
		if err != nil {
			return all
		}
		for _, f := range page.Functions {
			if len(all) == 0 || all[len(all)-1] != f.Topic { // one entry for each queue, by name
				all = append(all, f.Topic)
			}
		}
	}
	return all
}

func letterIDs(ctx context.Context, c *client.Client) (all []string) {
	for page, err := range c.Newest(ctx, client.Filter{}, mostCompletions) {
		if err != nil {
			return all
		}
		for _, l := range page.Letters {
			all = append(all, l.ID)
		}
	}
	return all
}

func jobIDs(ctx context.Context, c *client.Client) (all []string) {
	for page, err := range c.Jobs(ctx, mostCompletions) {
		if err != nil {
			return all
		}
		for _, j := range page.Jobs {
			all = append(all, j.ID)
		}
	}
	return all
}

func queueNames(ctx context.Context, c *client.Client) (all []string) {
	s, err := c.Status(ctx)
	if err != nil {
		return nil
	}
	for _, q := range s.Worker.Queues {
		all = append(all, q.Name)
	}
	return all
}
