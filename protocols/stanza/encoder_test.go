package stanza_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// encodesAs fails the test unless the encoder writes s as its tree is written, or
// refuses it with the same error.
func encodesAs(t *testing.T, e *stanza.Encoder, s stanza.Stanza) {
	t.Helper()
	prefix := []byte("before")
	want, wantErr := stanza.AppendBinary(prefix, s.Node())
	got, err := e.Append(prefix, s)
	if !bytes.Equal(got, want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Errorf("%+v\n is encoded as %x, %v\nand its tree as  %x, %v", s, got, err, want, wantErr)
	}
}

func TestEncoderAgrees(t *testing.T) {
	t.Parallel()
	var e stanza.Encoder
	for _, s := range samples {
		encodesAs(t, &e, s.stanza)
	}
	for name, s := range map[string]stanza.Stanza{
		"nothing":                 &stanza.Message{},
		"no payload":              &stanza.Message{ID: "1", Enc: []stanza.Enc{{}}},
		"both payloads":           &stanza.Message{ID: "1", Enc: []stanza.Enc{msgEnc, msgEnc}, Participants: []stanza.To{{Address: bob, Enc: msgEnc}}},
		"empty receipt":           &stanza.Receipt{},
		"empty ack":               &stanza.Ack{},
		"empty iq":                &stanza.IQ{},
		"tokens and packed text":  &stanza.Ack{ID: "message", Type: "12.5-", Class: "3EB0"},
		"numbers":                 &stanza.Ack{ID: "7", Timestamp: 404, Error: 65535},
		"number below zero":       &stanza.Ack{Timestamp: -1 << 63},
		"control character":       &stanza.Ack{ID: "a\x00"},
		"no UTF-8":                &stanza.Receipt{ID: "\xff"},
		"bare server":             &stanza.Ack{ID: "1", To: server},
		"address without a form":  &stanza.Ack{ID: "1", To: ident.Address{User: "1", Server: ident.User, Device: 300}},
		"malformed address":       &stanza.Ack{ID: "1", To: ident.Address{User: "bob", Server: ident.Messenger}},
		"group's device":          &stanza.Ack{ID: "1", To: ident.Address{User: "1-2", Server: ident.Group, Device: 3}},
		"server that is none":     &stanza.Ack{ID: "1", To: ident.Address{User: "1", Server: "example.com"}},
		"user that is a token":    &stanza.Ack{ID: "1", To: ident.Address{User: "404", Server: ident.User}},
		"payload of another kind": &stanza.IQ{ID: "1", Type: stanza.Set, Payload: stanza.Unknown{Children: []stanza.Node{{Tag: "bad tag"}}}},
		"too large":               &stanza.Message{ID: "1", Enc: []stanza.Enc{{Type: "msg", Version: 2, Payload: make([]byte, stanza.MaxSize)}}},
	} {
		t.Run(name, func(t *testing.T) { encodesAs(t, &e, s) })
	}
}

func TestEncoderAllocations(t *testing.T) {
	var e stanza.Encoder
	buf := make([]byte, 0, 1024)
	for name, s := range map[string]stanza.Stanza{
		"message": &stanza.Message{ID: "3EB0C431C26A1916E2", To: bob, From: alice, Type: stanza.TextMessage, Timestamp: 1700000000, Enc: []stanza.Enc{msgEnc}},
		"receipt": &stanza.Receipt{ID: "3EB0C431C26A1916E2", To: bob, From: carol, Timestamp: 1700000000},
		"ack":     &stanza.Ack{Class: stanza.AckMessage, ID: "3EB0C431C26A1916E2", To: bob},
	} {
		if n := testing.AllocsPerRun(100, func() {
			if _, err := e.Append(buf, s); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}

// FuzzEncoder: whatever can be read is written as its tree is.
func FuzzEncoder(f *testing.F) {
	for _, s := range samples {
		b, err := stanza.AppendBinary(nil, s.stanza.Node())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parse(b); err == nil {
			encodesAs(t, new(stanza.Encoder), s)
		}
	})
}

// FuzzDecoder: a decoder reads what the tree says, and fails as that does, whatever it
// has read before.
func FuzzDecoder(f *testing.F) {
	for _, s := range samples {
		b, err := stanza.AppendBinary(nil, s.stanza.Node())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	attrs := func(names ...string) (a []stanza.Attr) {
		for _, n := range names {
			a = append(a, stanza.Attr{Name: n, Value: "1@msgr"})
		}
		return a
	}
	for _, n := range []stanza.Node{
		{Tag: "ack"},
		{Tag: "ack", Attrs: attrs("to", "id", "unknown", "class")},
		{Tag: "ack", Attrs: attrs("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k")},
		{Tag: "ack", Attrs: []stanza.Attr{{Name: "class", Value: "call"}, {Name: "id", Value: "1"}}, Data: []byte("data")},
		{Tag: "receipt", Attrs: []stanza.Attr{{Name: "id", Value: "1"}, {Name: "to", Value: "g.us"}, {Name: "type", Value: "retry"}}},
		{Tag: "message", Attrs: attrs("to", "id"), Data: []byte("data")},
		{Tag: "message", Attrs: attrs("to", "id"), Children: []stanza.Node{{Tag: "enc", Attrs: attrs("type", "v")}}},
		{Tag: "message", Attrs: attrs("to", "id"), Children: []stanza.Node{{Tag: "to"}, {Tag: "enc"}}},
	} {
		b, err := stanza.AppendBinary(nil, n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	// The same attribute twice.
	f.Add([]byte("\x10\xf8\x05\x07\x16\x43\x16\x43"))
	var d stanza.Decoder
	f.Fuzz(func(t *testing.T, b []byte) {
		want, wantErr := parse(b)
		got, err := d.Parse(b)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("error %v, want %v", err, wantErr)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(ident.URI{})); diff != "" {
			t.Errorf("(-ParseBinary +Decoder):\n%s", diff)
		}
	})
}
