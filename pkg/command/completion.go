// File completion.go prints completion scripts for shells.

package command

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newCompletion(e *env) *cobra.Command {
	c := command("completion bash|zsh|fish|powershell", "Print a script that completes commands and flags in a shell", "", codesPlain,
		"source <(queue-worker completion bash)", "queue-worker completion fish > ~/.config/fish/completions/queue-worker.fish")
	c.Args = args(1, 1, "bash, zsh, fish or powershell")
	c.ValidArgs = []string{"bash", "zsh", "fish", "powershell"}
	c.RunE = func(c *cobra.Command, args []string) error {
		switch root := c.Root(); args[0] {
		case "bash":
			return root.GenBashCompletionV2(e.Stdout, true)
		case "zsh":
			return root.GenZshCompletion(e.Stdout)
		case "fish":
			return root.GenFishCompletion(e.Stdout, true)
		case "powershell":
			return root.GenPowerShellCompletionWithDesc(e.Stdout)
		}
		return usageError{fmt.Errorf("no completion for %q: expected bash, zsh, fish or powershell", args[0])}
	}
	return c
}
