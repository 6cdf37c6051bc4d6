// Package cache finds the folder of published vectors on a disk: the one that the
// environment names, or else the user's own, which is filled by
//
//	mimi-lab vectors fetch
package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mimi-lab/mimi-lab/protocols/vectors"
)

// ErrNone says that there is no folder of vectors to be used.
var ErrNone = errors.New("no published vectors")

// Dir returns the user's own folder of vectors, whether it exists or not.
func Dir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "mimi-lab", "vectors"), nil
}

// Find returns the folder of vectors to be used:
//
//  1. The one that [vectors.Env] names, as it is. Somebody wants those, so what
//     is wrong with it is said when a file of it is read, and not passed over.
//  2. The user's own, if all files of the list are in it as they were published.
//
// Otherwise the error is [ErrNone] and says why.
func Find(getenv func(string) string) (string, error) {
	if dir := getenv(vectors.Env); dir != "" {
		return dir, nil
	}
	dir, err := Dir()
	if err != nil {
		return "", fmt.Errorf("%w: %s is not set, and %w", ErrNone, vectors.Env, err)
	}
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("%w: %s is not set, and %w", ErrNone, vectors.Env, err)
	}
	problems := vectors.Verify(os.DirFS(dir), vectors.Sources())
	if len(problems) > 0 {
		return "", fmt.Errorf("%w: %s is not set, and %s is not as published (files missing or changed: %d, first: %w)",
			ErrNone, vectors.Env, dir, len(problems), problems[0].Err)
	}
	return dir, nil
}
