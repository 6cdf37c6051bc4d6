// Package vectorstest gives tests the published vectors: see packages vectors and
// cache for which they are and where they are looked for.
//
// Without vectors a test is skipped, but where the environment says CI=true it
// fails: there a check that does not run must not look like one that passed.
package vectorstest

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/vectors"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/cache"
)

// find looks for the folder once for all tests of a binary.
var find = sync.OnceValues(func() (string, error) { return cache.Find(os.Getenv) })

// Read returns the contents of a file of the list, "mls/tree-math.json". Where
// there are no vectors it ends the test as described above. A file that is
// missing in their folder, or not as it was published, fails the test.
func Read(t testing.TB, name string) []byte {
	t.Helper()
	return read(t, find, name)
}

// Dir returns the folder of vectors, for a test that needs all of it. Where there
// is none it ends the test as described above. The files may be anything yet.
func Dir(t testing.TB) string {
	t.Helper()
	return folder(t, find)
}

func read(t testing.TB, find func() (string, error), name string) []byte {
	t.Helper()
	b, err := vectors.Read(os.DirFS(folder(t, find)), name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func folder(t testing.TB, find func() (string, error)) string {
	t.Helper()
	dir, err := find()
	if err != nil {
		why := fmt.Sprintf(`%v ("go run ./cmd/mimi-lab vectors fetch" gets them)`, err)
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	return dir
}
