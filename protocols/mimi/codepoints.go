package mimi

import "github.com/mimi-lab/mimi-lab/protocols/mls/message"

// CodePoints are the numbers that no registry holds for good yet. A room is run
// with one set of them.
type CodePoints struct {
	// The components of draft-ietf-mimi-protocol-06, IANA Considerations.
	FrankAAD        message.ComponentID // frank_aad, in the AAD
	FrankingAgent   message.ComponentID // franking_signature_key, in the GroupContext
	ParticipantList message.ComponentID // participant_list, in the GroupContext
	RoomMetadata    message.ComponentID // room_metadata, in the GroupContext
	// MLS are those of the extensions of MLS, by which proposals are read.
	MLS message.CodePoints
}

// DefaultCodePoints are the values that the drafts suggest. It is not modified.
var DefaultCodePoints = CodePoints{
	FrankAAD:        0x0020,
	FrankingAgent:   0x0021,
	ParticipantList: 0x0022,
	RoomMetadata:    0x0023,
	MLS:             message.DefaultCodePoints,
}

// orDefault returns c, or the default if c is nil.
func (c *CodePoints) orDefault() *CodePoints {
	if c == nil {
		return &DefaultCodePoints
	}
	return c
}
