package message

import (
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// GroupContext is what all members of an epoch agree on (RFC 9420, Section 8.1):
//
//	struct {
//	    ProtocolVersion version = mls10;
//	    CipherSuite cipher_suite;
//	    opaque group_id<V>;
//	    uint64 epoch;
//	    opaque tree_hash<V>;
//	    opaque confirmed_transcript_hash<V>;
//	    Extension extensions<V>;
//	} GroupContext;
type GroupContext struct {
	Suite                   suite.ID
	GroupID                 []byte
	Epoch                   uint64
	TreeHash                []byte
	ConfirmedTranscriptHash []byte
	Extensions              Extensions
}

func (c *GroupContext) UnmarshalTLS(r *wire.Reader) {
	version(r)
	c.Suite = suite.ID(r.Uint16())
	c.GroupID = r.Opaque()
	c.Epoch = r.Uint64()
	c.TreeHash = r.Opaque()
	c.ConfirmedTranscriptHash = r.Opaque()
	c.Extensions.UnmarshalTLS(r)
}

func (c *GroupContext) MarshalTLS(w *wire.Writer) {
	w.Uint16(uint16(MLS10))
	w.Uint16(uint16(c.Suite))
	w.Opaque(c.GroupID)
	w.Uint64(c.Epoch)
	w.Opaque(c.TreeHash)
	w.Opaque(c.ConfirmedTranscriptHash)
	c.Extensions.MarshalTLS(w)
}
