package suite

import "fmt"

// ID is the number of an MLS cipher suite.
type ID uint16

// The cipher suites of RFC 9420, Section 17.1.
// https://www.iana.org/assignments/mls/mls.xhtml#mls-ciphersuites
const (
	X25519AES128GCMSHA256Ed25519        ID = 1
	P256AES128GCMSHA256P256             ID = 2
	X25519ChaCha20Poly1305SHA256Ed25519 ID = 3
	X448AES256GCMSHA512Ed448            ID = 4
	P521AES256GCMSHA512P521             ID = 5
	X448ChaCha20Poly1305SHA512Ed448     ID = 6
	P384AES256GCMSHA384P384             ID = 7
)

// Sizes are the lengths of a suite's keys and outputs in bytes, in parentheses
// as RFC 9180 names them.
type Sizes struct {
	Hash        int // hash, HMAC, HKDF-Extract (Nh)
	AEADKey     int // (Nk)
	AEADNonce   int // (Nn)
	AEADTag     int // (Nt)
	DH          int // result of DH (Ndh)
	KEMPublic   int // public key for DH and HPKE, and enc (Npk, Nenc)
	KEMPrivate  int // private key for DH and HPKE (Nsk)
	SignPublic  int // public key for signatures
	SignPrivate int // private key for signatures
	Signature   int // signature; for ECDSA, whose encoding varies, the longest
}

// kemAlg, aeadAlg, hashAlg and signAlg are the algorithms that suites combine.
// The values of the first three are those of the HPKE registries:
// https://www.iana.org/assignments/hpke/hpke.xhtml
type (
	kemAlg  uint16
	aeadAlg uint16
	hashAlg uint16 // of HKDF, and of the hash that it is built on
	signAlg uint8
)

const (
	kemP256   kemAlg = 0x0010
	kemP384   kemAlg = 0x0011
	kemP521   kemAlg = 0x0012
	kemX25519 kemAlg = 0x0020
	kemX448   kemAlg = 0x0021

	sha256Alg hashAlg = 0x0001
	sha384Alg hashAlg = 0x0002
	sha512Alg hashAlg = 0x0003

	aes128gcmAlg        aeadAlg = 0x0001
	aes256gcmAlg        aeadAlg = 0x0002
	chacha20poly1305Alg aeadAlg = 0x0003
)

const (
	ed25519Sign signAlg = iota
	ed448Sign
	p256Sign
	p384Sign
	p521Sign
)

// registry holds a row per cipher suite, by its number. In these seven the hash
// of the KEM's own HKDF (RFC 9180, Table 2) is that of the suite.
var registry = [...]struct {
	name string
	kem  kemAlg
	aead aeadAlg
	hash hashAlg
	sign signAlg
	Sizes
}{
	1: {"MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519", kemX25519, aes128gcmAlg, sha256Alg, ed25519Sign,
		Sizes{32, 16, 12, 16, 32, 32, 32, 32, 64, 64}},
	2: {"MLS_128_DHKEMP256_AES128GCM_SHA256_P256", kemP256, aes128gcmAlg, sha256Alg, p256Sign,
		Sizes{32, 16, 12, 16, 32, 65, 32, 65, 32, 72}},
	3: {"MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519", kemX25519, chacha20poly1305Alg, sha256Alg, ed25519Sign,
		Sizes{32, 32, 12, 16, 32, 32, 32, 32, 64, 64}},
	4: {"MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448", kemX448, aes256gcmAlg, sha512Alg, ed448Sign,
		Sizes{64, 32, 12, 16, 56, 56, 56, 57, 114, 114}},
	5: {"MLS_256_DHKEMP521_AES256GCM_SHA512_P521", kemP521, aes256gcmAlg, sha512Alg, p521Sign,
		Sizes{64, 32, 12, 16, 66, 133, 66, 133, 66, 139}},
	6: {"MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448", kemX448, chacha20poly1305Alg, sha512Alg, ed448Sign,
		Sizes{64, 32, 12, 16, 56, 56, 56, 57, 114, 114}},
	7: {"MLS_256_DHKEMP384_AES256GCM_SHA384_P384", kemP384, aes256gcmAlg, sha384Alg, p384Sign,
		Sizes{48, 32, 12, 16, 48, 97, 48, 97, 48, 104}},
}

// IDs returns the numbers of all suites, in order.
func IDs() []ID {
	ids := make([]ID, 0, len(registry)-1)
	for i := 1; i < len(registry); i++ {
		ids = append(ids, ID(i))
	}
	return ids
}

// Known reports whether the suite is one that this package implements.
func (id ID) Known() bool { return id > 0 && int(id) < len(registry) }

// Sizes returns the suite's sizes; all are zero if it is not known.
func (id ID) Sizes() Sizes {
	if !id.Known() {
		return Sizes{}
	}
	return registry[id].Sizes
}

// HPKE are the algorithms of a suite's HPKE, by their numbers in its registries:
// https://www.iana.org/assignments/hpke/hpke.xhtml
type HPKE struct {
	KEM, KDF, AEAD uint16
}

// HPKE returns the suite's algorithms; all are zero if it is not known.
func (id ID) HPKE() HPKE {
	if !id.Known() {
		return HPKE{}
	}
	r := &registry[id]
	return HPKE{uint16(r.kem), uint16(r.hash), uint16(r.aead)}
}

// String returns the algorithms as hexadecimal numbers.
func (h HPKE) String() string {
	return fmt.Sprintf("KEM 0x%04x, KDF 0x%04x, AEAD 0x%04x", h.KEM, h.KDF, h.AEAD)
}

// String returns the suite's name in RFC 9420.
func (id ID) String() string {
	if !id.Known() {
		return fmt.Sprintf("cipher suite 0x%04x", uint16(id))
	}
	return registry[id].name
}

// check returns an error that wraps ErrUnknown unless the suite is known.
func (id ID) check() error {
	if !id.Known() {
		return fmt.Errorf("%w: 0x%04x, have 1 to %d", ErrUnknown, uint16(id), len(registry)-1)
	}
	return nil
}
