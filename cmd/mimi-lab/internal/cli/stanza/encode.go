package stanza

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// encodeOptions are those of the command stanza encode.
type encodeOptions struct {
	IO       *term.IO
	Args     []string
	From, To form
	Compress bool
	JSON     bool
}

func newEncode(t *term.IO) *cobra.Command {
	o := &encodeOptions{IO: t, From: autoForm, To: hexForm}
	c := &cobra.Command{
		Use:   "encode [FILE]",
		Short: "Turn a stanza into its binary form",
		Long: `Turn a stanza, usually XML, into its binary form, and print that in hexadecimal,
in base64 or as it is. Without FILE the stanza comes from standard input.`,
		Example: `  echo '<receipt id="3EB0" to="42@msgr"/>' | mimi-lab stanza encode
  echo '<receipt id="3EB0" to="42@msgr"/>' | mimi-lab stanza encode --to base64`,
		Args: command.Args(0, 1, "a file"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Args = args
			return runEncode(o)
		},
	}
	c.Flags().Var(&o.From, "from", "read this form: auto, xml, binary, hex or base64")
	c.Flags().Var(&o.To, "to", "print this form: hex, base64 or binary")
	c.Flags().BoolVar(&o.Compress, "compress", false, "compress where that makes it shorter")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object with the form and its size")
	return c
}

func runEncode(o *encodeOptions) error {
	b, err := read(o.IO, o.Args)
	if err != nil {
		return err
	}
	n, _, err := parse(b, o.From)
	if err != nil {
		return err
	}
	encode := stanza.AppendBinary
	if o.Compress {
		encode = stanza.AppendCompressed
	}
	out, err := encode(nil, n)
	if err != nil {
		return exit.Usagef("", "encode the stanza: %w", err)
	}
	var text string
	switch o.To {
	case hexForm:
		text = hex.EncodeToString(out)
	case base64Form:
		text = base64.StdEncoding.EncodeToString(out)
	case binaryForm:
		if o.JSON {
			return exit.Usagef("Leave out --json, or ask for --to hex or --to base64.", "JSON cannot hold the binary form as it is")
		}
		if o.IO.OutTTY {
			return exit.Usagef("Send it to a file, or ask for --to hex.", "the binary form would garble the terminal")
		}
		_, err := o.IO.Out.Write(out)
		return err
	default:
		return exit.Usagef(`To print XML, use "mimi-lab stanza decode".`, "encode: --to %s is no binary form: want hex, base64 or binary", o.To)
	}
	if o.JSON {
		return o.IO.JSON(struct {
			Form  form   `json:"form"`
			Bytes int    `json:"bytes"` // of the binary form itself
			Data  string `json:"data"`
		}{o.To, len(out), text})
	}
	_, err = fmt.Fprintln(o.IO.Out, text)
	return err
}
