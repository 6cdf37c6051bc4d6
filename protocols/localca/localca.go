// Package localca makes certificates (RFC 5280, https://www.rfc-editor.org/rfc/rfc5280)
// of an authority that nobody else trusts: for providers and clients of one machine, of a
// measurement or of a test.
//
// Start with [New], or with [Of] and the certificate of an authority that was kept.
package localca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/url"
	"time"
)

// Authority issues certificates. Its methods may be called by several goroutines at once.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	der  []byte
}

// Leaf is whose certificate is wanted. Key usage follows from what is set.
type Leaf struct {
	Name   string     // the subject's common name, for people
	DNS    []string   // of a server, and of a client that is one
	IPs    []net.IP   // of a server
	URIs   []*url.URL // of a client that is no server
	Starts time.Time
	Ends   time.Time
}

// New makes an authority that is valid from a time to another. Its key is of P-256, as
// are those that it issues.
func New(name string, starts, ends time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t, err := template(name, starts, ends)
	if err != nil {
		return nil, err
	}
	t.IsCA, t.KeyUsage = true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &Authority{cert, key, der}, err
}

// Of returns the authority of a certificate and its key.
func Of(c *tls.Certificate) (*Authority, error) {
	key, ok := c.PrivateKey.(crypto.Signer)
	if !ok || len(c.Certificate) == 0 {
		return nil, errors.New("localca: want a certificate and a key that signs")
	}
	cert, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		return nil, err
	}
	if !cert.IsCA {
		return nil, errors.New("localca: want the certificate of an authority")
	}
	return &Authority{cert, key, c.Certificate[0]}, nil
}

// Certificate returns the authority's own certificate, with its key.
func (a *Authority) Certificate() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{a.der}, PrivateKey: a.key, Leaf: a.cert}
}

// Pool returns what those who trust the authority have among their roots.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// Issue makes a key and its certificate.
func (a *Authority) Issue(l Leaf) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t, err := template(l.Name, l.Starts, l.Ends)
	if err != nil {
		return tls.Certificate{}, err
	}
	t.DNSNames, t.IPAddresses, t.URIs, t.KeyUsage = l.DNS, l.IPs, l.URIs, x509.KeyUsageDigitalSignature
	if len(l.DNS)+len(l.IPs) > 0 {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if len(l.DNS)+len(l.URIs) > 0 {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	cert, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert}, err
}

func template(name string, starts, ends time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true, NotBefore: starts, NotAfter: ends,
	}, nil
}
