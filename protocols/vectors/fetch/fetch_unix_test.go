//go:build unix

package fetch_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/vectors/fetch"
)

// TestPipe: a pipe, which nobody writes to, is no file, neither in a mirror nor where a
// file is to be.
func TestPipe(t *testing.T) {
	t.Parallel()
	from, dir := t.TempDir(), t.TempDir()
	for name, text := range contents {
		write(t, filepath.Join(from, name), text)
	}
	origin, err := fetch.ParseOrigin(from)
	if err != nil {
		t.Fatal(err)
	}
	pipe := func(path string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pipe(filepath.Join(dir, "a", "2.json"))
	if res, err := fetch.Fetch(t.Context(), dir, sources(), fetch.Options{Origin: origin}); err != nil || !res.Complete() {
		t.Errorf("in place of a file: got %+v with error %v, want all", res, err)
	}
	whole(t, dir, all()...)
	if err := os.Remove(filepath.Join(from, "a", "2.json")); err != nil {
		t.Fatal(err)
	}
	pipe(filepath.Join(from, "a", "2.json"))
	_, err = fetch.Fetch(t.Context(), t.TempDir(), sources(), fetch.Options{Origin: origin})
	if err == nil || !strings.Contains(err.Error(), "2.json: it is no regular file") {
		t.Errorf("in a mirror: got error %v", err)
	}
}
