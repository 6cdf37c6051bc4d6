package tree

import (
	"encoding/binary"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// leaf is a LeafNode as the tree keeps it: its encoding, which is what is hashed,
// sent and mostly asked for. The keys and the credential come first in it, so
// they are found by skipping one or two lengths. The zero value is blank.
type leaf struct {
	raw []byte
	set *capabilitySet // of all leaves with equal capabilities
}

// parent is a ParentNode as the tree keeps it. keys is encryption_key<V> followed
// by parent_hash<V>, as encoded; nil is a blank node.
type parent struct {
	keys     []byte
	unmerged []uint32
}

// capabilitySet is what leaves with equal capabilities share.
type capabilitySet struct {
	raw  []byte // the encoding of caps
	caps message.Capabilities
}

// cut splits the opaque<V> at the beginning of b, which is known to be
// well-formed, from what follows it.
func cut(b []byte) (opaque, rest []byte) {
	n, size := int(b[0]&0x3f), 1<<(b[0]>>6)
	switch size {
	case 2:
		n = n<<8 | int(b[1])
	case 4:
		n = int(binary.BigEndian.Uint32(b) & (1<<30 - 1))
	}
	return b[size : size+n : size+n], b[size+n:]
}

func (l *leaf) blank() bool { return l.raw == nil }

func (l *leaf) encryptionKey() []byte {
	key, _ := cut(l.raw)
	return key
}

func (l *leaf) signatureKey() []byte {
	_, rest := cut(l.raw)
	key, _ := cut(rest)
	return key
}

// credential returns the encoding from the credential on.
func (l *leaf) credential() []byte {
	_, rest := cut(l.raw)
	_, rest = cut(rest)
	return rest
}

func (l *leaf) credentialType() message.CredentialType {
	return message.CredentialType(binary.BigEndian.Uint16(l.credential()))
}

// afterCapabilities returns the encoding from leaf_node_source on.
func (l *leaf) afterCapabilities() []byte {
	// Credentials of all types are read as one opaque<V> behind the type.
	_, rest := cut(l.credential()[2:])
	return rest[len(l.set.raw):]
}

func (l *leaf) source() message.LeafNodeSource {
	return message.LeafNodeSource(l.afterCapabilities()[0])
}

// parentHash returns the parent hash, nil if the source is not commit.
func (l *leaf) parentHash() []byte {
	rest := l.afterCapabilities()
	if message.LeafNodeSource(rest[0]) != message.SourceCommit {
		return nil
	}
	hash, _ := cut(rest[1:])
	return hash
}

// extensions returns the elements of the extensions, and what follows them.
func (l *leaf) extensions() (elements, rest []byte) {
	rest = l.afterCapabilities()
	switch message.LeafNodeSource(rest[0]) {
	case message.SourceKeyPackage:
		rest = rest[1+8+8:]
	case message.SourceCommit:
		_, rest = cut(rest[1:])
	default:
		rest = rest[1:]
	}
	return cut(rest)
}

// extensionTypes yields the types of the extensions.
func (l *leaf) extensionTypes(yield func(message.ExtensionType) bool) {
	rest, _ := l.extensions()
	for len(rest) > 0 {
		t := message.ExtensionType(binary.BigEndian.Uint16(rest))
		if !yield(t) {
			return
		}
		_, rest = cut(rest[2:])
	}
}

// unsigned returns the encoding up to the signature, and the signature.
func (l *leaf) unsigned() (content, signature []byte) {
	_, rest := l.extensions()
	signature, _ = cut(rest)
	return l.raw[:len(l.raw)-len(rest)], signature
}

// node returns the LeafNode, read anew, or nil.
func (l *leaf) node() *message.LeafNode {
	if l.blank() {
		return nil
	}
	n := new(message.LeafNode)
	if err := wire.Unmarshal(l.raw, n); err != nil {
		panic(fmt.Sprintf("tree: invariant broken, leaves are well-formed: %v", err))
	}
	return n
}

// scanLeaf reads past a LeafNode as message.LeafNode reads one, but keeps nothing
// and allocates nothing. It returns where in b the capabilities are.
func scanLeaf(r *wire.Reader) (start, end int) {
	r.Opaque()
	r.Opaque()
	if message.CredentialType(r.Uint16()) == message.CredentialX509 {
		r.Vector(func() { r.Opaque() })
	} else {
		r.Opaque()
	}
	start = r.Offset()
	for range 5 {
		if codes := r.Opaque(); len(codes)%2 != 0 {
			r.Fail(wire.ErrTruncated)
		}
	}
	end = r.Offset()
	switch s := message.LeafNodeSource(r.Uint8()); s {
	case message.SourceKeyPackage:
		r.Uint64()
		r.Uint64()
	case message.SourceUpdate:
	case message.SourceCommit:
		r.Opaque()
	default:
		r.Fail(fmt.Errorf("no such leaf_node_source: %d", s))
	}
	r.Vector(func() {
		r.Uint16()
		r.Opaque()
	})
	r.Opaque() // signature
	return start, end
}

func newParent(key, parentHash []byte, unmerged []uint32) parent {
	w := wire.NewWriter(make([]byte, 0, len(key)+len(parentHash)+4))
	w.Opaque(key)
	w.Opaque(parentHash)
	b, err := w.Bytes()
	if err != nil {
		panic(fmt.Sprintf("tree: invariant broken, keys and hashes are short: %v", err))
	}
	return parent{b, unmerged}
}

func (p *parent) blank() bool { return p.keys == nil }

func (p *parent) encryptionKey() []byte {
	key, _ := cut(p.keys)
	return key
}

func (p *parent) parentHash() []byte {
	_, rest := cut(p.keys)
	hash, _ := cut(rest)
	return hash
}

// write writes the ParentNode.
func (p *parent) write(w *wire.Writer) {
	w.Fixed(p.keys)
	w.Vector(func() {
		for _, v := range p.unmerged {
			w.Uint32(v)
		}
	})
}
