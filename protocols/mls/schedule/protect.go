package schedule

import (
	"errors"
	"fmt"
	"io"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// ErrProtect: what was asked to be protected can't be a PrivateMessage.
var ErrProtect = errors.New("content can't be a PrivateMessage")

// SenderDataKey returns what the sender data beside a ciphertext is encrypted with
// (RFC 9420, Section 6.3.2). The secret is the epoch's sender_data_secret.
func SenderDataKey(s suite.Suite, senderDataSecret, ciphertext []byte) (key, nonce []byte) {
	size := s.ID().Sizes()
	sample := ciphertext[:min(len(ciphertext), size.Hash)]
	info := labeled.KDFLabel(make([]byte, 0, 32+maxHash), "key", sample, size.AEADKey)
	key = s.Expand(senderDataSecret, info, size.AEADKey)
	info = labeled.KDFLabel(info[:0], "nonce", sample, size.AEADNonce)
	return key, s.Expand(senderDataSecret, info, size.AEADNonce)
}

// Protect encrypts content that its sender, a member, has signed as a
// PrivateMessage (RFC 9420, Section 6.3), followed by so many bytes of padding. It
// consumes the sender's next key. senderData is the epoch's sender_data_secret.
func Protect(s suite.Suite, t *SecretTree, senderData []byte, c *message.AuthenticatedContent, padding int) (*message.PrivateMessage, error) {
	size := s.ID().Sizes()
	switch {
	case c.Content.Sender.Type != message.SenderMember:
		return nil, fmt.Errorf("schedule: %w: its sender is %v, want a member", ErrProtect, c.Content.Sender.Type)
	case c.WireFormat != message.WirePrivateMessage:
		return nil, fmt.Errorf("schedule: %w: it was signed as %v", ErrProtect, c.WireFormat)
	case padding < 0 || padding > wire.MaxLength:
		return nil, fmt.Errorf("schedule: %w: padding of %d bytes, want 0 to %d", ErrProtect, padding, wire.MaxLength)
	}
	p := &message.PrivateMessage{
		GroupID:           c.Content.GroupID,
		Epoch:             c.Content.Epoch,
		ContentType:       c.Content.Type,
		AuthenticatedData: c.Content.AuthenticatedData,
	}
	aad, err := p.ContentAAD(nil)
	if err != nil {
		return nil, fmt.Errorf("schedule: %w: %w", ErrProtect, err)
	}
	room := len(c.Content.Application) + len(c.Auth.Signature) + len(c.Auth.ConfirmationTag) + 12 + padding + size.AEADTag
	content, err := c.AppendPrivateContent(make([]byte, 0, room), padding)
	if err != nil {
		return nil, fmt.Errorf("schedule: %w: %w", ErrProtect, err)
	}
	if n := len(content) + size.AEADTag; n > wire.MaxLength {
		return nil, fmt.Errorf("schedule: %w: ciphertext of %d bytes, want at most %d", ErrProtect, n, wire.MaxLength)
	}
	sd := message.SenderData{LeafIndex: c.Content.Sender.Index}
	if _, err := io.ReadFull(s.Rand(), sd.ReuseGuard[:]); err != nil {
		return nil, fmt.Errorf("schedule: drawing a reuse guard: %w", err)
	}

	// From here on nothing fails but for want of a key.
	k, err := t.Next(sd.LeafIndex, RatchetFor(p.ContentType))
	if err != nil {
		return nil, err
	}
	defer k.Wipe()
	sd.Generation = k.Generation
	guard(k.Nonce, sd.ReuseGuard)
	if p.Ciphertext, err = seal(s, k.Key, k.Nonce, content, aad); err != nil {
		return nil, err
	}
	if aad, err = p.SenderDataAAD(aad[:0]); err != nil {
		return nil, err
	}
	plain, err := wire.Append(make([]byte, 0, message.SenderDataSize+size.AEADTag), &sd)
	if err != nil {
		return nil, err
	}
	key, nonce := SenderDataKey(s, senderData, p.Ciphertext)
	p.EncryptedSenderData, err = seal(s, key, nonce, plain, aad)
	return p, err
}

// Unprotect decrypts a PrivateMessage (RFC 9420, Section 6.3). Nothing is consumed:
// the caller verifies the signature and then calls [SecretTree.Consume] with
// LeafIndex and Generation of the SenderData and the ratchet of the content's type.
// It must also see to it that the leaf is not blank (Section 6.3.2); who wants to
// know that first calls [OpenSenderData] and [OpenContent]. Errors wrap
// [suite.ErrOpen], those of [SecretTree.Peek] or those of package wire. points nil
// means [message.DefaultCodePoints]. Slices of the result are parts of p or its own.
func Unprotect(s suite.Suite, t *SecretTree, senderData []byte, p *message.PrivateMessage, points *message.CodePoints) (*message.AuthenticatedContent, message.SenderData, error) {
	sd, err := OpenSenderData(s, senderData, p)
	if err != nil {
		return nil, sd, err
	}
	c, err := OpenContent(s, t, sd, p, points)
	return c, sd, err
}

// OpenSenderData is the first half of [Unprotect]: it says who sent the message.
func OpenSenderData(s suite.Suite, senderData []byte, p *message.PrivateMessage) (sd message.SenderData, err error) {
	aad, err := p.SenderDataAAD(nil)
	if err != nil {
		return sd, fmt.Errorf("schedule: sender data: %w", err)
	}
	key, nonce := SenderDataKey(s, senderData, p.Ciphertext)
	b, err := open(s, key, nonce, p.EncryptedSenderData, aad)
	if err != nil {
		return sd, fmt.Errorf("schedule: sender data: %w", err)
	}
	if err := wire.Unmarshal(b, &sd); err != nil {
		return message.SenderData{}, fmt.Errorf("schedule: sender data: %w", err)
	}
	return sd, nil
}

// OpenContent is the second half of [Unprotect]: it says what the sender sent.
func OpenContent(s suite.Suite, t *SecretTree, sd message.SenderData, p *message.PrivateMessage, points *message.CodePoints) (*message.AuthenticatedContent, error) {
	aad, err := p.ContentAAD(nil)
	if err != nil {
		return nil, fmt.Errorf("schedule: content: %w", err)
	}
	k, err := t.Peek(sd.LeafIndex, RatchetFor(p.ContentType), sd.Generation)
	if err != nil {
		return nil, err
	}
	defer k.Wipe()
	guard(k.Nonce, sd.ReuseGuard)
	b, err := open(s, k.Key, k.Nonce, p.Ciphertext, aad)
	if err != nil {
		return nil, fmt.Errorf("schedule: content of leaf %d, generation %d: %w", sd.LeafIndex, sd.Generation, err)
	}
	c := &message.AuthenticatedContent{WireFormat: message.WirePrivateMessage}
	if err := c.ReadPrivateContent(b, p.ContentType, points); err != nil {
		return nil, fmt.Errorf("schedule: content of leaf %d, generation %d: %w", sd.LeafIndex, sd.Generation, err)
	}
	c.Content.GroupID = p.GroupID
	c.Content.Epoch = p.Epoch
	c.Content.Sender = message.Member(sd.LeafIndex)
	c.Content.AuthenticatedData = p.AuthenticatedData
	return c, nil
}

// guard adds the reuse guard to a nonce (RFC 9420, Section 6.3.1).
func guard(nonce []byte, reuse [4]byte) {
	for i, b := range reuse {
		nonce[i] ^= b
	}
}

// seal encrypts plain where it stands.
func seal(s suite.Suite, key, nonce, plain, aad []byte) ([]byte, error) {
	a, err := s.AEAD(key)
	if err != nil {
		return nil, fmt.Errorf("schedule: sealing: %w", err)
	}
	return a.Seal(plain[:0], nonce, plain, aad), nil
}

// open decrypts to a new slice.
func open(s suite.Suite, key, nonce, ciphertext, aad []byte) ([]byte, error) {
	a, err := s.AEAD(key)
	if err != nil {
		return nil, err
	}
	b, err := a.Open(nil, nonce, ciphertext, aad)
	if err != nil {
		return nil, suite.ErrOpen
	}
	return b, nil
}
