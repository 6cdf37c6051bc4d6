package sim

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/scenario"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	scenarios "github.com/mimi-lab/mimi-lab/sim/scenario"
	"github.com/mimi-lab/mimi-lab/sim/trace"
	"github.com/mimi-lab/mimi-lab/sim/world"
)

// traceOptions are those of the command sim trace.
type traceOptions struct {
	source
	Message string
	Until   string
	Out     string
	Journal string
}

func newTrace(t *term.IO) *cobra.Command {
	o := &traceOptions{source: source{IO: t, Workers: 1}}
	c := &cobra.Command{
		Use:   "trace NAME|FILE",
		Short: "Draw one message's way through a run",
		Long: `Run a scenario once and draw what happened to one of its messages: every frame
that carried it, its receipts and their acks, and what crashed or slept on the
way. The picture is an SVG sequence diagram, for light and dark pages.

Without --message it is the message that was delivered and to which the most
different things happened, the first of them if there are several, among those
with at most 40 entries if there are such. A file with several points runs its
first.`,
		Example: `  mimi-lab sim trace faulty-small --seed 7 --out message.svg
  mimi-lab sim trace faulty-small --until deliver --json
  mimi-lab sim trace faulty-small --journal all.jsonl > message.svg`,
		Args:              command.Args(1, 1, "the name of a scenario or a file"),
		ValidArgsFunction: scenario.Complete,
		RunE: func(c *cobra.Command, args []string) error {
			f, err := o.load(c, args[0])
			if err != nil {
				return err
			}
			return runTrace(c, o, f)
		},
	}
	o.inputFlags(c)
	c.Flags().BoolVarP(&o.Quiet, "quiet", "q", false, "show no progress, and do not say which message it is")
	c.Flags().BoolVar(&o.JSON, "json", false, "print the message's entries as JSON instead of a picture")
	c.Flags().StringVar(&o.Message, "message", "", "ID of the message (default: an interesting one)")
	c.Flags().StringVar(&o.Until, "until", "", "end with the first event of this name: store, deliver, ...")
	c.Flags().StringVarP(&o.Out, "out", "o", "", "file for the picture (default: standard output)")
	c.Flags().StringVar(&o.Journal, "journal", "", "file for the journal of the whole run, as JSON Lines")
	return c
}

// traced is what the command found, as JSON.
type traced struct {
	Scenario string        `json:"scenario"`
	SHA256   string        `json:"sha256"` // of the scenario
	Seed     uint64        `json:"seed"`
	Message  string        `json:"message"`
	Entries  []trace.Entry `json:"entries"`
}

func runTrace(c *cobra.Command, o *traceOptions, f *scenarios.File) error {
	switch {
	case o.JSON && o.Out != "":
		return exit.Usagef("Leave one of them out.", "--json prints entries, and --out is for a picture")
	case !o.JSON && o.Out == "" && o.IO.OutTTY:
		return exit.Usagef("Send it to a file with --out, or ask for --json.", "a picture would fill the terminal with SVG")
	}
	sc := f.Points()[0].Scenario
	entries, err := o.record(c, &sc)
	if err != nil {
		return err
	}
	if o.Journal != "" {
		if err := writeJournal(o.Journal, entries); err != nil {
			return exit.Failuref("--journal chooses another file.", "%w", err)
		}
	}
	id := o.Message
	if id == "" {
		if id = interesting(entries); id == "" {
			return exit.Failuref("Try another --seed or a longer duration.", "no message was delivered in this run")
		}
	}
	life, err := until(trace.Life(entries, id), trace.Event(o.Until))
	if err != nil {
		return exit.Usagef("Without --until the whole life is drawn.", "message %s: %w", id, err)
	}
	if len(life) == 0 {
		return exit.Usagef("Without --message an interesting one is chosen; --journal has all.", "no message %q in this run", id)
	}
	if o.JSON {
		return o.IO.JSON(traced{Scenario: f.Name, SHA256: sc.Hash(), Seed: sc.Seed, Message: id, Entries: life})
	}
	svg, err := diagram(&sc, f.Name, life).SVG()
	if err != nil {
		return exit.Failuref("Try another --message, or end it with --until.", "message %s: %w", id, err)
	}
	if o.Out == "" {
		_, err = o.IO.Out.Write(svg)
	} else if err = os.WriteFile(o.Out, svg, 0o666); err != nil {
		return exit.Failuref("--out chooses another file.", "%w", err)
	}
	if !o.Quiet {
		fmt.Fprintf(o.IO.Err, "message %s, %d entries\n", id, len(life))
		if o.Out != "" {
			fmt.Fprintf(o.IO.Err, "Picture: %s\n", o.Out)
		}
	}
	return err
}

// record runs the scenario and returns its journal.
func (o *traceOptions) record(c *cobra.Command, sc *scenarios.Scenario) ([]trace.Entry, error) {
	journal := trace.NewRecorder()
	progress := o.IO.Progress("simulating", o.Quiet)
	_, err := world.Simulate(sc, "", 0, sc.Seed, world.Options{
		Journal: journal,
		Progress: func(share float64) bool {
			progress.Set(share, 1)
			return c.Context().Err() == nil
		},
	})
	progress.Done()
	if errors.Is(err, world.ErrStopped) {
		return nil, c.Context().Err()
	}
	if err != nil {
		return nil, err
	}
	return journal.Entries(), journal.Flush()
}

func writeJournal(name string, entries []trace.Entry) error {
	var b bytes.Buffer
	j := trace.NewJournal(&b)
	for _, e := range entries {
		j.Add(e)
	}
	if err := j.Flush(); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o666)
}

// maxInteresting is the longest life that is chosen, in entries, if there is a
// shorter one: about what fits on two screens.
const maxInteresting = 40

// interesting returns the ID of the delivered message with the most distinct kinds
// of entry, the first of them, but rather one that fits on a page; "" if none was
// delivered.
func interesting(entries []trace.Entry) string {
	type kind struct {
		event trace.Event
		what  string
		note  string
	}
	kinds := make(map[string]map[kind]bool)
	length := make(map[string]int)
	delivered := make(map[string]bool)
	var order []string
	for _, e := range entries {
		if e.ID == "" {
			continue
		}
		length[e.ID]++
		switch e.Event {
		case trace.Seal: // what begins with something else is no message
			order = append(order, e.ID)
			kinds[e.ID] = make(map[kind]bool)
		case trace.Deliver:
			delivered[e.ID] = true
		}
		if kinds[e.ID] != nil {
			kinds[e.ID][kind{e.Event, e.Kind, e.Note}] = true
		}
	}
	order = slices.DeleteFunc(order, func(id string) bool { return !delivered[id] })
	slices.SortStableFunc(order, func(a, b string) int { return len(kinds[b]) - len(kinds[a]) })
	for _, id := range order {
		// A life also has what happened to the nodes on its way.
		if length[id] <= maxInteresting && len(trace.Life(entries, id)) <= maxInteresting {
			return id
		}
	}
	return append(order, "")[0]
}

// until cuts a life off after its first event of a name, if that is not "".
func until(life []trace.Entry, event trace.Event) ([]trace.Entry, error) {
	if event == "" || len(life) == 0 {
		return life, nil
	}
	i := slices.IndexFunc(life, func(e trace.Entry) bool { return e.Event == event })
	if i < 0 {
		return nil, fmt.Errorf("no event %q happened to it", event)
	}
	return life[:i+1], nil
}

// diagram gives the nodes of a message's life their places, from the sender on, and
// their roles, which follow from their names.
func diagram(sc *scenarios.Scenario, name string, life []trace.Entry) *trace.Diagram {
	d := &trace.Diagram{
		Title:   "One message, from sealing to showing",
		Sub:     fmt.Sprintf("%s, seed %d, message %s", name, sc.Seed, life[0].ID),
		Entries: life,
	}
	if !slices.ContainsFunc(life, func(e trace.Entry) bool { return e.Event == trace.Deliver }) {
		d.Title = "One message that was not shown"
	}
	for _, node := range route(sc, life) {
		d.Actors = append(d.Actors, actor(sc, node))
	}
	return d
}

// route is the nodes of a life in the order of the message's way: the sender's
// device, servers, the recipient's device.
func route(sc *scenarios.Scenario, life []trace.Entry) []string {
	var way []string
	for _, e := range life {
		for _, node := range [...]string{e.Node, e.Peer} {
			if node != "" && !slices.Contains(way, node) {
				way = append(way, node)
			}
		}
	}
	sender := way[0]
	rank := func(node string) int { // a proxy stands beside its partner's device
		switch actor(sc, node).Role {
		case trace.Gatekeeper:
			return 2
		case trace.Proxy:
			if strings.HasPrefix(sender, strings.TrimSuffix(node, "proxy")) {
				return 1
			}
			return 3
		}
		if node == sender {
			return 0
		}
		return 4
	}
	slices.SortStableFunc(way, func(a, b string) int { return rank(a) - rank(b) })
	return way
}

// actor says what a node is. Devices are named "gatekeeper/1", and those of a
// partner's users "partner/1@gatekeeper".
func actor(sc *scenarios.Scenario, node string) trace.Actor {
	a := trace.Actor{Node: node, Role: trace.Device}
	for _, g := range sc.Gatekeepers {
		if node == g.Name {
			a.Role, a.Note = trace.Gatekeeper, ""
			return a
		}
		if strings.HasPrefix(node, g.Name+"/") {
			a.Note = "device of a native user"
		}
	}
	for _, p := range sc.Partners {
		switch {
		case node == p.Name:
			a.Role = trace.Partner
			return a
		case node == p.Name+"/proxy":
			a.Role, a.Note = trace.Proxy, "the partner's proxy"
			return a
		case strings.HasPrefix(node, p.Name+"/"):
			a.Label, _, _ = strings.Cut(node, "@")
			a.Note = "device of a partner's user"
		}
	}
	return a
}
