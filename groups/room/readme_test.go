package room

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestReadme: the table of capabilities in README.md is that of the registry.
func TestReadme(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- capabilities: written by go test -run TestReadme -rewrite -->\n", "<!-- end -->"
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(b), begin)
	table, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("README.md has no table between %q and %q", begin, end)
	}
	by := map[Enforcement][]string{}
	for _, c := range Capabilities() {
		name := c.String()
		if c.Reserved() {
			name += "\u00a0(reserved)"
		}
		by[c.EnforcedBy()] = append(by[c.EnforcedBy()], name)
	}
	var want strings.Builder
	want.WriteString("| enforced by | capabilities |\n| --- | --- |\n")
	for _, e := range []Enforcement{ByAll, ByHub, ByReceivers, ByItself, ByNobody} {
		fmt.Fprintf(&want, "| %v | %s |\n", e, strings.Join(by[e], ", "))
	}
	if *rewrite {
		if err := os.WriteFile("README.md", []byte(head+begin+want.String()+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table != want.String() {
		t.Errorf("the table in README.md is\n%s\nwant\n%s", table, want.String())
	}
}
