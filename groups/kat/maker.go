package kat

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Seed is what all keys and random bytes of the files come from.
const Seed = "mimi-lab/kat/1"

// now is when all happens: 2026-07-06, the day of the youngest of the drafts.
var now = time.Date(2026, time.July, 6, 12, 0, 0, 0, time.UTC)

// millis is now as MIMI writes times.
var millis = uint64(now.UnixMilli())

// The documents with numbered deviations, for [deviation].
const (
	mimi1 = "protocols/mimi"
	room1 = "groups/room"
)

// deviation names an entry of a DEVIATIONS.md.
func deviation(document string, n int) string {
	return fmt.Sprintf("%s/DEVIATIONS.md %d", document, n)
}

func newHead(name, section string, because ...string) head {
	return head{name, section, append([]string{}, because...)}
}

// maker is where the making of files draws keys from.
type maker struct {
	suite suite.Suite // suite 1
	world *world      // made when a case first asks for it
}

// newMaker starts a file. Each has randomness of its own, so that a change of one
// leaves the others as they are.
func newMaker(file string) (*maker, error) {
	var seed [32]byte
	copy(seed[:], Seed)
	s, err := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, seed, file)
	if err != nil {
		return nil, err
	}
	return &maker{suite: s}, nil
}

// need is what the making of a case cannot go on without: what fails is a mistake in
// this package.
func need[T any](v T, err error) T {
	if err != nil {
		panic("kat: a case can't be made: " + err.Error())
	}
	return v
}

func encoded(v wire.Marshaler) octets { return need(wire.Marshal(v)) }

// signer draws a key for signatures.
func (m *maker) signer() suite.KeyPair { return need(m.suite.GenerateSigner()) }

// seed is a private key for signatures as files have it: that of Ed25519 as RFC 8032 has
// it, without the public key that Go puts behind.
func seed(key suite.KeyPair) octets { return octets(key.Private[:ed25519.SeedSize]) }

// sign is SignWithLabel (RFC 9420, Section 5.1.2).
func (m *maker) sign(key suite.KeyPair, label string, content []byte) octets {
	return need(labeled.Sign(m.suite, key.Private, label, content))
}

// random draws bytes.
func (m *maker) random(n int) octets {
	b := make(octets, n)
	need(m.suite.Rand().Read(b))
	return b
}

// Made is a file as it was made.
type Made struct {
	File
	Cases int
	Data  []byte
}

// Generate makes all files, in the order of [Files].
func Generate() ([]Made, error) {
	var all []Made
	for i := range files {
		f := files[i]
		m, err := newMaker(f.Name)
		if err != nil {
			return nil, err
		}
		cases := f.cases(m)
		data, err := layOut(cases)
		if err != nil {
			return nil, fmt.Errorf("kat: %s: %w", f.Name, err)
		}
		all = append(all, Made{f, len(cases), data})
	}
	return all, nil
}

// layOut writes cases as JSON for people to read as well.
func layOut(cases []any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(cases); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
