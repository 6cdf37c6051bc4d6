package message

import "github.com/mimi-lab/mimi-lab/protocols/wire"

// CodePoints are the numbers of what draft-ietf-mls-extensions-10 defines. They are
// not in the registries for good yet, and implementations differ: a group is run
// with one set of them.
type CodePoints struct {
	AppDataDictionary    ExtensionType
	SupportedWireFormats ExtensionType
	RequiredWireFormats  ExtensionType
	AppDataUpdate        ProposalType
	AppEphemeral         ProposalType
	SelfRemove           ProposalType
	AppComponents        ComponentID
	SafeAAD              ComponentID
	ContentMediaTypes    ComponentID
	LastResortKeyPackage ComponentID
}

// DefaultCodePoints are those of draft-ietf-mls-extensions-10, Section IANA
// Considerations. It is not modified.
var DefaultCodePoints = CodePoints{
	AppDataDictionary:    0x0006,
	SupportedWireFormats: 0x0007,
	RequiredWireFormats:  0x0008,
	AppDataUpdate:        0x0008,
	AppEphemeral:         0x0009,
	SelfRemove:           0x000a,
	AppComponents:        1,
	SafeAAD:              2,
	ContentMediaTypes:    3,
	LastResortKeyPackage: 4,
}

// orDefault returns c, or the default if c is nil.
func (c *CodePoints) orDefault() *CodePoints {
	if c == nil {
		return &DefaultCodePoints
	}
	return c
}

// Proposal reads a proposal whose type is a number of c.
func (c *CodePoints) Proposal(r *wire.Reader) (p Proposal) {
	p.read(r, c.orDefault())
	return p
}

// Message reads an MLSMessage in which proposals have the numbers of c. It is for a
// struct that has messages among its fields; [Parse] reads one that stands alone.
func (c *CodePoints) Message(r *wire.Reader) (m Message) {
	m.read(r, c.orDefault())
	return m
}
