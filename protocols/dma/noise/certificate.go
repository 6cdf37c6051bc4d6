package noise

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Certificate says for how long a static key is a service's. It is the payload of the
// server's handshake message. Public clients get one there, signed by keys of WhatsApp's;
// this form is assumed:
//
//	struct {
//	  opaque service<V>;        // 1 to 253 bytes
//	  opaque key[32];           // the server's static key
//	  uint64 not_before;        // seconds since 1970-01-01 UTC
//	  uint64 not_after;
//	} Details;
//
//	struct {
//	  opaque details<V>;
//	  opaque signature<V>;      // by the authority, over Label || details
//	} Certificate;
type Certificate struct {
	Service   string
	Key       [keySize]byte
	NotBefore time.Time // whole seconds
	NotAfter  time.Time
}

// certificateLabel is what a certificate's signature is over, besides the details.
const certificateLabel = "mimi-lab noise certificate 1\n"

// maxService bounds the name of a service: that of a domain name.
const maxService = 253

// MarshalTLS implements [wire.Marshaler].
func (c *Certificate) MarshalTLS(w *wire.Writer) {
	w.OpaqueString(c.Service)
	w.Fixed(c.Key[:])
	w.Uint64(uint64(c.NotBefore.Unix()))
	w.Uint64(uint64(c.NotAfter.Unix()))
}

// UnmarshalTLS implements [wire.Unmarshaler].
func (c *Certificate) UnmarshalTLS(r *wire.Reader) {
	c.Service = string(r.Opaque())
	copy(c.Key[:], r.Fixed(keySize))
	before, after := r.Uint64(), r.Uint64()
	if r.Err() == nil && (c.Service == "" || len(c.Service) > maxService) {
		r.Fail(fmt.Errorf("service of %d bytes, want 1 to %d", len(c.Service), maxService))
	}
	const latest = 253402300799 // 9999-12-31
	if before > latest || after > latest {
		r.Fail(errors.New("a time beyond the year 9999"))
		return
	}
	c.NotBefore, c.NotAfter = time.Unix(int64(before), 0), time.Unix(int64(after), 0)
}

type signedCertificate struct{ details, signature []byte }

// MarshalTLS implements [wire.Marshaler].
func (c *signedCertificate) MarshalTLS(w *wire.Writer) {
	w.Opaque(c.details)
	w.Opaque(c.signature)
}

// UnmarshalTLS implements [wire.Unmarshaler].
func (c *signedCertificate) UnmarshalTLS(r *wire.Reader) {
	c.details, c.signature = r.Opaque(), r.Opaque()
}

// Sign returns the certificate as servers send it, signed by an authority.
func (c *Certificate) Sign(s suite.Suite, authority suite.PrivateKey) ([]byte, error) {
	details, err := wire.Marshal(c)
	if err == nil {
		err = wire.Unmarshal(details, new(Certificate)) // clients would refuse it
	}
	if err != nil {
		return nil, fmt.Errorf("noise: certificate: %w", err)
	}
	signature, err := s.Sign(authority, append([]byte(certificateLabel), details...))
	if err != nil {
		return nil, fmt.Errorf("noise: certificate: %w", err)
	}
	return wire.Marshal(&signedCertificate{details, signature})
}

// Trust says which server a client wants. At least one of Pin and Authority is set; if
// both are, both must fit.
type Trust struct {
	Pin       []byte // the server's static key
	Authority []byte // the key that signs certificates
	Service   string // whose the certificate is, with Authority
}

func (t *Trust) check() error {
	switch {
	case len(t.Pin) == 0 && len(t.Authority) == 0:
		return errors.New("noise: trust: neither a pin nor an authority, want one")
	case len(t.Pin) != 0 && len(t.Pin) != keySize:
		return fmt.Errorf("noise: trust: pin of %d bytes, want %d", len(t.Pin), keySize)
	case len(t.Authority) != 0 && t.Service == "":
		return errors.New("noise: trust: an authority without the service that it is to vouch for")
	}
	return nil
}

// verify checks the server's static key and the certificate that came with it.
func (t *Trust) verify(now time.Time, s suite.Suite, key, certificate []byte) error {
	if len(t.Pin) > 0 && subtle.ConstantTimeCompare(t.Pin, key) != 1 {
		return fail(ErrServer, "server hello", "static key %x, want %x", key, t.Pin)
	}
	if len(t.Authority) == 0 {
		return nil
	}
	var signed signedCertificate
	if err := wire.Unmarshal(certificate, &signed); err != nil {
		return failed(ErrServer, "certificate", err)
	}
	if err := s.Verify(t.Authority, append([]byte(certificateLabel), signed.details...), signed.signature); err != nil {
		return failed(ErrServer, "certificate", err)
	}
	var c Certificate
	if err := wire.Unmarshal(signed.details, &c); err != nil {
		return failed(ErrServer, "certificate", err)
	}
	switch {
	case subtle.ConstantTimeCompare(c.Key[:], key) != 1:
		return fail(ErrServer, "certificate", "for key %x, want the static key %x", c.Key, key)
	case c.Service != t.Service:
		return fail(ErrServer, "certificate", "for %q, want %q", c.Service, t.Service)
	case now.Before(c.NotBefore), now.After(c.NotAfter):
		return fail(ErrServer, "certificate", "good from %s to %s, and it is %s", stamp(c.NotBefore), stamp(c.NotAfter), stamp(now))
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
