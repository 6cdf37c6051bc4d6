package mimi

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// GroupInfoRequest asks the hub for what a client needs to join from outside
// (draft-ietf-mimi-protocol-06, Claim group key information):
//
//	struct {
//	    Protocol protocol;
//	    select (protocol) {
//	        case mls10:
//	            CipherSuite cipher_suite;
//	            SignaturePublicKey requestingSignatureKey;
//	            Credential requestingCredential;
//	            HPKEPublicKey groupInfoPublicKey;
//	            opaque joiningCode<V>;
//	            // SignWithLabel(., "GroupInfoRequestTBS", GroupInfoRequestTBS)
//	            opaque signature<V>;
//	    };
//	} GroupInfoRequest;
//
// What is signed differs in "optional opaque joiningCode<V>" (deviation 5).
type GroupInfoRequest struct {
	CipherSuite            suite.ID
	RequestingSignatureKey []byte
	RequestingCredential   message.Credential
	GroupInfoPublicKey     []byte
	JoiningCode            []byte // empty if there is none
	Signature              []byte
}

// ParseGroupInfoRequest reads the body of a request to groupInfo.
func ParseGroupInfoRequest(b []byte) (*GroupInfoRequest, error) {
	m := new(GroupInfoRequest)
	if err := parse(b, "GroupInfoRequest", m.UnmarshalTLS); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *GroupInfoRequest) UnmarshalTLS(r *wire.Reader) {
	protocol(r)
	m.CipherSuite = suite.ID(r.Uint16())
	m.RequestingSignatureKey = r.Opaque()
	m.RequestingCredential.UnmarshalTLS(r)
	m.GroupInfoPublicKey = r.Opaque()
	m.JoiningCode = r.Opaque()
	m.Signature = r.Opaque()
}

func (m *GroupInfoRequest) MarshalTLS(w *wire.Writer) {
	m.marshalHead(w)
	w.Opaque(m.JoiningCode)
	w.Opaque(m.Signature)
}

// marshalHead writes what comes before the joining code.
func (m *GroupInfoRequest) marshalHead(w *wire.Writer) {
	putProtocol(w)
	w.Uint16(uint16(m.CipherSuite))
	w.Opaque(m.RequestingSignatureKey)
	m.RequestingCredential.MarshalTLS(w)
	w.Opaque(m.GroupInfoPublicKey)
}

// GroupInfoCode says what became of a GroupInfoRequest
// (draft-ietf-mimi-protocol-06, Claim group key information).
type GroupInfoCode uint8

const (
	GroupInfoSuccess       GroupInfoCode = 1
	GroupInfoNotAuthorized GroupInfoCode = 2
	GroupInfoNoSuchRoom    GroupInfoCode = 3
)

var groupInfoCodeNames = map[GroupInfoCode]string{
	GroupInfoSuccess:       "success",
	GroupInfoNotAuthorized: "notAuthorized",
	GroupInfoNoSuchRoom:    "noSuchRoom",
}

// String returns the draft's name, or the number.
func (c GroupInfoCode) String() string { return name(groupInfoCodeNames, c) }

// GroupInfoResponse answers a GroupInfoRequest:
//
//	struct {
//	    Protocol version;
//	    opaque room_id<V>;
//	    GroupInfoCode status;
//	    select (status) {
//	        case success:
//	            select (protocol) {
//	                case mls10:
//	                    CipherSuite cipher_suite;
//	                    ExternalSender hub_sender;
//	                    HPKECiphertext encrypted_groupinfo_and_tree;
//	                    // SignWithLabel(., "GroupInfoResponseTBS", GroupInfoResponseTBS)
//	                    opaque signature<V>;
//	            };
//	        default: struct{};
//	    };
//	} GroupInfoResponse;
type GroupInfoResponse struct {
	RoomID IdentifierURI
	Status GroupInfoCode
	// The rest is of GroupInfoSuccess.
	CipherSuite               suite.ID
	HubSender                 message.ExternalSender
	EncryptedGroupInfoAndTree message.HPKECiphertext
	Signature                 []byte
}

// ParseGroupInfoResponse reads the body of a response of groupInfo.
func ParseGroupInfoResponse(b []byte) (*GroupInfoResponse, error) {
	m := new(GroupInfoResponse)
	if err := parse(b, "GroupInfoResponse", m.UnmarshalTLS); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *GroupInfoResponse) UnmarshalTLS(r *wire.Reader) {
	protocol(r)
	m.RoomID.UnmarshalTLS(r)
	m.Status = code(r, "GroupInfoCode", groupInfoCodeNames)
	if m.Status == GroupInfoSuccess {
		m.CipherSuite = suite.ID(r.Uint16())
		m.HubSender.UnmarshalTLS(r)
		m.EncryptedGroupInfoAndTree.UnmarshalTLS(r)
		m.Signature = r.Opaque()
	}
}

func (m *GroupInfoResponse) MarshalTLS(w *wire.Writer) {
	m.marshalUnsigned(w)
	if m.Status == GroupInfoSuccess {
		w.Opaque(m.Signature)
	}
}

// marshalUnsigned writes the response without its signature.
func (m *GroupInfoResponse) marshalUnsigned(w *wire.Writer) {
	putProtocol(w)
	m.RoomID.MarshalTLS(w)
	putCode(w, "GroupInfoCode", groupInfoCodeNames, m.Status)
	if m.Status == GroupInfoSuccess {
		w.Uint16(uint16(m.CipherSuite))
		m.HubSender.MarshalTLS(w)
		m.EncryptedGroupInfoAndTree.MarshalTLS(w)
	}
}

// PendingProposal is a proposal that the hub accepted and nobody has committed yet:
//
//	struct {
//	    MLSMessage proposal;
//	    uint64 hub_accepted_time;
//	} PendingProposal;
type PendingProposal struct {
	Proposal        message.Message
	HubAcceptedTime uint64 // in milliseconds since 1970 (deviation 18)
}

// UnmarshalTLS reads with [DefaultCodePoints].
func (p *PendingProposal) UnmarshalTLS(r *wire.Reader) { p.read(r, &message.DefaultCodePoints) }

func (p *PendingProposal) read(r *wire.Reader, points *message.CodePoints) {
	p.Proposal = points.Message(r)
	if err := wantProposal(&p.Proposal); err != nil {
		r.Fail(err)
	}
	p.HubAcceptedTime = r.Uint64()
}

func (p *PendingProposal) MarshalTLS(w *wire.Writer) {
	p.Proposal.MarshalTLS(w)
	if err := wantProposal(&p.Proposal); err != nil {
		w.Fail(err)
	}
	w.Uint64(p.HubAcceptedTime)
}

// GroupInfoRatchetTreeTBE is what a GroupInfoResponse has encrypted:
//
//	struct {
//	    GroupInfo groupInfo; // without embedded ratchet_tree
//	    RatchetTreeOption ratchetTreeOption;
//	    PendingProposal pending_proposals<V>;
//	} GroupInfoRatchetTreeTBE;
type GroupInfoRatchetTreeTBE struct {
	GroupInfo         message.GroupInfo
	RatchetTreeOption RatchetTreeOption
	PendingProposals  []PendingProposal
}

// ParseGroupInfoRatchetTreeTBE reads what was decrypted. points nil means
// [DefaultCodePoints].
func ParseGroupInfoRatchetTreeTBE(b []byte, points *CodePoints) (*GroupInfoRatchetTreeTBE, error) {
	m := new(GroupInfoRatchetTreeTBE)
	err := parse(b, "GroupInfoRatchetTreeTBE", func(r *wire.Reader) { m.read(r, &points.orDefault().MLS) })
	if err != nil {
		return nil, err
	}
	return m, nil
}

// UnmarshalTLS reads with [DefaultCodePoints].
func (m *GroupInfoRatchetTreeTBE) UnmarshalTLS(r *wire.Reader) { m.read(r, &message.DefaultCodePoints) }

func (m *GroupInfoRatchetTreeTBE) read(r *wire.Reader, points *message.CodePoints) {
	m.GroupInfo.UnmarshalTLS(r)
	m.RatchetTreeOption.UnmarshalTLS(r)
	r.Vector(func() {
		m.PendingProposals = wire.Extend(m.PendingProposals)
		m.PendingProposals[len(m.PendingProposals)-1].read(r, points)
	})
}

func (m *GroupInfoRatchetTreeTBE) MarshalTLS(w *wire.Writer) {
	m.GroupInfo.MarshalTLS(w)
	m.RatchetTreeOption.MarshalTLS(w)
	wire.PutList(w, m.PendingProposals)
}
