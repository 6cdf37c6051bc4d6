package signal

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGroupMessageRoundTrip(t *testing.T) {
	t.Parallel()
	for _, m := range []GroupMessage{
		{GroupID: []byte("g"), Distribution: []byte{1, 2, 3}},
		{GroupID: []byte("g"), Change: &GroupChange{}},
		{GroupID: []byte("g"), Change: &GroupChange{Add: []string{"a", "b"}, Remove: []string{"c"}, Members: []string{"a", "d"}}},
	} {
		got, err := ParseGroupMessage(m.Append(nil))
		if err != nil || !cmp.Equal(got, m) {
			t.Errorf("%+v, %v, want %+v", got, err, m)
		}
	}
}

func TestGroupMessageRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		b    string
	}{
		{"empty", ""},
		{"no group", "\x12\x01x"},
		{"neither distribution nor change", "\x0a\x01g"},
		{"distribution and change", "\x0a\x01g\x12\x01x\x1a\x00"},
		{"unknown field", "\x0a\x01g\x12\x01x\x20\x01"},
		{"unknown field of a change", "\x0a\x01g\x1a\x03\x22\x01a"},
		{"empty address", "\x0a\x01g\x1a\x02\x0a\x00"},
		{"address cut short", "\x0a\x01g\x1a\x03\x0a\x02a"},
		{"address twice", "\x0a\x01g\x1a\x06\x0a\x01a\x0a\x01a"},
		{"lists out of order", "\x0a\x01g\x1a\x06\x12\x01a\x0a\x01b"},
		{"number for an address", "\x0a\x01g\x1a\x02\x08\x01"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if m, err := ParseGroupMessage([]byte(test.b)); !errors.Is(err, ErrFormat) {
				t.Errorf("parsed %+v, %v", m, err)
			}
		})
	}
}

func FuzzParseGroupMessage(f *testing.F) {
	for _, m := range []GroupMessage{
		{GroupID: []byte("g"), Distribution: []byte{1, 2, 3}},
		{GroupID: []byte("g"), Change: &GroupChange{Add: []string{"a"}, Remove: []string{"b"}, Members: []string{"a"}}},
	} {
		f.Add(m.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseGroupMessage(b)
		if err != nil {
			return
		}
		again := m.Append(nil)
		if len(again) != len(b) {
			t.Errorf("%x parsed, written as %x", b, again)
		}
		if m2, err := ParseGroupMessage(again); err != nil || !bytes.Equal(m2.Append(nil), again) {
			t.Errorf("%x does not parse as it was written: %v", again, err)
		}
	})
}
