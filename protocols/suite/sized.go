package suite

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"time"
)

// Sized is a modelled suite for large simulations: its outputs have the sizes of
// the real ones and behave as they do between honest parties, at a cost of
// nanoseconds. It has no security: whoever looks can compute every secret from
// what is public. Results made with it are labelled modelled.
//
// What holds:
//
//   - every output has the real length; that of an ECDSA signature varies as a
//     real one's does;
//   - what one side seals, signs, derives or agrees on, the other side opens,
//     verifies and agrees on, and no one does with another key, nonce, context or
//     message, short of looking for collisions;
//   - ciphertexts look random, so they compress as badly as real ones;
//   - bytes that are no key of a Sized suite are refused with [ErrKey]. A real
//     X25519 key may be any 32 bytes, so that a real suite notices a changed one
//     only later, by [ErrOpen].
//
// It counts its operations, and its cost model says how long they would have
// taken.
type Sized struct {
	*Counting
	model CostModel
}

// NewSized returns a sized suite that draws from seed and label as [NewSeeded]
// does and costs what model says.
func NewSized(id ID, seed [32]byte, label string, model CostModel) (*Sized, error) {
	if err := id.check(); err != nil {
		return nil, err
	}
	return &Sized{NewCounting(&shape{id, newStream(seed, label)}), model}, nil
}

// Spent returns the virtual time that the operations so far would have taken on
// one core of the device that the cost model describes.
func (s *Sized) Spent() time.Duration { return s.model.Time(s.Counts()) }

// shape is the Suite within a Sized.
//
// A public key is a number k = p·G mod 2^64, from which the rest of its bytes
// follow; p is the odd number that a private key condenses to. A shared secret is
// p·q·G, which both sides can compute, and so can anyone else by dividing.
type shape struct {
	id   ID
	rand io.Reader
}

const shapeG = mixA // odd, so that different p give different k

func (s *shape) ID() ID          { return s.id }
func (s *shape) Rand() io.Reader { return s.rand }

// condense takes in all parts for one purpose.
func condense(purpose Op, parts ...[]byte) mix {
	m := newMix(purpose)
	for _, p := range parts {
		m = m.bytes(p)
	}
	return m
}

func (s *shape) Hash(dst, data []byte) []byte {
	return condense(OpHash, data).fill(dst, s.id.Sizes().Hash)
}

func (s *shape) HMAC(dst, key, data []byte) []byte {
	return condense(OpHMAC, key, data).fill(dst, s.id.Sizes().Hash)
}

func (s *shape) Extract(salt, ikm []byte) []byte {
	return condense(OpExtract, salt, ikm).fill(nil, s.id.Sizes().Hash)
}

func (s *shape) Expand(prk, info []byte, n int) []byte {
	checkExpand(s.id, n)
	return condense(OpExpand, prk, info).fill(nil, n)
}

func (s *shape) AEAD(key []byte) (cipher.AEAD, error) {
	if want := s.id.Sizes().AEADKey; len(key) != want {
		return nil, fmt.Errorf("%w: AEAD key of %d bytes, want %d", ErrKey, len(key), want)
	}
	return &shapeAEAD{condense(OpAEADKey, key)}, nil
}

// shapeAEAD adds the pad to the plaintext and appends 128 bits that condense
// everything.
type shapeAEAD struct{ key mix }

const (
	shapeNonce = 12 // in all seven suites
	shapeTag   = 16
)

func (a *shapeAEAD) NonceSize() int { return shapeNonce }
func (a *shapeAEAD) Overhead() int  { return shapeTag }

// context returns what key and nonce determine. A nonce of another length is a
// broken duty of the caller, as in crypto/cipher.
func (a *shapeAEAD) context(nonce []byte) mix {
	if len(nonce) != shapeNonce {
		panic(fmt.Sprintf("suite: nonce of %d bytes, want %d", len(nonce), shapeNonce))
	}
	return a.key.bytes(nonce)
}

func (a *shapeAEAD) Seal(dst, nonce, plaintext, aad []byte) []byte {
	m := a.context(nonce)
	place, _ := m.finish()
	m = m.bytes(aad).bytes(plaintext) // before it may be overwritten
	start := len(dst)
	dst = append(dst, plaintext...)
	xorPad(dst[start:], place)
	return m.tag(dst)
}

// tag appends 128 bits of what m took in.
func (m mix) tag(dst []byte) []byte {
	x, y := m.finish()
	dst = binary.LittleEndian.AppendUint64(dst, x)
	return binary.LittleEndian.AppendUint64(dst, y)
}

// errShapeOpen is what the sized AEAD's Open returns.
var errShapeOpen = errors.New("suite: sized AEAD: authentication failed")

func (a *shapeAEAD) Open(dst, nonce, ciphertext, aad []byte) ([]byte, error) {
	m := a.context(nonce)
	if len(ciphertext) < shapeTag {
		return nil, errShapeOpen
	}
	body, tag := ciphertext[:len(ciphertext)-shapeTag], ciphertext[len(ciphertext)-shapeTag:]
	var got [shapeTag]byte
	copy(got[:], tag) // which may be overwritten
	place, _ := m.finish()
	start := len(dst)
	dst = append(dst, body...)
	xorPad(dst[start:], place)
	var want [shapeTag]byte
	if m.bytes(aad).bytes(dst[start:]).tag(want[:0]); got != want {
		clear(dst[start:])
		return nil, errShapeOpen
	}
	return dst, nil
}

// draw returns n bytes of randomness.
func (s *shape) draw(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.rand, b); err != nil {
		return nil, fmt.Errorf("suite: drawing %d random bytes: %w", n, err)
	}
	return b, nil
}

func (s *shape) GenerateKeyPair() (KeyPair, error) {
	private, err := s.draw(s.id.Sizes().KEMPrivate)
	if err != nil {
		return KeyPair{}, err
	}
	return KeyPair{private, s.public(secret(private) * shapeG)}, nil
}

func (s *shape) DeriveKeyPair(ikm []byte) (KeyPair, error) {
	private := PrivateKey(condense(OpKeyDerive, ikm).fill(nil, s.id.Sizes().KEMPrivate))
	return KeyPair{private, s.public(secret(private) * shapeG)}, nil
}

// secret returns the odd number p of a private key.
func secret(private PrivateKey) uint64 {
	p, _ := condense(OpKeyPublic, private).finish()
	return p | 1
}

// public returns the encoding of the number k of a public key: k, then bytes that
// follow from it.
func (s *shape) public(k uint64) []byte {
	b := make([]byte, 0, s.id.Sizes().KEMPublic)
	return s.appendPublic(b, k)
}

func (s *shape) appendPublic(b []byte, k uint64) []byte {
	b = binary.LittleEndian.AppendUint64(b, k)
	return appendWords(b, k, s.id.Sizes().KEMPublic-8)
}

// number returns the k of a public key, or an error if the bytes are not one.
func (s *shape) number(public []byte) (uint64, error) {
	if want := s.id.Sizes().KEMPublic; len(public) != want {
		return 0, fmt.Errorf("%w: public key of %d bytes, want %d", ErrKey, len(public), want)
	}
	k := binary.LittleEndian.Uint64(public)
	var buf [maxKEMPublic]byte
	if k&1 == 0 || !bytes.Equal(s.appendPublic(buf[:0], k), public) {
		return 0, errShapeKey
	}
	return k, nil
}

// maxKEMPublic is the longest public key for DH and HPKE, that of suite 5.
const maxKEMPublic = 133

var errShapeKey = fmt.Errorf("%w: not a public key of a sized suite", ErrKey)

func (s *shape) PublicKey(private PrivateKey) ([]byte, error) {
	if err := checkLength("private key", private, s.id.Sizes().KEMPrivate); err != nil {
		return nil, err
	}
	return s.public(secret(private) * shapeG), nil
}

func checkLength(what string, b []byte, want int) error {
	if len(b) != want {
		return fmt.Errorf("%w: %s of %d bytes, want %d", ErrKey, what, len(b), want)
	}
	return nil
}

func (s *shape) DH(private PrivateKey, public []byte) ([]byte, error) {
	shared, err := s.agree(private, public)
	if err != nil {
		return nil, err
	}
	return newMix(OpDH).step(shared, 0).fill(nil, s.id.Sizes().DH), nil
}

func (s *shape) agree(private PrivateKey, public []byte) (uint64, error) {
	if err := checkLength("private key", private, s.id.Sizes().KEMPrivate); err != nil {
		return 0, err
	}
	k, err := s.number(public)
	return secret(private) * k, err
}

// setupS makes an ephemeral key and what it and info determine.
func (s *shape) setupS(public, info []byte) (enc []byte, m mix, err error) {
	k, err := s.number(public)
	if err != nil {
		return nil, mix{}, err
	}
	var e [8]byte
	if _, err := io.ReadFull(s.rand, e[:]); err != nil {
		return nil, mix{}, fmt.Errorf("suite: drawing an ephemeral key: %w", err)
	}
	ephemeral := binary.LittleEndian.Uint64(e[:]) | 1
	return s.public(ephemeral * shapeG), setup(ephemeral*k, info), nil
}

func (s *shape) setupR(enc []byte, private PrivateKey, info []byte) (mix, error) {
	shared, err := s.agree(private, enc)
	return setup(shared, info), err
}

func setup(shared uint64, info []byte) mix {
	return newMix(OpHPKESeal).step(shared, 0).bytes(info)
}

func (s *shape) SealBase(public, info, aad, plaintext []byte) (enc, ciphertext []byte, err error) {
	enc, m, err := s.setupS(public, info)
	if err != nil {
		return nil, nil, err
	}
	a, dst := shapeAEAD{m}, make([]byte, 0, len(plaintext)+shapeTag)
	return enc, a.Seal(dst, make([]byte, shapeNonce), plaintext, aad), nil
}

func (s *shape) OpenBase(enc []byte, private PrivateKey, info, aad, ciphertext []byte) ([]byte, error) {
	m, err := s.setupR(enc, private, info)
	if err != nil {
		return nil, err
	}
	a := shapeAEAD{m}
	plaintext, err := a.Open(nil, make([]byte, shapeNonce), ciphertext, aad)
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

func (s *shape) SendExportBase(public, info, exporterContext []byte, n int) (enc, secret []byte, err error) {
	checkExpand(s.id, n)
	enc, m, err := s.setupS(public, info)
	if err != nil {
		return nil, nil, err
	}
	return enc, m.export(exporterContext, n), nil
}

func (s *shape) ReceiveExportBase(enc []byte, private PrivateKey, info, exporterContext []byte, n int) ([]byte, error) {
	checkExpand(s.id, n)
	m, err := s.setupR(enc, private, info)
	if err != nil {
		return nil, err
	}
	return m.export(exporterContext, n), nil
}

func (m mix) export(context []byte, n int) []byte {
	return m.step(uint64(OpHPKESend), 0).bytes(context).fill(nil, n)
}

func (s *shape) GenerateSigner() (KeyPair, error) {
	ikm, err := s.draw(s.id.Sizes().Hash)
	if err != nil {
		return KeyPair{}, err
	}
	return s.DeriveSigner(ikm)
}

// DeriveSigner follows the layout of the real private keys: for EdDSA the public
// key is part of it.
func (s *shape) DeriveSigner(ikm []byte) (KeyPair, error) {
	private := PrivateKey(condense(OpSignerDerive, ikm).fill(nil, s.signSeed()))
	public := s.signPublic(private)
	if s.signSeed() < s.id.Sizes().SignPrivate {
		private = append(private, public...)
	}
	return KeyPair{private, public}, nil
}

// signSeed returns the length of the part of a private signature key from which
// the public key follows.
func (s *shape) signSeed() int {
	size := s.id.Sizes()
	switch registry[s.id].sign {
	case ed25519Sign, ed448Sign:
		return size.SignPrivate - size.SignPublic
	}
	return size.SignPrivate
}

func (s *shape) signPublic(seed []byte) []byte {
	return condense(OpSignerPublic, seed).fill(nil, s.id.Sizes().SignPublic)
}

func (s *shape) SignerPublicKey(private PrivateKey) ([]byte, error) {
	seed := s.signSeed()
	if len(private) != seed {
		if err := checkLength("private signature key", private, s.id.Sizes().SignPrivate); err != nil {
			return nil, err
		}
	}
	return s.signPublic(private[:seed]), nil
}

func (s *shape) Sign(private PrivateKey, message []byte) ([]byte, error) {
	public, err := s.SignerPublicKey(private)
	if err != nil {
		return nil, err
	}
	return s.signature(nil, public, message), nil
}

func (s *shape) Verify(public, message, signature []byte) error {
	if err := checkLength("signature key", public, s.id.Sizes().SignPublic); err != nil {
		return err
	}
	var buf [maxSignature]byte
	if !bytes.Equal(s.signature(buf[:0], public, message), signature) {
		return ErrVerify
	}
	return nil
}

// maxSignature is the longest signature, that of suite 5.
const maxSignature = 139

// signature appends the one signature that a public key and a message determine.
func (s *shape) signature(dst, public, message []byte) []byte {
	m := condense(OpSign, public, message)
	x, y := m.finish()
	return m.fill(dst, s.signatureSize(x, y))
}

// signatureSize returns the length of a signature; x and y are uniform. For
// ECDSA it is that of the DER encoding of two integers whose upper bits are those
// of x and y (RFC 9420, Section 5.1.2; RFC 5480).
func (s *shape) signatureSize(x, y uint64) int {
	order := 0
	switch registry[s.id].sign {
	case p256Sign:
		order = 256
	case p384Sign:
		order = 384
	case p521Sign:
		order = 521
	default:
		return s.id.Sizes().Signature
	}
	content := derInteger(order-bits.LeadingZeros64(x)) + derInteger(order-bits.LeadingZeros64(y))
	if content < 128 {
		return 2 + content
	}
	return 3 + content
}

// derInteger returns the length of the DER encoding of a positive integer: tag,
// length, and its bits after a zero.
func derInteger(bits int) int { return 2 + bits/8 + 1 }
