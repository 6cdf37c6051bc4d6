// Package media encrypts and decrypts media, and writes and reads the paths at which their
// ciphertexts lie at a gatekeeper's media host.
//
// Source of the paths: the technical specification in WhatsApp's Reference Offer 1.0.3 of 26
// September 2025, media. Source of the encryption: public clients (whatsmeow, download.go and
// upload.go, read in August 2026), which talk to WhatsApp's own service; that interoperability
// uses the same is assumed. The building blocks are HKDF (RFC 5869,
// https://www.rfc-editor.org/rfc/rfc5869) and HMAC with SHA-256, and AES-256 in CBC mode with
// the padding of PKCS #7 (RFC 5652, Section 6.3):
//
//	iv (16) | cipher key (32) | MAC key (32) | not used (32)
//	        = HKDF-SHA256(salt: none, media key (32), "WhatsApp Image Keys", 112 bytes)
//	body    = AES-256-CBC(cipher key, iv, medium and padding)
//	file    = body | first 10 bytes of HMAC-SHA256(MAC key, iv | body)
//
// Start with [Seal], which fills in what a message says of a medium, and [Open], which holds
// the file to it. Both work in constant memory. A media key is for one medium: the iv comes
// from it.
//
// It moves no bytes over networks; package dma/serve does. Stickers, for which clients use the
// keys of images, and thumbnails with a file of their own are no kinds of package dma.
package media

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
)

// KeySize is that of a media key in bytes.
const KeySize = 32

// Sizes of what a media key is expanded to, in bytes.
const (
	ivSize       = aes.BlockSize
	cipherSize   = 32
	macKeySize   = 32
	refKeySize   = 32 // of a key that clients expand and do not use here
	expandedSize = ivSize + cipherSize + macKeySize + refKeySize
	macSize      = 10
)

// Why a medium is not sealed or opened.
var (
	ErrKind       = errors.New("media: a kind without a key of its own")
	ErrEmpty      = errors.New("media: an empty medium")
	ErrIncomplete = errors.New("media: the message does not say the medium's hash and length")
	ErrSize       = errors.New("media: the ciphertext is not of the size that the message says")
	ErrHash       = errors.New("media: the ciphertext is not of the hash that the message says")
	ErrMAC        = errors.New("media: the ciphertext's MAC is not by this key")
	ErrPadding    = errors.New("media: the medium is not padded as PKCS #7 has it")
	ErrPlain      = errors.New("media: the medium is not of the hash and length that the message says")
)

// info returns what the media key of a kind is expanded with, as read in clients.
func info(k dma.ContentKind) (string, error) {
	switch k {
	case dma.Image:
		return "WhatsApp Image Keys", nil
	case dma.Voice:
		return "WhatsApp Audio Keys", nil
	case dma.Video:
		return "WhatsApp Video Keys", nil
	case dma.File:
		return "WhatsApp Document Keys", nil
	}
	return "", fmt.Errorf("%w: %v", ErrKind, k)
}

// expanded is what encrypts one medium.
type expanded struct {
	iv  []byte
	aes cipher.Block
	mac hash.Hash // over what the file has before the MAC, iv first
}

func expand(key *[KeySize]byte, kind dma.ContentKind) (*expanded, error) {
	label, err := info(kind)
	if err != nil {
		return nil, err
	}
	b, err := hkdf.Key(sha256.New, key[:], nil, label, expandedSize)
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	defer clear(b[ivSize:]) // those who were made of them keep copies
	e := &expanded{iv: b[:ivSize:ivSize]}
	if e.aes, err = aes.NewCipher(b[ivSize : ivSize+cipherSize]); err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	e.mac = hmac.New(sha256.New, b[ivSize+cipherSize:ivSize+cipherSize+macKeySize])
	e.mac.Write(e.iv)
	return e, nil
}

// chunk is how many bytes are worked on at once.
const chunk = 64 << 10

// Seal encrypts what src has and writes the file to dst. It returns what a message says of it:
// all but where it lies, its type and its name. key must be fresh and random.
func Seal(dst io.Writer, src io.Reader, kind dma.ContentKind, key [KeySize]byte) (dma.MediaRef, error) {
	e, err := expand(&key, kind)
	if err != nil {
		return dma.MediaRef{}, err
	}
	plain, file := sha256.New(), sha256.New()
	ref := dma.MediaRef{Key: key}
	cbc := cipher.NewCBCEncrypter(e.aes, e.iv)
	out := io.MultiWriter(dst, file)
	buf := make([]byte, chunk+aes.BlockSize)
	for last := false; !last; {
		n, err := io.ReadFull(src, buf[:chunk])
		last = err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !last {
			return dma.MediaRef{}, fmt.Errorf("media: reading the medium: %w", err)
		}
		plain.Write(buf[:n])
		ref.Length += uint64(n)
		if last {
			n = pad(buf, n)
		}
		cbc.CryptBlocks(buf[:n], buf[:n])
		e.mac.Write(buf[:n])
		if _, err := out.Write(buf[:n]); err != nil {
			return dma.MediaRef{}, fmt.Errorf("media: writing the ciphertext: %w", err)
		}
	}
	if ref.Length == 0 {
		return dma.MediaRef{}, ErrEmpty
	}
	if _, err := out.Write(e.mac.Sum(nil)[:macSize]); err != nil {
		return dma.MediaRef{}, fmt.Errorf("media: writing the ciphertext: %w", err)
	}
	ref.Size = dma.MediaCiphertext(ref.Length)
	plain.Sum(ref.Plain[:0])
	file.Sum(ref.SHA256[:0])
	return ref, nil
}

// pad pads what buf has at n, for which there is room, and returns its end.
func pad(buf []byte, n int) int {
	size := aes.BlockSize - n%aes.BlockSize
	for i := range size {
		buf[n+i] = byte(size)
	}
	return n + size
}

// Open verifies the file that src has against what a message says of it, decrypts it, and
// writes the medium to dst. It reads src twice: nothing is written of a file whose hash or MAC
// is not right. After an error what was written is of no use.
func Open(dst io.Writer, src io.ReadSeeker, kind dma.ContentKind, ref *dma.MediaRef) error {
	if ref.Length == 0 || ref.Plain == [sha256.Size]byte{} {
		return ErrIncomplete
	}
	// Of Length nothing is computed: a stranger says it.
	if ref.Size < dma.MediaCiphertext(0) || (ref.Size-macSize)%aes.BlockSize != 0 {
		return fmt.Errorf("%w: %d bytes, want blocks of %d and %d more", ErrSize, ref.Size, aes.BlockSize, macSize)
	}
	e, err := expand(&ref.Key, kind)
	if err != nil {
		return err
	}
	if err := e.verify(src, ref); err != nil {
		return err
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("media: reading the ciphertext: %w", err)
	}
	return e.decrypt(dst, io.LimitReader(src, int64(ref.Size-macSize)), ref)
}

// verify reads a file to its end and holds it to the size, the hash and the MAC.
func (e *expanded) verify(src io.Reader, ref *dma.MediaRef) error {
	file := sha256.New()
	buf := make([]byte, chunk)
	body, err := io.CopyBuffer(io.MultiWriter(file, e.mac), io.LimitReader(src, int64(min(ref.Size-macSize, 1<<62))), buf)
	if err != nil {
		return fmt.Errorf("media: reading the ciphertext: %w", err)
	}
	var mac [macSize + 1]byte // one more is too long
	n, err := io.ReadFull(src, mac[:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return fmt.Errorf("media: reading the ciphertext: %w", err)
	}
	switch size := uint64(body) + uint64(n); {
	case n > macSize:
		return fmt.Errorf("%w: more than %d bytes", ErrSize, ref.Size)
	case size != ref.Size:
		return fmt.Errorf("%w: %d bytes, want %d", ErrSize, size, ref.Size)
	}
	file.Write(mac[:macSize])
	if [sha256.Size]byte(file.Sum(nil)) != ref.SHA256 {
		return ErrHash
	}
	if subtle.ConstantTimeCompare(e.mac.Sum(nil)[:macSize], mac[:macSize]) != 1 {
		return ErrMAC
	}
	return nil
}

// decrypt decrypts a body that was verified. It holds the last block back until it knows that
// it is the last.
func (e *expanded) decrypt(dst io.Writer, src io.Reader, ref *dma.MediaRef) error {
	cbc := cipher.NewCBCDecrypter(e.aes, e.iv)
	plain := sha256.New()
	out := io.MultiWriter(dst, plain)
	var length uint64
	write := func(b []byte) error {
		length += uint64(len(b))
		if _, err := out.Write(b); err != nil {
			return fmt.Errorf("media: writing the medium: %w", err)
		}
		return nil
	}
	buf := make([]byte, aes.BlockSize+chunk) // the block that is held back, and what follows
	held := 0
	for {
		n, err := io.ReadFull(src, buf[held:held+chunk])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return fmt.Errorf("media: reading the ciphertext: %w", err)
		}
		if n%aes.BlockSize != 0 {
			return fmt.Errorf("%w: it has changed meanwhile", ErrSize)
		}
		cbc.CryptBlocks(buf[held:held+n], buf[held:held+n])
		n += held
		if err != nil {
			if n == 0 {
				return fmt.Errorf("%w: it has changed meanwhile", ErrSize)
			}
			size, err := unpad(buf[n-aes.BlockSize : n])
			if err != nil {
				return err
			}
			if err := write(buf[:n-size]); err != nil {
				return err
			}
			break
		}
		if err := write(buf[:n-aes.BlockSize]); err != nil {
			return err
		}
		held = copy(buf, buf[n-aes.BlockSize:n])
	}
	if length != ref.Length || [sha256.Size]byte(plain.Sum(nil)) != ref.Plain {
		return fmt.Errorf("%w: %d bytes, want %d", ErrPlain, length, ref.Length)
	}
	return nil
}

// unpad returns the size of the padding in the last block. The MAC was right, so that the
// answer tells a stranger nothing.
func unpad(block []byte) (int, error) {
	size := int(block[len(block)-1])
	if size < 1 || size > aes.BlockSize {
		return 0, ErrPadding
	}
	for _, b := range block[len(block)-size:] {
		if int(b) != size {
			return 0, ErrPadding
		}
	}
	return size, nil
}
