package layout

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
)

// certificate adds the summary of an X.509 certificate (RFC 5280) to the struct
// that holds it. It is not verified.
func (d *decoder) certificate(der []byte) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		v := d.at.Derive("certificate", outline.Text("not readable: "+strings.TrimPrefix(err.Error(), "x509: ")))
		v.Verdict = outline.Bad
		return
	}
	d.at.Derive("subject", outline.Quoted(c.Subject.String()))
	d.at.Derive("issuer", outline.Quoted(c.Issuer.String()))
	if len(c.DNSNames) > 0 {
		d.at.Derive("dns_names", outline.Quoted(strings.Join(c.DNSNames, " ")))
	}
	d.at.Derive("not_before", instant(c.NotBefore))
	d.at.Derive("not_after", instant(c.NotAfter))
	d.at.Derive("key", outline.Text(keyName(c)))
}

// instant is a time of a certificate, which may lie before 1970.
func instant(t time.Time) outline.Value {
	if s := t.Unix(); s >= 0 {
		return outline.Time(s)
	}
	return outline.Text(t.UTC().Format(time.DateTime) + " UTC")
}

// keyName names a certificate's public key.
func keyName(c *x509.Certificate) string {
	switch k := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA of %d bits", k.N.BitLen())
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return c.PublicKeyAlgorithm.String()
}
