package message

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Sender says who sent a FramedContent (RFC 9420, Section 6):
//
//	struct {
//	    SenderType sender_type;
//	    select (Sender.sender_type) {
//	        case member:   uint32 leaf_index;
//	        case external: uint32 sender_index;
//	        case new_member_commit, new_member_proposal: struct{};
//	    };
//	} Sender;
type Sender struct {
	Type  SenderType
	Index uint32 // the leaf index of a member, or the place among external_senders
}

// Member returns the sender that is the member at a leaf.
func Member(leafIndex uint32) Sender { return Sender{SenderMember, leafIndex} }

func (s *Sender) UnmarshalTLS(r *wire.Reader) {
	switch s.Type = SenderType(r.Uint8()); s.Type {
	case SenderMember, SenderExternal:
		s.Index = r.Uint32()
	case SenderNewMemberProposal, SenderNewMemberCommit:
	default:
		unknown(r, "sender_type", s.Type)
	}
}

func (s *Sender) MarshalTLS(w *wire.Writer) {
	w.Uint8(uint8(s.Type))
	if s.Type == SenderMember || s.Type == SenderExternal {
		w.Uint32(s.Index)
	}
}

// FramedContent is a message before it is protected (RFC 9420, Section 6):
//
//	struct {
//	    opaque group_id<V>;
//	    uint64 epoch;
//	    Sender sender;
//	    opaque authenticated_data<V>;
//	    ContentType content_type;
//	    select (FramedContent.content_type) {
//	        case application: opaque application_data<V>;
//	        case proposal:    Proposal proposal;
//	        case commit:      Commit commit;
//	    };
//	} FramedContent;
type FramedContent struct {
	GroupID           []byte
	Epoch             uint64
	Sender            Sender
	AuthenticatedData []byte
	Content
}

// Content is what a FramedContent says; Type tells which field is set.
type Content struct {
	Type        ContentType
	Application []byte
	Proposal    *Proposal
	Commit      *Commit
}

// readType reads the content_type.
func (c *Content) readType(r *wire.Reader) {
	c.Type = ContentType(r.Uint8())
	if r.Err() == nil && (c.Type < ContentApplication || c.Type > ContentCommit) {
		unknown(r, "content_type", c.Type)
	}
}

// readBody reads what follows the content_type.
func (c *Content) readBody(r *wire.Reader, points *CodePoints) {
	switch c.Type {
	case ContentApplication:
		c.Application = r.Opaque()
	case ContentProposal:
		c.Proposal = new(Proposal)
		c.Proposal.read(r, points)
	case ContentCommit:
		c.Commit = new(Commit)
		c.Commit.read(r, points)
	}
}

func (c *Content) writeBody(w *wire.Writer) {
	switch c.Type {
	case ContentApplication:
		w.Opaque(c.Application)
	case ContentProposal:
		c.Proposal.MarshalTLS(w)
	case ContentCommit:
		c.Commit.MarshalTLS(w)
	}
}

func (f *FramedContent) read(r *wire.Reader, points *CodePoints) {
	f.GroupID = r.Opaque()
	f.Epoch = r.Uint64()
	f.Sender.UnmarshalTLS(r)
	f.AuthenticatedData = r.Opaque()
	f.readType(r)
	f.readBody(r, points)
}

func (f *FramedContent) MarshalTLS(w *wire.Writer) {
	w.Opaque(f.GroupID)
	w.Uint64(f.Epoch)
	f.Sender.MarshalTLS(w)
	w.Opaque(f.AuthenticatedData)
	w.Uint8(uint8(f.Type))
	f.writeBody(w)
}

// FramedContentAuthData authenticates a FramedContent (RFC 9420, Section 6.1):
//
//	struct {
//	    opaque signature<V>; // SignWithLabel(., "FramedContentTBS", FramedContentTBS)
//	    select (FramedContent.content_type) {
//	        case commit:                MAC confirmation_tag;
//	        case application, proposal: struct{};
//	    };
//	} FramedContentAuthData;
type FramedContentAuthData struct {
	Signature       []byte
	ConfirmationTag []byte // of a commit
}

func (a *FramedContentAuthData) read(r *wire.Reader, t ContentType) {
	a.Signature = r.Opaque()
	if t == ContentCommit {
		a.ConfirmationTag = r.Opaque()
	}
}

func (a *FramedContentAuthData) write(w *wire.Writer, t ContentType) {
	w.Opaque(a.Signature)
	if t == ContentCommit {
		w.Opaque(a.ConfirmationTag)
	}
}

// AuthenticatedContent is a FramedContent with its authentication (RFC 9420,
// Section 6.1):
//
//	struct {
//	    WireFormat wire_format;
//	    FramedContent content;
//	    FramedContentAuthData auth;
//	} AuthenticatedContent;
type AuthenticatedContent struct {
	WireFormat WireFormat
	Content    FramedContent
	Auth       FramedContentAuthData
}

// UnmarshalTLS reads with [DefaultCodePoints].
func (c *AuthenticatedContent) UnmarshalTLS(r *wire.Reader) {
	c.WireFormat = WireFormat(r.Uint16())
	if r.Err() == nil && c.WireFormat != WirePublicMessage && c.WireFormat != WirePrivateMessage {
		unknown(r, "wire_format of content", uint16(c.WireFormat))
	}
	c.Content.read(r, &DefaultCodePoints)
	c.Auth.read(r, c.Content.Type)
}

func (c *AuthenticatedContent) MarshalTLS(w *wire.Writer) {
	w.Uint16(uint16(c.WireFormat))
	c.Content.MarshalTLS(w)
	c.Auth.write(w, c.Content.Type)
}

// writeTBS writes FramedContentTBS (RFC 9420, Section 6.1):
//
//	struct {
//	    ProtocolVersion version = mls10;
//	    WireFormat wire_format;
//	    FramedContent content;
//	    select (FramedContentTBS.content.sender.sender_type) {
//	        case member, new_member_commit:     GroupContext context;
//	        case external, new_member_proposal: struct{};
//	    };
//	} FramedContentTBS;
//
// context is a GroupContext as it is encoded.
func (c *AuthenticatedContent) writeTBS(w *wire.Writer, context []byte) {
	w.Uint16(uint16(MLS10))
	w.Uint16(uint16(c.WireFormat))
	c.Content.MarshalTLS(w)
	if t := c.Content.Sender.Type; t == SenderMember || t == SenderNewMemberCommit {
		w.Fixed(context)
	}
}

// LabelFramedContent is the label of a FramedContent's signature.
const LabelFramedContent = "FramedContentTBS"

// TBS returns what the signature is over. context is the epoch's GroupContext as
// it is encoded; it counts for members and for those who commit from outside.
func (c *AuthenticatedContent) TBS(context []byte) ([]byte, error) {
	w := wire.NewWriter(make([]byte, 0, c.room(context)))
	c.writeTBS(w, context)
	return w.Bytes()
}

// room is enough for what is signed of application data, with its label.
func (c *AuthenticatedContent) room(context []byte) int {
	f := &c.Content
	return len(f.GroupID) + len(f.AuthenticatedData) + len(f.Application) + len(context) + 96
}

// signContent returns FramedContentTBS as SignWithLabel signs it.
func (c *AuthenticatedContent) signContent(context []byte) ([]byte, error) {
	w := wire.NewWriter(make([]byte, 0, c.room(context)))
	labeled.WriteSignContent(w, LabelFramedContent, func() { c.writeTBS(w, context) })
	return w.Bytes()
}

// Sign sets the signature. For context see [AuthenticatedContent.TBS].
func (c *AuthenticatedContent) Sign(s suite.Suite, private suite.PrivateKey, context []byte) error {
	content, err := c.signContent(context)
	if err != nil {
		return err
	}
	c.Auth.Signature, err = s.Sign(private, content)
	return err
}

// Verify checks the signature. For context see [AuthenticatedContent.TBS].
func (c *AuthenticatedContent) Verify(s suite.Suite, public, context []byte) error {
	content, err := c.signContent(context)
	if err != nil {
		return err
	}
	return s.Verify(public, content, c.Auth.Signature)
}

// ConfirmedTranscriptHashInput returns what a commit adds to the transcript (RFC
// 9420, Section 8.2):
//
//	struct {
//	    WireFormat wire_format;
//	    FramedContent content; // with content_type == commit
//	    opaque signature<V>;
//	} ConfirmedTranscriptHashInput;
func (c *AuthenticatedContent) ConfirmedTranscriptHashInput() ([]byte, error) {
	w := wire.NewWriter(nil)
	w.Uint16(uint16(c.WireFormat))
	c.Content.MarshalTLS(w)
	w.Opaque(c.Auth.Signature)
	return w.Bytes()
}
