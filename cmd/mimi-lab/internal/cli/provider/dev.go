package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dirlock"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/groups/serve"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/localca"
)

// The files of a directory of --dev: an authority's, and of each provider, by its domain,
// the certificate, its key, the store and the address. There are more with what is for
// its clients.
const (
	rootName    = "ca"
	certSuffix  = ".pem"
	keySuffix   = ".key"
	storeSuffix = ".db"
	addrSuffix  = ".address"
)

// lifetime is that of the certificates. Nobody but this machine trusts them.
const lifetime = 365 * 24 * time.Hour

// development returns the settings of a provider on this machine, whose certificate it
// makes if there is none.
func development(dir, domain string, now time.Time) (*settings, error) {
	u, err := ident.NewURI(ident.KindProvider, domain)
	if err != nil || u.Provider() == rootName {
		return nil, exit.Usagef("It is a domain name, such as a.example.", "--domain %q is none", domain)
	}
	domain = u.Provider()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, exit.Failuref("", "--dev: %w", err)
	}
	unlock, err := dirlock.Lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	root, err := certificate(dir, rootName, nil, now)
	if err != nil {
		return nil, exit.Failuref("", "--dev: authority: %w", err)
	}
	authority, err := localca.Of(root)
	if err != nil {
		return nil, exit.Failuref("", "--dev: authority: %w", err)
	}
	if _, err := certificate(dir, domain, authority, now); err != nil {
		return nil, exit.Failuref("", "--dev: certificate: %w", err)
	}
	at := filepath.Join(dir, domain)
	return &settings{
		Domain: domain, Listen: "127.0.0.1:0", Clients: "127.0.0.1:0", Certificate: at + certSuffix, Key: at + keySuffix, Roots: filepath.Join(dir, rootName+certSuffix),
		Noise: "127.0.0.1:0", NoiseKey: at + noiseSuffix, Store: "sqlite:" + at + storeSuffix, AnyPeer: true, dev: dir,
	}, nil
}

// certificate returns a certificate in the directory, which it makes if it is not there
// or is over: by the authority, or as one if that is nil.
func certificate(dir, name string, authority *localca.Authority, now time.Time) (*tls.Certificate, error) {
	at := filepath.Join(dir, name)
	kept, err := readCertificate(at)
	if err == nil && now.Before(kept.Leaf.NotAfter) {
		return kept, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	c, err := issue(name, authority, now)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(at+keySuffix, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(at+certSuffix, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), 0o600); err != nil {
		return nil, err
	}
	return c, nil
}

// issue makes a certificate of a name, by the authority or as one if that is nil.
func issue(name string, authority *localca.Authority, now time.Time) (*tls.Certificate, error) {
	subject, starts, ends := "mimi-lab --dev: "+name, now.Add(-time.Hour), now.Add(lifetime)
	if authority != nil {
		c, err := authority.Issue(localca.Leaf{Name: subject, DNS: []string{name}, Starts: starts, Ends: ends})
		return &c, err
	}
	a, err := localca.New(subject, starts, ends)
	if err != nil {
		return nil, err
	}
	c := a.Certificate()
	return &c, nil
}

// readCertificate reads a certificate and its key.
func readCertificate(at string) (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(at+certSuffix, at+keySuffix)
	if err != nil {
		return nil, fmt.Errorf("%s with %s: %w", at+certSuffix, filepath.Base(at+keySuffix), err)
	}
	return &c, nil
}

// beFound lets others of the directory find the provider, which has its store by now: one
// that has not, since another runs, is not to take that one's place.
func (s *settings) beFound(at net.Addr) error {
	if s.dev == "" {
		return nil
	}
	return replace(filepath.Join(s.dev, s.Domain+addrSuffix), []byte(at.String()))
}

// neighbour lets the provider find others of its directory.
func (s *settings) neighbour(cfg serve.Config, at net.Addr) (serve.Config, error) {
	_, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return cfg, err
	}
	cfg.Base = "https://" + net.JoinHostPort(s.Domain, port)
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		u, err := ident.NewURI(ident.KindProvider, host)
		if err != nil {
			return nil, err
		}
		b, err := os.ReadFile(filepath.Join(s.dev, u.Provider()+addrSuffix))
		if err != nil {
			return nil, fmt.Errorf("%s does not run here", host)
		}
		return new(net.Dialer).DialContext(ctx, network, string(b))
	}
	return cfg, nil
}
