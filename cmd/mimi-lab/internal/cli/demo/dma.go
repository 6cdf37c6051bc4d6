package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/inspect"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/trace"
)

// dmaOptions are those of the command demo dma.
type dmaOptions struct {
	IO      *term.IO
	Verbose bool
	JSON    bool
	Out     string
}

func newDMA(t *term.IO) *cobra.Command {
	o := &dmaOptions{IO: t}
	c := &cobra.Command{
		Use:   "dma",
		Short: "Let a partner's user talk with a gatekeeper's, over sockets",
		Long: `Run a gatekeeper, a partner's server and their users' devices in this process,
on the loopback interface: Bob of the partner enlists and talks with Alice, who
is the gatekeeper's own user, in a chat and in a group, while he is there and
while he is not.

The transcript has every stanza of the chat channel with its size in bytes, as
it is sealed by Noise, and what it is for. Binary content stands as its length,
in brackets. Acknowledgements are left out, but with -v.

It ends with a verdict on what the interface promises: everything arrives once,
what is said while somebody is away waits, and no server has a plaintext. A
promise that is broken exits with 3. Keys and identifiers are new each time.`,
		Example: `  mimi-lab demo dma
  mimi-lab demo dma -v --out dma.svg
  mimi-lab demo dma --json`,
		Args: command.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runDMA(c.Context(), o) },
	}
	c.Flags().BoolVarP(&o.Verbose, "verbose", "v", false, "show acknowledgements as well")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	c.Flags().StringVarP(&o.Out, "out", "o", "", "`file` for the sequence diagram, an SVG")
	return c
}

func runDMA(ctx context.Context, o *dmaOptions) error {
	s, err := playDMA(ctx)
	if err != nil {
		return exit.Failuref("", "%w", err)
	}
	if err := draw(o.Out, s.diagram()); err != nil {
		return err
	}
	if o.JSON {
		err = o.IO.JSON(s.asJSON())
	} else {
		err = o.write(s)
	}
	if err == nil && !s.holds() {
		err = exit.Violationf("", "not all promises hold")
	}
	return err
}

// write writes a story for people.
func (o *dmaOptions) write(s *dmaStory) error {
	w := bufio.NewWriter(o.IO.Out)
	fmt.Fprintf(w, "Bob of %s and Alice of the %s, over sockets\n", partnerName, gatekeeperName)
	fmt.Fprintf(w, "Reference Offer 1.0.3 as far as it is public; Signal by the adapter %s\n", s.signal)
	acks := 0
	for _, sec := range s.sections {
		fmt.Fprintf(w, "\n%s\n", o.IO.Paint(term.Bold, sec.Title))
		for _, line := range term.Wrap(sec.About, inspect.Columns) {
			fmt.Fprintln(w, o.IO.Paint(term.Faint, line))
		}
		for _, m := range sec.moments {
			if m.ack && !o.Verbose {
				acks++
				continue
			}
			o.moment(w, &m)
		}
	}
	if acks > 0 {
		fmt.Fprintf(w, "\n%s\n", o.IO.Paint(term.Faint, fmt.Sprintf("(%d acknowledgements are left out: -v shows them)", acks)))
	}
	o.verdict(w, s)
	return w.Flush()
}

// moment writes what somebody does at the margin, and what is sent and seen set in.
func (o *dmaOptions) moment(w io.Writer, m *dmaMoment) {
	const lead = "    "
	switch {
	case m.From == "" && m.Does != "":
		fmt.Fprintln(w)
		for i, line := range term.Wrap(m.Does, inspect.Columns-4) {
			if i > 0 {
				line = "  " + line
			}
			fmt.Fprintln(w, "  "+o.IO.Paint(term.Bold, line))
		}
	case m.From == "":
		indented(w, m.Sees, lead, lead+"  ")
	default:
		size := ""
		if m.Bytes > 0 {
			size = fmt.Sprintf("%d B", m.Bytes)
		}
		way := m.From + " --> " + m.To
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%s%s %*s", lead, o.IO.Paint(term.Name, way), inspect.Columns-len(lead)-len(way)-1, size), " "))
		for _, line := range m.Stanza {
			fmt.Fprintln(w, lead+"  "+line)
		}
		if m.Gloss != "" {
			for _, line := range term.Wrap(m.Gloss, inspect.Columns-8) {
				fmt.Fprintln(w, lead+"  "+o.IO.Paint(term.Faint, line))
			}
		}
	}
}

func (o *dmaOptions) verdict(w io.Writer, s *dmaStory) {
	fmt.Fprintf(w, "\n%s\n\n", o.IO.Paint(term.Bold, "Verdict"))
	for _, f := range s.verdict {
		word := o.IO.Paint(term.Good, "holds ")
		if !f.Holds {
			word = o.IO.Paint(term.Bad, "BROKEN")
		}
		indented(w, f.Promise, word+"  ", "        ")
		for _, b := range f.Broken {
			indented(w, b, "        ", "          ")
		}
	}
	fmt.Fprintf(w, "\n%d stanzas with %d bytes on the chat channel\n", s.stanzas, s.bytes)
}

// dmaJSON is a story, as JSON.
type dmaJSON struct {
	Signal   string           `json:"signal"`
	Sections []dmaSectionJSON `json:"sections"`
	Stanzas  int              `json:"stanzas"`
	Bytes    int              `json:"bytes"`
	Verdict  []finding        `json:"verdict"`
	Holds    bool             `json:"holds"`
}

type dmaSectionJSON struct {
	Title   string      `json:"title"`
	About   string      `json:"about"`
	Moments []dmaMoment `json:"moments"`
}

func (s *dmaStory) asJSON() *dmaJSON {
	j := &dmaJSON{Signal: s.signal, Stanzas: s.stanzas, Bytes: s.bytes, Verdict: s.verdict, Holds: s.holds()}
	for _, sec := range s.sections {
		j.Sections = append(j.Sections, dmaSectionJSON{sec.Title, sec.About, sec.moments})
	}
	return j
}

func (s *dmaStory) holds() bool {
	for _, f := range s.verdict {
		if !f.Holds {
			return false
		}
	}
	return true
}

// diagram draws the story without acknowledgements.
func (s *dmaStory) diagram() *trace.Diagram {
	d := &trace.Diagram{
		Level: true, Title: "Two users across the interface of a gatekeeper", Sub: "over sockets; Signal by the adapter " + s.signal,
		Actors: []trace.Actor{
			{Node: bobName, Label: "Bob", Role: trace.Device, Note: "of the partner"}, {Node: partnerName, Role: trace.Partner},
			{Node: gatekeeperName, Role: trace.Gatekeeper}, {Node: aliceName, Label: "Alice", Role: trace.Device, Note: "of the gatekeeper"},
			{Node: carolName, Label: "Carol", Role: trace.Device, Note: "of the partner"},
		},
	}
	for _, sec := range s.sections {
		d.Headings = append(d.Headings, trace.Heading{Before: len(d.Entries), Text: sec.Title})
		for _, m := range sec.moments {
			at := des.FromDuration(time.Duration(m.At * float64(time.Second)))
			switch {
			case m.ack:
			case m.From != "":
				e := trace.Entry{At: at, Node: m.From, Event: trace.Send, Peer: m.To, Kind: m.What, Size: m.Bytes}
				d.Entries = append(d.Entries, e)
				e.Node, e.Event, e.Peer = m.To, trace.Receive, m.From
				d.Entries = append(d.Entries, e)
			case m.reads:
				d.Entries = append(d.Entries, trace.Entry{At: at, Node: m.who, Event: trace.Deliver, Note: strings.TrimPrefix(m.Sees, m.who+" reads: ")})
			}
		}
	}
	return d
}
