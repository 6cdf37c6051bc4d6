package tree

import (
	"math/bits"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/internal/persist"
)

// The ratchet tree is cut into pages of six levels each, counted from the
// leaves: a page is a subtree of up to 63 nodes, and hangs below one of the
// lowest nodes of a page of the next six levels.
//
//	levels 6-11          page (1,0): 63 parents
//	                    /    |        \
//	levels 0-5    (0,0)    (0,1) ...   (0,63): 32 leaves, 31 parents
//
// A direct path of 18 levels thus lies in three pages, and a page copied is a
// path copied. Within a page a node has the place that it would have in a tree
// of six levels (RFC 9420, Appendix C). A page in which all was blank from the
// beginning is nil.
const (
	pageLevels = 6
	pageKids   = 1 << pageLevels
)

// page is a subtree with its tree hashes. Slices are as long as the page is high,
// which only the uppermost page is not in full.
type page struct {
	owner   *persist.Owner
	leaves  []leaf   // of level 0: those at even places
	parents []parent // of level 0: those at odd places; above: all
	kids    []*page  // of level 1 and up: two for each even place

	hashes []byte // a tree hash for each place
	valid  uint64 // which of them are up to date

	blanks     []byte // tree hashes of kids that are nil
	blankValid uint64

	nodes   uint32 // nodes under and in this page that are not blank
	members uint32 // leaves among them
}

// newPage returns a page with room for a subtree of some levels.
func newPage(o *persist.Owner, level, height, hash int) *page {
	pg := &page{owner: o}
	pg.resize(level, height, hash)
	return pg
}

// resize gives a page that the caller owns room for another number of levels.
func (pg *page) resize(level, height, hash int) {
	pg.parents = resized(pg.parents, 1<<height-1)
	if level == 0 {
		pg.leaves = resized(pg.leaves, 1<<(height-1))
		pg.parents = resized(pg.parents, 1<<(height-1)-1)
	} else {
		pg.kids = resized(pg.kids, 1<<height)
	}
	pg.hashes = resized(pg.hashes, (1<<height-1)*hash)
	pg.valid &= 1<<(1<<height-1) - 1
	if pg.blanks != nil {
		pg.blanks = resized(pg.blanks, hash<<height)
		pg.blankValid &= 1<<(1<<height) - 1
	}
}

// resized returns a copy of s with n elements, cut or filled with zeros.
func resized[T any](s []T, n int) []T {
	if len(s) == n {
		return s
	}
	c := make([]T, n)
	copy(c, s)
	return c
}

func (pg *page) clone(o *persist.Owner) *page {
	c := *pg
	c.owner = o
	c.leaves = slices.Clone(pg.leaves)
	c.parents = slices.Clone(pg.parents)
	c.kids = slices.Clone(pg.kids)
	c.hashes = slices.Clone(pg.hashes)
	c.blanks = slices.Clone(pg.blanks)
	return &c
}

// parent returns the parent at a place of a page on a level.
func (pg *page) parent(level, place int) *parent {
	if level == 0 {
		return &pg.parents[place/2]
	}
	return &pg.parents[place]
}

// ancestors[p] has the bits of place p and of all places above it in a page.
var ancestors = func() (masks [pageKids]uint64) {
	for p := range masks {
		for n := NodeIndex(p); ; n = parentOf(n) {
			masks[p] |= 1 << n
			if n == pageKids/2-1 || p == pageKids-1 {
				break
			}
		}
	}
	return masks
}()

// pageLevel returns the level of the page that a node of a level is in.
func pageLevel(level int) int { return level / pageLevels }

// address returns where a node is: the level of its page, the page's number on
// that level, and its place there.
func address(n NodeIndex) (level int, number uint32, place int) {
	level = pageLevel(n.Level())
	n >>= pageLevels * level
	return level, uint32(n >> pageLevels), int(n & (pageKids - 1))
}

// nodeAt is the inverse of address.
func nodeAt(level int, number uint32, place int) NodeIndex {
	low := NodeIndex(1)<<(pageLevels*level) - 1
	return (NodeIndex(number)<<pageLevels|NodeIndex(place))<<(pageLevels*level) | low
}

// depth returns how many levels the tree has above its leaves.
func (t *Tree) depth() int { return bits.Len32(t.width) - 1 }

// rootLevel returns the level of the uppermost page, height how many levels of
// the tree are in it.
func (t *Tree) rootLevel() int { return pageLevel(t.depth()) }
func (t *Tree) height() int    { return t.depth()%pageLevels + 1 }

// kid returns which kid of a page on a level leads to page number on a lower one.
func kid(level, below int, number uint32) int {
	return int(number>>(pageLevels*(level-1-below))) & (pageKids - 1)
}

// find returns the page of a node, nil if all of it is blank, and the node's level
// and place there. The node lies in the tree.
func (t *Tree) find(n NodeIndex) (pg *page, level, place int) {
	level, number, place := address(n)
	pg = t.root
	for up := t.rootLevel(); up > level && pg != nil; up-- {
		pg = pg.kids[kid(up, level, number)]
	}
	return pg, level, place
}

// leafAt returns a leaf, nil if it is blank or out of range. It is not to be
// modified.
func (t *Tree) leafAt(i LeafIndex) *leaf {
	if uint32(i) >= t.width {
		return nil
	}
	pg, _, place := t.find(i.Node())
	if pg == nil || pg.leaves[place/2].blank() {
		return nil
	}
	return &pg.leaves[place/2]
}

// parentAt returns a parent, nil if it is blank, a leaf or out of range. It is not
// to be modified.
func (t *Tree) parentAt(n NodeIndex) *parent {
	if n&1 == 0 || uint32(n) >= NodeWidth(t.width) {
		return nil
	}
	pg, level, place := t.find(n)
	if pg == nil {
		return nil
	}
	if p := pg.parent(level, place); !p.blank() {
		return p
	}
	return nil
}

// empty reports whether all nodes under n, which lies in the tree, and n itself
// are blank.
func (t *Tree) empty(n NodeIndex) bool {
	pg, level, place := t.find(n)
	if pg == nil || pg.nodes == 0 {
		return true
	}
	if level == 0 && place&1 == 0 {
		return pg.leaves[place/2].blank()
	}
	if !pg.parent(level, place).blank() {
		return false
	}
	if place&1 == 0 { // the lowest in its page: the kids know
		return isEmpty(pg.kids[place]) && isEmpty(pg.kids[place+1])
	}
	left, _ := n.Left()
	right, _ := n.Right()
	return t.empty(left) && t.empty(right)
}

func isEmpty(pg *page) bool { return pg == nil || pg.nodes == 0 }
