// Package term is what a command has of the world around it: its streams, its
// environment and its clock, all of which a test can replace.
//
// Results go to Out and are the same whether somebody looks or not, but for
// colour. Progress and complaints go to Err.
package term

import (
	"encoding/json"
	"io"
	"os"
	"time"

	xterm "golang.org/x/term"
)

// IO is the world around a command.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	Now      func() time.Time
	// InTTY says whether somebody would have to type what is read from In; OutTTY
	// and ErrTTY, whether somebody looks at Out and Err.
	InTTY, OutTTY, ErrTTY bool
	// Width is the number of columns of the terminal behind Err.
	Width int
}

// System returns the streams, environment and clock of the process.
func System() *IO {
	s := &IO{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Getenv: os.Getenv, Now: time.Now,
		InTTY:  xterm.IsTerminal(int(os.Stdin.Fd())),
		OutTTY: xterm.IsTerminal(int(os.Stdout.Fd())),
		ErrTTY: xterm.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb",
		Width:  80,
	}
	if w, _, err := xterm.GetSize(int(os.Stderr.Fd())); err == nil && w > 0 {
		s.Width = w
	}
	return s
}

// Style is how a piece of output looks on a terminal.
type Style string

// The styles, as parameters of the control sequence SGR (ECMA-48). They are
// readable on light and on dark ground.
const (
	Bold  Style = "1"
	Faint Style = "2"
	Name  Style = "36" // cyan: names of things
	Good  Style = "32"
	Bad   Style = "31"
)

// Paint returns s in the style if somebody looks at Out and has not asked for no
// colour (https://no-color.org), else s itself.
func (t *IO) Paint(style Style, s string) string {
	if !t.Colour() || s == "" {
		return s
	}
	return "\x1b[" + string(style) + "m" + s + "\x1b[0m"
}

// Colour reports whether Out is to be coloured.
func (t *IO) Colour() bool {
	return t.OutTTY && t.Getenv("NO_COLOR") == "" && t.Getenv("TERM") != "dumb"
}

// JSON prints v on Out as indented JSON.
func (t *IO) JSON(v any) error {
	enc := json.NewEncoder(t.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
