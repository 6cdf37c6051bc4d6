package mls

import (
	"errors"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// commitRows break the rules of RFC 9420, Sections 7.5, 7.9 and 12.4.
var commitRows = []row{
	{check: CheckPathDecrypt, name: "ciphertext", run: func(x *scene) error {
		return x.forge(forgery{path: func(p *message.UpdatePath) {
			for i := range p.Nodes {
				p.Nodes[i] = x.reseal(&p.Nodes[i], func(c *message.HPKECiphertext) { c.Ciphertext[0] ^= 1 })
			}
		}})
	}},
	{check: CheckPathDecrypt, name: "kem_output", run: func(x *scene) error {
		return x.forge(forgery{path: func(p *message.UpdatePath) {
			for i := range p.Nodes {
				p.Nodes[i] = x.reseal(&p.Nodes[i], func(c *message.HPKECiphertext) { c.KEMOutput = nil })
			}
		}})
	}},
	{check: CheckPathDecrypt, name: "secret of other keys", run: func(x *scene) error { return x.sealOther(make([]byte, 32)) }},
	{check: CheckPathDecrypt, name: "secret of another size", run: func(x *scene) error { return x.sealOther([]byte{1}) }},
	{check: CheckParentHash, name: "leaf of a path", run: func(x *scene) error {
		return x.forge(forgery{path: func(p *message.UpdatePath) { p.LeafNode.ParentHash[0] ^= 1 }})
	}},
	{check: CheckParentHash, name: "no parent hash", run: func(x *scene) error {
		return x.forge(forgery{path: func(p *message.UpdatePath) { p.LeafNode.ParentHash = nil }})
	}},
	{check: CheckReference, name: "unknown", run: func(x *scene) error {
		c := x.mine(RemoveProposal(3))
		c.Ref = make([]byte, 32)
		return x.forge(forgery{all: []Committed{c}})
	}},
	{check: CheckReference, name: "own commit", run: func(x *scene) error {
		_, err := x.to.Commit(now, CommitOptions{References: []message.ProposalRef{make([]byte, 32)}})
		return err
	}},
	{check: CheckReference, name: "of an epoch that is over", run: func(x *scene) error {
		p := AddProposal(x.keyPackage("9").Public)
		c := x.received("2", forgery{proposal: &p})
		x.commit("2", CommitOptions{References: []message.ProposalRef{}})
		return x.forge(forgery{all: []Committed{c}})
	}},
	{check: CheckReference, name: "an update that its member forgot", run: func(x *scene) error {
		p := x.updateOf(x.to, nil) // "0" never sent it
		c := x.received("0", forgery{proposal: p})
		x.to.cache.add(c)
		defer x.to.ClearProposals()
		return x.forge(forgery{all: []Committed{c}})
	}},
	{check: CheckPathRequired, name: "empty commit", run: func(x *scene) error { return x.forge(forgery{noPath: true}) }},
	{check: CheckPathRequired, name: "remove", run: func(x *scene) error {
		return x.forge(forgery{noPath: true, all: []Committed{x.mine(RemoveProposal(3))}})
	}},
	{check: CheckPathRequired, name: "update", run: func(x *scene) error {
		c := x.received("3", forgery{proposal: x.updateOf(x.groups["3"], nil)})
		return x.forge(forgery{noPath: true, all: []Committed{c}})
	}},
	{check: CheckPathRequired, name: "group_context_extensions", run: func(x *scene) error {
		return x.forge(forgery{noPath: true, all: []Committed{x.mine(ExtensionsProposal(nil))}})
	}},
	{check: CheckPathRequired, name: "self_remove", run: func(x *scene) error {
		p := x.cfg.SelfRemoveProposal()
		c := x.received("3", forgery{proposal: &p})
		return x.forge(forgery{noPath: true, all: []Committed{c}})
	}},
	{check: CheckPathRequired, name: "a custom proposal beside an add", config: func(c *Config) { c.Proposals = []message.ProposalType{0xf001} }, run: func(x *scene) error {
		custom := message.Proposal{Type: 0xf001, Body: &message.Custom{}}
		return x.forge(forgery{noPath: true, all: []Committed{x.mine(AddProposal(x.keyPackage("9").Public)), x.mine(custom)}})
	}},
	{check: CheckPathShape, name: "a node less", run: func(x *scene) error {
		return x.forge(forgery{path: func(p *message.UpdatePath) { p.Nodes = p.Nodes[:1] }})
	}},
	{check: CheckPathShape, name: "a node more", run: func(x *scene) error {
		return x.forge(forgery{path: func(p *message.UpdatePath) { p.Nodes = append(p.Nodes, p.Nodes[0]) }})
	}},
	{check: CheckPathShape, name: "a ciphertext less", run: func(x *scene) error {
		return x.forge(forgery{path: func(p *message.UpdatePath) {
			p.Nodes[1] = message.UpdatePathNode{EncryptionKey: p.Nodes[1].EncryptionKey}
		}})
	}},
	{check: CheckPathLeafKey, run: func(x *scene) error {
		return x.path(func(l *message.LeafNode) { l.EncryptionKey = x.in.private.LeafKey().Public })
	}},
	{check: CheckPathKeys, name: "leaf", run: func(x *scene) error {
		return x.path(func(l *message.LeafNode) { l.EncryptionKey = x.to.private.LeafKey().Public })
	}},
	{check: CheckPathKeys, name: "node", run: func(x *scene) error {
		return x.forge(forgery{path: func(p *message.UpdatePath) { p.Nodes[1].EncryptionKey = x.to.private.LeafKey().Public }})
	}},
	{check: CheckPathKeys, name: "a node's key so far", run: func(x *scene) error {
		return x.forge(forgery{path: func(p *message.UpdatePath) { p.Nodes[1].EncryptionKey = x.to.Tree().EncryptionKey(3) }})
	}},
	{check: CheckPathKeys, name: "a key twice", run: func(x *scene) error {
		return x.forge(forgery{path: func(p *message.UpdatePath) { p.Nodes[1].EncryptionKey = p.Nodes[0].EncryptionKey }})
	}},
	{check: CheckPathKeys, name: "a new member's key", run: func(x *scene) error {
		k := x.keyPackage("9")
		return x.forge(forgery{
			all:  []Committed{x.mine(AddProposal(k.Public))},
			path: func(p *message.UpdatePath) { p.Nodes[0].EncryptionKey = k.Leaf.Public },
		})
	}},
	{check: CheckReInitClosed, name: "commit", run: func(x *scene) error {
		x.commit("2", CommitOptions{Proposals: []message.Proposal{ReInitProposal([]byte("next"), 1, nil)}})
		return x.forge(forgery{})
	}},
	{check: CheckReInitClosed, name: "proposal", run: func(x *scene) error {
		x.commit("2", CommitOptions{Proposals: []message.Proposal{ReInitProposal([]byte("next"), 1, nil)}})
		p := RemoveProposal(3)
		return x.forge(forgery{proposal: &p})
	}},
	{check: CheckReInitClosed, name: "own calls", run: func(x *scene) error {
		x.commit("2", CommitOptions{Proposals: []message.Proposal{ReInitProposal([]byte("next"), 1, nil)}})
		_, e1 := x.to.Commit(now, CommitOptions{})
		_, e2 := x.to.Propose(now, RemoveProposal(3), SendOptions{})
		_, e3 := x.to.ProposeUpdate(now, LeafChange{}, SendOptions{})
		_, e4 := x.to.Protect(nil, SendOptions{})
		_, e5 := x.to.GroupInfo(GroupInfoOptions{})
		for _, err := range []error{e1, e2, e3, e4} {
			if !errors.Is(err, CheckReInitClosed) {
				return err
			}
		}
		return e5
	}},
	{check: CheckExternalPath, run: func(x *scene) error {
		return x.refuse(forgeExternal(x.t, x.to, x.identity("9"), false, forgery{noPath: true}))
	}},
	{check: CheckExternalByValue, name: "received", run: func(x *scene) error {
		p := AddProposal(x.keyPackage("8").Public)
		return x.outside(x.received("2", forgery{proposal: &p}))
	}},
	{check: CheckExternalByValue, name: "made", run: func(x *scene) error {
		p := RemoveProposal(3)
		m, err := message.Parse(forge(x.t, x.in, forgery{proposal: &p}), nil)
		if err != nil {
			return err
		}
		info, err := x.to.GroupInfo(GroupInfoOptions{External: true})
		if err != nil {
			return err
		}
		_, err = JoinExternal(x.cfg, now, x.identity("9"), info, ExternalOptions{SelfRemoves: []*message.PublicMessage{m.Public}})
		return err
	}},
	{check: CheckExternalPub, name: "none", run: func(x *scene) error { return x.joinExternal(GroupInfoOptions{}) }},
	{check: CheckExternalPub, name: "malformed", run: func(x *scene) error {
		return x.joinExternal(GroupInfoOptions{Extensions: message.Extensions{{Type: message.ExtensionExternalPub, Data: []byte{4, 1}}}})
	}},
	{check: CheckExternalPub, name: "no key", run: func(x *scene) error {
		return x.joinExternal(GroupInfoOptions{Extensions: message.Extensions{{Type: message.ExtensionExternalPub, Data: []byte{1, 1}}}})
	}},
}

// sealOther lets the insider commit with another path secret for its neighbour, the
// victim, who is all that the lowest node of the path is encrypted to.
func (x *scene) sealOther(secret []byte) error {
	x.t.Helper()
	return x.forge(forgery{sealed: func(p *message.UpdatePath, context []byte) {
		kem, ciphertext, err := labeled.Encrypt(x.cfg.Suite, x.to.private.LeafKey().Public, "UpdatePathNode", context, secret)
		if err != nil {
			x.t.Fatal(err)
		}
		p.Nodes[0], err = message.NewUpdatePathNode(p.Nodes[0].EncryptionKey, []message.HPKECiphertext{{KEMOutput: kem, Ciphertext: ciphertext}})
		if err != nil {
			x.t.Fatal(err)
		}
	}})
}

// joinExternal lets "9" join by an external Commit, with a GroupInfo of the insider.
func (x *scene) joinExternal(o GroupInfoOptions) error {
	x.t.Helper()
	info, err := x.in.GroupInfo(o)
	if err != nil {
		x.t.Fatal(err)
	}
	_, err = JoinExternal(x.cfg, now, x.identity("9"), info, ExternalOptions{})
	return err
}

// reseal changes all ciphertexts of a node.
func (x *scene) reseal(n *message.UpdatePathNode, change func(*message.HPKECiphertext)) message.UpdatePathNode {
	x.t.Helper()
	list := make([]message.HPKECiphertext, n.Len())
	for i := range list {
		list[i] = n.Secret(i)
		list[i].Ciphertext = append([]byte{}, list[i].Ciphertext...)
		change(&list[i])
	}
	out, err := message.NewUpdatePathNode(n.EncryptionKey, list)
	if err != nil {
		x.t.Fatal(err)
	}
	return out
}
