package mls

import (
	"errors"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
)

// psk returns a PreSharedKey proposal, with a nonce unless id has one.
func (x *scene) psk(id message.PreSharedKeyID) message.Proposal {
	x.t.Helper()
	if id.Nonce != nil {
		return message.Proposal{Type: message.ProposalPSK, Body: &message.PreSharedKey{PSK: id}}
	}
	p, err := x.cfg.PSKProposal(id)
	if err != nil {
		x.t.Fatal(err)
	}
	return p
}

// resumptionPSK names a resumption secret of the scene's group.
func resumptionPSK(usage message.ResumptionPSKUsage, epoch uint64) message.PreSharedKeyID {
	return message.PreSharedKeyID{Type: message.PSKResumption, Usage: usage, GroupID: []byte("group"), Epoch: epoch}
}

// anyPSK makes a secret of any list, so that a Commit is right but for the list.
func (x *scene) anyPSK([]message.PreSharedKeyID) ([]byte, error) {
	return make([]byte, x.cfg.Suite.ID().Sizes().Hash), nil
}

// commitPSK lets the insider commit pre-shared keys that others may not know.
func (x *scene) commitPSK(ids ...message.PreSharedKeyID) error {
	x.t.Helper()
	f := forgery{psk: x.anyPSK}
	for _, id := range ids {
		f.all = append(f.all, x.mine(x.psk(id)))
	}
	return x.forge(f)
}

// withServer is a GroupContext with one external sender.
func withServer(c *Config) message.Extensions {
	pair, err := c.Suite.DeriveSigner(make([]byte, 32))
	if err != nil {
		panic(err)
	}
	list := message.ExternalSenders{{SignatureKey: pair.Public, Credential: message.BasicCredential([]byte("server"))}}
	return message.Extensions{{Type: message.ExtensionExternalSenders, Data: must(&list)}}
}

// server sends a proposal as the external sender of withServer.
func (x *scene) server(index uint32, p message.Proposal) []byte {
	x.t.Helper()
	pair, err := x.cfg.Suite.DeriveSigner(make([]byte, 32))
	if err != nil {
		x.t.Fatal(err)
	}
	b, err := x.cfg.ExternalProposal(x.to.GroupID(), x.to.Epoch(), index, &Identity{Signer: pair}, p)
	if err != nil {
		x.t.Fatal(err)
	}
	return b
}

// proposalRows break the rules of RFC 9420, Sections 5.3.1, 8.4 and 12.1.
var proposalRows = []row{
	{check: CheckPSKNonce, name: "committed", run: func(x *scene) error {
		id := resumptionPSK(message.ResumptionApplication, 1)
		id.Nonce = make([]byte, 31)
		return x.commitPSK(id)
	}},
	{check: CheckPSKNonce, name: "proposed", run: func(x *scene) error {
		id := resumptionPSK(message.ResumptionApplication, 1)
		id.Nonce = []byte{}
		p := x.psk(id)
		return x.forge(forgery{proposal: &p})
	}},
	{check: CheckPSKAvailable, name: "external", run: func(x *scene) error {
		return x.commitPSK(message.PreSharedKeyID{Type: message.PSKExternal, ID: []byte("unknown")})
	}},
	{check: CheckPSKAvailable, name: "an epoch that is to come", run: func(x *scene) error {
		return x.commitPSK(resumptionPSK(message.ResumptionApplication, 99))
	}},
	{check: CheckPSKReInit, run: func(x *scene) error { return x.commitPSK(resumptionPSK(message.ResumptionReInit, 2)) }},
	{check: CheckPSKBranch, run: func(x *scene) error { return x.commitPSK(resumptionPSK(message.ResumptionBranch, 2)) }},
	{check: CheckRemoved, name: "blank leaf", run: func(x *scene) error { return x.commitOf(RemoveProposal(blankLeaf)) }},
	{check: CheckRemoved, name: "proposed", run: func(x *scene) error {
		p := RemoveProposal(1 << 31)
		return x.forge(forgery{proposal: &p})
	}},
	{check: CheckReInitVersion, run: func(x *scene) error {
		p := ReInitProposal([]byte("next"), 1, nil)
		p.Body.(*message.ReInit).Version = 0
		return x.commitOf(p)
	}},
	{check: CheckExternalType, name: "update", extensions: withServer, run: func(x *scene) error {
		return x.refuse(x.server(0, *x.updateOf(x.in, nil)))
	}},
	{check: CheckExternalType, name: "external_init", extensions: withServer, run: func(x *scene) error {
		return x.refuse(x.server(0, message.Proposal{Type: message.ProposalExternalInit, Body: &message.ExternalInit{KEMOutput: make([]byte, 32)}}))
	}},
	{check: CheckExternalType, name: "self_remove", extensions: withServer, run: func(x *scene) error {
		return x.refuse(x.server(0, x.cfg.SelfRemoveProposal()))
	}},
	{check: CheckExternalType, name: "custom", extensions: withServer, run: func(x *scene) error {
		return x.refuse(x.server(0, message.Proposal{Type: 0xf001, Body: &message.Custom{}}))
	}},
	{check: CheckExternalSender, name: "no senders", run: func(x *scene) error { return x.refuse(x.server(0, RemoveProposal(3))) }},
	{check: CheckExternalSender, name: "no such sender", extensions: withServer, run: func(x *scene) error {
		return x.refuse(x.server(1, RemoveProposal(3)))
	}},
	{check: CheckExternalSender, name: "malformed", run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(message.Extensions{{Type: message.ExtensionExternalSenders, Data: []byte{9}}}))
	}},
	{check: CheckExternalCredential, name: "commit", config: authenticated, run: func(x *scene) error {
		list := message.ExternalSenders{{SignatureKey: make([]byte, 32), Credential: message.BasicCredential([]byte("mallory"))}}
		return x.commitOf(ExtensionsProposal(message.Extensions{{Type: message.ExtensionExternalSenders, Data: must(&list)}}))
	}},
	{check: CheckExternalCredential, name: "new group", config: authenticated, run: func(x *scene) error {
		list := message.ExternalSenders{{SignatureKey: make([]byte, 32), Credential: message.BasicCredential([]byte("mallory"))}}
		_, err := New(x.cfg, now, x.identity("9"), []byte("g"), GroupOptions{Extensions: message.Extensions{{Type: message.ExtensionExternalSenders, Data: must(&list)}}})
		return err
	}},
	{check: CheckNewMemberAdd, run: func(x *scene) error {
		p := RemoveProposal(3)
		b, err := x.cfg.outside(x.to.GroupID(), x.to.Epoch(), message.Sender{Type: message.SenderNewMemberProposal}, &p, x.identity("9").Signer.Private)
		if err != nil {
			return err
		}
		return x.refuse(b)
	}},
	{check: CheckSignature, name: "an add that another signs", run: func(x *scene) error {
		p := AddProposal(x.keyPackage("9").Public)
		b, err := x.cfg.outside(x.to.GroupID(), x.to.Epoch(), message.Sender{Type: message.SenderNewMemberProposal}, &p, x.in.signer)
		if err != nil {
			return err
		}
		return x.refuse(b)
	}},
}

// listRows break the rules of RFC 9420, Section 12.2.
var listRows = []row{
	{check: CheckListUpdateOwn, name: "by value", run: func(x *scene) error { return x.commitOf(*x.updateOf(x.in, nil)) }},
	{check: CheckListUpdateOwn, name: "by reference", run: func(x *scene) error {
		c := x.received("1", forgery{proposal: x.updateOf(x.in, nil)})
		return x.forge(forgery{all: []Committed{c}})
	}},
	{check: CheckListRemoveOwn, name: "by value", run: func(x *scene) error { return x.commitOf(RemoveProposal(1)) }},
	{check: CheckListRemoveOwn, name: "by reference", run: func(x *scene) error {
		p := RemoveProposal(1)
		c := x.received("2", forgery{proposal: &p})
		return x.forge(forgery{all: []Committed{c}})
	}},
	{check: CheckListRemoveOwn, name: "self_remove", run: func(x *scene) error {
		p := x.cfg.SelfRemoveProposal()
		c := x.received("1", forgery{proposal: &p})
		return x.forge(forgery{all: []Committed{c}})
	}},
	{check: CheckListLeafTwice, name: "two removes", run: func(x *scene) error { return x.commitOf(RemoveProposal(3), RemoveProposal(3)) }},
	{check: CheckListLeafTwice, name: "update and remove", run: func(x *scene) error {
		c := x.received("3", forgery{proposal: x.updateOf(x.groups["3"], nil)})
		return x.forge(forgery{all: []Committed{c, x.mine(RemoveProposal(3))}})
	}},
	{check: CheckListLeafTwice, name: "two updates", run: func(x *scene) error {
		a := x.received("3", forgery{proposal: x.updateOf(x.groups["3"], nil)})
		b := x.received("3", forgery{proposal: x.updateOf(x.groups["3"], nil)})
		return x.forge(forgery{all: []Committed{a, b}})
	}},
	{check: CheckListLeafTwice, name: "one proposal twice", run: func(x *scene) error {
		c := x.received("3", forgery{proposal: x.updateOf(x.groups["3"], nil)})
		return x.forge(forgery{all: []Committed{c, c}})
	}},
	{check: CheckListLeafTwice, name: "self_remove and remove", run: func(x *scene) error {
		p := x.cfg.SelfRemoveProposal()
		c := x.received("3", forgery{proposal: &p})
		return x.forge(forgery{all: []Committed{c, x.mine(RemoveProposal(3))}})
	}},
	{check: CheckListAddTwice, name: "one KeyPackage", run: func(x *scene) error {
		p := AddProposal(x.keyPackage("9").Public)
		return x.commitOf(p, p)
	}},
	{check: CheckListAddTwice, name: "one signature key", run: func(x *scene) error {
		return x.commitOf(AddProposal(x.keyPackage("9").Public), AddProposal(x.keyPackage("9").Public))
	}},
	{check: CheckListAddTwice, name: "one client", config: sameIdentity, run: func(x *scene) error {
		a := x.keyPackage("9")
		delete(x.ids, "9")
		return x.commitOf(AddProposal(a.Public), AddProposal(x.keyPackage("9").Public))
	}},
	{check: CheckListAddMember, name: "one signature key", run: func(x *scene) error {
		return x.commitOf(AddProposal(x.keyPackage("2").Public))
	}},
	{check: CheckListAddMember, name: "one client", config: sameIdentity, run: func(x *scene) error {
		delete(x.ids, "2")
		return x.commitOf(AddProposal(x.keyPackage("2").Public))
	}},
	{check: CheckListPSKTwice, run: func(x *scene) error {
		id := resumptionPSK(message.ResumptionApplication, 2)
		id.Nonce = make([]byte, x.cfg.Suite.ID().Sizes().Hash)
		return x.commitPSK(id, id)
	}},
	{check: CheckListExtensions, run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(nil), ExtensionsProposal(nil))
	}},
	{check: CheckListReInitAlone, run: func(x *scene) error {
		return x.commitOf(ReInitProposal([]byte("next"), 1, nil), AddProposal(x.keyPackage("9").Public))
	}},
	{check: CheckListExternalInit, name: "committed", run: func(x *scene) error {
		return x.commitOf(message.Proposal{Type: message.ProposalExternalInit, Body: &message.ExternalInit{KEMOutput: make([]byte, 32)}})
	}},
	{check: CheckListExternalInit, name: "proposed", run: func(x *scene) error {
		return x.forge(forgery{proposal: &message.Proposal{Type: message.ProposalExternalInit, Body: &message.ExternalInit{KEMOutput: make([]byte, 32)}}})
	}},
	{check: CheckListSupported, run: func(x *scene) error {
		return x.commitOf(message.Proposal{Type: 0xf001, Body: &message.Custom{Data: []byte("new")}})
	}},
	{check: CheckListExternal, name: "no external_init", run: func(x *scene) error {
		return x.refuse(forgeExternal(x.t, x.to, x.identity("9"), true, forgery{}))
	}},
	{check: CheckListExternal, name: "two external_init", run: func(x *scene) error {
		pair, err := schedule.ExternalKeyPair(x.cfg.Suite, x.to.epoch.External)
		if err != nil {
			return err
		}
		kem, _, err := schedule.ExternalInitSend(x.cfg.Suite, pair.Public) // a second one that is right too
		if err != nil {
			return err
		}
		p := message.Proposal{Type: message.ProposalExternalInit, Body: &message.ExternalInit{KEMOutput: kem}}
		return x.outside(x.outsiders(p))
	}},
	{check: CheckListExternal, name: "add", run: func(x *scene) error {
		return x.outside(x.outsiders(AddProposal(x.keyPackage("8").Public)))
	}},
	{check: CheckListExternal, name: "group_context_extensions", run: func(x *scene) error {
		return x.outside(x.outsiders(ExtensionsProposal(nil)))
	}},
	{check: CheckListExternal, name: "two removes", config: authenticated, run: func(x *scene) error {
		return x.outside(x.outsiders(RemoveProposal(2)), x.outsiders(RemoveProposal(3)))
	}},
	{check: CheckListExternal, name: "kem_output that is none", run: func(x *scene) error {
		p := message.Proposal{Type: message.ProposalExternalInit, Body: &message.ExternalInit{KEMOutput: []byte{1}}}
		return x.refuse(forgeExternal(x.t, x.to, x.identity("9"), true, forgery{all: []Committed{x.outsiders(p)}}))
	}},
	{check: CheckLeafCredential, name: "resync of another client", run: func(x *scene) error {
		return x.outside(x.outsiders(RemoveProposal(3)))
	}},
	{check: CheckListApplication, config: func(c *Config) {
		c.Authorize = func(p *Proposed) error {
			for _, c := range p.Proposals {
				if r, ok := c.Proposal.Body.(*message.Remove); ok && r.Removed == 3 && p.Committer.Index == 1 {
					return errors.New("1 may not remove 3")
				}
			}
			return nil
		}
	}, run: func(x *scene) error { return x.commitOf(RemoveProposal(3)) }},
	{check: CheckListUpdateSender, run: func(x *scene) error { return x.outside(x.outsiders(*x.updateOf(x.in, nil))) }},
	{check: CheckRequired, name: "extension", run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(requiring(message.RequiredCapabilities{Extensions: []message.ExtensionType{0xf001}})(x.cfg)))
	}},
	{check: CheckRequired, name: "proposal", run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(requiring(message.RequiredCapabilities{Proposals: []message.ProposalType{0xf001}})(x.cfg)))
	}},
	{check: CheckRequired, name: "credential", run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(requiring(message.RequiredCapabilities{Credentials: []message.CredentialType{2}})(x.cfg)))
	}},
	{check: CheckRequired, name: "extension that is used", run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(message.Extensions{{Type: 0xf001}}))
	}},
	{check: CheckRequired, name: "malformed", run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(message.Extensions{{Type: message.ExtensionRequiredCapabilities, Data: []byte{1}}}))
	}},
}

// sameIdentity takes leaves with one identity for one client.
func sameIdentity(c *Config) {
	c.ClientOf = func(l *message.LeafNode) string { return string(l.Credential.Identity) }
}

// outside lets "9" commit from outside with more proposals.
func (x *scene) outside(more ...Committed) error {
	x.t.Helper()
	return x.refuse(forgeExternal(x.t, x.to, x.identity("9"), false, forgery{all: more}))
}
