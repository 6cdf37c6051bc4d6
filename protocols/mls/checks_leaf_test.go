package mls

import (
	"bytes"
	"errors"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// update lets the insider propose an Update with a change to its leaf.
func (x *scene) update(change func(*message.LeafNode)) error {
	x.t.Helper()
	return x.refuse(forge(x.t, x.in, forgery{proposal: x.updateOf(x.in, change)}))
}

// updateOf returns an Update of a member's leaf, changed and then signed.
func (x *scene) updateOf(g *Group, change func(*message.LeafNode)) *message.Proposal {
	x.t.Helper()
	pair, err := x.cfg.Suite.GenerateKeyPair()
	if err != nil {
		x.t.Fatal(err)
	}
	leaf, signer, err := g.changedLeaf(LeafChange{})
	if err != nil {
		x.t.Fatal(err)
	}
	leaf.EncryptionKey, leaf.Source = pair.Public, message.SourceUpdate
	do(change, leaf)
	if err := leaf.Sign(x.cfg.Suite, signer, g.GroupID(), uint32(g.own)); err != nil {
		x.t.Fatal(err)
	}
	return &message.Proposal{Type: message.ProposalUpdate, Body: &message.Update{LeafNode: *leaf}}
}

// add lets the insider add a client with a change to its KeyPackage.
func (x *scene) add(change func(*message.KeyPackage)) error {
	x.t.Helper()
	k := x.keyPackage("9")
	do(change, &k.Public)
	return x.commitOf(AddProposal(resign(x.t, x.cfg.Suite, k).Public))
}

// path lets the insider commit with a change to the leaf of its path.
func (x *scene) path(change func(*message.LeafNode)) error {
	x.t.Helper()
	return x.forge(forgery{path: func(p *message.UpdatePath) { change(&p.LeafNode) }})
}

// noMallory refuses credentials that say "mallory".
func noMallory(c *message.Credential, _ []byte, _ Where) error {
	if string(c.Identity) == "mallory" {
		return errors.New("mallory is not welcome")
	}
	return nil
}

func authenticated(c *Config) { c.Authenticate = noMallory }

// twoCredentials supports a second type of credential, and accepts it.
func twoCredentials(c *Config) {
	c.Credentials = []message.CredentialType{message.CredentialBasic, 0xf000}
	c.Authenticate = noMallory
}

// requiring is a GroupContext that requires what the clients of a scene support.
func requiring(r message.RequiredCapabilities) func(*Config) message.Extensions {
	return func(*Config) message.Extensions {
		return message.Extensions{{Type: message.ExtensionRequiredCapabilities, Data: must(&r)}}
	}
}

// lowOrder is an X25519 key with which every DH is zero: p+1, which reads as 1.
var lowOrder = append(append([]byte{0xee}, bytes.Repeat([]byte{0xff}, 30)...), 0x7f)

// leafRows break the rules of RFC 9420, Sections 7.2 and 7.3, where a leaf may come
// in: by an Update, a KeyPackage and a path. Leaves of a tree are in welcomeRows.
var leafRows = []row{
	{check: CheckKey, name: "encryption_key of an update", run: func(x *scene) error {
		return x.update(func(l *message.LeafNode) { l.EncryptionKey = l.EncryptionKey[:31] })
	}},
	{check: CheckKey, name: "encryption_key of a KeyPackage", run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { k.LeafNode.EncryptionKey = append(k.LeafNode.EncryptionKey, 0) })
	}},
	{check: CheckKey, name: "init_key", run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { k.InitKey = nil })
	}},
	{check: CheckKey, name: "signature_key", run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { k.LeafNode.SignatureKey = k.LeafNode.SignatureKey[1:] })
	}},
	{check: CheckKey, name: "leaf of a path", run: func(x *scene) error {
		return x.path(func(l *message.LeafNode) { l.EncryptionKey = []byte{1} })
	}},
	{check: CheckKey, name: "node of a path", run: func(x *scene) error {
		return x.forge(forgery{path: func(p *message.UpdatePath) { p.Nodes[1].EncryptionKey = []byte{1} }})
	}},
	{check: CheckKey, name: "init_key of low order", run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { k.InitKey = make([]byte, 32) })
	}},
	{check: CheckKey, name: "encryption_key of low order in an update", run: func(x *scene) error {
		return x.update(func(l *message.LeafNode) { l.EncryptionKey = make([]byte, 32) })
	}},
	{check: CheckKey, name: "encryption_key of low order in a KeyPackage", run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { k.LeafNode.EncryptionKey = lowOrder })
	}},
	{check: CheckKey, name: "encryption_key of low order in a fetched KeyPackage", run: func(x *scene) error {
		k := x.keyPackage("9")
		k.Public.LeafNode.EncryptionKey = lowOrder
		return x.cfg.CheckKeyPackage(now, &resign(x.t, x.cfg.Suite, k).Public)
	}},
	{check: CheckKey, name: "encryption_key of low order in the leaf of a path", run: func(x *scene) error {
		return x.path(func(l *message.LeafNode) { l.EncryptionKey = lowOrder })
	}},
	{check: CheckKey, name: "encryption_key of low order in a node of a path", run: func(x *scene) error {
		return x.forge(forgery{path: func(p *message.UpdatePath) { p.Nodes[1].EncryptionKey = lowOrder }})
	}},
	{check: CheckKey, name: "external sender", run: func(x *scene) error {
		list := message.ExternalSenders{{SignatureKey: []byte{1}, Credential: message.BasicCredential([]byte("server"))}}
		return x.commitOf(ExtensionsProposal(message.Extensions{{Type: message.ExtensionExternalSenders, Data: must(&list)}}))
	}},
	{check: CheckCapabilitiesOwn, name: "update", run: func(x *scene) error {
		return x.update(func(l *message.LeafNode) { l.Capabilities.Credentials = nil })
	}},
	{check: CheckCapabilitiesOwn, name: "path", run: func(x *scene) error {
		return x.path(func(l *message.LeafNode) {
			l.Capabilities.Credentials = []message.CredentialType{message.CredentialX509}
		})
	}},
	{check: CheckLifetimeRange, name: "too long", run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { k.LeafNode.Lifetime.NotAfter += 2 * 366 * 24 * 3600 })
	}},
	{check: CheckLifetimeRange, name: "ends before it begins", config: func(c *Config) { c.IgnoreLifetime = true }, run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) {
			k.LeafNode.Lifetime.NotBefore, k.LeafNode.Lifetime.NotAfter = k.LeafNode.Lifetime.NotAfter, k.LeafNode.Lifetime.NotBefore
		})
	}},
	{check: CheckLeafCredential, name: "update", config: authenticated, run: func(x *scene) error {
		return x.update(func(l *message.LeafNode) { l.Credential = message.BasicCredential([]byte("mallory")) })
	}},
	{check: CheckLeafCredential, name: "add", config: authenticated, run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { k.LeafNode.Credential = message.BasicCredential([]byte("mallory")) })
	}},
	{check: CheckLeafCredential, name: "path", config: authenticated, run: func(x *scene) error {
		return x.path(func(l *message.LeafNode) { l.Credential = message.BasicCredential([]byte("mallory")) })
	}},
	{check: CheckLeafCredential, name: "external path", config: authenticated, run: func(x *scene) error {
		return x.refuse(forgeExternal(x.t, x.to, x.identity("mallory"), false, forgery{}))
	}},
	{check: CheckLeafCredential, name: "of a type that no one vouches for", run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) {
			k.LeafNode.Credential.Type = 0xf000
			k.LeafNode.Capabilities.Credentials = []message.CredentialType{message.CredentialBasic, 0xf000}
		})
	}},
	{check: CheckLeafSignature, name: "update", run: func(x *scene) error {
		p := x.updateOf(x.in, nil)
		p.Body.(*message.Update).LeafNode.Signature[7] ^= 1
		return x.forge(forgery{proposal: p})
	}},
	{check: CheckLeafSignature, name: "update of another group", run: func(x *scene) error {
		p := x.updateOf(x.in, nil)
		if err := p.Body.(*message.Update).LeafNode.Sign(x.cfg.Suite, x.in.signer, []byte("other"), 1); err != nil {
			return err
		}
		return x.forge(forgery{proposal: p})
	}},
	{check: CheckLeafSignature, name: "update of another leaf", run: func(x *scene) error {
		p := x.updateOf(x.in, nil)
		if err := p.Body.(*message.Update).LeafNode.Sign(x.cfg.Suite, x.in.signer, x.in.GroupID(), 2); err != nil {
			return err
		}
		return x.forge(forgery{proposal: p})
	}},
	{check: CheckLeafSignature, name: "path", run: func(x *scene) error {
		return x.forge(forgery{unsigned: func(p *message.UpdatePath) { p.LeafNode.Signature = make([]byte, 64) }})
	}},
	{check: CheckLeafSignature, name: "add", run: func(x *scene) error {
		k := x.keyPackage("9")
		k.Public.LeafNode.Signature[0] ^= 1
		if err := k.Public.Sign(x.cfg.Suite, k.Signer.Private); err != nil {
			return err
		}
		return x.commitOf(AddProposal(k.Public))
	}},
	{check: CheckLeafRequired, name: "extension", config: func(c *Config) { c.Extensions = []message.ExtensionType{0xf001} },
		extensions: requiring(message.RequiredCapabilities{Extensions: []message.ExtensionType{0xf001}}), run: func(x *scene) error {
			return x.add(func(k *message.KeyPackage) { k.LeafNode.Capabilities.Extensions, k.LeafNode.Extensions = nil, nil })
		}},
	{check: CheckLeafRequired, name: "proposal", config: func(c *Config) { c.Proposals = []message.ProposalType{0xf001} },
		extensions: requiring(message.RequiredCapabilities{Proposals: []message.ProposalType{0xf001}}), run: func(x *scene) error {
			return x.update(func(l *message.LeafNode) { l.Capabilities.Proposals = nil })
		}},
	{check: CheckLeafRequired, name: "credential", config: twoCredentials,
		extensions: requiring(message.RequiredCapabilities{Credentials: []message.CredentialType{0xf000}}), run: func(x *scene) error {
			return x.path(func(l *message.LeafNode) {
				l.Capabilities.Credentials = []message.CredentialType{message.CredentialBasic}
			})
		}},
	{check: CheckLeafRequired, name: "extension of the GroupContext", config: func(c *Config) { c.Extensions = []message.ExtensionType{0xf001} },
		extensions: func(*Config) message.Extensions { return message.Extensions{{Type: 0xf001}} }, run: func(x *scene) error {
			return x.add(func(k *message.KeyPackage) { k.LeafNode.Capabilities.Extensions, k.LeafNode.Extensions = nil, nil })
		}},
	{check: CheckLeafRequired, name: "what the same commit begins to require", config: func(c *Config) { c.Extensions = []message.ExtensionType{0xf001} }, run: func(x *scene) error {
		k := x.keyPackage("9")
		k.Public.LeafNode.Capabilities.Extensions, k.Public.LeafNode.Extensions = nil, nil
		resign(x.t, x.cfg.Suite, k)
		req := requiring(message.RequiredCapabilities{Extensions: []message.ExtensionType{0xf001}})(x.cfg)
		return x.commitOf(AddProposal(k.Public), ExtensionsProposal(req))
	}},
	{check: CheckLeafCredentials, name: "a new type that a member lacks", config: authenticated, run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) {
			k.LeafNode.Credential.Type = 0xf000
			k.LeafNode.Capabilities.Credentials = []message.CredentialType{message.CredentialBasic, 0xf000}
		})
	}},
	{check: CheckLeafCredentials, name: "a member that lacks a type in use", config: twoCredentials, run: func(x *scene) error {
		return x.path(func(l *message.LeafNode) {
			l.Credential.Type = 0xf000
			l.Capabilities.Credentials = []message.CredentialType{0xf000}
		})
	}},
	{check: CheckLeafLifetime, name: "over", run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) {
			k.LeafNode.Lifetime = message.Lifetime{NotBefore: 0, NotAfter: 3600}
		})
	}},
	{check: CheckLeafLifetime, name: "yet to come", run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) {
			k.LeafNode.Lifetime.NotBefore = uint64(now.Add(time.Hour).Unix())
		})
	}},
	{check: CheckLeafExtensions, name: "update", run: func(x *scene) error {
		return x.update(func(l *message.LeafNode) { l.Extensions = message.Extensions{{Type: 0xf003}} })
	}},
	{check: CheckLeafExtensions, name: "path", run: func(x *scene) error {
		return x.path(func(l *message.LeafNode) { l.Extensions = message.Extensions{{Type: 0xf003}} })
	}},
	{check: CheckLeafSource, name: "KeyPackage", run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { k.LeafNode.Source = message.SourceUpdate })
	}},
	{check: CheckLeafSource, name: "update", run: func(x *scene) error {
		return x.update(func(l *message.LeafNode) { l.Source = message.SourceCommit })
	}},
	{check: CheckLeafSource, name: "path", run: func(x *scene) error {
		return x.path(func(l *message.LeafNode) { l.Source = message.SourceUpdate })
	}},
	{check: CheckLeafUpdated, name: "update", run: func(x *scene) error {
		return x.update(func(l *message.LeafNode) { l.EncryptionKey = x.in.private.LeafKey().Public })
	}},
	{check: CheckLeafUpdated, name: "resync", run: func(x *scene) error {
		f := forgery{all: []Committed{x.outsiders(RemoveProposal(3))}}
		old := x.groups["3"].Tree().Leaf(3).EncryptionKey
		f.path = func(p *message.UpdatePath) { p.LeafNode.EncryptionKey = old }
		return x.refuse(forgeExternal(x.t, x.to, x.identity("3"), false, f))
	}},
	{check: CheckLeafSignatureKey, name: "update", run: func(x *scene) error {
		p := x.updateOf(x.in, func(l *message.LeafNode) { l.SignatureKey = x.identity("2").Signer.Public })
		if err := p.Body.(*message.Update).LeafNode.Sign(x.cfg.Suite, x.identity("2").Signer.Private, x.in.GroupID(), 1); err != nil {
			return err
		}
		c := x.received("1", forgery{proposal: p})
		return x.refuse(forge(x.t, x.groups["2"], forgery{all: []Committed{c}}))
	}},
	{check: CheckLeafSignatureKey, name: "external path", run: func(x *scene) error {
		return x.refuse(forgeExternal(x.t, x.to, x.identity("2"), false, forgery{}))
	}},
	{check: CheckLeafKey, name: "add", run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { k.LeafNode.EncryptionKey = x.to.private.LeafKey().Public })
	}},
	{check: CheckLeafKey, name: "update", run: func(x *scene) error {
		key := x.groups["3"].private.LeafKey().Public
		c := x.received("1", forgery{proposal: x.updateOf(x.in, func(l *message.LeafNode) { l.EncryptionKey = key })})
		return x.refuse(forge(x.t, x.groups["2"], forgery{all: []Committed{c}}))
	}},
	{check: CheckLeafKey, name: "add with the key of a parent", run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { k.LeafNode.EncryptionKey = x.to.Tree().EncryptionKey(3) })
	}},
}

// keyPackageRows break the rules of RFC 9420, Section 10.
var keyPackageRows = []row{
	{check: CheckKeyPackageSuite, name: "suite", run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { k.Suite = 3 })
	}},
	{check: CheckKeyPackageSuite, name: "version", run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { k.Version = 2 })
	}},
	{check: CheckKeyPackageSuite, name: "fetched", run: func(x *scene) error {
		k := x.keyPackage("9")
		k.Public.Version = 2
		return x.cfg.CheckKeyPackage(now, &resign(x.t, x.cfg.Suite, k).Public)
	}},
	{check: CheckKeyPackageSignature, name: "add", run: func(x *scene) error {
		k := x.keyPackage("9")
		k.Public.Signature[1] ^= 1
		return x.commitOf(AddProposal(k.Public))
	}},
	{check: CheckKeyPackageSignature, name: "proposed", run: func(x *scene) error {
		k := x.keyPackage("9")
		k.Public.Signature = nil
		p := AddProposal(k.Public)
		return x.forge(forgery{proposal: &p})
	}},
	{check: CheckKeyPackageSignature, name: "fetched", run: func(x *scene) error {
		k := x.keyPackage("9")
		k.Public.Signature[1] ^= 1
		return x.cfg.CheckKeyPackage(now, &k.Public)
	}},
	{check: CheckKeyPackageInitKey, run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { k.InitKey = k.LeafNode.EncryptionKey })
	}},
	{check: CheckKeyPackageExtensions, run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { k.Extensions = message.Extensions{{Type: 0xf003}} })
	}},
	{check: CheckLeafSuite, name: "suite", run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { k.LeafNode.Capabilities.Suites = []suite.ID{3} })
	}},
	{check: CheckLeafSuite, name: "version", run: func(x *scene) error {
		return x.update(func(l *message.LeafNode) { l.Capabilities.Versions = nil })
	}},
	{check: CheckExtensionTwice, name: "leaf", run: func(x *scene) error {
		return x.update(func(l *message.LeafNode) { l.Extensions = twice(message.ExtensionApplicationID) })
	}},
	{check: CheckExtensionTwice, name: "KeyPackage", run: func(x *scene) error {
		return x.add(func(k *message.KeyPackage) { k.Extensions = twice(message.ExtensionApplicationID) })
	}},
	{check: CheckExtensionTwice, name: "GroupContext", run: func(x *scene) error {
		return x.commitOf(ExtensionsProposal(twice(message.ExtensionApplicationID)))
	}},
	{check: CheckExtensionTwice, name: "reinit", run: func(x *scene) error {
		return x.commitOf(ReInitProposal([]byte("next"), 1, twice(message.ExtensionApplicationID)))
	}},
}

func twice(t message.ExtensionType) message.Extensions {
	return message.Extensions{{Type: t}, {Type: t}}
}

// must encodes what always fits.
func must(m wire.Marshaler) []byte {
	b, err := wire.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

// outsiders returns a proposal that an external Commit holds.
func (x *scene) outsiders(p message.Proposal) Committed {
	return Committed{Proposal: &p, Sender: message.Sender{Type: message.SenderNewMemberCommit}, public: true}
}
