package content_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/vectorstest"
)

// indexes are the part indexes of what was selected.
func indexes(all []content.Selected) string {
	var s []string
	for _, c := range all {
		s = append(s, fmt.Sprint(c.Index))
	}
	return strings.Join(s, " ")
}

// TestSelectPublished chooses from the draft's multipart examples.
func TestSelectPublished(t *testing.T) {
	t.Parallel()
	html := []string{"text/html;charset=utf-8"}
	for _, tt := range []struct {
		name, file string
		pref       content.Preference
		want       string
	}{
		{"a client of the common format", "multipart-1", content.Preference{Types: []string{content.TypeMarkdown}}, "1"},
		{"a client of the vendor", "multipart-1", content.Preference{Types: []string{"application/vnd.examplevendor-fancy-im-message", content.TypeMarkdown}}, "2"},
		{"a client of neither", "multipart-1", content.Preference{Types: []string{content.TypePlain}}, ""},
		{"three reactions", "multipart-2", content.Preference{Types: []string{content.TypePlain}}, "1 2 3"},
		// The picture is referred to by the text, and so processed with it.
		{"English with a GIF", "multipart-3", content.Preference{Types: append(html, "image/gif"), Languages: []string{"en"}}, "3"},
		{"French with a PNG", "multipart-3", content.Preference{Types: append(html, "image/png"), Languages: []string{"fr", "en"}}, "9"},
		{"German, none such, with either", "multipart-3", content.Preference{Types: append(html, "image/png", "image/gif"), Languages: []string{"de"}}, "8"},
		{"no pictures", "multipart-3", content.Preference{Types: html, Languages: []string{"fr"}}, "4"},
		{"nothing but pictures", "multipart-3", content.Preference{Types: []string{"image/png"}}, "10"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := content.Parse(vectorstest.Read(t, "mimi-content/"+tt.file+".cbor"))
			if err != nil {
				t.Fatal(err)
			}
			if got := indexes(m.Body.Select(tt.pref)); got != tt.want {
				t.Errorf("selected %q, want %q", got, tt.want)
			}
		})
	}
}

// TestSelect holds the three semantics against each other.
func TestSelect(t *testing.T) {
	t.Parallel()
	leaf := func(contentType string) content.NestedPart {
		return content.NestedPart{Part: content.SinglePart{ContentType: contentType}}
	}
	multi := func(s content.Semantics, parts ...content.NestedPart) content.NestedPart {
		return content.NestedPart{Part: content.MultiPart{Semantics: s, Parts: parts}}
	}
	a, b, x, null := leaf("a/a"), leaf("b/b"), leaf("x/x"), content.NestedPart{Part: content.NullPart{}}
	link := content.NestedPart{Part: content.ExternalPart{ContentType: "x/x"}}
	session := content.NestedPart{Disposition: content.DispositionSession, Part: content.ExternalPart{}}
	one, unit, all := content.ChooseOne, content.SingleUnit, content.ProcessAll
	pref := content.Preference{Types: []string{"a/a", "b/b"}}
	for _, tt := range []struct {
		name string
		body content.NestedPart
		pref content.Preference
		want string
	}{
		{"single", a, pref, "0"},
		{"single of no use", x, pref, ""},
		{"null", null, pref, ""},
		{"one", multi(one, x, b, a), pref, "3"},
		{"first of equals", multi(one, b, b), pref, "1"},
		{"one of none", multi(one, x, null), pref, ""},
		{"unit", multi(unit, a, b), pref, "1 2"},
		{"unit with one of no use", multi(unit, a, x, b), pref, ""},
		{"all", multi(all, a, x, b), pref, "1 3"},
		{"all of none", multi(all, x, x), pref, ""},
		{"one of units", multi(one, multi(unit, a, x), multi(unit, b, b)), pref, "5 6"},
		{"one whole rather than a part", multi(one, multi(all, a, x), multi(all, b, b)), pref, "5 6"},
		{"one in a unit", multi(unit, multi(one, x, a), b), pref, "3 4"},
		{"unit with none to choose", multi(unit, multi(one, x, x), b), pref, ""},
		{"all of units", multi(all, multi(unit, a, x), multi(unit, a, b)), pref, "5 6"},
		{"external", link, pref, ""},
		{"external as a link", link, content.Preference{Links: true}, "0"},
		{"better than a link", multi(one, link, b), content.Preference{Types: []string{"b/b"}, Links: true}, "2"},
		{"no content type", session, content.Preference{Types: []string{""}}, "0"},
		{"no content type unless asked for", session, pref, ""},
	} {
		if got := indexes(tt.body.Select(tt.pref)); got != tt.want {
			t.Errorf("%s: selected %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestPlainText(t *testing.T) {
	t.Parallel()
	external := content.ExternalPart{URL: "https://a.example/1"}
	named, described := external, external
	named.Filename = "a.png"
	described.Filename, described.Description = "a.png", "A cat"
	for _, tt := range []struct {
		part content.Part
		want string
		ok   bool
	}{
		{content.SinglePart{ContentType: "text/plain", Content: []byte("a\xffb")}, "a\ufffdb", true},
		{content.SinglePart{ContentType: "Text/Markdown; variant=gfm-mimi", Content: []byte("*a*")}, "*a*", true},
		{content.SinglePart{ContentType: "text/markdown;variant=CommonMark", Content: []byte("*a*")}, "*a*", true},
		{content.SinglePart{ContentType: "text/html", Content: []byte("<b>a</b>")}, "", false},
		{external, "[https://a.example/1]", true},
		{named, "[a.png]", true},
		{described, "[A cat]", true},
		{content.NullPart{}, "", false},
		{nil, "", false},
		{content.MultiPart{Semantics: content.ProcessAll, Parts: []content.NestedPart{content.Text("a"), {Part: described}}}, "a\n[A cat]", true},
		{content.React("❤", "👍", "🎉").Part, "❤\n👍\n🎉", true},
	} {
		if got, ok := (content.NestedPart{Part: tt.part}).PlainText(); got != tt.want || ok != tt.ok {
			t.Errorf("%+v: %q, %v; want %q, %v", tt.part, got, ok, tt.want, tt.ok)
		}
	}
}

func TestMediaType(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		accepted, offered string
		want              bool
	}{
		{content.TypePlain, "text/plain;charset=utf-8", true},
		{content.TypePlain, "TEXT/Plain ; CharSet=\"UTF-8\"", true},
		{content.TypePlain, "text/plain", true},
		{content.TypePlain, "text/plain;charset=US-ASCII", true},
		{content.TypePlain, "text/plain;charset=utf-16", false},
		{content.TypePlain, "text/plain;charset=utf-8;format=flowed", true},
		{content.TypePlain, "text/html;charset=utf-8", false},
		{content.TypeMarkdown, "text/markdown; variant=gfm-mimi", true},
		{content.TypeMarkdown, "text/markdown", false},
		{content.TypeMarkdown, "text/markdown;variant=CommonMark", false},
		{"text/markdown", content.TypeMarkdown, true},
		{"image/png", "image/png", true},
		{"a/b;c=D", "a/b;c=d", false},
		{"a/b;charset=utf-8", "a/b", false},
		{"image/png", "image", false},
		{"image/png", "", false},
		{"image/png", "image/png/x", false},
		{"image/png", "image/png;" + strings.Repeat("x", content.MaxMediaType), false},
	} {
		accepted, ok := content.ParseMediaType(tt.accepted)
		if !ok {
			t.Fatalf("%q is no media type", tt.accepted)
		}
		offered, ok := content.ParseMediaType(tt.offered)
		if got := ok && accepted.Accepts(offered); got != tt.want {
			t.Errorf("%q for %q: %v, want %v", tt.offered, tt.accepted, got, tt.want)
		}
	}
}

func TestContentID(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		uri  string
		want int // -1 for none
	}{
		{"cid:0@local.invalid", 0},
		{"cid:1023@local.invalid", 1023},
		{"cid:1024@local.invalid", -1},
		{"cid:01@local.invalid", -1},
		{"cid:-1@local.invalid", -1},
		{"cid:+1@local.invalid", -1},
		{"cid:@local.invalid", -1},
		{"cid:1@example.com", -1},
		{"1@local.invalid", -1},
	} {
		i, ok := content.ParseContentID(tt.uri)
		if ok != (tt.want >= 0) || ok && (i != tt.want || content.ContentID(i) != tt.uri) {
			t.Errorf("%s: %d, %v; want %d", tt.uri, i, ok, tt.want)
		}
	}
}

// TestReferences finds and resolves the content IDs of the draft's example.
func TestReferences(t *testing.T) {
	t.Parallel()
	m, err := content.Parse(vectorstest.Read(t, "mimi-content/multipart-3.cbor"))
	if err != nil {
		t.Fatal(err)
	}
	// From the table in Complicated Nested Example: index of a text, and of its picture.
	for text, picture := range map[int]int{3: 5, 4: 5, 8: 10, 9: 10} {
		p, ok := m.Body.At(text)
		single, isSingle := p.Part.(content.SinglePart)
		if !ok || !isSingle {
			t.Fatalf("part %d is %+v", text, p)
		}
		if d := cmp.Diff([]int{picture}, content.References(single)); d != "" {
			t.Errorf("part %d: %s", text, d)
		}
		got, err := m.Body.Resolve(content.ContentID(picture))
		if s, ok := got.Part.(content.SinglePart); err != nil || !ok || !strings.HasPrefix(s.ContentType, "image/") {
			t.Errorf("part %d is %+v (%v), want a picture", picture, got, err)
		}
	}
	if _, ok := m.Body.At(11); ok {
		t.Error("there is a part 11")
	}
	for _, uri := range []string{content.ContentID(0), content.ContentID(2), content.ContentID(11), "cid:x"} {
		if p, err := m.Body.Resolve(uri); !errors.Is(err, content.CheckReference) {
			t.Errorf("%s is %+v (%v), want %v", uri, p, err, content.CheckReference)
		}
	}
	const many = "cid:2@local.invalid cid:1@local.invalid cid:2@local.invalid cid:99999@local.invalid cid:cid:3@local.invalid cid:"
	if d := cmp.Diff([]int{2, 1, 3}, content.References(content.SinglePart{ContentType: "text/vcard", Content: []byte(many)})); d != "" {
		t.Error(d)
	}
	for _, typ := range []string{"text/plain", "image/png", ""} {
		if got := content.References(content.SinglePart{ContentType: typ, Content: []byte(many)}); got != nil {
			t.Errorf("%q refers to %v, want nothing", typ, got)
		}
	}
}

// TestMentions finds those of the draft, which it gives in all their forms.
func TestMentions(t *testing.T) {
	t.Parallel()
	const uri = "mimi://example.com/u/alice-smith"
	for _, tt := range []struct {
		typ, text string
		want      []content.Mention
	}{
		{content.TypeMarkdown, "<" + uri + ">", []content.Mention{{uri, ""}}},
		{content.TypeMarkdown, "[" + uri + "](" + uri + ")", []content.Mention{{uri, uri}}},
		{content.TypeMarkdown, "x [@AliceSmith](" + uri + ") [Alice](<" + uri + ">) y", []content.Mention{{uri, "@AliceSmith"}, {uri, "Alice"}}},
		{content.TypeMarkdown, "[Alice](" + uri + " \"title\")", []content.Mention{{uri, "Alice"}}},
		{content.TypeMarkdown, "[Bob](im:bob@example.com)", []content.Mention{{"im:bob@example.com", "Bob"}}},
		{"text/html;charset=utf-8", `<p><a href="` + uri + `">@Alice Smith</a>, <a href='im:b'>B</a></p>`, []content.Mention{{uri, "@Alice Smith"}, {"im:b", "B"}}},
		{content.TypeMarkdown, uri + " alone, [no](https://example.com), him: mim", nil},
		{content.TypeMarkdown, "](" + uri + ")", nil},
		{content.TypeMarkdown, "[a] [b](" + uri + ")](" + uri + ")", []content.Mention{{uri, "b"}}},
		{content.TypeMarkdown, "[" + strings.Repeat("x", 1024) + "](" + uri + ")", nil},
		{content.TypeMarkdown, "[x](" + uri, nil},
		{content.TypeMarkdown, "<" + uri + " x>", nil},
		{content.TypeMarkdown, "[x](mimi:" + strings.Repeat("x", 1024) + ")", nil},
		{content.TypeMarkdown, "[x](mimi:[y](im:z)", []content.Mention{{"im:z", "y"}}},
		{"text/html", `<a href="` + uri, nil},
		{"text/html", `<a href="` + uri + `">no end`, []content.Mention{{uri, ""}}},
		{content.TypePlain, "<" + uri + ">", nil},
	} {
		got := content.Mentions(content.SinglePart{ContentType: tt.typ, Content: []byte(tt.text)})
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s:\n%s", tt.text, d)
		}
	}
	for name, label := range map[string]string{"mention": "@Alice Smith", "mention-html": "@Alice Smith"} {
		m, err := content.Parse(vectorstest.Read(t, "mimi-content/"+name+".cbor"))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]content.Mention{{uri, label}}, content.Mentions(m.Body.Part.(content.SinglePart))); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
