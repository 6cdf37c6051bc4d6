package schedule

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// usedTree returns a tree of 5 leaves with a sender, kept keys and nodes.
func usedTree(s suite.Suite) *SecretTree {
	t := NewSecretTree(s, testRoot(s), 5, Limits{})
	t.Consume(3, Application, 3)
	t.Consume(3, Application, 1)
	t.Consume(4, Handshake, 1)
	return t
}

// TestUnmarshalSecretTree: what is no state, though it is as long as one.
func TestUnmarshalSecretTree(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	secret := string(testRoot(s))
	whole := "\x01\x00\x01\x00\x00\x00\x01\x22\x00\x00" + secret
	ratchet := "\x00\x00\x00\x00\x00\x00\x00\x02" + secret
	kept := func(g byte) string { return "\x00\x00\x00" + string(rune(g)) + secret[:16+12] }
	sender := func(rest ...string) string {
		w := wire.NewWriter([]byte("\x01\x00\x01\x00\x00\x00\x01"))
		w.Vector(func() {
			for _, r := range rest {
				w.Fixed([]byte(r))
			}
		})
		b, _ := w.Bytes()
		return string(b)
	}
	for _, tt := range []struct {
		name, in string
		want     error
	}{
		{"a root", whole, nil},
		{"a sender", sender("\x01", ratchet, "\x00", ratchet, "\x00"), nil},
		{"kept keys", sender("\x01", ratchet, "\x40\x40", kept(0), kept(1), ratchet, "\x20", kept(1)), nil},
		{"two halves", "\x01\x00\x01\x00\x00\x00\x02\x40\x44\x00\x00" + secret + "\x00\x00" + secret, nil},
		{"empty", "", wire.ErrTruncated},
		{"cut off", whole[:20], wire.ErrTruncated},
		{"too long", whole + "\x00", wire.ErrTrailing},
		{"version 2", "\x02" + whole[1:], ErrState},
		{"suite 3", "\x01\x00\x03" + whole[3:], ErrState},
		{"no leaves", "\x01\x00\x01\x00\x00\x00\x00" + whole[7:], ErrState},
		{"2^31+1 leaves", "\x01\x00\x01\x80\x00\x00\x01" + whole[7:], ErrState},
		{"no entries", "\x01\x00\x01\x00\x00\x00\x01\x00", ErrState},
		{"a leaf missing", "\x01\x00\x01\x00\x00\x00\x02" + whole[7:], ErrState},
		{"two roots", "\x01\x00\x01\x00\x00\x00\x01\x40\x44\x00\x00" + secret + "\x00\x00" + secret, ErrState},
		{"level out of range", "\x01\x00\x01\x00\x00\x00\x01\x22\x00\x01" + secret, ErrState},
		{"level 32", "\x01\x00\x01\x00\x00\x00\x01\x22\x00\x20" + secret, ErrState},
		{"node not aligned", "\x01\x00\x01\x00\x00\x00\x04\x40\x66\x00\x00" + secret + "\x00\x01" + secret + "\x00\x00" + secret, ErrState},
		{"entry of an exporter tree", sender("\x02"), ErrState},
		{"entry 3", sender("\x03"), ErrState},
		{"sender behind the leaves", "\x01\x00\x01\x00\x00\x00\x03" + strings4(secret, ratchet), ErrState},
		{"kept twice", sender("\x01", ratchet, "\x40\x40", kept(0), kept(0), ratchet, "\x00"), ErrState},
		{"kept in descending order", sender("\x01", ratchet, "\x40\x40", kept(1), kept(0), ratchet, "\x00"), ErrState},
		{"kept and to come", sender("\x01", ratchet, "\x20", kept(2), ratchet, "\x00"), ErrState},
		{"generation 2^32+1", sender("\x01", "\x00\x00\x00\x01\x00\x00\x00\x01"+secret, "\x00", ratchet, "\x00"), ErrState},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tree, err := UnmarshalSecretTree(s, []byte(tt.in), Limits{})
			if !errors.Is(err, tt.want) || (tree == nil) != (err != nil) {
				t.Fatalf("UnmarshalSecretTree = %v, %v, want %v", tree, err, tt.want)
			}
			if err == nil {
				equal(t, "state", marshalState(t, tree), []byte(tt.in))
			}
		})
	}
}

// strings4 returns entries for 4 leaves, the last a sender.
func strings4(secret, ratchet string) string {
	w := wire.NewWriter(nil)
	w.Vector(func() {
		w.Fixed([]byte("\x00\x01" + secret + "\x00\x00" + secret + "\x01" + ratchet + "\x00" + ratchet + "\x00"))
	})
	b, _ := w.Bytes()
	return string(b)
}

// TestStateIndependent: a tree and what was read from its state do not share
// memory, with each other or with the bytes.
func TestStateIndependent(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	tree := usedTree(s)
	b := marshalState(t, tree)
	want := bytes.Clone(b)
	read, err := UnmarshalSecretTree(s, b, Limits{})
	noError(t, err)
	clear(b)
	tree.Wipe()
	equal(t, "state", marshalState(t, read), want)
}

// TestStateRoom: the slice that a state is written to is not outgrown.
func TestStateRoom(t *testing.T) {
	t.Parallel()
	for _, id := range suite.IDs() {
		s := seeded(t, id)
		tree := usedTree(s)
		room := stateHead + tree.frontier.room(tree.size.Hash)
		for _, m := range tree.senders {
			room += 1 + m[Handshake].room(tree.size) + m[Application].room(tree.size)
		}
		if b := marshalState(t, tree); len(b) > room {
			t.Errorf("%v: a state of %d bytes, room for %d", id, len(b), room)
		}
	}
}

// TestFewerKept: with a lower limit the keys that were kept stay until others
// take their place.
func TestFewerKept(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	tree := NewSecretTree(s, testRoot(s), 1, Limits{})
	tree.Consume(0, Application, 10)
	tree, err := UnmarshalSecretTree(s, marshalState(t, tree), Limits{OutOfOrder: 2})
	noError(t, err)
	if _, err := tree.Peek(0, Application, 0); err != nil {
		t.Error(err)
	}
	tree.Consume(0, Application, 12)
	for generation, kept := range map[uint32]bool{0: false, 8: false, 9: true, 10: false, 11: true, 12: false} {
		if _, err := tree.Peek(0, Application, generation); (err == nil) != kept {
			t.Errorf("Peek of generation %d = %v, want it kept: %t", generation, err, kept)
		}
	}
}

func FuzzUnmarshalSecretTree(f *testing.F) {
	s := seeded(f, suite1)
	f.Add(marshalState(f, NewSecretTree(s, testRoot(s), 1, Limits{})))
	f.Add(marshalState(f, usedTree(s)))
	f.Fuzz(func(t *testing.T, data []byte) {
		tree, err := UnmarshalSecretTree(s, data, Limits{})
		if (tree == nil) != (err != nil) {
			t.Fatalf("UnmarshalSecretTree = %v, %v, want one of them nil", tree, err)
		}
		if err != nil {
			return
		}
		equal(t, "state", marshalState(t, tree), data)
		for _, leaf := range []uint32{0, 1, tree.leaves - 1} { // must not panic
			if k, err := tree.Next(leaf, Application); err == nil {
				if _, err := tree.Peek(leaf, Application, k.Generation); !errors.Is(err, ErrConsumed) {
					t.Fatalf("Peek of a key that Next gave = %v, want %v", err, ErrConsumed)
				}
			}
			tree.Consume(leaf, Handshake, 3)
		}
		again := marshalState(t, tree)
		tree, err = UnmarshalSecretTree(s, again, Limits{})
		noError(t, err)
		equal(t, "state", marshalState(t, tree), again)
	})
}

func FuzzUnmarshalExporterTree(f *testing.F) {
	s := seeded(f, suite1)
	for _, used := range [][]uint16{nil, {0}, {1, 0xffff}} {
		tree := NewExporterTree(s, testRoot(s))
		for _, c := range used {
			_, err := tree.SafeExport(c)
			noError(f, err)
		}
		b, err := tree.Marshal()
		noError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tree, err := UnmarshalExporterTree(s, data)
		if (tree == nil) != (err != nil) {
			t.Fatalf("UnmarshalExporterTree = %v, %v, want one of them nil", tree, err)
		}
		if err != nil {
			return
		}
		b, err := tree.Marshal()
		noError(t, err)
		equal(t, "state", b, data)
		_, err = tree.SafeExport(3)
		if _, again := tree.SafeExport(3); !errors.Is(again, ErrConsumed) {
			t.Fatalf("SafeExport = %v, then %v, want %v", err, again, ErrConsumed)
		}
	})
}

// FuzzUnprotect: whatever comes as a PrivateMessage, or under its encryption, the
// state stays.
func FuzzUnprotect(f *testing.F) {
	s := seeded(f, suite1)
	ours, theirs, senderData := trees(s, Limits{OutOfOrder: 3, Forward: 5})
	p, err := Protect(s, ours, senderData, chat(1, "text"), 3)
	noError(f, err)
	f.Add(marshal(f, p), []byte{0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0}, []byte("\x02hi\x01s\x00"))
	before := marshalState(f, theirs)
	f.Fuzz(func(t *testing.T, data, sd, content []byte) {
		var p message.PrivateMessage
		if err := wire.Unmarshal(data, &p); err == nil {
			if c, _, err := Unprotect(s, theirs, senderData, &p, nil); (c == nil) != (err != nil) {
				t.Fatalf("Unprotect = %v, %v, want one of them nil", c, err)
			}
		}
		if c, _, err := Unprotect(s, theirs, senderData, craft(t, s, theirs, senderData, sd, 1, content), nil); (c == nil) != (err != nil) {
			t.Fatalf("Unprotect = %v, %v, want one of them nil", c, err)
		}
		equal(t, "state", marshalState(t, theirs), before)
	})
}
