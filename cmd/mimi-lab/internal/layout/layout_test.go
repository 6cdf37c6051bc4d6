package layout

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/vectorstest"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// other reads b as a kind with the packages that compute with messages.
func other(b []byte, k Kind) error {
	switch k {
	case MLSMessage:
		_, err := message.Parse(b, nil)
		return err
	case KeyPackage:
		return wire.Unmarshal(b, new(message.KeyPackage))
	case GroupInfo:
		return wire.Unmarshal(b, new(message.GroupInfo))
	case Welcome:
		return wire.Unmarshal(b, new(message.Welcome))
	case LeafNode:
		return wire.Unmarshal(b, new(message.LeafNode))
	case GroupContext:
		return wire.Unmarshal(b, new(message.GroupContext))
	case Commit:
		return wire.Unmarshal(b, new(message.Commit))
	case Proposal:
		return wire.Unmarshal(b, new(message.Proposal))
	}
	s, err := suite.NewStd(1)
	if err == nil {
		_, err = tree.Parse(s, b)
	}
	return err
}

// published are the values of messages.json, which are MLSMessages, bare structs
// and the bodies of proposals. Each is one hexadecimal string.
func published(t testing.TB) []map[string]string {
	t.Helper()
	var all []map[string]string
	if err := json.Unmarshal(vectorstest.Read(t, "mls/messages.json"), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPublished reads what other implementations wrote, and finds no signature
// that does not verify.
func TestPublished(t *testing.T) {
	t.Parallel()
	kinds := map[string]Kind{
		"mls_welcome": MLSMessage, "mls_group_info": MLSMessage, "mls_key_package": MLSMessage,
		"public_message_application": MLSMessage, "public_message_proposal": MLSMessage,
		"public_message_commit": MLSMessage, "private_message": MLSMessage,
		"ratchet_tree": RatchetTree, "commit": Commit,
		"add_proposal": KeyPackage, "update_proposal": LeafNode, // without their types, this is what they are
	}
	for i, v := range published(t) {
		for name, kind := range kinds {
			b := unhex(t, v[name])
			got, err := Guess(b)
			if err != nil || got != kind {
				t.Errorf("%d, %s: guessed %q, %v; want %s", i, name, got, err, kind)
				continue
			}
			m, err := Read(b, kind)
			if err != nil || len(m.Problems) > 0 {
				t.Errorf("%d, %s: %v, problems %q", i, name, err, m.Problems)
			}
		}
	}
}

// TestTwoReadings changes every byte of published messages and demands that both
// readings accept the same.
func TestTwoReadings(t *testing.T) {
	t.Parallel()
	for name, s := range published(t)[1] {
		b := unhex(t, s)
		for i := range b {
			for _, x := range []byte{1, 0x40, 0xff} {
				c := append([]byte(nil), b...)
				c[i] ^= x
				for _, k := range Kinds() {
					same(t, c, k)
				}
			}
		}
		for i := range b {
			for _, k := range Kinds() {
				same(t, b[:i], k)
			}
		}
		if t.Failed() {
			t.Fatalf("in %s", name)
		}
	}
}

// same demands that both readings accept b as k, or neither.
func same(t *testing.T, b []byte, k Kind) {
	t.Helper()
	here, there := Check(b, k), other(b, k)
	if (here == nil) != (there == nil) {
		t.Errorf("%x as %s: layout says %v, its package says %v", b, k, here, there)
	}
}

// FuzzRead: any bytes are read or refused with a place in them, and what is read
// is what the packages read that compute with it.
func FuzzRead(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x02\x05party\x00\x00\x00\x00\x00\x00\x00\x2a\x01\x00\x03abc\x04\x11\x22\x33\x44"))
	f.Add([]byte("\x00\x03\x00\x00\x00\x02"))
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range Kinds() {
			same(t, b, k)
			m, err := Read(b, k)
			var e *Error
			if err != nil && (!errors.As(err, &e) || e.Offset < 0 || e.Offset > len(b) || e.Want == "") {
				t.Errorf("%x as %s: %v, want an *Error with a place and an expectation", b, k, err)
			}
			if err == nil && (m.Kind != k || len(m.Fields.Kids) == 0) {
				t.Errorf("%x as %s: %+v, want fields", b, k, m)
			}
		}
	})
}

// TestErrors looks at what is said of messages that are malformed.
func TestErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		kind Kind
		hex  string
		want string
	}{
		{"no bytes", MLSMessage, "", "MLSMessage: at byte 0, version: input ends early, want 1 (mls10)"},
		{"version", MLSMessage, "0002", "MLSMessage: at byte 0, version: got 2, want 1 (mls10)"},
		{"wire format", MLSMessage, "00010009", "MLSMessage: at byte 2, wire_format: got 9, want 1 to 5"},
		{"length", MLSMessage, "0001000205", "MLSMessage: at byte 4, private_message.group_id: input ends early, want opaque<V> of 5 bytes"},
		{"not minimal", Proposal, "0006400161", "Proposal: at byte 2, external_init.kem_output: length is not in its shortest form, want opaque<V>"},
		{"trailing", Proposal, "00030000000201", "Proposal: at byte 6: 1 byte behind the value, want the end"},
		{"in a list", Commit, "02020500", "Commit: at byte 2, proposals[0].reference: input ends early, want opaque<V> of 5 bytes"},
		{"second element", Commit, "03020009", "Commit: at byte 3, proposals[1].type: got 9, want 1 to 2 (proposal, reference)"},
		{"optional", Commit, "0002", "Commit: at byte 1, path: presence octet is neither 0 nor 1, want 0 or 1"},
		{"empty tree", RatchetTree, "00", "ratchet_tree: at byte 1, ratchet_tree: no nodes, want a leaf as the last node"},
		{"blank at the end", RatchetTree, "0100", "ratchet_tree: at byte 2, ratchet_tree: node 0, the last, is blank, want a leaf as the last node"},
		{"a parent for a leaf", RatchetTree, "020102", "ratchet_tree: at byte 2, ratchet_tree[0].node_type: got 2 at node 0, want 1 (leaf)"},
	} {
		err := Check(unhex(t, tt.hex), tt.kind)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}
