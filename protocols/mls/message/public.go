package message

import (
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// PublicMessage is a FramedContent that is signed and not encrypted (RFC 9420,
// Section 6.2):
//
//	struct {
//	    FramedContent content;
//	    FramedContentAuthData auth;
//	    select (PublicMessage.content.sender.sender_type) {
//	        case member: MAC membership_tag;
//	        case external, new_member_commit, new_member_proposal: struct{};
//	    };
//	} PublicMessage;
type PublicMessage struct {
	Content       FramedContent
	Auth          FramedContentAuthData
	MembershipTag []byte // of a member
}

// UnmarshalTLS reads with [DefaultCodePoints].
func (p *PublicMessage) UnmarshalTLS(r *wire.Reader) { p.read(r, &DefaultCodePoints) }

func (p *PublicMessage) read(r *wire.Reader, points *CodePoints) {
	p.Content.read(r, points)
	p.Auth.read(r, p.Content.Type)
	if p.Content.Sender.Type == SenderMember {
		p.MembershipTag = r.Opaque()
	}
}

func (p *PublicMessage) MarshalTLS(w *wire.Writer) {
	p.Content.MarshalTLS(w)
	p.Auth.write(w, p.Content.Type)
	if p.Content.Sender.Type == SenderMember {
		w.Opaque(p.MembershipTag)
	}
}

// Authenticated returns the message as what its signature is over.
func (p *PublicMessage) Authenticated() *AuthenticatedContent {
	return &AuthenticatedContent{WirePublicMessage, p.Content, p.Auth}
}

// membershipTag returns MAC(membership_key, AuthenticatedContentTBM) (RFC 9420,
// Section 6.2):
//
//	struct {
//	    FramedContentTBS content_tbs;
//	    FramedContentAuthData auth;
//	} AuthenticatedContentTBM;
func (c *AuthenticatedContent) membershipTag(s suite.Suite, key, context []byte) ([]byte, error) {
	w := wire.NewWriter(nil)
	c.writeTBS(w, context)
	c.Auth.write(w, c.Content.Type)
	tbm, err := w.Bytes()
	if err != nil {
		return nil, err
	}
	return s.HMAC(nil, key, tbm), nil
}

// ErrPublicApplication: application data must be encrypted (RFC 9420, Section 6).
var ErrPublicApplication = errors.New("application data in a PublicMessage, want a PrivateMessage")

// Public protects signed content as a PublicMessage. A member's gets a tag under
// the epoch's membership key; context is the epoch's GroupContext as it is encoded.
// Application data is refused with [ErrPublicApplication].
func (c *AuthenticatedContent) Public(s suite.Suite, membershipKey, context []byte) (*PublicMessage, error) {
	if c.Content.Type == ContentApplication {
		return nil, fmt.Errorf("message: %w", ErrPublicApplication)
	}
	p := &PublicMessage{Content: c.Content, Auth: c.Auth}
	if c.Content.Sender.Type != SenderMember {
		return p, nil
	}
	tag, err := c.membershipTag(s, membershipKey, context)
	p.MembershipTag = tag
	return p, err
}

// VerifyMembership reports whether a member's membership tag is right.
func (p *PublicMessage) VerifyMembership(s suite.Suite, membershipKey, context []byte) bool {
	tag, err := p.Authenticated().membershipTag(s, membershipKey, context)
	return err == nil && subtle.ConstantTimeCompare(tag, p.MembershipTag) == 1
}
