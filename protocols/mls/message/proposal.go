package message

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Proposal is a change of a group that a Commit can put into effect (RFC 9420,
// Section 12.1):
//
//	struct {
//	    ProposalType proposal_type;
//	    select (Proposal.proposal_type) {
//	        case add:                      Add;
//	        case update:                   Update;
//	        case remove:                   Remove;
//	        case psk:                      PreSharedKey;
//	        case reinit:                   ReInit;
//	        case external_init:            ExternalInit;
//	        case group_context_extensions: GroupContextExtensions;
//	        case self_remove:              SelfRemove;    // draft-ietf-mls-extensions-10
//	        case app_data_update:          AppDataUpdate; // and by the reader's CodePoints
//	        case app_ephemeral:            AppEphemeral;
//	        default:                       opaque<V>;     // Custom
//	    };
//	} Proposal;
type Proposal struct {
	Type ProposalType
	Body Body
}

// Body is what a proposal says: a pointer to one of [Add], [Update], [Remove],
// [PreSharedKey], [ReInit], [ExternalInit], [GroupContextExtensions],
// [SelfRemove], [AppDataUpdate], [AppEphemeral] and [Custom].
type Body interface {
	wire.Marshaler
	wire.Unmarshaler
	proposalBody()
}

// Add adds a client (RFC 9420, Section 12.1.1): struct { KeyPackage key_package; } Add;
type Add struct{ KeyPackage KeyPackage }

// Update replaces its sender's leaf (RFC 9420, Section 12.1.2): struct { LeafNode
// leaf_node; } Update;
type Update struct{ LeafNode LeafNode }

// Remove removes a member (RFC 9420, Section 12.1.3): struct { uint32 removed; } Remove;
type Remove struct{ Removed uint32 } // a leaf index

// PreSharedKey injects a pre-shared key (RFC 9420, Section 12.1.4): struct {
// PreSharedKeyID psk; } PreSharedKey;
type PreSharedKey struct{ PSK PreSharedKeyID }

// ReInit ends the group in favour of another (RFC 9420, Section 12.1.5):
//
//	struct {
//	    opaque group_id<V>;
//	    ProtocolVersion version;
//	    CipherSuite cipher_suite;
//	    Extension extensions<V>;
//	} ReInit;
type ReInit struct {
	GroupID    []byte
	Version    ProtocolVersion
	Suite      suite.ID
	Extensions Extensions
}

// ExternalInit lets one who is no member commit (RFC 9420, Section 12.1.6): struct {
// opaque kem_output<V>; } ExternalInit;
type ExternalInit struct{ KEMOutput []byte }

// GroupContextExtensions replaces the GroupContext's extensions (RFC 9420, Section
// 12.1.7): struct { Extension extensions<V>; } GroupContextExtensions;
type GroupContextExtensions struct{ Extensions Extensions }

// Custom is a proposal whose layout this package does not know, read as one
// opaque<V>.
type Custom struct{ Data []byte }

func (*Add) proposalBody()                    {}
func (*Update) proposalBody()                 {}
func (*Remove) proposalBody()                 {}
func (*PreSharedKey) proposalBody()           {}
func (*ReInit) proposalBody()                 {}
func (*ExternalInit) proposalBody()           {}
func (*GroupContextExtensions) proposalBody() {}
func (*Custom) proposalBody()                 {}

func (p *Add) UnmarshalTLS(r *wire.Reader)                    { p.KeyPackage.UnmarshalTLS(r) }
func (p *Add) MarshalTLS(w *wire.Writer)                      { p.KeyPackage.MarshalTLS(w) }
func (p *Update) UnmarshalTLS(r *wire.Reader)                 { p.LeafNode.UnmarshalTLS(r) }
func (p *Update) MarshalTLS(w *wire.Writer)                   { p.LeafNode.MarshalTLS(w) }
func (p *Remove) UnmarshalTLS(r *wire.Reader)                 { p.Removed = r.Uint32() }
func (p *Remove) MarshalTLS(w *wire.Writer)                   { w.Uint32(p.Removed) }
func (p *PreSharedKey) UnmarshalTLS(r *wire.Reader)           { p.PSK.UnmarshalTLS(r) }
func (p *PreSharedKey) MarshalTLS(w *wire.Writer)             { p.PSK.MarshalTLS(w) }
func (p *ExternalInit) UnmarshalTLS(r *wire.Reader)           { p.KEMOutput = r.Opaque() }
func (p *ExternalInit) MarshalTLS(w *wire.Writer)             { w.Opaque(p.KEMOutput) }
func (p *GroupContextExtensions) UnmarshalTLS(r *wire.Reader) { p.Extensions.UnmarshalTLS(r) }
func (p *GroupContextExtensions) MarshalTLS(w *wire.Writer)   { p.Extensions.MarshalTLS(w) }
func (p *Custom) UnmarshalTLS(r *wire.Reader)                 { p.Data = r.Opaque() }
func (p *Custom) MarshalTLS(w *wire.Writer)                   { w.Opaque(p.Data) }

func (p *ReInit) UnmarshalTLS(r *wire.Reader) {
	p.GroupID = r.Opaque()
	p.Version = ProtocolVersion(r.Uint16())
	p.Suite = suite.ID(r.Uint16())
	p.Extensions.UnmarshalTLS(r)
}

func (p *ReInit) MarshalTLS(w *wire.Writer) {
	w.Opaque(p.GroupID)
	w.Uint16(uint16(p.Version))
	w.Uint16(uint16(p.Suite))
	p.Extensions.MarshalTLS(w)
}

// newBody returns an empty body for a type, by the numbers of c.
func newBody(t ProposalType, c *CodePoints) Body {
	switch t {
	case ProposalAdd:
		return new(Add)
	case ProposalUpdate:
		return new(Update)
	case ProposalRemove:
		return new(Remove)
	case ProposalPSK:
		return new(PreSharedKey)
	case ProposalReInit:
		return new(ReInit)
	case ProposalExternalInit:
		return new(ExternalInit)
	case ProposalGroupContextExtensions:
		return new(GroupContextExtensions)
	case c.SelfRemove:
		return new(SelfRemove)
	case c.AppDataUpdate:
		return new(AppDataUpdate)
	case c.AppEphemeral:
		return new(AppEphemeral)
	}
	return new(Custom)
}

// UnmarshalTLS reads with [DefaultCodePoints]; see [CodePoints.Proposal].
func (p *Proposal) UnmarshalTLS(r *wire.Reader) { p.read(r, &DefaultCodePoints) }

func (p *Proposal) read(r *wire.Reader, c *CodePoints) {
	p.Type = ProposalType(r.Uint16())
	if r.Err() == nil && p.Type == 0 {
		unknown(r, "proposal_type", p.Type)
		return
	}
	p.Body = newBody(p.Type, c)
	p.Body.UnmarshalTLS(r)
}

func (p *Proposal) MarshalTLS(w *wire.Writer) {
	if p.Body == nil {
		w.Fail(fmt.Errorf("proposal of type %v has no body", p.Type))
		return
	}
	w.Uint16(uint16(p.Type))
	p.Body.MarshalTLS(w)
}

// ProposalRef names a proposal by the AuthenticatedContent that carried it (RFC
// 9420, Section 5.2).
type ProposalRef []byte

// Ref returns the reference of the proposal that c carries.
func (c *AuthenticatedContent) Ref(s suite.Suite) (ProposalRef, error) {
	b, err := wire.Marshal(c)
	if err != nil {
		return nil, err
	}
	return labeled.RefHash(s, nil, "MLS 1.0 Proposal Reference", b), nil
}
