package fetch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/vectors"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/fetch"
)

// commit is that of the made-up sources.
const commit = "0123456789abcdef0123456789abcdef01234567"

// contents are the files of the made-up sources, by name. In the repository they
// lie in the folder test-vectors.
var contents = map[string]string{
	"a/1.json": "[1]",
	"a/2.json": strings.Repeat("[2, 2] ", 10000),
	"a/3.json": "[3, 3, 3]",
	"b/4.cbor": "\x84\x04\x04\x04\x04",
}

// sources returns the list of the made-up sources.
func sources() []vectors.Source {
	all := []vectors.Source{
		{Name: "a", Repository: "owner/a", Commit: commit},
		{Name: "b", Repository: "owner/b", Commit: commit},
	}
	for i, s := range all {
		for name, text := range contents {
			if base, ok := strings.CutPrefix(name, s.Name+"/"); ok {
				all[i].Files = append(all[i].Files, vectors.File{
					Name: name, Path: "test-vectors/" + base, Size: int64(len(text)), SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(text))),
				})
			}
		}
		slices.SortFunc(all[i].Files, func(x, y vectors.File) int { return strings.Compare(x.Name, y.Name) })
	}
	return all
}

// whole demands that the folder holds exactly these files, each as it was
// published, and no trace of others.
func whole(t *testing.T, dir string, names ...string) {
	t.Helper()
	var got []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		got = append(got, filepath.ToSlash(name))
		b, err := os.ReadFile(path)
		if err == nil && string(b) != contents[got[len(got)-1]] {
			t.Errorf("%s holds %d bytes that are not those that were published", name, len(b))
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if slices.Sort(names); !slices.Equal(got, names) {
		t.Errorf("the folder holds %q, want %q", got, names)
	}
}

// all are the names of all files.
func all() []string {
	var names []string
	for name := range contents {
		names = append(names, name)
	}
	return names
}

// published serves the sources as raw.githubusercontent.com does.
func published(w http.ResponseWriter, r *http.Request) {
	for _, s := range sources() {
		for _, f := range s.Files {
			if "https://"+r.Host+r.URL.Path == s.URL(f) {
				io.WriteString(w, contents[f.Name])
				return
			}
		}
	}
	http.NotFound(w, r)
}

// mirror serves the files under the names of the list, below /v.
func mirror(w http.ResponseWriter, r *http.Request) {
	text, ok := contents[strings.TrimPrefix(r.URL.Path, "/v/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	io.WriteString(w, text)
}

// inMemory is a transport that needs no network: it asks a handler, or what
// returns a response of its own.
type inMemory func(*http.Request) (*http.Response, error)

func (f inMemory) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func handler(h http.HandlerFunc) inMemory {
	return func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		h(w, r)
		return w.Result(), nil
	}
}

// TestPublished fetches from where the sources are, and again when all is there, and
// again when two files have suffered.
func TestPublished(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "vectors")
	var mu sync.Mutex
	asked, last := 0, int64(0)
	o := fetch.Options{
		Transport: handler(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			asked++
			mu.Unlock()
			published(w, r)
		}),
		Progress: func(done, total int64) {
			mu.Lock()
			defer mu.Unlock()
			if last = max(last, done); done < 0 || done > total || total != 70017 {
				t.Errorf("progress: %d of %d bytes, want up to 70017", done, total)
			}
		},
	}
	run := func(name string, want fetch.Result) {
		t.Helper()
		asked, last = 0, 0
		got, err := fetch.Fetch(t.Context(), dir, sources(), o)
		if err != nil || got != want || !got.Complete() {
			t.Errorf("%s: got %+v with error %v, want %+v", name, got, err, want)
		}
		if asked != want.Fetched || last != 70017 {
			t.Errorf("%s: %d requests, progress up to %d; want %d, up to 70017", name, asked, last, want.Fetched)
		}
		whole(t, dir, all()...)
	}
	run("first", fetch.Result{Files: 4, Fetched: 4, Bytes: 70017})
	run("again", fetch.Result{Files: 4, Kept: 4})
	if err := os.Remove(filepath.Join(dir, "b", "4.cbor")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a", "3.json"), []byte("[3, 3, 4]"), 0o600); err != nil {
		t.Fatal(err)
	}
	run("repair", fetch.Result{Files: 4, Kept: 2, Fetched: 2, Bytes: 14})
}

// TestServer fetches from a mirror on a socket whose answers for a/2.json are bad
// in one way each.
func TestServer(t *testing.T) {
	t.Parallel()
	const name = "/v/a/2.json"
	text := contents["a/2.json"]
	for _, tt := range []struct {
		name  string
		serve http.HandlerFunc
		want  string // what the error says; "" for none
	}{
		{"right", mirror, ""},
		{"compressed", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.WriteString(z, text)
			z.Close()
		}, ""},
		{"redirects", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "zzzzz" {
				mirror(w, r)
				return
			}
			http.Redirect(w, r, name+"?z"+r.URL.RawQuery, http.StatusFound)
		}, ""},
		{"redirects without an end", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, name+"?z"+r.URL.RawQuery, http.StatusFound)
		}, "/v/a/2.json: more than 5 redirects"},
		{"wrong bytes", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, text[:len(text)-1]+"]")
		}, "/v/a/2.json: a/2.json has SHA-256 1fef3344232053ff93b22d3c816927c8fccb49ee9a4be0ea84d996956b45bd4f, want the pinned "},
		{"a page instead", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "<html>"+strings.Repeat("Welcome to this network! ", 10000))
		}, "/v/a/2.json: a/2.json has more than the pinned 70000 bytes"},
		{"endless", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, text); err != nil {
					return
				}
			}
		}, "/v/a/2.json: a/2.json has more than the pinned 70000 bytes"},
		{"a bomb", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			zeros := make([]byte, 1<<20)
			for r.Context().Err() == nil {
				if _, err := z.Write(zeros); err != nil {
					return
				}
			}
		}, "/v/a/2.json: a/2.json has more than the pinned 70000 bytes"},
		{"404", http.NotFound, "/v/a/2.json: the server answers 404 Not Found"},
		{"no content", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "/v/a/2.json: the server answers 204 No Content"},
		{"wait for an hour", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(429)
		}, "/v/a/2.json: the server answers 429 Too Many Requests and asks to wait 1h0m0s"},
		{"truncated", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "70000")
			io.WriteString(w, text[:40000])
		}, "/v/a/2.json: unexpected EOF (tried 3 times)"},
		{"short", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, text[:40000])
		}, "/v/a/2.json: a/2.json has 40000 bytes, want the pinned 70000 (tried 3 times)"},
		{"hung up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "/v/a/2.json: EOF (tried 3 times)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			mux.HandleFunc("/", mirror)
			mux.HandleFunc(name, tt.serve)
			server := httptest.NewServer(mux)
			defer server.Close()
			origin, err := fetch.ParseOrigin(server.URL + "/v")
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			res, err := fetch.Fetch(t.Context(), dir, sources(), fetch.Options{Origin: origin, Transport: new(http.Transport)})
			if tt.want == "" {
				if err != nil || res != (fetch.Result{Files: 4, Fetched: 4, Bytes: 70017}) {
					t.Errorf("got %+v with error %v, want 4 files", res, err)
				}
				whole(t, dir, all()...)
				return
			}
			var failed *fetch.Error
			if !errors.As(err, &failed) || !strings.Contains(err.Error(), tt.want) || failed.File.Name != "a/2.json" {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
			if res.Complete() {
				t.Errorf("%+v counts as complete", res)
			}
			var others []string // that were there before the fetch ended
			for other := range contents {
				if _, err := os.Stat(filepath.Join(dir, other)); err == nil && other != "a/2.json" {
					others = append(others, other)
				}
			}
			whole(t, dir, others...)
		})
	}
}

// TestFolder fetches from a folder, which is not asked twice.
func TestFolder(t *testing.T) {
	t.Parallel()
	from := t.TempDir()
	for name, text := range contents {
		write(t, filepath.Join(from, name), text)
	}
	origin, err := fetch.ParseOrigin(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		edit func(path string) error
		want string
	}{
		{"right", func(string) error { return nil }, ""},
		{"missing", os.Remove, "2.json: no such file or directory"},
		{"folder", func(path string) error { return os.Mkdir(path, 0o700) }, "2.json: it is no regular file"},
		{"changed", func(path string) error { return errors.Join(os.Remove(path), os.WriteFile(path, []byte("[2]"), 0o600)) },
			"2.json: a/2.json has 3 bytes, want the pinned 70000"},
	} {
		if err := tt.edit(filepath.Join(from, "a", "2.json")); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		res, err := fetch.Fetch(t.Context(), dir, sources(), fetch.Options{Origin: origin})
		switch {
		case tt.want == "":
			if err != nil || !res.Complete() {
				t.Errorf("%s: got %+v with error %v, want all", tt.name, res, err)
			}
			whole(t, dir, all()...)
		case err == nil || !strings.Contains(err.Error(), filepath.Join(from, "a", tt.want)) || strings.Contains(err.Error(), "tried"):
			t.Errorf("%s: got error %v, want one with %q", tt.name, err, tt.want)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDisk tells an error of the disk from one of the origin.
func TestDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "b"), "in the way")
	_, err := fetch.Fetch(t.Context(), dir, sources(), fetch.Options{Transport: handler(published)})
	var failed *fetch.Error
	if err == nil || errors.As(err, &failed) || !strings.Contains(err.Error(), filepath.Join(dir, "b")) {
		t.Errorf("got error %v, want one of the disk that names %s", err, filepath.Join(dir, "b"))
	}
}

// stuck is a body that gives a few bytes and then waits for the end of its request.
type stuck struct {
	io.Reader
	ctx context.Context
}

func (s stuck) Close() error { return nil }

func (s stuck) Read(p []byte) (int, error) {
	if n, err := s.Reader.Read(p); err == nil {
		return n, nil
	}
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// TestAgain answers the first tries for a/1.json badly, and looks how long the
// fetch waits.
func TestAgain(t *testing.T) {
	t.Parallel()
	respond := func(code int, header http.Header, body io.ReadCloser) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: header, Body: body}, nil
	}
	for _, tt := range []struct {
		name string
		bad  int // tries that are answered badly
		how  func(*http.Request) (*http.Response, error)
		took time.Duration
		want string // error; "" for none
	}{
		{"503 once", 1, func(*http.Request) (*http.Response, error) { return respond(503, nil, http.NoBody) }, 500 * time.Millisecond, ""},
		{"503 twice", 2, func(*http.Request) (*http.Response, error) { return respond(503, nil, http.NoBody) }, 1500 * time.Millisecond, ""},
		{"503 for ever", 99, func(*http.Request) (*http.Response, error) { return respond(503, nil, http.NoBody) }, 1500 * time.Millisecond,
			"1.json: the server answers 503 Service Unavailable (tried 3 times)"},
		{"too many requests", 1, func(*http.Request) (*http.Response, error) {
			return respond(429, http.Header{"Retry-After": {"7"}}, http.NoBody)
		}, 7 * time.Second, ""},
		{"no connection", 1, func(*http.Request) (*http.Response, error) { return nil, errors.New("no route") }, 500 * time.Millisecond, ""},
		{"no connection for ever", 99, func(*http.Request) (*http.Response, error) { return nil, errors.New("no route") }, 1500 * time.Millisecond,
			"1.json: no route (tried 3 times)"},
		{"no answer", 1, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, 30*time.Second + 500*time.Millisecond, ""},
		{"stalled", 1, func(r *http.Request) (*http.Response, error) {
			return respond(200, nil, stuck{strings.NewReader("["), r.Context()})
		}, 30*time.Second + 500*time.Millisecond, ""},
		{"stalled for ever", 99, func(r *http.Request) (*http.Response, error) {
			return respond(200, nil, stuck{strings.NewReader("["), r.Context()})
		}, 91500 * time.Millisecond, "1.json: no byte came for 30s (tried 3 times)"},
		{"a byte now and then", 99, func(r *http.Request) (*http.Response, error) {
			return respond(200, nil, drip{r.Context()})
		}, 30*time.Minute + 1500*time.Millisecond, "2.json: not whole after 10m0s (tried 3 times)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				bad := 0
				name := "a/1.json"
				if strings.HasPrefix(tt.want, "2.json") {
					name = "a/2.json"
				}
				transport := inMemory(func(r *http.Request) (*http.Response, error) {
					mu.Lock()
					if strings.HasSuffix(r.URL.Path, name[1:]) && bad < tt.bad {
						bad++
						mu.Unlock()
						return tt.how(r)
					}
					mu.Unlock()
					return handler(published)(r)
				})
				start := time.Now()
				_, err := fetch.Fetch(t.Context(), dir, sources(), fetch.Options{Transport: transport})
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if tt.want == "" {
					if err != nil || bad != tt.bad {
						t.Errorf("got error %v after %d bad tries, want none after %d", err, bad, tt.bad)
					}
					whole(t, dir, all()...)
					return
				}
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got error %v, want one with %q", err, tt.want)
				}
				var names []string
				for other := range contents {
					if other != name {
						names = append(names, other)
					}
				}
				whole(t, dir, names...) // there was time enough for the others
			})
		})
	}
}

// drip is a body that gives a byte every 20 seconds.
type drip struct{ ctx context.Context }

func (d drip) Close() error { return nil }

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(20 * time.Second):
		return copy(p, " "), nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

// TestAtOnce proves that some files are fetched at the same time, and not more.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		running, most := 0, 0
		count := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			running += n
			most = max(most, running)
		}
		_, err := fetch.Fetch(t.Context(), dir, sources(), fetch.Options{Transport: handler(func(w http.ResponseWriter, r *http.Request) {
			count(1)
			defer count(-1)
			time.Sleep(time.Second) // by the clock of the bubble
			published(w, r)
		})})
		if err != nil || most != 3 {
			t.Errorf("%d files at the same time, with error %v; want 3", most, err)
		}
	})
}

// TestInterrupt ends a fetch while some files are there, one has begun to come and
// one waits for its second try.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		transport := inMemory(func(r *http.Request) (*http.Response, error) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/2.json"):
				body := stuck{bytes.NewReader([]byte(contents["a/2.json"][:50000])), r.Context()}
				return &http.Response{StatusCode: 200, Body: body}, nil
			case strings.HasSuffix(r.URL.Path, "/3.json"):
				return &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {"20"}}, Body: http.NoBody}, nil
			}
			return handler(published)(r)
		})
		time.AfterFunc(10*time.Second, cancel)
		start := time.Now()
		res, err := fetch.Fetch(ctx, dir, sources(), fetch.Options{Transport: transport})
		if !errors.Is(err, context.Canceled) || res.Complete() || res.Fetched != 2 {
			t.Errorf("got %+v with error %v, want 2 files and %v", res, err, context.Canceled)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %v, want to end when interrupted, after 10s", took)
		}
		whole(t, dir, "a/1.json", "b/4.cbor")
		res, err = fetch.Fetch(t.Context(), dir, sources(), fetch.Options{Transport: handler(published)})
		if err != nil || res.Kept != 2 || res.Fetched != 2 {
			t.Errorf("going on: got %+v with error %v, want 2 kept and 2 fetched", res, err)
		}
		whole(t, dir, all()...)
	})
}

func TestParseOrigin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want, err string }{
		{"vectors", "vectors", ""},
		{"/srv/vectors", "/srv/vectors", ""},
		{"https://mirror.example/v", "https://mirror.example/v", ""},
		{"HTTP://mirror.example", "http://mirror.example", ""},
		{"https://me:secret@mirror.example/v", "https://me:xxxxx@mirror.example/v", ""},
		{"", "", "found nothing"},
		{"ftp://mirror.example", "", `scheme "ftp": want http or https`},
		{"https://", "", "names no host"},
		{"https://mirror.example:port", "", "invalid port"},
	} {
		o, err := fetch.ParseOrigin(tt.in)
		if tt.err == "" && (err != nil || o.String() != tt.want) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%q: got %q with error %v, want %q or an error with %q", tt.in, o, err, tt.want, tt.err)
		}
	}
}

// TestPlace keeps what a URL has besides its path, and does not show a password.
func TestPlace(t *testing.T) {
	t.Parallel()
	o, err := fetch.ParseOrigin("https://me:secret@mirror.example/v/?key=1")
	if err != nil {
		t.Fatal(err)
	}
	var asked string
	_, err = fetch.Fetch(t.Context(), t.TempDir(), sources()[1:], fetch.Options{Origin: o, Transport: handler(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		http.NotFound(w, r)
	})})
	if want := "https://me:secret@mirror.example/v/b/4.cbor?key=1"; asked != want {
		t.Errorf("asked for %s, want %s", asked, want)
	}
	if want := "https://me:xxxxx@mirror.example/v/b/4.cbor?key=1: the server answers 404 Not Found"; err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}
