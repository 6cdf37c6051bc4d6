//go:build unix

package conformance

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// run runs "conformance run mls tree-math" on a folder, and reports if it hangs.
func run(t *testing.T, ctx context.Context, dir string) error {
	t.Helper()
	c := newRun(&term.IO{Out: new(bytes.Buffer), Err: new(bytes.Buffer), Now: time.Now})
	c.SetArgs([]string{"mls", "tree-math", "--dir", dir})
	c.SilenceErrors, c.SilenceUsage = true, true
	done := make(chan error, 1)
	go func() { done <- c.ExecuteContext(ctx) }()
	select {
	case err := <-done:
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("it hangs")
		return nil
	}
}

// TestNamedPipe: a pipe that nobody writes to, in the place of a file, is named and
// does not keep the command waiting.
func TestNamedPipe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "mls"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "mls", "tree-math.json"), 0o666); err != nil {
		t.Fatal(err)
	}
	err := run(t, t.Context(), dir)
	if exit.Code(err) != exit.Failure || !strings.Contains(err.Error(), "mls/tree-math.json is no regular file") {
		t.Errorf("error %v, want one that names the file", err)
	}
}

// TestInterruptedRead: an interrupt ends the command before it reads a file.
func TestInterruptedRead(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(t, ctx, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}
