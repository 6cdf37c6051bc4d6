package noise

import (
	"crypto/sha256"
	"fmt"
	"hash"

	"github.com/flynn/noise"
)

// Dialect is what both ends agree on before the first byte.
type Dialect struct {
	Name string // for people
	// Prologue is sent in the clear before the client's first frame and is Noise's
	// prologue: a protocol's name and its versions.
	Prologue string
	Form     Form
}

// Form is how handshake messages are written and hashed.
type Form uint8

const (
	// Plain is Noise as its specification has it: a frame's body is the message.
	Plain Form = iota
	// Wrapped is Noise as public WhatsApp clients have it: the parts of a message are
	// fields of a protobuf message, and the first message, which has no payload, does not
	// hash an empty one as Noise, Section 5.2 (EncryptAndHash), would:
	//
	//	message HandshakeMessage {
	//	  ClientHello clientHello = 2;
	//	  ServerHello serverHello = 3;
	//	  ClientFinish clientFinish = 4;
	//	  message ClientHello { bytes ephemeral = 1; }
	//	  message ServerHello { bytes ephemeral = 1; bytes static = 2; bytes payload = 3; }
	//	  message ClientFinish { bytes static = 1; bytes payload = 2; }
	//	}
	Wrapped
)

// String returns the form's name.
func (f Form) String() string {
	switch f {
	case Plain:
		return "plain"
	case Wrapped:
		return "wrapped"
	}
	return fmt.Sprintf("Form(%d)", uint8(f))
}

var (
	// Lab is this project's own dialect, and the default: 'M' 'L', version 1 of the
	// channel, version 1 of the stanzas' dictionary.
	Lab = Dialect{"lab", "ML\x01\x01", Plain}
	// WhatsApp is the dialect of WhatsApp's own service as whatsmeow has it: 'W' 'A',
	// version 6, dictionary 3. That the interoperability service has the same is assumed.
	WhatsApp = Dialect{"whatsapp", "WA\x06\x03", Wrapped}
)

// Dialects are those that have a name.
var Dialects = []Dialect{Lab, WhatsApp}

// MaxPrologue bounds a prologue in bytes, which need not be of 4.
const MaxPrologue = 64

// check refuses a dialect that can't be spoken.
func (d *Dialect) check() error {
	if n := len(d.Prologue); n < 1 || n > MaxPrologue {
		return fmt.Errorf("noise: dialect %q: prologue of %d bytes, want 1 to %d", d.Name, n, MaxPrologue)
	}
	if d.Form > Wrapped {
		return fmt.Errorf("noise: dialect %q: %v, want plain or wrapped", d.Name, d.Form)
	}
	return nil
}

// orLab is d, or [Lab] if d is zero.
func (d Dialect) orLab() Dialect {
	if d == (Dialect{}) {
		return Lab
	}
	return d
}

// hash returns the hash function of the form.
func (f Form) hash() noise.HashFunc {
	if f == Wrapped {
		return skipping{}
	}
	return noise.HashSHA256
}

// skipping is SHA-256 for [Wrapped]. MixHash is h = HASH(h || data), written as two
// parts; with empty data it leaves h as it is. HKDF is not concerned: HMAC writes a
// block of 64 bytes first.
type skipping struct{}

func (skipping) Hash() hash.Hash  { return &skippingHash{Hash: sha256.New()} }
func (skipping) HashName() string { return noise.HashSHA256.HashName() }

type skippingHash struct {
	hash.Hash
	writes int
	first  []byte // the first part, if it is as long as a hash
	empty  bool   // the second part is empty
}

// Write implements [hash.Hash].
func (h *skippingHash) Write(p []byte) (int, error) {
	switch h.writes++; {
	case h.writes == 1 && len(p) == sha256.Size:
		h.first = append(h.first[:0], p...)
	case h.writes == 2:
		h.empty = len(p) == 0
	}
	return h.Hash.Write(p)
}

// Reset implements [hash.Hash].
func (h *skippingHash) Reset() {
	h.writes, h.first, h.empty = 0, h.first[:0], false
	h.Hash.Reset()
}

// Sum implements [hash.Hash].
func (h *skippingHash) Sum(b []byte) []byte {
	if h.writes == 2 && h.empty && len(h.first) == sha256.Size {
		return append(b, h.first...)
	}
	return h.Hash.Sum(b)
}
