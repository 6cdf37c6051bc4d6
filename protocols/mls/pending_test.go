package mls

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// TestFewChecksForOne sees that one proposal among many which does not fit costs a few
// looks at the list and not one for each.
func TestFewChecksForOne(t *testing.T) {
	t.Parallel()
	looks := 0
	x := newScene(t, &row{config: func(c *Config) {
		c.Authorize = func(p *Proposed) error {
			looks++
			for _, c := range p.Proposals {
				if e, ok := c.Proposal.Body.(*message.PreSharedKey); ok && e.PSK.Epoch == 17 {
					return errors.New("not this one")
				}
			}
			return nil
		}
		c.PSK = func(*message.PreSharedKeyID) ([]byte, bool) { return []byte("secret"), true }
	}})
	for n := range 64 {
		id := resumptionPSK(message.ResumptionApplication, uint64(n))
		id.GroupID = []byte("another")
		p := x.psk(id)
		if _, err := x.to.Process(now, forge(t, x.in, forgery{proposal: &p})); err != nil {
			t.Fatal(err)
		}
	}
	looks = 0
	p, err := x.to.Commit(now, CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Proposals()) != 63 {
		t.Errorf("%d proposals committed, want 63", len(p.Proposals()))
	}
	if want := 2*6 + 3; looks > want {
		t.Errorf("%d looks at the list, want at most %d", looks, want)
	}
}

// TestNoProposalBlocksCommits lets a hostile member propose what by itself is valid
// and can't be committed, or not together: others can still commit what they like
// and the proposals that go together.
func TestNoProposalBlocksCommits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		config func(*Config)
		make   func(x *scene) []message.Proposal
		want   int // how many of them are committed
	}{
		{"a PreSharedKeyID twice", func(c *Config) {
			c.PSK = func(*message.PreSharedKeyID) ([]byte, bool) { return []byte("secret"), true }
		}, func(x *scene) []message.Proposal {
			id := message.PreSharedKeyID{Type: message.PSKExternal, ID: []byte("known"), Nonce: make([]byte, x.cfg.Suite.ID().Sizes().Hash)}
			p := x.psk(id)
			x.groups["2"].cache.add(x.received("2", forgery{proposal: &p}))
			return []message.Proposal{p}
		}, 1},
		{"a pre-shared key that no one knows", nil, func(x *scene) []message.Proposal {
			return []message.Proposal{x.psk(message.PreSharedKeyID{Type: message.PSKExternal, ID: []byte("unknown")}), RemoveProposal(3)}
		}, 1},
		{"two group_context_extensions", nil, func(x *scene) []message.Proposal {
			return []message.Proposal{ExtensionsProposal(nil), ExtensionsProposal(message.Extensions{{Type: message.ExtensionApplicationID}})}
		}, 1},
		{"a requirement that no one meets", nil, func(x *scene) []message.Proposal {
			req := requiring(message.RequiredCapabilities{Extensions: []message.ExtensionType{0xf001}})(x.cfg)
			return []message.Proposal{ExtensionsProposal(req), RemoveProposal(3)}
		}, 1},
		{"an add of a member", nil, func(x *scene) []message.Proposal {
			return []message.Proposal{AddProposal(x.keyPackage("2").Public), AddProposal(x.keyPackage("9").Public), AddProposal(x.keyPackage("9").Public)}
		}, 1},
		{"a key that is there", nil, func(x *scene) []message.Proposal {
			return []message.Proposal{*x.updateOf(x.in, func(l *message.LeafNode) { l.EncryptionKey = x.to.private.LeafKey().Public })}
		}, 0},
		{"a type that no one supports", nil, func(x *scene) []message.Proposal {
			return []message.Proposal{{Type: 0xf001, Body: &message.Custom{}}}
		}, 0},
		{"data that a component rejects", withNotes, func(x *scene) []message.Proposal {
			return []message.Proposal{appData(x.cfg, notes, true, ""), appData(x.cfg, notes, false, "bad"), ephemeral(x.cfg, notes, "bad"), appData(x.cfg, notes, false, "good")}
		}, 1},
		{"a remove that the application refuses", func(c *Config) {
			c.Authorize = func(p *Proposed) error {
				for _, c := range p.Proposals {
					if r, ok := c.Proposal.Body.(*message.Remove); ok && r.Removed == 0 {
						return errors.New("0 stays")
					}
				}
				return nil
			}
		}, func(x *scene) []message.Proposal {
			return []message.Proposal{RemoveProposal(0), RemoveProposal(3)}
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := newScene(t, &row{config: c.config})
			for _, p := range c.make(x) {
				x.in.cache.add(x.received("1", forgery{proposal: &p})) // as if it had sent it
			}
			k := x.keyPackage("8")
			p := x.commit("0", CommitOptions{}, k)
			if got := len(p.Proposals()); got != c.want+1 {
				t.Fatalf("%d proposals committed, want %d", got, c.want+1)
			}
		})
	}
}

// TestFittingTrials: among many proposals one that can't be committed costs a number
// of trials that grows with the logarithm of theirs, and takes no other with it.
func TestFittingTrials(t *testing.T) {
	t.Parallel()
	const n = 128
	for _, bad := range []int{0, 77, n - 1} {
		calls := 0
		w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, func(c *Config) {
			withNotes(c)
			take := c.Components[notes]
			update := take.Update
			take.Update = func(old []byte, updates [][]byte) ([]byte, error) {
				calls++
				for _, u := range updates {
					if string(u) == "bad" {
						return nil, errors.New("bad note")
					}
				}
				return update(old, updates)
			}
			c.Components[notes] = take
		})
		w.commit("0", CommitOptions{}, w.keyPackage("1"))
		for i := range n {
			data := fmt.Sprint(i)
			if i == bad {
				data = "bad"
			}
			b, err := w.groups["1"].Propose(now, w.cfg.AppDataProposal(notes, []byte(data)), SendOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.groups["0"].Process(now, b); err != nil {
				t.Fatal(err)
			}
		}
		calls = 0
		p, err := w.groups["0"].Commit(now, CommitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if most := 2*bits.Len(n) + 2; calls > most {
			t.Errorf("%d trials for one bad proposal among %d, want %d at most", calls, n, most)
		}
		var got []string
		for _, c := range p.Proposals() {
			got = append(got, string(c.Proposal.Body.(*message.AppDataUpdate).Update))
		}
		if len(got) != n-1 || slices.Contains(got, "bad") {
			t.Errorf("the commit covers %d proposals, want all %d but the bad one", len(got), n)
		}
		for i, data := range got {
			want := i
			if i >= bad {
				want++
			}
			if data != fmt.Sprint(want) {
				t.Fatalf("proposal %d is %s, want them in their order", i, data)
			}
		}
	}
}
