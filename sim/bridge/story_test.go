package bridge

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/groups/gateway"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/adapters"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
	"github.com/mimi-lab/mimi-lab/sim/ledger"
)

func play(t *testing.T, cfg Config) *Story {
	t.Helper()
	s, err := Play(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var places = []gateway.Place{gateway.AtServer, gateway.OnDevice}

// TestPlay plays the story in both places, with Bob at the gatekeeper and at a partner,
// over every adapter of this build that is not the rooms' own.
func TestPlay(t *testing.T) {
	t.Parallel()
	for _, a := range adapters.All() {
		for _, place := range places {
			for _, native := range []bool{false, true} {
				t.Run(fmt.Sprint(a.Name(), " ", place, " native lines ", native), func(t *testing.T) {
					t.Parallel()
					s := play(t, Config{Seed: 3, Place: place, Native: native, Adapter: a})
					for _, f := range s.Findings {
						for _, b := range f.Broken {
							t.Errorf("%s: %s", f.Promise, b)
						}
					}
				})
			}
		}
	}
}

// TestReplays: a seed gives the same bytes at the same times.
func TestReplays(t *testing.T) {
	t.Parallel()
	text := func(seed uint64) string {
		var b strings.Builder
		for _, f := range play(t, Config{Seed: seed, Adapter: sized.Adapter{}}).World.Frames() {
			fmt.Fprintf(&b, "%+v\n", *f)
		}
		return b.String()
	}
	a := text(1)
	if a != text(1) {
		t.Error("two runs of seed 1 differ")
	}
	if a == text(2) {
		t.Error("seeds 1 and 2 give the same")
	}
}

// TestTrust: a gateway at a server learned every content and who Bob is; on Bob's device
// no server learned a content.
func TestTrust(t *testing.T) {
	t.Parallel()
	for _, place := range places {
		s := play(t, Config{Seed: 1, Place: place})
		for _, r := range s.Trust() {
			got := r.Shares[slices.Index(ledger.RoomFacts, ledger.Content)]
			alias := r.Shares[slices.Index(ledger.RoomFacts, ledger.Alias)]
			want := 0
			if strings.Contains(r.Party, "gateway") {
				want = got.Truth
			}
			if got.Known != want || got.Truth < 10 || (alias.Known == 1) != (want > 0) {
				t.Errorf("%v: %s knows %d of %d contents, want %d, and %d aliases", place, r.Party, got.Known, got.Truth, want, alias.Known)
			}
		}
		// What is said of names holds only if they can be found where they are known to be.
		l := s.Ledger()
		for _, role := range []ledger.Role{ledger.Hub, ledger.Follower} {
			if k := l.Share(route, role, ledger.Contact); k.Known != 2 {
				t.Errorf("%v: the %v knows %d contacts, want 2", place, role, k.Known)
			}
		}
		if k := l.Share(route, ledger.Gatekeeper, ledger.Identity); k.Known != 1 {
			t.Errorf("%v: the gatekeeper knows %d identities, want Bob's number", place, k.Known)
		}
	}
}

// TestSearch: the search for plaintext finds it where it is: in the records of a gateway
// at a server, whose outboxes it passes through, as JSON.
func TestSearch(t *testing.T) {
	t.Parallel()
	s := play(t, Config{Seed: 1})
	i := slices.IndexFunc(s.parties(), func(p *party) bool { return p.role == ledger.GatewayServer })
	found := 0
	for _, x := range s.said {
		if s.parties()[i].has([]byte(x.text)) != "" {
			found++
		}
	}
	if found < len(s.said)/2 {
		t.Errorf("found %d of %d messages in what the gateway kept", found, len(s.said))
	}
}

// TestBroken breaks what a finished story has, and demands that the verdict says so.
func TestBroken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		place gateway.Place
		do    func(*Story)
		want  string // a part of the promise that is broken
	}{
		{"plaintext at the hub", gateway.OnDevice, func(s *Story) {
			st := s.World.providers[HubDomain].store
			st.ever = append(st.ever, []byte("x"+s.said[0].text+"y"))
		}, "no server saw"},
		{"plaintext on the way", gateway.AtServer, func(s *Story) {
			f := s.World.frames[len(s.World.frames)-1]
			f.From, f.Body = OperatorDomain, []byte(s.said[2].text)
		}, "no other server saw"},
		{"a line of the ledger is missing", gateway.AtServer, func(s *Story) {
			s.World.gateway.events = slices.DeleteFunc(s.World.gateway.events, func(e GatewayEvent) bool {
				h, ok := e.Event.(gateway.Held)
				return ok && h.ID == s.idOf(s.said[1])
			})
		}, "says that it held"},
		{"a key at the provider", gateway.OnDevice, func(s *Story) {
			st := s.World.providers[OperatorDomain].store
			st.ever = append(st.ever, bytes.Join([][]byte{{1}, s.World.gateway.privateKeys()[0]}, nil))
		}, "has a key"},
		{"Carol was not warned", gateway.AtServer, func(s *Story) {
			s.carol.Events = slices.DeleteFunc(s.carol.Events, func(e MemberEvent) bool {
				m, ok := e.Event.(member.Message)
				return ok && strings.Contains(reads(m), warning)
			})
		}, "members were warned"},
		{"a message came twice", gateway.AtServer, func(s *Story) {
			for _, e := range s.alice.Events {
				if m, ok := e.Event.(member.Message); ok && strings.Contains(reads(m), "Gladly") {
					s.alice.Events = append(s.alice.Events, e)
					return
				}
			}
		}, "every message reached"},
		{"a message passed after all", gateway.AtServer, func(s *Story) {
			s.World.gateway.events = append(s.World.gateway.events, GatewayEvent{At: s.World.Now(), Event: gateway.Passed{}})
		}, "nothing passed"},
		{"a loss was not told", gateway.AtServer, func(s *Story) {
			s.World.gateway.events = append(s.World.gateway.events, GatewayEvent{At: s.World.Now(), Event: gateway.Lost{Loss: gateway.LossType}})
		}, "was told to Bob"},
		{"trouble", gateway.AtServer, func(s *Story) {
			s.World.gateway.events = append(s.World.gateway.events, GatewayEvent{Event: gateway.Trouble{What: "x"}})
		}, "no machine met an error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := play(t, Config{Seed: 1, Place: tt.place, Adapter: sized.Adapter{}})
			tt.do(s)
			s.Findings, s.cached = nil, nil
			s.judge(nil)
			for _, f := range s.Findings {
				if strings.Contains(f.Promise, tt.want) != (len(f.Broken) > 0) {
					t.Errorf("%s: %q", f.Promise, f.Broken)
				}
			}
		})
	}
}
