package schedule

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/vectorstest"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// hexBytes is bytes in hexadecimal.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// readVectors reads a file of cases and checks that there are as many as it is
// known to have, so that a test does not pass for want of them.
func readVectors[T any](t *testing.T, name string, want int) (cases []T) {
	t.Helper()
	if err := json.Unmarshal(vectorstest.Read(t, name), &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != want {
		t.Fatalf("%s has %d cases, want %d", name, len(cases), want)
	}
	return cases
}

// each runs a subtest per case in a seeded suite.
func each[T any](t *testing.T, cases []T, id func(T) suite.ID, run func(t *testing.T, s suite.Suite, v T)) {
	for i, v := range cases {
		t.Run(fmt.Sprintf("%v/%d", id(v), i), func(t *testing.T) {
			t.Parallel()
			run(t, seeded(t, id(v)), v)
		})
	}
}

// seeded returns a suite whose randomness the name of the test determines.
func seeded(t testing.TB, id suite.ID) suite.Suite {
	t.Helper()
	s, err := suite.NewSeeded(id, [32]byte{1}, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// equal reports a value that differs.
func equal(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s = %x, want %x", what, got, want)
	}
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func marshal(t testing.TB, m wire.Marshaler) []byte {
	t.Helper()
	b, err := wire.Marshal(m)
	noError(t, err)
	return b
}

type keyScheduleVector struct {
	Suite             suite.ID `json:"cipher_suite"`
	GroupID           hexBytes `json:"group_id"`
	InitialInitSecret hexBytes `json:"initial_init_secret"`
	Epochs            []struct {
		TreeHash                hexBytes `json:"tree_hash"`
		CommitSecret            hexBytes `json:"commit_secret"`
		PSKSecret               hexBytes `json:"psk_secret"`
		ConfirmedTranscriptHash hexBytes `json:"confirmed_transcript_hash"`
		GroupContext            hexBytes `json:"group_context"`
		JoinerSecret            hexBytes `json:"joiner_secret"`
		WelcomeSecret           hexBytes `json:"welcome_secret"`
		InitSecret              hexBytes `json:"init_secret"`
		SenderDataSecret        hexBytes `json:"sender_data_secret"`
		EncryptionSecret        hexBytes `json:"encryption_secret"`
		ExporterSecret          hexBytes `json:"exporter_secret"`
		EpochAuthenticator      hexBytes `json:"epoch_authenticator"`
		ExternalSecret          hexBytes `json:"external_secret"`
		ConfirmationKey         hexBytes `json:"confirmation_key"`
		MembershipKey           hexBytes `json:"membership_key"`
		ResumptionPSK           hexBytes `json:"resumption_psk"`
		ExternalPub             hexBytes `json:"external_pub"`
		Exporter                struct {
			Label   string   `json:"label"`
			Context hexBytes `json:"context"`
			Length  int      `json:"length"`
			Secret  hexBytes `json:"secret"`
		} `json:"exporter"`
	} `json:"epochs"`
}

func TestKeyScheduleVectors(t *testing.T) {
	t.Parallel()
	cases := readVectors[keyScheduleVector](t, "mls/key-schedule.json", 7)
	each(t, cases, func(v keyScheduleVector) suite.ID { return v.Suite }, func(t *testing.T, s suite.Suite, v keyScheduleVector) {
		initSecret := []byte(v.InitialInitSecret)
		for i, e := range v.Epochs {
			context := marshal(t, &message.GroupContext{
				Suite: v.Suite, GroupID: v.GroupID, Epoch: uint64(i),
				TreeHash: e.TreeHash, ConfirmedTranscriptHash: e.ConfirmedTranscriptHash,
			})
			equal(t, "group_context", context, e.GroupContext)
			joiner := JoinerSecret(s, initSecret, e.CommitSecret, context)
			equal(t, "joiner_secret", joiner, e.JoinerSecret)
			member := MemberSecret(s, joiner, e.PSKSecret)
			equal(t, "welcome_secret", WelcomeSecret(s, member), e.WelcomeSecret)
			epoch := NewEpoch(s, member, context)
			equal(t, "sender_data_secret", epoch.SenderData, e.SenderDataSecret)
			equal(t, "encryption_secret", epoch.Encryption, e.EncryptionSecret)
			equal(t, "exporter_secret", epoch.Exporter, e.ExporterSecret)
			equal(t, "external_secret", epoch.External, e.ExternalSecret)
			equal(t, "confirmation_key", epoch.Confirmation, e.ConfirmationKey)
			equal(t, "membership_key", epoch.Membership, e.MembershipKey)
			equal(t, "resumption_psk", epoch.Resumption, e.ResumptionPSK)
			equal(t, "epoch_authenticator", epoch.Authenticator, e.EpochAuthenticator)
			equal(t, "init_secret", epoch.Init, e.InitSecret)
			pair, err := ExternalKeyPair(s, epoch.External)
			noError(t, err)
			equal(t, "external_pub", pair.Public, e.ExternalPub)
			exported, err := Export(s, epoch.Exporter, e.Exporter.Label, e.Exporter.Context, e.Exporter.Length)
			noError(t, err)
			equal(t, "exporter.secret", exported, e.Exporter.Secret)
			initSecret = epoch.Init
		}
	})
}

type pskVector struct {
	Suite suite.ID `json:"cipher_suite"`
	PSKs  []struct {
		ID    hexBytes `json:"psk_id"`
		PSK   hexBytes `json:"psk"`
		Nonce hexBytes `json:"psk_nonce"`
	} `json:"psks"`
	Secret hexBytes `json:"psk_secret"`
}

func TestPSKSecretVectors(t *testing.T) {
	t.Parallel()
	cases := readVectors[pskVector](t, "mls/psk_secret.json", 77)
	each(t, cases, func(v pskVector) suite.ID { return v.Suite }, func(t *testing.T, s suite.Suite, v pskVector) {
		var psks []PSK
		for _, p := range v.PSKs {
			psks = append(psks, PSK{message.PreSharedKeyID{Type: message.PSKExternal, ID: p.ID, Nonce: p.Nonce}, p.PSK})
		}
		secret, err := PSKSecret(s, psks)
		noError(t, err)
		equal(t, "psk_secret", secret, v.Secret)
	})
}

type secretTreeVector struct {
	Suite      suite.ID `json:"cipher_suite"`
	SenderData struct {
		Secret     hexBytes `json:"sender_data_secret"`
		Ciphertext hexBytes `json:"ciphertext"`
		Key        hexBytes `json:"key"`
		Nonce      hexBytes `json:"nonce"`
	} `json:"sender_data"`
	EncryptionSecret hexBytes `json:"encryption_secret"`
	Leaves           [][]struct {
		Generation       uint32   `json:"generation"`
		HandshakeKey     hexBytes `json:"handshake_key"`
		HandshakeNonce   hexBytes `json:"handshake_nonce"`
		ApplicationKey   hexBytes `json:"application_key"`
		ApplicationNonce hexBytes `json:"application_nonce"`
	} `json:"leaves"`
}

// TestSecretTreeVectors asks for every key of the vectors: by Peek alone, by Peek
// and Consume, from the last leaf to the first, and after storing the state.
func TestSecretTreeVectors(t *testing.T) {
	t.Parallel()
	cases := readVectors[secretTreeVector](t, "mls/secret-tree.json", 21)
	each(t, cases, func(v secretTreeVector) suite.ID { return v.Suite }, func(t *testing.T, s suite.Suite, v secretTreeVector) {
		key, nonce := SenderDataKey(s, v.SenderData.Secret, v.SenderData.Ciphertext)
		equal(t, "sender_data_key", key, v.SenderData.Key)
		equal(t, "sender_data_nonce", nonce, v.SenderData.Nonce)

		peeked := NewSecretTree(s, v.EncryptionSecret, uint32(len(v.Leaves)), Limits{})
		consumed := NewSecretTree(s, v.EncryptionSecret, uint32(len(v.Leaves)), Limits{})
		for leaf := range v.Leaves {
			for _, g := range v.Leaves[leaf] {
				for _, tree := range []*SecretTree{peeked, consumed} {
					for r, want := range [][2]hexBytes{Handshake: {g.HandshakeKey, g.HandshakeNonce}, Application: {g.ApplicationKey, g.ApplicationNonce}} {
						k, err := tree.Peek(uint32(leaf), Ratchet(r), g.Generation)
						noError(t, err)
						equal(t, fmt.Sprintf("%v key of leaf %d, generation %d", Ratchet(r), leaf, g.Generation), k.Key, want[0])
						equal(t, fmt.Sprintf("%v nonce of leaf %d, generation %d", Ratchet(r), leaf, g.Generation), k.Nonce, want[1])
						if tree == consumed {
							tree.Consume(uint32(leaf), Ratchet(r), g.Generation)
						}
					}
				}
			}
		}
		sent := NewSecretTree(s, v.EncryptionSecret, uint32(len(v.Leaves)), Limits{})
		for leaf := len(v.Leaves) - 1; leaf >= 0; leaf-- {
			for _, g := range v.Leaves[leaf] {
				var k Key
				for k.Generation != g.Generation || k.Key == nil {
					var err error
					k, err = sent.Next(uint32(leaf), Application)
					noError(t, err)
				}
				equal(t, fmt.Sprintf("sending key of leaf %d, generation %d", leaf, g.Generation), k.Key, g.ApplicationKey)
			}
		}
	})
}

type transcriptVector struct {
	Suite           suite.ID `json:"cipher_suite"`
	ConfirmationKey hexBytes `json:"confirmation_key"`
	Content         hexBytes `json:"authenticated_content"`
	InterimBefore   hexBytes `json:"interim_transcript_hash_before"`
	ConfirmedAfter  hexBytes `json:"confirmed_transcript_hash_after"`
	InterimAfter    hexBytes `json:"interim_transcript_hash_after"`
}

func TestTranscriptHashVectors(t *testing.T) {
	t.Parallel()
	cases := readVectors[transcriptVector](t, "mls/transcript-hashes.json", 7)
	each(t, cases, func(v transcriptVector) suite.ID { return v.Suite }, func(t *testing.T, s suite.Suite, v transcriptVector) {
		var c message.AuthenticatedContent
		noError(t, wire.Unmarshal(v.Content, &c))
		if c.Content.Commit == nil {
			t.Fatalf("authenticated_content is of type %v, want a commit", c.Content.Type)
		}
		input, err := c.ConfirmedTranscriptHashInput()
		noError(t, err)
		confirmed := ConfirmedTranscriptHash(s, v.InterimBefore, input)
		equal(t, "confirmed_transcript_hash_after", confirmed, v.ConfirmedAfter)
		equal(t, "interim_transcript_hash_after", InterimTranscriptHash(s, confirmed, c.Auth.ConfirmationTag), v.InterimAfter)
		equal(t, "confirmation_tag", ConfirmationTag(s, v.ConfirmationKey, confirmed), c.Auth.ConfirmationTag)
		if !VerifyConfirmation(s, v.ConfirmationKey, confirmed, c.Auth.ConfirmationTag) {
			t.Error("the confirmation_tag does not verify")
		}
		if VerifyConfirmation(s, v.ConfirmationKey, v.InterimBefore, c.Auth.ConfirmationTag) {
			t.Error("the confirmation_tag verifies over another hash")
		}
	})
}

type protectionVector struct {
	Suite                   suite.ID `json:"cipher_suite"`
	GroupID                 hexBytes `json:"group_id"`
	Epoch                   uint64   `json:"epoch"`
	TreeHash                hexBytes `json:"tree_hash"`
	ConfirmedTranscriptHash hexBytes `json:"confirmed_transcript_hash"`
	SignaturePriv           hexBytes `json:"signature_priv"`
	SignaturePub            hexBytes `json:"signature_pub"`
	EncryptionSecret        hexBytes `json:"encryption_secret"`
	SenderDataSecret        hexBytes `json:"sender_data_secret"`
	MembershipKey           hexBytes `json:"membership_key"`
	Proposal                hexBytes `json:"proposal"`
	ProposalPub             hexBytes `json:"proposal_pub"`
	ProposalPriv            hexBytes `json:"proposal_priv"`
	Commit                  hexBytes `json:"commit"`
	CommitPub               hexBytes `json:"commit_pub"`
	CommitPriv              hexBytes `json:"commit_priv"`
	Application             hexBytes `json:"application"`
	ApplicationPriv         hexBytes `json:"application_priv"`
}

// content returns the raw value of a content.
func rawContent(t *testing.T, c *message.Content) []byte {
	t.Helper()
	switch c.Type {
	case message.ContentProposal:
		return marshal(t, c.Proposal)
	case message.ContentCommit:
		return marshal(t, c.Commit)
	}
	return c.Application
}

func TestMessageProtectionVectors(t *testing.T) {
	t.Parallel()
	cases := readVectors[protectionVector](t, "mls/message-protection.json", 7)
	each(t, cases, func(v protectionVector) suite.ID { return v.Suite }, func(t *testing.T, s suite.Suite, v protectionVector) {
		context := marshal(t, &message.GroupContext{
			Suite: v.Suite, GroupID: v.GroupID, Epoch: v.Epoch,
			TreeHash: v.TreeHash, ConfirmedTranscriptHash: v.ConfirmedTranscriptHash,
		})
		priv := suite.PrivateKey(v.SignaturePriv)
		if n := s.ID().Sizes().SignPrivate - len(priv); v.Suite == suite.P521AES256GCMSHA512P521 && n > 0 {
			priv = append(make([]byte, n), priv...) // the file leaves out a leading zero octet
		}

		public := func(what string, b, want []byte) {
			t.Helper()
			m, err := message.Parse(b, nil)
			noError(t, err)
			if m.Public == nil {
				t.Fatalf("%s is %v, want a PublicMessage", what, m.WireFormat())
			}
			if !m.Public.VerifyMembership(s, v.MembershipKey, context) {
				t.Errorf("%s: the membership tag is wrong", what)
			}
			if err := m.Public.Authenticated().Verify(s, v.SignaturePub, context); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			equal(t, what, rawContent(t, &m.Public.Content.Content), want)
		}
		private := func(what string, b, want []byte) {
			t.Helper()
			m, err := message.Parse(b, nil)
			noError(t, err)
			if m.Private == nil {
				t.Fatalf("%s is %v, want a PrivateMessage", what, m.WireFormat())
			}
			tree := NewSecretTree(s, v.EncryptionSecret, 2, Limits{})
			c, sd, err := Unprotect(s, tree, v.SenderDataSecret, m.Private, nil)
			noError(t, err)
			if sd.LeafIndex != 1 || c.Content.Sender != message.Member(1) {
				t.Errorf("%s is of leaf %d and sender %v, want 1", what, sd.LeafIndex, c.Content.Sender)
			}
			if err := c.Verify(s, v.SignaturePub, context); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			equal(t, what, rawContent(t, &c.Content.Content), want)
		}

		public("proposal_pub", v.ProposalPub, v.Proposal)
		private("proposal_priv", v.ProposalPriv, v.Proposal)
		public("commit_pub", v.CommitPub, v.Commit)
		private("commit_priv", v.CommitPriv, v.Commit)
		private("application_priv", v.ApplicationPriv, v.Application)

		var proposal message.Proposal
		noError(t, wire.Unmarshal(v.Proposal, &proposal))
		var commit message.Commit
		noError(t, wire.Unmarshal(v.Commit, &commit))
		for _, content := range []message.Content{
			{Type: message.ContentProposal, Proposal: &proposal},
			{Type: message.ContentCommit, Commit: &commit},
			{Type: message.ContentApplication, Application: v.Application},
		} {
			sign := func(f message.WireFormat) *message.AuthenticatedContent {
				c := &message.AuthenticatedContent{WireFormat: f, Content: message.FramedContent{
					GroupID: v.GroupID, Epoch: v.Epoch, Sender: message.Member(1),
					AuthenticatedData: []byte("authenticated"), Content: content,
				}}
				noError(t, c.Sign(s, priv, context))
				if content.Type == message.ContentCommit {
					c.Auth.ConfirmationTag = make([]byte, s.ID().Sizes().Hash)
				}
				return c
			}
			tree := NewSecretTree(s, v.EncryptionSecret, 2, Limits{})
			p, err := Protect(s, tree, v.SenderDataSecret, sign(message.WirePrivateMessage), 17)
			noError(t, err)
			private("what Protect made of "+content.Type.String(), marshal(t, &message.Message{Private: p}), rawContent(t, &content))

			pub, err := sign(message.WirePublicMessage).Public(s, v.MembershipKey, context)
			if content.Type == message.ContentApplication {
				if !errors.Is(err, message.ErrPublicApplication) {
					t.Errorf("application data became the PublicMessage %v, error %v, want %v", pub, err, message.ErrPublicApplication)
				}
				continue
			}
			noError(t, err)
			public("what Public made of "+content.Type.String(), marshal(t, &message.Message{Public: pub}), rawContent(t, &content))
		}
	})
}

type welcomeVector struct {
	Suite      suite.ID `json:"cipher_suite"`
	InitPriv   hexBytes `json:"init_priv"`
	SignerPub  hexBytes `json:"signer_pub"`
	KeyPackage hexBytes `json:"key_package"`
	Welcome    hexBytes `json:"welcome"`
}

func TestWelcomeVectors(t *testing.T) {
	t.Parallel()
	cases := readVectors[welcomeVector](t, "mls/welcome.json", 7)
	each(t, cases, func(v welcomeVector) suite.ID { return v.Suite }, func(t *testing.T, s suite.Suite, v welcomeVector) {
		kp, err := message.Parse(v.KeyPackage, nil)
		noError(t, err)
		ref, err := kp.KeyPackage.Ref(s)
		noError(t, err)
		m, err := message.Parse(v.Welcome, nil)
		noError(t, err)
		var secrets message.GroupSecrets
		for _, e := range m.Welcome.Secrets {
			if bytes.Equal(e.NewMember, ref) {
				b, err := labeled.Decrypt(s, suite.PrivateKey(v.InitPriv), "Welcome", m.Welcome.EncryptedGroupInfo, e.Secrets.KEMOutput, e.Secrets.Ciphertext)
				noError(t, err)
				noError(t, wire.Unmarshal(b, &secrets))
			}
		}
		none, err := PSKSecret(s, nil)
		noError(t, err)
		member := MemberSecret(s, secrets.JoinerSecret, none)
		key, nonce := WelcomeKey(s, member)
		b, err := open(s, key, nonce, m.Welcome.EncryptedGroupInfo, nil)
		noError(t, err)
		var info message.GroupInfo
		noError(t, wire.Unmarshal(b, &info))
		if err := info.Verify(s, v.SignerPub); err != nil {
			t.Error(err)
		}
		epoch := NewEpoch(s, member, marshal(t, &info.Context))
		equal(t, "confirmation_tag", ConfirmationTag(s, epoch.Confirmation, info.Context.ConfirmedTranscriptHash), info.ConfirmationTag)
	})
}
