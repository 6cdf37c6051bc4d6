package message

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// ProtocolVersion is a version of MLS (RFC 9420, Section 6).
type ProtocolVersion uint16

// MLS10 is the only version there is.
const MLS10 ProtocolVersion = 1

// WireFormat says what an MLSMessage carries.
// https://www.iana.org/assignments/mls/mls.xhtml#mls-wire-formats
type WireFormat uint16

// The wire formats of RFC 9420, Section 17.2.
const (
	WirePublicMessage  WireFormat = 1
	WirePrivateMessage WireFormat = 2
	WireWelcome        WireFormat = 3
	WireGroupInfo      WireFormat = 4
	WireKeyPackage     WireFormat = 5
)

// ContentType says what a FramedContent holds (RFC 9420, Section 6).
type ContentType uint8

const (
	ContentApplication ContentType = 1
	ContentProposal    ContentType = 2
	ContentCommit      ContentType = 3
)

// SenderType says who sent a FramedContent (RFC 9420, Section 6).
type SenderType uint8

const (
	SenderMember            SenderType = 1
	SenderExternal          SenderType = 2
	SenderNewMemberProposal SenderType = 3
	SenderNewMemberCommit   SenderType = 4
)

// CredentialType is the kind of a credential.
// https://www.iana.org/assignments/mls/mls.xhtml#mls-credential-types
type CredentialType uint16

// The credential types of RFC 9420, Section 17.5.
const (
	CredentialBasic CredentialType = 1
	CredentialX509  CredentialType = 2
)

// ExtensionType is the kind of an extension.
// https://www.iana.org/assignments/mls/mls.xhtml#mls-extension-types
type ExtensionType uint16

// The extension types of RFC 9420, Section 17.3.
const (
	ExtensionApplicationID        ExtensionType = 1 // LeafNode
	ExtensionRatchetTree          ExtensionType = 2 // GroupInfo
	ExtensionRequiredCapabilities ExtensionType = 3 // GroupContext
	ExtensionExternalPub          ExtensionType = 4 // GroupInfo
	ExtensionExternalSenders      ExtensionType = 5 // GroupContext
)

// ProposalType is the kind of a proposal.
// https://www.iana.org/assignments/mls/mls.xhtml#mls-proposal-types
type ProposalType uint16

// The proposal types of RFC 9420, Section 17.4.
const (
	ProposalAdd                    ProposalType = 1
	ProposalUpdate                 ProposalType = 2
	ProposalRemove                 ProposalType = 3
	ProposalPSK                    ProposalType = 4
	ProposalReInit                 ProposalType = 5
	ProposalExternalInit           ProposalType = 6
	ProposalGroupContextExtensions ProposalType = 7
)

// IsDefault reports whether RFC 9420 itself defines the proposal type: every
// member supports it and no capabilities list it (Section 7.2).
func (p ProposalType) IsDefault() bool {
	return p >= ProposalAdd && p <= ProposalGroupContextExtensions
}

// IsDefault reports whether RFC 9420 itself defines the extension type: every
// member supports it and no capabilities list it (Section 7.2).
func (e ExtensionType) IsDefault() bool {
	return e >= ExtensionApplicationID && e <= ExtensionExternalSenders
}

// IsGREASE reports whether v is one of the values 0x0A0A, 0x1A1A, ... 0xEAEA that
// are sent to keep others tolerant (RFC 9420, Section 13.5).
func IsGREASE[T ~uint16](v T) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff && v < 0xf000 }

var (
	versionNames  = map[ProtocolVersion]string{MLS10: "mls10"}
	wireNames     = map[WireFormat]string{WirePublicMessage: "mls_public_message", WirePrivateMessage: "mls_private_message", WireWelcome: "mls_welcome", WireGroupInfo: "mls_group_info", WireKeyPackage: "mls_key_package"}
	contentNames  = map[ContentType]string{ContentApplication: "application", ContentProposal: "proposal", ContentCommit: "commit"}
	senderNames   = map[SenderType]string{SenderMember: "member", SenderExternal: "external", SenderNewMemberProposal: "new_member_proposal", SenderNewMemberCommit: "new_member_commit"}
	credNames     = map[CredentialType]string{CredentialBasic: "basic", CredentialX509: "x509"}
	extNames      = map[ExtensionType]string{ExtensionApplicationID: "application_id", ExtensionRatchetTree: "ratchet_tree", ExtensionRequiredCapabilities: "required_capabilities", ExtensionExternalPub: "external_pub", ExtensionExternalSenders: "external_senders"}
	proposalNames = map[ProposalType]string{ProposalAdd: "add", ProposalUpdate: "update", ProposalRemove: "remove", ProposalPSK: "psk", ProposalReInit: "reinit", ProposalExternalInit: "external_init", ProposalGroupContextExtensions: "group_context_extensions"}
)

// name returns the specification's name of a code, or its number.
func name[T ~uint8 | ~uint16](names map[T]string, v T) string {
	if s, ok := names[v]; ok {
		return s
	}
	return fmt.Sprintf("%#04x", uint16(v)) // %x of v itself would ask for its name again
}

// String returns the specification's name, or the number.
func (v ProtocolVersion) String() string { return name(versionNames, v) }

// String returns the specification's name, or the number.
func (w WireFormat) String() string { return name(wireNames, w) }

// String returns the specification's name, or the number.
func (c ContentType) String() string { return name(contentNames, c) }

// String returns the specification's name, or the number.
func (s SenderType) String() string { return name(senderNames, s) }

// String returns the specification's name, or the number.
func (c CredentialType) String() string { return name(credNames, c) }

// String returns the specification's name, or the number.
func (e ExtensionType) String() string { return name(extNames, e) }

// String returns the specification's name, or the number.
func (p ProposalType) String() string { return name(proposalNames, p) }

// unknown fails the reading with a code that the specification doesn't have.
func unknown(r *wire.Reader, what string, code any) {
	r.Fail(fmt.Errorf("no such %s: %d", what, code))
}

// version reads a ProtocolVersion, of which there is one.
func version(r *wire.Reader) ProtocolVersion {
	v := ProtocolVersion(r.Uint16())
	if r.Err() == nil && v != MLS10 {
		r.Fail(fmt.Errorf("protocol version %d, want %d (mls10)", uint16(v), MLS10))
	}
	return v
}
