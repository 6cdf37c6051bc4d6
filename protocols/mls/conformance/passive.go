package conformance

import (
	"bytes"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// passiveCase is one of the three files of passive clients.
type passiveCase struct {
	suited
	ExternalPSKs []struct {
		ID  octets `json:"psk_id"`
		PSK octets `json:"psk"`
	} `json:"external_psks"`
	KeyPackage     octets  `json:"key_package"`
	SignaturePriv  octets  `json:"signature_priv"`
	EncryptionPriv octets  `json:"encryption_priv"`
	InitPriv       octets  `json:"init_priv"`
	Welcome        octets  `json:"welcome"`
	RatchetTree    *octets `json:"ratchet_tree"`
	Authenticator  octets  `json:"initial_epoch_authenticator"`
	Epochs         []struct {
		Proposals     []octets `json:"proposals"`
		Commit        octets   `json:"commit"`
		Authenticator octets   `json:"epoch_authenticator"`
	} `json:"epochs"`
}

// passiveTime is when all happens: it does not matter, since lifetimes in the file
// have no end.
var passiveTime = time.Unix(1<<30, 0)

// checkPassive joins and follows a group as any client does, through package mls.
func checkPassive(c *checker, s suite.Suite, v *passiveCase) {
	k, ok := passiveKeys(c, s, v)
	if !ok {
		return
	}
	g, ok := passiveJoin(c, s, v, k)
	if !ok {
		return
	}
	c.equal("initial_epoch_authenticator", g.EpochAuthenticator(), v.Authenticator)
	for i := range v.Epochs {
		e, at := &v.Epochs[i], fmt.Sprintf("epochs[%d].", i)
		for j, p := range e.Proposals {
			event, err := g.Process(passiveTime, p)
			if what := fmt.Sprintf("%sproposals[%d]", at, j); c.ok(what, err) {
				if _, ok := event.(*mls.Received); !ok {
					c.fail(what, "got %T, want a proposal", event)
				}
			}
		}
		event, err := g.Process(passiveTime, e.Commit)
		if !c.ok(at+"commit", err) {
			return
		}
		staged, ok := event.(*mls.Staged)
		if !ok {
			c.fail(at+"commit", "got %T, want a Commit", event)
			return
		}
		if !c.ok(at+"commit", g.Merge(staged)) {
			return
		}
		c.equal(at+"epoch_authenticator", g.EpochAuthenticator(), e.Authenticator)
	}
}

// passiveKeys puts the client's KeyPackage together and compares its keys.
func passiveKeys(c *checker, s suite.Suite, v *passiveCase) (*mls.KeyPackage, bool) {
	m, ok := c.parse("key_package", v.KeyPackage, message.WireKeyPackage)
	if !ok {
		return nil, false
	}
	public := m.KeyPackage
	k := &mls.KeyPackage{
		Public: *public,
		Init:   suite.KeyPair{Private: kemKey(s, v.InitPriv), Public: public.InitKey},
		Leaf:   suite.KeyPair{Private: kemKey(s, v.EncryptionPriv), Public: public.LeafNode.EncryptionKey},
		Signer: suite.KeyPair{Private: signKey(s, v.SignaturePriv), Public: public.LeafNode.SignatureKey},
	}
	pair := func(what string, p suite.KeyPair, of func(suite.PrivateKey) ([]byte, error)) {
		if got, err := of(p.Private); c.ok(what, err) {
			c.equal(what+" (public key)", got, p.Public)
		}
	}
	pair("init_priv", k.Init, s.PublicKey)
	pair("encryption_priv", k.Leaf, s.PublicKey)
	pair("signature_priv", k.Signer, s.SignerPublicKey)
	var err error
	k.Ref, err = public.Ref(s)
	return k, c.ok("key_package", err)
}

// passiveJoin joins by the Welcome.
func passiveJoin(c *checker, s suite.Suite, v *passiveCase, k *mls.KeyPackage) (*mls.Group, bool) {
	m, ok := c.parse("welcome", v.Welcome, message.WireWelcome)
	if !ok {
		return nil, false
	}
	cfg := &mls.Config{
		Suite:          s,
		MaxLifetime:    -1,
		IgnoreLifetime: true,
		// A Commit may inject the key of any epoch that the client has seen.
		ResumptionEpochs: len(v.Epochs) + 1,
		PSK: func(id *message.PreSharedKeyID) ([]byte, bool) {
			for _, p := range v.ExternalPSKs {
				if id.Type == message.PSKExternal && bytes.Equal(id.ID, p.ID) {
					return p.PSK, true
				}
			}
			return nil, false
		},
	}
	var o mls.JoinOptions
	if v.RatchetTree != nil {
		o.RatchetTree = *v.RatchetTree
	}
	w, err := mls.OpenWelcome(cfg, passiveTime, m.Welcome, []*mls.KeyPackage{k}, o)
	if !c.ok("welcome", err) {
		return nil, false
	}
	return w.Join(), true
}
