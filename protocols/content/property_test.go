package content_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/protocols/content"
)

// drawBytes and drawText are short, but for a length whose head takes more bytes.
func drawBytes(t *rapid.T) []byte {
	return rapid.SliceOfN(rapid.Byte(), 0, rapid.SampledFrom([]int{0, 20, 300}).Draw(t, "most")).Draw(t, "bytes")
}

func drawText(t *rapid.T) string { return rapid.String().Draw(t, "text") }

func drawID(t *rapid.T) content.MessageID {
	if rapid.Bool().Draw(t, "null") {
		return content.MessageID{}
	}
	id := content.MessageID{content.HashSHA256}
	copy(id[1:], rapid.SliceOfN(rapid.Byte(), 31, 31).Draw(t, "ID"))
	return id
}

func drawPart(t *rapid.T, depth int) content.NestedPart {
	p := content.NestedPart{Disposition: content.Disposition(rapid.Byte().Draw(t, "disposition")), Language: drawText(t)}
	most := 3
	if depth == content.MaxDepth {
		most = 2
	}
	switch content.Cardinality(rapid.IntRange(0, most).Draw(t, "cardinality")) {
	case content.CardinalityNull:
		p.Part = content.NullPart{}
	case content.CardinalitySingle:
		p.Part = content.SinglePart{ContentType: drawText(t), Content: drawBytes(t)}
	case content.CardinalityExternal:
		p.Part = content.ExternalPart{
			ContentType: drawText(t), URL: drawText(t),
			Expires: rapid.Uint32().Draw(t, "expires"), Size: rapid.Uint64().Draw(t, "size"),
			EncAlg: content.EncAlg(rapid.Uint16().Draw(t, "encAlg")), Key: drawBytes(t), Nonce: drawBytes(t), AAD: drawBytes(t),
			HashAlg: rapid.Uint8().Draw(t, "hashAlg"), ContentHash: drawBytes(t),
			Description: drawText(t), Filename: drawText(t),
		}
	case content.CardinalityMulti:
		m := content.MultiPart{Semantics: content.Semantics(rapid.IntRange(0, 2).Draw(t, "semantics"))}
		for range rapid.IntRange(2, 4).Draw(t, "parts") {
			m.Parts = append(m.Parts, drawPart(t, depth+1))
		}
		p.Part = m
	}
	return p
}

// drawAny makes a value that the other library can hold, of at most so many levels.
func drawAny(t *rapid.T, levels int) any {
	most := 6
	if levels == 0 {
		most = 4
	}
	switch rapid.IntRange(0, most).Draw(t, "type") {
	case 0:
		return rapid.Int64().Draw(t, "int")
	case 1:
		return drawText(t)
	case 2:
		return drawBytes(t)
	case 3:
		return rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1.5, math.Inf(1), math.NaN(), 1 << 24, math.SmallestNonzeroFloat32, 5.960464477539063e-08})).Draw(t, "float")
	case 4:
		return rapid.SampledFrom([]any{nil, true, false}).Draw(t, "simple")
	case 5:
		all := list{}
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			all = append(all, drawAny(t, levels-1))
		}
		return all
	}
	all := map[any]any{}
	for range rapid.IntRange(0, 3).Draw(t, "pairs") {
		var key any = rapid.Int64Range(-content.MaxKey, content.MaxKey).Draw(t, "key")
		if rapid.Bool().Draw(t, "text key") {
			key = drawText(t)
		}
		all[key] = drawAny(t, levels-1)
	}
	return all
}

func drawMessage(t *rapid.T) *content.Message {
	m := &content.Message{Replaces: drawID(t), InReplyTo: drawID(t), TopicID: drawBytes(t)}
	copy(m.Salt[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "salt"))
	if kind := content.Expiry(rapid.IntRange(0, 2).Draw(t, "expires")); kind != content.ExpiresNever {
		m.Expires = content.Expiration{Kind: kind, Seconds: rapid.Uint32().Draw(t, "seconds")}
	}
	if rapid.Bool().Draw(t, "sender") {
		m.Extensions = m.Extensions.With(content.KeySenderURI, content.TextValue(drawText(t)))
	}
	for range rapid.IntRange(0, 4).Draw(t, "extensions") {
		key := content.Key{Int: rapid.Int64Range(3, content.MaxKey).Draw(t, "key") * rapid.SampledFrom([]int64{-1, 1}).Draw(t, "sign")}
		if rapid.Bool().Draw(t, "text key") {
			key = content.Key{Text: rapid.StringN(1, 50, content.MaxKeyText).Draw(t, "key")}
		}
		v, err := content.NewValue(drawAny(t, content.MaxDepth-1))
		if err != nil {
			t.Fatal(err)
		}
		m.Extensions = m.Extensions.With(key, v)
	}
	m.Body = drawPart(t, 1)
	return m
}

// TestMarshalParse writes messages of every shape and wants them back.
func TestMarshalParse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		b, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := content.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("(-want +got):\n%s", d)
		}
		again, err := got.Marshal()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("wrote %x (%v)\nwant  %x", again, err, b)
		}
	})
}

// TestOneByte changes one byte of a message. What is still one is another message,
// with another ID.
func TestOneByte(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		b, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		id, err := m.ID(alice, room)
		if err != nil {
			t.Fatal(err)
		}
		b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		got, err := content.Parse(b)
		if err != nil {
			return
		}
		if cmp.Equal(m, got, cmpopts.EquateEmpty()) {
			t.Fatalf("two encodings of %+v", m)
		}
		if other, err := got.ID(alice, room); err != nil || other == id {
			t.Fatalf("ID %s (%v), want another", other, err)
		}
	})
}
