package suite

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestNotice: NOTICE names each library that the package is made of, and SECURITY.md
// has the bound of what a process keeps.
func TestNotice(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	notice := read("NOTICE")
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	libraries := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			parts := strings.Split(path, "/")
			if len(parts) < 3 || parts[0] != "github.com" || parts[1] == "mimi-lab" {
				continue
			}
			libraries++
			if module := strings.Join(parts[:3], "/"); !strings.Contains(notice, module) {
				t.Errorf("%s imports %s, which NOTICE does not name", name, module)
			}
		}
	}
	if libraries == 0 {
		t.Error("no library is imported: the test looks for the wrong thing")
	}
	if want := fmt.Sprintf("the last %d Ed25519 keys", knownKeys); !strings.Contains(read("SECURITY.md"), want) {
		t.Errorf("SECURITY.md does not say %q", want)
	}
}
