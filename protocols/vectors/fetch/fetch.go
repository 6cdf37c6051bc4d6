// Package fetch fills a folder with the published vectors of package vectors, from
// where their sources publish them (https://raw.githubusercontent.com) or from a
// mirror.
//
// What arrives is compared with the list while it streams and gets its name only
// when it is whole and right. So a folder never holds half a file, and a fetch
// that ended early goes on where it ended. Nothing here decides whether vectors
// are to be trusted: the pinned hashes do, whatever the origin.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/vectors"
)

// How patient a fetch is, and how much it does at a time.
const (
	workers   = 3                      // files at the same time
	tries     = 3                      // for one file
	firstWait = 500 * time.Millisecond // before the second try; twice as long before each further one
	maxWait   = 30 * time.Second       // that a server may ask for before the next try
	stall     = 30 * time.Second       // without a byte
	longest   = 10 * time.Minute       // of one try
	redirects = 5
)

// Options are those of [Fetch]. The zero value fetches from the sources.
type Options struct {
	Origin    Origin
	Transport http.RoundTripper // nil for http.DefaultTransport
	// Progress, if not nil, hears how many bytes of how many are there. It may be
	// called concurrently.
	Progress func(done, total int64)
}

// Result is what a fetch has done.
type Result struct {
	Files   int   // of the sources
	Kept    int   // those that were right before
	Fetched int   // those that are new or replaced
	Bytes   int64 // of the fetched files
}

// Complete reports whether all files are there.
func (r Result) Complete() bool { return r.Kept+r.Fetched == r.Files }

// Error says why a file could not be had from its origin.
type Error struct {
	File  vectors.File
	Place string // its URL or path at the origin
	Tries int
	Err   error
}

// Error names the place and what was wrong with it.
func (e *Error) Error() string {
	if e.Tries > 1 {
		return fmt.Sprintf("%s: %v (tried %d times)", e.Place, e.Err, e.Tries)
	}
	return fmt.Sprintf("%s: %v", e.Place, e.Err)
}

// Unwrap returns what was wrong.
func (e *Error) Unwrap() error { return e.Err }

// Fetch puts all files of the sources that are not there yet, or not as they were
// published, into the folder dir, which it makes if need be. It ends with the
// first file that cannot be had; what is there by then stays, and is kept by the
// next Fetch. The error is an [*Error], one of the disk, or that of ctx.
func Fetch(ctx context.Context, dir string, sources []vectors.Source, o Options) (Result, error) {
	f := &fetcher{dir: dir, origin: o.Origin, progress: o.Progress}
	f.client = &http.Client{Transport: o.Transport, CheckRedirect: checkRedirect}
	for _, s := range sources {
		f.result.Files += len(s.Files)
		f.total += s.Size()
	}
	inner, stop := context.WithCancel(ctx)
	defer stop()
	type item struct {
		source vectors.Source
		file   vectors.File
	}
	items := make(chan item)
	var first error // guarded by f.mu
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for it := range items {
				if err := f.file(inner, it.source, it.file); err != nil {
					f.mu.Lock()
					if first == nil { // before stop makes others
						first = err
					}
					f.mu.Unlock()
					stop()
				}
			}
		})
	}
	for _, s := range sources {
		for _, file := range s.Files {
			select {
			case items <- item{s, file}:
			case <-inner.Done():
			}
		}
	}
	close(items)
	running.Wait()
	if err := ctx.Err(); err != nil && !f.result.Complete() {
		return f.result, err
	}
	return f.result, first
}

// fetcher is one call of Fetch.
type fetcher struct {
	dir      string
	origin   Origin
	client   *http.Client
	progress func(done, total int64)
	total    int64 // bytes of all files

	mu     sync.Mutex // guards what follows
	done   int64      // bytes that are there
	result Result
}

// file sees to it that one file is there.
func (f *fetcher) file(ctx context.Context, s vectors.Source, file vectors.File) error {
	path := filepath.Join(f.dir, filepath.FromSlash(file.Name))
	if right(path, file) {
		f.moved(file.Size)
		f.mu.Lock()
		f.result.Kept++
		f.mu.Unlock()
		return nil
	}
	wait := firstWait
	for n := 1; ; n++ {
		err := f.try(ctx, s, file, path)
		var failed *Error
		var later *laterError
		switch {
		case err == nil:
			f.mu.Lock()
			f.result.Fetched++
			f.result.Bytes += file.Size
			f.mu.Unlock()
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.As(err, &failed):
			return err // of the disk
		case !errors.As(err, &later) || n == tries || !f.origin.remote():
			failed.Tries = n
			return failed
		}
		if err := sleep(ctx, max(wait, later.wait)); err != nil {
			return err
		}
		wait *= 2
	}
}

// right reports whether the file at path is as it was published.
func right(path string, file vectors.File) bool {
	src, err := regular(path)
	if err != nil {
		return false
	}
	defer src.Close()
	return file.Copy(io.Discard, src) == nil
}

var (
	errStalled = fmt.Errorf("no byte came for %v", stall)
	errSlow    = fmt.Errorf("not whole after %v", longest)
)

// try fetches one file once. The error is an *Error if it is the origin's, with a
// *laterError in it if it may be well to try again.
func (f *fetcher) try(ctx context.Context, s vectors.Source, file vectors.File, path string) (err error) {
	ctx, cancelSlow := context.WithTimeoutCause(ctx, longest, errSlow)
	defer cancelSlow()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(stall, func() { cancel(errStalled) })
	defer watch.Stop()
	failed := func(err error) error {
		if cause := context.Cause(ctx); cause == errStalled || cause == errSlow {
			err = &laterError{err: cause}
		}
		return &Error{File: file, Place: f.origin.place(s, file), Err: err}
	}

	body, err := f.origin.open(ctx, f.client, s, file)
	if err != nil {
		return failed(err)
	}
	defer body.Close()
	src := &source{ctx: ctx, Reader: body, moved: func(n int64) {
		watch.Reset(stall)
		f.moved(n)
	}}
	defer func() {
		if err != nil {
			f.moved(-src.n)
		}
	}()
	err = writeFile(path, func(w io.Writer) error { return file.Copy(w, src) })
	var m *vectors.MismatchError
	switch {
	case src.err != nil:
		return failed(&laterError{err: reason(src.err)})
	case errors.As(err, &m) && m.Size < file.Size:
		return failed(&laterError{err: err}) // so looks a connection that ended early
	case errors.As(err, &m):
		return failed(err)
	}
	return err
}

// source counts what is read and keeps the error, which is then not one of the disk
// that is written to.
type source struct {
	ctx context.Context
	io.Reader
	moved func(int64)
	n     int64
	err   error
}

func (s *source) Read(p []byte) (int, error) {
	if s.err = s.ctx.Err(); s.err != nil {
		return 0, s.err
	}
	n, err := s.Reader.Read(p)
	s.n += int64(n)
	s.moved(int64(n))
	if err != io.EOF {
		s.err = err
	}
	return n, err
}

// moved says that n bytes more are there.
func (f *fetcher) moved(n int64) {
	f.mu.Lock()
	f.done += n
	done := min(f.done, f.total)
	f.mu.Unlock()
	if f.progress != nil {
		f.progress(done, f.total)
	}
}

// sleep waits, unless ctx is done before.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writeFile makes the file at path, or replaces it, in one step: with what fill
// writes, or not at all if fill returns an error.
func writeFile(path string, fill func(io.Writer) error) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	w, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			w.Close()
			os.Remove(w.Name())
		}
	}()
	if err := fill(w); err != nil {
		return err
	}
	if err := w.Chmod(0o644); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.Rename(w.Name(), path)
}
