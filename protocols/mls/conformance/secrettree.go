package conformance

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// secretTreeCase is one of secret-tree.json.
type secretTreeCase struct {
	suited
	SenderData struct {
		Secret     octets `json:"sender_data_secret"`
		Ciphertext octets `json:"ciphertext"`
		Key        octets `json:"key"`
		Nonce      octets `json:"nonce"`
	} `json:"sender_data"`
	EncryptionSecret octets               `json:"encryption_secret"`
	Leaves           [][]secretGeneration `json:"leaves"`
}

type secretGeneration struct {
	Generation       uint32 `json:"generation"`
	HandshakeKey     octets `json:"handshake_key"`
	HandshakeNonce   octets `json:"handshake_nonce"`
	ApplicationKey   octets `json:"application_key"`
	ApplicationNonce octets `json:"application_nonce"`
}

func checkSecretTree(c *checker, s suite.Suite, v *secretTreeCase) {
	if d := &v.SenderData; c.secret("sender_data.sender_data_secret", s, d.Secret) {
		key, nonce := schedule.SenderDataKey(s, d.Secret, d.Ciphertext)
		c.equal("sender_data.key", key, d.Key)
		c.equal("sender_data.nonce", nonce, d.Nonce)
	}
	if len(v.Leaves) == 0 {
		c.fail("leaves", "there are none")
		return
	}
	if !c.secret("encryption_secret", s, v.EncryptionSecret) {
		return
	}
	tree := schedule.NewSecretTree(s, v.EncryptionSecret, uint32(len(v.Leaves)), schedule.Limits{})
	for leaf, generations := range v.Leaves {
		for i, g := range generations {
			at := fmt.Sprintf("leaves[%d][%d].", leaf, i)
			checkKey(c, tree, uint32(leaf), schedule.Handshake, g.Generation, at+"handshake", g.HandshakeKey, g.HandshakeNonce)
			checkKey(c, tree, uint32(leaf), schedule.Application, g.Generation, at+"application", g.ApplicationKey, g.ApplicationNonce)
		}
	}
}

// checkKey compares one key, and consumes it as the receiver of a message does.
func checkKey(c *checker, tree *schedule.SecretTree, leaf uint32, r schedule.Ratchet, generation uint32, at string, key, nonce []byte) {
	k, err := tree.Peek(leaf, r, generation)
	if !c.ok(at+"_key", err) {
		return
	}
	c.equal(at+"_key", k.Key, key)
	c.equal(at+"_nonce", k.Nonce, nonce)
	tree.Consume(leaf, r, generation)
}
