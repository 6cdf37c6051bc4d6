package content

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// MaxAttachment is the longest attachment that is encrypted or decrypted, in bytes
// of plaintext: it is done in one piece. It is a choice of this implementation.
const MaxAttachment = 256 << 20

// EncAlg is the number of an AEAD algorithm, or 0 for none.
// https://www.iana.org/assignments/aead-parameters/aead-parameters.xhtml
type EncAlg uint16

const (
	EncNone      EncAlg = 0
	EncAES128GCM EncAlg = 1 // which all implementations have (External content)
)

// String returns the name in the registry.
func (a EncAlg) String() string {
	switch a {
	case EncNone:
		return "none"
	case EncAES128GCM:
		return "AEAD_AES_128_GCM"
	}
	return "EncAlg(" + strconv.Itoa(int(a)) + ")"
}

// SecretKey is the key of an attachment. It never prints itself.
type SecretKey []byte

// Format hides the key from every verb of package fmt.
func (SecretKey) Format(f fmt.State, _ rune) { io.WriteString(f, "content.SecretKey(hidden)") }

// Sizes of AEAD_AES_128_GCM (RFC 5116, Section 5.1).
const (
	keySize   = 16
	nonceSize = 12
	tagSize   = 16
)

// SealExternal encrypts an attachment under a fresh key with AES-128-GCM (External
// content). It returns the ciphertext, which is to be uploaded, and an external
// part that lacks what only the caller knows: the content type, the URL and what
// is optional. The suite must be one of those with AES-128-GCM and SHA-256,
// whatever suite the room's group has: 1 or 2.
func SealExternal(s suite.Suite, plaintext []byte) (ExternalPart, []byte, error) {
	if err := canEncrypt(s); err != nil {
		return ExternalPart{}, nil, err
	}
	if len(plaintext) > MaxAttachment {
		return ExternalPart{}, nil, broken(CheckAttachment, "content", fmt.Sprintf("%d bytes, want at most %d", len(plaintext), MaxAttachment))
	}
	secret := make([]byte, keySize+nonceSize)
	if _, err := io.ReadFull(s.Rand(), secret); err != nil {
		return ExternalPart{}, nil, fmt.Errorf("content: drawing the key of an attachment: %w", err)
	}
	p := ExternalPart{EncAlg: EncAES128GCM, Key: secret[:keySize:keySize], Nonce: secret[keySize:], HashAlg: HashSHA256}
	aead, err := s.AEAD(p.Key)
	if err != nil {
		return ExternalPart{}, nil, fmt.Errorf("content: encrypting an attachment: %w", err)
	}
	ciphertext := aead.Seal(nil, p.Nonce, plaintext, p.AAD)
	p.Size = uint64(len(ciphertext))
	p.ContentHash = s.Hash(nil, ciphertext)
	return p, ciphertext, nil
}

// Open returns the plaintext of what was fetched from the part's URL. It demands
// the part's size and hash, if it has them, before it decrypts. A part without
// encryption and without a hash is not verified at all. The suite is as for
// [SealExternal].
func (p ExternalPart) Open(s suite.Suite, fetched []byte) ([]byte, error) {
	if err := canEncrypt(s); err != nil {
		return nil, err
	}
	overhead := 0
	if p.EncAlg != EncNone {
		overhead = tagSize
	}
	if len(fetched) > MaxAttachment+overhead {
		return nil, broken(CheckAttachment, "content", fmt.Sprintf("%d bytes, want at most %d", len(fetched), MaxAttachment+overhead))
	}
	if n := len(fetched); p.Size != 0 && p.Size != uint64(n) && (n < overhead || p.Size != uint64(n-overhead)) {
		return nil, broken(CheckContentHash, "size", fmt.Sprintf("%d bytes, want %d", n, p.Size))
	}
	if err := p.checkHash(s, fetched); err != nil {
		return nil, err
	}
	switch p.EncAlg {
	case EncNone:
		if len(p.Key)+len(p.Nonce)+len(p.AAD) > 0 {
			return nil, broken(CheckEncryption, "key", "a key, nonce or aad without an algorithm")
		}
		return bytes.Clone(fetched), nil
	case EncAES128GCM:
		if len(p.Key) != keySize || len(p.Nonce) != nonceSize {
			return nil, broken(CheckEncryption, "key", fmt.Sprintf("key of %d and nonce of %d bytes, want %d and %d", len(p.Key), len(p.Nonce), keySize, nonceSize))
		}
		aead, err := s.AEAD(p.Key)
		if err != nil {
			return nil, broken(CheckEncryption, "key", err.Error())
		}
		plaintext, err := aead.Open(nil, p.Nonce, fetched, p.AAD)
		if err != nil {
			return nil, broken(CheckOpen, "content", "")
		}
		return plaintext, nil
	}
	return nil, broken(CheckEncryption, "encAlg", fmt.Sprintf("%d, want 0 or %d", p.EncAlg, EncAES128GCM))
}

// checkHash compares the content with its hash.
func (p ExternalPart) checkHash(s suite.Suite, fetched []byte) error {
	switch p.HashAlg {
	case HashNone:
		if len(p.ContentHash) > 0 {
			return broken(CheckHash, "hashAlg", "0, with a hash")
		}
		return nil
	case HashSHA256:
		if sum := s.Hash(nil, fetched); !bytes.Equal(sum, p.ContentHash) {
			return broken(CheckContentHash, "contentHash", fmt.Sprintf("got %s, want %s", shortHex(sum), shortHex(p.ContentHash)))
		}
		return nil
	}
	return broken(CheckHash, "hashAlg", fmt.Sprintf("%d, want 0 or %d", p.HashAlg, HashSHA256))
}

// Expired reports whether the content is no longer to be had.
func (p ExternalPart) Expired(now time.Time) bool {
	return p.Expires != 0 && !now.Before(time.Unix(int64(p.Expires), 0))
}

// canEncrypt demands a suite with AES-128-GCM and SHA-256.
func canEncrypt(s suite.Suite) error {
	switch s.ID() {
	case suite.X25519AES128GCMSHA256Ed25519, suite.P256AES128GCMSHA256P256:
		return nil
	}
	return broken(CheckEncryption, "", fmt.Sprintf("%s, want a suite with AES-128-GCM and SHA-256", s.ID()))
}
