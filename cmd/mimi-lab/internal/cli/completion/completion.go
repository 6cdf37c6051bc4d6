// Package completion prints the scripts by which a shell completes the command
// line of mimi-lab.
package completion

import (
	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// Options are those of the command completion.
type Options struct {
	IO    *term.IO
	Root  *cobra.Command
	Shell string
}

var shells = []string{"bash", "fish", "powershell", "zsh"}

// New makes the command completion.
func New(t *term.IO) *cobra.Command {
	o := &Options{IO: t}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the script that completes commands in a shell",
		Long: `Print the script that completes commands, flags and scenario names in a shell:
bash, fish, powershell or zsh. Load it in the shell's startup file:

  bash        source <(mimi-lab completion bash)
  fish        mimi-lab completion fish | source
  powershell  mimi-lab completion powershell | Out-String | Invoke-Expression
  zsh         source <(mimi-lab completion zsh)`,
		Example:   "  mimi-lab completion bash",
		Args:      command.Args(1, 1, "the name of a shell"),
		ValidArgs: shells,
		RunE: func(c *cobra.Command, args []string) error {
			o.Root, o.Shell = c.Root(), args[0]
			return run(o)
		},
	}
}

func run(o *Options) error {
	switch o.Shell {
	case "bash":
		return o.Root.GenBashCompletionV2(o.IO.Out, true)
	case "fish":
		return o.Root.GenFishCompletion(o.IO.Out, true)
	case "powershell":
		return o.Root.GenPowerShellCompletionWithDesc(o.IO.Out)
	case "zsh":
		return o.Root.GenZshCompletion(o.IO.Out)
	}
	return command.Unknown("shell", o.Shell, shells, "The shells are bash, fish, powershell and zsh.")
}
