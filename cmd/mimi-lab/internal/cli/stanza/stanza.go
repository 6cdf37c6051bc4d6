// Package stanza looks at interop stanzas and turns one of their forms into the
// other.
package stanza

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// New makes the noun stanza.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "stanza",
		Short: "Look at interop stanzas, encode and decode them",
		Long: `Look at interop stanzas, encode and decode them.

A stanza is one unit of the chat channel between a device and a gatekeeper. It
has two forms that carry the same tree, XML and a compact binary one.`,
		Example: `  echo '<receipt id="3EB0" to="42@msgr"/>' | mimi-lab stanza encode`,
	}, newShow(t), newEncode(t), newDecode(t))
}

// form is how a stanza is written down.
type form string

const (
	autoForm   form = "auto"
	xmlForm    form = "xml"
	binaryForm form = "binary"
	hexForm    form = "hex"
	base64Form form = "base64"
)

// Set takes the value of a flag; with String and Type it makes form one.
func (f *form) Set(s string) error {
	for _, known := range []form{autoForm, xmlForm, binaryForm, hexForm, base64Form} {
		if form(s) == known {
			*f = known
			return nil
		}
	}
	return errors.New("want auto, xml, binary, hex or base64")
}

func (f *form) String() string { return string(*f) }

// Type is what the help calls a value of the flag.
func (f *form) Type() string { return "form" }

// read returns the bytes of the one argument: a file, or standard input if it is
// "-" or missing.
func read(t *term.IO, args []string) ([]byte, error) {
	in, name := t.In, "standard input"
	if len(args) > 0 && args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return nil, exit.Failuref("Name a file that exists, or leave it out to read standard input.", "%w", err)
		}
		defer f.Close()
		in, name = f, args[0]
	} else if t.InTTY {
		return nil, exit.Usagef("Name a file, or send the stanza through a pipe.", "no stanza on standard input, which is a terminal")
	}
	// In hex and with white space a stanza of the largest size is about this long.
	const most = 4 * stanza.MaxSize
	b, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, exit.Failuref("", "read %s: %w", name, err)
	}
	if len(b) > most {
		return nil, exit.Usagef("", "%s is longer than any stanza, which has at most %d bytes", name, stanza.MaxSize)
	}
	return b, nil
}

// guess tells the form by what the bytes look like. A binary stanza begins with
// a byte that is no text.
func guess(b []byte) form {
	text := bytes.TrimSpace(b)
	switch {
	case bytes.HasPrefix(text, []byte("<")):
		return xmlForm
	case !isText(text):
		return binaryForm
	case strings.Trim(squeeze(text), "0123456789abcdefABCDEF") == "":
		return hexForm
	}
	return base64Form
}

func isText(b []byte) bool {
	return utf8.Valid(b) && bytes.IndexFunc(b, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }) < 0
}

// squeeze takes the white space out.
func squeeze(b []byte) string { return string(bytes.Join(bytes.Fields(b), nil)) }

// parse reads a stanza in the given form and says which form it was.
func parse(b []byte, f form) (stanza.Node, form, error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return stanza.Node{}, f, exit.Usagef("The command reads a file or what is piped into it.", "nothing to read: the input is empty")
	}
	if f == autoForm {
		f = guess(b)
	}
	n, err := parseForm(b, f)
	if err != nil {
		return stanza.Node{}, f, exit.Usagef(
			fmt.Sprintf("It was read as %s; --from says otherwise.", f), "not a stanza: %w", err)
	}
	return n, f, nil
}

func parseForm(b []byte, f form) (stanza.Node, error) {
	switch f {
	case xmlForm:
		return stanza.ParseXML(bytes.TrimSpace(b))
	case hexForm:
		raw, err := hex.DecodeString(squeeze(b))
		if err != nil {
			return stanza.Node{}, err
		}
		return stanza.ParseBinary(raw)
	case base64Form:
		raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(squeeze(b), "="))
		if err != nil {
			return stanza.Node{}, err
		}
		return stanza.ParseBinary(raw)
	}
	return stanza.ParseBinary(b)
}
