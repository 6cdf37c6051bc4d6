package room

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// house is what a room of the tests is built of.
type house struct {
	policy  string
	users   []UserRolePair // in the order of the list
	clients map[string]int // nil: one for each but the hub and the banned
	base    *BaseRoomPolicy
	preauth *PreAuthData
	more    func(*Policy) // changes the policy's roles
	parts   map[uint16]wire.Marshaler
}

const hub = "mimi://hub.example"

// u is the URI of a user.
func u(name string) string { return "mimi://x.example/u/" + name }

// The people of each policy: by their names' first letters super admins, admins,
// members and one who is banned.
func people(policy string) []UserRolePair {
	switch policy {
	case "cooperative", "administered":
		return []UserRolePair{{hub, 5}, {u("sue"), 4}, {u("ada"), 3}, {u("alf"), 3}, {u("mia"), 2}, {u("max"), 2}, {u("bad"), 1}}
	case "moderated":
		return []UserRolePair{{hub, 7}, {u("sue"), 6}, {u("mod"), 5}, {u("spy"), 4}, {u("att"), 3}, {u("gus"), 2}, {u("bad"), 1}}
	case "multi-org":
		return []UserRolePair{{hub, 9}, {u("sue"), 8}, {u("a1"), 5}, {u("b1"), 6}, {u("b2"), 6}, {u("c1"), 7}, {u("ua"), 2}, {u("ub"), 3}, {u("uc"), 4}, {u("bad"), 1}}
	}
	panic("no such policy: " + policy)
}

// build makes the house's State and wants it to be one that may be created.
func (h house) build(t testing.TB) *State {
	t.Helper()
	p, ok := PolicyByName(h.policy)
	if !ok {
		t.Fatalf("no policy %q", h.policy)
	}
	if h.more != nil {
		h.more(&p)
	}
	if h.users == nil {
		h.users = people(h.policy)
	}
	if h.clients == nil {
		h.clients = map[string]int{}
		for _, user := range h.users {
			if user.User != hub && user.Role != RoleBanned {
				h.clients[user.User] = 1
			}
		}
	}
	dict, err := p.Dictionary(nil, &RoomMetaData{URI: "mimi://hub.example/r/clubhouse", Name: "Clubhouse"}, h.users, h.base, h.preauth)
	if err != nil {
		t.Fatal(err)
	}
	for id, v := range h.parts {
		dict = dict.With(DefaultPoints.Components()[id-0x22], must(t, v))
	}
	s, err := Decode(nil, dict, leaves(h.clients))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// leaves are the users of the leaves of a tree, one for each client.
func leaves(clients map[string]int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, user := range slices.Sorted(maps.Keys(clients)) {
			for range clients[user] {
				if !yield(user) {
					return
				}
			}
		}
	}
}

func must(t testing.TB, v wire.Marshaler) []byte {
	t.Helper()
	b, err := wire.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// member, joiner and provider are actors.
func member(name string) *Actor { return &Actor{User: u(name)} }
func joiner(name string) *Actor { return &Actor{User: u(name), Origin: FromNewMemberCommit} }
func provider() *Actor          { return &Actor{User: hub, Origin: FromExternalSender} }

// staff is a claim that preauthorizations of the tests ask for.
var staff = Claim{ClaimID{3, Opaque("org")}, Opaque("staff")}

func (a *Actor) claiming(c ...Claim) *Actor {
	b := *a
	b.Claims = c
	return &b
}

func (a *Actor) showing(c *JoinCode) *Actor {
	b := *a
	b.JoinCode = c
	return &b
}

// denied wants a Denial by a rule.
func denied(t testing.TB, err error, rule Rule) *Denial {
	t.Helper()
	var d *Denial
	if !errors.As(err, &d) || d.Rule != rule {
		t.Fatalf("got %v, want a denial by %s", err, rule)
	}
	if d.Section == "" {
		t.Errorf("%v names no section", d)
	}
	return d
}
