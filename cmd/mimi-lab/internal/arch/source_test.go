package arch

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var fset = token.NewFileSet()

func parseFile(name string, src any) (*ast.File, error) {
	return parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
}

// TestPure looks through the type-checked sources of floors 1 to 5 and 7 for
// what is banned there, with and without the build tag nogpl.
func TestPure(t *testing.T) {
	t.Parallel()
	lines := mustParse(t, floors)
	for _, tags := range []string{"", "nogpl"} {
		pkgs := goList(t, "-export", "-deps", "-tags="+tags, "./...")
		imp := exportImporter(pkgs)
		for _, p := range pkgs {
			at, _ := find(lines, p.rel())
			if !below(module, p.ImportPath) || at < 0 {
				continue
			}
			files, err := parsePackage(p)
			if err != nil {
				t.Fatal(err)
			}
			found, err := findBanned(lines[at].floor, p.ImportPath, files, imp)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				if !slices.ContainsFunc(exceptions, func(e exception) bool { return e.pkg == p.rel() && e.what == f.what }) {
					t.Errorf("%s (floor %d): %s", p.rel(), lines[at].floor, f)
				}
			}
		}
	}
}

// exportImporter imports packages from the export data that go list found.
func exportImporter(pkgs []pkg) types.Importer {
	files := map[string]string{}
	for _, p := range pkgs {
		files[p.ImportPath] = p.Export
	}
	return importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if files[path] == "" {
			return nil, fmt.Errorf("no export data for %s", path)
		}
		return os.Open(files[path])
	})
}

func parsePackage(p pkg) ([]*ast.File, error) {
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parseFile(filepath.Join(p.Dir, name), nil)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// finding is one use of something banned.
type finding struct {
	at   token.Pos
	what string // as in exception
	why  string
}

func (f finding) String() string {
	pos := fset.Position(f.at)
	return fmt.Sprintf("%s:%d: %s: %s", filepath.Base(pos.Filename), pos.Line, f.what, f.why)
}

// findBanned returns what the files of one package use although its floor
// forbids it. Names are resolved by type, so that a renamed import, a dot import
// or a method value does not hide one and a local variable does not look like
// one.
func findBanned(floor int, path string, files []*ast.File, imp types.Importer) ([]finding, error) {
	if floor != simulator && (floor > lastPure || floor == tests) {
		return nil, nil
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: imp}
	if _, err := conf.Check(path, fset, files, info); err != nil {
		return nil, fmt.Errorf("type-check %s: %w", path, err)
	}
	var found []finding
	hit := func(at token.Pos, what, why string) { found = append(found, finding{at, what, why}) }
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec:
				imported, err := strconv.Unquote(n.Path.Value)
				if err != nil {
					break
				}
				for _, b := range bans {
					if b.path == imported && b.names == "" && (floor <= lastPure || b.sim) {
						hit(n.Pos(), b.path, b.why)
					}
				}
			case *ast.GoStmt:
				if floor <= lastPure {
					hit(n.Pos(), "go", "goroutines belong to the shells")
				}
			case *ast.Ident:
				fn, ok := info.Uses[n].(*types.Func)
				if !ok || fn.Pkg() == nil || fn.Signature().Recv() != nil {
					break
				}
				for _, b := range bans {
					if b.path == fn.Pkg().Path() && slices.Contains(strings.Fields(b.names), fn.Name()) && (floor <= lastPure || b.sim) {
						hit(n.Pos(), b.path+"."+fn.Name(), b.why)
					}
				}
			}
			return true
		})
	}
	slices.SortFunc(found, func(a, b finding) int { return int(a.at - b.at) })
	return found, nil
}

// TestFindBanned plants one violation of each rule, and what merely looks like
// one.
func TestFindBanned(t *testing.T) {
	t.Parallel()
	args := []string{"-export", "-deps", "fmt", "testing/synctest"}
	for _, b := range bans {
		args = append(args, b.path)
	}
	imp := exportImporter(goList(t, args...))
	type row struct {
		name, src  string
		pure, simu string // what is found on floors 1 to 5, and on floor 7
	}
	rows := []row{
		{"call", `import "time"; var t = time.Now()`, "time.Now", "time.Now"},
		{"renamed import", `import clock "time"; func f() { clock.Sleep(1) }`, "time.Sleep", "time.Sleep"},
		{"dot import", `import . "time"; var t = NewTimer(1)`, "time.NewTimer", "time.NewTimer"},
		{"function value", `import "time"; var now = time.Now`, "time.Now", "time.Now"},
		{"local variable", `type clock struct{}; func (clock) Now() int { return 0 }; func f(time clock) int { return time.Now() }`, "", ""},
		{"allowed name", `import "time"; var d = time.Second`, "", ""},
		{"method", `import "time"; func f(t time.Time) bool { return t.After(t) }`, "", ""},
		{"global source", `import "math/rand/v2"; var n = rand.IntN(6)`, "math/rand/v2.IntN", "math/rand/v2.IntN"},
		{"global generic", `import "math/rand/v2"; var n = rand.N[int](6)`, "math/rand/v2.N", "math/rand/v2.N"},
		{"own source", `import "math/rand/v2"; var n = rand.New(rand.NewPCG(1, 2)).IntN(6)`, "", ""},
		{"goroutine", `func f() { go f() }`, "go", ""},
		{"goroutine in a literal", `var f = func() { go func() {}() }`, "go", ""},
		{"print", `import "fmt"; func f() { fmt.Println() }`, "fmt.Println", ""},
		{"format", `import "fmt"; var s = fmt.Sprintf("")`, "", ""},
	}
	for _, b := range bans {
		r := row{name: "ban " + b.path}
		if b.names == "" {
			r.src, r.pure = fmt.Sprintf("import _ %q", b.path), b.path
			if b.sim {
				r.simu = r.pure
			}
			rows = append(rows, r)
			continue
		}
		for _, name := range strings.Fields(b.names) {
			r.name = "ban " + b.path + "." + name
			r.src, r.pure, r.simu = fmt.Sprintf("import x %q; func f() { _ = x.%s }", b.path, name), b.path+"."+name, ""
			if name == "N" {
				r.src = fmt.Sprintf("import x %q; func f() { _ = x.N[int] }", b.path)
			}
			if b.sim {
				r.simu = r.pure
			}
			rows = append(rows, r)
		}
	}
	for _, r := range rows {
		f, err := parseFile("p.go", "package p\n"+r.src)
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		for floor, want := range map[int]string{1: r.pure, lastPure: r.pure, simulator: r.simu, shell: "", 10: "", tests: ""} {
			found, err := findBanned(floor, "p", []*ast.File{f}, imp)
			if err != nil {
				t.Fatalf("%s: %v", r.name, err)
			}
			var got string
			if len(found) > 0 {
				got = found[0].what
			}
			if got != want || len(found) > 1 {
				t.Errorf("%s on floor %d: got %v, want %q", r.name, floor, found, want)
			}
		}
	}
}
