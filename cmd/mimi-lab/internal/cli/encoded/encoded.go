// Package encoded reads what commands look at: the bytes of a message, in
// hexadecimal, in base64 or as they are, from a file or from standard input.
package encoded

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// Encoding is how bytes are written down. It is the value of a flag.
type Encoding string

const (
	Auto   Encoding = "auto"
	Hex    Encoding = "hex"
	Base64 Encoding = "base64"
	Binary Encoding = "binary"
)

// Flag adds --encoding for e.
func (e *Encoding) Flag(flags *pflag.FlagSet) {
	flags.Var(e, "encoding", "how it is written: auto, hex, base64 or binary")
}

// Hint is for bytes that make no sense, which another encoding may give them.
func (e Encoding) Hint() string {
	return fmt.Sprintf("It was read as %s; --encoding says otherwise.", e)
}

// Set takes the value of a flag; with String and Type it makes Encoding one.
func (e *Encoding) Set(s string) error {
	for _, known := range []Encoding{Auto, Hex, Base64, Binary} {
		if Encoding(s) == known {
			*e = known
			return nil
		}
	}
	return errors.New("want auto, hex, base64 or binary")
}

func (e *Encoding) String() string { return string(*e) }

// Type is what the help calls a value of the flag.
func (e *Encoding) Type() string { return "encoding" }

// maxBytes is the longest message that is looked at: more than the ratchet tree of
// 100 000 members has.
const maxBytes = 64 << 20

// maxText is the longest file: maxBytes in hexadecimal, in lines.
const maxText = 2*maxBytes + maxBytes/8

// Read returns the bytes of the one argument, a file, or of standard input if it
// is "-" or missing, and how they were encoded.
func Read(t *term.IO, args []string, e Encoding) ([]byte, Encoding, error) {
	in, name := t.In, "standard input"
	if len(args) > 0 && args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return nil, e, exit.Failuref("Name a file that exists, or leave it out to read standard input.", "%w", err)
		}
		defer f.Close()
		in, name = f, args[0]
	} else if t.InTTY {
		return nil, e, exit.Usagef("Name a file, or send the message through a pipe.", "no message on standard input, which is a terminal")
	}
	b, err := io.ReadAll(io.LimitReader(in, maxText+1))
	if err != nil {
		if in != t.In { // a file's errors have its name
			return nil, e, exit.Failuref("", "%w", err)
		}
		return nil, e, exit.Failuref("", "read %s: %w", name, err)
	}
	tooLong := func() error {
		return exit.Usagef("", "%s is longer than %d MiB, want at most that", name, maxBytes>>20)
	}
	if len(b) > maxText { // before it is decoded
		return nil, e, tooLong()
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, e, exit.Usagef("The command reads a file or what is piped into it.", "nothing to read: %s is empty", name)
	}
	guessed := e == Auto
	if guessed {
		e = guess(b)
	}
	b, err = decode(b, e)
	if err != nil && guessed && e == Base64 { // which it was taken for because it is not hexadecimal
		return nil, e, exit.Usagef("A dump? \"xxd -p\" writes plain hex.", "%s: neither hex nor base64: %s", name, strings.TrimPrefix(err.Error(), "not base64: "))
	}
	if err != nil {
		return nil, e, exit.Usagef(e.Hint(), "%s: %w", name, err)
	}
	if len(b) > maxBytes {
		return nil, e, tooLong()
	}
	return b, e, nil
}

// guess tells the encoding by what the bytes look like. Nothing that is looked at
// is all letters: MLS has a small number, which is a control character, near the
// start, and CBOR begins with the head of an array, which is beyond ASCII.
func guess(b []byte) Encoding {
	text := func(c rune) bool { return c > 0x7e || c < ' ' && !strings.ContainsRune("\t\r\n", c) }
	switch {
	case bytes.ContainsFunc(b, text):
		return Binary
	case strings.IndexFunc(squeeze(b), notHex) < 0:
		return Hex
	}
	return Base64
}

// squeeze takes the white space out.
func squeeze(b []byte) string {
	var s strings.Builder
	s.Grow(len(b))
	for _, c := range b {
		if !strings.ContainsRune(" \t\r\n\v\f", rune(c)) {
			s.WriteByte(c)
		}
	}
	return s.String()
}

// decode decodes hexadecimal, or base64 of either alphabet with or without padding
// (RFC 4648, Sections 4, 5 and 8). Where it fails, white space does not count.
func decode(b []byte, e Encoding) ([]byte, error) {
	switch e {
	case Hex:
		s := squeeze(b)
		if i := strings.IndexFunc(s, notHex); i >= 0 {
			return nil, fmt.Errorf("not hexadecimal: %q at character %d, want 0-9 or a-f", s[i:i+1], i)
		}
		if len(s)%2 != 0 {
			return nil, fmt.Errorf("not hexadecimal: %d digits, want an even number", len(s))
		}
		return hex.DecodeString(s)
	case Base64:
		s := strings.TrimRight(squeeze(b), "=")
		s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
		out, err := base64.RawStdEncoding.DecodeString(s)
		if i := base64.CorruptInputError(0); errors.As(err, &i) {
			if int(i) < len(s) && len(s)%4 != 1 {
				return nil, fmt.Errorf("not base64: %q at character %d, want a letter, digit or one of + / - _", s[i:i+1], i)
			}
			return nil, fmt.Errorf("not base64: %d characters, which end within a byte", len(s))
		}
		return out, err
	}
	return b, nil
}

func notHex(c rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", c) }
