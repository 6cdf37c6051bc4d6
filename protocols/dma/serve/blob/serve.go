package blob

import (
	"fmt"
	"net/http"
	"os"
	"time"
)

// ContentType is that of all ciphertexts: what is in them, only their recipients know.
const ContentType = "application/octet-stream"

// Medium is a ciphertext that is kept, open for reading.
type Medium struct {
	Ref      string
	Size     uint64
	Accepted time.Time
	file     *os.File
}

// Get opens the ciphertext of a reference, or returns ErrNotFound.
func (s *Store) Get(ref string) (*Medium, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.items[ref]
	if it == nil || s.closed || s.expired(it) {
		return nil, ErrNotFound
	}
	f, err := s.root.Open(it.name)
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	return &Medium{ref, it.size, it.accepted, f}, nil
}

// Close closes it.
func (m *Medium) Close() error { return m.file.Close() }

// Serve answers a GET or HEAD for the ciphertext of a reference, with byte ranges. If the
// context of r ends before, the answer breaks off, so that it is taken for whole by nobody.
func (s *Store) Serve(w http.ResponseWriter, r *http.Request, ref string) {
	m, err := s.Get(ref)
	if err != nil {
		http.Error(w, "no such medium", http.StatusNotFound)
		return
	}
	defer func() { _ = m.Close() }()
	Headers(w.Header())
	w.Header().Set("ETag", `"`+m.Ref+`"`) // a reference is of one ciphertext for ever
	file := &seeking{interrupted{r.Context(), m.file}, m.file}
	http.ServeContent(w, r, "", m.Accepted, file)
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler)
	}
}

// Headers sets what any answer with a ciphertext says of it.
func Headers(h http.Header) {
	h.Set("Content-Type", ContentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Disposition", "attachment") // no browser shows it
	h.Set("Cache-Control", "private, max-age=3600, immutable")
}

// seeking is a file whose reads end with a context.
type seeking struct {
	interrupted
	f *os.File
}

func (s *seeking) Seek(offset int64, whence int) (int64, error) { return s.f.Seek(offset, whence) }
