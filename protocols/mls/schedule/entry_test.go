package schedule

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// entriesOf stores a tree as entries.
func entriesOf(t testing.TB, tree *SecretTree) map[uint32][]byte {
	t.Helper()
	out := map[uint32][]byte{}
	for number := range tree.Entries() {
		b, err := tree.MarshalEntry(number)
		if err != nil || b == nil {
			t.Fatalf("entry %d: %x, %v", number, b, err)
		}
		out[number] = b
	}
	return out
}

// TestEntries uses trees at random. What Changing names before a key is consumed is
// all that changes, and what is stored makes the same tree.
func TestEntries(t *testing.T) {
	t.Parallel()
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	for _, leaves := range []uint32{1, 2, 3, 8, 37, 128} {
		rnd := rand.New(rand.NewPCG(uint64(leaves), 1))
		tree := NewSecretTree(s, make([]byte, 32), leaves, Limits{OutOfOrder: 3})
		stored := entriesOf(t, tree)
		for range 60 {
			leaf, r := rnd.Uint32N(leaves), Ratchet(rnd.IntN(2))
			next := uint32(0)
			if m := tree.senders[leaf]; m != nil {
				next = uint32(m[r].next)
			}
			fresh := tree.senders[leaf] == nil
			if rnd.IntN(3) == 0 { // one that is looked at and turns out to be forged
				if _, err := tree.Peek(rnd.Uint32N(leaves), r, 9); err != nil && !errors.Is(err, ErrConsumed) {
					t.Fatal(err)
				}
			}
			changing := tree.Changing(leaf)
			if !fresh && len(changing) != 1 {
				t.Fatalf("%d leaves: a message of a leaf in use changes entries %v, want its own", leaves, changing)
			}
			tree.Consume(leaf, r, next+rnd.Uint32N(4))
			for _, number := range changing {
				b, err := tree.MarshalEntry(number)
				if err != nil {
					t.Fatal(err)
				}
				if b == nil {
					delete(stored, number)
				} else {
					stored[number] = b
				}
			}
			if want := entriesOf(t, tree); !maps.EqualFunc(stored, want, bytes.Equal) {
				t.Fatalf("%d leaves: entries that were told to change do not add up to the tree", leaves)
			}
			again, err := UnmarshalEntries(s, leaves, stored, Limits{OutOfOrder: 3})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := marshalState(t, again), marshalState(t, tree); !bytes.Equal(got, want) {
				t.Fatalf("%d leaves: stored as entries it is %x, want %x", leaves, got, want)
			}
		}
		tree.Wipe()
		for number := range tree.Entries() {
			t.Errorf("a wiped tree has entry %d", number)
		}
		if b, err := tree.MarshalEntry(1); b != nil || err != nil {
			t.Errorf("entry 1 of a wiped tree: %x, %v", b, err)
		}
		if got := tree.Changing(leaves); len(got) != 1 {
			t.Errorf("a leaf that is none changes %v", got)
		}
	}
}

// TestUnmarshalEntries: what is no tree.
func TestUnmarshalEntries(t *testing.T) {
	t.Parallel()
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	tree := NewSecretTree(s, make([]byte, 32), 4, Limits{})
	if _, err := tree.Next(1, Application); err != nil {
		t.Fatal(err)
	}
	good := entriesOf(t, tree) // 3 (leaves 2 and 3), 4 and the sender 5
	for name, change := range map[string]func(map[uint32][]byte){
		"one is missing":             func(m map[uint32][]byte) { delete(m, 4) },
		"none":                       func(m map[uint32][]byte) { clear(m) },
		"a node above":               func(m map[uint32][]byte) { delete(m, 3); m[2] = append([]byte{entryNode, 1}, make([]byte, 32)...) },
		"a node above in its place":  func(m map[uint32][]byte) { delete(m, 4); m[1] = append([]byte{entryNode, 2}, make([]byte, 32)...) },
		"another level":              func(m map[uint32][]byte) { m[3][1] = 0 },
		"a sender that is no leaf":   func(m map[uint32][]byte) { m[3] = m[5] },
		"number 0":                   func(m map[uint32][]byte) { m[0] = m[4] },
		"a number that is too great": func(m map[uint32][]byte) { m[8] = m[4] },
		"another type":               func(m map[uint32][]byte) { m[4][0] = entryGone },
		"empty":                      func(m map[uint32][]byte) { m[4] = nil },
		"cut":                        func(m map[uint32][]byte) { m[5] = m[5][:len(m[5])-1] },
		"longer":                     func(m map[uint32][]byte) { m[4] = append(m[4], 0) },
	} {
		m := map[uint32][]byte{}
		for number, b := range good {
			m[number] = bytes.Clone(b)
		}
		if _, err := UnmarshalEntries(s, 4, m, Limits{}); err != nil {
			t.Fatal(err)
		}
		change(m)
		if got, err := UnmarshalEntries(s, 4, m, Limits{}); err == nil || got != nil {
			t.Errorf("%s: %v, %v, want an error", name, got, err)
		}
	}
	for _, leaves := range []uint32{0, 2, 5, maxLeaves + 1} {
		if _, err := UnmarshalEntries(s, leaves, good, Limits{}); !errors.Is(err, ErrState) {
			t.Errorf("as a tree of %d leaves: %v, want ErrState", leaves, err)
		}
	}
}

// FuzzUnmarshalEntries damages an entry of a tree; what is read is what is stored
// again.
func FuzzUnmarshalEntries(f *testing.F) {
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	if err != nil {
		f.Fatal(err)
	}
	tree := NewSecretTree(s, make([]byte, 32), 4, Limits{})
	tree.Consume(1, Application, 3)
	good := entriesOf(f, tree)
	for number, b := range good {
		f.Add(number, b)
	}
	f.Fuzz(func(t *testing.T, number uint32, b []byte) {
		m := maps.Clone(good)
		m[number] = b
		read, err := UnmarshalEntries(s, 4, m, Limits{})
		if (read == nil) != (err != nil) {
			t.Fatalf("%v, %v, want one of them nil", read, err)
		}
		if err == nil && !maps.EqualFunc(entriesOf(t, read), m, bytes.Equal) {
			t.Fatalf("entry %d: %x is stored as another", number, b)
		}
	})
}
