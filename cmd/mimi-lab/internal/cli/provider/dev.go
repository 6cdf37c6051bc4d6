package provider

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/groups/serve"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// The files of a directory of --dev: an authority's, and of each provider, by its domain,
// the certificate, its key, the store and the address.
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
	unlock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	root, err := certificate(dir, rootName, nil, now)
	if err != nil {
		return nil, exit.Failuref("", "--dev: authority: %w", err)
	}
	if _, err := certificate(dir, domain, root, now); err != nil {
		return nil, exit.Failuref("", "--dev: certificate: %w", err)
	}
	at := filepath.Join(dir, domain)
	return &settings{
		Domain: domain, Listen: "127.0.0.1:0", Clients: "127.0.0.1:0", Certificate: at + certSuffix, Key: at + keySuffix, Roots: filepath.Join(dir, rootName+certSuffix),
		Store: "sqlite:" + at + storeSuffix, AnyPeer: true, dev: dir,
	}, nil
}

// lockName is the file of the one that makes certificates.
const lockName = "lock"

// patience is how long another is waited for that makes certificates.
const patience = 10 * time.Second

// lock keeps others from making certificates in the directory: providers that start at
// once would each make an authority, and trust none but their own.
func lock(dir string) (unlock func(), err error) {
	file := filepath.Join(dir, lockName)
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL, 0o600)
		switch {
		case err == nil:
			_ = f.Close()
			return func() { _ = os.Remove(file) }, nil
		case !errors.Is(err, fs.ErrExist):
			return nil, exit.Failuref("", "--dev: %w", err)
		case time.Now().After(until):
			return nil, exit.Failuref("If none does, remove the file.", "--dev: another provider starts: %s is there", file)
		}
	}
}

// pair is a certificate with its key.
type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// certificate returns a certificate in the directory, which it makes if it is not there
// or is over: by the authority, or as one if that is nil.
func certificate(dir, name string, authority *pair, now time.Time) (*pair, error) {
	at := filepath.Join(dir, name)
	p, err := readPair(at)
	if err == nil && now.Before(p.cert.NotAfter) {
		return p, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "mimi-lab --dev: " + name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime), BasicConstraintsValid: true,
	}
	parent := &pair{template, key}
	if authority == nil {
		template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
	} else {
		parent = authority
		template.DNSNames, template.KeyUsage = []string{name}, x509.KeyUsageDigitalSignature
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, parent.cert, &key.PublicKey, parent.key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(at+keySuffix, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(at+certSuffix, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600); err != nil {
		return nil, err
	}
	return readPair(at)
}

// readPair reads a certificate and its key.
func readPair(at string) (*pair, error) {
	cert, err := readPEM(at + certSuffix)
	if err != nil {
		return nil, err
	}
	private, err := readPEM(at + keySuffix)
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(cert)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at+certSuffix, err)
	}
	k, err := x509.ParsePKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at+keySuffix, err)
	}
	key, ok := k.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: a %T, want a key that this command has made", at+keySuffix, k)
	}
	return &pair{c, key}, nil
}

func readPEM(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("%s: no PEM", file)
	}
	return block.Bytes, nil
}

// neighbour lets the provider be found by others of its directory, and find them.
func (s *settings) neighbour(cfg serve.Config, at net.Addr) (serve.Config, error) {
	_, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return cfg, err
	}
	cfg.Base = "https://" + net.JoinHostPort(s.Domain, port)
	if err := replace(filepath.Join(s.dev, s.Domain+addrSuffix), []byte(at.String())); err != nil {
		return cfg, err
	}
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
