package cache_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/vectors"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/cache"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/vectorstest"
)

// home gives the test a user without any files, and returns where the user's
// vectors belong.
func home(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData"} {
		t.Setenv(name, dir)
	}
	own, err := cache.Dir()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(own, dir) || !strings.HasSuffix(own, filepath.Join("mimi-lab", "vectors")) {
		t.Fatalf("the user's folder is %s, want one below %s", own, dir)
	}
	return own
}

// env is an environment with this folder of vectors.
func env(dir string) func(string) string {
	return func(name string) string { return map[string]string{vectors.Env: dir}[name] }
}

// refused demands that no folder is found, for this reason.
func refused(t *testing.T, name, want string) {
	t.Helper()
	dir, err := cache.Find(env(""))
	if !errors.Is(err, cache.ErrNone) || dir != "" || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: found %q with error %v, want none because %q", name, dir, err, want)
	}
}

func TestFind(t *testing.T) {
	own := home(t)
	refused(t, "nothing", "no such file or directory")
	if dir, err := cache.Find(env("elsewhere")); dir != "elsewhere" || err != nil {
		t.Errorf("with %s: found %q with error %v, want what it says", vectors.Env, dir, err)
	}
	if err := os.MkdirAll(own, 0o700); err != nil {
		t.Fatal(err)
	}
	refused(t, "empty", "is not as published (files missing or changed: 53, first: open mls/crypto-basics.json")
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	refused(t, "no home", "is not set, and ")
}

// TestFindOwn fills the user's folder, and then changes one byte of it.
func TestFindOwn(t *testing.T) {
	contents := map[string][]byte{}
	for _, s := range vectors.Sources() {
		for _, f := range s.Files {
			contents[f.Name] = vectorstest.Read(t, f.Name)
		}
	}
	own := home(t)
	for name, b := range contents {
		write(t, filepath.Join(own, filepath.FromSlash(name)), b)
	}
	if dir, err := cache.Find(env("")); dir != own || err != nil {
		t.Errorf("found %q with error %v, want %s", dir, err, own)
	}
	const name = "sframe/test-vectors.json"
	contents[name][0] ^= 1
	write(t, filepath.Join(own, filepath.FromSlash(name)), contents[name])
	refused(t, "one bit", "(files missing or changed: 1, first: sframe/test-vectors.json has SHA-256")
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
