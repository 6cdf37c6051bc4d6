package stanza_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// genName draws tags and attribute names: known ones, and any.
var genName = rapid.OneOf(
	rapid.SampledFrom([]string{"message", "enc", "id", "to", "from", "offer_notice", "call-id", "xmlns", "settings"}),
	rapid.StringMatching(`[a-zA-Z_][a-zA-Z0-9_.\-]{0,20}`),
	rapid.StringMatching(`[a-z]{64}`),
)

// genValue draws values for every form of the binary codec.
var genValue = rapid.OneOf(
	rapid.SampledFrom([]string{
		"", "7", "text", "not-eligible", "interop", "s.whatsapp.net", "g.us", "msgr",
		"10@x", "@interop", "0-1@interop", "1-2:0@interop", "1:256@s.whatsapp.net", "01:1@s.whatsapp.net", "a@msgr",
		"&<>\"' ]]>", "grüße, 世界 \U0001F600", strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("ä", stanza.MaxValue/2),
	}),
	rapid.StringMatching(`[0-9.\-]{1,130}`),
	rapid.StringMatching(`[0-9A-F]{1,130}`),
	rapid.StringMatching(`[1-9][0-9]{0,4}-[0-9]{1,20}(:[1-9][0-9]?)?@interop`),
	rapid.StringMatching(`[0-9]{1,20}(:[1-9][0-9]{0,3})?@(s\.whatsapp\.net|msgr)`),
	rapid.StringMatching(`[0-9]{1,20}(-[0-9]{1,20})?@g\.us`),
	rapid.StringMatching(`[ -~]{0,40}`),
)

// genData draws data for every form of the XML codec.
var genData = rapid.OneOf(
	rapid.Map(rapid.SampledFrom([]string{
		" ", "\n", " x ", "base64:", "base64:AA==", "]]>", "a\tb\nc", "a\rb", "\x00", "&amp;", "\xff", "\uffff", "ab\u00a0", "ends\n",
	}), func(s string) []byte { return []byte(s) }),
	rapid.SliceOfN(rapid.Byte(), 0, 40),
	rapid.Map(rapid.StringMatching(`[ -~]{0,40}`), func(s string) []byte { return []byte(s) }),
	rapid.Map(rapid.IntRange(250, 260), func(n int) []byte { return bytes.Repeat([]byte{0xA5}, n) }),
)

// genNode draws a tree of at most depth levels.
func genNode(depth int) *rapid.Generator[stanza.Node] {
	return rapid.Custom(func(t *rapid.T) stanza.Node {
		n := stanza.Node{Tag: genName.Draw(t, "tag")}
		for _, name := range rapid.SliceOfNDistinct(genName, 0, 6, rapid.ID).Draw(t, "names") {
			n.Attrs = append(n.Attrs, stanza.Attr{Name: name, Value: genValue.Draw(t, "value")})
		}
		if depth > 1 && rapid.Bool().Draw(t, "inner") {
			n.Children = rapid.SliceOfN(genNode(depth-1), 0, 3).Draw(t, "children")
		} else {
			n.Data = genData.Draw(t, "data")
		}
		return n
	})
}

// checkCodecs proves that both codecs carry n and return its encodings.
func checkCodecs(t interface{ Fatalf(string, ...any) }, n stanza.Node) (bin, xml []byte) {
	bin, err := stanza.AppendBinary(nil, n)
	if err != nil {
		t.Fatalf("binary: %v", err)
	}
	fromBinary, err := stanza.ParseBinary(bin)
	if err != nil {
		t.Fatalf("parse binary: %v", err)
	}
	if !fromBinary.Equal(&n) {
		t.Fatalf("binary changed the tree\nfrom %v\nto   %v", n, fromBinary)
	}
	xml, err = stanza.MarshalXML(n)
	if err != nil {
		t.Fatalf("xml: %v", err)
	}
	fromXML, err := stanza.ParseXML(xml)
	if err != nil {
		t.Fatalf("parse xml: %v\n%s", err, xml)
	}
	if !fromXML.Equal(&n) {
		t.Fatalf("xml changed the tree\nfrom %v\nto   %v\nby   %s", n, fromXML, xml)
	}
	again, err := stanza.AppendBinary(nil, fromXML)
	if err != nil || !bytes.Equal(again, bin) {
		t.Fatalf("binary(xml(x)) is not binary(x): %v\n%x\n%x", err, again, bin)
	}
	pretty, err := stanza.IndentXML(n)
	if err != nil {
		t.Fatalf("indent: %v", err)
	}
	if m, err := stanza.ParseXML(pretty); err != nil || !m.Equal(&n) {
		t.Fatalf("indenting changed the tree: %v\n%s", err, pretty)
	}
	small, err := stanza.AppendCompressed([]byte("before"), n)
	if err != nil || !bytes.HasPrefix(small, []byte("before")) || len(small)-6 > len(bin) {
		t.Fatalf("compressed %d bytes to %d: %v", len(bin), len(small)-6, err)
	}
	if m, err := stanza.ParseBinary(small[6:]); err != nil || !m.Equal(&n) {
		t.Fatalf("compression changed the tree: %v\nfrom %v\nto   %v", err, n, m)
	}
	return bin, xml
}

func TestCodecsCarryTheSameTree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { checkCodecs(t, genNode(4).Draw(t, "node")) })
}

func TestCodecsCarryEveryStanza(t *testing.T) {
	t.Parallel()
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			checkCodecs(t, s.stanza.Node())
		})
	}
}

func TestCodecsCarryLargeData(t *testing.T) {
	t.Parallel()
	for _, size := range []int{255, 256, 1<<20 - 1, 1 << 20, 3 << 20} {
		n := stanza.Node{Tag: "enc", Data: bytes.Repeat([]byte{1, 2, 0}, size)[:size]}
		checkCodecs(t, n)
	}
}

// TestLimits states both sides of every limit, in every direction.
func TestLimits(t *testing.T) {
	t.Parallel()
	nested := func(depth int) stanza.Node {
		n := stanza.Node{Tag: "a"}
		for range depth - 1 {
			n = stanza.Node{Tag: "a", Children: []stanza.Node{n}}
		}
		return n
	}
	wide := func(children int) stanza.Node {
		n := stanza.Node{Tag: "a", Children: make([]stanza.Node, children)}
		for i := range n.Children {
			n.Children[i].Tag = "a"
		}
		return n
	}
	attrs := func(count int) stanza.Node {
		n := stanza.Node{Tag: "a"}
		for i := range count {
			n.Attrs = append(n.Attrs, stanza.Attr{Name: strings.Repeat("a", i+1)})
		}
		return n
	}
	valued := func(size int) stanza.Node {
		return stanza.Node{Tag: "a", Attrs: []stanza.Attr{{Name: "a", Value: strings.Repeat("v", size)}}}
	}
	for _, tt := range []struct {
		name      string
		ok, wrong stanza.Node
		check     stanza.Check
	}{
		{"depth", nested(stanza.MaxDepth), nested(stanza.MaxDepth + 1), stanza.CheckDepth},
		{"nodes", wide(stanza.MaxNodes - 1), wide(stanza.MaxNodes), stanza.CheckNodes},
		{"attributes", attrs(stanza.MaxAttrs), attrs(stanza.MaxAttrs + 1), stanza.CheckAttrs},
		{"name", stanza.Node{Tag: strings.Repeat("a", stanza.MaxName)}, stanza.Node{Tag: strings.Repeat("a", stanza.MaxName+1)}, stanza.CheckName},
		{"value", valued(stanza.MaxValue), valued(stanza.MaxValue + 1), stanza.CheckValue},
		{"content", stanza.Node{Tag: "a", Data: []byte("x")}, stanza.Node{Tag: "a", Data: []byte("x"), Children: wide(1).Children}, stanza.CheckContent},
		{"duplicate", attrs(2), stanza.Node{Tag: "a", Attrs: []stanza.Attr{{Name: "b"}, {Name: "c"}, {Name: "b"}}}, stanza.CheckDuplicate},
		{"empty tag", stanza.Node{Tag: "_"}, stanza.Node{}, stanza.CheckName},
		{"token that is no name", stanza.Node{Tag: "w"}, stanza.Node{Tag: "w:p"}, stanza.CheckName},
		{"control character", valued(0), stanza.Node{Tag: "a", Attrs: []stanza.Attr{{Name: "a", Value: "\n"}}}, stanza.CheckValue},
		{"not UTF-8", valued(0), stanza.Node{Tag: "a", Attrs: []stanza.Attr{{Name: "a", Value: "\xc3"}}}, stanza.CheckValue},
		{"no character", valued(0), stanza.Node{Tag: "a", Attrs: []stanza.Attr{{Name: "a", Value: "ä\uFFFE"}}}, stanza.CheckValue},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			checkCodecs(t, tt.ok)
			before := []byte("before")
			for codec, encode := range map[string]func([]byte, stanza.Node) ([]byte, error){
				"binary": stanza.AppendBinary, "compressed": stanza.AppendCompressed, "xml": stanza.AppendXML,
			} {
				if b, err := encode(before, tt.wrong); !errors.Is(err, tt.check) || string(b) != "before" {
					t.Errorf("%s wrote %q, %v; want %v", codec, b, err, tt.check)
				}
			}
			if err := tt.wrong.Validate(); !errors.Is(err, tt.check) {
				t.Errorf("Validate says %v; want %v", err, tt.check)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	// Header, list head, tag, length head and data fill MaxSize exactly.
	fits := stanza.Node{Tag: "enc", Data: make([]byte, stanza.MaxSize-1-2-1-5)}
	b, err := stanza.AppendBinary(nil, fits)
	if err != nil || len(b) != stanza.MaxSize {
		t.Fatalf("wrote %d bytes, %v; want %d", len(b), err, stanza.MaxSize)
	}
	if n, err := stanza.ParseBinary(b); err != nil || !n.Equal(&fits) {
		t.Fatalf("did not read the largest stanza: %v", err)
	}
	small, err := stanza.AppendCompressed(nil, fits)
	if err != nil || len(small) > len(b)/100 {
		t.Fatalf("compressed to %d bytes, %v", len(small), err)
	}
	if n, err := stanza.ParseBinary(small); err != nil || !n.Equal(&fits) {
		t.Fatalf("did not read the largest stanza compressed: %v", err)
	}
	larger := stanza.Node{Tag: "enc", Data: make([]byte, len(fits.Data)+1)}
	for _, n := range []stanza.Node{larger, {Tag: "enc", Data: make([]byte, stanza.MaxSize+1)}} {
		if _, err := stanza.AppendBinary(nil, n); !errors.Is(err, stanza.CheckSize) {
			t.Errorf("binary: %v; want %v", err, stanza.CheckSize)
		}
		if _, err := stanza.MarshalXML(n); !errors.Is(err, stanza.CheckSize) {
			t.Errorf("xml: %v; want %v", err, stanza.CheckSize)
		}
	}
	if _, err := stanza.ParseBinary(append(b, 0)); !errors.Is(err, stanza.CheckSize) {
		t.Errorf("parse binary: %v; want %v", err, stanza.CheckSize)
	}
	if _, err := stanza.ParseXML(append(b, 0)); !errors.Is(err, stanza.CheckSize) {
		t.Errorf("parse xml: %v; want %v", err, stanza.CheckSize)
	}
}

func FuzzBinary(f *testing.F) {
	for _, s := range samples {
		for _, encode := range []func([]byte, stanza.Node) ([]byte, error){stanza.AppendBinary, stanza.AppendCompressed} {
			b, err := encode(nil, s.stanza.Node())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	for _, tt := range binaryRefused {
		if b, err := hex.DecodeString(strings.ReplaceAll(tt.hex, " ", "")); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := stanza.ParseBinary(b)
		if err != nil {
			if n.Tag != "" || n.Attrs != nil || n.Children != nil || n.Data != nil {
				t.Fatalf("an error, and yet %v", n)
			}
			return
		}
		bin, _ := checkCodecs(t, n)
		if compressed := b[0]&0x0F != 0; !compressed && !bytes.Equal(b, bin) {
			t.Fatalf("accepted %x, which is not canonical: %x", b, bin)
		}
		checkTyped(t, n)
	})
}

func FuzzXML(f *testing.F) {
	for _, s := range samples {
		b, err := stanza.IndentXML(s.stanza)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, tt := range xmlRefused {
		f.Add([]byte(tt.xml))
	}
	for _, tt := range xmlRead {
		f.Add([]byte(tt.xml))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := stanza.ParseXML(b)
		if err != nil {
			if n.Tag != "" || n.Attrs != nil || n.Children != nil || n.Data != nil {
				t.Fatalf("an error, and yet %v", n)
			}
			return
		}
		checkCodecs(t, n)
		checkTyped(t, n)
		checkStandardXML(t, b, n)
	})
}

// checkTyped proves that what Parse accepts is written to a tree that it reads
// as the same.
func checkTyped(t *testing.T, n stanza.Node) {
	t.Helper()
	s, err := stanza.Parse(n)
	if err != nil {
		return
	}
	first := s.Node()
	if err := first.Validate(); err != nil {
		t.Fatalf("typed stanza writes an invalid tree: %v\n%+v", err, s)
	}
	s2, err := stanza.Parse(first)
	if err != nil {
		t.Fatalf("typed stanza does not read what it wrote: %v\n%+v", err, first)
	}
	if second := s2.Node(); !second.Equal(&first) {
		t.Fatalf("typed stanza changed\nfrom %+v\nto   %+v", first, second)
	}
}
