package message

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// ParentNode is a node of a ratchet tree above the leaves (RFC 9420, Section 7.1):
//
//	struct {
//	    HPKEPublicKey encryption_key;
//	    opaque parent_hash<V>;
//	    uint32 unmerged_leaves<V>;
//	} ParentNode;
type ParentNode struct {
	EncryptionKey  []byte
	ParentHash     []byte
	UnmergedLeaves []uint32 // leaf indexes, ascending
}

// UnmarshalTLS refuses unmerged leaves that do not ascend, which Section 7.1
// demands of who writes them.
func (p *ParentNode) UnmarshalTLS(r *wire.Reader) {
	p.EncryptionKey = r.Opaque()
	p.ParentHash = r.Opaque()
	r.Vector(func() {
		v := r.Uint32()
		if n := len(p.UnmergedLeaves); n > 0 && p.UnmergedLeaves[n-1] >= v {
			r.Fail(fmt.Errorf("unmerged leaf %d after %d, want ascending order", v, p.UnmergedLeaves[n-1]))
			return
		}
		p.UnmergedLeaves = append(p.UnmergedLeaves, v)
	})
}

func (p *ParentNode) MarshalTLS(w *wire.Writer) {
	w.Opaque(p.EncryptionKey)
	w.Opaque(p.ParentHash)
	w.Vector(func() {
		for _, v := range p.UnmergedLeaves {
			w.Uint32(v)
		}
	})
}

// NodeType says which kind a node of a ratchet tree is (RFC 9420, Section 7.8).
type NodeType uint8

const (
	NodeLeaf   NodeType = 1
	NodeParent NodeType = 2
)
