package gateway

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
)

// FuzzToSignal: whatever a member sends becomes few messages that a chat can carry.
func FuzzToSignal(f *testing.F) {
	for _, s := range samplesToSignal {
		if b, err := s.m.Marshal(); err == nil && len(b) < 4096 {
			f.Add(b, true)
			f.Add(b, false)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, pair bool) {
		m, err := content.Parse(b)
		if err != nil {
			return
		}
		v := view{name: "alice (a.example)", pair: pair, refs: chatRefs(), parts: 3}
		r := v.toSignal(mid(50), m)
		if len(r.items) == 0 || len(r.items) > 3 {
			t.Fatalf("%d messages, want 1 to 3", len(r.items))
		}
		for _, it := range r.items {
			got, err := dma.ParseContent(it.content.Append(nil))
			if err != nil {
				t.Fatalf("a message that no chat takes: %v", err)
			}
			if got.Kind != dma.Reaction && !strings.HasPrefix(got.Text, "alice (a.example): ") {
				t.Fatalf("a message without its sender's name: %.100q", got.Text)
			}
		}
	})
}

// FuzzToRoom: whatever a user writes becomes content that a room takes, or a remark.
func FuzzToRoom(f *testing.F) {
	for _, c := range []dma.Content{
		{Kind: dma.Text, Text: "[gateway] x", ReplyTo: "S1"}, {Kind: dma.Reaction, Target: "S5"},
		{Kind: dma.Image, Text: "x", Media: dma.MediaRef{Ref: "x", Thumbnail: []byte{1}}},
		{Kind: dma.Text, Text: "/edit x", ReplyTo: "S5"},
	} {
		f.Add(c.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := dma.ParseContent(b)
		if err != nil {
			return
		}
		for _, u := range []utterance{say(c)(), edit(c.Text, c.ReplyTo, chatRefs())} {
			if u.message == nil {
				if len(u.remarks) == 0 {
					t.Fatal("nothing is sent, and nothing told")
				}
				continue
			}
			if _, err := u.message.Marshal(); err != nil {
				t.Fatalf("a message that no room takes: %v", err)
			}
			if s, _ := u.message.Body.PlainText(); strings.HasPrefix(s, notice) && u.message.Body.Disposition == content.DispositionRender && !u.medium {
				t.Fatalf("it passes for the gateway's own: %q", s)
			}
		}
	})
}

// FuzzCommand: a text is a command or a text, and the text is a part of it.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{"/who", "//x", "/edit a\nb", "/", "x", "/\n", "/é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, arg, text := parseCommand(s)
		if text != "" && (name != "" || arg != "" || !strings.HasSuffix(s, text)) {
			t.Fatalf("%q is %q, %q and %q", s, name, arg, text)
		}
		if !strings.HasPrefix(s, "/") && text != s {
			t.Fatalf("%q is a command", s)
		}
		if validName(s) && (len(s) > maxName || !utf8.ValidString(s)) {
			t.Fatalf("name %q", s)
		}
		if w := word(s); w == "" || len(w) > maxWord+3 || strings.ContainsAny(w, "\n\x00") {
			t.Fatalf("word %q", w)
		}
	})
}

// FuzzRestore: records that were altered are refused, or make a gateway that goes on.
func FuzzRestore(f *testing.F) {
	r := newRig(f, testConfig())
	u := r.agree(bob, "bob")
	r.open(u, 1)
	r.event(func() {
		r.g.saveRef(u.threads[1], u.threads[1].refs.add(ref{Signal: "S1", MIMI: mid(1), Last: mid(2)}))
	})
	r.write(1, bob, dma.Content{Kind: dma.Image, Media: dma.MediaRef{Ref: "x", Size: 5}})
	good := r.records()
	for i, rec := range good {
		f.Add(uint16(i), rec.Key, rec.Value)
	}
	f.Fuzz(func(t *testing.T, at uint16, key string, value []byte) {
		list := slices.Clone(good)
		list[int(at)%len(list)] = protocols.Record{Key: key, Value: value}
		g, err := Restore(r.cfg, list)
		if err != nil {
			return
		}
		if _, err := g.Step(start, Resume{}); err != nil {
			t.Fatal(err)
		}
	})
}
