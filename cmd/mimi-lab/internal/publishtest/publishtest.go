// Package publishtest stands in, in tests, for the servers that publish test
// vectors: for GitHub at its own name and paths, and for a mirror.
package publishtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/vectors"
)

// rawHost is where GitHub publishes the files of repositories.
const rawHost = "raw.githubusercontent.com"

// Mode is how a file is published.
type Mode string

// The modes.
const (
	Right Mode = "right" // as it is in the folder
	Wrong Mode = "wrong" // the first byte differs
	Busy  Mode = "busy"  // 503 to the first request
	Cut   Mode = "cut"   // half of it, in a response of the full length
	Gone  Mode = "gone"  // 404
	Hang  Mode = "hang"  // half of it, and nothing more
)

// Servers publish the vectors of a folder.
type Servers struct {
	// Hung is done when a response has begun to hang.
	Hung context.Context

	dir  string
	mode Mode
	name string // of the file that is published in the mode; "" for every file
	cert string // file with the certificate of github
	hung context.CancelFunc

	github, mirror, proxy *httptest.Server

	mu   sync.Mutex
	seen map[string]bool // paths that were asked for
}

// Start publishes the vectors of the folder dir, all as they are but for the one
// named, or for all if the name is "". A file that is not in the folder is published
// as so many zeros. The folder scratch gets a file.
func Start(scratch, dir string, mode Mode, name string) (*Servers, error) {
	s := &Servers{dir: dir, mode: mode, name: name, cert: filepath.Join(scratch, "cert.pem"), seen: map[string]bool{}}
	s.Hung, s.hung = context.WithCancel(context.Background())
	github, mirror := http.NewServeMux(), http.NewServeMux()
	for _, source := range vectors.Sources() {
		for _, f := range source.Files {
			h := func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, f) }
			github.HandleFunc(strings.TrimPrefix(source.URL(f), "https://"), h)
			mirror.HandleFunc("/mirror/"+f.Name, h)
		}
	}
	cert, err := certificate()
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	if err := os.WriteFile(s.cert, text, 0o600); err != nil {
		return nil, err
	}
	s.github = httptest.NewUnstartedServer(github)
	s.github.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.github.Config.ErrorLog = log.New(io.Discard, "", 0) // a fetch that ends hangs up
	s.github.StartTLS()
	s.mirror = httptest.NewServer(mirror)
	s.proxy = httptest.NewServer(http.HandlerFunc(s.connect))
	return s, nil
}

// Close ends the servers and all connections, also those that hang.
func (s *Servers) Close() {
	s.hung()
	for _, server := range []*httptest.Server{s.proxy, s.github, s.mirror} {
		server.CloseClientConnections()
		server.Close()
	}
}

// Mirror is the URL below which the files lie under the names of the list.
func (s *Servers) Mirror() string { return s.mirror.URL + "/mirror" }

// Env is the environment in which a command takes the stand-in for GitHub, by a
// proxy that leads nowhere else, where Go heeds SSL_CERT_FILE (crypto/x509).
func (s *Servers) Env() []string {
	return []string{"HTTPS_PROXY=" + s.proxy.URL, "NO_PROXY=", "SSL_CERT_FILE=" + s.cert}
}

// serve answers a request for a file.
func (s *Servers) serve(w http.ResponseWriter, r *http.Request, f vectors.File) {
	s.mu.Lock()
	again := s.seen[r.URL.Path]
	s.seen[r.URL.Path] = true
	s.mu.Unlock()
	b, err := os.ReadFile(filepath.Join(s.dir, filepath.FromSlash(f.Name)))
	if err != nil {
		b = make([]byte, f.Size)
	}
	mode := s.mode
	if s.name != "" && s.name != f.Name {
		mode = Right
	}
	switch {
	case mode == Wrong:
		b[0] ^= 1
	case mode == Gone:
		http.NotFound(w, r)
		return
	case mode == Busy && !again:
		http.Error(w, "later", http.StatusServiceUnavailable)
		return
	case mode == Cut:
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		b = b[:len(b)/2] // so that the server ends the connection
	case mode == Hang:
		w.Write(b[:len(b)/2])
		http.NewResponseController(w).Flush()
		s.hung()
		<-r.Context().Done()
		return
	}
	w.Write(b)
}

// connect is the method CONNECT of a proxy (RFC 9110, Section 9.3.6).
func (s *Servers) connect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect || r.Host != rawHost+":443" {
		http.Error(w, "this proxy leads to "+rawHost+" alone", http.StatusForbidden)
		return
	}
	server, err := net.Dial("tcp", s.github.Listener.Addr().String())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		io.Copy(server, client)
		server.Close()
	}()
	io.Copy(client, server)
}

// certificate makes one for rawHost, signed by itself.
func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{rawHost},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
