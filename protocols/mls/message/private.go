package message

import (
	"errors"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// PrivateMessage is a FramedContent that is signed and encrypted (RFC 9420,
// Section 6.3):
//
//	struct {
//	    opaque group_id<V>;
//	    uint64 epoch;
//	    ContentType content_type;
//	    opaque authenticated_data<V>;
//	    opaque encrypted_sender_data<V>;
//	    opaque ciphertext<V>;
//	} PrivateMessage;
type PrivateMessage struct {
	GroupID             []byte
	Epoch               uint64
	ContentType         ContentType
	AuthenticatedData   []byte
	EncryptedSenderData []byte
	Ciphertext          []byte
}

// SafeAAD returns the items of the authenticated_data, which is not encrypted: a
// server can read them without the group's secrets. That the group has safe_aad in
// its GroupContext, so that the data is framed, is for the caller to know; that
// they are the sender's is for members to verify.
func (p *PrivateMessage) SafeAAD() (SafeAAD, error) { return ParseSafeAAD(p.AuthenticatedData) }

func (p *PrivateMessage) UnmarshalTLS(r *wire.Reader) {
	p.GroupID = r.Opaque()
	p.Epoch = r.Uint64()
	var c Content
	c.readType(r)
	p.ContentType = c.Type
	p.AuthenticatedData = r.Opaque()
	p.EncryptedSenderData = r.Opaque()
	p.Ciphertext = r.Opaque()
}

func (p *PrivateMessage) MarshalTLS(w *wire.Writer) {
	p.writeContentAAD(w)
	w.Opaque(p.EncryptedSenderData)
	w.Opaque(p.Ciphertext)
}

// writeContentAAD writes what the content's encryption authenticates, which is
// also how a PrivateMessage begins (RFC 9420, Section 6.3.1):
//
//	struct {
//	    opaque group_id<V>;
//	    uint64 epoch;
//	    ContentType content_type;
//	    opaque authenticated_data<V>;
//	} PrivateContentAAD;
func (p *PrivateMessage) writeContentAAD(w *wire.Writer) {
	p.writeSenderDataAAD(w)
	w.Opaque(p.AuthenticatedData)
}

// writeSenderDataAAD writes what the sender data's encryption authenticates (RFC
// 9420, Section 6.3.2):
//
//	struct {
//	    opaque group_id<V>;
//	    uint64 epoch;
//	    ContentType content_type;
//	} SenderDataAAD;
func (p *PrivateMessage) writeSenderDataAAD(w *wire.Writer) {
	w.Opaque(p.GroupID)
	w.Uint64(p.Epoch)
	w.Uint8(uint8(p.ContentType))
}

// ContentAAD appends PrivateContentAAD to dst.
func (p *PrivateMessage) ContentAAD(dst []byte) ([]byte, error) {
	w := wire.NewWriter(dst)
	p.writeContentAAD(w)
	return w.Bytes()
}

// SenderDataAAD appends SenderDataAAD to dst.
func (p *PrivateMessage) SenderDataAAD(dst []byte) ([]byte, error) {
	w := wire.NewWriter(dst)
	p.writeSenderDataAAD(w)
	return w.Bytes()
}

// SenderDataSize is the size of SenderData in bytes.
const SenderDataSize = 4 + 4 + 4

// SenderData says who sent a PrivateMessage and which key protects it (RFC 9420,
// Section 6.3.2):
//
//	struct {
//	    uint32 leaf_index;
//	    uint32 generation;
//	    opaque reuse_guard[4];
//	} SenderData;
type SenderData struct {
	LeafIndex  uint32
	Generation uint32
	ReuseGuard [4]byte
}

func (s *SenderData) UnmarshalTLS(r *wire.Reader) {
	s.LeafIndex = r.Uint32()
	s.Generation = r.Uint32()
	copy(s.ReuseGuard[:], r.Fixed(4))
}

func (s *SenderData) MarshalTLS(w *wire.Writer) {
	w.Uint32(s.LeafIndex)
	w.Uint32(s.Generation)
	w.Fixed(s.ReuseGuard[:])
}

var errPadding = errors.New("padding is not all zero")

// AppendPrivateContent appends what a PrivateMessage encrypts to dst (RFC 9420,
// Section 6.3.1):
//
//	struct {
//	    select (PrivateMessage.content_type) {
//	        case application: opaque application_data<V>;
//	        case proposal:    Proposal proposal;
//	        case commit:      Commit commit;
//	    };
//	    FramedContentAuthData auth;
//	    opaque padding[length_of_padding];
//	} PrivateMessageContent;
func (c *AuthenticatedContent) AppendPrivateContent(dst []byte, padding int) ([]byte, error) {
	w := wire.NewWriter(dst)
	c.Content.writeBody(w)
	c.Auth.write(w, c.Content.Type)
	w.Fixed(make([]byte, padding))
	return w.Bytes()
}

// ReadPrivateContent reads what a PrivateMessage of type t encrypted, into the
// content and authentication of c. Padding other than zeros is an error. points
// nil means [DefaultCodePoints].
func (c *AuthenticatedContent) ReadPrivateContent(b []byte, t ContentType, points *CodePoints) error {
	r := wire.NewReader(b)
	c.Content.Type = t
	c.Content.readBody(r, points.orDefault())
	c.Auth.read(r, t)
	if r.Err() != nil {
		return fmt.Errorf("message: content of a PrivateMessage: %w", r.Err())
	}
	for _, x := range b[r.Offset():] {
		if x != 0 {
			return fmt.Errorf("message: content of a PrivateMessage: %w", errPadding)
		}
	}
	return nil
}
