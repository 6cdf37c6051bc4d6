package mimi

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

func keyRequest(t testing.TB, s suite.Suite) *KeyMaterialRequest {
	t.Helper()
	k := signer(t, s)
	m := &KeyMaterialRequest{
		RequestingUser:         "mimi://a.example/u/alice",
		TargetUser:             bob,
		RoomID:                 room,
		AcceptableCiphersuites: []suite.ID{s.ID(), 2},
		RequesterSignatureKey:  k.Public,
		RequesterCredential:    message.BasicCredential([]byte("mimi://a.example/d/A1")),
	}
	if err := m.Sign(s, k.Private); err != nil {
		t.Fatal(err)
	}
	return m
}

// signContent is what SignWithLabel signs (RFC 9420, Section 5.1.2), written out.
func signContent(label string, tbs []byte) []byte {
	label = "MLS 1.0 " + label
	return []byte(vector(label) + vector(string(tbs)))
}

// TestKeyMaterialSignature: it is over the request without it, by the first of the
// suites, and over every byte.
func TestKeyMaterialSignature(t *testing.T) {
	t.Parallel()
	s := seeded(t, 1, "alice")
	m := keyRequest(t, s)
	if err := m.Verify(s); err != nil {
		t.Fatal(err)
	}
	b, err := wire.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	tbs := b[:len(b)-2-len(m.Signature)] // a length of two bytes
	if err := s.Verify(m.RequesterSignatureKey, signContent("KeyMaterialRequestTBS", tbs), m.Signature); err != nil {
		t.Errorf("the signature is not over the request without it: %v", err)
	}
	verified := 0
	for i := range tbs {
		c := bytes.Clone(b)
		c[i] ^= 1
		if got, err := ParseKeyMaterialRequest(c); err == nil && got.Verify(s) == nil {
			verified++
		}
	}
	if verified > 0 {
		t.Errorf("%d of %d changes of a byte verified", verified, len(tbs))
	}
}

// TestKeyMaterialSignatureSuite: the algorithm is that of the first suite.
func TestKeyMaterialSignatureSuite(t *testing.T) {
	t.Parallel()
	s := seeded(t, 2, "alice")
	m := keyRequest(t, s)
	if got := m.SignatureSuite(); got != 2 {
		t.Errorf("signature suite %s, want 2", got)
	}
	if err := m.Verify(seeded(t, 1, "hub")); err == nil || errors.Is(err, suite.ErrVerify) {
		t.Errorf("%v, want a complaint about the suite", err)
	}
	m.AcceptableCiphersuites = nil
	if m.SignatureSuite() != 0 || m.Verify(s) == nil || m.Sign(s, nil) == nil {
		t.Error("a request without suites was signed or verified")
	}
}

func infoRequest(t testing.TB, s suite.Suite, code string) (*GroupInfoRequest, suite.PrivateKey) {
	t.Helper()
	k := signer(t, s)
	h, err := s.GenerateKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	m := &GroupInfoRequest{
		CipherSuite:            s.ID(),
		RequestingSignatureKey: k.Public,
		RequestingCredential:   message.BasicCredential([]byte("mimi://c.example/d/C3")),
		GroupInfoPublicKey:     h.Public,
		JoiningCode:            []byte(code),
	}
	if err := m.Sign(s, k.Private); err != nil {
		t.Fatal(err)
	}
	return m, h.Private
}

// TestGroupInfoRequestSignature: what is signed has the joining code as an
// optional<V>, and no room (deviation 5).
func TestGroupInfoRequestSignature(t *testing.T) {
	t.Parallel()
	s := seeded(t, 1, "cathy")
	for code, tail := range map[string]string{"": "\x00", "code": "\x01\x04code"} {
		m, _ := infoRequest(t, s, code)
		if err := m.Verify(s); err != nil {
			t.Errorf("code %q: %v", code, err)
		}
		tbs := "\x01\x00\x01" + vector(string(m.RequestingSignatureKey)) + "\x00\x01" + vector("mimi://c.example/d/C3") +
			vector(string(m.GroupInfoPublicKey)) + tail
		if err := s.Verify(m.RequestingSignatureKey, signContent("GroupInfoRequestTBS", []byte(tbs)), m.Signature); err != nil {
			t.Errorf("code %q: the signature is not over %q: %v", code, tbs, err)
		}
		m.JoiningCode = []byte("guess")
		if err := m.Verify(s); !errors.Is(err, suite.ErrVerify) {
			t.Errorf("another joining code: %v, want it not to verify", err)
		}
		if m.Verify(seeded(t, 3, "x")) == nil {
			t.Error("it was verified with another suite")
		}
	}
}

func infoContent(t testing.TB) *GroupInfoRatchetTreeTBE {
	t.Helper()
	m, err := ParseGroupInfoRatchetTreeTBE([]byte(sampleGroupInfo+sampleTree+vector(sampleProposal+sampleTime)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestGroupInfoResponse: only the requester opens it, only for its room, and only as
// the hub signed it, under every suite.
func TestGroupInfoResponse(t *testing.T) {
	t.Parallel()
	for _, id := range suite.IDs() {
		s := seeded(t, id, "hub")
		request, private := infoRequest(t, s, "")
		hub := signer(t, s)
		sender := message.ExternalSender{SignatureKey: hub.Public, Credential: message.BasicCredential([]byte("mimi://hub.example"))}
		want := infoContent(t)
		m, err := NewGroupInfoResponse(s, request, room, want, sender, hub.Private)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		b, err := wire.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if m, err = ParseGroupInfoResponse(b); err != nil {
			t.Fatal(err)
		}
		got, err := m.Open(s, room, private, nil)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		x, _ := wire.Marshal(got)
		if y, _ := wire.Marshal(want); !bytes.Equal(x, y) {
			t.Errorf("%s: opened %x, want %x", id, x, y)
		}
		// What EncryptWithLabel encrypts to, and under which context (RFC 9420, Section 5.1.3).
		c := m.EncryptedGroupInfoAndTree
		info := signContent("GroupInfo and ratchet_tree encryption", []byte(room))
		if plain, err := s.OpenBase(c.KEMOutput, private, info, nil, c.Ciphertext); err != nil || !bytes.Equal(plain, x) {
			t.Errorf("%s: the room is not the context: %v", id, err)
		}
		// The signature is over what comes before it.
		tbs := b[:len(b)-len(m.Signature)-wire.LengthSize(len(m.Signature))]
		long := wire.NewWriter(nil)
		long.OpaqueString("MLS 1.0 GroupInfoResponseTBS")
		long.Opaque(tbs)
		signed, _ := long.Bytes()
		if err := s.Verify(hub.Public, signed, m.Signature); err != nil {
			t.Errorf("%s: the signature is not over the response without it: %v", id, err)
		}

		other, err := s.GenerateKeyPair()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Open(s, room, other.Private, nil); !errors.Is(err, suite.ErrOpen) {
			t.Errorf("%s: another's key: %v, want %v", id, err, suite.ErrOpen)
		}
		if _, err := m.Open(s, "mimi://hub.example/r/other", private, nil); err == nil {
			t.Errorf("%s: it was opened for another room", id)
		}
		m.HubSender.Credential = message.BasicCredential([]byte("mimi://b.example"))
		if _, err := m.Open(s, room, private, nil); !errors.Is(err, suite.ErrVerify) {
			t.Errorf("%s: another hub_sender: %v, want %v", id, err, suite.ErrVerify)
		}
		m.Status = GroupInfoNotAuthorized
		if _, err := m.Open(s, room, private, nil); err == nil {
			t.Errorf("%s: a refusal was opened", id)
		}
	}
}

// TestGroupInfoResponseSuite: the response is in the request's suite (deviation 23),
// and what is not success has no signature.
func TestGroupInfoResponseSuite(t *testing.T) {
	t.Parallel()
	s := seeded(t, 1, "hub")
	request, _ := infoRequest(t, s, "")
	if _, err := NewGroupInfoResponse(seeded(t, 3, "hub"), request, room, infoContent(t), message.ExternalSender{}, nil); err == nil {
		t.Error("answered in another suite")
	}
	m := &GroupInfoResponse{RoomID: room, Status: GroupInfoNoSuchRoom}
	if _, err := m.TBS(); err == nil {
		t.Error("noSuchRoom has something to sign")
	}
	request.GroupInfoPublicKey = []byte("no key")
	if _, err := NewGroupInfoResponse(s, request, room, infoContent(t), message.ExternalSender{}, nil); !errors.Is(err, suite.ErrKey) {
		t.Errorf("%v, want %v", err, suite.ErrKey)
	}
}

// TestPseudonym: a link opens and verifies for those with the room's key, and for no
// other pseudonym (deviation 17).
func TestPseudonym(t *testing.T) {
	t.Parallel()
	s := seeded(t, 1, "alice")
	real, pseudo := signer(t, s), signer(t, s)
	c := &PseudonymousCredential{
		ClientPseudonym:    "mimi://a.example/d/0b1c",
		UserPseudonym:      "mimi://a.example/p/77aa",
		SignaturePublicKey: pseudo.Public,
	}
	client := message.BasicCredential([]byte("mimi://a.example/d/A1"))
	link, err := c.Link(s, client, real.Private)
	if err != nil {
		t.Fatal(err)
	}
	tbs := vector(string(c.ClientPseudonym)) + vector(string(c.UserPseudonym)) + vector(string(pseudo.Public))
	if err := s.Verify(real.Public, signContent("PseudonymousCredentialTBS", []byte(tbs)), link.PseudonymousCredentialSignature); err != nil {
		t.Errorf("the signature is not over %q: %v", tbs, err)
	}
	key := LinkKey("sixteen bytes 00")
	if err := c.Seal(s, key, link); err != nil {
		t.Fatal(err)
	}
	got, err := c.OpenLink(s, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Verify(s, c, real.Public); err != nil || string(got.ClientCredential.Identity) != "mimi://a.example/d/A1" {
		t.Errorf("%v, a link to %q", err, got.ClientCredential.Identity)
	}
	if err := got.Verify(s, c, pseudo.Public); !errors.Is(err, suite.ErrVerify) {
		t.Errorf("verified under the pseudonym's key: %v", err)
	}
	if _, err := c.OpenLink(s, LinkKey("sixteen bytes 01")); !errors.Is(err, suite.ErrOpen) {
		t.Errorf("the hub's guess: %v, want %v", err, suite.ErrOpen)
	}
	if _, err := c.OpenLink(s, LinkKey("short")); !errors.Is(err, suite.ErrKey) {
		t.Errorf("a short key: %v, want %v", err, suite.ErrKey)
	}
	moved := *c
	moved.UserPseudonym = "mimi://a.example/p/other"
	if _, err := moved.OpenLink(s, key); !errors.Is(err, suite.ErrOpen) {
		t.Errorf("a link moved to another pseudonym: %v, want %v", err, suite.ErrOpen)
	}
	if err := got.Verify(s, &moved, real.Public); !errors.Is(err, suite.ErrVerify) {
		t.Errorf("a signature moved to another pseudonym: %v", err)
	}
	for n := range 13 {
		moved := *c
		moved.IdentityLinkCiphertext = c.IdentityLinkCiphertext[:n]
		if _, err := moved.OpenLink(s, key); !errors.Is(err, suite.ErrOpen) {
			t.Errorf("%d bytes of a ciphertext: %v, want %v", n, err, suite.ErrOpen)
		}
	}
}
