package noise

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// reading is the client's side of form Wrapped as public clients have it, written down
// step by step without a Noise library: a hash, a salt, a key and a counter.
type reading struct {
	t          *testing.T
	s          suite.Suite
	hash, salt []byte
	key        []byte
	counter    uint64
}

func (r *reading) authenticate(b []byte) {
	sum := sha256.Sum256(append(append([]byte(nil), r.hash...), b...))
	r.hash = sum[:]
}

func (r *reading) expand(secret []byte) (a, b []byte) {
	out, err := hkdf.Key(sha256.New, secret, r.salt, "", 64)
	if err != nil {
		r.t.Fatal(err)
	}
	return out[:32], out[32:]
}

func (r *reading) mix(private suite.PrivateKey, public []byte) {
	secret, err := r.s.DH(private, public)
	if err != nil {
		r.t.Fatal(err)
	}
	r.salt, r.key = r.expand(secret)
	r.counter = 0
}

func (r *reading) aead(key []byte, n uint64) (cipher.AEAD, []byte) {
	b, err := aes.NewCipher(key)
	if err != nil {
		r.t.Fatal(err)
	}
	g, err := cipher.NewGCM(b)
	if err != nil {
		r.t.Fatal(err)
	}
	return g, binary.BigEndian.AppendUint64(make([]byte, 4), n)
}

func (r *reading) encrypt(plaintext []byte) []byte {
	a, nonce := r.aead(r.key, r.counter)
	r.counter++
	out := a.Seal(nil, nonce, plaintext, r.hash)
	r.authenticate(out)
	return out
}

func (r *reading) decrypt(ciphertext []byte) []byte {
	a, nonce := r.aead(r.key, r.counter)
	r.counter++
	out, err := a.Open(nil, nonce, ciphertext, r.hash)
	if err != nil {
		r.t.Fatal(err)
	}
	r.authenticate(ciphertext)
	return out
}

// TestWrapped has a client that was written from the reading of public clients alone,
// with no code of this package or of the Noise library, connect with the server. Its
// messages are written out byte by byte too.
func TestWrapped(t *testing.T) {
	t.Parallel()
	e := newEnds(t, WhatsApp)
	server, err := NewServer(ServerConfig{Config: e.server, Certificate: e.certificate})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Prologue([]byte{'W', 'A', 6, 3}); err != nil {
		t.Fatal(err)
	}
	r := &reading{t: t, s: newSuite(t, "reading")}
	r.hash = []byte("Noise_XX_25519_AESGCM_SHA256\x00\x00\x00\x00")
	r.salt = r.hash
	r.authenticate([]byte{'W', 'A', 6, 3})
	ephemeral, err := r.s.GenerateKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	r.authenticate(ephemeral.Public)
	hello, err := server.Hello(append([]byte{2<<3 | 2, 34, 1<<3 | 2, 32}, ephemeral.Public...))
	if err != nil {
		t.Fatal(err)
	}
	// serverHello: its length takes two bytes, as the certificate is longer than 30.
	b := hello[HeaderSize:]
	if b[0] != 3<<3|2 || b[3] != 1<<3|2 || b[4] != 32 || b[37] != 2<<3|2 || b[38] != 48 || b[87] != 3<<3|2 {
		t.Fatalf("server hello %x", b)
	}
	serverEphemeral, serverStatic := b[5:37], b[39:87]
	payload := b[len(b)-len(e.certificate)-Overhead:]
	r.authenticate(serverEphemeral)
	r.mix(ephemeral.Private, serverEphemeral)
	static := r.decrypt(serverStatic)
	if string(static) != string(e.server.Static.Public) {
		t.Fatalf("server's key: got %x, want %x", static, e.server.Static.Public)
	}
	r.mix(ephemeral.Private, static)
	if got := r.decrypt(payload); string(got) != string(e.certificate) {
		t.Fatalf("certificate: got %x", got)
	}
	own := r.encrypt(e.client.Static.Public)
	r.mix(e.client.Static.Private, serverEphemeral)
	// username 4915112345678, an unknown field 12 (connectType), product WhatsApp left out.
	said := r.encrypt(unhex(t, "08ce809a9c868f016000"))
	inner := append([]byte{1<<3 | 2, 48}, own...)
	inner = append(append(inner, 2<<3|2, byte(len(said))), said...)
	peer, channel, err := server.Finish(append([]byte{4<<3 | 2, byte(len(inner))}, inner...))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(peer.Static[:]), hex.EncodeToString(e.client.Static.Public); got != want {
		t.Errorf("static key: got %s, want %s", got, want)
	}
	write, read := r.expand(nil)
	for n := range uint64(3) {
		a, nonce := r.aead(write, n)
		if got, err := channel.Open(a.Seal(nil, nonce, []byte("up"), nil)); err != nil || string(got) != "up" {
			t.Fatalf("message %d: got %q, %v", n, got, err)
		}
		frame, err := channel.Seal(nil, []byte("down"))
		if err != nil {
			t.Fatal(err)
		}
		a, nonce = r.aead(read, n)
		if got, err := a.Open(nil, nonce, frame[HeaderSize:], nil); err != nil || string(got) != "down" {
			t.Fatalf("message %d: got %q, %v", n, got, err)
		}
	}
}

func TestWrappedRefused(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("aa", 32)
	for _, tt := range []struct{ name, hex, says string }{
		{"raw Noise", key, "client hello"},
		{"empty", "", "no field 2"},
		{"server hello", "1a220a20" + key, "field 3"},
		{"no message", "1005", "field 2 of wire type 0"},
		{"twice", "12220a20" + key + "12220a20" + key, "field 2 comes twice"},
		{"part twice", "12440a20" + key + "0a20" + key, "part 1 comes twice"},
		{"no part", "1200", "no part 1"},
		{"short key", "12210a1f" + key[:62], "part 1 of 31 bytes, want 32"},
		{"Noise IK", "12250a20" + key + "120100", "part 2, want none: only Noise XX"},
		{"number", "12020801", "part 1 of wire type 0"},
		{"cut", "12220a20" + key[:20], "client hello"},
		{"length", "12ffffffffff0f", "client hello"},
		{"beyond its bound", "12220a20" + key + strings.Repeat("b80100", 100), "want at most 256"},
	} {
		if _, err := clientHello.unwrap(Wrapped, unhex(t, tt.hex)); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.says)
		}
	}
	// What protobuf lets stand beside it is skipped.
	got, err := clientHello.unwrap(Wrapped, unhex(t, "12240a20"+key+"2001"+"5001"))
	if err != nil || hex.EncodeToString(got) != key {
		t.Errorf("unknown fields: got %x, %v", got, err)
	}
}

func TestPayloadRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, hex, says string }{
		{"empty", "", "a native client with username 0"},
		{"no protobuf", "ff", "client payload"},
		{"username as bytes", "0a0101", "field 1 of wire type 2"},
		{"username twice", "08010801", "field 1 comes twice"},
		{"product", "0801a00104", "product 4, want 0 to 3"},
		{"product that wraps", "0801a0018002", "product 256, want 0 to 3"},
		{"interop without token", "a00102b202020801", "token of 0 bytes"},
		{"interop without account", "a00102b20203120161", "account 0"},
		{"token of a native user", "0801b202050801120161", "a native client"},
		{"account twice", "b2020408010801", "field 1 comes twice"},
		{"name", "0801" + "3a01ff", "push name"},
		{"long token", "b202" + "8420128120" + strings.Repeat("61", 4097), "token of 4097 bytes"},
	} {
		_, err := ParseClientPayload(unhex(t, tt.hex))
		if !errors.Is(err, ErrPayload) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want %v and %q", tt.name, err, ErrPayload, tt.says)
		}
	}
}
