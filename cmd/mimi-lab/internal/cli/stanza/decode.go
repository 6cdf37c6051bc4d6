package stanza

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// decodeOptions are those of the command stanza decode.
type decodeOptions struct {
	IO     *term.IO
	Args   []string
	From   form
	Indent bool
	JSON   bool
}

func newDecode(t *term.IO) *cobra.Command {
	o := &decodeOptions{IO: t, From: autoForm}
	c := &cobra.Command{
		Use:   "decode [FILE]",
		Short: "Turn a stanza into canonical XML",
		Long: `Turn a stanza, usually in its binary form, into canonical XML. The binary form
may come as it is, in hexadecimal or in base64. Without FILE it comes from
standard input.`,
		Example: `  echo '<receipt id="3EB0" to="42@msgr"/>' | mimi-lab stanza encode \
    | mimi-lab stanza decode`,
		Args: command.Args(0, 1, "a file"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Args = args
			return runDecode(o)
		},
	}
	c.Flags().Var(&o.From, "from", "read this form: auto, xml, binary, hex or base64")
	c.Flags().BoolVar(&o.Indent, "indent", false, "one element to a line, for people to read")
	c.Flags().BoolVar(&o.JSON, "json", false, "print the tree as a JSON object")
	return c
}

func runDecode(o *decodeOptions) error {
	b, err := read(o.IO, o.Args)
	if err != nil {
		return err
	}
	n, _, err := parse(b, o.From)
	if err != nil {
		return err
	}
	if o.JSON {
		return o.IO.JSON(newTree(&n, false))
	}
	marshal := stanza.MarshalXML
	if o.Indent {
		marshal = stanza.IndentXML
	}
	out, err := marshal(n)
	if err != nil {
		return exit.Usagef("", "write the stanza as XML: %w", err)
	}
	_, err = fmt.Fprintf(o.IO.Out, "%s\n", out)
	return err
}
