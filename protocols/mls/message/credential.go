package message

import "github.com/mimi-lab/mimi-lab/protocols/wire"

// Credential says who a member is (RFC 9420, Section 5.3).
//
//	struct {
//	    CredentialType credential_type;
//	    select (Credential.credential_type) {
//	        case basic: opaque identity<V>;
//	        case x509:  Certificate certificates<V>;
//	    };
//	} Credential;
//
// A credential of another type is read as one opaque<V> into Identity, as the
// first two can be: nothing delimits one of an unknown layout.
type Credential struct {
	Type     CredentialType
	Identity []byte        // of all types but x509
	Chain    []Certificate // of x509: the end entity's certificate first
}

// Certificate is one DER-encoded X.509 certificate:
//
//	struct { opaque cert_data<V>; } Certificate;
type Certificate []byte

// BasicCredential returns a basic credential.
func BasicCredential(identity []byte) Credential {
	return Credential{Type: CredentialBasic, Identity: identity}
}

func (c *Credential) UnmarshalTLS(r *wire.Reader) {
	c.Type = CredentialType(r.Uint16())
	if c.Type != CredentialX509 {
		c.Identity = r.Opaque()
		return
	}
	r.Vector(func() {
		c.Chain = wire.Extend(c.Chain)
		c.Chain[len(c.Chain)-1] = r.Opaque()
	})
}

func (c *Credential) MarshalTLS(w *wire.Writer) {
	w.Uint16(uint16(c.Type))
	if c.Type != CredentialX509 {
		w.Opaque(c.Identity)
		return
	}
	w.Vector(func() {
		for _, cert := range c.Chain {
			w.Opaque(cert)
		}
	})
}
