// Package vectors gives tests the published test vectors that they check the
// protocols against. The vectors are not part of the repository: they are found
// in the folder that the environment variable MIMI_LAB_VECTORS names, laid out
// as SHA256SUMS lists them. That file pins each by the source's commit and by
// its hash, so that a test never passes against other vectors than it was
// written for.
//
// Without the folder a test is skipped, but where the environment says CI=true
// it fails: there a check that does not run must not look like one that passed.
package vectors

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Env is the environment variable that names the folder of vectors.
const Env = "MIMI_LAB_VECTORS"

//go:embed SHA256SUMS
var sums string

// Read returns the contents of a vector file, named as in SHA256SUMS:
// "mls/tree-math.json". Where there are no vectors it ends the test as
// described above. A file that is missing or differs from its pinned hash fails
// the test.
func Read(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv(Env)
	if dir == "" {
		why := fmt.Sprintf("%s is not set: it names the folder that holds %s (CONTRIBUTING.md says where to get it)", Env, name)
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	b, err := read(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Names returns the names of all vector files in a folder of SHA256SUMS, such as
// "mimi-content", sorted. It does not look at the disk.
func Names(folder string) []string {
	var names []string
	for _, line := range strings.Split(sums, "\n") {
		if _, name, ok := strings.Cut(line, "  "); ok && strings.HasPrefix(name, folder+"/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func read(dir, name string) ([]byte, error) {
	want := pinned(name)
	if want == "" {
		return nil, fmt.Errorf("vectors: %s is not listed in SHA256SUMS", name)
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("vectors: %w", err)
	}
	if got := sha256.Sum256(b); hex.EncodeToString(got[:]) != want {
		return nil, fmt.Errorf("vectors: %s has SHA-256 %x, want the pinned %s", path, got, want)
	}
	return b, nil
}

// pinned returns the hash of name, "" if there is none.
func pinned(name string) string {
	for _, line := range strings.Split(sums, "\n") {
		if sum, n, ok := strings.Cut(line, "  "); ok && n == name {
			return sum
		}
	}
	return ""
}
