package schedule

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

const suite1 = suite.X25519AES128GCMSHA256Ed25519

// naive derives from the root on what RFC 9420, Section 9, has at every place,
// the way it is written there.
type naive struct {
	s      suite.Suite
	height int
	root   []byte
}

func (n naive) node(path ...bool) []byte {
	secret := n.root
	for _, right := range path {
		side := "left"
		if right {
			side = "right"
		}
		secret = labeled.Expand(n.s, secret, "tree", []byte(side), n.s.ID().Sizes().Hash)
	}
	return secret
}

func (n naive) leaf(leaf uint32) []byte {
	var path []bool
	for level := n.height - 1; level >= 0; level-- {
		path = append(path, leaf>>level&1 == 1)
	}
	return n.node(path...)
}

func (n naive) ratchet(leaf uint32, r Ratchet, generation int) []byte {
	size := n.s.ID().Sizes().Hash
	secret := labeled.Expand(n.s, n.leaf(leaf), r.String(), nil, size)
	for j := range generation {
		secret = labeled.DeriveTreeSecret(n.s, secret, "secret", uint32(j), size)
	}
	return secret
}

func (n naive) key(leaf uint32, r Ratchet, generation uint32) Key {
	secret, size := n.ratchet(leaf, r, int(generation)), n.s.ID().Sizes()
	return Key{generation,
		labeled.DeriveTreeSecret(n.s, secret, "key", generation, size.AEADKey),
		labeled.DeriveTreeSecret(n.s, secret, "nonce", generation, size.AEADNonce)}
}

func sameKey(a, b Key) bool {
	return a.Generation == b.Generation && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Nonce, b.Nonce)
}

func testRoot(s suite.Suite) []byte { return bytes.Repeat([]byte{7}, s.ID().Sizes().Hash) }

// model is what a ratchet of a SecretTree should answer.
type model struct {
	next uint32
	kept []uint32
}

// TestSecretTreeModel runs random calls beside a model that knows what was
// consumed and skipped and derives every key anew.
func TestSecretTreeModel(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	rapid.Check(t, func(t *rapid.T) {
		leaves := rapid.Uint32Range(1, 9).Draw(t, "leaves")
		lim := Limits{OutOfOrder: rapid.SampledFrom([]int{-1, 1, 3, 50}).Draw(t, "kept"), Forward: rapid.Uint32Range(1, 8).Draw(t, "forward")}
		most := max(lim.OutOfOrder, 0)
		ref := naive{s, 0, testRoot(s)}
		for 1<<ref.height < leaves {
			ref.height++
		}
		tree := NewSecretTree(s, testRoot(s), leaves, lim)
		models := map[string]*model{}
		for range rapid.IntRange(1, 40).Draw(t, "calls") {
			leaf := rapid.Uint32Range(0, leaves).Draw(t, "leaf")
			r := rapid.SampledFrom([]Ratchet{Handshake, Application}).Draw(t, "ratchet")
			name := fmt.Sprint(leaf, r)
			if models[name] == nil {
				models[name] = &model{}
			}
			m := models[name]
			generation := uint32(max(0, int(m.next)+rapid.IntRange(-5, 10).Draw(t, "ahead")))
			want := error(nil)
			i := slices.Index(m.kept, generation)
			switch {
			case leaf >= leaves:
				want = ErrNoLeaf
			case generation < m.next && i < 0:
				want = ErrConsumed
			case generation > m.next && generation-m.next > lim.Forward:
				want = ErrTooFarAhead
			}
			switch call := rapid.SampledFrom([]string{"next", "peek", "peek", "consume", "store"}).Draw(t, "call"); call {
			case "next":
				k, err := tree.Next(leaf, r)
				if leaf >= leaves {
					if !errors.Is(err, ErrNoLeaf) {
						t.Fatalf("Next(%d) = %v, want %v", leaf, err, ErrNoLeaf)
					}
					continue
				}
				if err != nil || !sameKey(k, ref.key(leaf, r, m.next)) {
					t.Fatalf("Next(%d, %v) = %d %x, %v, want generation %d", leaf, r, k.Generation, k.Key, err, m.next)
				}
				m.next++
			case "peek":
				k, err := tree.Peek(leaf, r, generation)
				if !errors.Is(err, want) || want == nil && err != nil {
					t.Fatalf("Peek(%d, %v, %d) = %v, want %v", leaf, r, generation, err, want)
				}
				if err == nil && !sameKey(k, ref.key(leaf, r, generation)) {
					t.Fatalf("Peek(%d, %v, %d) = %x, want %x", leaf, r, generation, k.Key, ref.key(leaf, r, generation).Key)
				}
			case "consume":
				tree.Consume(leaf, r, generation)
				switch {
				case want != nil:
				case i >= 0:
					m.kept = slices.Delete(m.kept, i, i+1)
				default:
					for ; m.next < generation; m.next++ {
						m.kept = append(m.kept, m.next)
					}
					m.next++
					m.kept = m.kept[max(0, len(m.kept)-most):]
				}
			case "store":
				b, err := tree.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				if tree, err = UnmarshalSecretTree(s, b, lim); err != nil {
					t.Fatal(err)
				}
				if again, err := tree.Marshal(); err != nil || !bytes.Equal(again, b) {
					t.Fatalf("stored %x, read and stored %x, %v", b, again, err)
				}
			}
		}
	})
}

// TestDeletionSchedule is the example of RFC 9420, Section 9.2, for Figure 25:
// A, B or C receives a message of generation 1 from D, not having received that
// of generation 0.
func TestDeletionSchedule(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	ref := naive{s, 2, testRoot(s)}
	const d = 3
	tree := NewSecretTree(s, testRoot(s), 4, Limits{})
	root := tree.frontier.nodes[1]
	tree.Consume(d, Application, 1)
	state, err := tree.Marshal()
	noError(t, err)
	k0, k1 := ref.key(d, Application, 0), ref.key(d, Application, 1)
	for _, tt := range []struct {
		name   string
		secret []byte
		kept   bool
	}{
		{"K1", k1.Key, false},
		{"N1", k1.Nonce, false},
		{"AR1", ref.ratchet(d, Application, 1), false},
		{"AR0", ref.ratchet(d, Application, 0), false},
		{"D", ref.leaf(d), false},
		{"F", ref.node(true), false},
		{"G", ref.node(), false},
		{"K0", k0.Key, true},
		{"N0", k0.Nonce, true},
		{"AR2", ref.ratchet(d, Application, 2), true},
		{"HR0", ref.ratchet(d, Handshake, 0), true},
		{"E", ref.node(false), true},
		{"C", ref.node(true, false), true},
	} {
		if got := bytes.Contains(state, tt.secret); got != tt.kept {
			t.Errorf("%s is in the state: %t, want %t", tt.name, got, tt.kept)
		}
	}
	if !bytes.Equal(root, make([]byte, len(root))) {
		t.Errorf("the memory of the encryption_secret is %x, want it overwritten", root)
	}
	for i, step := range tree.ahead.steps[:cap(tree.ahead.steps)] {
		if step != (struct {
			slot
			after [maxHash]byte
		}{}) {
			t.Errorf("step %d ahead was not overwritten", i)
		}
	}
	tree.Consume(d, Application, 0)
	if state, err = tree.Marshal(); err != nil || bytes.Contains(state, k0.Key) {
		t.Errorf("K0 is in the state after its use, %v", err)
	}
	if kept := tree.senders[d][Application].kept; kept[:1][0] != (slot{}) {
		t.Error("the memory of K0 was not overwritten")
	}
}

// TestPeekChangesNothing: however much was peeked at, the state and the answers
// are the same.
func TestPeekChangesNothing(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	lim := Limits{OutOfOrder: 4, Forward: 100}
	tree := NewSecretTree(s, testRoot(s), 100, lim)
	tree.Consume(5, Application, 3)
	before, err := tree.Marshal()
	noError(t, err)
	k, err := tree.Peek(5, Application, 50)
	noError(t, err)
	want := Key{k.Generation, bytes.Clone(k.Key), bytes.Clone(k.Nonce)}
	k.Wipe() // it is ours
	for _, generation := range []uint32{1, 99, 4, 20, 104, 50} {
		for _, leaf := range []uint32{5, 6, 5} {
			if _, err := tree.Peek(leaf, Application, generation); (err == nil) != (leaf == 5 || generation <= 100) {
				t.Errorf("Peek(%d, application, %d) = %v", leaf, generation, err)
			}
		}
	}
	if k, err := tree.Peek(5, Application, 50); err != nil || !sameKey(k, want) {
		t.Errorf("Peek = %x, %v, want %x as at first", k.Key, err, want.Key)
	}
	if after, err := tree.Marshal(); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the state has changed: %x, %v, before %x", after, err, before)
	}
}

// TestConsumeBelowPeek: what a later generation would not keep, an earlier one
// keeps, though the later one was looked at before.
func TestConsumeBelowPeek(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	tree := NewSecretTree(s, testRoot(s), 1, Limits{OutOfOrder: 1, Forward: 10})
	for _, generation := range []uint32{0, 3} {
		_, err := tree.Peek(0, Application, generation)
		noError(t, err)
	}
	tree.Consume(0, Application, 2)
	ref := naive{s, 0, testRoot(s)}
	for generation, want := range []error{ErrConsumed, nil, ErrConsumed, nil, nil} {
		k, err := tree.Peek(0, Application, uint32(generation))
		if !errors.Is(err, want) || err == nil && !sameKey(k, ref.key(0, Application, uint32(generation))) {
			t.Errorf("Peek of generation %d = %x, %v, want %v", generation, k.Key, err, want)
		}
	}
}

// TestLimits (RFC 9420, Section 15.3): "Messages received with a generation
// counter that is too much higher than the last message received would then be
// rejected." It costs nothing, and what a forgery within the limit costs is
// bounded.
func TestLimits(t *testing.T) {
	t.Parallel()
	c := suite.NewCounting(seeded(t, suite1))
	tree := NewSecretTree(c, testRoot(c), 1, Limits{OutOfOrder: 5, Forward: 100})
	tree.Consume(0, Application, 0)
	count := func(what string, most int64, run func()) {
		t.Helper()
		before := c.Counts()
		run()
		if n := c.Counts().Sub(before)[suite.OpExpand].N; n > most {
			t.Errorf("%s takes %d expansions, want at most %d", what, n, most)
		}
	}
	count("generation 2^32-1", 0, func() {
		if _, err := tree.Peek(0, Application, math.MaxUint32); !errors.Is(err, ErrTooFarAhead) {
			t.Errorf("Peek = %v, want %v", err, ErrTooFarAhead)
		}
	})
	count("one more than the limit", 0, func() {
		if _, err := tree.Peek(0, Application, 102); !errors.Is(err, ErrTooFarAhead) {
			t.Errorf("Peek = %v, want %v", err, ErrTooFarAhead)
		}
	})
	count("the limit", 101+2*6, func() {
		if _, err := tree.Peek(0, Application, 101); err != nil {
			t.Errorf("Peek = %v", err)
		}
		tree.Consume(0, Application, 101)
	})
	for generation := range uint32(102) {
		_, err := tree.Peek(0, Application, generation)
		if kept := generation >= 96 && generation != 101; kept && err != nil || !kept && !errors.Is(err, ErrConsumed) {
			t.Errorf("Peek of generation %d after 101 = %v, want it kept: %t", generation, err, kept)
		}
	}
	if n := cap(tree.ahead.steps); n > 2*6 {
		t.Errorf("there is room for %d steps ahead, want at most twice the window", n)
	}
}

// TestCost counts expansions: what Peek derived Consume does not derive again, and
// a first message costs the depth of the tree.
func TestCost(t *testing.T) {
	t.Parallel()
	c := suite.NewCounting(seeded(t, suite1))
	tree := NewSecretTree(c, testRoot(c), 1000, Limits{})
	count := func(what string, want int64, run func()) {
		t.Helper()
		before := c.Counts()
		run()
		if n := c.Counts().Sub(before)[suite.OpExpand].N; n != want {
			t.Errorf("%s takes %d expansions, want %d", what, n, want)
		}
	}
	next := func(leaf uint32) func() {
		return func() {
			_, err := tree.Next(leaf, Application)
			noError(t, err)
		}
	}
	receive := func(leaf uint32, r Ratchet, generation uint32) func() {
		return func() {
			_, err := tree.Peek(leaf, r, generation)
			noError(t, err)
			tree.Consume(leaf, r, generation)
		}
	}
	count("making a tree", 0, func() { NewSecretTree(c, testRoot(c), 1<<31, Limits{}) })
	count("the first message of a member", 2*10+2+3, next(7))
	count("the next to send", 3, next(7))
	count("the first message of a neighbour", 2+3, receive(6, Application, 0))
	count("the next to receive", 3, receive(6, Application, 1))
	count("the other ratchet", 3, receive(6, Handshake, 0))
	count("a message after four lost ones", 5*3, receive(6, Application, 6))
	count("one of them", 0, receive(6, Application, 3))
	count("ten peeks, then ten consumptions", 10*3, func() {
		for generation := range uint32(10) {
			_, err := tree.Peek(6, Handshake, 1+generation)
			noError(t, err)
		}
		for generation := range uint32(10) {
			tree.Consume(6, Handshake, 1+generation)
		}
	})
	if n := len(tree.frontier.nodes); n != 9 {
		t.Errorf("there are %d nodes, want the 9 beside the paths to leaves 6 and 7", n)
	}
}

// TestExhausted: a ratchet has 2^32 generations, and no more.
func TestExhausted(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	tree := NewSecretTree(s, testRoot(s), 2, Limits{})
	_, err := tree.Next(1, Application)
	noError(t, err)
	tree.senders[1][Application].next = math.MaxUint32 - 1
	for generation := range uint32(2) {
		generation += math.MaxUint32 - 1
		if k, err := tree.Next(1, Application); err != nil || k.Generation != generation {
			t.Fatalf("Next = generation %d, %v, want %d", k.Generation, err, generation)
		}
	}
	for range 2 {
		if k, err := tree.Next(1, Application); !errors.Is(err, ErrExhausted) {
			t.Errorf("Next = generation %d, %v, want %v", k.Generation, err, ErrExhausted)
		}
	}
	if _, err := tree.Peek(1, Application, math.MaxUint32); !errors.Is(err, ErrConsumed) {
		t.Errorf("Peek of the last generation = %v, want %v", err, ErrConsumed)
	}
	b, err := tree.Marshal()
	noError(t, err)
	tree, err = UnmarshalSecretTree(s, b, Limits{})
	noError(t, err)
	if _, err := tree.Next(1, Application); !errors.Is(err, ErrExhausted) {
		t.Errorf("Next after storage = %v, want %v", err, ErrExhausted)
	}
}

func TestSecretTreeWipe(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	tree := NewSecretTree(s, testRoot(s), 8, Limits{})
	tree.Consume(0, Application, 3)
	_, err := tree.Peek(5, Handshake, 3)
	noError(t, err)
	m, kept, ahead, way := tree.senders[0], tree.senders[0][Application].kept, tree.ahead.sender, tree.ahead.way
	tree.Wipe()
	if m[Application].secret != [maxHash]byte{} || kept[0] != (slot{}) || ahead[Handshake].secret != [maxHash]byte{} ||
		!bytes.Equal(way.beside[0].secret, make([]byte, 32)) {
		t.Error("secrets are left")
	}
	for leaf := range uint32(8) {
		if _, err := tree.Next(leaf, Application); !errors.Is(err, ErrConsumed) {
			t.Errorf("Next(%d) = %v, want %v", leaf, err, ErrConsumed)
		}
	}
	tree.Consume(0, Application, 4)
	if b, err := tree.Marshal(); err == nil {
		t.Errorf("it was stored as %x", b)
	}
	tree.Wipe()
}

// TestLeaves: trees of every size up to a bound and of the largest.
func TestLeaves(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	for _, leaves := range []uint32{1, 3, 4, 5, 7, 8, 9, 1 << 20, maxLeaves - 1, maxLeaves} {
		tree := NewSecretTree(s, testRoot(s), leaves, Limits{})
		ref := naive{s, 0, testRoot(s)}
		for uint64(1)<<ref.height < uint64(leaves) {
			ref.height++
		}
		for _, leaf := range slices.Compact([]uint32{leaves - 1, leaves / 2, 0}) {
			if k, err := tree.Peek(leaf, Handshake, 0); err != nil || !sameKey(k, ref.key(leaf, Handshake, 0)) {
				t.Errorf("of %d leaves: Peek(%d) = %x, %v", leaves, leaf, k.Key, err)
			}
			tree.Consume(leaf, Handshake, 0)
		}
		for _, leaf := range []uint32{leaves, math.MaxUint32} {
			if _, err := tree.Peek(leaf, Handshake, 0); !errors.Is(err, ErrNoLeaf) {
				t.Errorf("of %d leaves: Peek(%d) = %v, want %v", leaves, leaf, err, ErrNoLeaf)
			}
		}
		b, err := tree.Marshal()
		noError(t, err)
		read, err := UnmarshalSecretTree(s, b, Limits{})
		noError(t, err)
		if again, err := read.Marshal(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("of %d leaves: it was not stored as it was read: %v", leaves, err)
		}
	}
	for _, leaves := range []uint32{0, maxLeaves + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("there is a tree of %d leaves", leaves)
				}
			}()
			NewSecretTree(s, testRoot(s), leaves, Limits{})
		}()
	}
}
