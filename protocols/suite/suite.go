// Package suite is the crypto seam of mimi-lab: every key, signature, AEAD,
// KEM, KDF and random byte of the protocol packages goes through a [Suite], so
// that one body of protocol code can run for real, replay byte for byte, be
// counted, or be modelled by size alone.
//
// A suite is one of the MLS cipher suites 1 to 7 (RFC 9420, Section 17.1,
// https://www.rfc-editor.org/rfc/rfc9420) bound to one source of randomness.
// Signal needs nothing beyond suite 1: X25519, HMAC and HKDF with SHA-256. The
// providers are
//
//   - [NewStd]: Go's standard library, curve25519-voi and circl; the real one;
//   - [NewSeeded]: the same algorithms, randomness derived from a seed;
//   - [NewCounting]: wraps another and counts its operations;
//   - [NewSized]: outputs of the true sizes at almost no cost and without any
//     security, for large simulations. Results made with it are modelled and must
//     say so.
//
// A [CostModel] turns counted operations into virtual time. Beside the methods of a
// Suite there are functions for what is done many times at once or with more
// knowledge ([VerifyBatch], [SealMany], [OpenBaseWith]), which cost less with some
// suites and work with all.
//
// The package holds no protocol: labels and signed structures belong to the
// packages that speak MLS or Signal. It does not hold keys either; they are bytes
// that the caller stores and overwrites.
package suite

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
)

// What the errors of a Suite wrap.
var (
	// ErrUnknown: no such cipher suite.
	ErrUnknown = errors.New("suite: unknown cipher suite")
	// ErrKey: the bytes are no key, or no encapsulated key, of this suite.
	ErrKey = errors.New("suite: invalid key")
	// ErrOpen: a ciphertext does not open under the given key and context.
	ErrOpen = errors.New("suite: ciphertext does not open")
	// ErrVerify: a signature does not verify.
	ErrVerify = errors.New("suite: signature does not verify")
)

// Suite is one set of algorithms bound to one source of randomness.
//
// Its methods may be called concurrently. Slices passed in are neither kept nor
// changed; slices handed out belong to the caller. Keys, enc values, ciphertexts
// and signatures may come from the network: what is wrong with them is an error.
// Lengths that only the caller chooses are its duty: to break one panics.
type Suite interface {
	// ID says which cipher suite this is; its sizes are those of [ID.Sizes].
	ID() ID
	// Rand is the source of every random byte a protocol draws. A read fills the
	// whole slice or fails.
	Rand() io.Reader

	// Hash appends the hash of data to dst.
	Hash(dst, data []byte) []byte
	// HMAC appends the HMAC of data under key to dst (RFC 2104).
	HMAC(dst, key, data []byte) []byte
	// Extract is HKDF-Extract, with a salt that may be empty (RFC 5869, Section 2.2).
	Extract(salt, ikm []byte) []byte
	// Expand is HKDF-Expand to n bytes, 0 <= n <= 255 * Sizes.Hash (RFC 5869,
	// Section 2.3). prk has at least Sizes.Hash bytes.
	Expand(prk, info []byte, n int) []byte

	// AEAD returns the suite's AEAD under key, for as many messages as the caller
	// has nonces. Nonces and tags have the sizes of Sizes.
	AEAD(key []byte) (cipher.AEAD, error)

	// GenerateKeyPair makes a fresh pair for DH and HPKE.
	GenerateKeyPair() (KeyPair, error)
	// DeriveKeyPair makes the pair that ikm determines (RFC 9180, Section 7.1.3).
	// ikm has at least Sizes.KEMPrivate bytes of entropy, or Sizes.Hash as in RFC
	// 9420, Section 7.4.
	DeriveKeyPair(ikm []byte) (KeyPair, error)
	// PublicKey returns the public key of a private key for DH and HPKE.
	PublicKey(private PrivateKey) ([]byte, error)
	// DH returns the shared secret of a private and a public key: X25519 and X448
	// as in RFC 7748, Section 6, all-zero results refused; else the x-coordinate.
	DH(private PrivateKey, public []byte) ([]byte, error)

	// SealBase encrypts plaintext to a public key in HPKE's base mode (RFC 9180,
	// Section 6.1).
	SealBase(public, info, aad, plaintext []byte) (enc, ciphertext []byte, err error)
	// OpenBase is the other end of SealBase.
	OpenBase(enc []byte, private PrivateKey, info, aad, ciphertext []byte) ([]byte, error)
	// SendExportBase makes a secret of n bytes, 0 <= n <= 255 * Sizes.Hash, that
	// only the holder of the private key can make from enc (RFC 9180, Section 6.2).
	SendExportBase(public, info, exporterContext []byte, n int) (enc, secret []byte, err error)
	// ReceiveExportBase is the other end of SendExportBase.
	ReceiveExportBase(enc []byte, private PrivateKey, info, exporterContext []byte, n int) ([]byte, error)

	// GenerateSigner makes a fresh pair for signatures.
	GenerateSigner() (KeyPair, error)
	// DeriveSigner makes the pair that ikm determines, by a derivation of this
	// project. ikm has at least Sizes.Hash bytes of entropy.
	DeriveSigner(ikm []byte) (KeyPair, error)
	// SignerPublicKey returns the public key of a private key for signatures.
	SignerPublicKey(private PrivateKey) ([]byte, error)
	// Sign signs message: EdDSA, or ECDSA over the suite's hash of it in the
	// encoding of RFC 9420, Section 5.1.2.
	Sign(private PrivateKey, message []byte) ([]byte, error)
	// Verify returns nil if signature is one of message under public, an error
	// that wraps [ErrKey] if public is no key, and else one that wraps [ErrVerify].
	Verify(public, message, signature []byte) error
}

// KeyPair is a private key with its public key.
type KeyPair struct {
	Private PrivateKey
	Public  []byte // as it goes over the wire: RFC 9180, Section 7.1.1 or RFC 9420, Section 5.1.2
}

// PrivateKey is the encoding of a private key. It never prints itself.
//
// For DH and HPKE it is that of RFC 9180, Section 7.1.2; for ECDSA the scalar,
// big-endian. For Ed25519 and Ed448 it is the seed of RFC 8032 followed by the
// public key, so that signing need not derive that again; the seed alone is
// accepted too.
type PrivateKey []byte

// String hides the key.
func (PrivateKey) String() string { return "suite.PrivateKey(hidden)" }

// GoString hides the key.
func (k PrivateKey) GoString() string { return k.String() }

// Format hides the key from every verb of package fmt, %x among them.
func (k PrivateKey) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }
