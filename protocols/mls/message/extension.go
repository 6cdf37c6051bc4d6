package message

import (
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Extension is one extension of a LeafNode, KeyPackage, GroupContext or GroupInfo
// (RFC 9420, Section 7.2):
//
//	struct {
//	    ExtensionType extension_type;
//	    opaque extension_data<V>;
//	} Extension;
type Extension struct {
	Type ExtensionType
	Data []byte
}

func (e *Extension) UnmarshalTLS(r *wire.Reader) {
	e.Type = ExtensionType(r.Uint16())
	e.Data = r.Opaque()
}

func (e *Extension) MarshalTLS(w *wire.Writer) {
	w.Uint16(uint16(e.Type))
	w.Opaque(e.Data)
}

// Extensions is a list of extensions: Extension extensions<V>.
type Extensions []Extension

func (e *Extensions) UnmarshalTLS(r *wire.Reader) { *e = wire.List[Extension](r) }
func (e Extensions) MarshalTLS(w *wire.Writer)    { wire.PutList(w, []Extension(e)) }

// Find returns the data of the first extension of a type.
func (e Extensions) Find(t ExtensionType) (data []byte, ok bool) {
	for _, x := range e {
		if x.Type == t {
			return x.Data, true
		}
	}
	return nil, false
}

// Has reports whether there is an extension of a type.
func (e Extensions) Has(t ExtensionType) bool {
	_, ok := e.Find(t)
	return ok
}

// With returns the list with the data of one extension set: replaced where it
// stands, or added at the end. The list itself is not changed.
func (e Extensions) With(t ExtensionType, data []byte) Extensions {
	out := slices.Clone(e)
	for i := range out {
		if out[i].Type == t {
			out[i].Data = data
			return out
		}
	}
	return append(out, Extension{t, data})
}

// Without returns the list without extensions of a type. The list itself is not
// changed.
func (e Extensions) Without(t ExtensionType) Extensions {
	return slices.DeleteFunc(slices.Clone(e), func(x Extension) bool { return x.Type == t })
}

// RequiredCapabilities is the data of a required_capabilities extension of the
// GroupContext (RFC 9420, Section 11.1):
//
//	struct {
//	    ExtensionType extension_types<V>;
//	    ProposalType proposal_types<V>;
//	    CredentialType credential_types<V>;
//	} RequiredCapabilities;
type RequiredCapabilities struct {
	Extensions  []ExtensionType
	Proposals   []ProposalType
	Credentials []CredentialType
}

func (c *RequiredCapabilities) UnmarshalTLS(r *wire.Reader) {
	c.Extensions = wire.Codes[ExtensionType](r)
	c.Proposals = wire.Codes[ProposalType](r)
	c.Credentials = wire.Codes[CredentialType](r)
}

func (c *RequiredCapabilities) MarshalTLS(w *wire.Writer) {
	wire.PutCodes(w, c.Extensions)
	wire.PutCodes(w, c.Proposals)
	wire.PutCodes(w, c.Credentials)
}

// ExternalSender is one who may send proposals without being a member (RFC 9420,
// Section 12.1.8.1):
//
//	struct {
//	    SignaturePublicKey signature_key;
//	    Credential credential;
//	} ExternalSender;
type ExternalSender struct {
	SignatureKey []byte
	Credential   Credential
}

func (e *ExternalSender) UnmarshalTLS(r *wire.Reader) {
	e.SignatureKey = r.Opaque()
	e.Credential.UnmarshalTLS(r)
}

func (e *ExternalSender) MarshalTLS(w *wire.Writer) {
	w.Opaque(e.SignatureKey)
	e.Credential.MarshalTLS(w)
}

// ExternalSenders is the data of an external_senders extension of the
// GroupContext: ExternalSender external_senders<V>.
type ExternalSenders []ExternalSender

func (e *ExternalSenders) UnmarshalTLS(r *wire.Reader) { *e = wire.List[ExternalSender](r) }
func (e ExternalSenders) MarshalTLS(w *wire.Writer)    { wire.PutList(w, []ExternalSender(e)) }

// ExternalPub is the data of an external_pub extension of a GroupInfo (RFC 9420,
// Section 12.4.3.2):
//
//	struct { HPKEPublicKey external_pub; } ExternalPub;
type ExternalPub struct{ PublicKey []byte }

func (e *ExternalPub) UnmarshalTLS(r *wire.Reader) { e.PublicKey = r.Opaque() }
func (e *ExternalPub) MarshalTLS(w *wire.Writer)   { w.Opaque(e.PublicKey) }

// ApplicationID is the data of an application_id extension of a LeafNode (RFC
// 9420, Section 5.3.3): opaque application_id<V>.
type ApplicationID []byte

func (a *ApplicationID) UnmarshalTLS(r *wire.Reader) { *a = r.Opaque() }
func (a ApplicationID) MarshalTLS(w *wire.Writer)    { w.Opaque(a) }
