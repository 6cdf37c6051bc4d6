// Package inspect prints the outline of a message, for the commands that show what
// is in one.
package inspect

import (
	"fmt"
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/encoded"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/layout"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
)

// Columns is how wide output for people is.
const Columns = 80

// shown is what is said of a message, as JSON.
type shown struct {
	ReadAs   layout.Kind      `json:"read_as"`
	Encoding encoded.Encoding `json:"encoding"`
	Bytes    int              `json:"bytes"`
	Content  *outline.Node    `json:"content"`
	Problems []string         `json:"problems,omitempty"` // fields whose check failed
}

// How says how a message is shown.
type How struct{ Full, JSON bool }

// Show reads b as a kind and prints its outline. It fails if b is not well-formed, and
// after the outline if a check found something wrong.
func Show(t *term.IO, b []byte, e encoded.Encoding, kind layout.Kind, how How) error {
	m, err := layout.Read(b, kind)
	if err != nil {
		return exit.Usagef(e.Hint(), "not well-formed: %w", err)
	}
	if how.JSON {
		err = t.JSON(shown{m.Kind, e, len(b), m.Fields, m.Problems})
	} else {
		fmt.Fprintf(t.Out, "%s, %s, read from %s\n\n", m.Kind, outline.Size(len(b)), e)
		err = m.Fields.Write(t.Out, outline.Style{Columns: Columns, Full: how.Full, Paint: Painter(t)})
	}
	if err != nil {
		return err
	}
	if len(m.Problems) > 0 {
		return exit.Failuref("", "well-formed, but not valid: %s", strings.Join(m.Problems, ", "))
	}
	return nil
}

// KindNames lists kinds, in lines that fit below an indented one.
func KindNames(kinds []layout.Kind) string {
	var names []string
	for _, k := range kinds {
		names = append(names, string(k))
	}
	return strings.Join(term.Wrap(strings.Join(names, ", "), Columns-4), "\n  ")
}

// Painter colours an outline.
func Painter(t *term.IO) func(outline.Part, string) string {
	styles := map[outline.Part]term.Style{
		outline.PartName: term.Name, outline.PartDerived: term.Faint, outline.PartGood: term.Good, outline.PartBad: term.Bad,
	}
	return func(p outline.Part, s string) string { return t.Paint(styles[p], s) }
}
