package dma

import (
	"errors"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// ErrSignature: the signed prekey of key material is not signed by its identity key.
var ErrSignature = errors.New("dma: the identity key has not signed the signed prekey")

// checkSignature refuses key material in Signal's form whose signed prekey its identity
// has not signed, if the gatekeeper checks that.
func (g *Gatekeeper) checkSignature(form KeyForm, static []byte) error {
	if !g.cfg.CheckKeys || form != SignalKeys {
		return nil
	}
	s, err := signal.ParseStatic(static)
	if err != nil {
		return fmt.Errorf("dma: keys: %w", err)
	}
	if !signal.Verify(&s.IdentityKey, signal.Signed(&s.SignedPreKey), &s.Signature) {
		return ErrSignature
	}
	return nil
}
