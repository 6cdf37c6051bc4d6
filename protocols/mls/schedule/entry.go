package schedule

import (
	"fmt"
	"iter"
	"math/bits"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// A secret tree can be stored as its entries, one by one, so that a message writes
// those that it changes and not the whole tree. The entry of a node and that of a
// sender are as in a State; their number is that of the node or the leaf, counted
// as in a frontier.

// Entries returns the numbers of the tree's entries, in no order. A wiped tree has
// none.
func (t *SecretTree) Entries() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for number := range t.frontier.nodes {
			if !yield(number) {
				return
			}
		}
		for leaf := range t.senders {
			if !yield(t.frontier.width + leaf) {
				return
			}
		}
	}
}

// Changing returns the numbers of the entries that come, go or change when a key of a
// leaf is consumed: O(log N) for the first and one for every other.
func (t *SecretTree) Changing(leaf uint32) []uint32 {
	number := t.frontier.width + leaf
	out := []uint32{number}
	if leaf >= t.leaves || t.senders[leaf] != nil {
		return out
	}
	from := number
	for t.frontier.nodes[from] == nil {
		if from >>= 1; from == 0 {
			return out
		}
	}
	for n := number; n > from; n >>= 1 {
		out = append(out, n^1)
	}
	if from != number {
		out = append(out, from)
	}
	return out
}

// MarshalEntry returns an entry for storage, nil if there is none with this number.
// It holds secrets: the caller overwrites it.
func (t *SecretTree) MarshalEntry(number uint32) ([]byte, error) {
	var w *wire.Writer
	if secret := t.frontier.nodes[number]; secret != nil {
		w = wire.NewWriter(make([]byte, 0, 2+len(secret)))
		w.Uint8(entryNode)
		w.Uint8(uint8(t.frontier.level(number)))
		w.Fixed(secret)
	} else if m := t.senders[number-t.frontier.width]; number >= t.frontier.width && m != nil {
		w = wire.NewWriter(make([]byte, 0, 1+m[Handshake].room(t.size)+m[Application].room(t.size)))
		w.Uint8(entrySender)
		for r := range m {
			m[r].write(w, t.size)
		}
	} else {
		return nil, nil
	}
	b, err := w.Bytes()
	if err != nil {
		return nil, fmt.Errorf("schedule: storing an entry of a secret tree: %w", err)
	}
	return b, nil
}

// UnmarshalEntries returns the tree of 1 to 2^31 leaves whose entries were stored. It
// keeps no part of them. Errors wrap [ErrState] or are a [*wire.Error].
func UnmarshalEntries(s suite.Suite, leaves uint32, entries map[uint32][]byte, lim Limits) (*SecretTree, error) {
	if leaves < 1 || leaves > maxLeaves {
		return nil, fmt.Errorf("schedule: %w: %d leaves, want 1 to %d", ErrState, leaves, uint32(maxLeaves))
	}
	t := &SecretTree{s: s, size: s.ID().Sizes(), lim: lim.orDefault(), leaves: leaves, frontier: emptyFrontier(leaves), senders: map[uint32]*sender{}}
	covered := uint64(0) // leaves
	for number, b := range entries {
		err := t.readEntry(number, b)
		for n := number >> 1; err == nil && n > 0; n >>= 1 {
			if _, twice := entries[n]; twice {
				err = fmt.Errorf("%w: entry %d is above it", ErrState, n)
			}
		}
		if err != nil {
			t.Wipe()
			return nil, fmt.Errorf("schedule: entry %d of a stored secret tree: %w", number, err)
		}
		covered += 1 << t.frontier.level(number)
	}
	if covered != uint64(t.frontier.width) {
		t.Wipe()
		return nil, fmt.Errorf("schedule: stored secret tree: %w: entries of %d leaves, want %d", ErrState, covered, t.frontier.width)
	}
	return t, nil
}

// readEntry reads one entry.
func (t *SecretTree) readEntry(number uint32, b []byte) error {
	f := &t.frontier
	if number == 0 || uint64(number) >= 2*uint64(f.width) {
		return fmt.Errorf("%w: numbers are 1 to %d", ErrState, 2*uint64(f.width)-1)
	}
	r := wire.NewReader(b)
	switch kind := r.Uint8(); {
	case r.Err() != nil:
	case kind == entryNode:
		if level := int(r.Uint8()); r.Err() == nil && level != f.level(number) {
			return fmt.Errorf("%w: a node of level %d, want %d", ErrState, level, f.level(number))
		}
		if secret := r.Fixed(t.size.Hash); secret != nil {
			f.nodes[number] = append([]byte(nil), secret...)
		}
	case kind == entrySender && number >= f.width && number-f.width < t.leaves:
		m := new(sender)
		t.senders[number-f.width] = m
		for i := range m {
			m[i].read(r, t.size)
		}
	default:
		return fmt.Errorf("%w: of type %d", ErrState, kind)
	}
	return r.Done()
}

// level returns how far above the leaves a node is.
func (f *frontier) level(number uint32) int { return bits.Len32(f.width) - bits.Len32(number) }
