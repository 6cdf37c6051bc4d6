// Package vectors lists the published test vectors that the protocols are
// checked against: those of MLS (RFC 9420), SFrame (RFC 9605), MIMI content
// (draft-ietf-mimi-content) and message status (draft-mahy-mimi-message-status).
// The files are not part of this repository. The list pins each by the commit of
// its source and by its hash, so that nothing is ever checked against other
// vectors than it was written for.
//
// [Sources] is the list. [Read] takes a file out of a folder of vectors, and
// [Verify] looks through all of it. A folder holds the files under the names of
// the list:
//
//	mls/tree-math.json
//	mimi-content/original.cbor
//	...
//
// What touches disks and the network is elsewhere: package cache finds the
// folder, package fetch fills it, and package vectorstest hands files to tests.
package vectors

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Env is the environment variable that names the folder of vectors.
const Env = "MIMI_LAB_VECTORS"

// Source is a repository that publishes vectors.
type Source struct {
	Name       string // of the folder its files lie in: "mls"
	About      string // the protocol and its specification
	Repository string // on https://github.com: "mlswg/mls-implementations"
	Commit     string // 40 hexadecimal digits
	Files      []File // sorted by name
}

// URL is where the source publishes its file f, at the pinned commit.
func (s Source) URL(f File) string {
	return "https://raw.githubusercontent.com/" + s.Repository + "/" + s.Commit + "/" + f.Path
}

// Size is that of all its files, in bytes.
func (s Source) Size() int64 {
	var sum int64
	for _, f := range s.Files {
		sum += f.Size
	}
	return sum
}

// File is one file of a source.
type File struct {
	Name   string `json:"name"`   // in a folder of vectors: "mls/tree-math.json"
	Path   string `json:"path"`   // in the repository of the source
	Size   int64  `json:"bytes"`  // exactly
	SHA256 string `json:"sha256"` // 64 hexadecimal digits
}

// MismatchError says that a file holds other bytes than those that are pinned.
type MismatchError struct {
	File   File   // what was expected
	Size   int64  // bytes found; File.Size+1 if there are more than expected
	SHA256 string // of what was found; "" if there are more bytes than expected
}

// Error names the file, what was found and what was expected.
func (e *MismatchError) Error() string {
	switch {
	case e.Size > e.File.Size:
		return fmt.Sprintf("%s has more than the pinned %d bytes", e.File.Name, e.File.Size)
	case e.Size < e.File.Size:
		return fmt.Sprintf("%s has %d bytes, want the pinned %d", e.File.Name, e.Size, e.File.Size)
	}
	return fmt.Sprintf("%s has SHA-256 %s, want the pinned %s", e.File.Name, e.SHA256, e.File.SHA256)
}

// Copy copies the contents of f from src to dst and compares them with what is
// pinned while they pass. It reads at most one byte more than f has, and writes
// none of those. An error is a [*MismatchError], or one of src or dst; what was
// written until then is to be thrown away.
func (f File) Copy(dst io.Writer, src io.Reader) error {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(h, dst), io.LimitReader(src, f.Size))
	if err != nil {
		return err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	if n < f.Size {
		return &MismatchError{File: f, Size: n, SHA256: sum}
	}
	switch _, err := io.ReadFull(src, make([]byte, 1)); {
	case err == nil:
		return &MismatchError{File: f, Size: f.Size + 1}
	case !errors.Is(err, io.EOF):
		return err
	case sum != f.SHA256:
		return &MismatchError{File: f, Size: n, SHA256: sum}
	}
	return nil
}

// ErrNotListed says that a name is not that of a file on the list.
var ErrNotListed = errors.New("not on the list of published vectors")

// Read returns the contents of the file of that name in a folder of vectors. The
// error is [ErrNotListed], a [*MismatchError], or that of fsys.
func Read(fsys fs.FS, name string) ([]byte, error) {
	for _, s := range Sources() {
		for _, f := range s.Files {
			if f.Name != name {
				continue
			}
			var b bytes.Buffer
			if err := f.check(fsys, &b); err != nil {
				return nil, fmt.Errorf("vectors: %w", err)
			}
			return b.Bytes(), nil
		}
	}
	return nil, fmt.Errorf("vectors: %s: %w", name, ErrNotListed)
}

// Names returns the names of all files of a source, sorted; none if there is no
// such source.
func Names(source string) []string {
	var names []string
	for _, s := range Sources() {
		if s.Name == source {
			for _, f := range s.Files {
				names = append(names, f.Name)
			}
		}
	}
	return names
}

// Problem is a file that is not there as it was published.
type Problem struct {
	Source string
	File   File
	Err    error // as from [Read]
}

// Changed reports whether the file holds other bytes. Else it is missing: it is
// not there, or cannot be read.
func (p Problem) Changed() bool {
	var m *MismatchError
	return errors.As(p.Err, &m)
}

// Verify compares all files of the sources in a folder of vectors with what is
// pinned and returns those that differ, in the order of the list. Other files in
// the folder do not matter.
func Verify(fsys fs.FS, sources []Source) []Problem {
	var all []Problem
	for _, s := range sources {
		for _, f := range s.Files {
			if err := f.check(fsys, io.Discard); err != nil {
				all = append(all, Problem{Source: s.Name, File: f, Err: err})
			}
		}
	}
	return all
}

// check copies f out of a folder of vectors. What is no regular file it does not open:
// to open a named pipe may take for ever.
func (f File) check(fsys fs.FS, dst io.Writer) error {
	if info, err := fs.Stat(fsys, f.Name); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file: its mode is %v", f.Name, info.Mode())
	}
	src, err := fsys.Open(f.Name)
	if err != nil {
		return err
	}
	defer src.Close()
	return f.Copy(dst, src)
}
