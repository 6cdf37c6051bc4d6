package dma

import (
	"errors"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// KeyForm is how an adapter's key material is written in stanzas.
type KeyForm uint8

const (
	// SignalKeys are written field by field, as the Reference Offer has them. The
	// reusable part is a [signal.Static].
	SignalKeys KeyForm = iota
	// OpaqueKeys are written as bytes, for protocols that the Reference Offer does
	// not describe. Assumed.
	OpaqueKeys
)

// stanzaKeys renders key material. A Static that is none in form SignalKeys is the
// caller's mistake.
func stanzaKeys(form KeyForm, static []byte, oneTime []protocols.OneTimeKey) stanza.Keys {
	var k stanza.Keys
	if form == OpaqueKeys {
		k.Static = static
	} else {
		s, err := signal.ParseStatic(static)
		if err != nil {
			panic("dma: key form signal with other key material: " + err.Error())
		}
		k.Registration = s.RegistrationID
		k.Identity = s.IdentityKey[:]
		k.Signed = &stanza.SignedKey{ID: s.SignedPreKeyID, Value: s.SignedPreKey[:], Signature: s.Signature[:]}
	}
	if len(oneTime) > 0 {
		k.OneTime = make([]stanza.OneTimeKey, len(oneTime))
		for i, o := range oneTime {
			k.OneTime[i] = stanza.OneTimeKey(o)
		}
	}
	return k
}

// parseKeys is the inverse of stanzaKeys; it says in which form the keys came. The
// result does not alias the frame that k was read from.
func parseKeys(k *stanza.Keys) (form KeyForm, static []byte, oneTime []protocols.OneTimeKey, err error) {
	if len(k.Static) > 0 {
		form, static = OpaqueKeys, append(static, k.Static...)
	} else {
		if len(k.Identity) != 32 || k.Signed == nil || len(k.Signed.Value) != 32 || len(k.Signed.Signature) != signal.SignatureSize {
			return 0, nil, nil, fmt.Errorf("dma: keys: %w: identity or signed prekey has the wrong size", protocols.ErrMalformed)
		}
		s := signal.Static{
			RegistrationID: k.Registration,
			IdentityKey:    [32]byte(k.Identity),
			SignedPreKeyID: k.Signed.ID,
			SignedPreKey:   [32]byte(k.Signed.Value),
			Signature:      [signal.SignatureSize]byte(k.Signed.Signature),
		}
		static = s.Append(make([]byte, 0, signal.StaticSize))
		if _, err := signal.ParseStatic(static); err != nil {
			return 0, nil, nil, fmt.Errorf("dma: keys: %w", err)
		}
	}
	size := 0
	for _, o := range k.OneTime {
		size += len(o.Value)
	}
	values := make([]byte, 0, size)
	ids := make(map[uint32]bool, len(k.OneTime))
	for _, o := range k.OneTime {
		if o.ID == 0 {
			return 0, nil, nil, fmt.Errorf("dma: keys: %w: one-time key with id 0", protocols.ErrMalformed)
		}
		if ids[o.ID] {
			return 0, nil, nil, fmt.Errorf("dma: keys: %w: one-time key %d twice", protocols.ErrMalformed, o.ID)
		}
		ids[o.ID] = true
		from := len(values)
		values = append(values, o.Value...)
		oneTime = append(oneTime, protocols.OneTimeKey{ID: o.ID, Value: values[from:len(values):len(values)]})
	}
	return form, static, oneTime, nil
}

// parseBundle reads the keys for one session.
func parseBundle(k *stanza.Keys) (protocols.Bundle, error) {
	if k == nil {
		return protocols.Bundle{}, fmt.Errorf("dma: keys: %w", errors.Join(protocols.ErrMalformed, errors.New("none")))
	}
	_, static, oneTime, err := parseKeys(k)
	if err != nil {
		return protocols.Bundle{}, err
	}
	b := protocols.Bundle{Static: static}
	if len(oneTime) > 0 {
		b.OneTime = &oneTime[0]
	}
	return b, nil
}

// sameIdentity reports whether two reusable parts belong to one identity, as far
// as their form lets a server tell.
func sameIdentity(aForm KeyForm, a []byte, bForm KeyForm, b []byte) bool {
	if aForm != bForm {
		return false
	}
	if aForm != SignalKeys {
		return true
	}
	x, errX := signal.ParseStatic(a)
	y, errY := signal.ParseStatic(b)
	return errX == nil && errY == nil && x.IdentityKey == y.IdentityKey
}
