package conformance

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// basicsCase is one of crypto-basics.json.
type basicsCase struct {
	suited
	RefHash struct {
		Label string `json:"label"`
		Value octets `json:"value"`
		Out   octets `json:"out"`
	} `json:"ref_hash"`
	Expand struct {
		Secret  octets `json:"secret"`
		Label   string `json:"label"`
		Context octets `json:"context"`
		Length  uint16 `json:"length"`
		Out     octets `json:"out"`
	} `json:"expand_with_label"`
	DeriveSecret struct {
		Secret octets `json:"secret"`
		Label  string `json:"label"`
		Out    octets `json:"out"`
	} `json:"derive_secret"`
	DeriveTreeSecret struct {
		Secret     octets `json:"secret"`
		Label      string `json:"label"`
		Generation uint32 `json:"generation"`
		Length     uint16 `json:"length"`
		Out        octets `json:"out"`
	} `json:"derive_tree_secret"`
	Sign struct {
		Private   octets `json:"priv"`
		Public    octets `json:"pub"`
		Content   octets `json:"content"`
		Label     string `json:"label"`
		Signature octets `json:"signature"`
	} `json:"sign_with_label"`
	Encrypt struct {
		Private    octets `json:"priv"`
		Public     octets `json:"pub"`
		Label      string `json:"label"`
		Context    octets `json:"context"`
		Plaintext  octets `json:"plaintext"`
		KEMOutput  octets `json:"kem_output"`
		Ciphertext octets `json:"ciphertext"`
	} `json:"encrypt_with_label"`
}

func checkBasics(c *checker, s suite.Suite, v *basicsCase) {
	c.equal("ref_hash", labeled.RefHash(s, nil, v.RefHash.Label, v.RefHash.Value), v.RefHash.Out)
	checkDerivations(c, s, v)

	g := &v.Sign
	c.ok("sign_with_label.signature", labeled.Verify(s, g.Public, g.Label, g.Content, g.Signature))
	if made, err := labeled.Sign(s, signKey(s, g.Private), g.Label, g.Content); c.ok("sign_with_label.priv", err) {
		c.ok("signature made with sign_with_label.priv", labeled.Verify(s, g.Public, g.Label, g.Content, made))
	}

	e := &v.Encrypt
	open := func(what string, kemOutput, ciphertext []byte) {
		plaintext, err := labeled.Decrypt(s, kemKey(s, e.Private), e.Label, e.Context, kemOutput, ciphertext)
		if c.ok(what, err) {
			c.equal(what, plaintext, e.Plaintext)
		}
	}
	open("encrypt_with_label.ciphertext", e.KEMOutput, e.Ciphertext)
	if kemOutput, ciphertext, err := labeled.Encrypt(s, e.Public, e.Label, e.Context, e.Plaintext); c.ok("encrypt_with_label.pub", err) {
		open("ciphertext made for encrypt_with_label.pub", kemOutput, ciphertext)
	}
}

func checkDerivations(c *checker, s suite.Suite, v *basicsCase) {
	most := 255 * s.ID().Sizes().Hash
	if x := &v.Expand; int(x.Length) > most {
		c.fail("expand_with_label.length", "got %d, want %d at most", x.Length, most)
	} else if c.secret("expand_with_label.secret", s, x.Secret) {
		c.equal("expand_with_label", labeled.Expand(s, x.Secret, x.Label, x.Context, int(x.Length)), x.Out)
	}
	if d := &v.DeriveSecret; c.secret("derive_secret.secret", s, d.Secret) {
		c.equal("derive_secret", labeled.DeriveSecret(s, d.Secret, d.Label), d.Out)
	}
	if d := &v.DeriveTreeSecret; int(d.Length) > most {
		c.fail("derive_tree_secret.length", "got %d, want %d at most", d.Length, most)
	} else if c.secret("derive_tree_secret.secret", s, d.Secret) {
		c.equal("derive_tree_secret", labeled.DeriveTreeSecret(s, d.Secret, d.Label, d.Generation, int(d.Length)), d.Out)
	}
}
