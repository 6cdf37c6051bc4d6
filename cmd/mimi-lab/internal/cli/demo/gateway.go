package demo

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/inspect"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/gateway"
	"github.com/mimi-lab/mimi-lab/sim/bridge"
	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/ledger"
)

// gatewayOptions are those of the command demo gateway.
type gatewayOptions struct {
	IO    *term.IO
	Seed  uint64
	Place string
	JSON  bool
	Out   string
}

// gatewayPlaces are the values of --place.
var gatewayPlaces = map[string]gateway.Place{"server": gateway.AtServer, "device": gateway.OnDevice}

func newGateway(t *term.IO) *cobra.Command {
	o := &gatewayOptions{IO: t}
	c := &cobra.Command{
		Use:   "gateway",
		Short: "Let a Signal user into an MLS room, and see who learns what",
		Long: `Bob has a gatekeeper's Signal app; Alice and Carol are in an MLS room at the
MIMI provider a.example. A gateway of g.example lets Bob take part: at a server,
where it holds the plaintext of every message, or on Bob's own device, where it
alone does.

The transcript has every message on its way, what each user sees, and each line
of the ledger: when the gateway held plaintext. Acknowledgements and key fetches
are left out.

It ends with a table of who learned what, from all bytes that each server had
and ever kept, and a verdict. A promise that is broken exits with 3. The same
seed gives the same keys, bytes and times.`,
		Example: `  mimi-lab demo gateway
  mimi-lab demo gateway --place device --out gateway.svg
  mimi-lab demo gateway --seed 7 --json`,
		Args: command.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runGateway(o) },
	}
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "what all keys and times follow from")
	c.Flags().StringVar(&o.Place, "place", "server", "where the gateway runs: server, device")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	c.Flags().StringVarP(&o.Out, "out", "o", "", "`file` for the sequence diagram, an SVG")
	return c
}

func runGateway(o *gatewayOptions) error {
	place, ok := gatewayPlaces[o.Place]
	if !ok {
		return command.Unknown("place", o.Place, []string{"server", "device"}, "There are server and device.")
	}
	s, err := bridge.Play(bridge.Config{Seed: o.Seed, Place: place})
	if err != nil {
		return err
	}
	if err := draw(o.Out, s.Diagram()); err != nil {
		return err
	}
	if o.JSON {
		err = o.IO.JSON(gatewayJSON(o, s))
	} else {
		err = writeGateway(o, s)
	}
	if err == nil && !s.Holds() {
		err = exit.Violationf("", "not all promises hold")
	}
	return err
}

// protocol names the adapter that plays Signal.
func protocol() string {
	a := bridge.BestAdapter()
	if a.Claims().Modelled {
		return a.Name() + " (modelled: it has true sizes and no cryptography)"
	}
	return a.Name()
}

func writeGateway(o *gatewayOptions, s *bridge.Story) error {
	w := bufio.NewWriter(o.IO.Out)
	fmt.Fprintf(w, "Bob in %v by a gateway %v, seed %d\n", bridge.Clubhouse, gatewayPlaces[o.Place], o.Seed)
	fmt.Fprintf(w, "Signal by the adapter %s, rooms by draft-ietf-mimi-protocol-06\n", protocol())
	for i, sec := range s.Sections {
		to := des.Never
		if i+1 < len(s.Sections) {
			to = s.Sections[i+1].At
		}
		fmt.Fprintf(w, "\n%s\n%s\n\n", o.IO.Paint(term.Bold, sec.Title), o.IO.Paint(term.Faint, sec.Act))
		for _, m := range s.Moments(sec.At, to) {
			o.moment(w, m)
		}
	}
	o.trust(w, s)
	fmt.Fprintf(w, "\n%s\n\n", o.IO.Paint(term.Bold, "Verdict"))
	for _, f := range s.Findings {
		word := o.IO.Paint(term.Good, "holds ")
		if len(f.Broken) > 0 {
			word = o.IO.Paint(term.Bad, "BROKEN")
		}
		fmt.Fprintf(w, "%s  %s\n", word, f.Promise)
		for _, b := range f.Broken {
			indented(w, b, "        ", "          ")
		}
	}
	return w.Flush()
}

// moment writes a line of the transcript: what somebody does at the margin, what is sent
// and seen set in.
func (o *gatewayOptions) moment(w io.Writer, m bridge.Moment) {
	const lead = "             "
	switch f := m.Frame; {
	case f != nil:
		fmt.Fprintf(w, "%9.2f    %s --> %s  %-20s%8s\n", m.At.Seconds(), o.IO.Paint(term.Name, fmt.Sprintf("%-10s", f.From)),
			o.IO.Paint(term.Name, fmt.Sprintf("%-10s", f.To)), f.What, fmt.Sprintf("%d B", len(f.Body)))
	case m.Act:
		lines := term.Wrap(m.Text, inspect.Columns-11)
		for i, line := range lines {
			at := "           "
			if i == 0 {
				at = fmt.Sprintf("%9.2f  ", m.At.Seconds())
			}
			fmt.Fprintln(w, at+o.IO.Paint(term.Bold, line))
		}
	default:
		for i, line := range strings.Split(m.Text, "\n") {
			first := lead + "  "
			if i == 0 {
				first = lead
			}
			indented(w, line, first, lead+"  ")
		}
	}
}

// indented writes a text, set in.
func indented(w io.Writer, text, first, rest string) {
	for i, line := range term.Wrap(text, inspect.Columns-len(rest)) {
		if i == 0 {
			fmt.Fprintln(w, first+line)
		} else {
			fmt.Fprintln(w, rest+line)
		}
	}
}

// trust writes who learned what.
func (o *gatewayOptions) trust(w io.Writer, s *bridge.Story) {
	fmt.Fprintf(w, "\n%s\n\n", o.IO.Paint(term.Bold, "Who learned what"))
	fmt.Fprintf(w, "%-20s", "")
	for _, f := range ledger.RoomFacts {
		fmt.Fprintf(w, "  %v", f)
	}
	fmt.Fprintln(w)
	for _, r := range s.Trust() {
		fmt.Fprintf(w, "%-20s", r.Party)
		for i, x := range r.Shares {
			f := ledger.RoomFacts[i]
			cell := fmt.Sprintf("%*s", 2+len(f.String()), fmt.Sprintf("%d/%d", x.Known, x.Truth))
			if f == ledger.Content && x.Known > 0 {
				cell = o.IO.Paint(term.Bad, cell)
			}
			fmt.Fprint(w, cell)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	for _, text := range []string{
		"Contacts: that Alice, that Carol is in a room with Bob. Identities: Alice, Carol, Bob's name in rooms, Bob's number. Aliases: that these two of Bob's are one.",
		s.Statement(),
	} {
		indented(w, text, "", "")
	}
}

// bridged is a story, as JSON.
type bridged struct {
	Place    string           `json:"place"`
	Signal   string           `json:"signal"`
	Modelled bool             `json:"modelled"`
	Room     string           `json:"room"`
	Seed     uint64           `json:"seed"`
	Sections []bridgedSection `json:"sections"`
	Trust    []learned        `json:"trust"`
	Verdict  []finding        `json:"verdict"`
	Holds    bool             `json:"holds"`
}

type bridgedSection struct {
	Title   string          `json:"title"`
	Act     string          `json:"act"`
	Moments []bridgedMoment `json:"moments"`
}

type bridgedMoment struct {
	At    des.Time `json:"at"`             // nanoseconds since the start
	Does  string   `json:"does,omitempty"` // somebody does this
	Seen  string   `json:"seen,omitempty"` // somebody sees this, or the gateway tells it
	From  string   `json:"from,omitempty"`
	To    string   `json:"to,omitempty"`
	What  string   `json:"what,omitempty"`
	Bytes int      `json:"bytes,omitempty"`
}

// learned is how much of each kind of fact a party knows.
type learned struct {
	Party string           `json:"party"`
	Facts map[string]share `json:"facts"`
}

type share struct {
	Known int `json:"known"`
	Truth int `json:"truth"`
}

func gatewayJSON(o *gatewayOptions, s *bridge.Story) *bridged {
	a := bridge.BestAdapter()
	b := &bridged{
		Place: o.Place, Signal: a.Name(), Modelled: a.Claims().Modelled, Room: bridge.Clubhouse.String(), Seed: o.Seed, Holds: s.Holds(),
	}
	for i, sec := range s.Sections {
		to := des.Never
		if i+1 < len(s.Sections) {
			to = s.Sections[i+1].At
		}
		out := bridgedSection{Title: sec.Title, Act: sec.Act}
		for _, m := range s.Moments(sec.At, to) {
			x := bridgedMoment{At: m.At}
			switch {
			case m.Frame != nil:
				x.From, x.To, x.What, x.Bytes = m.Frame.From, m.Frame.To, m.Frame.What, len(m.Frame.Body)
			case m.Act:
				x.Does = m.Text
			default:
				x.Seen = m.Text
			}
			out.Moments = append(out.Moments, x)
		}
		b.Sections = append(b.Sections, out)
	}
	for _, r := range s.Trust() {
		l := learned{Party: r.Party, Facts: make(map[string]share)}
		for i, x := range r.Shares {
			l.Facts[ledger.RoomFacts[i].String()] = share(x)
		}
		b.Trust = append(b.Trust, l)
	}
	for _, f := range s.Findings {
		b.Verdict = append(b.Verdict, finding{f.Promise, len(f.Broken) == 0, f.Broken})
	}
	return b
}
