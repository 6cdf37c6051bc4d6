package vectorstest

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/vectors"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/cache"
)

// TestPinned reads every file of the list.
func TestPinned(t *testing.T) {
	t.Parallel()
	dir := Dir(t)
	for _, p := range vectors.Verify(os.DirFS(dir), vectors.Sources()) {
		t.Error(p.Err)
	}
	for _, s := range vectors.Sources() {
		for _, f := range s.Files {
			if got := len(Read(t, f.Name)); int64(got) != f.Size {
				t.Errorf("%s: read %d bytes, want %d", f.Name, got, f.Size)
			}
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
	home := t.TempDir()
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData"} {
		t.Setenv(name, home)
	}
	for _, tt := range []struct{ name, dir, ci, want string }{
		{"at home", "", "", "skipped: no published vectors: MIMI_LAB_VECTORS is not set"},
		{"under CI", "", "true", "failed: no published vectors: MIMI_LAB_VECTORS is not set"},
		{"empty folder", t.TempDir(), "", "failed: vectors: open mls/tree-math.json"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(vectors.Env, tt.dir)
			t.Setenv("CI", tt.ci)
			r := &recorder{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				read(r, func() (string, error) { return cache.Find(os.Getenv) }, "mls/tree-math.json")
			}()
			<-done
			if !strings.HasPrefix(r.ended, tt.want) {
				t.Errorf("the test %s, want %s", r.ended, tt.want)
			}
		})
	}
}
