package room

import (
	"fmt"
	"testing"
)

// big is a room of n participants, each with a client.
func big(tb testing.TB, n int) *State {
	tb.Helper()
	h := house{policy: "administered", users: []UserRolePair{{hub, 5}, {u("sue"), 4}, {u("ada"), 3}}, clients: map[string]int{u("sue"): 1, u("ada"): 1}}
	for i := range n - 3 {
		user := u(fmt.Sprintf("%05d", i*7919%100_000)) // not in order
		h.users = append(h.users, UserRolePair{user, 2})
		h.clients[user] = 1
	}
	return h.build(tb)
}

// sizes are numbers of participants.
var sizes = []int{20, 2000}

// middle is an ordinary participant in the middle of the list.
func middle(s *State) string { return s.roster.list[len(s.roster.list)/2].User }

// commits are what the benchmarks ask of a room, with who asks.
var commits = []struct {
	name string
	list func(s *State) []Proposal
}{
	{"message", func(s *State) []Proposal { return []Proposal{{&Actor{User: middle(s)}, SendMessage{}}} }},
	{"second client", func(s *State) []Proposal { return []Proposal{{&Actor{User: middle(s)}, AddClient{middle(s)}}} }},
	{"add user", func(s *State) []Proposal {
		return all(member("ada"), AddParticipant{u("new"), 2}, AddClient{u("new")}, AddClient{u("new")})
	}},
	{"remove user", func(s *State) []Proposal {
		return all(member("ada"), RemoveParticipant{middle(s)}, RemoveClient{middle(s)})
	}},
	{"change role", func(s *State) []Proposal { return all(member("ada"), ChangeRole{middle(s), 3}) }},
	{"add 10 users", func(s *State) []Proposal {
		var list []Change
		for i := range 10 {
			user := u(fmt.Sprintf("new%d", i))
			list = append(list, AddParticipant{user, 2}, AddClient{user})
		}
		return all(member("ada"), list...)
	}},
}

func all(a *Actor, list ...Change) (out []Proposal) {
	for _, c := range list {
		out = append(out, Proposal{a, c})
	}
	return out
}

// BenchmarkAuthorize is one verdict with the state that follows.
func BenchmarkAuthorize(b *testing.B) {
	for _, n := range sizes {
		s := big(b, n)
		for _, c := range commits {
			b.Run(fmt.Sprintf("participants=%d/%s", n, c.name), func(b *testing.B) {
				list := c.list(s)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := AuthorizeCommit(s, nil, list); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkApply is the update of a State, BenchmarkMerge that of bytes alone, which
// reads the whole list, and BenchmarkDecode the reading of a room.
func BenchmarkApply(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("participants=%d", n), func(b *testing.B) {
			s, update := changeOf(b, n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Apply(DefaultPoints.ParticipantList, update); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMerge(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("participants=%d", n), func(b *testing.B) {
			s, update := changeOf(b, n)
			old, _ := s.Dictionary().Find(DefaultPoints.ParticipantList)
			b.SetBytes(int64(len(old)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DefaultPoints.Merge(DefaultPoints.ParticipantList, old, [][]byte{update}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("participants=%d", n), func(b *testing.B) {
			s := big(b, n)
			users := func(yield func(string) bool) {
				for p := range s.All() {
					if p.Clients > 0 && !yield(p.User) {
						return
					}
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(nil, s.Dictionary(), users); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// changeOf is a room of n participants and an update that changes a role, removes one
// user and adds another.
func changeOf(tb testing.TB, n int) (*State, []byte) {
	s := big(tb, n)
	return s, must(tb, &ParticipantListUpdate{
		Changed: []UserIndexRolePair{{uint32(n / 2), 3}}, Removed: []uint32{uint32(n / 3)}, Added: []UserRolePair{{u("new"), 2}}})
}

// TestAllocations: a verdict allocates as often in a room of 2000 as in one of 20, so
// that nothing is looked up, or made, for each participant.
func TestAllocations(t *testing.T) {
	small, large := big(t, 20), big(t, 2000)
	for _, c := range commits {
		count := func(s *State) float64 {
			list := c.list(s)
			return testing.AllocsPerRun(20, func() {
				if _, err := AuthorizeCommit(s, nil, list); err != nil {
					t.Fatal(err)
				}
			})
		}
		if a, b := count(small), count(large); b > a+2 { // the writer's buffer may grow
			t.Errorf("%s: %.0f allocations with 20 participants, %.0f with 2000", c.name, a, b)
		}
	}
}
