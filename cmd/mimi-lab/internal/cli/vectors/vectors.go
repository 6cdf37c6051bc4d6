// Package vectors gets the published test vectors and says whether they are as
// they were published; and it makes those that nobody has published.
package vectors

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/vectors"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/cache"
)

// New makes the noun vectors.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "vectors",
		Short: "Get the published test vectors, and verify them; make our own",
		Long: `Get the published test vectors, and verify them; make our own.

Tests compare the protocols with what the working groups have published. The
files are not part of mimi-lab, which knows of each where it comes from, at
which commit, and its SHA-256. They are looked for in the folder that
MIMI_LAB_VECTORS names, or else in the one that "vectors fetch" fills.

Of MIMI rooms and of what providers say to each other nothing was published.
"vectors generate" makes vectors of our own.`,
		Example: `  mimi-lab vectors list`,
	}, newList(t), newFetch(t), newVerify(t), newGenerate(t))
}

// Folder returns where a command looks for vectors: in dir if that is set, or in the
// folder that the environment names, or in the user's own. The hint says how to
// get what is missing there.
func Folder(t *term.IO, dir string) (folder, hint string, err error) {
	if dir == "" {
		dir = t.Getenv(vectors.Env)
	}
	const get = `"mimi-lab vectors fetch%s" gets them.`
	if dir != "" {
		return dir, fmt.Sprintf(get, " --dir "+command.Quote(dir)), nil
	}
	dir, err = ownDir()
	return dir, fmt.Sprintf(get, ""), err
}

// ownDir returns the user's own folder of vectors.
func ownDir() (string, error) {
	dir, err := cache.Dir()
	if err != nil {
		return "", exit.Failuref("--dir names a folder instead.", "find the cache folder: %w", err)
	}
	return dir, nil
}

// size is a number of bytes for a reader.
func size(n int64) string {
	switch {
	case n < 1e3:
		return fmt.Sprintf("%d bytes", n)
	case n < 1e6:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
