package dmadev

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestAtOnce: servers that start in a new directory at the same time have the same keys.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lab")
	dirs := make([]*Dir, 5)
	var wg sync.WaitGroup
	for i := range dirs {
		wg.Go(func() {
			var err error
			if dirs[i], err = Make(path, time.Now()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, d := range dirs[1:] {
		if d == nil || dirs[0] == nil || d.Invitation != dirs[0].Invitation || string(d.Noise.Public) != string(dirs[0].Noise.Public) {
			t.Error("not the same keys")
		}
	}
}

// TestEarlier: a directory of an earlier version is refused with what to do.
func TestEarlier(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d, err := Make(path, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(path, keysName)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(b), d.Invitation, "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "earlier version") {
		t.Errorf("got %v, want that it was made by an earlier version", err)
	}
}

// TestPlus: a phone number with its plus is no partner's user by mistake.
func TestPlus(t *testing.T) {
	t.Parallel()
	d, err := Make(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.DeviceStore("+4915112345678"); err == nil {
		t.Error("a phone number with its plus is taken")
	}
	for _, name := range []string{"4915112345678", "+bob@partner.example"} {
		if _, err := d.DeviceStore(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
