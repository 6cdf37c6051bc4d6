package mimi

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
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
