package schedule

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// chat returns application data of the member at a leaf, as if signed.
func chat(leaf uint32, text string) *message.AuthenticatedContent {
	return &message.AuthenticatedContent{
		WireFormat: message.WirePrivateMessage,
		Content: message.FramedContent{
			GroupID: []byte("group"), Epoch: 7, Sender: message.Member(leaf), AuthenticatedData: []byte("aad"),
			Content: message.Content{Type: message.ContentApplication, Application: []byte(text)},
		},
		Auth: message.FramedContentAuthData{Signature: []byte("signature")},
	}
}

// trees returns the same tree twice and a sender_data_secret.
func trees(s suite.Suite, lim Limits) (sender, receiver *SecretTree, senderData []byte) {
	return NewSecretTree(s, testRoot(s), 4, lim), NewSecretTree(s, testRoot(s), 4, lim), s.Hash(nil, []byte("sender data"))
}

// TestProtect: messages of both ratchets, in any order, each once.
func TestProtect(t *testing.T) {
	t.Parallel()
	for _, id := range suite.IDs() {
		t.Run(id.String(), func(t *testing.T) {
			t.Parallel()
			s := seeded(t, id)
			ours, theirs, senderData := trees(s, Limits{})
			var sent []*message.PrivateMessage
			for i := range 6 {
				c := chat(2, string(rune('a'+i)))
				if i%3 == 2 {
					c.Content.Content = message.Content{Type: message.ContentProposal, Proposal: &message.Proposal{Type: message.ProposalRemove, Body: &message.Remove{Removed: uint32(i)}}}
				}
				p, err := Protect(s, ours, senderData, c, i*10)
				noError(t, err)
				sent = append(sent, p)
			}
			for _, i := range []int{3, 0, 5, 4, 2, 1} {
				c, sd, err := Unprotect(s, theirs, senderData, sent[i], nil)
				noError(t, err)
				want := chat(2, string(rune('a'+i)))
				generation := []uint32{0, 1, 0, 2, 3, 1}[i]
				if i%3 == 2 {
					want.Content.Content = message.Content{Type: message.ContentProposal, Proposal: &message.Proposal{Type: message.ProposalRemove, Body: &message.Remove{Removed: uint32(i)}}}
				}
				equal(t, "content", marshal(t, c), marshal(t, want))
				if sd.LeafIndex != 2 || sd.Generation != generation {
					t.Errorf("message %d is of leaf %d, generation %d, want 2, %d", i, sd.LeafIndex, sd.Generation, generation)
				}
				theirs.Consume(sd.LeafIndex, RatchetFor(sent[i].ContentType), sd.Generation)
				if _, _, err := Unprotect(s, theirs, senderData, sent[i], nil); !errors.Is(err, ErrConsumed) {
					t.Errorf("message %d again = %v, want %v", i, err, ErrConsumed)
				}
			}
		})
	}
}

// TestProtectRefuses: what is refused takes no key.
func TestProtectRefuses(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	ours, _, senderData := trees(s, Limits{})
	before := marshalState(t, ours)
	for _, tt := range []struct {
		name    string
		padding int
		change  func(*message.AuthenticatedContent)
		want    error
	}{
		{"external sender", 0, func(c *message.AuthenticatedContent) { c.Content.Sender.Type = message.SenderExternal }, ErrProtect},
		{"new member", 0, func(c *message.AuthenticatedContent) { c.Content.Sender.Type = message.SenderNewMemberCommit }, ErrProtect},
		{"signed as public", 0, func(c *message.AuthenticatedContent) { c.WireFormat = message.WirePublicMessage }, ErrProtect},
		{"negative padding", -1, func(*message.AuthenticatedContent) {}, ErrProtect},
		{"too much padding", wire.MaxLength + 1, func(*message.AuthenticatedContent) {}, ErrProtect},
		{"no such leaf", 0, func(c *message.AuthenticatedContent) { c.Content.Sender.Index = 4 }, ErrNoLeaf},
		{"proposal without body", 0, func(c *message.AuthenticatedContent) {
			c.Content.Content = message.Content{Type: message.ContentProposal, Proposal: &message.Proposal{}}
		}, ErrProtect},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := chat(1, "text")
			tt.change(c)
			if p, err := Protect(s, ours, senderData, c, tt.padding); !errors.Is(err, tt.want) || p != nil {
				t.Errorf("Protect = %v, %v, want %v", p, err, tt.want)
			}
			equal(t, "state", marshalState(t, ours), before)
		})
	}
}

func marshalState(t testing.TB, tree *SecretTree) []byte {
	t.Helper()
	b, err := tree.Marshal()
	noError(t, err)
	return b
}

// TestUnprotectForgery: a message changed anywhere does not open and changes
// nothing, and the genuine one opens after it.
func TestUnprotectForgery(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	ours, theirs, senderData := trees(s, Limits{})
	genuine, err := Protect(s, ours, senderData, chat(3, "text"), 0)
	noError(t, err)
	before := marshalState(t, theirs)
	for _, tt := range []struct {
		name   string
		change func(*message.PrivateMessage)
	}{
		{"group", func(p *message.PrivateMessage) { p.GroupID = []byte("other") }},
		{"epoch", func(p *message.PrivateMessage) { p.Epoch++ }},
		{"content type", func(p *message.PrivateMessage) { p.ContentType = message.ContentProposal }},
		{"authenticated data", func(p *message.PrivateMessage) { p.AuthenticatedData = nil }},
		{"sender data", func(p *message.PrivateMessage) { p.EncryptedSenderData[0] ^= 1 }},
		{"no sender data", func(p *message.PrivateMessage) { p.EncryptedSenderData = nil }},
		{"sample of the ciphertext", func(p *message.PrivateMessage) { p.Ciphertext[0] ^= 1 }},
		{"end of the ciphertext", func(p *message.PrivateMessage) { p.Ciphertext[len(p.Ciphertext)-1] ^= 1 }},
		{"cut", func(p *message.PrivateMessage) { p.Ciphertext = p.Ciphertext[:len(p.Ciphertext)-1] }},
		{"shorter than a tag", func(p *message.PrivateMessage) { p.Ciphertext = p.Ciphertext[:3] }},
		{"empty", func(p *message.PrivateMessage) { p.Ciphertext = nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			forged := *genuine
			forged.Ciphertext = bytes.Clone(genuine.Ciphertext)
			forged.EncryptedSenderData = bytes.Clone(genuine.EncryptedSenderData)
			tt.change(&forged)
			if c, _, err := Unprotect(s, theirs, senderData, &forged, nil); !errors.Is(err, suite.ErrOpen) || c != nil {
				t.Errorf("Unprotect = %v, %v, want %v", c, err, suite.ErrOpen)
			}
			equal(t, "state", marshalState(t, theirs), before)
		})
	}
	if _, _, err := Unprotect(s, theirs, senderData, genuine, nil); err != nil {
		t.Errorf("the genuine message: %v", err)
	}
	if _, _, err := Unprotect(s, theirs, make([]byte, 32), genuine, nil); !errors.Is(err, suite.ErrOpen) {
		t.Errorf("under another sender_data_secret: %v, want %v", err, suite.ErrOpen)
	}
	equal(t, "state", marshalState(t, theirs), before)
}

// craft makes a PrivateMessage of any plaintexts, as a malicious member may.
func craft(t testing.TB, s suite.Suite, tree *SecretTree, senderData []byte, sd []byte, leaf uint32, content []byte) *message.PrivateMessage {
	t.Helper()
	p := &message.PrivateMessage{GroupID: []byte("group"), Epoch: 7, ContentType: message.ContentApplication}
	k, err := tree.Peek(leaf, Application, 0)
	noError(t, err)
	aad, err := p.ContentAAD(nil)
	noError(t, err)
	p.Ciphertext, err = seal(s, k.Key, k.Nonce, bytes.Clone(content), aad)
	noError(t, err)
	key, nonce := SenderDataKey(s, senderData, p.Ciphertext)
	aad, err = p.SenderDataAAD(nil)
	noError(t, err)
	p.EncryptedSenderData, err = seal(s, key, nonce, bytes.Clone(sd), aad)
	noError(t, err)
	return p
}

// TestUnprotectMalicious: what a member can encrypt and a message can't be.
func TestUnprotectMalicious(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	ours, theirs, senderData := trees(s, Limits{})
	content := []byte("\x02hi\x01s")
	sd := func(leaf, generation byte) []byte {
		return []byte{0, 0, 0, leaf, 0, 0, 0, generation, 0, 0, 0, 0}
	}
	for _, tt := range []struct {
		name    string
		sd      []byte
		content []byte
		want    error
	}{
		{"nothing wrong", sd(1, 0), content, nil},
		{"zero padding", sd(1, 0), append(bytes.Clone(content), 0, 0), nil},
		{"other padding", sd(1, 0), append(bytes.Clone(content), 0, 1), errAny},
		{"content cut off", sd(1, 0), content[:2], wire.ErrTruncated},
		{"no content", sd(1, 0), nil, wire.ErrTruncated},
		{"leaf out of range", sd(4, 0), content, ErrNoLeaf},
		{"another's leaf", sd(2, 0), content, suite.ErrOpen},
		{"another generation", sd(1, 1), content, suite.ErrOpen},
		{"generation far ahead", append([]byte{0, 0, 0, 1}, "\xff\xff\xff\xff\x00\x00\x00\x00"...), content, ErrTooFarAhead},
		{"sender data cut off", sd(1, 0)[:11], content, wire.ErrTruncated},
		{"sender data too long", append(sd(1, 0), 0), content, wire.ErrTrailing},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := marshalState(t, theirs)
			p := craft(t, s, ours, senderData, tt.sd, 1, tt.content)
			c, _, err := Unprotect(s, theirs, senderData, p, nil)
			if !errors.Is(err, tt.want) && !(tt.want == errAny && err != nil) || (c == nil) != (err != nil) {
				t.Errorf("Unprotect = %v, %v, want %v", c, err, tt.want)
			}
			equal(t, "state", marshalState(t, theirs), before)
		})
	}
}

// errAny stands for an error without a sentinel.
var errAny = errors.New("any error")

// TestReuseGuard (RFC 9420, Section 6.3.1): a sender that lost its state uses the
// same key again, and the guard makes another nonce of it.
func TestReuseGuard(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	ours, again, senderData := trees(s, Limits{})
	one, err := Protect(s, ours, senderData, chat(1, "text"), 0)
	noError(t, err)
	two, err := Protect(s, again, senderData, chat(1, "text"), 0)
	noError(t, err)
	a, err := OpenSenderData(s, senderData, one)
	noError(t, err)
	b, err := OpenSenderData(s, senderData, two)
	noError(t, err)
	if a.Generation != b.Generation || a.ReuseGuard == b.ReuseGuard || bytes.Equal(one.Ciphertext, two.Ciphertext) {
		t.Errorf("generations %d and %d with guards %x and %x, want two guards for one generation", a.Generation, b.Generation, a.ReuseGuard, b.ReuseGuard)
	}
	k, err := NewSecretTree(s, testRoot(s), 4, Limits{}).Peek(1, Application, 0)
	noError(t, err)
	for i := range 4 {
		k.Nonce[i] ^= a.ReuseGuard[i]
	}
	aad, err := one.ContentAAD(nil)
	noError(t, err)
	if _, err := open(s, k.Key, k.Nonce, one.Ciphertext, aad); err != nil {
		t.Errorf("the nonce is not that of the key schedule with the guard in its first four bytes: %v", err)
	}
}

// TestSenderDataSample (RFC 9420, Section 6.3.2): "If the length of the ciphertext
// is less than KDF.Nh, the whole ciphertext is used."
func TestSenderDataSample(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	secret, text := testRoot(s), bytes.Repeat([]byte("x"), 40)
	for n, sample := range map[int]int{0: 0, 1: 1, 31: 31, 32: 32, 33: 32, 40: 32} {
		key, nonce := SenderDataKey(s, secret, text[:n])
		equal(t, "key", key, labeled.Expand(s, secret, "key", text[:sample], 16))
		equal(t, "nonce", nonce, labeled.Expand(s, secret, "nonce", text[:sample], 12))
	}
}

// TestPaddingHides: messages of different lengths, padded, have one length.
func TestPaddingHides(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	ours, _, senderData := trees(s, Limits{})
	short, err := Protect(s, ours, senderData, chat(1, "yes"), 7)
	noError(t, err)
	long, err := Protect(s, ours, senderData, chat(1, "not today!"), 0)
	noError(t, err)
	if len(short.Ciphertext) != len(long.Ciphertext) {
		t.Errorf("ciphertexts of %d and %d bytes, want equal", len(short.Ciphertext), len(long.Ciphertext))
	}
}
