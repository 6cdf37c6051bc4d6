package mls

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/encoded"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/inspect"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/layout"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
)

// showOptions are those of the command mls show.
type showOptions struct {
	IO       *term.IO
	Args     []string
	Encoding encoded.Encoding
	Type     string
	Full     bool
	JSON     bool
}

func newShow(t *term.IO) *cobra.Command {
	o := &showOptions{IO: t, Encoding: encoded.Auto}
	c := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Show what is in an MLS message, field by field",
		Long: `Show what is in an MLS message, in the field names of RFC 9420: an MLSMessage,
or on its own one of
  ` + inspect.KindNames(layout.Kinds()[1:]) + `.
It comes from FILE, or from standard input if that is "-" or left out: in
hexadecimal, in base64 or as it is. GroupSecrets, which are never sent in the
open, are not among them, and the body of a proposal is read in a Proposal.

Lines with an arrow are not in the message but follow from it: what is in known
extensions, references, and whether signatures verify where no more than the
message is needed. A check that fails exits with 1.`,
		Example: `  echo 00010002057061727479000000000000002a010003aabbcc0411223344 \
    | mimi-lab mls show
  echo AAMAAAAC | mimi-lab mls show --type Proposal --json`,
		Args: command.Args(0, 1, "a file"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Args = args
			return runShow(o)
		},
	}
	o.Encoding.Flag(c.Flags())
	c.Flags().StringVar(&o.Type, "type", "", "which struct it is (default: the one that fits)")
	c.Flags().BoolVar(&o.Full, "full", false, "shorten nothing")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object, bytes in hexadecimal")
	return c
}

func runShow(o *showOptions) error {
	kind, err := parseKind(o.Type)
	if err != nil {
		return err
	}
	b, e, err := encoded.Read(o.IO, o.Args, o.Encoding)
	if err != nil {
		return err
	}
	if kind == "" {
		if kind, err = guessKind(b, e); err != nil {
			return err
		}
	}
	return inspect.Show(o.IO, b, e, kind, inspect.How{Full: o.Full, JSON: o.JSON})
}

// parseKind returns the struct that --type names, "" if it names none.
func parseKind(name string) (layout.Kind, error) {
	if name == "" {
		return "", nil
	}
	if k, ok := layout.ParseKind(name); ok {
		return k, nil
	}
	var names []string
	for _, k := range layout.Kinds() {
		names = append(names, string(k))
	}
	return "", command.Unknown("type", name, names, "There are "+strings.Join(names, ", ")+".")
}

// guessKind finds out what b is.
func guessKind(b []byte, e encoded.Encoding) (layout.Kind, error) {
	kind, err := layout.Guess(b)
	var g *layout.GuessError
	if errors.As(err, &g) && len(g.Fits) > 0 {
		return "", exit.Usagef("--type says which one it is.", "ambiguous: %w", err)
	}
	if err != nil {
		return "", exit.Usagef("--type tries one of them alone. "+e.Hint(), "%s: %w", outline.Size(len(b)), err)
	}
	return kind, nil
}
