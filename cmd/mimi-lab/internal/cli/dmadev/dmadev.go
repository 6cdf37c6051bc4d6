// Package dmadev is the directory of gatekeeper serve --dev: all that a gatekeeper, one
// partner's server and proxy and their users' devices need on one machine. Keys and
// certificates in it are good nowhere else.
package dmadev

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dirlock"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Default is the directory, unless another is named.
const Default = "dma-dev"

// Who signs tokens, and whom they are for.
const (
	Partner    = "https://partner.example"
	Gatekeeper = "https://gatekeeper.example"
	Integrator = 1 // of the stand-in partner
)

// The files of the directory. Those of a device are named after its user.
const (
	keysName    = "keys.json"
	addressName = "address.json"
	rootsName   = "ca.pem"
	storeName   = "gatekeeper.db"
)

// lifetime is that of the certificate.
const lifetime = 10 * 365 * 24 * time.Hour

// keys are the secrets of the directory.
type keys struct {
	NoisePrivate   []byte `json:"noise_private"`
	NoisePublic    []byte `json:"noise_public"`
	Certificate    []byte `json:"certificate"` // in DER, as the keys below in PKCS #8
	CertificateKey []byte `json:"certificate_key"`
	OwnKey         []byte `json:"own_key"`    // of the tokens by which native users register: Ed25519
	Invitation     string `json:"invitation"` // by which users join the partner
}

// Dir is such a directory.
type Dir struct {
	Path       string
	Noise      suite.KeyPair // the gatekeeper's static key on the chat channel
	TLS        tls.Certificate
	Roots      *x509.CertPool
	Own        *token.Signer
	Invitation string // by which users join the partner
}

// Suite returns the suite of keys and randomness.
func Suite() (suite.Suite, error) { return suite.NewStd(suite.X25519AES128GCMSHA256Ed25519) }

// Make opens a directory, and makes what is not there.
func Make(path string, now time.Time) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, exit.Failuref("", "--dev: %w", err)
	}
	unlock, err := dirlock.Lock(path) // servers that start at once would each make keys
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := os.Stat(filepath.Join(path, keysName)); errors.Is(err, fs.ErrNotExist) {
		k, err := newKeys(now)
		if err != nil {
			return nil, exit.Failuref("", "--dev: making keys: %w", err)
		}
		b, err := json.MarshalIndent(k, "", "  ")
		if err == nil {
			err = replace(filepath.Join(path, rootsName), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.Certificate}))
		}
		if err == nil {
			err = replace(filepath.Join(path, keysName), b)
		}
		if err != nil {
			return nil, exit.Failuref("", "--dev: %w", err)
		}
	}
	return Open(path)
}

// Open opens a directory that was made.
func Open(path string) (*Dir, error) {
	b, err := os.ReadFile(filepath.Join(path, keysName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, exit.Usagef(fmt.Sprintf(`"mimi-lab gatekeeper serve --dev %s" makes it one.`, path), "--dev: %s is no directory of a gatekeeper", path)
	}
	if err != nil {
		return nil, exit.Failuref("", "--dev: %w", err)
	}
	d, err := read(path, b)
	if err != nil {
		return nil, exit.Failuref("Remove the file for new keys, and the stores beside it.", "--dev: %s: %w", filepath.Join(path, keysName), err)
	}
	return d, nil
}

func read(path string, b []byte) (*Dir, error) {
	var k keys
	if err := json.Unmarshal(b, &k); err != nil {
		return nil, err
	}
	d := &Dir{Path: path, Noise: suite.KeyPair{Private: k.NoisePrivate, Public: k.NoisePublic}, Roots: x509.NewCertPool(), Invitation: k.Invitation}
	private, err := parse(k.CertificateKey)
	if err != nil {
		return nil, err
	}
	d.TLS = tls.Certificate{Certificate: [][]byte{k.Certificate}, PrivateKey: private}
	c, err := x509.ParseCertificate(k.Certificate)
	if err != nil {
		return nil, err
	}
	d.Roots.AddCert(c)
	if k.Invitation == "" || c.VerifyHostname(hostOf(Partner)) != nil {
		return nil, errors.New("it was made by an earlier version")
	}
	if private, err = parse(k.OwnKey); err != nil {
		return nil, err
	}
	if d.Own, err = token.NewSigner("own-1", private); err != nil {
		return nil, err
	}
	return d, nil
}

// hostOf is the host of one of the URLs above.
func hostOf(base string) string { return strings.TrimPrefix(base, "https://") }

func parse(der []byte) (crypto.Signer, error) {
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	s, ok := k.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T, want a key that signs", k)
	}
	return s, nil
}

func newKeys(now time.Time) (*keys, error) {
	s, err := Suite()
	if err != nil {
		return nil, err
	}
	noise, err := s.GenerateKeyPair()
	if err != nil {
		return nil, err
	}
	k := &keys{NoisePrivate: noise.Private, NoisePublic: noise.Public}
	server, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.Unix()), Subject: pkix.Name{CommonName: "mimi-lab gatekeeper --dev"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames: []string{"localhost", hostOf(Gatekeeper), hostOf(Partner)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	if k.Certificate, err = x509.CreateCertificate(rand.Reader, template, template, server.Public(), server); err != nil {
		return nil, err
	}
	var invitation [16]byte
	if _, err := rand.Read(invitation[:]); err != nil {
		return nil, err
	}
	k.Invitation = hex.EncodeToString(invitation[:])
	_, own, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	for _, x := range []struct {
		to  *[]byte
		key any
	}{{&k.CertificateKey, server}, {&k.OwnKey, own}} {
		if *x.to, err = x509.MarshalPKCS8PrivateKey(x.key); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// Store returns the URL of the gatekeeper's store.
func (d *Dir) Store() string { return "sqlite:" + filepath.Join(d.Path, storeName) }

// RootsFile returns the name of the file with the certificate, for other programs.
func (d *Dir) RootsFile() string { return filepath.Join(d.Path, rootsName) }

// Addresses are where a gatekeeper is that runs.
type Addresses struct {
	HTTPS   string `json:"https"`
	Chat    string `json:"chat"`
	Proxied string `json:"proxied"` // the chat channel for proxies
	Dialect string `json:"dialect"`
}

// Announce lets devices find the gatekeeper.
func (d *Dir) Announce(a Addresses) error {
	b, err := json.Marshal(a)
	if err == nil {
		err = replace(filepath.Join(d.Path, addressName), b)
	}
	if err != nil {
		return exit.Failuref("", "--dev: %w", err)
	}
	return nil
}

// Find returns where the gatekeeper is.
func (d *Dir) Find() (Addresses, error) {
	var a Addresses
	b, err := os.ReadFile(filepath.Join(d.Path, addressName))
	if err == nil {
		err = json.Unmarshal(b, &a)
	}
	if err != nil {
		return a, exit.Failuref(fmt.Sprintf(`"mimi-lab gatekeeper serve --dev %s" runs one.`, d.Path), "no gatekeeper has run in %s: %w", d.Path, err)
	}
	return a, nil
}

// Native reports whether a name is that of a native user: a phone number without its plus.
func Native(name string) bool {
	return name != "" && strings.Trim(name, "0123456789") == ""
}

// file returns the beginning of the names of a device's files.
func (d *Dir) file(name string) (string, error) {
	if number, plus := strings.CutPrefix(name, "+"); plus && Native(number) {
		return "", exit.Usagef(fmt.Sprintf("A phone number is written without its plus: %s.", number), "device %q", name)
	}
	s := url.PathEscape(name)
	if name == "" || strings.HasPrefix(s, ".") || len(s) > 200 {
		return "", exit.Usagef("It is a name such as bob@partner.example, or a phone number.", "device %q", name)
	}
	return filepath.Join(d.Path, "device-"+s), nil
}

// DeviceStore returns the file of a device's store.
func (d *Dir) DeviceStore(name string) (string, error) {
	f, err := d.file(name)
	return f + ".db", err
}

// NoteAddress notes which account a user has, for others on this machine.
func (d *Dir) NoteAddress(name string, a ident.Address) error {
	f, err := d.file(name)
	if err != nil {
		return err
	}
	if err := replace(f+".address", []byte(a.String()+"\n")); err != nil {
		return exit.Failuref("", "--dev: %w", err)
	}
	return nil
}

// Lookup returns the address that a user means: an address, or the name of a user whose
// device is in the directory.
func (d *Dir) Lookup(name string) (ident.Address, error) {
	if a, err := ident.ParseAddress(name); err == nil && a.User != "" {
		return a, nil
	}
	f, err := d.file(name)
	if err != nil {
		return ident.Address{}, err
	}
	b, err := os.ReadFile(f + ".address")
	if err != nil {
		return ident.Address{}, exit.Usagef(
			fmt.Sprintf(`"mimi-lab device enlist %s --dev %s" makes it one.`, name, d.Path), "%q is no address, and no user of %s", name, d.Path)
	}
	a, err := ident.ParseAddress(strings.TrimSpace(string(b)))
	if err != nil {
		return ident.Address{}, exit.Failuref("", "%s: %w", f+".address", err)
	}
	return a, nil
}

// Token returns a token for a user of the gatekeeper.
func (d *Dir) Token(name string, now time.Time) (string, error) {
	return d.Own.Sign(token.Claims{
		Issuer: Gatekeeper, Audience: []string{Gatekeeper}, Subject: name, IssuedAt: now, Expires: now.Add(time.Hour),
	})
}

// replace writes a file, whole or not at all, for its owner alone.
func replace(file string, b []byte) error {
	if err := os.WriteFile(file+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
