// Package scenario lists, shows, checks and begins scenario files.
package scenario

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
)

// New makes the noun scenario.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "scenario",
		Short: "List, show, check and begin scenario files",
		Long: `List, show, check and begin scenario files.

A scenario is a YAML file that says who is there, what they do, what the network
does to them and what is checked. Some are built in and called by their name;
any other is called by the name of its file.`,
		Example: `  mimi-lab scenario list
  mimi-lab scenario show dma-launch-2024`,
	}, newList(t), newShow(t), newValidate(t), newSchema(t), newNew(t))
}

// IsFile reports whether an argument names a file and not a built-in scenario.
func IsFile(arg string) bool {
	return arg == "-" || strings.ContainsRune(arg, filepath.Separator) ||
		strings.HasSuffix(arg, ".yaml") || strings.HasSuffix(arg, ".yml") || strings.HasSuffix(arg, ".json")
}

// maxFile is the size of a scenario file in bytes; the largest built-in one has
// about a hundredth of it.
const maxFile = 1 << 20

// Source returns the text of a scenario, built in or in a file, and the name
// that stands for it in errors.
func Source(t *term.IO, arg string) (name string, text []byte, err error) {
	if !IsFile(arg) {
		text, err := scenario.Source(arg)
		if errors.Is(err, scenario.ErrNotFound) {
			return "", nil, command.Unknown("built-in scenario", arg, names(),
				`"mimi-lab scenario list" lists them; a file is called by its path, as in ./NAME.yaml.`)
		}
		return arg + ".yaml", text, err
	}
	in := t.In
	if arg != "-" {
		f, err := os.Open(arg)
		if err != nil {
			return "", nil, exit.Failuref(`"mimi-lab scenario new NAME > NAME.yaml" begins a file.`, "%w", err)
		}
		defer f.Close()
		in = f
	}
	text, err = io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return "", nil, exit.Failuref("", "read %s: %w", arg, err)
	}
	if len(text) > maxFile {
		return "", nil, exit.Usagef("", "%s is longer than %d bytes", arg, maxFile)
	}
	return arg, text, nil
}

// Load reads a scenario, built in or in a file, and applies the overrides.
func Load(t *term.IO, arg string, overrides []string) (*scenario.File, error) {
	name, text, err := Source(t, arg)
	if err != nil {
		return nil, err
	}
	f, err := scenario.Load(name, text, overrides...)
	if err != nil {
		return nil, exit.Usagef(`"mimi-lab scenario schema" prints what a scenario may hold.`, "the scenario is not valid:\n%w", err)
	}
	return f, nil
}

// Complete completes the name of a built-in scenario or of a file.
func Complete(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return names(), cobra.ShellCompDirectiveDefault
}

// names lists the built-in scenarios.
func names() []string {
	var all []string
	for _, s := range scenario.Library() {
		all = append(all, s.Name)
	}
	return all
}
