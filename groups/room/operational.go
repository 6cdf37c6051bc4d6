package room

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// ExtendedCapabilities lists what MLS clients support, or must not use
// (room-policy-04, Operational policy component):
//
//	struct {
//	    ProtocolVersion versions<V>;
//	    CipherSuite cipher_suites<V>;
//	    ExtensionType extensions<V>;
//	    ProposalType proposals<V>;
//	    CredentialType credentials<V>;
//	    WireFormat wire_formats<V>;      // the draft: WireFormats
//	    ComponentID component_ids<V>;
//	    ComponentID safe_aad_types<V>;
//	    MediaType media_types<V>;
//	    ContentType content_types<V>;
//	} ExtendedCapabilities;
type ExtendedCapabilities struct {
	Versions     []message.ProtocolVersion
	Suites       []suite.ID
	Extensions   []message.ExtensionType
	Proposals    []message.ProposalType
	Credentials  []message.CredentialType
	WireFormats  []message.WireFormat
	Components   []message.ComponentID
	SafeAAD      []message.ComponentID
	MediaTypes   []message.MediaType
	ContentTypes []message.ContentType
}

func (c *ExtendedCapabilities) UnmarshalTLS(r *wire.Reader) {
	c.Versions = readCodes[message.ProtocolVersion](r, r.Uint16)
	c.Suites = readCodes[suite.ID](r, r.Uint16)
	c.Extensions = readCodes[message.ExtensionType](r, r.Uint16)
	c.Proposals = readCodes[message.ProposalType](r, r.Uint16)
	c.Credentials = readCodes[message.CredentialType](r, r.Uint16)
	c.WireFormats = readCodes[message.WireFormat](r, r.Uint16)
	c.Components = readCodes[message.ComponentID](r, r.Uint16)
	c.SafeAAD = readCodes[message.ComponentID](r, r.Uint16)
	c.MediaTypes = wire.List[message.MediaType](r)
	c.ContentTypes = readCodes[message.ContentType](r, r.Uint8)
}

func (c *ExtendedCapabilities) MarshalTLS(w *wire.Writer) {
	writeCodes(w, c.Versions, w.Uint16)
	writeCodes(w, c.Suites, w.Uint16)
	writeCodes(w, c.Extensions, w.Uint16)
	writeCodes(w, c.Proposals, w.Uint16)
	writeCodes(w, c.Credentials, w.Uint16)
	writeCodes(w, c.WireFormats, w.Uint16)
	writeCodes(w, c.Components, w.Uint16)
	writeCodes(w, c.SafeAAD, w.Uint16)
	wire.PutList(w, c.MediaTypes)
	writeCodes(w, c.ContentTypes, w.Uint8)
}

// PendingProposalStrategy says when members commit proposals that wait.
type PendingProposalStrategy uint8

// The values of PendingProposalStrategy.
const (
	StrategyUnspecified     PendingProposalStrategy = 0
	StrategyImmediateCommit PendingProposalStrategy = 1
	StrategyRandomDelay     PendingProposalStrategy = 2
)

var strategies = enum{"unspecified", "immediate_commit", "random_delay"}

// String returns the specification's name, or the number.
func (s PendingProposalStrategy) String() string { return strategies.name(uint8(s)) }

// MarshalText writes the name.
func (s PendingProposalStrategy) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// PendingProposalPolicy is a strategy with its parameters:
//
//	struct {
//	    PendingProposalStrategy pending_proposal_strategy;
//	    select (pending_proposal_strategy) {
//	        case unspecified:      struct {};
//	        case immediate_commit: struct {};
//	        case random_delay:
//	            uint64 minimum_delay_ms;
//	            uint64 maximum_delay_ms;
//	    };
//	} PendingProposalPolicy;
//
// The draft's select has a fourth case, extension, for which its enum has no
// number. No number is read as one (deviation 5).
type PendingProposalPolicy struct {
	Strategy     PendingProposalStrategy
	MinimumDelay uint64 // milliseconds, of StrategyRandomDelay
	MaximumDelay uint64
}

func (p *PendingProposalPolicy) UnmarshalTLS(r *wire.Reader) {
	*p = PendingProposalPolicy{Strategy: readEnum[PendingProposalStrategy](r, strategies, "PendingProposalStrategy")}
	if p.Strategy == StrategyRandomDelay {
		p.MinimumDelay = r.Uint64()
		p.MaximumDelay = r.Uint64()
	}
	readCheck(r, p)
}

func (p *PendingProposalPolicy) MarshalTLS(w *wire.Writer) {
	writeCheck(w, p)
	writeEnum(w, strategies, "PendingProposalStrategy", p.Strategy)
	if p.Strategy == StrategyRandomDelay {
		w.Uint64(p.MinimumDelay)
		w.Uint64(p.MaximumDelay)
	}
}

func (p *PendingProposalPolicy) check() error {
	if p.Strategy != StrategyRandomDelay && (p.MinimumDelay != 0 || p.MaximumDelay != 0) {
		return invalid("delays with the strategy %v", p.Strategy)
	}
	if p.MinimumDelay > p.MaximumDelay {
		return invalid("delay of at least %d and at most %d ms", p.MinimumDelay, p.MaximumDelay)
	}
	return nil
}

// MinDefaultMaxTime is a range of time with a preference. The draft gives no unit
// (deviation 12).
//
//	struct {
//	    uint64 minimum_time;
//	    uint64 default_time;
//	    uint64 maximum_time;
//	} MinDefaultMaxTime;
type MinDefaultMaxTime struct{ Min, Default, Max uint64 }

func (t *MinDefaultMaxTime) UnmarshalTLS(r *wire.Reader) {
	t.Min = r.Uint64()
	t.Default = r.Uint64()
	t.Max = r.Uint64()
}

func (t *MinDefaultMaxTime) MarshalTLS(w *wire.Writer) {
	w.Uint64(t.Min)
	w.Uint64(t.Default)
	w.Uint64(t.Max)
}

// AppMessagePolicy bounds how application messages may arrive:
//
//	struct {
//	    uint8  epoch_tolerance;
//	    uint16 pad_to_size;
//	    uint32 max_generations_skipahead;
//	} AppMessagePolicy;
type AppMessagePolicy struct {
	EpochTolerance          uint8
	PadToSize               uint16
	MaxGenerationsSkipahead uint32
}

func (p *AppMessagePolicy) UnmarshalTLS(r *wire.Reader) {
	p.EpochTolerance = r.Uint8()
	p.PadToSize = r.Uint16()
	p.MaxGenerationsSkipahead = r.Uint32()
}

func (p *AppMessagePolicy) MarshalTLS(w *wire.Writer) {
	w.Uint8(p.EpochTolerance)
	w.Uint16(p.PadToSize)
	w.Uint32(p.MaxGenerationsSkipahead)
}

// OperationalParameters is the data of the mls_operational_policy component, and
// what an update of it holds:
//
//	struct {
//	    ExtendedCapabilities mandatory_capabilities;
//	    ExtendedCapabilities default_capabilities;
//	    ExtendedCapabilities forbidden_capabilities;
//	    WireFormat handshake_formats<V>;         // the draft: WireFormats
//	    bool external_proposal_allowed;
//	    bool external_commit_allowed;
//	    PendingProposalPolicy pending_proposal_policy;
//	    MinDefaultMaxTime LeafNode_update_time;
//	    AppMessagePolicy app_message_policy;
//	    uint64 max_kp_lifetime;                  // the draft: unit64
//	    uint64 max_credential_lifetime;
//	    uint64 resumption_psk_lifetime;
//	    MinDefaultMaxTime sender_nonce_keypair_lifetime;
//	    uint32 max_keypairs;
//	    MinDefaultMaxTime buffer_incoming_message_time;
//	    uint32 max_buffered_messages;
//	} OperationalParameters;
type OperationalParameters struct {
	MandatoryCapabilities      ExtendedCapabilities
	DefaultCapabilities        ExtendedCapabilities
	ForbiddenCapabilities      ExtendedCapabilities
	HandshakeFormats           []message.WireFormat
	ExternalProposalAllowed    bool
	ExternalCommitAllowed      bool
	PendingProposals           PendingProposalPolicy
	LeafNodeUpdateTime         MinDefaultMaxTime
	AppMessages                AppMessagePolicy
	MaxKPLifetime              uint64
	MaxCredentialLifetime      uint64
	ResumptionPSKLifetime      uint64
	SenderNonceKeypairLifetime MinDefaultMaxTime
	MaxKeypairs                uint32
	BufferIncomingMessageTime  MinDefaultMaxTime
	MaxBufferedMessages        uint32
}

func (p *OperationalParameters) UnmarshalTLS(r *wire.Reader) {
	p.MandatoryCapabilities.UnmarshalTLS(r)
	p.DefaultCapabilities.UnmarshalTLS(r)
	p.ForbiddenCapabilities.UnmarshalTLS(r)
	p.HandshakeFormats = readCodes[message.WireFormat](r, r.Uint16)
	p.ExternalProposalAllowed = readBool(r)
	p.ExternalCommitAllowed = readBool(r)
	p.PendingProposals.UnmarshalTLS(r)
	p.LeafNodeUpdateTime.UnmarshalTLS(r)
	p.AppMessages.UnmarshalTLS(r)
	p.MaxKPLifetime = r.Uint64()
	p.MaxCredentialLifetime = r.Uint64()
	p.ResumptionPSKLifetime = r.Uint64()
	p.SenderNonceKeypairLifetime.UnmarshalTLS(r)
	p.MaxKeypairs = r.Uint32()
	p.BufferIncomingMessageTime.UnmarshalTLS(r)
	p.MaxBufferedMessages = r.Uint32()
}

func (p *OperationalParameters) MarshalTLS(w *wire.Writer) {
	p.MandatoryCapabilities.MarshalTLS(w)
	p.DefaultCapabilities.MarshalTLS(w)
	p.ForbiddenCapabilities.MarshalTLS(w)
	writeCodes(w, p.HandshakeFormats, w.Uint16)
	writeBool(w, p.ExternalProposalAllowed)
	writeBool(w, p.ExternalCommitAllowed)
	p.PendingProposals.MarshalTLS(w)
	p.LeafNodeUpdateTime.MarshalTLS(w)
	p.AppMessages.MarshalTLS(w)
	w.Uint64(p.MaxKPLifetime)
	w.Uint64(p.MaxCredentialLifetime)
	w.Uint64(p.ResumptionPSKLifetime)
	p.SenderNonceKeypairLifetime.MarshalTLS(w)
	w.Uint32(p.MaxKeypairs)
	p.BufferIncomingMessageTime.MarshalTLS(w)
	w.Uint32(p.MaxBufferedMessages)
}
