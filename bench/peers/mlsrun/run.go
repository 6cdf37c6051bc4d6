package mlsrun

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
)

// Options say what to play.
type Options struct {
	Scenarios []Scenario    // nil means all
	Suites    []uint32      // nil means all that all peers have
	Modes     []Mode        // nil means both
	Steps     int           // of deep_random
	Members   int           // of deep_random, at most
	Seed      uint64        // of deep_random
	Deals     int           // ways to deal out the actors; 0 means all, so that every pair meets
	Timeout   time.Duration // of one call
	Known     []Deviation   // failures that are no news
	// Progress is called before each game with how many are done of how many.
	Progress func(done, all int)
}

// Mode is how handshake messages are sent.
type Mode string

const (
	Public  Mode = "public"
	Private Mode = "private"
)

// Outcome is how a game ended.
type Outcome string

const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Known   Outcome = "known"   // it failed as a known deviation has it
	Skipped Outcome = "skipped" // a peer does not implement a call
)

// Game is one scenario with one suite, one mode and one way to deal out actors.
type Game struct {
	Scenario string   `json:"scenario"`
	Part     string   `json:"part"`
	Suite    uint32   `json:"suite"`
	Mode     Mode     `json:"mode"`
	Peers    []string `json:"peers"` // of the actors, in the order of their entrance
	Outcome  Outcome  `json:"outcome"`
	Error    string   `json:"error,omitempty"`
	Failure  *Failure `json:"failure,omitempty"` // where it ended, unless it passed
	Reason   string   `json:"reason,omitempty"`  // why, if it is known
	Seconds  float64  `json:"seconds"`
}

// Report is what came of all games.
type Report struct {
	Games []Game      `json:"games"`
	Calls []CallStats `json:"calls"`
	// Stale are the deviations that were to be expected and are no more: a game in
	// which the implementation played passed, and none failed so.
	Stale []Deviation `json:"stale,omitempty"`
}

// Count returns how many games ended so.
func (r *Report) Count(o Outcome) (n int) {
	for i := range r.Games {
		if r.Games[i].Outcome == o {
			n++
		}
	}
	return n
}

// part is one of the games of a plan, not yet played.
type part struct {
	scenario *Scenario
	index    int // of the scenario's parts
	suite    uint32
	mode     Mode
	deal     int // the first actors' peers
}

// Run plays. Its error is that of the context or of the options; what peers do is in
// the report. What was played before an interruption is in it too. There, the second
// peer of one name has " #2" after it, and so on.
func Run(ctx context.Context, peers []*Peer, o Options) (*Report, error) {
	if len(peers) == 0 {
		return nil, errors.New("no peers, want one at least")
	}
	if o.Scenarios == nil {
		o.Scenarios = Scenarios()
	}
	if o.Modes == nil {
		o.Modes = []Mode{Public, Private}
	}
	peers = tellApart(peers)
	common := commonSuites(peers)
	if o.Suites == nil {
		o.Suites = common
	}
	for _, s := range o.Suites {
		if !slices.Contains(common, s) {
			return nil, fmt.Errorf("suite %d: not all peers have it; they share %v", s, common)
		}
	}
	if len(o.Suites) == 0 {
		return nil, errors.New("the peers have no suite in common")
	}
	deals := len(peers) * len(peers)
	if o.Deals > 0 {
		deals = min(deals, o.Deals)
	}
	var plan []part
	for i := range o.Scenarios {
		s := &o.Scenarios[i]
		for index := range s.parts {
			for _, id := range o.Suites {
				for _, mode := range o.Modes {
					for deal := range deals {
						plan = append(plan, part{s, index, id, mode, deal})
					}
				}
			}
		}
	}
	book := newBook()
	r := &Report{}
	for i, p := range plan {
		if o.Progress != nil {
			o.Progress(i, len(plan))
		}
		if ctx.Err() != nil {
			break
		}
		r.Games = append(r.Games, p.play(ctx, peers, &o, book))
	}
	r.Calls = book.stats()
	r.judge(o.Known)
	return r, ctx.Err()
}

// play plays one game.
func (p part) play(ctx context.Context, peers []*Peer, o *Options, book *book) Game {
	named := p.scenario.parts[p.index]
	t := &table{
		ctx: ctx, peers: peers, deal: p.deal, suite: p.suite, common: commonSuites(peers), private: p.mode == Private, timeout: o.Timeout, book: book,
		actors: map[string]*actor{}, steps: o.Steps, most: o.Members,
		rng: rand.New(rand.NewPCG(o.Seed, uint64(p.suite)<<8|uint64(p.deal))),
	}
	start := time.Now()
	err := t.try(named.play)
	t.free()
	g := Game{Scenario: p.scenario.Name, Part: named.name, Suite: p.suite, Mode: p.mode, Outcome: Passed, Seconds: time.Since(start).Seconds()}
	for _, name := range t.order {
		g.Peers = append(g.Peers, t.actors[name].peer.Name)
	}
	if err != nil {
		g.Outcome, g.Error, g.Failure = Failed, err.Error(), &t.last
		if t.last.Status == codes.Unimplemented.String() {
			g.Outcome = Skipped
		}
	}
	return g
}
