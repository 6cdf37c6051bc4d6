package channel

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"net/url"
	"sync"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// Authenticator says whether a peer is the client that it says it is.
type Authenticator interface {
	// Authenticate returns nil if it is. token is nil if there was none. The error is not
	// told to the peer, who learns no more than that it is not authorized.
	Authenticate(ctx context.Context, claimed ident.URI, token []byte, peer Peer) error
}

// Peer is what a connection says of who is at its end. It is the zero Peer for a
// connection that is neither over TLS nor over Noise.
type Peer struct {
	TLS    *tls.ConnectionState // nil if the connection is none of TLS
	Static []byte               // the 32 bytes of the static key shown over Noise, else nil
}

var (
	errToken       = errors.New("channel: wrong token, or a client that has none")
	errStatic      = errors.New("channel: not the client's static key, or a client that has none")
	errCertificate = errors.New("channel: no verified certificate with the client's URI as a subject alternative name")
)

// Tokens lets in clients with a bearer token. It keeps hashes of tokens, which must be
// long and random. The zero value has none.
type Tokens struct {
	mu     sync.RWMutex // guards hashes
	hashes map[ident.URI][sha256.Size]byte
}

// Set gives a client its token, in place of the one before. An empty token takes it away.
func (t *Tokens) Set(client ident.URI, token []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(token) == 0 {
		delete(t.hashes, client)
		return
	}
	if t.hashes == nil {
		t.hashes = make(map[ident.URI][sha256.Size]byte)
	}
	t.hashes[client] = sha256.Sum256(token)
}

// Authenticate implements [Authenticator].
func (t *Tokens) Authenticate(_ context.Context, claimed ident.URI, token []byte, _ Peer) error {
	t.mu.RLock()
	want, known := t.hashes[claimed]
	t.mu.RUnlock()
	got := sha256.Sum256(token)
	if same := subtle.ConstantTimeCompare(got[:], want[:]) == 1; !known || !same || len(token) == 0 {
		return errToken
	}
	return nil
}

// Certificates lets in clients with a certificate that TLS has verified (a tls.Config
// with ClientAuth and ClientCAs) and that has the client's MIMI URI as a subject
// alternative name (RFC 5280, Section 4.2.1.6, uniformResourceIdentifier).
type Certificates struct{}

// Authenticate implements [Authenticator].
func (Certificates) Authenticate(_ context.Context, claimed ident.URI, _ []byte, peer Peer) error {
	if peer.TLS == nil || len(peer.TLS.VerifiedChains) == 0 {
		return errCertificate
	}
	for _, u := range peer.TLS.PeerCertificates[0].URIs {
		if sameURI(u, claimed) {
			return nil
		}
	}
	return errCertificate
}

func sameURI(u *url.URL, want ident.URI) bool {
	got, err := ident.ParseURI(u.String())
	return err == nil && got == want
}

// StaticKeys lets in clients over Noise by their static key, which is public. The zero
// value has none.
type StaticKeys struct {
	mu   sync.RWMutex // guards keys
	keys map[ident.URI]string
}

// Set gives a client its key of 32 bytes, in place of the one before. An empty key takes
// it away.
func (k *StaticKeys) Set(client ident.URI, key []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(key) == 0 {
		delete(k.keys, client)
		return
	}
	if k.keys == nil {
		k.keys = make(map[ident.URI]string)
	}
	k.keys[client] = string(key)
}

// Authenticate implements [Authenticator].
func (k *StaticKeys) Authenticate(_ context.Context, claimed ident.URI, _ []byte, peer Peer) error {
	k.mu.RLock()
	want, known := k.keys[claimed]
	k.mu.RUnlock()
	if !known || string(peer.Static) != want {
		return errStatic
	}
	return nil
}

// AnyOf lets in whom one of several lets in.
type AnyOf []Authenticator

// Authenticate implements [Authenticator].
func (list AnyOf) Authenticate(ctx context.Context, claimed ident.URI, token []byte, peer Peer) error {
	err := errors.New("channel: nobody is let in")
	for _, a := range list {
		if err = a.Authenticate(ctx, claimed, token, peer); err == nil {
			return nil
		}
	}
	return err
}
