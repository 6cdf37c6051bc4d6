//go:build !nogpl

package v3

import (
	"fmt"
	"io"
	"sync"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/identity"

	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// random is the client's source of random bytes.
type random struct {
	mu     sync.Mutex
	reader io.Reader // guarded by mu
}

func (r *random) read(b []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := io.ReadFull(r.reader, b); err != nil {
		return fmt.Errorf("random source: %w", err)
	}
	return nil
}

// sign makes an XEdDSA signature.
func (r *random) sign(k *ecc.ECKeyPair, message []byte) ([signal.SignatureSize]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	priv := private(k)
	return signal.Sign(r.reader, &priv, message)
}

// keyPair draws an X25519 key pair.
func (r *random) keyPair() (*ecc.ECKeyPair, error) {
	var seed [32]byte
	if err := r.read(seed[:]); err != nil {
		return nil, err
	}
	return ecc.CreateKeyPair(seed[:]), nil
}

func private(k *ecc.ECKeyPair) [32]byte { return k.PrivateKey().Serialize() }

func public(k *ecc.ECKeyPair) [32]byte { return k.PublicKey().PublicKey() }

func identityKey(key [32]byte) *identity.Key {
	return identity.NewKey(ecc.NewDjbECPublicKey(key))
}

func identityPair(k *ecc.ECKeyPair) *identity.KeyPair {
	return identity.NewKeyPair(identity.NewKey(k.PublicKey()), k.PrivateKey())
}
