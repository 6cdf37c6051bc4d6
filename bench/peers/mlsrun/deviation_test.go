package mlsrun

import (
	"context"
	"reflect"
	"testing"

	pb "github.com/mimi-lab/mimi-lab/bench/peers/mlsclient"
	"github.com/mimi-lab/mimi-lab/bench/peers/mlsserver"
)

// TestJudge holds one game against one deviation.
func TestJudge(t *testing.T) {
	t.Parallel()
	called := Deviation{
		Peer: "Other 0.9.2", Scenario: "commit", Part: "add",
		Role: Called, Calls: []string{"Commit", "HandleCommit"}, Status: "Aborted", Reason: "cannot add",
	}
	maker := called
	maker.Role = Maker
	refused := Failure{Call: "HandleCommit", Peer: "Other 0.9.2 (provider)", Maker: "mimi-lab", Status: "Aborted"}
	made := Failure{Call: "HandleCommit", Peer: "mimi-lab", Maker: "Other 0.9.2", Status: "Aborted"}
	with := func(f Failure, change func(*Failure)) *Failure {
		change(&f)
		return &f
	}
	game := func(f *Failure) Game {
		g := Game{Scenario: "commit", Part: "add", Peers: []string{"mimi-lab", "Other 0.9.2 (provider)"}, Outcome: Passed, Failure: f}
		if f != nil {
			g.Outcome = Failed
		}
		return g
	}
	in := func(g Game, scenario, part string) Game {
		g.Scenario, g.Part = scenario, part
		return g
	}
	without := game(nil)
	without.Peers = []string{"mimi-lab", "Other 0.9.3"}
	skipped := game(with(refused, func(f *Failure) { f.Status = "Unimplemented" }))
	skipped.Outcome = Skipped

	for _, tt := range []struct {
		name  string
		known Deviation
		game  Game
		want  Outcome
		stale bool
	}{
		{"it refuses", called, game(&refused), Known, false},
		{"it refuses at the other call", called, game(with(refused, func(f *Failure) { f.Call = "Commit" })), Known, false},
		{"it refuses its own", called, game(with(refused, func(f *Failure) { f.Maker = f.Peer })), Known, false},
		{"its Commit is refused", maker, game(&made), Known, false},
		{"its Commit is refused by itself", maker, game(with(made, func(f *Failure) { f.Peer = f.Maker })), Known, false},
		{"it refuses where its Commit should be refused", maker, game(&refused), Failed, false},
		{"its Commit is refused where it should refuse", called, game(&made), Failed, false},
		{"no Commit is in it", maker, game(with(made, func(f *Failure) { f.Maker = "" })), Failed, false},
		{"another call", called, game(with(refused, func(f *Failure) { f.Call = "JoinGroup" })), Failed, false},
		{"another status", called, game(with(refused, func(f *Failure) { f.Status = "Internal" })), Failed, false},
		{"another answer", called, game(with(refused, func(f *Failure) { f.Status = "OK" })), Failed, false},
		{"another release", called, game(with(refused, func(f *Failure) { f.Peer = "Other 0.9.3" })), Failed, false},
		{"a version that only begins alike", called, game(with(refused, func(f *Failure) { f.Peer = "Other 0.9.21" })), Failed, false},
		{"another scenario", called, in(game(&refused), "reinit", "add"), Failed, false},
		{"another part", called, in(game(&refused), "commit", "remove"), Failed, false},
		{"it passes", called, game(nil), Passed, true},
		{"it passes without the implementation", called, without, Passed, false},
		{"another part passes", called, in(game(nil), "commit", "remove"), Passed, false},
		{"it is skipped", called, skipped, Skipped, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &Report{Games: []Game{tt.game}}
			r.judge([]Deviation{tt.known})
			g := r.Games[0]
			if g.Outcome != tt.want || (g.Reason == "Other 0.9.2 cannot add") != (tt.want == Known) {
				t.Errorf("%s for the reason %q, want %s", g.Outcome, g.Reason, tt.want)
			}
			if want := map[bool][]Deviation{true: {tt.known}}[tt.stale]; !reflect.DeepEqual(r.Stale, want) {
				t.Errorf("stale: %v, want %v", r.Stale, want)
			}
		})
	}
}

// TestSeenIsNotStale: a deviation that shows in one game is not stale because
// another passes, whatever their order.
func TestSeenIsNotStale(t *testing.T) {
	t.Parallel()
	d := Deviation{Peer: "Other 1", Scenario: "commit", Part: "add", Role: Called, Calls: []string{"Commit"}, Status: "Aborted"}
	passed := Game{Scenario: "commit", Part: "add", Peers: []string{"Other 1"}, Outcome: Passed}
	failed := passed
	failed.Outcome, failed.Failure = Failed, &Failure{Call: "Commit", Peer: "Other 1", Status: "Aborted"}
	for _, games := range [][]Game{{passed, failed}, {failed, passed}} {
		r := &Report{Games: games}
		if r.judge([]Deviation{d}); r.Stale != nil || r.Count(Known) != 1 {
			t.Errorf("%d known, stale %v, want 1 and none", r.Count(Known), r.Stale)
		}
	}
}

// garbled makes Commits that nobody can take.
type garbled struct{ *mlsserver.Server }

func (g garbled) Name(context.Context, *pb.NameRequest) (*pb.NameResponse, error) {
	return &pb.NameResponse{Name: "garbled 1.0 (provider)"}, nil
}

func (g garbled) Commit(ctx context.Context, q *pb.CommitRequest) (*pb.CommitResponse, error) {
	r, err := g.Server.Commit(ctx, q)
	if err == nil {
		r.Commit[len(r.Commit)-1] ^= 1
	}
	return r, err
}

// TestKnownDeviations plays with two peers that deviate, each in its way: what a
// game keeps of its failure is what the deviations are told by.
func TestKnownDeviations(t *testing.T) {
	t.Parallel()
	good := serve(t, ours(t, "a"))
	for _, tt := range []struct {
		name  string
		peer  pb.MLSClientServer
		known Deviation
		want  int // known games, of the three in which the peer plays
	}{
		{"exports otherwise", forgetful{ours(t, "b")}, Deviation{
			Peer: "forgetful 2.0", Role: Called, Calls: []string{"Export"}, Status: "OK",
		}, 1}, // in one it agrees with itself, in one the good peer is the second to be asked
		{"makes bad Commits", garbled{ours(t, "c")}, Deviation{
			Peer: "garbled 1.0", Role: Maker, Calls: []string{"HandleCommit"}, Status: "Aborted",
		}, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.known.Scenario, tt.known.Part, tt.known.Reason = "commit", "empty", "is made so"
			s := Scenarios()[2]
			s.parts = s.parts[:1]
			r, err := Run(context.Background(), []*Peer{good, serve(t, tt.peer)}, Options{
				Scenarios: []Scenario{s}, Suites: []uint32{1}, Modes: []Mode{Public}, Known: []Deviation{tt.known},
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Count(Known); got != tt.want || r.Stale != nil {
				t.Errorf("%d games are known, want %d; stale %v: %+v", got, tt.want, r.Stale, r.Games)
			}
		})
	}
}

// TestDeviations: each entry names a game that there is, and says why.
func TestDeviations(t *testing.T) {
	t.Parallel()
	parts := map[[2]string]bool{}
	for _, s := range Scenarios() {
		for _, p := range s.parts {
			parts[[2]string{s.Name, p.name}] = true
		}
	}
	for _, d := range Deviations() {
		if !parts[[2]string{d.Scenario, d.Part}] {
			t.Errorf("%s: there is no part %q of a scenario %q", d.Peer, d.Part, d.Scenario)
		}
		if d.Role != Called && d.Role != Maker || len(d.Calls) == 0 || d.Status == "" || d.Reason == "" {
			t.Errorf("%s, %s: incomplete: %+v", d.Peer, d.Part, d)
		}
	}
}
