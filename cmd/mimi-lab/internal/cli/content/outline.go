package content

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
	"github.com/mimi-lab/mimi-lab/protocols/content"
)

// messageNode is a message in the field names of the draft.
func messageNode(m *content.Message) *outline.Node {
	n := &outline.Node{}
	n.Add(&outline.Node{Name: "salt", Value: outline.Bytes{Data: m.Salt[:]}})
	n.Add(&outline.Node{Name: "replaces", Value: reference(m.Replaces)})
	n.Add(&outline.Node{Name: "topicId", Value: outline.Bytes{Data: m.TopicID, Text: true}})
	n.Add(expiration(m.Expires))
	n.Add(&outline.Node{Name: "inReplyTo", Value: reference(m.InReplyTo)})
	extensions := n.Add(&outline.Node{Name: "mimiExtensions", List: true})
	for _, x := range m.Extensions {
		e := extensions.Add(&outline.Node{})
		e.Add(&outline.Node{Name: "key", Value: key(x.Key)})
		e.Add(&outline.Node{Name: "value", Value: value(x.Value)})
	}
	index := 0
	n.Add(partNode(m.Body, &index, len(partsOf(m.Body)) > 0)).Name = "nestedPart"
	return n
}

// partNode is a part. If there are others, it gets its index.
func partNode(p content.NestedPart, index *int, numbered bool) *outline.Node {
	n := &outline.Node{}
	n.Add(&outline.Node{Name: "disposition", Value: code(p.Disposition.String(), uint64(p.Disposition))})
	n.Add(&outline.Node{Name: "language", Value: outline.Quoted(p.Language)})
	c := p.Part.Cardinality()
	n.Add(&outline.Node{Name: "cardinality", Value: code(c.String(), uint64(c))})
	if numbered {
		n.Derive("partIndex", outline.Number(*index))
	}
	*index++
	switch part := p.Part.(type) {
	case content.SinglePart:
		n.Add(&outline.Node{Name: "contentType", Value: outline.Quoted(part.ContentType)})
		n.Add(&outline.Node{Name: "content", Value: outline.Bytes{Data: part.Content, Text: true}})
		deriveFromText(n, part)
	case content.ExternalPart:
		addExternal(n, part)
	case content.MultiPart:
		n.Add(&outline.Node{Name: "partSemantics", Value: code(part.Semantics.String(), uint64(part.Semantics))})
		parts := n.Add(&outline.Node{Name: "parts", List: true})
		for _, kid := range part.Parts {
			parts.Add(partNode(kid, index, numbered))
		}
	}
	return n
}

// deriveFromText shows text that does not stand on one line, and what it refers to.
func deriveFromText(n *outline.Node, p content.SinglePart) {
	t, _ := content.ParseMediaType(p.ContentType)
	if strings.HasPrefix(t.Type, "text/") && len(p.Content) > 0 && utf8.Valid(p.Content) && !outline.Printable(p.Content) {
		n.Derive("text", outline.Quoted(p.Content))
	}
	if refs := content.References(p); len(refs) > 0 {
		var list outline.Numbers
		for _, i := range refs {
			list.List = append(list.List, uint64(i))
		}
		n.Derive("references", list)
	}
	if mentions := content.Mentions(p); len(mentions) > 0 {
		list := n.Add(&outline.Node{Name: "links", List: true, Derived: true})
		for _, m := range mentions {
			one := list.Add(&outline.Node{})
			one.Add(&outline.Node{Name: "uri", Value: outline.Quoted(m.URI)})
			one.Add(&outline.Node{Name: "label", Value: outline.Quoted(m.Label)})
		}
	}
}

func addExternal(n *outline.Node, p content.ExternalPart) {
	expires := outline.Value(outline.Time(p.Expires))
	if p.Expires == 0 {
		expires = outline.Number(0)
	}
	hash := "none"
	switch p.HashAlg {
	case content.HashNone:
	case content.HashSHA256:
		hash = "sha-256"
	default:
		hash = "unknown"
	}
	for _, f := range []struct {
		name  string
		value outline.Value
	}{
		{"contentType", outline.Quoted(p.ContentType)},
		{"url", outline.Quoted(p.URL)},
		{"expires", expires},
		{"size", outline.Number(p.Size)},
		{"encAlg", code(p.EncAlg.String(), uint64(p.EncAlg))},
		{"key", outline.Bytes{Data: p.Key}},
		{"nonce", outline.Bytes{Data: p.Nonce}},
		{"aad", outline.Bytes{Data: p.AAD}},
		{"hashAlg", code(hash, uint64(p.HashAlg))},
		{"contentHash", outline.Bytes{Data: p.ContentHash}},
		{"description", outline.Quoted(p.Description)},
		{"filename", outline.Quoted(p.Filename)},
	} {
		n.Add(&outline.Node{Name: f.name, Value: f.value})
	}
}

// statusNode is a status report.
func statusNode(r content.StatusReport) *outline.Node {
	n := &outline.Node{}
	list := n.Add(&outline.Node{Name: "reports", List: true})
	for _, one := range r {
		kid := list.Add(&outline.Node{})
		kid.Add(&outline.Node{Name: "messageId", Value: outline.Bytes{Data: one.MessageID[:]}})
		kid.Add(&outline.Node{Name: "status", Value: code(one.Status.String(), uint64(one.Status))})
	}
	return n
}

// partsOf are the parts of a MultiPart.
func partsOf(p content.NestedPart) []content.NestedPart {
	m, _ := p.Part.(content.MultiPart)
	return m.Parts
}

func reference(id content.MessageID) outline.Value {
	if id.IsZero() {
		return outline.Absent("null")
	}
	return outline.Text(id.String())
}

func expiration(e content.Expiration) *outline.Node {
	n := &outline.Node{Name: "expires"}
	switch e.Kind {
	case content.ExpiresNever:
		n.Value = outline.Absent("null")
	case content.ExpiresAt:
		n.Add(&outline.Node{Name: "relative", Value: outline.Bool(false)})
		n.Add(&outline.Node{Name: "time", Value: outline.Time(e.Seconds)})
	case content.ExpiresAfter:
		n.Add(&outline.Node{Name: "relative", Value: outline.Bool(true)})
		n.Add(&outline.Node{Name: "time", Value: outline.Number(e.Seconds)})
	}
	return n
}

// key is the key of an extension: a number with its name, or a private one.
func key(k content.Key) outline.Value {
	switch {
	case k.Text != "":
		return outline.Quoted(k.Text)
	case k.Int < 0:
		return outline.Text(strconv.FormatInt(k.Int, 10))
	case k == content.KeySenderURI || k == content.KeyRoomURI:
		return code(k.String(), uint64(k.Int))
	}
	return code("unknown", uint64(k.Int))
}

// maxDiagnostic is the longest value of an extension that is written in diagnostic
// notation, in bytes.
const maxDiagnostic = 512

// value is the value of an extension: text as such, the rest in diagnostic notation.
func value(v content.Value) outline.Value {
	var text string
	switch {
	case v.Decode(&text) == nil:
		return outline.Quoted(text)
	case len(v) > maxDiagnostic:
		return outline.Bytes{Data: v}
	}
	return outline.Text(v.String())
}

// code is a value of a registry. One that is not in it has no name.
func code(name string, n uint64) outline.Code {
	if strings.Contains(name, "(") {
		name = "unknown"
	}
	return outline.Code{Name: name, Number: n}
}
