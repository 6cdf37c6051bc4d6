package tree

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Page is a part of a tree as a store keeps it: six levels of nodes under one.
// Level and Number are its name.
//
//	optional<Node> nodes[n]; // by place, without blank ones at the end
type Page struct {
	Level  uint8
	Number uint32
	Data   []byte // nil if all is blank: the page is to be deleted
}

// Pages returns the pages that differ from those of an earlier snapshot, nil
// standing for a tree without any. After one Commit these are few, however large
// the tree: the larger of its costs is the path.
func (t *Tree) Pages(since *Tree) []Page {
	var d pageDiff
	var old *page
	oldLevel := -1
	if since != nil {
		old, oldLevel = since.root, since.rootLevel()
	}
	// A tree that grew or shrank has the pages of the other below its first ones.
	level := max(t.rootLevel(), oldLevel)
	d.walk(level, 0, lifted(t.root, t.rootLevel(), level), lifted(old, oldLevel, level))
	return d.pages
}

// lifted returns a page as it lies in a tree whose uppermost page is on a level.
func lifted(pg *page, from, to int) *page {
	for ; pg != nil && from < to; from++ {
		pg = &page{kids: []*page{pg}, nodes: pg.nodes}
	}
	return pg
}

// pageDiff collects pages that differ.
type pageDiff struct{ pages []Page }

func (d *pageDiff) walk(level int, number uint32, now, old *page) {
	if now == old {
		return
	}
	was, is := encodePage(level, number, old), encodePage(level, number, now)
	if !bytes.Equal(was, is) {
		d.pages = append(d.pages, Page{uint8(level), number, is})
	}
	for k := range max(kidsOf(now), kidsOf(old)) {
		d.walk(level-1, number<<pageLevels|uint32(k), kidOf(now, k), kidOf(old, k))
	}
}

func kidsOf(pg *page) int {
	if pg == nil {
		return 0
	}
	return len(pg.kids)
}

func kidOf(pg *page, k int) *page {
	if k >= kidsOf(pg) {
		return nil
	}
	return pg.kids[k]
}

// encodePage returns the data of a page, nil if all in it is blank.
func encodePage(level int, number uint32, pg *page) []byte {
	if pg == nil || pg.nodes == 0 {
		return nil
	}
	w := wire.NewWriter(nil)
	blanks := 0
	for place := range len(pg.leaves) + len(pg.parents) {
		if level == 0 && place&1 == 0 {
			l := &pg.leaves[place/2]
			if l.blank() {
				blanks++
				continue
			}
			writeBlanks(w, &blanks)
			w.Uint8(1)
			w.Uint8(uint8(message.NodeLeaf))
			w.Fixed(l.raw)
			continue
		}
		p := pg.parent(level, place)
		if p.blank() {
			blanks++
			continue
		}
		writeBlanks(w, &blanks)
		w.Uint8(1)
		w.Uint8(uint8(message.NodeParent))
		p.write(w)
	}
	b, err := w.Bytes()
	if err != nil {
		panic(fmt.Sprintf("tree: invariant broken, nodes that were read can be written: %v", err))
	}
	return b
}

// writeBlanks writes the blank nodes before one that is not.
func writeBlanks(w *wire.Writer, n *int) {
	for ; *n > 0; *n-- {
		w.Uint8(0)
	}
}

// FromPages reads a tree from all its pages, in any order, and hashes it. It keeps
// slices of their data. Pages are a store's own and not a stranger's: a single one
// far to the right makes a wide tree, which takes long to hash.
func FromPages(s suite.Suite, pages []Page) (*Tree, error) {
	e := newTree(s).edit()
	seen := map[[2]uint32]bool{}
	for _, pg := range pages {
		name := [2]uint32{uint32(pg.Level), pg.Number}
		if seen[name] {
			return nil, fmt.Errorf("%w: page %d of level %d is there twice", ErrFormat, pg.Number, pg.Level)
		}
		seen[name] = true
		if err := e.readPage(pg); err != nil {
			return nil, err
		}
	}
	if e.t.Members() == 0 || e.t.width > 1 && !e.t.anyMember(Root(e.t.width)) {
		return nil, fmt.Errorf("%w: pages without the last leaf of a tree", ErrFormat)
	}
	t := e.t
	t.rehash()
	return &t, nil
}

func (e *Edit) readPage(pg Page) error {
	if pg.Level >= 5 || uint64(pg.Number)<<(pageLevels*(int(pg.Level)+1)) >= 2*MaxWidth {
		return fmt.Errorf("%w: page %d of level %d is beyond any tree", ErrFormat, pg.Number, pg.Level)
	}
	r := wire.NewReader(pg.Data)
	last := false
	for place := 0; !r.Empty(); place++ {
		if place == pageKids-1 {
			r.Fail(fmt.Errorf("%d nodes, want at most %d", place+1, pageKids-1))
			break
		}
		n := nodeAt(int(pg.Level), pg.Number, place)
		if uint32(n) >= NodeWidth(MaxWidth) {
			r.Fail(fmt.Errorf("node %d is beyond any tree", n))
			break
		}
		last = r.Optional(func() { e.readNode(r, pg.Data, n) })
	}
	if r.Err() == nil && !last {
		r.Fail(errors.New("it ends with a blank node"))
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("%w: page %d of level %d: %w", ErrFormat, pg.Number, pg.Level, err)
	}
	return nil
}
