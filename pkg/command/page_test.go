package command

// The page of commands: docs/cli.md is written from the commands, and must not fall
// behind them.

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"queue-worker/internal/testkit"
)

const page = "../../docs/cli.md"

// commands is the whole tree, in a world of nothing.
func commands() *cobra.Command {
	return newRoot(&env{
		Process: Process{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard},
		drain:   context.Background(), abort: context.Background(),
	})
}

func TestCommandsPage(t *testing.T) {
	t.Parallel()
	testkit.Golden(t, page, renderPage(commands()))
}

func TestEveryCommandHasASentenceExamplesAndExitCodes(t *testing.T) {
	t.Parallel()
	walk(commands(), func(c *cobra.Command) {
		switch {
		case c.Short == "":
			t.Errorf("%s: the sentence is %q, want short not empty", c.CommandPath(), c.Short)
		case strings.HasSuffix(c.Short, "."):
			t.Errorf(`%s: the sentence is %q, want no "." at its end`, c.CommandPath(), c.Short)
		}
		if c.HasSubCommands() && c.HasParent() {
			return
		}
		switch {
		case !strings.Contains(c.Example, "queue-worker"):
			t.Errorf(`%s has no example or no exit codes: %q, %q, want "queue-worker" in it`, c.CommandPath(), c.Example, c.Long)
		case !strings.Contains(c.Long, "Exit codes: 0 "):
			t.Errorf(`%s has no example or no exit codes: %q, %q, want "Exit codes: 0 " in it`, c.CommandPath(), c.Example, c.Long)
		}
		for line := range strings.Lines(c.Example) {
			inContainer := "/worker" + strings.TrimPrefix(c.CommandPath(), c.Root().Name())
			if !strings.Contains(line, c.CommandPath()) && !strings.Contains(line, inContainer) {
				t.Errorf("%s: its example is of another command: %s", c.CommandPath(), line)
			}
		}
	})
}

// The page may be pasted into a terminal, and so may what it says.
func TestHelpHasNoLinesThatATerminalBreaks(t *testing.T) {
	t.Parallel()
	walk(commands(), func(c *cobra.Command) {
		for line := range strings.Lines(c.Long) {
			if len(line) > 130 && !strings.HasPrefix(line, "Exit codes") {
				t.Errorf("%s: %d characters: %s", c.CommandPath(), len(line), line)
			}
		}
	})
}

func walk(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, below := range c.Commands() {
		if !below.Hidden && below.Name() != "help" {
			walk(below, visit)
		}
	}
}

const pageIntro = `# Command line

<!-- Written by go generate from pkg/command. Change it there. -->

The program is one binary. Without a command it is the worker; the other commands use a running worker over HTTP.

**Which worker.** ` + "`--server`" + `, else ` + "`QUEUE_WORKER_SERVER`" + `, else the ` + "`http_listen_address`" + ` of the environment on this machine, else
` + "`http://127.0.0.1:8081`" + `. In Kubernetes either run it in the worker's own container, where address and secret are detected automatically, or forward the port:

    kubectl -n openfaas exec -it deploy/queue-worker -- /worker dead ls
    kubectl -n openfaas port-forward deploy/queue-worker 8081 & queue-worker dead ls

**Credentials.** ` + "`--user`" + ` with ` + "`--password-file` or `--password-stdin`" + `; else ` + "`QUEUE_WORKER_USER` and `QUEUE_WORKER_PASSWORD`" + `; else the secret that
OpenFaaS mounts: ` + "`--secret-dir`, `secret_mount_path`" + `, or, for a server on this machine only, ` + "`/var/secrets/gateway`" + `. A password is never an argument.
Redirects are not followed, so credentials go nowhere else.

**Output.** On a terminal there are tables, ages and progress bars. Otherwise rows are tab separated, without headings, with whole values, and long
work writes a line to standard error every few seconds. ` + "`-o json`" + ` is what the worker has answered; listings give one document a page.
Control characters in untrusted text are written as escapes, in JSON as those of JSON. ` + "`NO_COLOR`" + ` turns colours off.

**Exit codes.** 0 done, 1 failed, 2 wrong usage, 3 partly. Errors are one line on standard error, and a second one that says what to do.

**Bulk changes** show a plan first and ask for a "yes"; where standard input is not a terminal, ` + "`--yes`" + ` is needed. The work is a job in the worker: it continues
when the command ends, and after a restart.
`

func renderPage(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString(pageIntro)
	b.WriteString("\n## Flags of every command that uses a worker\n")
	dead, _, err := root.Find([]string{"dead"})
	if err != nil {
		panic(err)
	}
	renderFlags(&b, dead.PersistentFlags(), nil)
	walk(root, func(c *cobra.Command) {
		if c.HasParent() {
			renderCommand(&b, c, dead.PersistentFlags())
		}
	})
	return b.String()
}

func renderCommand(b *strings.Builder, c *cobra.Command, known *pflag.FlagSet) {
	if c.HasSubCommands() {
		fmt.Fprintf(b, "\n## %s\n\n%s\n", c.CommandPath(), c.Long)
		return
	}
	level := "###"
	if c.Parent() == c.Root() {
		level = "##"
	}
	fmt.Fprintf(b, "\n%s %s %s\n\n%s\n\n```\n%s\n```\n", level, c.Parent().CommandPath(), c.Use, c.Long, strings.ReplaceAll(c.Example, "\n  ", "\n")[2:])
	renderFlags(b, c.LocalFlags(), known)
}

// renderFlags writes a list of flags, less those that are known already.
func renderFlags(b *strings.Builder, flags, known *pflag.FlagSet) {
	b.WriteString("\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || known != nil && known.Lookup(f.Name) != nil {
			return
		}
		name, usage := pflag.UnquoteUsage(f)
		text := "`--" + f.Name
		if f.Shorthand != "" {
			text = "`-" + f.Shorthand + ", --" + f.Name
		}
		if name != "" {
			text += " " + name
		}
		text += "` " + usage
		if !slices.Contains([]string{"", "false", "0", "0s", "[]"}, f.DefValue) {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(b, "- %s\n", text)
	})
}
