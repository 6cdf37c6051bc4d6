package outline

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// sample has a field of every kind, two of them with a stranger's text.
func sample() *Node {
	n := &Node{}
	n.Add(&Node{Name: "version", Value: Code{"mls10", 1}})
	n.Add(&Node{Name: "epoch", Value: Number(1<<64 - 1)})
	n.Add(&Node{Name: "relative", Value: Bool(true)})
	n.Add(&Node{Name: "identity", Value: Bytes{Data: []byte("ada"), Text: true}})
	n.Add(&Node{Name: "trick", Value: Bytes{Data: []byte("\x1b[31m"), Text: true}})
	n.Add(&Node{Name: "hash", Value: Bytes{Data: bytes.Repeat([]byte{0xab}, 64)}})
	n.Add(&Node{Name: "path", Value: Absent("absent")})
	life := n.Add(&Node{Name: "lifetime"})
	life.Add(&Node{Name: "not_before", Value: Time(0)})
	life.Add(&Node{Name: "not_after", Value: Time(1<<64 - 1)})
	life.Derive("subject", Quoted("CN=\u009b2J\u202e\U000e0001 \"x\""))
	n.Add(&Node{Name: "codes", Value: Codes{List: []Code{{strings.Repeat("a", 40), 1}, {strings.Repeat("b", 40), 2}}, More: 3}})
	n.Add(&Node{Name: "unmerged", Value: Numbers{List: []uint64{1, 5}}})
	list := n.Add(&Node{Name: "list", List: true, More: 2})
	list.Add(&Node{}).Add(&Node{Name: "a", Value: Number(1)})
	n.Add(&Node{Name: "large", List: true, Brief: "7 things"}).Add(&Node{Value: Number(1)})
	n.Derive("signature", Text("verifies")).Verdict = Good
	return n
}

const wantText = `version: mls10 (1)
epoch: 18446744073709551615
relative: true
identity: 3 bytes "ada"
trick: 5 bytes 1b5b33316d
hash: 64 bytes abababababababababababababababababababababababababababababababab…
path: absent
lifetime
  not_before: 1970-01-01 00:00:00 UTC (0)
  not_after: no end (2^64-1)
  → subject: "CN=\u009b2J\u202e\U000e0001 \"x\""
codes: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa (1),
       bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb (2), … 3 more
unmerged: 1, 5
list: 3
  [0] a: 1
  … 2 more
large: 7 things
→ signature: verifies
`

const wantJSON = `{"version":{"name":"mls10","number":1},"epoch":18446744073709551615,"relative":true,"identity":"616461","trick":"1b5b33316d",` +
	`"hash":"abababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababab",` +
	`"path":null,"lifetime":{"not_before":0,"not_after":18446744073709551615,"derived":{"subject":"CN=\u009b2J\u202e\udb40\udc01 \"x\""}},` +
	`"codes":[{"name":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","number":1},{"name":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","number":2},{"more":3}],` +
	`"unmerged":[1,5],"list":[{"a":1},{"more":2}],"large":[1],"derived":{"signature":"verifies"}}`

func TestText(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := sample().Write(&b, Style{Columns: 80}); err != nil || b.String() != wantText {
		t.Errorf("%v\ngot\n%s\nwant\n%s", err, &b, wantText)
	}
	for line := range strings.Lines(b.String()) {
		if n := Width(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("a line of %d columns, want at most 80: %s", n, line)
		}
	}
}

func TestFull(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := sample().Write(&b, Style{Columns: 80, Full: true}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{strings.Repeat("ab", 64) + "\n", "large: 1\n  [0] 1\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	b, err := sample().MarshalJSON()
	if err != nil || string(b) != wantJSON || !json.Valid(b) {
		t.Errorf("%v\ngot  %s\nwant %s", err, b, wantJSON)
	}
}

// TestBelow: what fits the columns only below its name stands there, but where nothing
// is to be shortened.
func TestBelow(t *testing.T) {
	t.Parallel()
	root := &Node{}
	n := root
	for range 4 {
		n = n.Add(&Node{Name: "inner"})
	}
	n.Add(&Node{Name: "cipher_suites", Value: Codes{List: []Code{{strings.Repeat("s", 24), 1}, {"t", 2}}}})
	n.Add(&Node{Name: "one", Value: Codes{List: []Code{{"u", 3}}}})
	head := "inner\n  inner\n    inner\n      inner\n"
	for _, c := range []struct {
		name string
		full bool
		want string
	}{
		{"shortened", false, head + "        cipher_suites:\n            ssssssssssssssssssssssss (1),\n            t (2)\n        one: u (3)\n"},
		{"full", true, head + "        cipher_suites: ssssssssssssssssssssssss (1), t (2)\n        one: u (3)\n"},
	} {
		var b strings.Builder
		if err := root.Write(&b, Style{Columns: 44, Full: c.full}); err != nil {
			t.Fatal(err)
		}
		if b.String() != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, b.String(), c.want)
		}
	}
}
