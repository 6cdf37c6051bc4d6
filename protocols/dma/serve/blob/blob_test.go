package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, cfg Config) *Store {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	s, err := Open(cfg)
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// ciphertext returns what is of the length of a ciphertext of n bytes.
func ciphertext(n int) []byte {
	return bytes.Repeat([]byte("0123456789abcdef!"), n)[:dma.MediaCiphertext(uint64(n))]
}

func put(t *testing.T, s *Store, owner string, b []byte) string {
	t.Helper()
	ref, err := s.Put(t.Context(), owner, bytes.NewReader(b), int64(len(b)), nil)
	must(t, err)
	return ref
}

// get asks a store as a client of its host would.
func get(s *Store, ref string, header ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Serve(w, r, ref)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	must(t, err)
	return string(b)
}

// TestPutAndServe: what was put is served, whole, in ranges and after a restart.
func TestPutAndServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	b := ciphertext(1000)
	ref, other := put(t, s, "alice", b), put(t, s, "alice", b)
	if ref == other || !validRef(ref) {
		t.Errorf("references %q and %q, want two that differ", ref, other)
	}
	half, young := filepath.Join(dir, newPrefix+"half"), filepath.Join(dir, newPrefix+"young")
	must(t, os.WriteFile(half, b[:10], 0o600))
	must(t, os.WriteFile(young, b[:10], 0o600))
	must(t, os.Chtimes(half, time.Now(), time.Now().Add(-2*time.Hour)))
	must(t, os.WriteFile(filepath.Join(dir, "somebody.else"), b, 0o600))
	must(t, s.Close())
	s = open(t, Config{Dir: dir})
	if k := s.Kept(); k != (Kept{2, uint64(2 * len(b))}) {
		t.Errorf("kept after a restart: %+v", k)
	}
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was not accepted before a crash: %v, want it removed", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("what another process may be taking: %v", err)
	}
	for _, tt := range []struct {
		name   string
		header []string
		code   int
		from   int
		to     int
		says   string // of Content-Range
	}{
		{"whole", nil, 200, 0, len(b), ""},
		{"from the middle", []string{"Range", "bytes=500-"}, 206, 500, len(b), fmt.Sprintf("bytes 500-%d/%d", len(b)-1, len(b))},
		{"ten bytes", []string{"Range", "bytes=10-19"}, 206, 10, 20, fmt.Sprintf("bytes 10-19/%d", len(b))},
		{"the MAC", []string{"Range", "bytes=-10"}, 206, len(b) - 10, len(b), fmt.Sprintf("bytes %d-%d/%d", len(b)-10, len(b)-1, len(b))},
		{"if it is still the same", []string{"Range", "bytes=1-1", "If-Range", `"` + ref + `"`}, 206, 1, 2, fmt.Sprintf("bytes 1-1/%d", len(b))},
		{"if it were another", []string{"Range", "bytes=1-1", "If-Range", `"x"`}, 200, 0, len(b), ""},
	} {
		r := get(s, ref, tt.header...)
		if got := body(t, r); r.StatusCode != tt.code || got != string(b[tt.from:tt.to]) || r.Header.Get("Content-Range") != tt.says {
			t.Errorf("%s: status %d, %d bytes, %q; want %d, %d bytes, %q", tt.name, r.StatusCode, len(got), r.Header.Get("Content-Range"), tt.code, tt.to-tt.from, tt.says)
		}
		if r.Header.Get("Content-Type") != ContentType || r.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(r.Header.Get("Cache-Control"), "private") {
			t.Errorf("%s: headers %v", tt.name, r.Header)
		}
	}
	if r := get(s, ref, "Range", "bytes=5000-"); r.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("a range behind the end: status %d, want 416", r.StatusCode)
	}
}

// TestNotServed: references that are none lead nowhere, least of all out of the directory.
func TestNotServed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: filepath.Join(dir, "media")})
	ref := put(t, s, "alice", ciphertext(10))
	must(t, os.WriteFile(filepath.Join(dir, "keys.json"), []byte("secret"), 0o600))
	file := s.items[ref].name
	for _, name := range []string{
		"", ".", "..", "../keys.json", "..%2fkeys.json", "/", "/etc/passwd", `..\keys.json`, "\x00", ref + "\x00", ref + "/", "./" + ref,
		strings.ToUpper(ref), ref[1:], ref + "a", file, newPrefix + ref, strings.Repeat("a", 1<<16),
	} {
		if r := get(s, name); r.StatusCode != http.StatusNotFound || strings.Contains(body(t, r), "secret") {
			t.Errorf("%.40q: status %d, want 404", name, r.StatusCode)
		}
	}
}

// TestRefused: what is not taken leaves nothing behind.
func TestRefused(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	small := ciphertext(100)
	right := sha256.Sum256(small)
	wrong := sha256.Sum256(nil)
	for _, tt := range []struct {
		name string
		ctx  context.Context
		src  io.Reader
		size int64
		sum  *[32]byte
		want error
	}{
		{"too large, as it says", t.Context(), bytes.NewReader(nil), 5026, nil, ErrTooLarge},
		{"too large, unsaid", t.Context(), endless{}, -1, nil, ErrTooLarge},
		{"larger than it says", t.Context(), bytes.NewReader(ciphertext(200)), int64(len(small)), nil, ErrShape},
		{"truncated", t.Context(), bytes.NewReader(small[:50]), int64(len(small)), nil, io.ErrUnexpectedEOF},
		{"no ciphertext", t.Context(), strings.NewReader("hello"), 5, nil, ErrShape},
		{"no ciphertext, unsaid", t.Context(), strings.NewReader(strings.Repeat("x", 64)), -1, nil, ErrShape},
		{"empty", t.Context(), strings.NewReader(""), -1, nil, ErrShape},
		{"another hash", t.Context(), bytes.NewReader(small), -1, &wrong, ErrHash},
		{"one bit", t.Context(), bytes.NewReader(append([]byte{small[0] ^ 1}, small[1:]...)), -1, &right, ErrHash},
		{"interrupted", ended, bytes.NewReader(small), -1, nil, context.Canceled},
		{"no room of the owner", t.Context(), bytes.NewReader(ciphertext(900)), -1, nil, ErrQuota},
	} {
		s := open(t, Config{MaxMedium: 1000, PerOwner: 900})
		if ref, err := s.Put(tt.ctx, "alice", tt.src, tt.size, tt.sum); !errors.Is(err, tt.want) || ref != "" {
			t.Errorf("%s: got %q, %v, want %v", tt.name, ref, err, tt.want)
		}
		if left, err := os.ReadDir(s.cfg.Dir); err != nil || len(left) != 0 || s.Kept() != (Kept{}) {
			t.Errorf("%s: %v, %v and %+v are left", tt.name, left, err, s.Kept())
		}
	}
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// TestRoom: an owner's room and that of all are bounded, and given back.
func TestRoom(t *testing.T) {
	t.Parallel()
	b := ciphertext(1000)
	n := uint64(len(b))
	s := open(t, Config{PerOwner: 2 * n, Total: 3 * n})
	put(t, s, "alice", b)
	put(t, s, "alice", b)
	if _, err := s.Put(t.Context(), "alice", bytes.NewReader(b), -1, nil); !errors.Is(err, ErrQuota) {
		t.Errorf("a third of alice's: %v, want %v", err, ErrQuota)
	}
	put(t, s, "bob", b)
	if _, err := s.Put(t.Context(), "bob", bytes.NewReader(b), -1, nil); !errors.Is(err, ErrFull) {
		t.Errorf("a fourth: %v, want %v", err, ErrFull)
	}
	s.Drop("alice")
	if k := s.Kept(); k != (Kept{1, n}) {
		t.Errorf("kept without alice's: %+v", k)
	}
	put(t, s, "bob", b)
	s.Drop("nobody")
}

// TestTogether: many who put at once get the room there is, and no more.
func TestTogether(t *testing.T) {
	t.Parallel()
	b := ciphertext(1000)
	s := open(t, Config{PerOwner: 5 * uint64(len(b))})
	var wg sync.WaitGroup
	var mu sync.Mutex
	taken := 0
	for range 20 {
		wg.Go(func() {
			_, err := s.Put(t.Context(), "alice", bytes.NewReader(b), -1, nil)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				taken++
			} else if !errors.Is(err, ErrQuota) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if taken != 5 || s.Kept().Media != 5 {
		t.Errorf("%d taken, %+v; want 5", taken, s.Kept())
	}
}

// TestRetention: after 30 days a ciphertext is gone, for who asks at once and from the disk
// at the next sweep or start.
func TestRetention(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	cfg := Config{Dir: t.TempDir(), Now: func() time.Time { return now }}
	s := open(t, cfg)
	old := put(t, s, "alice", ciphertext(10))
	now = now.Add(29 * 24 * time.Hour)
	young := put(t, s, "alice", ciphertext(10))
	s.Sweep()
	if r := get(s, old); r.StatusCode != 200 {
		t.Errorf("after 29 days: status %d", r.StatusCode)
	}
	reading, err := s.Get(old)
	must(t, err)
	defer func() { _ = reading.Close() }()
	now = now.Add(24 * time.Hour)
	if r := get(s, old); r.StatusCode != 404 {
		t.Errorf("after 30 days: status %d, want 404", r.StatusCode)
	}
	if _, err := io.ReadAll(reading.file); err != nil {
		t.Errorf("who reads: %v, want to read on", err)
	}
	s.Sweep()
	if k := s.Kept(); k.Media != 1 {
		t.Errorf("kept: %+v, want 1", k)
	}
	must(t, s.Close())
	now = now.Add(30 * 24 * time.Hour)
	s = open(t, cfg)
	if r := get(s, young); r.StatusCode != 404 || s.Kept() != (Kept{}) {
		t.Errorf("at a start 30 days later: status %d, %+v", r.StatusCode, s.Kept())
	}
	if left, err := os.ReadDir(cfg.Dir); err != nil || len(left) != 0 {
		t.Errorf("%v, %v are left", left, err)
	}
}

// TestBrokenOff: an answer whose context ends is no whole answer.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	ref := put(t, s, "alice", ciphertext(1000))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	defer func() {
		if r := recover(); r != http.ErrAbortHandler {
			t.Errorf("got %v, want it to break off", r)
		}
	}()
	s.Serve(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx), ref)
}

// TestClosed: a closed store takes and gives nothing.
func TestClosed(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	ref := put(t, s, "alice", ciphertext(10))
	must(t, s.Close())
	if _, err := s.Put(t.Context(), "alice", bytes.NewReader(ciphertext(10)), -1, nil); err == nil {
		t.Error("it takes a medium")
	}
	if r := get(s, ref); r.StatusCode != 404 {
		t.Errorf("status %d, want 404", r.StatusCode)
	}
	must(t, s.Close())
}

// FuzzName: the name of a file is read back as it was written, and no other is taken.
func FuzzName(f *testing.F) {
	f.Add("1700000000." + hashed("alice") + "." + strings.Repeat("a", 32))
	f.Add("-1.." + strings.Repeat("a", 32))
	f.Add("../../x")
	f.Fuzz(func(t *testing.T, name string) {
		it, ok := parseName(name)
		if !ok {
			return
		}
		if strings.ContainsAny(name, `/\`) || !validRef(it.ref) {
			t.Errorf("%q is taken for a name", name)
		}
	})
}
