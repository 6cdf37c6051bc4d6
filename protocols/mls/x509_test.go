package mls

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  ed25519.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

// identity returns an identity with a certificate of the authority's.
func (a *authority) identity(t *testing.T, w *world, name string) *Identity {
	t.Helper()
	signer, err := w.cfg.Suite.GenerateSigner()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, ed25519.PublicKey(signer.Public), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &Identity{message.Credential{Type: message.CredentialX509, Chain: []message.Certificate{der, a.cert.Raw}}, signer}
}

// TestX509 adds members with certificates, and refuses those that the policy or the
// chain speaks against.
func TestX509(t *testing.T) {
	t.Parallel()
	root, other := newAuthority(t, "root"), newAuthority(t, "other")
	basic := func(*message.Credential, []byte, Where) error { return nil }
	w := newWorld(t, 1, func(c *Config) {
		c.Credentials = []message.CredentialType{message.CredentialBasic, message.CredentialX509}
		c.Authenticate = X509(func(chain []*x509.Certificate, at Where) error {
			pool := x509.NewCertPool()
			pool.AddCert(root.cert)
			_, err := chain[0].Verify(x509.VerifyOptions{Roots: pool, CurrentTime: at.Now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
			return err
		}, basic)
	})
	w.ids["good"] = root.identity(t, w, "good")
	w.commit("0", CommitOptions{}, func() *KeyPackage {
		k := w.keyPackage("good")
		return k
	}())
	bad := map[string]*Identity{
		"other authority": other.identity(t, w, "x"),
		"other key":       {root.identity(t, w, "x").Credential, w.identity("y").Signer},
		"no chain":        {message.Credential{Type: message.CredentialX509}, w.identity("y").Signer},
		"not DER":         {message.Credential{Type: message.CredentialX509, Chain: []message.Certificate{[]byte("x")}}, w.identity("y").Signer},
		"broken chain": {message.Credential{Type: message.CredentialX509, Chain: []message.Certificate{
			root.identity(t, w, "x").Credential.Chain[0], other.cert.Raw}}, w.identity("y").Signer},
	}
	for name, id := range bad {
		k, err := w.cfg.NewKeyPackage(now, id, LeafOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.groups["0"].Commit(now, CommitOptions{Proposals: []message.Proposal{AddProposal(k.Public)}})
		if !errors.Is(err, CheckLeafCredential) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
