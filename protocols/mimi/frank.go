package mimi

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// TagSize is the size of a franking_tag and of a server_frank: an HMAC-SHA256.
const TagSize = 32

// Frank is the hub's stamp on a message (draft-ietf-mimi-protocol-06, Submit a
// Message):
//
//	struct {
//	    uint8 server_frank[32];
//	    CipherSuite franking_signature_ciphersuite;
//	    opaque franking_integrity_signature<V>;
//	} Frank;
type Frank struct {
	ServerFrank                  [TagSize]byte
	FrankingSignatureCiphersuite suite.ID // franking_signature_ciphersuite
	FrankingIntegritySignature   []byte
}

func (f *Frank) UnmarshalTLS(r *wire.Reader) {
	copy(f.ServerFrank[:], r.Fixed(TagSize))
	f.FrankingSignatureCiphersuite = suite.ID(r.Uint16())
	f.FrankingIntegritySignature = r.Opaque()
}

func (f *Frank) MarshalTLS(w *wire.Writer) {
	w.Fixed(f.ServerFrank[:])
	w.Uint16(uint16(f.FrankingSignatureCiphersuite))
	w.Opaque(f.FrankingIntegritySignature)
}

// optionalFrank reads what the draft writes as "optional Frank frank" (deviation 15).
func optionalFrank(r *wire.Reader) (f *Frank) {
	r.Optional(func() {
		f = new(Frank)
		f.UnmarshalTLS(r)
	})
	return f
}

func putOptionalFrank(w *wire.Writer, f *Frank) {
	w.Optional(f != nil, func() { f.MarshalTLS(w) })
}

// FrankAAD is the data of the frank_aad component in the Safe AAD of a
// PrivateMessage (draft-ietf-mimi-protocol-06, Message Franking):
//
//	struct { uint8 franking_tag[32]; } FrankAAD;
type FrankAAD struct{ FrankingTag [TagSize]byte }

func (f *FrankAAD) UnmarshalTLS(r *wire.Reader) { copy(f.FrankingTag[:], r.Fixed(TagSize)) }
func (f *FrankAAD) MarshalTLS(w *wire.Writer)   { w.Fixed(f.FrankingTag[:]) }

// FrankingAgentData is the data of the franking_agent component of the GroupContext,
// which says whose signature on a frank counts, and its update
// (draft-ietf-mimi-protocol-06, Message Franking):
//
//	struct {
//	    SignaturePublicKey franking_signature_key;
//	    Credential credential;
//	} FrankingAgentData;
//
//	FrankingAgentData franking_agent;
//	FrankingAgentData FrankingAgentUpdate;
type FrankingAgentData struct {
	FrankingSignatureKey []byte
	Credential           message.Credential
}

// ParseFrankingAgentData reads the data or the update of the component.
func ParseFrankingAgentData(b []byte) (*FrankingAgentData, error) {
	f := new(FrankingAgentData)
	if err := parse(b, "FrankingAgentData", f.UnmarshalTLS); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *FrankingAgentData) UnmarshalTLS(r *wire.Reader) {
	f.FrankingSignatureKey = r.Opaque()
	f.Credential.UnmarshalTLS(r)
}

func (f *FrankingAgentData) MarshalTLS(w *wire.Writer) {
	w.Opaque(f.FrankingSignatureKey)
	f.Credential.MarshalTLS(w)
}

// ServerFrankingContext is what the hub vouches for besides the message
// (draft-ietf-mimi-protocol-06, Hub processing):
//
//	struct {
//	    IdentifierUri sender_uri;
//	    IdentifierUri room_uri;
//	    uint64 accepted_timestamp;
//	} ServerFrankingContext;
type ServerFrankingContext struct {
	SenderURI         IdentifierURI
	RoomURI           IdentifierURI
	AcceptedTimestamp uint64 // in milliseconds since 1970
}

func (c *ServerFrankingContext) UnmarshalTLS(r *wire.Reader) {
	c.SenderURI.UnmarshalTLS(r)
	c.RoomURI.UnmarshalTLS(r)
	c.AcceptedTimestamp = r.Uint64()
}

func (c *ServerFrankingContext) MarshalTLS(w *wire.Writer) {
	c.SenderURI.MarshalTLS(w)
	c.RoomURI.MarshalTLS(w)
	w.Uint64(c.AcceptedTimestamp)
}

// FrankingIntegrityTBS is what the hub signs of a frank
// (draft-ietf-mimi-protocol-06, Hub processing):
//
//	struct {
//	    opaque server_frank[32];
//	    CipherSuite franking_signature_ciphersuite;
//	    ServerFrankingContext context;
//	} FrankingIntegrityTBS;
type FrankingIntegrityTBS struct {
	ServerFrank                  [TagSize]byte
	FrankingSignatureCiphersuite suite.ID
	Context                      ServerFrankingContext
}

func (t *FrankingIntegrityTBS) UnmarshalTLS(r *wire.Reader) {
	copy(t.ServerFrank[:], r.Fixed(TagSize))
	t.FrankingSignatureCiphersuite = suite.ID(r.Uint16())
	t.Context.UnmarshalTLS(r)
}

func (t *FrankingIntegrityTBS) MarshalTLS(w *wire.Writer) {
	w.Fixed(t.ServerFrank[:])
	w.Uint16(uint16(t.FrankingSignatureCiphersuite))
	t.Context.MarshalTLS(w)
}
