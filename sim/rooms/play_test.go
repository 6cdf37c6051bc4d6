package rooms

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/link"
)

// play plays the draft's example.
func play(t *testing.T, cfg Config, policy string) *Story {
	t.Helper()
	s, err := Play(cfg, policy)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// demand demands that all promises hold.
func (s *Story) demand(t *testing.T) {
	t.Helper()
	for _, f := range s.Findings {
		for _, b := range f.Broken {
			t.Errorf("%s: %s", f.Promise, b)
		}
	}
}

// TestPlay plays the example in rooms of all policies.
func TestPlay(t *testing.T) {
	t.Parallel()
	if got, want := Policies(), []string{"cooperative", "administered", "moderated"}; !slices.Equal(got, want) {
		t.Errorf("policies %v, want %v", got, want)
	}
	for _, name := range Policies() {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				t.Parallel()
				play(t, Config{Seed: seed}, name).demand(t)
			})
		}
	}
	if _, err := Play(Config{}, "multi-org"); err == nil || !strings.Contains(err.Error(), "want one of cooperative, administered, moderated") {
		t.Errorf("multi-org: %v", err)
	}
}

// TestMultiOrg: a room of that policy is made with administrators of three organisations
// on its list.
func TestMultiOrg(t *testing.T) {
	t.Parallel()
	w, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.AddProvider("a.example")
	if err != nil {
		t.Fatal(err)
	}
	d, err := w.AddDevice("a.example", "alice", "ClientA1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Do(d, member.CreateRoom{
		Room: Clubhouse, Policy: "multi-org", Role: 8, Hub: p.ExternalSender(),
		Participants: []room.UserRolePair{{User: "mimi://b.example/u/bea", Role: 6}, {User: "mimi://c.example/u/carl", Role: 7}},
	})
	if err != nil {
		t.Errorf("a room of the policy multi-org: %v", err)
	}
}

// TestReplays: a seed gives the same bytes at the same times, also over restarts;
// another seed gives others.
func TestReplays(t *testing.T) {
	t.Parallel()
	text := func(cfg Config) string {
		var b strings.Builder
		for _, f := range play(t, cfg, "administered").World.Frames() {
			fmt.Fprintf(&b, "%+v\n", *f)
		}
		return b.String()
	}
	a := text(Config{Seed: 1})
	if a != text(Config{Seed: 1}) {
		t.Error("two runs of seed 1 differ")
	}
	if a == text(Config{Seed: 2}) {
		t.Error("seeds 1 and 2 give the same")
	}
	if a != text(Config{Seed: 1, Restart: true}) {
		t.Error("machines that are made again from their records go on in another way")
	}
}

// TestBroken breaks the world in one place, and demands that the verdict says so.
func TestBroken(t *testing.T) {
	t.Parallel()
	private := func(f *Frame) bool {
		list, err := mimi.ParseFanoutMessages(f.Body, nil)
		return err == nil && list[0].Kind() == mimi.FanoutApplication
	}
	for _, tt := range []struct {
		name  string
		fault Fault
		where func(*Frame) bool // the first frame of these
		want  []string          // parts of promises that are to be broken
		not   []string          // and of some that are to hold
	}{
		{"a notify with a message is forgotten", Forget,
			func(f *Frame) bool { return FaultInFanout(Forget)(f) == Forget },
			[]string{"every message reached"}, []string{"they agree", "frank", "plaintext"}},
		{"a notify with a message is altered", Alter,
			func(f *Frame) bool { return FaultInFanout(Alter)(f) == Alter },
			[]string{"frank verifies"}, []string{"they agree", "plaintext"}},
		{"a delivery of a message is altered", Alter,
			func(f *Frame) bool { return f.To == "alice/ClientA1" && f.Kind == Delivery && private(f) },
			[]string{"frank verifies"}, []string{"they agree"}},
		{"the Welcome to c.example is forgotten", Forget,
			func(f *Frame) bool {
				return f.Kind == Request && f.To == "c.example" && f.Endpoint == mimi.EndpointNotify
			},
			[]string{"came to its end", "are in the room"}, []string{"plaintext"}},
		{"a Commit is forgotten on the way to Alice", Forget,
			func(f *Frame) bool { return f.Kind == Delivery && f.To == "alice/ClientA1" },
			[]string{"no client met an error", "they agree"}, nil},
		// It hits a membership tag, which a hub cannot check and every member does.
		{"Bob's proposals are altered", Alter,
			func(f *Frame) bool {
				return f.Kind == Request && f.From == "b.example" && f.Endpoint == mimi.EndpointUpdate && f.Sent > 4*des.Second
			},
			[]string{"no client met an error", "got nothing after"}, []string{"they agree", "plaintext"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			done := false
			s := play(t, Config{Seed: 1, Fault: func(f *Frame) Fault {
				if done || !tt.where(f) {
					return NoFault
				}
				done = true
				return tt.fault
			}}, "administered")
			if !done {
				t.Fatal("no frame to break")
			}
			if s.Holds() {
				t.Error("the verdict says that all holds")
			}
			for _, f := range s.Findings {
				part := func(p string) bool { return strings.Contains(f.Promise, p) }
				if slices.ContainsFunc(tt.want, part) && len(f.Broken) == 0 {
					t.Errorf("holds: %s", f.Promise)
				}
				if slices.ContainsFunc(tt.not, part) && len(f.Broken) > 0 {
					t.Errorf("broken: %s: %s", f.Promise, f.Broken)
				}
			}
		})
	}
}

// TestLeaks: plaintext is found in what a provider sees and in what it keeps.
func TestLeaks(t *testing.T) {
	t.Parallel()
	s := play(t, Config{Seed: 1}, "administered")
	text := []byte(s.said[0].text)
	s.World.providers["b.example"].followerStore["x"] = bytes.Join([][]byte{{1}, text, {2}}, nil)
	if got := s.leaks(); len(got) != 1 || !strings.Contains(got[0], "in a record of b.example") {
		t.Errorf("in a record: %q", got)
	}
	f := s.World.frames[len(s.World.frames)-1]
	f.Body = append(f.Body, text...)
	if got := s.leaks(); len(got) != 2 {
		t.Errorf("in a frame as well: %q", got)
	}
}

// TestAfterwards: what reaches Bob's side after he has left is found.
func TestAfterwards(t *testing.T) {
	t.Parallel()
	s := play(t, Config{Seed: 1}, "administered")
	for _, f := range []Frame{
		{From: "a.example", To: "b.example", Kind: Request, Endpoint: mimi.EndpointNotify, Body: []byte("new")},
		{From: "b.example", To: "bob/ClientB2", Kind: Delivery, Body: []byte("new")},
	} {
		s.World.frames = append(s.World.frames, &f)
	}
	if got := s.afterwards(); len(got) != 2 {
		t.Errorf("found %q, want both", got)
	}
}

// TestTroubledLinks plays the example over links that lose, are cut, and break.
func TestTroubledLinks(t *testing.T) {
	t.Parallel()
	lossy := *DefaultBackbone
	lossy.Loss = 0.2
	cut := *DefaultBackbone
	cut.BreakAfter = 500 * des.Millisecond
	cut.Down = link.Windows{{From: 2100 * des.Millisecond, To: 5 * des.Second}, {From: 6 * des.Second, To: 20 * des.Second}}
	mobile := *DefaultAccess
	mobile.BreakAfter = 500 * des.Millisecond
	mobile.Down = link.Windows{{From: 3200 * des.Millisecond, To: 5 * des.Second}, {From: 8 * des.Second, To: 20 * des.Second}}
	for _, tt := range []struct {
		name string
		cfg  Config
	}{
		{"segments lost", Config{Backbone: &lossy}},
		{"providers cut off", Config{Backbone: &cut}},
		{"clients cut off", Config{Access: &mobile}},
	} {
		for seed := range uint64(5) {
			t.Run(fmt.Sprint(tt.name, " ", seed), func(t *testing.T) {
				t.Parallel()
				cfg := tt.cfg
				cfg.Seed = seed
				s := play(t, cfg, "administered")
				s.demand(t)
				lost := 0
				for _, f := range s.World.Frames() {
					if f.Arrived < 0 {
						lost++
					}
				}
				if lost == 0 && tt.name != "segments lost" {
					t.Error("no frame was lost")
				}
			})
		}
	}
}
