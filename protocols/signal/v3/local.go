//go:build !nogpl

package v3

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/identity"
	"golang.org/x/crypto/cryptobyte"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// Registration ids are drawn from 128 to 16380: at most what Signal's clients
// use, and always two bytes as a varint, so that no message's size is chance.
const (
	minRegistrationID = 128
	maxRegistrationID = 16380
)

// local is the client's own identity. It never changes.
type local struct {
	registrationID uint32
	identity       *ecc.ECKeyPair
}

func (l *local) pair() *identity.KeyPair { return identityPair(l.identity) }

// preKeys says which prekeys the client has made.
type preKeys struct {
	next     uint32 // id of the next one-time prekey
	signed   uint32 // id of the current signed prekey
	previous uint32 // id of the one before, which is still honoured; 0 if none
}

// The local record:
//
//	struct {
//	    uint8 version;
//	    uint32 registration_id; opaque identity_private_key[32];
//	    uint32 next_one_time_id, signed_id, previous_signed_id;
//	    opaque address[..];
//	}
func encodeLocal(l *local, p preKeys, address protocols.Address) []byte {
	key := private(l.identity)
	b := []byte{recordVersion}
	b = binary.BigEndian.AppendUint32(b, l.registrationID)
	b = append(b, key[:]...)
	b = binary.BigEndian.AppendUint32(b, p.next)
	b = binary.BigEndian.AppendUint32(b, p.signed)
	b = binary.BigEndian.AppendUint32(b, p.previous)
	return append(b, address...)
}

func decodeLocal(b []byte, address protocols.Address) (*local, preKeys, error) {
	s := cryptobyte.String(b)
	var l local
	var p preKeys
	var key []byte
	switch {
	case !readVersion(&s) || !s.ReadUint32(&l.registrationID) || !s.ReadBytes(&key, 32) ||
		!s.ReadUint32(&p.next) || !s.ReadUint32(&p.signed) || !s.ReadUint32(&p.previous):
		return nil, p, fmt.Errorf("%w: local", errRecord)
	case string(s) != string(address):
		return nil, p, fmt.Errorf("%w: local is of another address", errRecord)
	case l.registrationID < minRegistrationID || l.registrationID > maxRegistrationID:
		return nil, p, fmt.Errorf("%w: local has a registration id out of range", errRecord)
	case !validID(p.next) || !validID(p.signed) || p.previous != 0 && !validID(p.previous) || p.previous == p.signed:
		return nil, p, fmt.Errorf("%w: local has an impossible prekey id", errRecord)
	}
	l.identity = ecc.CreateKeyPair(key)
	return &l, p, nil
}

func validID(id uint32) bool { return 1 <= id && id <= signal.MaxPreKeyID }

// nextID follows id among the ids of prekeys: 1 to [signal.MaxPreKeyID], round.
func nextID(id uint32) uint32 { return id%signal.MaxPreKeyID + 1 }

const (
	localKey      = "local"
	signedPrefix  = "signed/"
	oneTimePrefix = "one-time/"
)

func signedKey(id uint32) string  { return fmt.Sprintf(signedPrefix+"%06x", id) }
func oneTimeKey(id uint32) string { return fmt.Sprintf(oneTimePrefix+"%06x", id) }

// signedPreKey is a signed prekey with its signature.
//
//	struct { uint8 version; opaque private[32], public[32], signature[64]; }
type signedPreKey struct {
	pair      *ecc.ECKeyPair
	signature [signal.SignatureSize]byte
}

func newSignedPreKey(r *random, signer *ecc.ECKeyPair) (*signedPreKey, error) {
	pair, err := r.keyPair()
	if err != nil {
		return nil, err
	}
	signature, err := r.sign(signer, pair.PublicKey().Serialize())
	if err != nil {
		return nil, err
	}
	return &signedPreKey{pair, signature}, nil
}

func (k *signedPreKey) encode() []byte {
	priv, pub := private(k.pair), public(k.pair)
	return bytes.Join([][]byte{{recordVersion}, priv[:], pub[:], k.signature[:]}, nil)
}

func decodeSigned(b []byte) (*signedPreKey, error) {
	if len(b) != 1+32+32+signal.SignatureSize || b[0] != recordVersion {
		return nil, fmt.Errorf("%w: signed prekey", errRecord)
	}
	pair := ecc.NewECKeyPair(
		ecc.NewDjbECPublicKey([32]byte(b[33:])),
		ecc.NewDjbECPrivateKey([32]byte(b[1:])),
	)
	return &signedPreKey{pair, [signal.SignatureSize]byte(b[65:])}, nil
}

// decodeOneTime reads a one-time prekey: a version byte and the private key. The
// pair's public key is nil, since nothing needs it after it was published.
func decodeOneTime(b []byte) (*ecc.ECKeyPair, error) {
	if len(b) != 1+32 || b[0] != recordVersion {
		return nil, fmt.Errorf("%w: one-time prekey", errRecord)
	}
	return ecc.NewECKeyPair(nil, ecc.NewDjbECPrivateKey([32]byte(b[1:]))), nil
}

// parseID reads the id at the end of a prekey record's key.
func parseID(key, prefix string) (id uint32, ok bool) {
	hex, ok := strings.CutPrefix(key, prefix)
	if !ok || len(hex) != 6 {
		return 0, false
	}
	for _, c := range []byte(hex) {
		switch {
		case '0' <= c && c <= '9':
			id = id<<4 | uint32(c-'0')
		case 'a' <= c && c <= 'f':
			id = id<<4 | uint32(c-'a'+10)
		default:
			return 0, false
		}
	}
	return id, validID(id)
}
