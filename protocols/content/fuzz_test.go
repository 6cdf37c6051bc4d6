package content_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/vectors"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/cache"
)

// addPublished adds the examples of the draft, where they are, to a fuzz target.
func addPublished(f *testing.F) {
	dir, err := cache.Find(os.Getenv)
	if err != nil {
		return
	}
	for _, name := range published() {
		if b, err := vectors.Read(os.DirFS(dir), "mimi-content/"+name+".cbor"); err == nil {
			f.Add(b)
		}
	}
}

// FuzzParse wants no panic, nil with an error, and of what is read the very bytes
// back. Another implementation has to find the same bytes well-formed, and all that
// is derived from a message must come to an end.
func FuzzParse(f *testing.F) {
	addPublished(f)
	f.Add(encode(f, map[int]any{fieldPart: deep(4)}))
	f.Add(encode(f, map[int]any{fieldPart: external(4, 1)}))
	f.Add(encode(f, map[int]any{fieldExtensions: raw("a203f97e0020c249010000000000000000")}))
	f.Add(encode(f, map[int]any{fieldPart: list{1, "en", 1, content.TypeMarkdown, []byte("[x](mimi://a.example/u/b) cid:1@local.invalid")}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := content.Parse(b)
		if err != nil {
			if m != nil {
				t.Fatalf("a message with %v", err)
			}
			return
		}
		got, err := m.Marshal()
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("wrote %x (%v)\nwant  %x", got, err, b)
		}
		if err := cbor.Wellformed(b); err != nil {
			t.Fatalf("another implementation: %v", err)
		}
		derive(t, m)
	})
}

// derive calls what can be called with a message that was read.
func derive(t *testing.T, m *content.Message) {
	sender, _ := m.SenderURI()
	room, _ := m.RoomURI()
	id, err := m.ID(sender, room)
	if err != nil && len(sender) < 1<<16 && len(room) < 1<<16 {
		t.Fatal(err)
	}
	for _, x := range m.Extensions {
		_ = x.Value.String()
		_ = x.Key.String()
	}
	parts := 0
	for i, p := range m.Body.All() {
		if i != parts {
			t.Fatalf("part index %d, want %d", i, parts)
		}
		parts++
		if s, ok := p.Part.(content.SinglePart); ok {
			content.Mentions(s)
			content.References(s)
		}
	}
	last := -1
	for _, c := range m.Body.Select(content.Preference{Types: []string{content.TypePlain, "text/html"}, Languages: []string{"en"}}) {
		if p, ok := m.Body.At(c.Index); !ok || c.Index <= last || p.Disposition != c.Disposition {
			t.Fatalf("part %d is selected after part %d", c.Index, last)
		}
		last = c.Index
	}
	m.Body.PlainText()
	var line content.Timeline
	if line.Add(base, content.Received{ID: id, Sender: sender, Accepted: base, Message: m}) == nil {
		line.Entries()
		line.Expire(base)
	}
}

// FuzzValue compares the rules for values of extensions with those of another
// implementation: what passes here is what that writes.
func FuzzValue(f *testing.F) {
	for _, s := range []string{"00", "3903e7", "f97e00", "fb3ff199999999999a", "a2016161410200", "82d82060c249010000000000000000", "fa7f7fffff", "f90001"} {
		f.Add([]byte(raw(s)))
	}
	decoder, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, BigIntDec: cbor.BigIntDecodePointer}.DecMode()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := encode(t, map[int]any{fieldExtensions: append(raw("a103"), b...)})
		m, err := content.Parse(in)
		if err != nil || !bytes.Equal(m.Extensions[0].Value, b) {
			return
		}
		if bytes.ContainsAny(b, "\xc0\xc1") || bytes.ContainsAny(b, "\xf7") {
			return // dates and undefined, which that turns into something else
		}
		var v any
		if err := decoder.Unmarshal(b, &v); err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		if got := pack(t, v); !bytes.Equal(got, b) {
			t.Fatalf("another implementation writes %x, want %x", got, b)
		}
	})
}

// FuzzStatus wants of status reports what FuzzParse does of messages.
func FuzzStatus(f *testing.F) {
	f.Add([]byte{0x80})
	f.Add(pack(f, list{list{id32(1), 2}, list{id32(0), 255}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		report, err := content.ParseStatusReport(b)
		if err != nil {
			return
		}
		if got, err := report.Marshal(); err != nil || !bytes.Equal(got, b) {
			t.Fatalf("wrote %x (%v)\nwant  %x", got, err, b)
		}
	})
}
