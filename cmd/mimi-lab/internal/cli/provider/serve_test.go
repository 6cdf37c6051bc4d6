package provider

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// run runs provider serve until stop is called, and returns what it says first.
func run(t *testing.T, lines int, o *serveOptions) (says string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	o.IO = &term.IO{Out: w, Err: io.Discard, Now: time.Now}
	ended := make(chan error, 1)
	go func() {
		err := runServe(ctx, o)
		_ = w.CloseWithError(io.EOF)
		ended <- err
	}()
	out := bufio.NewReader(r)
	for range lines {
		line, err := out.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", says, <-ended)
		}
		says += line
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // whatever it says more must not hold it up
	stop = func() error {
		cancel()
		return <-ended
	}
	return says, stop
}

// get makes a request to a provider of a directory.
func get(t *testing.T, dir, address, url string) (int, string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(b)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	if address != "" {
		tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		}
	}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestDevelopment runs two providers of one directory, and one of them again.
func TestDevelopment(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "lab")
	says, stop := run(t, 9, &serveOptions{Dev: dir, Domain: "a.example", Admin: "127.0.0.1:0", Users: []string{"alice"}})
	_, stopB := run(t, 8, &serveOptions{Dev: dir, Domain: "b.example"})
	m := regexp.MustCompile(`^a\.example serves at (127\.0\.0\.1:\d+)\nclients on 127\.0\.0\.1:\d+\nclients over Noise on 127\.0\.0\.1:\d+\nfor the operator: (http://\S+)\n`).FindStringSubmatch(says)
	if m == nil {
		t.Fatalf("got %q", says)
	}
	_, port, _ := net.SplitHostPort(m[1])
	if status, body := get(t, dir, m[1], "https://a.example:"+port+mimi.DirectoryPath); status != 200 || !strings.Contains(body, "https://a.example:"+port+"/notify/{roomId}") {
		t.Errorf("directory: got %d %q", status, body)
	}
	if status, body := get(t, dir, "", m[2]); status != 200 || body != "ok\n" {
		t.Errorf("healthz: got %d %q", status, body)
	}
	root, err := os.ReadFile(filepath.Join(dir, "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, stop := range []func() error{stop, stopB} {
		if err := stop(); err != nil {
			t.Errorf("interrupted: %v", err)
		}
	}
	_, stop = run(t, 8, &serveOptions{Dev: dir, Domain: "a.example"})
	if err := stop(); err != nil {
		t.Error(err)
	}
	if again, err := os.ReadFile(filepath.Join(dir, "ca.key")); err != nil || string(again) != string(root) {
		t.Errorf("another authority, or %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, "a.example.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
}

// TestTwice holds that a provider which is started while it runs is refused, and that
// whoever looks for it goes on finding the one that runs.
func TestTwice(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "lab")
	_, stop := run(t, 7, &serveOptions{Dev: dir, Domain: "a.example"})
	files := func() (all string) {
		for _, suffix := range []string{addrSuffix, clientsSuffix} {
			b, err := os.ReadFile(filepath.Join(dir, "a.example"+suffix))
			if err != nil {
				t.Fatal(err)
			}
			all += string(b)
		}
		return all
	}
	before := files()
	again := &serveOptions{Dev: dir, Domain: "a.example", IO: &term.IO{Out: io.Discard, Err: io.Discard, Now: time.Now}}
	if err := runServe(t.Context(), again); !errors.Is(err, store.ErrInUse) || exit.Hint(err) == "" {
		t.Errorf("got %v, hint %q, want that the store is in use and what to do", err, exit.Hint(err))
	}
	if after := files(); after != before {
		t.Errorf("where it is was %s and is %s", before, after)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestConfiguration runs a provider of a configuration file.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := development(dir, "a.example", time.Now()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a.json")
	text := `{"domain": "a.example", "listen": "127.0.0.1:0", "certificate": "a.example.pem", "key": "a.example.key", "roots": "ca.pem",
		"store": "sqlite:a.db", "users": ["alice"], "peers": {"b.example": {"address": "127.0.0.1:1", "assets": ["assets.b.example"]}}}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	says, stop := run(t, 1, &serveOptions{Config: file})
	address := strings.TrimSpace(says[strings.LastIndexByte(strings.TrimSpace(says), ' '):])
	if status, body := get(t, dir, address, "https://a.example"+mimi.DirectoryPath); status != 200 || !strings.Contains(body, `"https://a.example/notify/{roomId}"`) {
		t.Errorf("directory: got %d %q", status, body)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a.db")); err != nil {
		t.Error(err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(filepath.Join(dir, "a.example.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := runServe(t.Context(), &serveOptions{Config: file, IO: &term.IO{Out: io.Discard, Err: io.Discard, Now: time.Now}})
	if err == nil || !strings.Contains(err.Error(), "others may read or write it") {
		t.Errorf("a key that all may read: got %v", err)
	}
}

// discard returns an IO that nobody reads.
func discard() *term.IO { return &term.IO{Out: io.Discard, Err: io.Discard, Now: time.Now} }
