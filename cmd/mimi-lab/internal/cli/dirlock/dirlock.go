// Package dirlock lets one process at a time make what a directory of --dev lacks.
package dirlock

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
)

// name is the file of the one that makes something.
const name = "lock"

// patience is how long another is waited for.
const patience = 10 * time.Second

// Lock keeps others from making certificates and keys in the directory: servers that start
// at once would each make their own, and trust none but those.
func Lock(dir string) (unlock func(), err error) {
	file := filepath.Join(dir, name)
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL, 0o600)
		switch {
		case err == nil:
			_ = f.Close()
			return func() { _ = os.Remove(file) }, nil
		case !errors.Is(err, fs.ErrExist):
			return nil, exit.Failuref("", "--dev: %w", err)
		case time.Now().After(until):
			return nil, exit.Failuref("If none does, remove the file.", "--dev: another server starts: %s is there", file)
		}
	}
}
