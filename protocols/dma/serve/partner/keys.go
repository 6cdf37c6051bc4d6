package partner

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
)

// rsaBits is the size of keys, whose kind, for RS256, is that of the Reference Offer's
// sample.
const rsaBits = 2048

// newKey makes a key for tokens, in PKCS #8, whose ID says when it was made and is no
// other's.
func newKey() (id string, private []byte, err error) {
	k, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		return "", nil, err
	}
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", nil, err
	}
	private, err = x509.MarshalPKCS8PrivateKey(k)
	return time.Now().UTC().Format("20060102") + "-" + hex.EncodeToString(b[:]), private, err
}

// publish makes the document of the keys that there are.
func (s *Server) publish() error {
	s.machine.mu.Lock()
	defer s.machine.mu.Unlock()
	return s.publishLocked()
}

// publishLocked is publish for those who hold the machine's lock.
func (s *Server) publishLocked() error {
	signers := map[string]*token.Signer{}
	var list []*token.Signer
	for _, k := range s.machine.p.Keys() {
		signer := s.machine.signers[k.ID]
		if signer == nil {
			private, err := x509.ParsePKCS8PrivateKey(k.Private)
			if err != nil {
				return fmt.Errorf("partner: %v: %w", k, err)
			}
			signs, ok := private.(crypto.Signer)
			if !ok {
				return fmt.Errorf("partner: %v: a %T, want a key that signs", k, private)
			}
			if signer, err = token.NewSigner(k.ID, signs); err != nil {
				return fmt.Errorf("partner: %v: %w", k, err)
			}
		}
		signers[k.ID] = signer
		list = append(list, signer)
	}
	s.machine.signers, s.machine.keys = signers, nil
	if len(list) == 0 {
		return nil // before the first
	}
	document, err := token.Document(list...)
	s.machine.keys = document
	return err
}

// Token returns a token for a user, good from now on for Config.Lifetime. That it is the
// user who asks, the caller knows.
func (s *Server) Token(user string) (string, error) {
	now := time.Now()
	s.machine.mu.Lock()
	k, ok := s.machine.p.Signing(now)
	signer := s.machine.signers[k.ID]
	s.machine.mu.Unlock()
	if !ok || signer == nil {
		return "", fmt.Errorf("partner: no key signs now")
	}
	return signer.Sign(token.Claims{
		Issuer: s.cfg.Issuer, Audience: []string{s.cfg.Audience}, Subject: user, IssuedAt: now, Expires: now.Add(s.cfg.Lifetime),
	})
}
