package mls

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the table of checks in README.md anew")

// constant is a Check as check.go declares it.
type constant struct {
	name  string
	check Check
	rule  string // its comment
}

// constants reads check.go.
func constants(t *testing.T) (list []constant) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "check.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			if id, ok := v.Type.(*ast.Ident); !ok || id.Name != "Check" {
				continue
			}
			value, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, constant{v.Names[0].Name, Check(value), strings.TrimSpace(v.Comment.Text())})
		}
	}
	if len(list) < 90 {
		t.Fatalf("check.go declares %d checks, want those of RFC 9420 and its extensions", len(list))
	}
	return list
}

// TestEveryCheckHasARow fails for a rule that no row breaks, for two rules with one
// identifier and for rows that would run under one name.
func TestEveryCheckHasARow(t *testing.T) {
	t.Parallel()
	broken := make(map[Check]bool)
	names := make(map[string]bool)
	for _, r := range rows() {
		name := string(r.check) + " " + r.name
		if names[name] {
			t.Errorf("two rows %q", name)
		}
		broken[r.check], names[name] = true, true
	}
	seen := make(map[Check]string)
	for _, c := range constants(t) {
		if !broken[c.check] {
			t.Errorf("no row breaks %s (%s): %s", c.name, c.check, c.rule)
		}
		if other := seen[c.check]; other != "" {
			t.Errorf("%s and %s are both %s", other, c.name, c.check)
		}
		if c.rule == "" {
			t.Errorf("%s does not say what its rule is", c.name)
		}
		seen[c.check] = c.name
	}
}

// TestIdentifiersHaveNoGaps: the rules of a section are numbered from 1 on. Where one is
// left out, README.md says why.
func TestIdentifiersHaveNoGaps(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	prose, _, _ := strings.Cut(string(text), tableFrom)
	most := make(map[string]int)
	have := make(map[string]bool)
	for _, c := range constants(t) {
		at := strings.LastIndex(string(c.check), "-")
		n, err := strconv.Atoi(string(c.check[at+1:]))
		if err != nil || n < 1 {
			t.Fatalf("%s ends with no number from 1 on", c.check)
		}
		name := string(c.check[:at])
		most[name], have[string(c.check)] = max(most[name], n), true
	}
	for name, last := range most {
		for n := 1; n <= last; n++ {
			if id := fmt.Sprintf("%s-%d", name, n); !have[id] && !strings.Contains(prose, "would be "+id+",") {
				t.Errorf("no check is %s, and README.md does not say why", id)
			}
		}
	}
}

// Where the table stands in README.md.
const tableFrom, tableTo = "<!-- checks -->\n", "<!-- end -->\n"

// TestReadme compares the table of checks in README.md with check.go and the rows.
func TestReadme(t *testing.T) {
	t.Parallel()
	ways := make(map[Check][]string)
	for _, r := range rows() {
		name := r.name
		if name == "" {
			name = "as the rule says"
		}
		ways[r.check] = append(ways[r.check], name)
	}
	var b strings.Builder
	b.WriteString("| Identifier | Constant | Rule | Where | Test | Broken by |\n|---|---|---|---|---|---|\n")
	for _, c := range constants(t) {
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | `TestChecks/%s` | %s |\n",
			string(c.check), c.name, c.rule, section(c.check), string(c.check), strings.Join(ways[c.check], "; "))
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok1 := strings.Cut(string(text), tableFrom)
	table, tail, ok2 := strings.Cut(rest, tableTo)
	if !ok1 || !ok2 {
		t.Fatal("README.md has no place for the table of checks")
	}
	if table == b.String() {
		return
	}
	if !*rewrite {
		t.Fatal("the table of checks in README.md is not that of check.go: run go test -run TestReadme -rewrite")
	}
	if err := os.WriteFile("README.md", []byte(head+tableFrom+b.String()+tableTo+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

// section returns where a rule is stated.
func section(c Check) string {
	if strings.HasPrefix(string(c), "ext-") {
		return "mls-extensions-10"
	}
	if strings.HasPrefix(string(c), "local-") {
		return "`Config`"
	}
	s, _, _ := strings.Cut(string(c), "-")
	return "RFC 9420, " + s
}
