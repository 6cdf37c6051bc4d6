package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pkg is what this test needs of one package, as go list -json prints it.
type pkg struct {
	Dir        string
	ImportPath string
	Name       string
	Doc        string // first sentence of the package comment
	Standard   bool
	Export     string // file with export data
	GoFiles    []string
	CgoFiles   []string
	Imports    []string
	Deps       []string
}

// rel is the import path relative to the module.
func (p pkg) rel() string {
	if p.ImportPath == module {
		return "."
	}
	return strings.TrimPrefix(p.ImportPath, module+"/")
}

// goList runs go list -json with the arguments.
func goList(t *testing.T, args ...string) []pkg {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("go", append([]string{"list", "-json"}, args...)...)
	cmd.Dir = "../../../.." // the root of the module
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs
		}
		if err != nil {
			t.Fatalf("go list %s: %v", strings.Join(args, " "), err)
		}
		pkgs = append(pkgs, p)
	}
}

func mustParse(t *testing.T, text string) []line {
	t.Helper()
	lines, err := parseFloors(text)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestFloors compares what every package imports with the block of floors, as
// built with and without the build tag nogpl.
func TestFloors(t *testing.T) {
	t.Parallel()
	lines := mustParse(t, floors)
	for _, tags := range []string{"", "nogpl"} {
		t.Run("tags="+tags, func(t *testing.T) {
			t.Parallel()
			pkgs := goList(t, "-tags="+tags, "./...")
			if len(pkgs) < 2 {
				t.Fatalf("go list found %d packages", len(pkgs))
			}
			for _, p := range pkgs {
				for _, complaint := range checkImports(lines, p) {
					t.Error(complaint)
				}
			}
		})
	}
}

// TestLicence proves that the build tag nogpl leaves out every package that must
// stay behind it, however deep.
func TestLicence(t *testing.T) {
	t.Parallel()
	for _, p := range goList(t, "-tags=nogpl", "./...") {
		for _, dep := range p.Deps {
			for _, m := range modules {
				if below(m.module, dep) {
					t.Errorf("%s depends on %s under the build tag nogpl: %s", p.rel(), dep, m.why)
				}
			}
		}
	}
}

// TestComments demands a package comment of every package, and of those under
// protocols and groups that it names the specification.
func TestComments(t *testing.T) {
	t.Parallel()
	for _, p := range goList(t, "./...") {
		comment, err := packageComment(p)
		if err != nil {
			t.Fatal(err)
		}
		if complaint := checkComment(p.rel(), p.Name, comment); complaint != "" {
			t.Error(complaint)
		}
	}
}

// checkImports says which imports of a package the floors forbid.
func checkImports(lines []line, p pkg) []string {
	at, name := find(lines, p.rel())
	if at < 0 {
		return []string{fmt.Sprintf("%s is on no floor: list it in floors (cmd/mimi-lab/internal/arch/floors_test.go), "+
			"on the first line below all that it imports", p.rel())}
	}
	var complaints []string
	complain := func(format string, args ...any) {
		complaints = append(complaints, p.rel()+" "+fmt.Sprintf(format, args...))
	}
	floor := lines[at].floor
	for _, path := range p.Imports {
		for _, m := range modules {
			if below(m.module, path) && p.rel() != m.only {
				complain("imports %s, which only %s may: %s", path, m.only, m.why)
			}
		}
		if !below(module, path) {
			continue
		}
		dep := pkg{ImportPath: path}.rel()
		to, toName := find(lines, dep)
		switch {
		case to < 0: // complained of when dep itself is checked
		case toName == name: // one tree
		case lines[to].floor == tests && floor != tests:
			complain("imports %s, which is for test files", dep)
		case to == at:
			complain("imports %s, which stands on the same line of floors: "+
				"does one of them belong lower, or is there a third package in them?", dep)
		case to > at:
			complain("(floor %d) imports %s, which stands above it (floor %d): "+
				"declare an interface below, or move what both need down", floor, dep, lines[to].floor)
		case floor == simulator && lines[to].floor == shell:
			complain("imports %s: the simulator is itself the shell and drives the machines directly", dep)
		}
	}
	return complaints
}

// below reports whether path is the module or package tree, or within it.
func below(tree, path string) bool { return path == tree || strings.HasPrefix(path, tree+"/") }

// packageComment returns the comments above a package's clauses.
func packageComment(p pkg) (string, error) {
	var all []string
	for _, name := range p.GoFiles {
		f, err := parseFile(p.Dir+"/"+name, nil)
		if err != nil {
			return "", err
		}
		if f.Doc != nil {
			all = append(all, f.Doc.Text())
		}
	}
	return strings.Join(all, "\n"), nil
}

// specReference matches the name of a specification.
var specReference = regexp.MustCompile(`RFC \d+|draft-[a-z]+-[a-z0-9-]+|FIPS \d|SP 800-|XEP-\d+|Article 7|signal\.org/docs|https://`)

// checkComment says what a package comment lacks.
func checkComment(rel, name, comment string) string {
	want := "Package " + name
	if name == "main" {
		want = "Command " + rel[strings.LastIndexByte(rel, '/')+1:]
	}
	first, _, _ := strings.Cut(comment, "\n")
	switch {
	case comment == "":
		return rel + " has no package comment: say what it is, after which specification, and what it does not do"
	case !strings.HasPrefix(comment, want+" "):
		return fmt.Sprintf("%s: the package comment begins %q, want %q", rel, first, want+" ...")
	case !below("protocols", rel) && !below("groups", rel), noSpec[rel] != "", specReference.MatchString(comment):
		return ""
	}
	return rel + ": the package comment names no specification (RFC, draft, https://...); " +
		"if there is none, list the package in noSpec with the reason"
}

func TestParseFloors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, err string }{
		{"good", "1 a b\ntests c\n\n1 d\n2 e/...", ""},
		{"falling", "2 a\n1 b", "want a floor from 2 on"},
		{"no floor", "a b", "want a floor"},
		{"zero", "0 b", "want a floor"},
		{"twice", "1 a\n2 a", "a is listed twice"},
	} {
		_, err := parseFloors(tt.text)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: got error %v, want one with %q", tt.name, err, tt.err)
		}
	}
}

// TestCheckImports plants one violation of each rule.
func TestCheckImports(t *testing.T) {
	t.Parallel()
	lines := mustParse(t, "1 low peer\ntests helper\n2 tree/... low/deep\n6 socket\n7 simu\n10 top")
	for _, tt := range []struct {
		name, pkg string
		imports   []string
		want      string // "" for none
	}{
		{"downwards", "top", []string{"low", "tree/x", "socket", "simu"}, ""},
		{"standard library", "low", []string{"!fmt", "!net/http"}, ""},
		{"within a tree", "tree/a", []string{"tree", "tree/b"}, ""},
		{"own internal", "low", []string{"low/internal/x"}, ""},
		{"test package downwards", "helper", []string{"low"}, ""},
		{"longest name", "low/deep", []string{"low"}, ""},
		{"not listed", "new", nil, "new is on no floor: list it in floors"},
		{"below a name without dots", "low/new", nil, "is on no floor"},
		{"upwards", "low", []string{"tree/a"}, "low (floor 1) imports tree/a, which stands above it (floor 2)"},
		{"up by its internals", "low/internal/x", []string{"tree"}, "stands above it"},
		{"same line", "low", []string{"peer"}, "same line"},
		{"test package", "top", []string{"helper"}, "helper, which is for test files"},
		{"test package upwards", "helper", []string{"tree"}, "stands above it"},
		{"simulator and shell", "simu", []string{"socket"}, "the simulator is itself the shell"},
		{"licence", "top", []string{"!go.mau.fi/libsignal/ecc"}, "which only protocols/signal/v3 may"},
	} {
		p := pkg{ImportPath: module + "/" + tt.pkg}
		for _, path := range tt.imports {
			if s, ok := strings.CutPrefix(path, "!"); ok {
				p.Imports = append(p.Imports, s)
			} else {
				p.Imports = append(p.Imports, module+"/"+path)
			}
		}
		got := checkImports(lines, p)
		if tt.want == "" && len(got) > 0 || tt.want != "" && !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, tt.want) }) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestCheckComment plants one bad comment of each kind.
func TestCheckComment(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, rel, pkg, comment, want string }{
		{"spec", "protocols/mls", "mls", "Package mls is RFC 9420.", ""},
		{"draft", "groups/hub", "hub", "Package hub is the hub of draft-ietf-mimi-protocol-06.", ""},
		{"simulator", "sim/des", "des", "Package des is the event kernel.", ""},
		{"reason", "protocols/suite", "suite", "Package suite is a seam.", ""},
		{"command", "cmd/mimi-lab", "main", "Command mimi-lab is the door.", ""},
		{"none", "sim/des", "des", "", "has no package comment"},
		{"other form", "sim/des", "des", "The event kernel.", "begins"},
		{"no spec", "protocols/mls", "mls", "Package mls is an engine.", "names no specification"},
	} {
		got := checkComment(tt.rel, tt.pkg, tt.comment)
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
