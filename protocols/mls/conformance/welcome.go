package conformance

import (
	"bytes"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// welcomeCase is one of welcome.json. Its groups have no tree, so that it takes
// the parts of the engine: to join one, see the passive clients.
type welcomeCase struct {
	suited
	InitPriv   octets `json:"init_priv"`
	SignerPub  octets `json:"signer_pub"`
	KeyPackage octets `json:"key_package"`
	Welcome    octets `json:"welcome"`
}

func checkWelcome(c *checker, s suite.Suite, v *welcomeCase) {
	secrets, w, ok := openSecrets(c, s, v)
	if !ok {
		return
	}
	none, err := schedule.PSKSecret(s, nil)
	if !c.ok("welcome", err) {
		return
	}
	member := schedule.MemberSecret(s, secrets.JoinerSecret, none)
	key, nonce := schedule.WelcomeKey(s, member)
	aead, err := s.AEAD(key)
	if !c.ok("welcome", err) {
		return
	}
	b, err := aead.Open(nil, nonce, w.EncryptedGroupInfo, nil)
	var info message.GroupInfo
	if !c.ok("welcome (encrypted_group_info)", err) || !c.read("welcome (GroupInfo)", b, &info) {
		return
	}
	c.ok("signer_pub", info.Verify(s, v.SignerPub))
	context, ok := c.write("welcome (GroupContext)", &info.Context)
	if !ok {
		return
	}
	epoch := schedule.NewEpoch(s, member, context)
	c.equal("welcome (confirmation_tag)", schedule.ConfirmationTag(s, epoch.Confirmation, info.Context.ConfirmedTranscriptHash), info.ConfirmationTag)
}

// openSecrets decrypts what the Welcome has for the KeyPackage.
func openSecrets(c *checker, s suite.Suite, v *welcomeCase) (*message.GroupSecrets, *message.Welcome, bool) {
	k, ok1 := c.parse("key_package", v.KeyPackage, message.WireKeyPackage)
	m, ok2 := c.parse("welcome", v.Welcome, message.WireWelcome)
	if !ok1 || !ok2 {
		return nil, nil, false
	}
	w := m.Welcome
	same(c, "key_package (suite)", k.KeyPackage.Suite, v.Suite)
	same(c, "welcome (suite)", w.Suite, v.Suite)
	ref, err := k.KeyPackage.Ref(s)
	if !c.ok("key_package", err) {
		return nil, nil, false
	}
	for _, e := range w.Secrets {
		if !bytes.Equal(e.NewMember, ref) {
			continue
		}
		b, err := labeled.Decrypt(s, kemKey(s, v.InitPriv), "Welcome", w.EncryptedGroupInfo, e.Secrets.KEMOutput, e.Secrets.Ciphertext)
		secrets := new(message.GroupSecrets)
		ok := c.ok("welcome (encrypted_group_secrets)", err) && c.read("welcome (GroupSecrets)", b, secrets)
		return secrets, w, ok
	}
	c.fail("welcome", "it has nothing for the key_package")
	return nil, nil, false
}
