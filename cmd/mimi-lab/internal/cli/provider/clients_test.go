package provider

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	neturl "net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/config"
	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/serve"
	"github.com/mimi-lab/mimi-lab/groups/serve/channel"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/localca"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// certify makes a client's certificate of a directory's authority.
func certify(t *testing.T, dir, client string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	authority, err := Authority(dir)
	if err != nil {
		t.Fatal(err)
	}
	u, err := neturl.Parse(client)
	if err != nil {
		t.Fatal(err)
	}
	c, err := authority.Issue(localca.Leaf{
		Name: "test", URIs: []*neturl.URL{u}, Starts: time.Now().Add(-time.Hour), Ends: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, authority.Pool()
}

// connect logs a client in and closes the connection.
func connect(t *testing.T, address, client, token string, cfg *tls.Config) error {
	t.Helper()
	u, err := ident.ParseURI(client)
	if err != nil {
		t.Fatal(err)
	}
	cfg.ServerName = "a.example"
	c, err := channel.Dial(t.Context(), address, channel.ClientConfig{
		Client: u, Token: []byte(token), TLS: cfg, Deliver: func(follower.Delivery) {},
	})
	if err == nil {
		err = c.Close()
	}
	return err
}

// TestDevelopmentClients lets clients in that the directory's authority vouches for, and
// tells them what they need.
func TestDevelopmentClients(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "lab")
	says, stop := run(t, 8, &serveOptions{Dev: dir, Domain: "a.example"})
	f, err := ReadForClients(dir, "a.example")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(says, "\nclients on "+f.Address+"\n") {
		t.Errorf("got %q, want the address %s", says, f.Address)
	}
	if _, err := mimi.ParseFrankingAgentData(f.FrankingAgent); err != nil {
		t.Errorf("franking_agent: %v", err)
	}
	if err := wire.Unmarshal(f.HubSender, new(message.ExternalSender)); err != nil {
		t.Errorf("hub_sender: %v", err)
	}
	const alice = "mimi://a.example/d/alice/A1"
	cert, roots := certify(t, dir, alice)
	for range 2 { // the first time it is made
		if err := connect(t, f.Address, alice, "", &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}}); err != nil {
			t.Errorf("with a certificate: %v", err)
		}
	}
	for _, other := range []string{"mimi://a.example/d/alice/A2", "mimi://a.example/d/bob/A1"} {
		if err := connect(t, f.Address, other, "", &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}}); !errors.Is(err, stanza.NotAuthorized) {
			t.Errorf("%s with the certificate of another: %v, want %v", other, err, stanza.NotAuthorized)
		}
	}
	if err := connect(t, f.Address, alice, "", &tls.Config{RootCAs: roots}); !errors.Is(err, stanza.NotAuthorized) {
		t.Errorf("without a certificate: %v, want %v", err, stanza.NotAuthorized)
	}
	if err := overNoise(t, dir, f, alice, alice); err != nil {
		t.Errorf("over Noise with its key: %v", err)
	}
	if err := overNoise(t, dir, f, "mimi://a.example/d/alice/A2", alice); !errors.Is(err, stanza.NotAuthorized) {
		t.Errorf("over Noise with the key of another: %v, want %v", err, stanza.NotAuthorized)
	}
	elsewhere := "mimi://b.example/d/bob/B1"
	cert, _ = certify(t, dir, elsewhere)
	if err := connect(t, f.Address, elsewhere, "", &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}}); err == nil {
		t.Error("a client of another provider is let in")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// overNoise logs a client in with the key that one of a directory has, and closes the
// connection.
func overNoise(t *testing.T, dir string, f *ForClients, client, key string) error {
	t.Helper()
	who, err := ident.ParseURI(client)
	if err != nil {
		t.Fatal(err)
	}
	has, err := ident.ParseURI(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(DevicePath(dir, has)), 0o700); err != nil {
		t.Fatal(err)
	}
	n, err := DeviceNoise(dir, has, f.NoiseKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := channel.Dial(t.Context(), f.NoiseAddress, channel.ClientConfig{Client: who, Noise: n, Deliver: func(follower.Delivery) {}})
	if err == nil {
		err = c.Close()
	}
	return err
}

// TestClientKeys lets clients in over Noise that a configuration names, with their keys.
func TestClientKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := development(dir, "a.example", time.Now()); err != nil {
		t.Fatal(err)
	}
	var pub [2]string
	var cfg [2]noise.Config
	for i := range cfg {
		var err error
		if cfg[i], err = noiseConfig(filepath.Join(dir, fmt.Sprint(i)), true); err != nil {
			t.Fatal(err)
		}
		pub[i] = base64.StdEncoding.EncodeToString(cfg[i].Static.Public)
	}
	server, err := noiseConfig(filepath.Join(dir, "server"), true)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a.json": `{"domain": "a.example", "listen": "127.0.0.1:0", "certificate": "a.example.pem", "key": "a.example.key", "roots": "ca.pem",
			"store": "memory:", "users": ["alice/A1", "bob/B1"], "noise": "127.0.0.1:0", "noise_key": "server", "client_keys": "keys"}`,
		"none.json": `{"domain": "a.example", "listen": "127.0.0.1:0", "certificate": "a.example.pem", "key": "a.example.key", "roots": "ca.pem",
			"store": "memory:", "noise": "127.0.0.1:0", "client_keys": "keys"}`,
		"keys": "alice/A1 " + pub[0] + "\nbob/B1 " + pub[1] + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	says, stop := run(t, 2, &serveOptions{Config: filepath.Join(dir, "a.json")})
	_, address, _ := strings.Cut(strings.TrimSpace(says), "\nclients over Noise on ")
	for i, want := range []error{nil, stanza.NotAuthorized} {
		u, err := ident.ParseURI("mimi://a.example/d/alice/A1")
		if err != nil {
			t.Fatal(err)
		}
		c, err := channel.Dial(t.Context(), address, channel.ClientConfig{
			Client: u, Noise: &channel.Noise{Config: cfg[i], Trust: noise.Trust{Pin: server.Static.Public}}, Deliver: func(follower.Delivery) {},
		})
		if !errors.Is(err, want) {
			t.Errorf("alice with key %d: got %v, want %v", i, err, want)
		}
		if err == nil {
			_ = c.Close()
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	err = runServe(t.Context(), &serveOptions{Config: filepath.Join(dir, "none.json"), IO: discard()})
	if err == nil || !strings.Contains(err.Error(), `"noise" without "noise_key"`) {
		t.Errorf("no static key: got %v", err)
	}
	for _, text := range []string{"alice/A1 AAAA", "alice/A1 " + pub[0] + "=", "alice/A1"} {
		file := filepath.Join(dir, "bad")
		if err := os.WriteFile(file, []byte("# first\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readClientKeys(file, "a.example"); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("keys %q: got %v, want an error that names line 2", text, err)
		}
	}
	if _, err := readStatic(filepath.Join(dir, "a.example.key")); err == nil || !strings.Contains(err.Error(), "want X25519") {
		t.Errorf("a certificate's key: got %v, want that it is of another kind", err)
	}
}

// TestTokens lets clients in that a configuration names, with their tokens.
func TestTokens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := development(dir, "a.example", time.Now()); err != nil {
		t.Fatal(err)
	}
	authority, err := Authority(dir)
	if err != nil {
		t.Fatal(err)
	}
	roots := authority.Pool()
	for name, text := range map[string]string{
		"a.json": `{"domain": "a.example", "listen": "127.0.0.1:0", "certificate": "a.example.pem", "key": "a.example.key", "roots": "ca.pem",
			"store": "memory:", "users": ["alice/A1"], "clients": "127.0.0.1:0", "tokens": "tokens"}`,
		"none.json": `{"domain": "a.example", "listen": "127.0.0.1:0", "certificate": "a.example.pem", "key": "a.example.key", "roots": "ca.pem",
			"store": "memory:", "clients": "127.0.0.1:0"}`,
		"tokens": "# client token\n\nalice/A1 secret\nbob/B1 secret2\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	says, stop := run(t, 2, &serveOptions{Config: filepath.Join(dir, "a.json")})
	_, address, _ := strings.Cut(strings.TrimSpace(says), "\nclients on ")
	for _, tt := range []struct {
		client, token string
		want          stanza.Code // 0: is let in
	}{
		{"mimi://a.example/d/alice/A1", "secret", 0},
		{"mimi://a.example/d/alice/A1", "secret2", stanza.NotAuthorized},
		{"mimi://a.example/d/alice/A2", "secret", stanza.NotAuthorized},
		{"mimi://a.example/d/bob/B1", "secret2", stanza.ItemNotFound}, // the provider has no such user
	} {
		err := connect(t, address, tt.client, tt.token, &tls.Config{RootCAs: roots})
		if tt.want == 0 && err != nil || tt.want != 0 && !errors.Is(err, tt.want) {
			t.Errorf("%s with %q: got %v, want %v", tt.client, tt.token, err, tt.want)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	err = runServe(t.Context(), &serveOptions{Config: filepath.Join(dir, "none.json"), IO: discard()})
	if err == nil || !strings.Contains(err.Error(), "clients without any of them") {
		t.Errorf("clients who cannot prove who they are: got %v", err)
	}
	for _, text := range []string{"alice/A1", "alice secret", "alice/A1 a b"} {
		file := filepath.Join(dir, "bad")
		if err := os.WriteFile(file, []byte("# first\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readTokens(file, "a.example"); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("tokens %q: got %v, want an error that names line 2", text, err)
		}
	}
}

// TestTokensArePrivate: a file of tokens that others may read is refused.
func TestTokensArePrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("alice/A1 secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := config.Private("tokens", file); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	s := &settings{Tokens: file}
	if _, err := s.channel(nil, &serve.Config{Logger: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "tokens "+file+": others may read or write it") {
		t.Errorf("got %v, want that others may read it", err)
	}
}
