// Package labeled is the labelled cryptography of MLS: the operations of RFC
// 9420 (https://www.rfc-editor.org/rfc/rfc9420) that put a label before what a
// [suite.Suite] signs, encrypts, hashes or expands, so that no output of one use
// passes for one of another.
//
//	SignContent     { opaque label<V> = "MLS 1.0 " + Label; opaque content<V>; }
//	EncryptContext  { opaque label<V> = "MLS 1.0 " + Label; opaque context<V>; }
//	RefHashInput    { opaque label<V> = Label;              opaque value<V>; }
//	KDFLabel        { uint16 length;
//	                  opaque label<V> = "MLS 1.0 " + Label; opaque context<V>; }
//
// Labels are the strings of the specification without the prefix. The package
// holds no state and no keys.
package labeled

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// prefix stands before the labels of all operations but RefHash.
const prefix = "MLS 1.0 "

// appendPair appends an opaque<V> of prefix+label and one of value: the layout of
// SignContent and EncryptContext. Callers bound value by what wire can carry.
func appendPair(dst []byte, label string, value []byte) []byte {
	w := wire.NewWriter(slices.Grow(dst, len(prefix)+len(label)+len(value)+8))
	w.Vector(func() {
		w.Fixed([]byte(prefix))
		w.Fixed([]byte(label))
	})
	w.Opaque(value)
	return must(w)
}

// must returns what was written. Values longer than 2^30-1 bytes are a caller's
// mistake: no message that large is ever read.
func must(w *wire.Writer) []byte {
	b, err := w.Bytes()
	if err != nil {
		panic(fmt.Sprintf("labeled: invariant broken, a value fits a vector: %v", err))
	}
	return b
}

// SignContent appends what SignWithLabel signs to dst (RFC 9420, Section
// 5.1.2), for those who verify many signatures at once.
func SignContent(dst []byte, label string, content []byte) []byte {
	return appendPair(dst, label, content)
}

// WriteSignContent writes what SignWithLabel signs (RFC 9420, Section 5.1.2), for
// those whose content is still to be written: content writes it to w. So there is
// no copy of it.
func WriteSignContent(w *wire.Writer, label string, content func()) {
	w.Vector(func() {
		w.Fixed([]byte(prefix))
		w.Fixed([]byte(label))
	})
	w.Vector(content)
}

// Sign is SignWithLabel (RFC 9420, Section 5.1.2).
func Sign(s suite.Suite, private suite.PrivateKey, label string, content []byte) ([]byte, error) {
	return s.Sign(private, SignContent(nil, label, content))
}

// Verify is VerifyWithLabel (RFC 9420, Section 5.1.2). Its errors are those of
// [suite.Suite].
func Verify(s suite.Suite, public []byte, label string, content, signature []byte) error {
	return s.Verify(public, SignContent(nil, label, content), signature)
}

// EncryptContext appends the info of EncryptWithLabel to dst (RFC 9420, Section
// 5.1.3), for those who encrypt to many at once.
func EncryptContext(dst []byte, label string, context []byte) []byte {
	return appendPair(dst, label, context)
}

// Encrypt is EncryptWithLabel (RFC 9420, Section 5.1.3).
func Encrypt(s suite.Suite, public []byte, label string, context, plaintext []byte) (kemOutput, ciphertext []byte, err error) {
	return s.SealBase(public, EncryptContext(nil, label, context), nil, plaintext)
}

// Decrypt is DecryptWithLabel (RFC 9420, Section 5.1.3). Its errors are those of
// [suite.Suite].
func Decrypt(s suite.Suite, private suite.PrivateKey, label string, context, kemOutput, ciphertext []byte) ([]byte, error) {
	return s.OpenBase(kemOutput, private, EncryptContext(nil, label, context), nil, ciphertext)
}

// RefHash appends the hash reference of value to dst (RFC 9420, Section 5.2).
// Its labels are whole, such as "MLS 1.0 KeyPackage Reference".
func RefHash(s suite.Suite, dst []byte, label string, value []byte) []byte {
	w := wire.NewWriter(make([]byte, 0, len(label)+len(value)+8))
	w.OpaqueString(label)
	w.Opaque(value)
	return s.Hash(dst, must(w))
}

// KDFLabel appends the info of ExpandWithLabel to dst (RFC 9420, Section 8), for
// those who expand often.
func KDFLabel(dst []byte, label string, context []byte, n int) []byte {
	return appendPair(binary.BigEndian.AppendUint16(dst, uint16(n)), label, context)
}

// Expand is ExpandWithLabel to n bytes, 0 <= n <= 65535 and at most 255 hashes
// (RFC 9420, Section 8).
func Expand(s suite.Suite, secret []byte, label string, context []byte, n int) []byte {
	var buf [128]byte
	return s.Expand(secret, KDFLabel(buf[:0], label, context, n), n)
}

// DeriveSecret derives a secret of the hash's size (RFC 9420, Section 8).
func DeriveSecret(s suite.Suite, secret []byte, label string) []byte {
	return Expand(s, secret, label, nil, s.ID().Sizes().Hash)
}

// DeriveTreeSecret derives the n bytes that a generation of a secret tree's
// ratchet stands for (RFC 9420, Section 9).
func DeriveTreeSecret(s suite.Suite, secret []byte, label string, generation uint32, n int) []byte {
	var g [4]byte
	binary.BigEndian.PutUint32(g[:], generation)
	return Expand(s, secret, label, g[:], n)
}
