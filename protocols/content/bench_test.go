package content_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/content"
)

// bodies are what is measured: a short text, one with a picture and its
// alternatives, and the most parts.
func bodies() []struct {
	name string
	body content.NestedPart
} {
	text := content.Markdown("Hi everyone, we just shipped release 2.0. __Good  work__!")
	multi := func(s content.Semantics, parts ...content.NestedPart) content.NestedPart {
		return content.NestedPart{Disposition: content.DispositionRender, Part: content.MultiPart{Semantics: s, Parts: parts}}
	}
	picture := content.NestedPart{Disposition: content.DispositionInline, Part: content.SinglePart{ContentType: "image/png", Content: make([]byte, 1000)}}
	most := make([]content.NestedPart, content.MaxParts-1)
	for i := range most {
		most[i] = text
	}
	return []struct {
		name string
		body content.NestedPart
	}{
		{"text", text},
		{"nested", multi(content.ChooseOne, multi(content.ProcessAll, multi(content.ChooseOne, text, text), picture), multi(content.ProcessAll, text, picture))},
		{"1024parts", multi(content.ProcessAll, most...)},
	}
}

func BenchmarkMarshal(b *testing.B) {
	for _, tt := range bodies() {
		m := newMessage(b, newSuite(b), alice, tt.body)
		b.Run(tt.name, func(b *testing.B) {
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if buf, err = m.Append(buf[:0]); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, tt := range bodies() {
		in, err := newMessage(b, newSuite(b), alice, tt.body).Marshal()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(tt.name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := content.Parse(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkID(b *testing.B) {
	m := newMessage(b, newSuite(b), alice, content.Text("hi"))
	in, err := m.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := content.IDOf(alice, room, in, m.Salt); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTimeline adds a message with an edit and a reaction to a timeline, one
// after the other.
func BenchmarkTimeline(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			text, like := &content.Message{Body: content.Text("hi")}, content.React("❤")
			b.ReportAllocs()
			for b.Loop() {
				line := content.Timeline{}
				add := func(kind byte, i int, m *content.Message) {
					id := content.MessageID{1, kind, byte(i >> 16), byte(i >> 8), byte(i)}
					if err := line.Add(base, content.Received{ID: id, Sender: alice, Accepted: base.Add(time.Duration(i - n)), Message: m}); err != nil {
						b.Fatal(err)
					}
				}
				for i := range n {
					first := content.MessageID{1, 0, byte(i >> 16), byte(i >> 8), byte(i)}
					add(0, i, text)
					add(1, i, &content.Message{Replaces: first, Body: text.Body})
					add(2, i, &content.Message{InReplyTo: first, Body: like})
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(3*n), "ns/message")
		})
	}
}
