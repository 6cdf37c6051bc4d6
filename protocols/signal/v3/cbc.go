//go:build !nogpl

package v3

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
)

var errPadding = errors.New("bad PKCS #7 padding")

// encryptCBC encrypts with AES-256-CBC and PKCS #7 padding. It does not touch
// plaintext, not even the capacity behind it.
func encryptCBC(key, iv, plaintext []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	n := aes.BlockSize - len(plaintext)%aes.BlockSize
	out := make([]byte, len(plaintext)+n)
	copy(out, plaintext)
	for i := len(plaintext); i < len(out); i++ {
		out[i] = byte(n)
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, out)
	return out, nil
}

// decryptCBC reverses encryptCBC. The ciphertext is authentic and of whole
// blocks, at least one. Padding other than 1 to 16 bytes of their number is
// refused; since the ciphertext was authenticated first, this tells only the
// peer that made it.
func decryptCBC(key, iv, ciphertext []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, ciphertext)
	n := int(out[len(out)-1])
	if n < 1 || n > aes.BlockSize {
		return nil, errPadding
	}
	for _, b := range out[len(out)-n:] {
		if int(b) != n {
			return nil, errPadding
		}
	}
	return out[: len(out)-n : len(out)-n], nil
}
