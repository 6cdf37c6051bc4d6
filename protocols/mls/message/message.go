package message

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Message is what clients send each other (RFC 9420, Section 6). Exactly one of
// the fields is set.
//
//	struct {
//	    ProtocolVersion version = mls10;
//	    WireFormat wire_format;
//	    select (MLSMessage.wire_format) {
//	        case mls_public_message:  PublicMessage public_message;
//	        case mls_private_message: PrivateMessage private_message;
//	        case mls_welcome:         Welcome welcome;
//	        case mls_group_info:      GroupInfo group_info;
//	        case mls_key_package:     KeyPackage key_package;
//	    };
//	} MLSMessage;
type Message struct {
	Public     *PublicMessage
	Private    *PrivateMessage
	Welcome    *Welcome
	GroupInfo  *GroupInfo
	KeyPackage *KeyPackage
}

// WireFormat returns which field is set, or 0.
func (m *Message) WireFormat() WireFormat {
	switch {
	case m.Public != nil:
		return WirePublicMessage
	case m.Private != nil:
		return WirePrivateMessage
	case m.Welcome != nil:
		return WireWelcome
	case m.GroupInfo != nil:
		return WireGroupInfo
	case m.KeyPackage != nil:
		return WireKeyPackage
	}
	return 0
}

// Parse reads an MLSMessage, all of b. points says which numbers proposals of the
// extensions have; nil means [DefaultCodePoints].
func Parse(b []byte, points *CodePoints) (*Message, error) {
	r := wire.NewReader(b)
	var m Message
	m.read(r, points.orDefault())
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	return &m, nil
}

// UnmarshalTLS reads with [DefaultCodePoints].
func (m *Message) UnmarshalTLS(r *wire.Reader) { m.read(r, &DefaultCodePoints) }

func (m *Message) read(r *wire.Reader, points *CodePoints) {
	version(r)
	switch f := WireFormat(r.Uint16()); f {
	case WirePublicMessage:
		m.Public = new(PublicMessage)
		m.Public.read(r, points)
	case WirePrivateMessage:
		m.Private = new(PrivateMessage)
		m.Private.UnmarshalTLS(r)
	case WireWelcome:
		m.Welcome = new(Welcome)
		m.Welcome.UnmarshalTLS(r)
	case WireGroupInfo:
		m.GroupInfo = new(GroupInfo)
		m.GroupInfo.UnmarshalTLS(r)
	case WireKeyPackage:
		m.KeyPackage = new(KeyPackage)
		m.KeyPackage.UnmarshalTLS(r)
	default:
		unknown(r, "wire_format", uint16(f))
	}
}

func (m *Message) MarshalTLS(w *wire.Writer) {
	w.Uint16(uint16(MLS10))
	w.Uint16(uint16(m.WireFormat()))
	switch {
	case m.Public != nil:
		m.Public.MarshalTLS(w)
	case m.Private != nil:
		m.Private.MarshalTLS(w)
	case m.Welcome != nil:
		m.Welcome.MarshalTLS(w)
	case m.GroupInfo != nil:
		m.GroupInfo.MarshalTLS(w)
	case m.KeyPackage != nil:
		m.KeyPackage.MarshalTLS(w)
	default:
		w.Fail(fmt.Errorf("message is empty"))
	}
}
