package mimi

import (
	"fmt"
	"io"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// PseudonymousCredential is the credential of a client in a minimal metadata room
// (draft-ietf-mimi-protocol-06, Credential encryption):
//
//	struct {
//	    IdentifierUri client_pseudonym;
//	    IdentifierUri user_pseudonym;
//	    opaque signature_public_key;
//	    opaque identity_link_ciphertext<V>;
//	} PseudonymousCredential
//
// The key is read as opaque<V> (deviation 16).
type PseudonymousCredential struct {
	ClientPseudonym        IdentifierURI
	UserPseudonym          IdentifierURI
	SignaturePublicKey     []byte
	IdentityLinkCiphertext []byte
}

// ParsePseudonymousCredential reads a credential that stands alone.
func ParsePseudonymousCredential(b []byte) (*PseudonymousCredential, error) {
	m := new(PseudonymousCredential)
	if err := parse(b, "PseudonymousCredential", m.UnmarshalTLS); err != nil {
		return nil, err
	}
	return m, nil
}

func (c *PseudonymousCredential) UnmarshalTLS(r *wire.Reader) {
	c.ClientPseudonym.UnmarshalTLS(r)
	c.UserPseudonym.UnmarshalTLS(r)
	c.SignaturePublicKey = r.Opaque()
	c.IdentityLinkCiphertext = r.Opaque()
}

func (c *PseudonymousCredential) MarshalTLS(w *wire.Writer) {
	c.marshalUnsigned(w)
	w.Opaque(c.IdentityLinkCiphertext)
}

// marshalUnsigned writes PseudonymousCredentialTBS:
//
//	struct {
//	    IdentifierUri client_pseudonym;
//	    IdentifierUri user_pseudonym;
//	    opaque signature_public_key;
//	} PseudonymousCredentialTBS
func (c *PseudonymousCredential) marshalUnsigned(w *wire.Writer) {
	c.ClientPseudonym.MarshalTLS(w)
	c.UserPseudonym.MarshalTLS(w)
	w.Opaque(c.SignaturePublicKey)
}

// IdentityLinkTBE says whose pseudonym it is, to those who can decrypt it:
//
//	struct {
//	    // SignWithLabel(., "PseudonymousCredentialTBS", PseudonymousCredentialTBS)
//	    opaque pseudonymous_credential_signature<V>;
//	    Credential client_credential;
//	} IdentityLinkTBE
type IdentityLinkTBE struct {
	PseudonymousCredentialSignature []byte
	ClientCredential                message.Credential
}

func (l *IdentityLinkTBE) UnmarshalTLS(r *wire.Reader) {
	l.PseudonymousCredentialSignature = r.Opaque()
	l.ClientCredential.UnmarshalTLS(r)
}

func (l *IdentityLinkTBE) MarshalTLS(w *wire.Writer) {
	w.Opaque(l.PseudonymousCredentialSignature)
	l.ClientCredential.MarshalTLS(w)
}

// The draft does not say yet how the link is encrypted, nor under which key
// (deviation 17). Here it is the suite's AEAD under a key of the room that all
// participants hold and the hub does not, with a fresh nonce in front and
// PseudonymousCredentialTBS as the additional data, so that a link can't be moved to
// another pseudonym:
//
//	identity_link_ciphertext = nonce || AEAD.Seal(key, nonce, PseudonymousCredentialTBS, IdentityLinkTBE)

// LinkKey is the key of a room's identity links. It never prints itself.
type LinkKey []byte

// Format hides the key from every verb of package fmt.
func (LinkKey) Format(f fmt.State, _ rune) { io.WriteString(f, "mimi.LinkKey(hidden)") }

// Seal encrypts link under key into the credential's identity_link_ciphertext.
func (c *PseudonymousCredential) Seal(s suite.Suite, key LinkKey, link *IdentityLinkTBE) error {
	aead, err := s.AEAD(key)
	if err != nil {
		return fmt.Errorf("mimi: PseudonymousCredential: %w", err)
	}
	aad, err := c.TBS()
	if err != nil {
		return err
	}
	plaintext, err := wire.Marshal(link)
	if err != nil {
		return err
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := io.ReadFull(s.Rand(), nonce); err != nil {
		return fmt.Errorf("mimi: PseudonymousCredential: %w", err)
	}
	c.IdentityLinkCiphertext = aead.Seal(nonce, nonce, plaintext, aad)
	return nil
}

// OpenLink decrypts the credential's identity_link_ciphertext. The link is still to
// be verified, by [IdentityLinkTBE.Verify].
func (c *PseudonymousCredential) OpenLink(s suite.Suite, key LinkKey) (*IdentityLinkTBE, error) {
	aead, err := s.AEAD(key)
	if err != nil {
		return nil, fmt.Errorf("mimi: PseudonymousCredential: %w", err)
	}
	aad, err := c.TBS()
	if err != nil {
		return nil, err
	}
	b, n := c.IdentityLinkCiphertext, aead.NonceSize()
	if len(b) < n {
		return nil, fmt.Errorf("mimi: identity_link_ciphertext of %d bytes, want %d at least: %w", len(b), n, suite.ErrOpen)
	}
	plaintext, err := aead.Open(nil, b[:n], b[n:], aad)
	if err != nil {
		return nil, fmt.Errorf("mimi: identity_link_ciphertext: %w", suite.ErrOpen)
	}
	l := new(IdentityLinkTBE)
	if err := parse(plaintext, "IdentityLinkTBE", l.UnmarshalTLS); err != nil {
		return nil, err
	}
	return l, nil
}
