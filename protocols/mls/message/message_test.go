package message

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// TestRefusals: what is well-formed to the byte but has a value that does not
// exist, and the word by which the error names it.
func TestRefusals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		v    value
		in   string
		want string
	}{
		{"version 2", new(Message), "\x00\x02\x00\x02" + samplePrivate, "protocol version 2"},
		{"wire format 0", new(Message), "\x00\x01\x00\x00", "wire_format"},
		{"wire format 6", new(Message), "\x00\x01\x00\x06", "wire_format"},
		{"content of a Welcome", new(AuthenticatedContent), "\x00\x03" + sampleFramed + "\x01s\x01t", "wire_format of content"},
		{"sender 0", new(Sender), "\x00", "sender_type"},
		{"sender 5", new(Sender), "\x05", "sender_type"},
		{"content type 0", new(PrivateMessage), strings.Replace(samplePrivate, "\x01\x01\x01a", "\x01\x00\x01a", 1), "content_type"},
		{"content type 4", new(PrivateMessage), strings.Replace(samplePrivate, "\x01\x01\x01a", "\x01\x04\x01a", 1), "content_type"},
		{"context of version 0", new(GroupContext), "\x00\x00" + sampleContext[2:], "protocol version 0"},
		{"proposal 0", new(Proposal), "\x00\x00\x00", "proposal_type"},
		{"ProposalOrRef 0", new(Commit), "\x01\x00\x00", "ProposalOrRefType"},
		{"ProposalOrRef 3", new(Commit), "\x01\x03\x00", "ProposalOrRefType"},
		{"psk 0", new(PreSharedKeyID), "\x00\x00", "psktype"},
		{"psk 4", new(PreSharedKeyID), "\x04\x00\x00", "psktype"},
		{"resumption 0", new(PreSharedKeyID), "\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "resumption"},
		{"resumption 4", new(PreSharedKeyID), "\x02\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "resumption"},
		{"leaf source 0", new(LeafNode), "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00", "leaf_node_source"},
		{"leaf source 4", new(LeafNode), "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04\x00\x00", "leaf_node_source"},
		{"app data operation 3", new(AppDataUpdate), "\x00\x01\x03", "app data update operation"},
		{"unmerged leaves descend", new(ParentNode), "\x00\x00\x08\x00\x00\x00\x02\x00\x00\x00\x01", "ascending"},
		{"unmerged leaf twice", new(ParentNode), "\x00\x00\x08\x00\x00\x00\x02\x00\x00\x00\x02", "ascending"},
		{"half a ciphertext", new(UpdatePathNode), "\x00\x01\x00", "ends early"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := wire.Unmarshal([]byte(tt.in), tt.v)
			var at *wire.Error
			if !errors.As(err, &at) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("reading %q = %v, want a wire.Error with %q", tt.in, err, tt.want)
			}
		})
	}
}

// TestEmpty: values that stand for nothing are not written.
func TestEmpty(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]value{"Message": new(Message), "Proposal": &Proposal{Type: ProposalAdd}} {
		if b, err := wire.Marshal(v); err == nil {
			t.Errorf("an empty %s was written as %x", name, b)
		}
	}
}

// TestPathSecretPresence: an empty path secret is not an absent one.
func TestPathSecretPresence(t *testing.T) {
	t.Parallel()
	for in, present := range map[string]bool{"\x00\x00\x00": false, "\x00\x01\x00\x00": true} {
		var g GroupSecrets
		if err := wire.Unmarshal([]byte(in), &g); err != nil || (g.PathSecret != nil) != present {
			t.Errorf("reading %q: path secret %v, %v, want present: %t", in, g.PathSecret, err, present)
		}
	}
}

func TestUpdatePathNode(t *testing.T) {
	t.Parallel()
	secrets := []HPKECiphertext{{[]byte("a"), []byte("b")}, {nil, []byte("c")}, {[]byte("d"), nil}}
	n, err := NewUpdatePathNode([]byte("key"), secrets)
	if err != nil {
		t.Fatal(err)
	}
	b, err := wire.Marshal(&n)
	if err != nil {
		t.Fatal(err)
	}
	var read UpdatePathNode
	if err := wire.Unmarshal(b, &read); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*UpdatePathNode{&n, &read} {
		if n.Len() != len(secrets) {
			t.Fatalf("Len() = %d, want %d", n.Len(), len(secrets))
		}
		for i, want := range secrets {
			if got := n.Secret(i); !bytes.Equal(got.KEMOutput, want.KEMOutput) || !bytes.Equal(got.Ciphertext, want.Ciphertext) {
				t.Errorf("Secret(%d) = %q, want %q", i, got, want)
			}
		}
	}
}

// TestExtensions: With and Without return new lists.
func TestExtensions(t *testing.T) {
	t.Parallel()
	e := Extensions{{1, []byte("a")}, {2, []byte("b")}}
	with := e.With(2, []byte("c")).With(3, []byte("d"))
	without := e.Without(1)
	for _, tt := range []struct {
		name string
		e    Extensions
		want string
	}{
		{"before", e, "\x08\x00\x01\x01a\x00\x02\x01b"},
		{"With", with, "\x0c\x00\x01\x01a\x00\x02\x01c\x00\x03\x01d"},
		{"Without", without, "\x04\x00\x02\x01b"},
	} {
		if b, err := wire.Marshal(tt.e); err != nil || string(b) != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.name, b, err, tt.want)
		}
	}
	if _, ok := without.Find(1); ok || !with.Has(3) || without.Has(3) {
		t.Error("Find and Has disagree with the lists")
	}
}

// TestGREASE: the sixteen, less one, values of RFC 9420, Section 13.5.
func TestGREASE(t *testing.T) {
	t.Parallel()
	want := map[uint16]bool{}
	for i := range uint16(15) {
		want[i<<12|0x0a00|i<<4|0x0a] = true
	}
	for v := range 1 << 16 {
		if got := IsGREASE(uint16(v)); got != want[uint16(v)] {
			t.Errorf("IsGREASE(%#04x) = %t", v, got)
		}
	}
}

// TestNames: codes print as the specification calls them, unknown ones as numbers.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code fmt.Stringer
		want string
	}{
		{MLS10, "mls10"},
		{WireWelcome, "mls_welcome"},
		{ContentCommit, "commit"},
		{SenderNewMemberCommit, "new_member_commit"},
		{CredentialX509, "x509"},
		{ExtensionExternalPub, "external_pub"},
		{ProposalGroupContextExtensions, "group_context_extensions"},
		{SourceUpdate, "update"},
		{PSKApplication, "application"},
		{ResumptionBranch, "branch"},
		{ProtocolVersion(0xffff), "0xffff"},
		{WireFormat(0), "0x0000"},
		{ContentType(4), "0x0004"},
		{SenderType(0xff), "0x00ff"},
		{CredentialType(0x0a0a), "0x0a0a"},
		{ExtensionType(0xf000), "0xf000"},
		{ProposalType(0x1a1a), "0x1a1a"},
		{LeafNodeSource(0), "0x0000"},
		{PSKType(9), "0x0009"},
		{ResumptionPSKUsage(7), "0x0007"},
	} {
		if got := tt.code.String(); got != tt.want {
			t.Errorf("%T is %q, want %q", tt.code, got, tt.want)
		}
	}
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	l := Lifetime{10, 20}
	for at, want := range map[int64]bool{-1: false, 9: false, 10: true, 20: true, 21: false} {
		if got := l.Includes(time.Unix(at, 0)); got != want {
			t.Errorf("%v includes second %d: %t, want %t", l, at, got, want)
		}
	}
}

// TestSignatures: each signed struct verifies as it is, and neither changed nor
// under another key nor, where there is one, in another context.
func TestSignatures(t *testing.T) {
	t.Parallel()
	s, err := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, [32]byte{}, "message")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := s.GenerateSigner()
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.GenerateSigner()
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string, err error, wants ...error) {
		t.Helper()
		want := error(nil)
		if len(wants) > 0 {
			want = wants[0]
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}

	var leaf LeafNode
	check("reading", wire.Unmarshal([]byte(sampleLeaf), &leaf))
	leaf.SignatureKey = pair.Public
	check("leaf: Sign", leaf.Sign(s, pair.Private, []byte("group"), 3))
	check("leaf: Verify", leaf.Verify(s, []byte("group"), 3))
	check("leaf: another group", leaf.Verify(s, []byte("other"), 3), suite.ErrVerify)
	check("leaf: another place", leaf.Verify(s, []byte("group"), 4), suite.ErrVerify)

	var kp KeyPackage
	check("reading", wire.Unmarshal([]byte(sampleKeyPackage), &kp))
	kp.LeafNode.SignatureKey = pair.Public
	check("leaf of a key package: Sign", kp.LeafNode.Sign(s, pair.Private, nil, 0))
	check("leaf of a key package: any group", kp.LeafNode.Verify(s, []byte("group"), 3))
	check("key package: Sign", kp.Sign(s, pair.Private))
	check("key package: Verify", kp.Verify(s))
	ref, err := kp.Ref(s)
	check("key package: Ref", err)
	kp.InitKey = []byte("changed")
	check("key package: changed", kp.Verify(s), suite.ErrVerify)
	if changed, err := kp.Ref(s); err != nil || bytes.Equal(ref, changed) {
		t.Errorf("another key package has the reference %x too, %v", changed, err)
	}

	var info GroupInfo
	check("reading", wire.Unmarshal([]byte(sampleContext+sampleExtensions+"\x01t\x00\x00\x00\x02\x01s"), &info))
	check("group info: Sign", info.Sign(s, pair.Private))
	check("group info: Verify", info.Verify(s, pair.Public))
	check("group info: another key", info.Verify(s, other.Public), suite.ErrVerify)
	info.Signer++
	check("group info: changed", info.Verify(s, pair.Public), suite.ErrVerify)

	for sender, contextCounts := range map[SenderType]bool{
		SenderMember: true, SenderNewMemberCommit: true, SenderExternal: false, SenderNewMemberProposal: false,
	} {
		c := AuthenticatedContent{WireFormat: WirePublicMessage, Content: FramedContent{
			GroupID: []byte("g"), Sender: Sender{Type: sender},
			Content: Content{Type: ContentProposal, Proposal: &Proposal{ProposalRemove, &Remove{1}}},
		}}
		check("content: Sign", c.Sign(s, pair.Private, []byte("context")))
		check("content: Verify", c.Verify(s, pair.Public, []byte("context")))
		if contextCounts {
			check("content: another context", c.Verify(s, pair.Public, []byte("other")), suite.ErrVerify)
		} else {
			check("content: another context", c.Verify(s, pair.Public, []byte("other")))
		}
		c.WireFormat = WirePrivateMessage
		check("content: another wire format", c.Verify(s, pair.Public, []byte("context")), suite.ErrVerify)
	}
}

// TestMembershipTag: a member's tag is right under its key, its context and its
// content alone; others have none.
func TestMembershipTag(t *testing.T) {
	t.Parallel()
	s, err := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, [32]byte{}, "tag")
	if err != nil {
		t.Fatal(err)
	}
	c := AuthenticatedContent{WireFormat: WirePublicMessage, Content: FramedContent{
		GroupID: []byte("g"), Sender: Member(1),
		Content: Content{Type: ContentProposal, Proposal: &Proposal{ProposalRemove, &Remove{1}}},
	}}
	p, err := c.Public(s, []byte("key"), []byte("context"))
	if err != nil {
		t.Fatal(err)
	}
	if !p.VerifyMembership(s, []byte("key"), []byte("context")) {
		t.Error("the tag is wrong")
	}
	if p.VerifyMembership(s, []byte("other"), []byte("context")) {
		t.Error("the tag is right under another key")
	}
	if p.VerifyMembership(s, []byte("key"), []byte("other")) {
		t.Error("the tag is right in another context")
	}
	p.Auth.Signature = []byte("changed")
	if p.VerifyMembership(s, []byte("key"), []byte("context")) {
		t.Error("the tag is right over another signature")
	}
	c.Content.Sender = Sender{Type: SenderExternal}
	if p, err = c.Public(s, []byte("key"), []byte("context")); err != nil || p.MembershipTag != nil {
		t.Errorf("an external sender's tag is %x, %v, want none", p.MembershipTag, err)
	}
}

// TestPadding (RFC 9420, Section 6.3.1): "A receiver MUST verify that there are no
// non-zero bytes in the padding field".
func TestPadding(t *testing.T) {
	t.Parallel()
	c := AuthenticatedContent{Content: FramedContent{Content: Content{Type: ContentApplication, Application: []byte("hi")}}}
	b, err := c.AppendPrivateContent(nil, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		var read AuthenticatedContent
		if i < 3 {
			b[len(b)-1-i] = 1
		}
		err := read.ReadPrivateContent(b, ContentApplication, nil)
		if want := i < 3; errors.Is(err, errPadding) != want || err != nil != want {
			t.Errorf("padding %x: %v, want an error: %t", b[len(b)-3:], err, want)
		}
		if i < 3 {
			b[len(b)-1-i] = 0
		}
	}
}
