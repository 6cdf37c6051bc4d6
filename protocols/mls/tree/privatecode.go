package tree

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// privateVersion is that of the encoding of Private.
const privateVersion = 1

// MarshalTLS writes the keys for a store, which has to keep them secret:
//
//	struct { opaque private<V>; opaque public<V>; } KeyPair;
//
//	struct {
//	    uint16 version = 1;
//	    uint32 leaf_index;
//	    KeyPair leaf;
//	    struct { uint32 node; KeyPair pair; } nodes<V>; // upwards
//	} Private;
func (v *Private) MarshalTLS(w *wire.Writer) {
	w.Uint16(privateVersion)
	w.Uint32(uint32(v.leaf))
	putPair(w, v.pair)
	w.Vector(func() {
		for _, k := range v.nodes {
			w.Uint32(uint32(k.node))
			putPair(w, k.pair)
		}
	})
}

func putPair(w *wire.Writer, p suite.KeyPair) {
	w.Opaque(p.Private)
	w.Opaque(p.Public)
}

// UnmarshalTLS reads what MarshalTLS wrote. Whether keys belong together and to a
// tree is for Check to say.
func (v *Private) UnmarshalTLS(r *wire.Reader) {
	*v = Private{}
	if version := r.Uint16(); r.Err() == nil && version != privateVersion {
		r.Fail(fmt.Errorf("%w: private keys of version %d, want %d", ErrFormat, version, privateVersion))
	}
	v.leaf = LeafIndex(r.Uint32())
	if v.leaf >= MaxWidth {
		r.Fail(fmt.Errorf("%w: leaf %d, want less than %d", ErrFormat, v.leaf, MaxWidth))
	}
	v.pair = pair(r)
	r.Vector(func() {
		k := nodeKey{node: NodeIndex(r.Uint32())}
		below := v.leaf.Node()
		if n := len(v.nodes); n > 0 {
			below = v.nodes[n-1].node
		}
		if k.node.Level() <= below.Level() || uint32(k.node) >= NodeWidth(MaxWidth) || !v.leaf.Node().In(k.node) {
			r.Fail(fmt.Errorf("%w: node %d after %d, want one above leaf %d", ErrFormat, k.node, below, v.leaf))
			return
		}
		k.pair = pair(r)
		v.nodes = append(v.nodes, k)
	})
}

func pair(r *wire.Reader) suite.KeyPair {
	return suite.KeyPair{Private: r.Opaque(), Public: r.Opaque()}
}
