package content_test

import (
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/content"
)

// TestNoHTML takes the kinds of tags of Section 6.10 of the GFM specification, and
// what is none.
func TestNoHTML(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"*a* **b**", "*a* **b**"},
		{"<a><bab><c2c>", "&lt;a>&lt;bab>&lt;c2c>"},
		{"<a/><b2/>", "&lt;a/>&lt;b2/>"},
		{"<a  /><b2\ndata=\"foo\" >", "&lt;a  />&lt;b2\ndata=\"foo\" >"},
		{"<responsive-image src=\"x\" />", "&lt;responsive-image src=\"x\" />"},
		{"</a></foo >", "&lt;/a>&lt;/foo >"},
		{"x <!-- comment --> <?php ?> <!ELEMENT br EMPTY> <![CDATA[>&<]]>", "x &lt;!-- comment --> &lt;?php ?> &lt;!ELEMENT br EMPTY> &lt;![CDATA[>&<]]>"},
		{"<<b>", "<&lt;b>"},
		{"<mimi://example.com/u/alice-smith>", "<mimi://example.com/u/alice-smith>"},
		{"<alice@example.com> <https://example.com/a b>", "<alice@example.com> <https://example.com/a b>"},
		{"a < b, a <3, <33>, <_x>, <", "a < b, a <3, <33>, <_x>, <"},
		{"[x](<im:y>) <a", "[x](<im:y>) <a"},
	} {
		got := content.NoHTML(tt.in)
		if got != tt.want {
			t.Errorf("%q became %q, want %q", tt.in, got, tt.want)
		}
		if again := content.NoHTML(got); again != got {
			t.Errorf("%q changes twice: %q", tt.in, again)
		}
	}
}
