package provider

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/config"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/groups/serve"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// settings are what a configuration file says.
type settings struct {
	Domain      string                `json:"domain"`
	Listen      string                `json:"listen"`
	Base        string                `json:"base"`
	Admin       string                `json:"admin"`
	Clients     string                `json:"clients"`
	ClientRoots string                `json:"client_roots"`
	Tokens      string                `json:"tokens"`
	Noise       string                `json:"noise"`
	NoiseKey    string                `json:"noise_key"`
	ClientKeys  string                `json:"client_keys"`
	Certificate string                `json:"certificate"`
	Key         string                `json:"key"`
	Roots       string                `json:"roots"`
	Store       string                `json:"store"`
	Users       []string              `json:"users"`
	Assets      []string              `json:"assets"`
	Peers       map[string]serve.Peer `json:"peers"`
	AnyPeer     bool                  `json:"any_peer"`
	NeedConsent bool                  `json:"need_consent"`
	Hide        bool                  `json:"hide"`

	dev string // the directory of --dev, "" without
}

// readSettings reads a configuration file.
func readSettings(file string) (*settings, error) {
	s := &settings{Listen: ":443"}
	if err := config.Read(file, s); err != nil {
		return nil, err
	}
	for _, f := range []struct{ name, value string }{{"domain", s.Domain}, {"certificate", s.Certificate}, {"key", s.Key}, {"store", s.Store}} {
		if f.value == "" {
			return nil, exit.Usagef(`"mimi-lab provider serve --help" shows what it has to say.`, "configuration %s: no %s", file, f.name)
		}
	}
	config.Beside(file, &s.Certificate, &s.Key, &s.Roots, &s.ClientRoots, &s.Tokens, &s.NoiseKey, &s.ClientKeys)
	config.BesideStore(file, &s.Store)
	return s, nil
}

// provider returns the configuration of the provider that listens at an address.
func (s *settings) provider(at net.Addr) (serve.Config, error) {
	cfg := serve.Config{
		Domain: s.Domain, Base: s.Base, Store: s.Store, Peers: s.Peers, AnyPeer: s.AnyPeer, Assets: s.Assets,
	}
	cfg.Follower.NeedConsent, cfg.Follower.Hide = s.NeedConsent, s.Hide
	var err error
	if err = config.Private("key", s.Key); err != nil {
		return cfg, err
	}
	if cfg.Certificate, err = tls.LoadX509KeyPair(s.Certificate, s.Key); err != nil {
		return cfg, exit.Usagef("", "certificate: %w", err)
	}
	if s.Roots != "" {
		if cfg.Roots, err = readRoots(s.Roots); err != nil {
			return cfg, err
		}
	}
	if s.dev != "" {
		return s.neighbour(cfg, at)
	}
	return cfg, nil
}

// readRoots reads a file of authorities' certificates.
func readRoots(file string) (*x509.CertPool, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, exit.Usagef("", "roots: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, exit.Usagef("It holds certificates in PEM.", "roots: no certificate in %s", file)
	}
	return pool, nil
}

// announce says where the provider is.
func (s *settings) announce(w io.Writer, at started) {
	fmt.Fprintf(w, "%s serves at %s\n", s.Domain, at.Listen)
	if at.Clients != nil {
		fmt.Fprintf(w, "clients on %s\n", at.Clients)
	}
	if at.Noise != nil {
		fmt.Fprintf(w, "clients over Noise on %s\n", at.Noise)
	}
	if at.Admin != nil {
		fmt.Fprintf(w, "for the operator: %s\n", url("http", at.Admin, "/healthz"))
	}
	if s.dev == "" {
		return
	}
	_, port, _ := net.SplitHostPort(at.Listen.String())
	fmt.Fprintf(w, "its directory:\n  curl --cacert %s --connect-to %s:%s:%s https://%s:%s%s\n",
		s.Roots, s.Domain, port, at.Listen, s.Domain, port, mimi.DirectoryPath)
	fmt.Fprintf(w, "its peers: whoever runs with --dev %s\n", s.dev)
	fmt.Fprintf(w, "a device of a user of it:\n  mimi-lab room list --dev %s --as alice@%s\n", s.dev, s.Domain)
}
