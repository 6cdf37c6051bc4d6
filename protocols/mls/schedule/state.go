package schedule

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// How trees are stored, which is this project's own. Entries stand in the order of
// the leaves and cover each leaf once, so that a state has one encoding. All sizes
// are the suite's.
//
//	struct {
//	    uint8 version = 1;
//	    CipherSuite cipher_suite;
//	    uint32 leaves;   // of a SecretTree
//	    Entry entries<V>;
//	} State;
//
//	struct {
//	    EntryType type;  // node(0), sender(1), gone(2)
//	    select (Entry.type) {
//	        case node:   uint8 level; // above the leaves
//	                     opaque secret[Nh];
//	        case sender: Ratchet handshake, application; // of a SecretTree
//	        case gone:   struct{};                       // of an ExporterTree
//	    };
//	} Entry;
//
//	struct {
//	    uint64 next;
//	    opaque secret[Nh];
//	    Kept kept<V>;
//	} Ratchet;
//
//	struct {
//	    uint32 generation;
//	    opaque key[Nk];
//	    opaque nonce[Nn];
//	} Kept;
const (
	stateVersion = 1

	stateHead = 1 + 2 + 4 + 4 // at most, with the length of the entries

	entryNode   = 0
	entrySender = 1
	entryGone   = 2
)

// ErrState: the bytes are no stored state of this kind of tree and suite.
var ErrState = errors.New("not a stored state")

// Marshal returns the state for storage. It holds secrets: the caller overwrites
// it. What was only looked at by Peek is not part of it. A wiped tree has none.
func (t *SecretTree) Marshal() ([]byte, error) {
	room := stateHead + t.frontier.room(t.size.Hash)
	for _, m := range t.senders {
		room += 1 + m[Handshake].room(t.size) + m[Application].room(t.size)
	}
	w := wire.NewWriter(make([]byte, 0, room))
	w.Uint8(stateVersion)
	w.Uint16(uint16(t.s.ID()))
	w.Uint32(t.leaves)
	t.frontier.write(w, func(leaf uint32) bool {
		m := t.senders[leaf]
		if m == nil {
			return false
		}
		w.Uint8(entrySender)
		for r := range m {
			m[r].write(w, t.size)
		}
		return true
	})
	b, err := w.Bytes()
	if err != nil {
		return nil, fmt.Errorf("schedule: storing a secret tree: %w", err)
	}
	return b, nil
}

// UnmarshalSecretTree returns the tree that Marshal stored. It keeps no part of b.
// Errors wrap [ErrState] or are a [*wire.Error].
func UnmarshalSecretTree(s suite.Suite, b []byte, lim Limits) (*SecretTree, error) {
	t := &SecretTree{s: s, size: s.ID().Sizes(), lim: lim.orDefault(), senders: map[uint32]*sender{}}
	r := wire.NewReader(b)
	readHead(r, s)
	t.leaves = r.Uint32()
	if r.Err() == nil && (t.leaves < 1 || t.leaves > maxLeaves) {
		r.Fail(fmt.Errorf("%w: %d leaves, want 1 to %d", ErrState, t.leaves, uint32(maxLeaves)))
	}
	t.frontier = emptyFrontier(t.leaves)
	t.frontier.read(r, t.size.Hash, func(kind uint8, leaf uint32) {
		if kind != entrySender || leaf >= t.leaves {
			r.Fail(fmt.Errorf("%w: entry of type %d for leaf %d", ErrState, kind, leaf))
			return
		}
		var m sender
		for i := range m {
			m[i].read(r, t.size)
		}
		t.senders[leaf] = &m
	})
	if err := r.Done(); err != nil {
		t.Wipe()
		return nil, fmt.Errorf("schedule: stored secret tree: %w", err)
	}
	return t, nil
}

// Marshal returns the state for storage. It holds secrets: the caller overwrites
// it. A wiped tree has none.
func (t *ExporterTree) Marshal() ([]byte, error) {
	gone := uint32(components)
	for number := range t.frontier.nodes {
		gone -= t.frontier.width >> (bits.Len32(number) - 1)
	}
	w := wire.NewWriter(make([]byte, 0, stateHead+t.frontier.room(t.s.ID().Sizes().Hash)+int(gone)))
	w.Uint8(stateVersion)
	w.Uint16(uint16(t.s.ID()))
	wiped := t.frontier.nodes == nil
	t.frontier.write(w, func(uint32) bool {
		w.Uint8(entryGone)
		return !wiped
	})
	b, err := w.Bytes()
	if err != nil {
		return nil, fmt.Errorf("schedule: storing an exporter tree: %w", err)
	}
	return b, nil
}

// UnmarshalExporterTree returns the tree that Marshal stored. It keeps no part of b.
// Errors wrap [ErrState] or are a [*wire.Error].
func UnmarshalExporterTree(s suite.Suite, b []byte) (*ExporterTree, error) {
	t := &ExporterTree{s, emptyFrontier(components)}
	r := wire.NewReader(b)
	readHead(r, s)
	t.frontier.read(r, s.ID().Sizes().Hash, func(kind uint8, leaf uint32) {
		if kind != entryGone {
			r.Fail(fmt.Errorf("%w: entry of type %d for component %d", ErrState, kind, leaf))
		}
	})
	if err := r.Done(); err != nil {
		t.Wipe()
		return nil, fmt.Errorf("schedule: stored exporter tree: %w", err)
	}
	return t, nil
}

// readHead reads version and suite.
func readHead(r *wire.Reader, s suite.Suite) {
	version, id := r.Uint8(), suite.ID(r.Uint16())
	switch {
	case r.Err() != nil:
	case version != stateVersion:
		r.Fail(fmt.Errorf("%w: version %d, want %d", ErrState, version, stateVersion))
	case id != s.ID():
		r.Fail(fmt.Errorf("%w: suite %d, want %d", ErrState, uint16(id), uint16(s.ID())))
	}
}

// A state is written to a slice that has room for it, so that none that is outgrown
// keeps secrets.

// room returns how many bytes the nodes take.
func (f *frontier) room(size int) int { return len(f.nodes) * (2 + size) }

// room returns how many bytes the ratchet takes at most.
func (c *ratchet) room(size suite.Sizes) int {
	return 8 + size.Hash + 4 + len(c.kept)*(4+size.AEADKey+size.AEADNonce)
}

// write writes the entries. It calls leaf for one that no node stands for, to write
// its entry and say whether there is one.
func (f *frontier) write(w *wire.Writer, leaf func(uint32) bool) {
	w.Vector(func() {
		for at := uint32(0); at < f.width; {
			number, level := f.width+at, 0
			for number != 0 && f.nodes[number] == nil {
				number, level = number>>1, level+1
			}
			if number == 0 {
				if !leaf(at) {
					w.Fail(ErrConsumed)
					return
				}
				at++
				continue
			}
			w.Uint8(entryNode)
			w.Uint8(uint8(level))
			w.Fixed(f.nodes[number])
			at += 1 << level
		}
	})
}

// read reads the entries. It calls leaf to read one that is no node.
func (f *frontier) read(r *wire.Reader, size int, leaf func(kind uint8, leaf uint32)) {
	at := uint32(0)
	r.Vector(func() {
		kind := r.Uint8()
		switch {
		case r.Err() != nil:
		case at >= f.width:
			r.Fail(fmt.Errorf("%w: an entry behind the last of %d leaves", ErrState, f.width))
		case kind != entryNode:
			leaf(kind, at)
			at++
		default:
			level := r.Uint8()
			if level > 31 || at&(1<<level-1) != 0 || 1<<level > f.width-at {
				r.Fail(fmt.Errorf("%w: no node of level %d begins at leaf %d", ErrState, level, at))
				return
			}
			if secret := r.Fixed(size); secret != nil {
				f.nodes[(f.width+at)>>level] = append([]byte(nil), secret...)
				at += 1 << level
			}
		}
	})
	if r.Err() == nil && at != f.width {
		r.Fail(fmt.Errorf("%w: entries end at leaf %d of %d", ErrState, at, f.width))
	}
}

func (c *ratchet) write(w *wire.Writer, size suite.Sizes) {
	w.Uint64(c.next)
	w.Fixed(c.secret[:size.Hash])
	w.Vector(func() {
		for i := range c.kept {
			w.Uint32(c.kept[i].generation)
			w.Fixed(c.kept[i].key[:size.AEADKey])
			w.Fixed(c.kept[i].nonce[:size.AEADNonce])
		}
	})
}

func (c *ratchet) read(r *wire.Reader, size suite.Sizes) {
	c.next = r.Uint64()
	if c.next > 1<<32 {
		r.Fail(fmt.Errorf("%w: next generation %d, want at most 2^32", ErrState, c.next))
	}
	copy(c.secret[:], r.Fixed(size.Hash))
	least := uint64(0)
	r.Vector(func() {
		g := r.Uint32()
		if r.Err() == nil && (uint64(g) < least || uint64(g) >= c.next) {
			r.Fail(fmt.Errorf("%w: skipped generation %d, want %d or more and less than %d", ErrState, g, least, c.next))
			return
		}
		least = uint64(g) + 1
		c.kept = push(c.kept)
		k := &c.kept[len(c.kept)-1]
		k.generation = g
		copy(k.key[:], r.Fixed(size.AEADKey))
		copy(k.nonce[:], r.Fixed(size.AEADNonce))
	})
}
