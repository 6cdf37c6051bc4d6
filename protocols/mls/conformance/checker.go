package conformance

import (
	"bytes"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// checker collects what is wrong with one case.
type checker struct {
	label       string // names the case, for its randomness
	suite       suite.ID
	skipped     bool
	differences []string
}

// maxDifferences is how much is kept of a case that differs all over.
const maxDifferences = 8

// fail notes that what, a field of the case, is not as it should be.
func (c *checker) fail(what, format string, args ...any) {
	if len(c.differences) < maxDifferences {
		c.differences = append(c.differences, what+": "+fmt.Sprintf(format, args...))
	}
}

// ok notes an error.
func (c *checker) ok(what string, err error) bool {
	if err != nil {
		c.fail(what, "%v", err)
	}
	return err == nil
}

// equal notes a value that differs.
func (c *checker) equal(what string, got, want []byte) bool {
	same := bytes.Equal(got, want)
	if !same {
		c.fail(what, "%s", difference(got, want))
	}
	return same
}

// same notes a value that differs, of those that are not bytes.
func same[T comparable](c *checker, what string, got, want T) bool {
	if got != want {
		c.fail(what, "got %v, want %v", got, want)
	}
	return got == want
}

// secret notes a secret that does not have the size of the suite's hash, as all of
// MLS's have, and with which the key schedule can't begin.
func (c *checker) secret(what string, s suite.Suite, b []byte) bool {
	return same(c, what+" (bytes)", len(b), s.ID().Sizes().Hash)
}

// read reads a struct and notes if it is malformed.
func (c *checker) read(what string, b []byte, v wire.Unmarshaler) bool {
	return c.ok(what, wire.Unmarshal(b, v))
}

// parse reads an MLSMessage of one kind.
func (c *checker) parse(what string, b []byte, want message.WireFormat) (*message.Message, bool) {
	m, err := message.Parse(b, nil)
	if !c.ok(what, err) || !same(c, what+" (wire format)", m.WireFormat(), want) {
		return nil, false
	}
	return m, true
}

// write encodes what the runner has made.
func (c *checker) write(what string, v wire.Marshaler) ([]byte, bool) {
	b, err := wire.Marshal(v)
	return b, c.ok(what, err)
}

// difference shows two values from where they begin to differ.
func difference(got, want []byte) string {
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	text := fmt.Sprintf("got %s, want %s", excerpt(got, at), excerpt(want, at))
	if at > 0 {
		text += fmt.Sprintf(", after %d equal bytes", at)
	}
	if len(got) != len(want) {
		text += fmt.Sprintf(" (%d bytes, want %d)", len(got), len(want))
	}
	return text
}

func excerpt(b []byte, at int) string {
	const most = 8
	switch rest := b[at:]; {
	case len(rest) == 0:
		return "nothing"
	case len(rest) > most:
		return fmt.Sprintf("%x...", rest[:most])
	default:
		return fmt.Sprintf("%x", rest)
	}
}

// signKey returns a private key for signatures.
func signKey(s suite.Suite, key []byte) suite.PrivateKey {
	return padded(s, key, s.ID().Sizes().SignPrivate)
}

// kemKey returns a private key for HPKE.
func kemKey(s suite.Suite, key []byte) suite.PrivateKey {
	return padded(s, key, s.ID().Sizes().KEMPrivate)
}

// padded returns a private key of n bytes. Those of the NIST curves are integers of
// fixed length, both by the format of the vectors and by RFC 9180, Section 7.1.2;
// the files leave out leading zeros, which half of suite 5's have.
func padded(s suite.Suite, key []byte, n int) suite.PrivateKey {
	switch s.ID() {
	case suite.P256AES128GCMSHA256P256, suite.P384AES256GCMSHA384P384, suite.P521AES256GCMSHA512P521:
		if missing := n - len(key); missing > 0 {
			return append(make([]byte, missing, n), key...)
		}
	}
	return key
}
