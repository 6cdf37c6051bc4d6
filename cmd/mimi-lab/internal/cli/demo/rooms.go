package demo

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/sim/rooms"
)

// roomsOptions are those of the command demo rooms.
type roomsOptions struct {
	IO      *term.IO
	Seed    uint64
	Policy  string
	Verbose bool
	JSON    bool
	Out     string
	All     bool
	Fault   string
}

func newRooms(t *term.IO) *cobra.Command {
	o := &roomsOptions{IO: t}
	c := &cobra.Command{
		Use:   "rooms",
		Short: "Play the MIMI draft's example of a room over three providers",
		Long: `Play sections 3.1 to 3.6 of draft-ietf-mimi-protocol-06 with the providers
a.example (the hub), b.example and c.example: Alice creates a room and adds Bob,
who adds Cathy, who sends a message; Bob leaves, and Cathy adds a new device.

The transcript has every message with its size. --> is MIMI between providers;
~~> is between a provider and its own clients, in [[ double brackets ]] as in
the draft. Acknowledgements of clients are left out. With -v the structs follow,
field by field, each where it is first seen.

It ends with a verdict on what rooms promise: agreement, delivery, franking,
nothing after leaving, no plaintext at a provider. A promise that is broken
exits with 3. The same seed gives the same keys, bytes and times.

--all goes on with sections 5.7 to 5.9: Alice finds Xavier of x.example, asks
for his consent and adds him; Cathy reports what he says to the hub, whose frank
proves it.`,
		Example: `  mimi-lab demo rooms
  mimi-lab demo rooms --all
  mimi-lab demo rooms -v --policy moderated --out rooms.svg
  mimi-lab demo rooms --seed 7 --json`,
		Args: command.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runRooms(o) },
	}
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "what all keys and times follow from")
	c.Flags().StringVar(&o.Policy, "policy", "administered", "the room's: "+strings.Join(rooms.Policies(), ", "))
	c.Flags().BoolVarP(&o.Verbose, "verbose", "v", false, "print the decoded structs")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	c.Flags().BoolVar(&o.All, "all", false, "play the sections on finding users, consent and abuse as well")
	c.Flags().StringVarP(&o.Out, "out", "o", "", "`file` for the sequence diagram, an SVG")
	c.Flags().StringVar(&o.Fault, "fault", "", "what happens to a notify, to see the verdict fail: forget, alter")
	return c
}

// faults are what --fault can do to the first notify of Cathy's message to b.example.
var faults = map[string]rooms.Fault{"": rooms.NoFault, "forget": rooms.Forget, "alter": rooms.Alter}

func runRooms(o *roomsOptions) error {
	if !slices.Contains(rooms.Policies(), o.Policy) {
		hint := "There are " + strings.Join(rooms.Policies(), ", ") + "."
		if _, ok := room.PolicyByName(o.Policy); ok {
			return exit.Usagef(hint, "nobody can make a room with policy %s alone, since it wants active administrators of several organisations from the start", o.Policy)
		}
		return command.Unknown("policy", o.Policy, rooms.Policies(), hint)
	}
	fault, ok := faults[o.Fault]
	if !ok {
		return command.Unknown("fault", o.Fault, []string{"forget", "alter"}, "There are forget and alter.")
	}
	play := rooms.Play
	if o.All {
		play = rooms.PlayAll
	}
	s, err := play(rooms.Config{Seed: o.Seed, Fault: rooms.FaultInFanout(fault)}, o.Policy)
	if err != nil {
		return err
	}
	if err := draw(o.Out, s.Diagram()); err != nil {
		return err
	}
	if o.JSON {
		err = o.IO.JSON(asJSON(o, s))
	} else {
		err = writeTranscript(o, s)
	}
	if err == nil && !s.Holds() {
		err = exit.Violationf("", "not all promises hold")
	}
	return err
}
