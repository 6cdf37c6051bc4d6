package stanza_test

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// foreign is a dictionary as another service might have one: it lacks servers, and has
// tokens that are digits, no name, or stand twice.
func foreign(t testing.TB) *stanza.Dictionary {
	t.Helper()
	d, err := stanza.NewDictionary(0, []string{"", "s.whatsapp.net", "to", "iq", "", "id", "404"}, [][]string{{"message", "id"}, {"a b", "9"}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDictionaryWrites(t *testing.T) {
	d := foreign(t)
	tests := []struct{ name, value, hex string }{
		{"token", "404", "06"},
		{"double-byte token", "9", "ed01"},
		{"token that stands twice", "id", "05"},
		{"server alone", "s.whatsapp.net", "fa00 01"},
		{"server that is no token", "msgr", "fa00 fc04 6d736772"},
		{"user", "14@s.whatsapp.net", "fa ff0114 01"},
		{"partner's user", "7-14:2@interop", "f5 ff0114 0002 0007 fc07 696e7465726f70"},
		{"nibbles", "1-2", "ff82 1a2f"},
		{"hex", "BAD", "fb82 badf"},
		{"text", "x", "fc01 78"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := stanza.Node{Tag: "iq", Attrs: []stanza.Attr{{Name: "to", Value: tt.value}}}
			got, err := d.AppendBinary(nil, n)
			if want := unhex(t, "00 f803 03 02"+tt.hex); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("AppendBinary = %x, %v; want %x", got, err, want)
			}
			if back, err := d.ParseBinary(got); err != nil || !back.Equal(&n) {
				t.Errorf("ParseBinary = %v, %v; want %v", back, err, n)
			}
		})
	}
}

// TestDictionaryReads holds that every form is read which others may choose, and that
// what makes no tree is refused.
func TestDictionaryReads(t *testing.T) {
	d := foreign(t)
	iq := func(to string) stanza.Node {
		return stanza.Node{Tag: "iq", Attrs: []stanza.Attr{{Name: "to", Value: to}}}
	}
	content := func(s string) stanza.Node { return stanza.Node{Tag: "iq", Data: []byte(s)} }
	tests := []struct {
		name, hex string
		want      stanza.Node
		err       error
	}{
		{"a token, raw", "f803 fc026971 02 06", iq("404"), nil},
		{"digits, raw", "f803 03 02 fc0131", iq("1"), nil},
		{"digits, as hex", "f803 03 02 fb0112", iq("12"), nil},
		{"nothing, packed", "f803 03 02 ff00", iq(""), nil},
		{"an address, raw", "f803 03 02 fc0631406d736772", iq("1@msgr"), nil},
		{"a server, as a token", "f803 03 02 01", iq("s.whatsapp.net"), nil},
		{"a length that is not minimal", "f803 03 02 fd00000178", iq("x"), nil},
		{"a name, packed", "f803 03 fb01ab 06", stanza.Node{Tag: "iq", Attrs: []stanza.Attr{{Name: "AB", Value: "404"}}}, nil},
		{"no content", "f802 03 00", stanza.Node{Tag: "iq"}, nil},
		{"no children", "f802 03 f800", stanza.Node{Tag: "iq"}, nil},
		{"no bytes", "f802 03 fc00", stanza.Node{Tag: "iq"}, nil},
		{"content that is a token", "f802 03 06", content("404"), nil},
		{"content that is packed", "f802 03 ff0112", content("12"), nil},
		{"content that is an address", "f802 03 faff011401", content("14@s.whatsapp.net"), nil},

		{"no tag", "f800", stanza.Node{}, stanza.CheckMarker},
		{"a token that is empty", "f803 03 02 04", stanza.Node{}, stanza.CheckMarker},
		{"an unknown token", "f803 03 02 07", stanza.Node{}, stanza.CheckMarker},
		{"an unknown double-byte token", "f803 03 02 ec02", stanza.Node{}, stanza.CheckMarker},
		{"an unknown list of tokens", "f803 03 02 ef00", stanza.Node{}, stanza.CheckMarker},
		{"an unknown marker", "f803 03 02 f0", stanza.Node{}, stanza.CheckMarker},
		{"a server that is none", "f803 03 02 fa ff0114 fc036c6964", stanza.Node{}, stanza.CheckAddress},
		{"another domain", "f803 03 02 f7 0101 ff0114", stanza.Node{}, stanza.CheckAddress},
		{"a name that is none", "f801 ed00", stanza.Node{}, stanza.CheckName},
		{"bytes that follow", "f801 03 00", stanza.Node{}, stanza.CheckTrailing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := d.ParseBinary(unhex(t, "00"+tt.hex))
			if !errors.Is(err, tt.err) || err == nil && !got.Equal(&tt.want) {
				t.Errorf("ParseBinary = %v, %v; want %v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

// TestDictionaryCarriesTrees holds that what is written is read, compressed or not.
func TestDictionaryCarriesTrees(t *testing.T) {
	d := foreign(t)
	rapid.Check(t, func(t *rapid.T) {
		n := genNode(3).Draw(t, "node")
		plain, err := d.AppendBinary(nil, n)
		if err != nil {
			t.Fatal(err)
		}
		small, err := d.AppendCompressed(nil, n)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{plain, small} {
			if back, err := d.ParseBinary(b); err != nil || !back.Equal(&n) {
				t.Fatalf("ParseBinary(%x) = %v, %v; want %v", b, back, err, n)
			}
		}
	})
}

func TestNewDictionaryRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header byte
		single []string
		double [][]string
	}{
		{"a header that says compressed", 2, nil, nil},
		{"more tokens than bytes below the markers", 0, make([]string, 237), nil},
		{"more lists than markers", 0, nil, make([][]string, 5)},
		{"more tokens than a byte counts", 0, nil, [][]string{make([]string, 257)}},
	} {
		if d, err := stanza.NewDictionary(tt.header, tt.single, tt.double); err == nil || d != nil {
			t.Errorf("%s: %v, %v; want an error", tt.name, d, err)
		}
	}
}

// FuzzDictionary holds that what is read with another's dictionary is a tree that its
// encoder writes and that is read again.
func FuzzDictionary(f *testing.F) {
	d := foreign(f)
	for _, s := range samples {
		b, err := d.AppendBinary(nil, s.stanza.Node())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := d.ParseBinary(b)
		if err != nil {
			return
		}
		again, err := d.AppendBinary(nil, n)
		if err != nil {
			t.Fatalf("AppendBinary(%v) = %v", n, err)
		}
		if back, err := d.ParseBinary(again); err != nil || !back.Equal(&n) {
			t.Fatalf("ParseBinary(%x) = %v, %v; want %v", again, back, err, n)
		}
	})
}
