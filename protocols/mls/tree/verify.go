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
// of the unmerged leaves of a tree: keys are such that one can encrypt to them, and unique,
// and each unmerged leaf of a parent is a member under it and unmerged in all
// nodes in between. The error is an ErrKey or an ErrUnmerged.
func (t *Tree) VerifyKeys() error {
	for n := range NodeIndex(NodeWidth(t.width)) {
		key := t.encryptionKeyOf(n)
		if key == nil {
			continue
		}
		if err := t.checkEncryptionKey(n, key); err != nil {
			return err
		}
		if i, ok := n.Leaf(); ok {
			if err := t.checkSignatureKey(n, t.SignatureKey(i)); err != nil {
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

// checkEncryptionKey checks that one can encrypt to a key that n has or is to get.
func (t *Tree) checkEncryptionKey(n NodeIndex, key []byte) error {
	if err := suite.CheckPublicKey(t.suite, key); err != nil {
		return fmt.Errorf("%w: %v of node %d: %w", ErrKey, EncryptionKey, n, err)
	}
	return nil
}

// checkSignatureKey checks the length of a key that a leaf has or is to get.
func (t *Tree) checkSignatureKey(n NodeIndex, key []byte) error {
	if want := t.suite.ID().Sizes().SignPublic; len(key) != want {
		return fmt.Errorf("%w: %v of node %d has %d bytes, want %d", ErrKey, SignatureKey, n, len(key), want)
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
const batch = 4096

// pending are leaves whose signatures are to be verified, by position.
type pending struct {
	leaves     []LeafIndex
	keys       [][32]byte // in Verified
	signatures []suite.Signature
	arena      []byte // what is signed
}

// verify verifies them, has memo remember them, and forgets them.
func (p *pending) verify(s suite.Suite, memo *Verified) (bad LeafIndex, err error) {
	if k, err := suite.VerifyBatch(s, p.signatures); err != nil {
		return p.leaves[k], fmt.Errorf("%w: leaf %d: %w", ErrSignature, p.leaves[k], err)
	}
	for _, key := range p.keys {
		memo.add(key)
	}
	p.leaves, p.keys, p.signatures, p.arena = p.leaves[:0], p.keys[:0], p.signatures[:0], p.arena[:0]
	return 0, nil
}

// VerifyLeaves checks the signatures of all leaves of a group (RFC 9420, Section
// 7.3), but not of those that memo, which may be nil, remembers. The error is an
// ErrSignature, and bad is a leaf with such a signature. Signatures are accepted as
// suite.VerifyBatch accepts them.
func (t *Tree) VerifyLeaves(groupID []byte, memo *Verified) (bad LeafIndex, err error) {
	h := newHasher(t.suite)
	var p pending
	for i := range t.leaves {
		l := t.leafAt(i)
		start := len(p.arena)
		p.arena = appendSigned(p.arena, l, groupID, i)
		_, signature := l.unsigned()
		s := suite.Signature{Public: l.signatureKey(), Message: slices.Clip(p.arena[start:]), Signature: signature}
		if memo != nil {
			key := h.verifiedKey(&s)
			if memo.has(key) {
				p.arena = p.arena[:start]
				continue
			}
			p.keys = append(p.keys, key)
		}
		p.leaves, p.signatures = append(p.leaves, i), append(p.signatures, s)
		if len(p.leaves) == batch {
			if bad, err := p.verify(t.suite, memo); err != nil {
				return bad, err
			}
		}
	}
	return p.verify(t.suite, memo)
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
func (h *hasher) verifiedKey(s *suite.Signature) (key [32]byte) {
	w := wire.NewWriter(h.buf[:0])
	w.Uint16(uint16(h.s.ID()))
	w.Opaque(s.Public)
	w.Opaque(s.Message)
	w.Opaque(s.Signature)
	var sum [64]byte
	copy(key[:], h.sum(sum[:0], w))
	return key
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
