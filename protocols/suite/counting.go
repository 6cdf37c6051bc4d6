package suite

import (
	"crypto/cipher"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
)

// Op is a kind of operation that is counted and costs time.
type Op uint8

// The operations. In parentheses what their bytes are.
const (
	OpRand           Op = iota // one read of Rand (read)
	OpHash                     // Hash (data)
	OpHMAC                     // HMAC (data)
	OpExtract                  // Extract (ikm)
	OpExpand                   // Expand (output)
	OpAEADKey                  // AEAD, which sets up a key (0)
	OpAEADSeal                 // Seal of an AEAD (plaintext and associated data)
	OpAEADOpen                 // Open of an AEAD (ciphertext and associated data)
	OpKeyGenerate              // GenerateKeyPair (0)
	OpKeyDerive                // DeriveKeyPair (0)
	OpKeyPublic                // PublicKey (0)
	OpDH                       // DH (0)
	OpHPKESeal                 // SealBase (plaintext and associated data)
	OpHPKEOpen                 // OpenBase (ciphertext and associated data)
	OpHPKESend                 // SendExportBase (output)
	OpHPKEReceive              // ReceiveExportBase (output)
	OpSignerGenerate           // GenerateSigner (0)
	OpSignerDerive             // DeriveSigner (0)
	OpSignerPublic             // SignerPublicKey (0)
	OpSign                     // Sign (message)
	OpVerify                   // Verify (message)
	OpHPKEOpenWith             // OpenBaseWith (ciphertext and associated data)
	OpVerifyBatch              // VerifyBatch of signatures that are verified together (0)
	OpVerifyBatched            // one signature in it (message)

	NumOps = iota // how many there are
)

var opNames = [NumOps]string{
	"rand", "hash", "hmac", "extract", "expand", "aead-key", "aead-seal", "aead-open",
	"key-generate", "key-derive", "key-public", "dh",
	"hpke-seal", "hpke-open", "hpke-send-export", "hpke-receive-export",
	"signer-generate", "signer-derive", "signer-public", "sign", "verify",
	"hpke-open-with", "verify-batch", "verify-batched",
}

// String returns the stable name by which results call the operation.
func (op Op) String() string {
	if op >= NumOps {
		return fmt.Sprintf("Op(%d)", uint8(op))
	}
	return opNames[op]
}

// Count is how often an operation was called and on how many bytes.
type Count struct {
	N     int64 // calls, failed ones included
	Bytes int64 // of the inputs or outputs that Op names
}

// Counts holds a Count per Op. Arrays compare, so two runs can be compared.
type Counts [NumOps]Count

// Add returns the sums of c and d.
func (c Counts) Add(d Counts) Counts {
	for op := range c {
		c[op].N += d[op].N
		c[op].Bytes += d[op].Bytes
	}
	return c
}

// Sub returns what was counted between d and c.
func (c Counts) Sub(d Counts) Counts {
	for op := range c {
		c[op].N -= d[op].N
		c[op].Bytes -= d[op].Bytes
	}
	return c
}

// String lists the operations that occurred: "dh 2, hash 3 (96 B)".
func (c Counts) String() string {
	var b strings.Builder
	for op, n := range c {
		if n == (Count{}) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%v %d", Op(op), n.N)
		if n.Bytes > 0 {
			fmt.Fprintf(&b, " (%d B)", n.Bytes)
		}
	}
	return b.String()
}

// Counting is a Suite that counts what is asked of the one it wraps. Only calls
// are counted, not what the wrapped suite does within: a SealBase is one
// [OpHPKESeal] and no [OpDH] or [OpRand].
type Counting struct {
	suite  Suite
	counts [NumOps]counter
}

// NewCounting returns a suite that counts the operations of s.
func NewCounting(s Suite) *Counting { return &Counting{suite: s} }

// Counts returns what was counted so far. Operations that run meanwhile may be
// missing.
func (c *Counting) Counts() Counts {
	var counts Counts
	for op := range counts {
		counts[op] = c.counts[op].load()
	}
	return counts
}

// counter is a Count for concurrent use. An addition costs a few nanoseconds, and
// a seal of 1 KiB hardly more than 300, so calls and bytes go into one word by one
// atomic addition, and move on before either can overflow its part.
type counter struct {
	recent   atomic.Uint64 // calls in the upper 24 bits, bytes in the lower 40
	n, bytes atomic.Int64  // moved from recent
}

const (
	recentBits = 40
	// recentCalls and recentBytes are half of what fits, so that calls under way
	// while one of them moves find room.
	recentCalls = 1 << (64 - recentBits - 1)
	recentBytes = 1 << (recentBits - 1)
)

func (c *counter) add(bytes int) {
	v := c.recent.Add(1<<recentBits | uint64(bytes))
	if v>>recentBits >= recentCalls || v&(1<<recentBits-1) >= recentBytes {
		c.move()
	}
}

func (c *counter) move() {
	v := c.recent.Swap(0)
	c.n.Add(int64(v >> recentBits))
	c.bytes.Add(int64(v & (1<<recentBits - 1)))
}

func (c *counter) load() Count {
	c.move()
	return Count{c.n.Load(), c.bytes.Load()}
}

// ID implements [Suite].
func (c *Counting) ID() ID { return c.suite.ID() }

// Rand implements [Suite].
func (c *Counting) Rand() io.Reader { return countingReader{c, c.suite.Rand()} }

type countingReader struct {
	c *Counting
	r io.Reader
}

func (r countingReader) Read(p []byte) (int, error) {
	r.c.counts[OpRand].add(len(p))
	return r.r.Read(p)
}

// Hash implements [Suite].
func (c *Counting) Hash(dst, data []byte) []byte {
	c.counts[OpHash].add(len(data))
	return c.suite.Hash(dst, data)
}

// HMAC implements [Suite].
func (c *Counting) HMAC(dst, key, data []byte) []byte {
	c.counts[OpHMAC].add(len(data))
	return c.suite.HMAC(dst, key, data)
}

// Extract implements [Suite].
func (c *Counting) Extract(salt, ikm []byte) []byte {
	c.counts[OpExtract].add(len(ikm))
	return c.suite.Extract(salt, ikm)
}

// Expand implements [Suite].
func (c *Counting) Expand(prk, info []byte, n int) []byte {
	c.counts[OpExpand].add(n)
	return c.suite.Expand(prk, info, n)
}

// AEAD implements [Suite].
func (c *Counting) AEAD(key []byte) (cipher.AEAD, error) {
	c.counts[OpAEADKey].add(0)
	aead, err := c.suite.AEAD(key)
	if err != nil {
		return nil, err
	}
	return &countingAEAD{aead, c}, nil
}

type countingAEAD struct {
	cipher.AEAD
	c *Counting
}

func (a *countingAEAD) Seal(dst, nonce, plaintext, aad []byte) []byte {
	a.c.counts[OpAEADSeal].add(len(plaintext) + len(aad))
	return a.AEAD.Seal(dst, nonce, plaintext, aad)
}

func (a *countingAEAD) Open(dst, nonce, ciphertext, aad []byte) ([]byte, error) {
	a.c.counts[OpAEADOpen].add(len(ciphertext) + len(aad))
	return a.AEAD.Open(dst, nonce, ciphertext, aad)
}

// GenerateKeyPair implements [Suite].
func (c *Counting) GenerateKeyPair() (KeyPair, error) {
	c.counts[OpKeyGenerate].add(0)
	return c.suite.GenerateKeyPair()
}

// DeriveKeyPair implements [Suite].
func (c *Counting) DeriveKeyPair(ikm []byte) (KeyPair, error) {
	c.counts[OpKeyDerive].add(0)
	return c.suite.DeriveKeyPair(ikm)
}

// PublicKey implements [Suite].
func (c *Counting) PublicKey(private PrivateKey) ([]byte, error) {
	c.counts[OpKeyPublic].add(0)
	return c.suite.PublicKey(private)
}

// DH implements [Suite].
func (c *Counting) DH(private PrivateKey, public []byte) ([]byte, error) {
	c.counts[OpDH].add(0)
	return c.suite.DH(private, public)
}

// SealBase implements [Suite].
func (c *Counting) SealBase(public, info, aad, plaintext []byte) (enc, ciphertext []byte, err error) {
	c.counts[OpHPKESeal].add(len(plaintext) + len(aad))
	return c.suite.SealBase(public, info, aad, plaintext)
}

// OpenBase implements [Suite].
func (c *Counting) OpenBase(enc []byte, private PrivateKey, info, aad, ciphertext []byte) ([]byte, error) {
	c.counts[OpHPKEOpen].add(len(ciphertext) + len(aad))
	return c.suite.OpenBase(enc, private, info, aad, ciphertext)
}

// OpenBaseWith implements [PairOpener].
func (c *Counting) OpenBaseWith(enc []byte, pair KeyPair, info, aad, ciphertext []byte) ([]byte, error) {
	c.counts[OpHPKEOpenWith].add(len(ciphertext) + len(aad))
	return OpenBaseWith(c.suite, enc, pair, info, aad, ciphertext)
}

// SealMany implements [ManySealer]. Each job counts as a SealBase.
func (c *Counting) SealMany(jobs []SealJob) error {
	for i := range jobs {
		c.counts[OpHPKESeal].add(len(jobs[i].Plaintext) + len(jobs[i].AAD))
	}
	return SealMany(c.suite, jobs)
}

// SendExportBase implements [Suite].
func (c *Counting) SendExportBase(public, info, exporterContext []byte, n int) (enc, secret []byte, err error) {
	c.counts[OpHPKESend].add(n)
	return c.suite.SendExportBase(public, info, exporterContext, n)
}

// ReceiveExportBase implements [Suite].
func (c *Counting) ReceiveExportBase(enc []byte, private PrivateKey, info, exporterContext []byte, n int) ([]byte, error) {
	c.counts[OpHPKEReceive].add(n)
	return c.suite.ReceiveExportBase(enc, private, info, exporterContext, n)
}

// GenerateSigner implements [Suite].
func (c *Counting) GenerateSigner() (KeyPair, error) {
	c.counts[OpSignerGenerate].add(0)
	return c.suite.GenerateSigner()
}

// DeriveSigner implements [Suite].
func (c *Counting) DeriveSigner(ikm []byte) (KeyPair, error) {
	c.counts[OpSignerDerive].add(0)
	return c.suite.DeriveSigner(ikm)
}

// SignerPublicKey implements [Suite].
func (c *Counting) SignerPublicKey(private PrivateKey) ([]byte, error) {
	c.counts[OpSignerPublic].add(0)
	return c.suite.SignerPublicKey(private)
}

// Sign implements [Suite].
func (c *Counting) Sign(private PrivateKey, message []byte) ([]byte, error) {
	c.counts[OpSign].add(len(message))
	return c.suite.Sign(private, message)
}

// Verify implements [Suite].
func (c *Counting) Verify(public, message, signature []byte) error {
	c.counts[OpVerify].add(len(message))
	return c.suite.Verify(public, message, signature)
}

// VerifyBatch implements [BatchVerifier]. Signatures that are too few to be
// verified together, or of a suite that cannot, count as so many of Verify.
func (c *Counting) VerifyBatch(batch []Signature) (bad int, err error) {
	op := OpVerify
	if together(c.ID(), len(batch)) {
		op = OpVerifyBatched
		c.counts[OpVerifyBatch].add(0)
	}
	for i := range batch {
		c.counts[op].add(len(batch[i].Message))
	}
	return VerifyBatch(c.suite, batch)
}
