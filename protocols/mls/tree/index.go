package tree

import (
	"bytes"
	"hash/maphash"

	"github.com/mimi-lab/mimi-lab/protocols/mls/internal/persist"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// seed is that of the hashes in all indexes of a process. Keys come from others;
// with a seed that they can't know they can't crowd one place of an index. It
// decides nothing but where entries lie: the same questions get the same answers.
var seed = maphash.MakeSeed()

func hashOf(key []byte) uint32 { return uint32(maphash.Bytes(seed, key)) }

// index is what a tree knows by something else than its place.
type index struct {
	encryption  persist.Trie[NodeIndex] // nodes by encryption key
	signature   persist.Trie[LeafIndex] // leaves by signature key
	sets        persist.Trie[setCount]  // capabilities in use
	credentials persist.Trie[typeCount] // credential types in use
}

// setCount says how many leaves have these capabilities.
type setCount struct {
	set *capabilitySet
	n   uint32
}

// typeCount says how many leaves have a credential of this type.
type typeCount struct {
	t message.CredentialType
	n uint32
}

// encryptionKeyOf returns the encryption key of a node, nil if it is blank.
func (t *Tree) encryptionKeyOf(n NodeIndex) []byte {
	if i, ok := n.Leaf(); ok {
		if l := t.leafAt(i); l != nil {
			return l.encryptionKey()
		}
		return nil
	}
	if p := t.parentAt(n); p != nil {
		return p.encryptionKey()
	}
	return nil
}

// NodeByEncryptionKey returns the node that has an encryption key.
func (t *Tree) NodeByEncryptionKey(key []byte) (NodeIndex, bool) {
	return t.otherWithKey(key, func(NodeIndex) bool { return true })
}

// LeafByEncryptionKey returns the leaf that has an encryption key. That of a parent
// is none of a leaf.
func (t *Tree) LeafByEncryptionKey(key []byte) (LeafIndex, bool) {
	n, ok := t.otherWithKey(key, func(n NodeIndex) bool { return n&1 == 0 })
	return LeafIndex(n >> 1), ok
}

// otherWithKey returns a node with an encryption key for which match is true.
func (t *Tree) otherWithKey(key []byte, match func(NodeIndex) bool) (NodeIndex, bool) {
	return t.index.encryption.Find(hashOf(key), func(n NodeIndex) bool {
		return match(n) && bytes.Equal(t.encryptionKeyOf(n), key)
	})
}

// LeafBySignatureKey returns the leaf that has a signature key.
func (t *Tree) LeafBySignatureKey(key []byte) (LeafIndex, bool) {
	return t.otherSigner(key, func(LeafIndex) bool { return true })
}

// otherSigner returns a leaf with a signature key for which match is true.
func (t *Tree) otherSigner(key []byte, match func(LeafIndex) bool) (LeafIndex, bool) {
	return t.index.signature.Find(hashOf(key), func(i LeafIndex) bool {
		return match(i) && bytes.Equal(t.leafAt(i).signatureKey(), key)
	})
}

// addLeaf enters a leaf's keys, its capabilities and its credential type.
func (x *index) addLeaf(o *persist.Owner, i LeafIndex, l *leaf) {
	x.encryption.Put(o, hashOf(l.encryptionKey()), i.Node())
	x.signature.Put(o, hashOf(l.signatureKey()), i)
	x.countSet(o, l.set, +1)
	x.countType(o, l.credentialType(), +1)
}

// removeLeaf is the inverse of addLeaf.
func (x *index) removeLeaf(o *persist.Owner, i LeafIndex, l *leaf) {
	x.encryption.Remove(o, hashOf(l.encryptionKey()), func(n NodeIndex) bool { return n == i.Node() })
	x.signature.Remove(o, hashOf(l.signatureKey()), func(j LeafIndex) bool { return j == i })
	x.countSet(o, l.set, -1)
	x.countType(o, l.credentialType(), -1)
}

func (x *index) addParent(o *persist.Owner, n NodeIndex, p *parent) {
	x.encryption.Put(o, hashOf(p.encryptionKey()), n)
}

func (x *index) removeParent(o *persist.Owner, n NodeIndex, p *parent) {
	x.encryption.Remove(o, hashOf(p.encryptionKey()), func(m NodeIndex) bool { return m == n })
}

// intern returns the set with this encoding: one in use, or a new one. raw is a
// Capabilities that is known to be well-formed.
func (x *index) intern(raw []byte) *capabilitySet {
	if c, ok := x.sets.Find(hashOf(raw), func(c setCount) bool { return bytes.Equal(c.set.raw, raw) }); ok {
		return c.set
	}
	set := &capabilitySet{raw: raw}
	if err := wire.Unmarshal(raw, &set.caps); err != nil {
		panic("tree: invariant broken, capabilities are well-formed: " + err.Error())
	}
	return set
}

// countSet adds d to the count of a set. Sets are compared by address: intern
// sees to it that equal ones are the same.
func (x *index) countSet(o *persist.Owner, set *capabilitySet, d int) {
	hash := hashOf(set.raw)
	same := func(c setCount) bool { return c.set == set }
	c, ok := x.sets.Find(hash, same)
	if ok {
		x.sets.Remove(o, hash, same)
	}
	if n := int(c.n) + d; n > 0 {
		x.sets.Put(o, hash, setCount{set, uint32(n)})
	}
}

func (x *index) countType(o *persist.Owner, t message.CredentialType, d int) {
	hash := hashOf([]byte{byte(t >> 8), byte(t)})
	same := func(c typeCount) bool { return c.t == t }
	c, ok := x.credentials.Find(hash, same)
	if ok {
		x.credentials.Remove(o, hash, same)
	}
	if n := int(c.n) + d; n > 0 {
		x.credentials.Put(o, hash, typeCount{t, uint32(n)})
	}
}

// CredentialTypes calls yield with each credential type that members use, in no
// particular order, until it returns false.
func (t *Tree) CredentialTypes(yield func(message.CredentialType) bool) {
	t.index.credentials.All(func(c typeCount) bool { return yield(c.t) })
}

// UnsupportedExtension returns a member whose capabilities lack one of the
// extension types, and whether there is one (RFC 9420, Section 7.3). It looks at
// each distinct Capabilities once, however many members have it.
func (t *Tree) UnsupportedExtension(types ...message.ExtensionType) (LeafIndex, bool) {
	return t.lacking(func(c *message.Capabilities) bool { return all(types, c.SupportsExtension) })
}

// UnsupportedProposal is UnsupportedExtension for proposal types.
func (t *Tree) UnsupportedProposal(types ...message.ProposalType) (LeafIndex, bool) {
	return t.lacking(func(c *message.Capabilities) bool { return all(types, c.SupportsProposal) })
}

// UnsupportedCredential is UnsupportedExtension for credential types.
func (t *Tree) UnsupportedCredential(types ...message.CredentialType) (LeafIndex, bool) {
	return t.lacking(func(c *message.Capabilities) bool { return all(types, c.SupportsCredential) })
}

func all[T any](types []T, supports func(T) bool) bool {
	for _, t := range types {
		if !supports(t) {
			return false
		}
	}
	return true
}

// lacking returns the first member among those with some capabilities for which
// ok is false. Only then it looks for that member.
func (t *Tree) lacking(ok func(*message.Capabilities) bool) (LeafIndex, bool) {
	var bad *capabilitySet
	for c := range t.index.sets.All {
		if !ok(&c.set.caps) {
			bad = c.set
			break
		}
	}
	if bad == nil {
		return 0, false
	}
	for i := range t.leaves {
		if t.leafAt(i).set == bad {
			return i, true
		}
	}
	panic("tree: invariant broken, capabilities that are counted are some member's")
}
