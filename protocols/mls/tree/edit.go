package tree

import (
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/internal/persist"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Edit stages changes of a tree: the proposals of a Commit, then its path. The tree
// that it began with does not change. What an Edit returned an error for it did
// not do, and the Edit may go on.
//
// Keys must be unique in the tree that Tree returns and not on the way there, since
// two members may swap keys in one Commit; so that is checked by Check and Tree.
type Edit struct {
	t     Tree // the state so far; hashes are not up to date
	base  *Tree
	owner *persist.Owner
	put   []NodeIndex            // nodes whose keys are new
	grown map[NodeIndex]struct{} // parents whose unmerged list grew
}

// Edit begins to stage changes.
func (t *Tree) Edit() *Edit { return t.edit() }

func (t *Tree) edit() *Edit {
	return &Edit{t: *t, base: t, owner: new(persist.Owner), grown: map[NodeIndex]struct{}{}}
}

// Tree checks the result as Check does, hashes what changed and returns the new
// tree. The Edit may not be used afterwards.
func (e *Edit) Tree() (*Tree, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	e.truncate() // after a NextLeaf that was not filled
	e.clip()
	t := e.t
	t.rehash()
	e.t, e.owner = Tree{}, nil
	return &t, nil
}

// Check reports whether the keys that came in since the Edit began are unique. The
// error is a *DuplicateKeyError.
func (e *Edit) Check() error {
	for _, n := range e.put {
		if err := e.t.unique(n); err != nil {
			return err
		}
	}
	return nil
}

// unique reports whether no other node has a key of n.
func (t *Tree) unique(n NodeIndex) error {
	key := t.encryptionKeyOf(n)
	if key == nil {
		return nil // blanked again, or out of range again
	}
	if other, ok := t.otherWithKey(key, func(m NodeIndex) bool { return m != n }); ok {
		return &DuplicateKeyError{EncryptionKey, n, other}
	}
	i, ok := n.Leaf()
	if !ok {
		return nil
	}
	if other, ok := t.otherSigner(t.leafAt(i).signatureKey(), func(j LeafIndex) bool { return j != i }); ok {
		return &DuplicateKeyError{SignatureKey, n, other.Node()}
	}
	return nil
}

// Width, Members, Leaf, SignatureKey, EncryptionKey, Resolution and
// FilteredDirectPath are those of Tree for the state so far.
func (e *Edit) Width() uint32                                  { return e.t.Width() }
func (e *Edit) Members() int                                   { return e.t.Members() }
func (e *Edit) Leaf(i LeafIndex) *message.LeafNode             { return e.t.Leaf(i) }
func (e *Edit) Parent(n NodeIndex) *message.ParentNode         { return e.t.Parent(n) }
func (e *Edit) SignatureKey(i LeafIndex) []byte                { return e.t.SignatureKey(i) }
func (e *Edit) EncryptionKey(n NodeIndex) []byte               { return e.t.EncryptionKey(n) }
func (e *Edit) Resolution(n NodeIndex) []NodeIndex             { return e.t.Resolution(n) }
func (e *Edit) Capabilities(i LeafIndex) *message.Capabilities { return e.t.Capabilities(i) }

func (e *Edit) FilteredDirectPath(i LeafIndex) (path, copath []NodeIndex) {
	return e.t.FilteredDirectPath(i)
}

func (e *Edit) LeafBySignatureKey(key []byte) (LeafIndex, bool) { return e.t.LeafBySignatureKey(key) }

func (e *Edit) NodeByEncryptionKey(key []byte) (NodeIndex, bool) {
	return e.t.NodeByEncryptionKey(key)
}

func (e *Edit) UnsupportedExtension(types ...message.ExtensionType) (LeafIndex, bool) {
	return e.t.UnsupportedExtension(types...)
}

func (e *Edit) UnsupportedProposal(types ...message.ProposalType) (LeafIndex, bool) {
	return e.t.UnsupportedProposal(types...)
}

func (e *Edit) UnsupportedCredential(types ...message.CredentialType) (LeafIndex, bool) {
	return e.t.UnsupportedCredential(types...)
}

// CredentialTypes is that of Tree for the state so far.
func (e *Edit) CredentialTypes(yield func(message.CredentialType) bool) { e.t.CredentialTypes(yield) }

// NextLeaf returns the leftmost blank leaf, which is where the next Add goes and
// where one who commits from outside belongs (RFC 9420, Sections 12.1.1 and 12.4.1).
// If there is none, it extends the tree (Section 7.7).
func (e *Edit) NextLeaf() (LeafIndex, error) {
	if uint32(e.t.Members()) == e.t.width {
		if err := e.extend(); err != nil {
			return 0, err
		}
	}
	pg, number := e.t.root, uint32(0)
	for level := e.t.rootLevel(); level > 0; level-- {
		room := uint32(1) << (pageLevels*level - 1) // leaves under a kid
		k := slices.IndexFunc(pg.kids, func(kid *page) bool { return kid == nil || kid.members < room })
		number = number<<pageLevels | uint32(k)
		if pg = pg.kids[k]; pg == nil {
			number <<= pageLevels * (level - 1)
			return LeafIndex(number << (pageLevels - 1)), nil
		}
	}
	k := slices.IndexFunc(pg.leaves, func(l leaf) bool { return l.blank() })
	return LeafIndex(number<<(pageLevels-1) | uint32(k)), nil
}

// Add puts a leaf where the next one belongs and enters it as unmerged in all its
// ancestors (RFC 9420, Section 12.1.1).
func (e *Edit) Add(n *message.LeafNode) (LeafIndex, error) {
	l, err := e.newLeaf(n)
	if err != nil {
		return 0, err
	}
	i, err := e.NextLeaf()
	if err != nil {
		return 0, err
	}
	e.setLeaf(i, l)
	for n := i.Node(); n != Root(e.t.width); {
		n = parentOf(n)
		if p := e.t.parentAt(n); p != nil {
			e.addUnmerged(n, *p, uint32(i))
		}
	}
	return i, nil
}

// Update replaces a member's leaf and blanks its direct path (RFC 9420, Section
// 12.1.2).
func (e *Edit) Update(i LeafIndex, n *message.LeafNode) error {
	l, err := e.newLeaf(n)
	if err != nil {
		return err
	}
	if _, err := e.t.member(i); err != nil {
		return err
	}
	e.setLeaf(i, l)
	e.blankPath(i)
	return nil
}

// Remove blanks a member's leaf and its direct path, and truncates the tree (RFC
// 9420, Section 12.1.3). The last one may go too, if another follows: a client that
// was alone and lost its state comes back by an external Commit that removes it.
func (e *Edit) Remove(i LeafIndex) error {
	if _, err := e.t.member(i); err != nil {
		return err
	}
	e.setLeaf(i, leaf{})
	e.blankPath(i)
	e.truncate()
	return nil
}

// newLeaf returns a leaf as the tree keeps it. It shares nothing with n.
func (e *Edit) newLeaf(n *message.LeafNode) (leaf, error) {
	raw, err := wire.Marshal(n)
	if err != nil {
		return leaf{}, fmt.Errorf("%w: leaf: %w", ErrFormat, err)
	}
	return e.t.readLeaf(slices.Clip(raw))
}

// readLeaf reads a leaf from its encoding, all of raw, and keeps raw.
func (t *Tree) readLeaf(raw []byte) (leaf, error) {
	r := wire.NewReader(raw)
	start, end := scanLeaf(r)
	if err := r.Done(); err != nil {
		return leaf{}, fmt.Errorf("%w: leaf: %w", ErrFormat, err)
	}
	return leaf{raw, t.index.intern(raw[start:end:end])}, nil
}

// open makes the pages down to a node's the owner's, takes the hashes of the node
// and above for outdated, and counts nodes and leaves that come or go.
func (e *Edit) open(n NodeIndex, nodes, members int) (pg *page, level, place int) {
	level, number, place := address(n)
	hash := e.t.suite.ID().Sizes().Hash
	at := &e.t.root
	for up := e.t.rootLevel(); ; up-- {
		switch {
		case *at == nil:
			*at = newPage(e.owner, up, pageLevels, hash)
		case (*at).owner != e.owner:
			*at = (*at).clone(e.owner)
		}
		pg = *at
		pg.nodes = uint32(int(pg.nodes) + nodes)
		pg.members = uint32(int(pg.members) + members)
		if up == level {
			pg.valid &^= ancestors[place]
			return pg, level, place
		}
		k := kid(up, level, number)
		pg.valid &^= ancestors[k&^1]
		at = &pg.kids[k]
	}
}

// setLeaf sets a leaf in the tree, or blanks it.
func (e *Edit) setLeaf(i LeafIndex, l leaf) {
	d := 0
	if old := e.t.leafAt(i); old != nil {
		e.t.index.removeLeaf(e.owner, i, old)
		d--
	}
	if !l.blank() {
		d++
	}
	pg, _, place := e.open(i.Node(), d, d)
	pg.leaves[place/2] = l
	if !l.blank() {
		e.t.index.addLeaf(e.owner, i, &l)
		e.put = append(e.put, i.Node())
	}
}

// setParent sets a parent in the tree, or blanks it.
func (e *Edit) setParent(n NodeIndex, p parent) {
	old := e.t.parentAt(n)
	if old == nil && p.blank() {
		return
	}
	d := 0
	if old != nil {
		e.t.index.removeParent(e.owner, n, old)
		d--
	}
	if !p.blank() {
		d++
	}
	pg, level, place := e.open(n, d, 0)
	*pg.parent(level, place) = p
	if !p.blank() {
		e.t.index.addParent(e.owner, n, &p)
		e.put = append(e.put, n)
	}
}

// addUnmerged enters a leaf into the unmerged leaves of n, which is p so far. Lists
// of a finished tree have no room to grow in place (see clip), so one that
// snapshots share is copied here, and one that is this Edit's alone seldom is.
func (e *Edit) addUnmerged(n NodeIndex, p parent, i uint32) {
	at, found := slices.BinarySearch(p.unmerged, i)
	if found {
		return // only in a tree that is not valid
	}
	pg, level, place := e.open(n, 0, 0)
	pg.parent(level, place).unmerged = slices.Insert(p.unmerged, at, i)
	e.grown[n] = struct{}{}
}

// clip takes from the lists that grew the room to grow in place.
func (e *Edit) clip() {
	for n := range e.grown {
		if p := e.t.parentAt(n); p != nil {
			p.unmerged = slices.Clip(p.unmerged)
		}
	}
}

// blankPath blanks the direct path of a leaf.
func (e *Edit) blankPath(i LeafIndex) {
	for n := i.Node(); n != Root(e.t.width); {
		n = parentOf(n)
		e.setParent(n, parent{})
	}
}

// extend doubles the tree: a blank root, the tree on its left, blanks on its right
// (RFC 9420, Section 7.7).
func (e *Edit) extend() error {
	if e.t.width >= MaxWidth {
		return fmt.Errorf("%w: %d leaves, want at most %d", ErrFull, e.t.width, MaxWidth)
	}
	hash := e.t.suite.ID().Sizes().Hash
	old, level := e.t.root, e.t.rootLevel()
	e.t.width *= 2
	if e.t.rootLevel() > level {
		root := newPage(e.owner, level+1, 1, hash)
		root.kids[0], root.nodes, root.members = old, old.nodes, old.members
		e.t.root = root
		return nil
	}
	e.ownRoot()
	e.t.root.resize(level, e.t.height(), hash)
	return nil
}

// truncate halves the tree while there is no member in its right half (RFC 9420,
// Section 7.7).
func (e *Edit) truncate() {
	for e.t.width > 1 && !e.t.anyMember(Root(e.t.width)) {
		root := Root(e.t.width)
		e.blankAll(root)
		level, hash := e.t.rootLevel(), e.t.suite.ID().Sizes().Hash
		e.t.width /= 2
		if e.t.rootLevel() < level {
			e.t.root = e.t.root.kids[0]
			continue
		}
		e.ownRoot()
		e.t.root.resize(level, e.t.height(), hash)
	}
}

func (e *Edit) ownRoot() {
	if e.t.root.owner != e.owner {
		e.t.root = e.t.root.clone(e.owner)
	}
}

// anyMember reports whether there is a leaf right of the root.
func (t *Tree) anyMember(root NodeIndex) bool {
	if t.root.kids == nil {
		return slices.ContainsFunc(t.root.leaves[t.width/2:], func(l leaf) bool { return !l.blank() })
	}
	half := t.root.kids[len(t.root.kids)/2:]
	return slices.ContainsFunc(half, func(pg *page) bool { return pg != nil && pg.members > 0 })
}

// blankAll blanks the root, and all parents right of it, which there are none of in
// a tree that is valid.
func (e *Edit) blankAll(n NodeIndex) {
	e.setParent(n, parent{})
	e.blankBelow(childRight(n))
}

func childRight(n NodeIndex) NodeIndex {
	right, _ := n.Right()
	return right
}

func (e *Edit) blankBelow(n NodeIndex) {
	if n&1 == 0 || e.t.empty(n) {
		return
	}
	e.setParent(n, parent{})
	left, _ := n.Left()
	e.blankBelow(left)
	e.blankBelow(childRight(n))
}
