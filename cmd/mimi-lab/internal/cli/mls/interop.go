package mls

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/bench/peers/mlsrun"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// interopOptions are those of the command mls interop.
type interopOptions struct {
	IO        *term.IO
	Clients   []string
	Alone     bool
	Scenarios []string
	Suites    []uint
	Mode      string
	Steps     int
	Members   int
	Deals     int
	Seed      uint64
	JSON      bool
	Quiet     bool
}

func newInterop(t *term.IO) *cobra.Command {
	o := &interopOptions{IO: t}
	c := &cobra.Command{
		Use:   "interop",
		Short: "Play conversations between this engine and other implementations",
		Long: `Play the scenarios of the IETF MLS working group between this engine and the
implementations at the addresses of --client, which offer the working group's
interop client interface. Without --client this engine plays with itself. Actors
are dealt out so that every pair of implementations meets, with every suite that
all have, and with handshakes in PublicMessages and in PrivateMessages. After
each Commit all members have to agree on the epoch authenticator and on an
exported secret.

A game in which they do not is printed, and the exit code is 3. A game that
fails as one release of an implementation is known to is counted as known and
does not count as failed; if it no longer fails so, that is said. A game that
needs a call which an implementation does not have is skipped. Times are those
of calls through gRPC on this machine; for engines by themselves see the
benchmarks.

The scenarios:

` + scenarioList(),
		Example: `  mimi-lab mls interop --suite 1 --scenario welcome_join
  mimi-lab mls interop --scenario deep_random --suite 1 --steps 20 --json`,
		Args: command.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runInterop(c.Context(), o) },
	}
	f := c.Flags()
	f.StringArrayVar(&o.Clients, "client", nil, "`host:port` of an implementation; may be given again")
	f.BoolVar(&o.Alone, "only-clients", false, "play without this engine")
	f.StringSliceVar(&o.Scenarios, "scenario", nil, "`names` of scenarios to play; all if not given")
	f.UintSliceVar(&o.Suites, "suite", nil, "cipher `suites` by number; all that are shared if not given")
	f.Lookup("suite").DefValue = "" // an empty list would look as if there were none
	f.StringVar(&o.Mode, "handshake", "both", "how handshakes are sent: public, private or both")
	f.IntVar(&o.Steps, "steps", 30, "changes in a game of deep_random")
	f.IntVar(&o.Members, "members", 10, "members of a group in deep_random, at most")
	f.IntVar(&o.Deals, "deals", 0, "ways to deal the actors out; 0 lets every pair meet")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of deep_random")
	f.BoolVar(&o.JSON, "json", false, "print a JSON object")
	f.BoolVarP(&o.Quiet, "quiet", "q", false, "show no progress")
	return c
}

func scenarioList() string {
	var b strings.Builder
	for _, s := range mlsrun.Scenarios() {
		fmt.Fprintf(&b, "  %-20s %s\n", s.Name, s.About)
	}
	return strings.TrimRight(b.String(), "\n")
}

// plan turns the flags into what to play.
func (o *interopOptions) plan() (mlsrun.Options, error) {
	p := mlsrun.Options{Steps: o.Steps, Members: o.Members, Deals: o.Deals, Seed: o.Seed, Timeout: time.Minute, Known: mlsrun.Deviations()}
	switch o.Mode {
	case "both":
	case "public", "private":
		p.Modes = []mlsrun.Mode{mlsrun.Mode(o.Mode)}
	default:
		return p, exit.Usagef("", "--handshake %q: want public, private or both", o.Mode)
	}
	if o.Steps < 1 || o.Steps > 1_000_000 {
		return p, exit.Usagef("", "--steps %d: want 1 to 1000000", o.Steps)
	}
	if o.Members < 2 || o.Members > 10_000 {
		return p, exit.Usagef("", "--members %d: want 2 to 10000", o.Members)
	}
	if o.Deals < 0 {
		return p, exit.Usagef("", "--deals %d: want 0 or more", o.Deals)
	}
	for _, addr := range o.Clients {
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
			return p, exit.Usagef("", "--client %q: want host:port, such as 127.0.0.1:5001", addr)
		}
	}
	for _, s := range o.Suites {
		if s > 0xffff {
			return p, exit.Usagef("", "--suite %d: want at most 65535", s)
		}
		p.Suites = append(p.Suites, uint32(s))
	}
	all := mlsrun.Scenarios()
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
next:
	for _, name := range o.Scenarios {
		for _, s := range all {
			if s.Name == name {
				p.Scenarios = append(p.Scenarios, s)
				continue next
			}
		}
		return p, command.Unknown("scenario", name, names, `"mimi-lab mls interop --help" lists them.`)
	}
	return p, nil
}

// connect dials the clients and, unless they play alone, a server of our own.
func (o *interopOptions) connect(ctx context.Context) (peers []*mlsrun.Peer, closeAll func(), err error) {
	var closers []func()
	closeAll = func() {
		for _, c := range closers {
			c()
		}
	}
	addrs := o.Clients
	if !o.Alone {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, closeAll, exit.Failuref("", "listening on the loopback interface: %w", err)
		}
		s := newServer()
		go s.Serve(l)
		closers = append(closers, s.Stop)
		addrs = append([]string{l.Addr().String()}, addrs...)
	}
	for _, addr := range addrs {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		p, err := mlsrun.Dial(ctx, addr)
		cancel()
		if err != nil {
			return nil, closeAll, exit.Failuref("Start it, and give its address as host:port.", "client %w", err)
		}
		closers = append(closers, p.Close)
		peers = append(peers, p)
	}
	return peers, closeAll, nil
}

// roster says who plays: names and where they are.
func (o *interopOptions) roster(peers []*mlsrun.Peer) string {
	var names []string
	for i, p := range peers {
		at := p.Addr
		if i == 0 && !o.Alone {
			at = "this engine"
		}
		names = append(names, fmt.Sprintf("%s (%s)", p.Name, at))
	}
	if len(names) == 1 {
		return names[0] + ", with itself"
	}
	return strings.Join(names, ", ")
}

func runInterop(ctx context.Context, o *interopOptions) error {
	p, err := o.plan()
	if err != nil {
		return err
	}
	if o.Alone && len(o.Clients) == 0 {
		return exit.Usagef("Name at least one with --client.", "--only-clients without a client")
	}
	peers, closeAll, err := o.connect(ctx)
	defer closeAll()
	if err != nil {
		return err
	}
	progress := o.IO.Progress("playing", o.Quiet)
	p.Progress = func(done, all int) { progress.Set(float64(done), float64(all)) }
	r, err := mlsrun.Run(ctx, peers, p)
	progress.Done()
	if r == nil {
		return exit.Usagef("", "%w", err)
	}
	var printErr error
	if o.JSON {
		printErr = o.IO.JSON(r)
	} else {
		printErr = printReport(o.IO, o.roster(peers), r)
	}
	if err := errors.Join(err, printErr); err != nil {
		return err
	}
	if n := r.Count(mlsrun.Failed); n > 0 {
		return exit.Violationf("", "%d of %d games failed", n, len(r.Games))
	}
	return nil
}
