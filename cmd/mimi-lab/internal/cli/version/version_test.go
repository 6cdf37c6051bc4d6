package version

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// draft matches a draft with its revision.
var draft = regexp.MustCompile(`draft-(ietf|mahy)-(mls|mimi)-[a-z-]+-[0-9]{2}\b`)

// TestDocuments: the drafts that the protocols cite with a revision are those that the
// command prints, and each that it prints is cited.
func TestDocuments(t *testing.T) {
	t.Parallel()
	cited := map[string]bool{}
	root := filepath.Join("..", "..", "..", "..", "..")
	for _, dir := range []string{"protocols", "groups"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			for _, name := range draft.FindAllString(string(b), -1) {
				cited[name] = true
			}
			for _, name := range documents {
				if strings.Contains(string(b), name) {
					cited[name] = true
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range documents {
		if !cited[name] {
			t.Errorf("%s is printed and nowhere cited", name)
		}
		delete(cited, name)
	}
	for name := range cited {
		t.Errorf("%s is cited and not printed", name)
	}
}
