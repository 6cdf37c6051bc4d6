package tree

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// VerifyKeys checks what RFC 9420, Sections 7.3 and 12.4.3.1, ask of the keys and
// of the unmerged leaves of a tree: keys have the suite's lengths and are unique,
// and each unmerged leaf of a parent is a member under it and unmerged in all
// nodes in between. The error is an ErrKey or an ErrUnmerged.
func (t *Tree) VerifyKeys() error {
	for n := range NodeIndex(NodeWidth(t.width)) {
		key := t.encryptionKeyOf(n)
		if key == nil {
			continue
		}
		if err := t.checkLength(EncryptionKey, n, key); err != nil {
			return err
		}
		if i, ok := n.Leaf(); ok {
			if err := t.checkLength(SignatureKey, n, t.SignatureKey(i)); err != nil {
				return err
			}
		}
		if err := t.unique(n); err != nil {
			return err
		}
		if p := t.parentAt(n); p != nil {
			if err := t.checkUnmerged(n, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkLength checks the length of a key that n has or is to get.
func (t *Tree) checkLength(kind KeyKind, n NodeIndex, key []byte) error {
	sizes := t.suite.ID().Sizes()
	want := sizes.KEMPublic
	if kind == SignatureKey {
		want = sizes.SignPublic
	}
	if len(key) != want {
		return fmt.Errorf("%w: %v of node %d has %d bytes, want %d", ErrKey, kind, n, len(key), want)
	}
	return nil
}

func (t *Tree) checkUnmerged(n NodeIndex, p *parent) error {
	for _, u := range p.unmerged {
		i := LeafIndex(u)
		if uint32(i) >= t.width || !i.Node().In(n) || t.leafAt(i) == nil {
			return fmt.Errorf("%w: leaf %d, unmerged at node %d, is no member under it", ErrUnmerged, u, n)
		}
		for m := parentOf(i.Node()); m != n; m = parentOf(m) {
			between := t.parentAt(m)
			if between == nil {
				continue
			}
			if _, ok := slices.BinarySearch(between.unmerged, u); !ok {
				return fmt.Errorf("%w: leaf %d is unmerged at node %d and not at node %d below", ErrUnmerged, u, n, m)
			}
		}
	}
	return nil
}

// Verified remembers which leaves had a signature that verified, so that one
// seen again in another group, tree or epoch costs a hash. One may serve any number
// of trees and suites; it holds no lock. The zero value remembers nothing.
type Verified struct {
	limit     int
	now, past map[[32]byte]struct{} // past is what is forgotten next
}

// NewVerified returns a memory for limit leaves at least and twice as many at most.
func NewVerified(limit int) *Verified {
	return &Verified{limit: limit, now: map[[32]byte]struct{}{}}
}

// has reports whether a leaf was verified. A nil memory has none.
func (v *Verified) has(key [32]byte) bool {
	if v == nil {
		return false
	}
	_, now := v.now[key]
	_, past := v.past[key]
	return now || past
}

func (v *Verified) add(key [32]byte) {
	if v == nil || v.limit <= 0 {
		return
	}
	if len(v.now) >= v.limit {
		v.past, v.now = v.now, make(map[[32]byte]struct{}, v.limit)
	}
	v.now[key] = struct{}{}
}

// batch is how many signatures are verified at once: enough for what batches save,
// and few enough that what is signed takes little memory.
const batch = 512

// signed is a leaf's signature as it is verified.
type signed struct {
	leaf      LeafIndex
	key       [32]byte // in Verified
	public    []byte
	message   []byte
	signature []byte
}

// VerifyLeaves checks the signatures of all leaves of a group (RFC 9420, Section
// 7.3), but not of those that memo, which may be nil, remembers. The error is an
// ErrSignature, and bad is a leaf with such a signature.
func (t *Tree) VerifyLeaves(groupID []byte, memo *Verified) (bad LeafIndex, err error) {
	h := newHasher(t.suite)
	var pending []signed
	var arena []byte // of what is signed, for one batch
	flush := func() error {
		k, err := verifyAll(t.suite, pending)
		if err != nil {
			bad = pending[k].leaf
			return fmt.Errorf("%w: leaf %d: %w", ErrSignature, bad, err)
		}
		for i := range pending {
			memo.add(pending[i].key)
		}
		pending, arena = pending[:0], arena[:0]
		return nil
	}
	for i := range t.leaves {
		l := t.leafAt(i)
		start := len(arena)
		arena = appendSigned(arena, l, groupID, i)
		s := signed{leaf: i, public: l.signatureKey(), message: arena[start:len(arena):len(arena)]}
		_, s.signature = l.unsigned()
		if memo != nil {
			s.key = h.verifiedKey(&s)
			if memo.has(s.key) {
				arena = arena[:start]
				continue
			}
		}
		if pending = append(pending, s); len(pending) == batch {
			if err := flush(); err != nil {
				return bad, err
			}
		}
	}
	return bad, flush()
}

// appendSigned appends what a leaf's signature is over (RFC 9420, Section 7.2; see
// message.LeafNode.TBS).
func appendSigned(dst []byte, l *leaf, groupID []byte, i LeafIndex) []byte {
	content, _ := l.unsigned()
	if l.source() != message.SourceKeyPackage {
		w := wire.NewWriter(slices.Clone(content))
		w.Opaque(groupID)
		w.Uint32(uint32(i))
		var err error
		if content, err = w.Bytes(); err != nil {
			panic("tree: invariant broken, a group ID fits a vector: " + err.Error())
		}
	}
	return labeled.SignContent(dst, message.LabelLeafNode, content)
}

// verifiedKey returns the name of a signature in Verified.
func (h *hasher) verifiedKey(s *signed) (key [32]byte) {
	w := wire.NewWriter(h.buf[:0])
	w.Uint16(uint16(h.s.ID()))
	w.Opaque(s.public)
	w.Opaque(s.message)
	w.Opaque(s.signature)
	var sum [64]byte
	copy(key[:], h.sum(sum[:0], w))
	return key
}

// verifyAll verifies signatures and returns the position of one that is not valid.
func verifyAll(s suite.Suite, list []signed) (bad int, err error) {
	for i := range list {
		if err := s.Verify(list[i].public, list[i].message, list[i].signature); err != nil {
			return i, err
		}
	}
	return 0, nil
}

// VerifyListed checks that each leaf's own capabilities list its credential type
// and its extensions (RFC 9420, Sections 7.2 and 7.3). The error is an ErrListed.
func (t *Tree) VerifyListed() (bad LeafIndex, err error) {
	for i := range t.leaves {
		l := t.leafAt(i)
		if c := l.credentialType(); !l.set.caps.SupportsCredential(c) {
			return i, fmt.Errorf("%w: leaf %d has a credential of type %v", ErrListed, i, c)
		}
		for e := range l.extensionTypes {
			if !l.set.caps.SupportsExtension(e) {
				return i, fmt.Errorf("%w: leaf %d has an extension of type %v", ErrListed, i, e)
			}
		}
	}
	return 0, nil
}

// ErrListed: a leaf uses what its own capabilities do not list.
var ErrListed = errors.New("tree: leaf does not support what it uses")
