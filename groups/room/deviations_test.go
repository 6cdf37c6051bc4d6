package room

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	entryHead  = regexp.MustCompile(`(?m)^## (\d+)\. .+$`)
	entryQuote = regexp.MustCompile(`(?m)^> (.+)$`)
	entryTest  = regexp.MustCompile(`(?m)^Test: (.+)$`)
	testRow    = regexp.MustCompile("`(Test[A-Za-z]+)`(?: \\(([^)]+)\\))?")
	testFunc   = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(t \*testing\.T\)`)
	codeCite   = regexp.MustCompile(`deviation (\d+)\)`)
)

// TestDeviations: the entries of DEVIATIONS.md are numbered without gaps, each has one
// short quote and names tests, and rows of them, that there are; and what code cites
// is there.
func TestDeviations(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("DEVIATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	var code, tests string
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code += string(src)
		if strings.HasSuffix(name, "_test.go") {
			tests += string(src)
		}
	}
	defined := map[string]bool{}
	for _, m := range testFunc.FindAllStringSubmatch(tests, -1) {
		defined[m[1]] = true
	}
	heads := entryHead.FindAllStringSubmatchIndex(string(b), -1)
	for i, h := range heads {
		number, end := string(b[h[2]:h[3]]), len(b)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		body := string(b[h[1]:end])
		if number != fmt.Sprint(i+1) {
			t.Errorf("entry %s is number %d", number, i+1)
		}
		if q := entryQuote.FindAllStringSubmatch(body, -1); len(q) != 1 || len(q[0][1]) > 90 {
			t.Errorf("entry %s has the quotes %q, want one of at most 90 bytes", number, q)
		}
		line := entryTest.FindStringSubmatch(body)
		if line == nil {
			t.Errorf("entry %s names no test", number)
			continue
		}
		rows := testRow.FindAllStringSubmatch(line[1], -1)
		if len(rows) == 0 {
			t.Errorf("entry %s: %q names no test", number, line[1])
		}
		for _, r := range rows {
			if !defined[r[1]] {
				t.Errorf("entry %s: there is no test %s", number, r[1])
			}
			if r[2] != "" && !strings.Contains(tests, `{"`+r[2]+`",`) && !strings.Contains(tests, "{capability: "+r[2]+",") {
				t.Errorf("entry %s: %s has no row %q", number, r[1], r[2])
			}
		}
	}
	if len(heads) < 25 {
		t.Errorf("%d entries, want those of the drafts' known defects at least", len(heads))
	}
	for _, m := range codeCite.FindAllStringSubmatch(code, -1) {
		if !strings.Contains(string(b), "\n## "+m[1]+". ") {
			t.Errorf("code cites deviation %s, which there is not", m[1])
		}
	}
}
