package mls

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
)

// blankLeaf is a leaf that no member of a scene has.
const blankLeaf = 77

// framingRows break the rules of RFC 9420, Section 6.
var framingRows = []row{
	{check: CheckGroup, name: "public", run: func(x *scene) error {
		return x.forge(forgery{content: func(c *message.FramedContent) { c.GroupID = []byte("other") }})
	}},
	{check: CheckGroup, name: "private", run: func(x *scene) error {
		return x.forge(forgery{private: true, data: []byte("x"), content: func(c *message.FramedContent) { c.GroupID = []byte("other") }})
	}},
	{check: CheckGroup, name: "a KeyPackage", run: func(x *scene) error {
		k := x.keyPackage("9")
		return x.refuse(encode(x.t, &message.Message{KeyPackage: &k.Public}))
	}},
	{check: CheckEpoch, name: "past", run: func(x *scene) error {
		return x.forge(forgery{content: func(c *message.FramedContent) { c.Epoch-- }})
	}},
	{check: CheckEpoch, name: "future", run: func(x *scene) error {
		return x.forge(forgery{content: func(c *message.FramedContent) { c.Epoch++ }})
	}},
	{check: CheckEpoch, name: "a private commit of the past", run: func(x *scene) error {
		return x.forge(forgery{private: true, content: func(c *message.FramedContent) { c.Epoch-- }})
	}},
	{check: CheckEpoch, name: "application data that is too late", run: func(x *scene) error {
		b := forge(x.t, x.in, forgery{private: true, data: []byte("late")})
		x.commit("2", CommitOptions{})
		return x.refuse(b)
	}},
	{check: CheckApplication, name: "public", run: func(x *scene) error {
		return x.forge(forgery{data: []byte("in the open")})
	}},
	{check: CheckApplication, name: "to a tracker", run: func(x *scene) error {
		m, err := message.Parse(forge(x.t, x.in, forgery{data: []byte("in the open")}), nil)
		if err != nil {
			x.t.Fatal(err)
		}
		_, err = x.to.PublicGroup.Stage(now, m.Public)
		return err
	}},
	{check: CheckSenderMember, name: "public", run: func(x *scene) error {
		return x.forge(forgery{content: func(c *message.FramedContent) { c.Sender.Index = blankLeaf }})
	}},
	{check: CheckSenderMember, name: "private", run: func(x *scene) error {
		x.commit("2", CommitOptions{Proposals: []message.Proposal{RemoveProposal(x.groups["3"].own)}})
		return x.forge(forgery{private: true, data: []byte("from nobody"), content: func(c *message.FramedContent) { c.Sender.Index = 3 }})
	}},
	{check: CheckSenderContent, name: "a proposal of a new committer", run: func(x *scene) error {
		p := RemoveProposal(3)
		return x.forge(forgery{proposal: &p, content: func(c *message.FramedContent) {
			c.Sender = message.Sender{Type: message.SenderNewMemberCommit}
		}})
	}},
	{check: CheckSenderContent, name: "a commit of an external sender", run: func(x *scene) error {
		return x.forge(forgery{content: func(c *message.FramedContent) {
			c.Sender = message.Sender{Type: message.SenderExternal}
		}})
	}},
	{check: CheckSenderContent, name: "a commit of a new member that proposes", run: func(x *scene) error {
		return x.forge(forgery{content: func(c *message.FramedContent) {
			c.Sender = message.Sender{Type: message.SenderNewMemberProposal}
		}})
	}},
	{check: CheckSignature, name: "commit", run: func(x *scene) error {
		return x.forge(forgery{signed: func(c *message.AuthenticatedContent) { c.Auth.Signature[5] ^= 1 }})
	}},
	{check: CheckSignature, name: "proposal", run: func(x *scene) error {
		p := RemoveProposal(3)
		return x.forge(forgery{proposal: &p, signed: func(c *message.AuthenticatedContent) { c.Auth.Signature[5] ^= 1 }})
	}},
	{check: CheckSignature, name: "private proposal", run: func(x *scene) error {
		p := RemoveProposal(3)
		return x.forge(forgery{proposal: &p, private: true, signed: func(c *message.AuthenticatedContent) { c.Auth.Signature = nil }})
	}},
	{check: CheckSignature, name: "application data of another member", run: func(x *scene) error {
		return x.forge(forgery{private: true, data: []byte("I am 2"), signed: func(c *message.AuthenticatedContent) { c.Content.Sender.Index = 2 }})
	}},
	{check: CheckSignature, name: "proposal of another member", run: func(x *scene) error {
		p := RemoveProposal(3)
		return x.forge(forgery{proposal: &p, content: func(c *message.FramedContent) { c.Sender.Index = 2 }})
	}},
	{check: CheckSignature, name: "external commit", run: func(x *scene) error {
		return x.refuse(forgeExternal(x.t, x.to, x.identity("9"), false, forgery{signed: func(c *message.AuthenticatedContent) { c.Auth.Signature[5] ^= 1 }}))
	}},
	{check: CheckConfirmation, name: "commit", run: func(x *scene) error {
		return x.forge(forgery{tagged: func(c *message.AuthenticatedContent) { c.Auth.ConfirmationTag[3] ^= 1 }})
	}},
	{check: CheckConfirmation, name: "private commit without one", run: func(x *scene) error {
		return x.forge(forgery{private: true, tagged: func(c *message.AuthenticatedContent) { c.Auth.ConfirmationTag = nil }})
	}},
	{check: CheckConfirmation, name: "external commit", run: func(x *scene) error {
		return x.refuse(forgeExternal(x.t, x.to, x.identity("9"), false, forgery{tagged: func(c *message.AuthenticatedContent) { c.Auth.ConfirmationTag[3] ^= 1 }}))
	}},
	{check: CheckMembership, name: "commit", run: func(x *scene) error {
		return x.forge(forgery{public: func(p *message.PublicMessage) { p.MembershipTag[3] ^= 1 }})
	}},
	{check: CheckMembership, name: "proposal without one", run: func(x *scene) error {
		p := RemoveProposal(3)
		return x.forge(forgery{proposal: &p, public: func(p *message.PublicMessage) { p.MembershipTag = nil }})
	}},
	{check: CheckDecrypt, name: "sender data", run: func(x *scene) error {
		return x.refuse(x.damaged(func(p *message.PrivateMessage) { p.EncryptedSenderData[2] ^= 1 }))
	}},
	{check: CheckDecrypt, name: "content", run: func(x *scene) error {
		return x.refuse(x.damaged(func(p *message.PrivateMessage) { p.Ciphertext[len(p.Ciphertext)-1] ^= 1 }))
	}},
	{check: CheckDecrypt, name: "authenticated data", run: func(x *scene) error {
		return x.refuse(x.damaged(func(p *message.PrivateMessage) { p.AuthenticatedData = []byte("more") }))
	}},
	{check: CheckGeneration, name: "used", run: func(x *scene) error {
		b := forge(x.t, x.in, forgery{private: true, data: []byte("once")})
		if _, err := x.to.Process(now, b); err != nil {
			return err
		}
		return x.refuse(b)
	}},
	{check: CheckGeneration, name: "a proposal's, used", run: func(x *scene) error {
		p := RemoveProposal(3)
		b := forge(x.t, x.in, forgery{private: true, proposal: &p})
		if _, err := x.to.Process(now, b); err != nil {
			return err
		}
		return x.refuse(b)
	}},
	{check: CheckGeneration, name: "too far ahead", config: func(c *Config) { c.Limits = schedule.Limits{Forward: 3} }, run: func(x *scene) error {
		var sent [][]byte
		for range 6 {
			sent = append(sent, forge(x.t, x.in, forgery{private: true, data: []byte("x")}))
		}
		err := x.refuse(sent[5])
		if _, err := x.to.Process(now, sent[3]); err != nil { // so that the next is in reach
			return err
		}
		return err
	}},
}

// damaged returns a message of the insider with a change that only its encryption
// can tell.
func (x *scene) damaged(change func(*message.PrivateMessage)) []byte {
	x.t.Helper()
	m, err := message.Parse(forge(x.t, x.in, forgery{private: true, data: []byte("hello")}), nil)
	if err != nil {
		x.t.Fatal(err)
	}
	change(m.Private)
	return encode(x.t, m)
}
