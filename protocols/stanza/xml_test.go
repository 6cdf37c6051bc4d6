package stanza_test

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

func TestXMLForms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		node stanza.Node
		xml  string
	}{
		{"empty", node("ib", nil), `<ib/>`},
		{"attributes", node("iq", []string{"xmlns", "w:p", "id", "1"}), `<iq xmlns="w:p" id="1"/>`},
		{"attribute escapes", node("a", []string{"b", `&<>"'`}), `<a b="&amp;&lt;>&quot;'"/>`},
		{"children", node("a", nil, node("b", nil), data("c", 'd')), `<a><b/><c>d</c></a>`},
		{"text escapes", data("a", []byte(`&<>"']]>`)...), `<a>&amp;&lt;&gt;"']]&gt;</a>`},
		{"text with line", data("a", []byte(" x\n\ty ")...), "<a> x\n\ty </a>"},
		{"text beyond ASCII", data("a", []byte("grüße")...), `<a>grüße</a>`},
		{"bytes", data("a", 0, 1, 255), `<a>base64:AAH/</a>`},
		{"padded bytes", data("a", 255), `<a>base64:/w==</a>`},
		{"carriage return", data("a", 'x', '\r'), `<a>base64:eA0=</a>`},
		{"only space", data("a", ' ', '\n'), `<a>base64:IAo=</a>`},
		{"like base64", data("a", []byte("base64:AA")...), `<a>base64:YmFzZTY0OkFB</a>`},
		{"no character", data("a", []byte("\uFFFF")...), `<a>base64:77+/</a>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := stanza.MarshalXML(tt.node)
			if err != nil || string(got) != tt.xml {
				t.Fatalf("wrote %s, %v\nwant  %s", got, err, tt.xml)
			}
			checkCodecs(t, tt.node)
		})
	}
}

func TestIndentXML(t *testing.T) {
	t.Parallel()
	n := node("a", []string{"b", "c"}, node("d", nil, data("e", 'f')), node("g", nil))
	const want = "<a b=\"c\">\n  <d>\n    <e>f</e>\n  </d>\n  <g/>\n</a>"
	if got, err := stanza.IndentXML(n); err != nil || string(got) != want {
		t.Fatalf("wrote %s, %v\nwant  %s", got, err, want)
	}
}

// xmlRead are forms that are not canonical and yet read, with their canonical
// form.
var xmlRead = []struct{ name, xml, canonical string }{
	{"white space around", " \r\n\t<a/>\n", `<a/>`},
	{"white space in tags", "<a\n b='c'\t><d ></d ></a >", `<a b="c"><d/></a>`},
	{"white space between", "<a> <b/>\r\n<c/> </a>", `<a><b/><c/></a>`},
	{"only white space", "<a>\n  </a>", `<a/>`},
	{"single quotes", `<a b='"'/>`, `<a b="&quot;"/>`},
	{"all entities", `<a b="&apos;&gt;">&quot;&apos;&lt;&gt;&amp;</a>`, `<a b="'>">"'&lt;&gt;&amp;</a>`},
	{"text as base64", `<a>base64:aGk=</a>`, `<a>hi</a>`},
}

func TestParseXMLReads(t *testing.T) {
	t.Parallel()
	for _, tt := range xmlRead {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n, err := stanza.ParseXML([]byte(tt.xml))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := stanza.MarshalXML(n); err != nil || string(got) != tt.canonical {
				t.Fatalf("wrote %s, %v\nwant  %s", got, err, tt.canonical)
			}
			checkStandardXML(t, []byte(tt.xml), n)
		})
	}
}

// xmlRefused are texts with the rule that each breaks.
var xmlRefused = []struct {
	name, xml string
	check     stanza.Check
}{
	{"nothing", "", stanza.CheckTruncated},
	{"text", "a", stanza.CheckSyntax},
	{"byte order mark", "\uFEFF<a/>", stanza.CheckSyntax},
	{"declaration", `<?xml version="1.0"?><a/>`, stanza.CheckForbidden},
	{"DTD", `<!DOCTYPE a [<!ENTITY b "c">]><a/>`, stanza.CheckForbidden},
	{"comment before", `<!-- --><a/>`, stanza.CheckForbidden},
	{"comment among children", `<a><b/><!-- --></a>`, stanza.CheckForbidden},
	{"comment in text", `<a>x<!-- --></a>`, stanza.CheckForbidden},
	{"CDATA", `<a><![CDATA[x]]></a>`, stanza.CheckForbidden},
	{"processing instruction", `<a><?b?></a>`, stanza.CheckForbidden},
	{"comment after", `<a/><!-- -->`, stanza.CheckTrailing},
	{"second stanza", `<a/><a/>`, stanza.CheckTrailing},
	{"unknown entity", `<a>&nbsp;</a>`, stanza.CheckEntity},
	{"entity in attribute", `<a b="&c;"/>`, stanza.CheckEntity},
	{"character reference", `<a>&#65;</a>`, stanza.CheckEntity},
	{"bare ampersand", `<a>&</a>`, stanza.CheckEntity},
	{"entity cut", `<a>&am`, stanza.CheckEntity},
	{"attribute twice", `<a b="1" b="2"/>`, stanza.CheckDuplicate},
	{"attribute without quotes", `<a b=c/>`, stanza.CheckSyntax},
	{"attribute without value", `<a b/>`, stanza.CheckSyntax},
	{"attributes without space", `<a b="1"c="2"/>`, stanza.CheckSyntax},
	{"less-than in attribute", `<a b="<"/>`, stanza.CheckSyntax},
	{"control character in attribute", "<a b=\"\n\"/>", stanza.CheckValue},
	{"attribute not UTF-8", "<a b=\"\xff\"/>", stanza.CheckValue},
	{"text not UTF-8", "<a>\xff</a>", stanza.CheckSyntax},
	{"carriage return in text", "<a>x\r\n</a>", stanza.CheckSyntax},
	{"NUL", "<a>\x00</a>", stanza.CheckSyntax},
	{"end of CDATA", "<a>]]></a>", stanza.CheckSyntax},
	{"prefix", `<x:a/>`, stanza.CheckSyntax},
	{"prefixed attribute", `<a xmlns:x="y"/>`, stanza.CheckSyntax},
	{"name with a digit first", `<1/>`, stanza.CheckName},
	{"no name", `< a/>`, stanza.CheckName},
	{"name beyond ASCII", `<ä/>`, stanza.CheckName},
	{"wrong end", `<a></b>`, stanza.CheckSyntax},
	{"no end", `<a>`, stanza.CheckTruncated},
	{"tag cut", `<a`, stanza.CheckTruncated},
	{"value cut", `<a b="c`, stanza.CheckTruncated},
	{"text cut", `<a>b`, stanza.CheckTruncated},
	{"text before a child", `<a>b<c/></a>`, stanza.CheckMixed},
	{"text after a child", `<a><c/>b</a>`, stanza.CheckMixed},
	{"base64 of nothing", `<a>base64:</a>`, stanza.CheckBase64},
	{"base64 without padding", `<a>base64:AA</a>`, stanza.CheckBase64},
	{"base64 with loose bits", `<a>base64:AB==</a>`, stanza.CheckBase64},
	{"base64 on two lines", "<a>base64:AA\n==</a>", stanza.CheckBase64},
	{"base64 of URLs", `<a>base64:_w==</a>`, stanza.CheckBase64},
	{"too deep", strings.Repeat("<a>", stanza.MaxDepth+1) + strings.Repeat("</a>", stanza.MaxDepth+1), stanza.CheckDepth},
	{"too many nodes", "<a>" + strings.Repeat("<a/>", stanza.MaxNodes) + "</a>", stanza.CheckNodes},
	{"long name", "<" + strings.Repeat("a", stanza.MaxName+1) + "/>", stanza.CheckName},
	{"long value", `<a b="` + strings.Repeat("a", stanza.MaxValue+1) + `"/>`, stanza.CheckValue},
	{"33 attributes", "<a" + manyAttributes(33) + "/>", stanza.CheckAttrs},
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" " + strings.Repeat("a", i+1) + `=""`)
	}
	return b.String()
}

func TestParseXMLRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range xmlRefused {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n, err := stanza.ParseXML([]byte(tt.xml))
			var fe *stanza.FormatError
			if !errors.Is(err, tt.check) || !errors.As(err, &fe) || fe.Offset < 0 || fe.Offset > len(tt.xml) {
				t.Fatalf("got %v, %v; want %v", n, err, tt.check)
			}
		})
	}
}

// TestStandardXMLAgrees takes Go's encoding/xml as the outside truth: what the
// writer writes, it reads as the same tree.
func TestStandardXMLAgrees(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n := genNode(4).Draw(rt, "node")
		b, err := stanza.MarshalXML(n)
		if err != nil {
			rt.Fatalf("%v", err)
		}
		checkStandardXML(rt, b, n)
	})
}

// checkStandardXML fails unless encoding/xml reads b as the tree n.
func checkStandardXML(t interface{ Fatalf(string, ...any) }, b []byte, n stanza.Node) {
	d := xml.NewDecoder(bytes.NewReader(b))
	var root stanza.Node
	open := []*stanza.Node{&root}
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("encoding/xml: %v\n%s", err, b)
		}
		top := open[len(open)-1]
		switch token := token.(type) {
		case xml.StartElement:
			child := stanza.Node{Tag: token.Name.Local}
			for _, a := range token.Attr {
				child.Attrs = append(child.Attrs, stanza.Attr{Name: a.Name.Local, Value: a.Value})
			}
			top.Children = append(top.Children, child)
			open = append(open, &top.Children[len(top.Children)-1])
		case xml.EndElement:
			if len(top.Children) > 0 || len(bytes.TrimSpace(top.Data)) == 0 {
				top.Data = nil // white space only
			}
			if enc, ok := bytes.CutPrefix(top.Data, []byte("base64:")); ok {
				if top.Data, err = base64.StdEncoding.DecodeString(string(enc)); err != nil {
					t.Fatalf("encoding/base64: %v", err)
				}
			}
			open = open[:len(open)-1]
		case xml.CharData:
			top.Data = append(top.Data, token...)
		default:
			t.Fatalf("encoding/xml read %T from %s", token, b)
		}
	}
	if len(root.Children) != 1 || !root.Children[0].Equal(&n) {
		t.Fatalf("encoding/xml read %v\nwant %v\nfrom %s", root.Children, n, b)
	}
}
