package mls

import (
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// TestAllowed is the other side of TestChecks: what looks like a breach and is none.
// All members take the Commit that each case makes.
func TestAllowed(t *testing.T) {
	t.Parallel()
	custom := func(c *Config) {
		c.Proposals, c.Extensions = []message.ProposalType{0xf001}, []message.ExtensionType{0xf001}
	}
	// lacking gives member 3 a leaf that lacks all that is not in RFC 9420.
	lacking := func(x *scene) {
		caps := x.groups["3"].Tree().Leaf(3).Capabilities
		caps.Extensions, caps.Proposals = nil, nil
		x.commit("3", CommitOptions{Path: true, Leaf: LeafChange{Capabilities: &caps}})
	}
	for _, c := range []struct {
		name   string // with the section that allows it
		config func(*Config)
		run    func(x *scene)
	}{
		{"12.1.7: a requirement that only the removed lack", custom, func(x *scene) {
			lacking(x)
			req := requiring(message.RequiredCapabilities{Extensions: []message.ExtensionType{0xf001}, Proposals: []message.ProposalType{0xf001}})(x.cfg)
			x.commit("0", CommitOptions{Proposals: []message.Proposal{ExtensionsProposal(req), RemoveProposal(3)}})
		}},
		{"12.2: a proposal type that only the removed lack", custom, func(x *scene) {
			lacking(x)
			x.commit("0", CommitOptions{Proposals: []message.Proposal{{Type: 0xf001, Body: &message.Custom{}}, RemoveProposal(3)}})
		}},
		{"12.2: a proposal type that only the added lack", custom, func(x *scene) {
			k := x.keyPackage("9")
			k.Public.LeafNode.Capabilities.Proposals = nil
			x.commit("0", CommitOptions{Proposals: []message.Proposal{{Type: 0xf001, Body: &message.Custom{}}}}, resign(x.t, x.cfg.Suite, k))
		}},
		{"12.2: an add of a client whom the same commit removes", nil, func(x *scene) {
			x.groups["3x"] = x.groups["3"] // its earlier self, which the commit ends
			delete(x.groups, "3")
			x.order[3] = "3x"
			x.commit("0", CommitOptions{Proposals: []message.Proposal{RemoveProposal(3)}}, x.keyPackage("3"))
		}},
		{"12.2: a proposal of a member whom the same commit removes", nil, func(x *scene) {
			p := ExtensionsProposal(message.Extensions{{Type: message.ExtensionApplicationID}})
			c := x.received("3", forgery{proposal: &p})
			x.groups["3"].cache.add(c)
			x.commit("0", CommitOptions{Proposals: []message.Proposal{RemoveProposal(3)}})
		}},
		{"12.2: one pre-shared key of two epochs", nil, func(x *scene) {
			x.commit("0", CommitOptions{Proposals: []message.Proposal{
				x.psk(resumptionPSK(message.ResumptionApplication, 1)), x.psk(resumptionPSK(message.ResumptionApplication, 2)),
			}})
		}},
		{"12.2: one pre-shared key that two members propose, with a nonce each", nil, func(x *scene) {
			for _, by := range []string{"2", "3"} {
				p := x.psk(resumptionPSK(message.ResumptionApplication, 2))
				x.groups[by].cache.add(x.received(by, forgery{proposal: &p})) // as if it had sent it
			}
			if p := x.commit("0", CommitOptions{}); len(p.Proposals()) != 2 {
				x.t.Fatalf("%d proposals committed, want 2", len(p.Proposals()))
			}
		}},
		{"7.3: two members swap their keys", nil, func(x *scene) {
			a, b := x.groups["2"].private.LeafKey().Public, x.groups["3"].private.LeafKey().Public
			p := x.received("2", forgery{proposal: x.updateOf(x.groups["2"], func(l *message.LeafNode) { l.EncryptionKey = b })})
			q := x.received("3", forgery{proposal: x.updateOf(x.groups["3"], func(l *message.LeafNode) { l.EncryptionKey = a })})
			// They do not have the other's private key; that the others accept it is what counts.
			e, err := x.to.Process(now, forge(x.t, x.in, forgery{all: []Committed{p, q}}))
			if err != nil {
				x.t.Fatal(err)
			}
			if err := x.to.Merge(e.(*Staged)); err != nil {
				x.t.Fatal(err)
			}
		}},
		{"7.2, 13.5: GREASE", nil, func(x *scene) {
			k, err := x.cfg.NewKeyPackage(now, x.identity("9"), LeafOptions{GREASE: true})
			if err != nil {
				x.t.Fatal(err)
			}
			x.commit("0", CommitOptions{}, k)
		}},
		{"7.2: capabilities that list default types", nil, func(x *scene) {
			k := x.keyPackage("9")
			caps := &k.Public.LeafNode.Capabilities
			caps.Extensions = append(caps.Extensions, message.ExtensionRatchetTree)
			caps.Proposals = append(caps.Proposals, message.ProposalAdd)
			x.commit("0", CommitOptions{}, resign(x.t, x.cfg.Suite, k))
		}},
		{"7.3: a leaf that is too old, where that is allowed", func(c *Config) { c.IgnoreLifetime = true }, func(x *scene) {
			k := x.keyPackage("9")
			k.Public.LeafNode.Lifetime = message.Lifetime{NotBefore: 0, NotAfter: 3600}
			x.commit("0", CommitOptions{}, resign(x.t, x.cfg.Suite, k))
		}},
		{"12.4.3.2: a resync at a new leaf", nil, func(x *scene) {
			x.external("9", ExternalOptions{})
			x.external("9", ExternalOptions{Resync: true, Old: 4})
		}},
		{"12.4.1: an empty commit", nil, func(x *scene) {
			x.commit("0", CommitOptions{References: []message.ProposalRef{}})
		}},
		{"extensions: several updates of a component, and another extension", withNotes, func(x *scene) {
			x.commit("0", CommitOptions{Proposals: []message.Proposal{
				appData(x.cfg, notes, false, "a"), ExtensionsProposal(message.Extensions{{Type: message.ExtensionApplicationID}}), appData(x.cfg, notes, false, "b"),
			}})
			if d, ok := x.to.ComponentData(notes); !ok || string(d) != "b" || !x.to.Context().Extensions.Has(message.ExtensionApplicationID) {
				x.t.Fatalf("component data %q, %v", d, ok)
			}
		}},
		{"extensions: a self_remove in an external commit", nil, func(x *scene) {
			p := x.cfg.SelfRemoveProposal()
			b := forge(x.t, x.groups["3"], forgery{proposal: &p})
			for _, name := range []string{"0", "1", "2"} {
				if _, err := x.groups[name].Process(now, b); err != nil {
					x.t.Fatal(err)
				}
			}
			x.groups["3"].cache.add(x.to.cache.order[0])
			m, err := message.Parse(b, nil)
			if err != nil {
				x.t.Fatal(err)
			}
			x.external("9", ExternalOptions{SelfRemoves: []*message.PublicMessage{m.Public}})
			if x.to.Tree().Members() != 4 {
				x.t.Fatalf("%d members", x.to.Tree().Members())
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newScene(t, &row{config: c.config}))
		})
	}
}
