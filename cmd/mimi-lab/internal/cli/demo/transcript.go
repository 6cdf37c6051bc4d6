package demo

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/inspect"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/layout"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/rooms"
)

// transcript writes a story for people.
type transcript struct {
	*roomsOptions
	story *rooms.Story
	shown map[string]*rooms.Frame // by the bodies whose structs were written
}

func writeTranscript(o *roomsOptions, s *rooms.Story) error {
	w := bufio.NewWriter(o.IO.Out)
	t := &transcript{o, s, make(map[string]*rooms.Frame)}
	fmt.Fprintf(w, "%v, hub a.example, policy %s, seed %d\n", rooms.Clubhouse, t.Policy, t.Seed)
	parts := s.Parts()
	if !t.All {
		parts += ": Example protocol flow"
	}
	fmt.Fprintf(w, "draft-ietf-mimi-protocol-06, %s\n", parts)
	for i := range t.story.Sections {
		t.section(w, i)
	}
	t.verdict(w)
	return w.Flush()
}

// section writes what happened in one section, in the order of time.
func (t *transcript) section(w io.Writer, i int) {
	sec := &t.story.Sections[i]
	from, to := sec.At, des.Never
	if i+1 < len(t.story.Sections) {
		to = t.story.Sections[i+1].At
	}
	fmt.Fprintf(w, "\n%s\n", t.IO.Paint(term.Bold, sec.Heading()))
	fmt.Fprintf(w, "%s\n\n", t.IO.Paint(term.Faint, sec.Act))
	for _, m := range t.story.Moments(from, to) {
		if m.Frame == nil {
			for j, line := range term.Wrap(m.Who()+" "+m.Text, inspect.Columns-11) {
				lead := "         "
				if j > 0 {
					lead += "  "
				}
				fmt.Fprintln(w, lead+t.IO.Paint(term.Faint, line))
			}
			continue
		}
		t.frame(w, m.Frame)
	}
}

// columns of a frame's line: time, from, arrow, to, what, size.
const (
	nodeColumns = 9
	whatColumns = inspect.Columns - 9 - 2*nodeColumns - 5 - 2 - 8
)

func (t *transcript) frame(w io.Writer, f *rooms.Frame) {
	arrow := "-->"
	if f.Kind.Local() {
		arrow = "~~>"
	}
	size := ""
	if len(f.Body) > 0 {
		size = fmt.Sprintf("%d B", len(f.Body))
	}
	what := f.Summary()
	fate := ""
	if f.Arrived < 0 {
		fate = " (lost)"
	}
	lines := term.Wrap(what+fate, whatColumns)
	for i, line := range lines {
		if i > 0 {
			fmt.Fprintf(w, "%*s%s\n", 9+2*nodeColumns+5+2, "", line)
			continue
		}
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%7.3f  %s %s %s  %-*s%8s", f.Sent.Seconds(),
			t.node(f.From), arrow, t.node(f.To), whatColumns, line, size), " "))
	}
	if t.Verbose && f.Struct != "" {
		t.outline(w, f)
	}
}

// node writes a node's name in its column.
func (t *transcript) node(n string) string {
	s := fmt.Sprintf("%-*s", nodeColumns, rooms.Short(n))
	return t.IO.Paint(term.Name, s)
}

// indent is how far the outline of a struct is set in.
const indent = 9

// outline writes the structs of a frame, or where they were written before.
func (t *transcript) outline(w io.Writer, f *rooms.Frame) {
	if g := t.shown[string(f.Body)]; g != nil {
		fmt.Fprintf(w, "%*s%s, the same as at %.3f from %s\n", indent, "", t.IO.Paint(term.Bold, f.Struct), g.Sent.Seconds(), rooms.Short(g.From))
		return
	}
	t.shown[string(f.Body)] = f
	for _, b := range bodies(f) {
		fmt.Fprintf(w, "%*s%s\n", indent, "", t.IO.Paint(term.Bold, string(b.kind)))
		var text strings.Builder
		m, err := layout.Read(b.data, b.kind)
		if err != nil {
			fmt.Fprintf(w, "%*snot well-formed: %v\n", indent+2, "", err)
			continue
		}
		if err := m.Fields.Write(&text, outline.Style{Columns: inspect.Columns - indent - 2, Paint: inspect.Painter(t.IO)}); err != nil {
			fmt.Fprintf(w, "%*s%v\n", indent+2, "", err)
		}
		for line := range strings.Lines(text.String()) {
			fmt.Fprintf(w, "%*s%s", indent+2, "", line)
		}
	}
}

func (t *transcript) verdict(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n\n", t.IO.Paint(term.Bold, "Verdict"))
	for _, f := range t.story.Findings {
		if len(f.Broken) == 0 {
			fmt.Fprintf(w, "%s  %s\n", t.IO.Paint(term.Good, "holds "), f.Promise)
			continue
		}
		fmt.Fprintf(w, "%s  %s\n", t.IO.Paint(term.Bad, "BROKEN"), f.Promise)
		for _, b := range f.Broken {
			for i, line := range term.Wrap(b, inspect.Columns-10) {
				lead := "        "
				if i > 0 {
					lead += "  "
				}
				fmt.Fprintln(w, lead+line)
			}
		}
	}
	n := t.story.Traffic()
	fmt.Fprintf(w, "\n%d requests of MIMI with %d bytes, their responses %d bytes\n", n.Requests, n.RequestBytes, n.ResponseBytes)
}

// part is a struct in the body of a frame.
type part struct {
	kind layout.Kind
	data []byte
}

// bodies returns the structs of a frame's body. Of several KeyPackages it is the
// first.
func bodies(f *rooms.Frame) []part {
	kind := layout.Kind(f.Struct)
	switch {
	case f.First == 0 || f.First == len(f.Body):
		return []part{{kind, f.Body}}
	case f.Kind == rooms.Creation:
		return []part{{kind, f.Body[:f.First]}, {layout.RatchetTree, f.Body[f.First:]}}
	}
	return []part{{kind, f.Body[:f.First]}}
}
