package vectors

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestPinned reads every pinned file of the folder there is.
func TestPinned(t *testing.T) {
	for folder, want := range map[string]int{"mls": 16, "mimi-content": 32, "mimi-status": 3, "sframe": 2} {
		names := Names(folder)
		if len(names) != want {
			t.Errorf("%s: %d files are listed, want %d", folder, len(names), want)
		}
		for _, name := range names {
			if len(Read(t, name)) == 0 {
				t.Errorf("%s is empty", name)
			}
		}
	}
}

// TestRefused plants one defect of each kind in a folder of vectors.
func TestRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "mls"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mls", "tree-math.json"), []byte("[]"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"mls/tree-math.json": "want the pinned 27f04891",
		"mls/welcome.json":   "no such file",
		"mls/other.json":     "not listed",
		"../SHA256SUMS":      "not listed",
	} {
		if _, err := read(dir, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("read %s: got error %v, want one with %q", name, err, want)
		}
	}
}

// recorder is a test whose end is looked at from outside.
type recorder struct {
	testing.TB
	ended string
}

func (r *recorder) Helper()           {}
func (r *recorder) Skip(args ...any)  { r.end("skipped", args) }
func (r *recorder) Fatal(args ...any) { r.end("failed", args) }
func (r *recorder) end(how string, args []any) {
	r.ended = how + ": " + fmt.Sprint(args...)
	runtime.Goexit()
}

// TestMissing proves that vectors that are not there skip a test, and that they
// fail it under CI.
func TestMissing(t *testing.T) {
	for _, tt := range []struct{ name, dir, ci, want string }{
		{"at home", "", "", "skipped: MIMI_LAB_VECTORS is not set"},
		{"under CI", "", "true", "failed: MIMI_LAB_VECTORS is not set"},
		{"empty folder", t.TempDir(), "", "failed: vectors: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(Env, tt.dir)
			t.Setenv("CI", tt.ci)
			r := &recorder{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				Read(r, "mls/tree-math.json")
			}()
			<-done
			if !strings.HasPrefix(r.ended, tt.want) {
				t.Errorf("the test %s, want %s", r.ended, tt.want)
			}
		})
	}
}
