package mimi

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// UpdateRequest changes a room (draft-ietf-mimi-protocol-06, Update Room State). It
// has no Protocol of its own: the room has one (deviation 8).
//
//	struct {
//	    select (room.protocol) {
//	        case mls10: HandshakeBundle bundle;
//	    };
//	} UpdateRequest;
type UpdateRequest struct{ Bundle HandshakeBundle }

// ParseUpdateRequest reads the body of a request to update. points nil means
// [DefaultCodePoints].
func ParseUpdateRequest(b []byte, points *CodePoints) (*UpdateRequest, error) {
	m := new(UpdateRequest)
	err := parse(b, "UpdateRequest", func(r *wire.Reader) { m.Bundle.read(r, &points.orDefault().MLS) })
	if err != nil {
		return nil, err
	}
	return m, nil
}

// UnmarshalTLS reads with [DefaultCodePoints].
func (m *UpdateRequest) UnmarshalTLS(r *wire.Reader) { m.Bundle.UnmarshalTLS(r) }
func (m *UpdateRequest) MarshalTLS(w *wire.Writer)   { m.Bundle.MarshalTLS(w) }

// HandshakeBundle is a Commit or proposals (draft-ietf-mimi-protocol-06, Update Room
// State):
//
//	struct {
//	    MLSMessage proposalOrCommit; // a PublicMessage or a SemiPrivateMessage
//	    select (proposalOrCommit.content.content_type) {
//	        case commit:
//	            optional<Welcome> welcome;
//	            GroupInfoOption groupInfoOption;
//	            RatchetTreeOption ratchetTreeOption;
//	        case proposal:
//	            MLSMessage moreProposals<V>;
//	} HandshakeBundle;
//
// SemiPrivateMessages are not read: they have no wire format yet (deviation 20).
type HandshakeBundle struct {
	ProposalOrCommit  message.Message
	Welcome           *message.Welcome  // of a Commit, or nil
	GroupInfoOption   GroupInfoOption   // of a Commit
	RatchetTreeOption RatchetTreeOption // of a Commit
	MoreProposals     []message.Message // of a proposal
}

// Type returns what the bundle is, ContentProposal or ContentCommit, or 0 for what
// can't be in one.
func (h *HandshakeBundle) Type() message.ContentType { return handshakeType(&h.ProposalOrCommit) }

// handshakeType returns whether m is a proposal or a Commit that a hub can read, or
// 0 for anything else.
func handshakeType(m *message.Message) message.ContentType {
	if m.Public == nil || m.Public.Content.Type == message.ContentApplication {
		return 0
	}
	return m.Public.Content.Type
}

// UnmarshalTLS reads with [DefaultCodePoints].
func (h *HandshakeBundle) UnmarshalTLS(r *wire.Reader) { h.read(r, &message.DefaultCodePoints) }

func (h *HandshakeBundle) read(r *wire.Reader, points *message.CodePoints) {
	h.ProposalOrCommit = points.Message(r)
	switch h.Type() {
	case message.ContentCommit:
		r.Optional(func() {
			h.Welcome = new(message.Welcome)
			h.Welcome.UnmarshalTLS(r)
		})
		h.GroupInfoOption.UnmarshalTLS(r)
		h.RatchetTreeOption.UnmarshalTLS(r)
	case message.ContentProposal:
		h.MoreProposals = messages(r, points)
		for i := range h.MoreProposals {
			if err := wantProposal(&h.MoreProposals[i]); err != nil {
				r.Fail(fmt.Errorf("moreProposals[%d]: %w", i, err))
			}
		}
	default:
		r.Fail(fmt.Errorf("proposalOrCommit: %w", errHandshake(&h.ProposalOrCommit)))
	}
}

func (h *HandshakeBundle) MarshalTLS(w *wire.Writer) {
	h.ProposalOrCommit.MarshalTLS(w)
	switch h.Type() {
	case message.ContentCommit:
		w.Optional(h.Welcome != nil, func() { h.Welcome.MarshalTLS(w) })
		h.GroupInfoOption.MarshalTLS(w)
		h.RatchetTreeOption.MarshalTLS(w)
	case message.ContentProposal:
		for i := range h.MoreProposals {
			if err := wantProposal(&h.MoreProposals[i]); err != nil {
				w.Fail(fmt.Errorf("moreProposals[%d]: %w", i, err))
			}
		}
		wire.PutList(w, h.MoreProposals)
	default:
		w.Fail(fmt.Errorf("proposalOrCommit: %w", errHandshake(&h.ProposalOrCommit)))
	}
}

// errHandshake says what m is instead of a handshake message that a hub can read.
func errHandshake(m *message.Message) error {
	return fmt.Errorf("a %s, want an mls_public_message with a proposal or a commit", kindOf(m))
}

// wantProposal says what m is if it is not a proposal that a hub can read.
func wantProposal(m *message.Message) error {
	if handshakeType(m) == message.ContentProposal {
		return nil
	}
	return fmt.Errorf("a %s, want an mls_public_message with a proposal", kindOf(m))
}

// UpdateResponseCode says what became of an UpdateRequest
// (draft-ietf-mimi-protocol-06, Update Room State).
type UpdateResponseCode uint8

const (
	UpdateSuccess         UpdateResponseCode = 0
	UpdateWrongEpoch      UpdateResponseCode = 1
	UpdateNotAllowed      UpdateResponseCode = 2
	UpdateInvalidProposal UpdateResponseCode = 3
)

var updateNames = map[UpdateResponseCode]string{
	UpdateSuccess:         "success",
	UpdateWrongEpoch:      "wrongEpoch",
	UpdateNotAllowed:      "notAllowed",
	UpdateInvalidProposal: "invalidProposal",
}

// String returns the draft's name, or the number.
func (c UpdateResponseCode) String() string { return name(updateNames, c) }

// UpdateRoomResponse answers an UpdateRequest:
//
//	struct {
//	    UpdateResponseCode responseCode;
//	    string errorDescription;
//	    select (responseCode) {
//	        case success:         uint64 accepted_timestamp; // milliseconds since 1970
//	        case wrongEpoch:      uint64 currentEpoch;
//	        case invalidProposal: ProposalRef invalidProposals<V>;
//	    };
//	} UpdateRoomResponse
type UpdateRoomResponse struct {
	ResponseCode      UpdateResponseCode
	ErrorDescription  string
	AcceptedTimestamp uint64                // of UpdateSuccess, in milliseconds since 1970
	CurrentEpoch      uint64                // of UpdateWrongEpoch
	InvalidProposals  []message.ProposalRef // of UpdateInvalidProposal
}

// ParseUpdateRoomResponse reads the body of a response of update.
func ParseUpdateRoomResponse(b []byte) (*UpdateRoomResponse, error) {
	m := new(UpdateRoomResponse)
	if err := parse(b, "UpdateRoomResponse", m.UnmarshalTLS); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *UpdateRoomResponse) UnmarshalTLS(r *wire.Reader) {
	m.ResponseCode = code(r, "UpdateResponseCode", updateNames)
	m.ErrorDescription = text(r)
	switch m.ResponseCode {
	case UpdateSuccess:
		m.AcceptedTimestamp = r.Uint64()
	case UpdateWrongEpoch:
		m.CurrentEpoch = r.Uint64()
	case UpdateInvalidProposal:
		r.Vector(func() {
			m.InvalidProposals = wire.Extend(m.InvalidProposals)
			m.InvalidProposals[len(m.InvalidProposals)-1] = r.Opaque()
		})
	}
}

func (m *UpdateRoomResponse) MarshalTLS(w *wire.Writer) {
	putCode(w, "UpdateResponseCode", updateNames, m.ResponseCode)
	putText(w, m.ErrorDescription)
	switch m.ResponseCode {
	case UpdateSuccess:
		w.Uint64(m.AcceptedTimestamp)
	case UpdateWrongEpoch:
		w.Uint64(m.CurrentEpoch)
	case UpdateInvalidProposal:
		w.Vector(func() {
			for _, p := range m.InvalidProposals {
				w.Opaque(p)
			}
		})
	}
}
