package ohttp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/protocols/bhttp"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// seeded returns a suite whose randomness the test's name and the labels determine.
func seeded(t testing.TB, id suite.ID, label string) suite.Suite {
	t.Helper()
	s, err := suite.NewSeeded(id, sha256.Sum256([]byte(t.Name())), label)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// gateway returns a gateway with one key, 1, and its configuration.
func gateway(t testing.TB, id suite.ID) (*Gateway, *KeyConfig) {
	t.Helper()
	s := seeded(t, id, "gateway")
	pair, err := s.GenerateKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	g := &Gateway{}
	return g, g.AddKey(1, s, pair)
}

// TestPublishedExample is the exchange of RFC 9458, Appendix A.
func TestPublishedExample(t *testing.T) {
	t.Parallel()
	private := unhex(t, "3c168975674b2fa8e465970b79c8dcf09f1c741626480bd4c6162fc5b6a98e1a")
	config := unhex(t, "01002031e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e79815500080001000100010003")
	request := unhex(t, "010020000100014b28f881333e7c164ffc499ad9796f877f4e1051ee6d31bad19dec96c208b472"+
		"6374e469135906992e1268c594d2a10c695d858c40a026e7965e7d86b83dd440b2c0185204b4d63525")
	response := unhex(t, "c789e7151fcba46158ca84b04464910d86f9013e404feea014e7be4a441f234f857fbd")

	keys, err := ParseKeys(append([]byte{0, byte(len(config))}, config...))
	if err != nil {
		t.Fatal(err)
	}
	s := seeded(t, suite.X25519AES128GCMSHA256Ed25519, "")
	if len(keys) != 1 || keys[0].ID != 1 || !keys[0].Fits(s.ID()) || !keys[0].Fits(suite.X25519ChaCha20Poly1305SHA256Ed25519) {
		t.Fatalf("key configurations %+v", keys)
	}
	if again, err := MarshalKeys(keys); err != nil || !bytes.Equal(again[2:], config) {
		t.Errorf("written again: %x, %v, want %x", again, err, config)
	}
	public, err := s.PublicKey(private)
	if err != nil || !bytes.Equal(public, keys[0].PublicKey) {
		t.Fatalf("public key %x, %v, want %x", public, err, keys[0].PublicKey)
	}
	var g Gateway
	g.AddKey(1, s, suite.KeyPair{Private: private, Public: public})
	plain, r, err := g.Open(request)
	if err != nil {
		t.Fatal(err)
	}
	m, err := bhttp.ParseRequest(plain)
	if err != nil || m.Method != "GET" || m.Scheme != "https" || m.Authority != "example.com" || m.Path != "/" {
		t.Errorf("request %x is %+v, %v", plain, m, err)
	}
	if want := unhex(t, "62d87a6ba569ee81014c2641f52bea36"); !bytes.Equal(r.secret, want) {
		t.Errorf("exported %x, want %x", r.secret, want)
	}
	got, err := (&Request{s, r.enc, r.secret}).Open(response)
	if want := []byte("\x01\x40\xc8"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("response %x, %v, want %x", got, err, want)
	}
}

// TestExchange: with every cipher suite a request arrives, a response comes back,
// and neither can be changed.
func TestExchange(t *testing.T) {
	t.Parallel()
	for _, id := range suite.IDs() {
		t.Run(fmt.Sprint(id), func(t *testing.T) {
			t.Parallel()
			g, config := gateway(t, id)
			encapsulated, client, err := Encapsulate(seeded(t, id, "client"), config, []byte("question"))
			if err != nil {
				t.Fatal(err)
			}
			request, server, err := g.Open(encapsulated)
			if err != nil || string(request) != "question" {
				t.Fatalf("Open = %q, %v", request, err)
			}
			sealed, err := server.Seal([]byte("answer"))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := client.Open(sealed); err != nil || string(got) != "answer" {
				t.Errorf("response %q, %v", got, err)
			}
			for i := range encapsulated {
				changed := bytes.Clone(encapsulated)
				changed[i] ^= 1
				if _, _, err := g.Open(changed); !errors.Is(err, ErrOpen) && !errors.Is(err, ErrKey) {
					t.Errorf("request with another byte %d: %v", i, err)
				}
			}
			for i := range sealed {
				changed := bytes.Clone(sealed)
				changed[i] ^= 1
				if _, err := client.Open(changed); !errors.Is(err, ErrOpen) {
					t.Errorf("response with another byte %d: %v, want %v", i, err, ErrOpen)
				}
			}
			for n := range len(encapsulated) {
				if _, _, err := g.Open(encapsulated[:n]); err == nil {
					t.Errorf("the first %d bytes of a request open", n)
				}
			}
			for n := range len(sealed) {
				if _, err := client.Open(sealed[:n]); err == nil {
					t.Errorf("the first %d bytes of a response open", n)
				}
			}
		})
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	const id = suite.X25519AES128GCMSHA256Ed25519
	g, config := gateway(t, id)
	client := seeded(t, id, "client")
	encapsulated, _, err := Encapsulate(client, config, nil)
	if err != nil {
		t.Fatal(err)
	}
	other := *config
	other.ID = 2
	for name, row := range map[string]struct {
		do   func() error
		want error
		says string
	}{
		"another suite's client": {func() error {
			_, _, err := Encapsulate(seeded(t, suite.P256AES128GCMSHA256P256, "p"), config, nil)
			return err
		}, ErrKey, "not for those of suite"},
		"unknown key": {func() error {
			request, _, err := Encapsulate(client, &other, nil)
			if err != nil {
				return err
			}
			_, _, err = g.Open(request)
			return err
		}, ErrKey, "no key 2"},
		"other algorithms": {func() error {
			changed := bytes.Clone(encapsulated)
			changed[6] = 3
			_, _, err := g.Open(changed)
			return err
		}, ErrKey, "AEAD 0x0003, want KEM 0x0020, KDF 0x0001, AEAD 0x0001"},
		"a key that was removed": {func() error {
			g := *g
			g.keys = map[uint8]gatewayKey{1: g.keys[1]}
			g.RemoveKey(1)
			_, _, err := g.Open(encapsulated)
			return err
		}, ErrKey, "no key 1"},
		"no header": {func() error { _, _, err := g.Open(encapsulated[:6]); return err }, ErrFormat, "within its header"},
		"no enc":    {func() error { _, _, err := g.Open(encapsulated[:38]); return err }, ErrFormat, "within its encapsulated key"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := row.do(); !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got error %v, want %v that says %q", err, row.want, row.says)
			}
		})
	}
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	x25519 := "\x01\x00\x20" + strings.Repeat("k", 32)
	good := "\x00\x29" + x25519 + "\x00\x04\x00\x01\x00\x01"
	unknown := "\x00\x05\x02\xfe\xfe\x00\x00"
	for name, row := range map[string]struct {
		data string
		keys int
		says string
	}{
		"none":              {"", 0, ""},
		"one":               {good, 1, ""},
		"two":               {good + good, 2, ""},
		"an unknown KEM":    {unknown + good, 1, ""},
		"half a length":     {good + "\x00", 0, "configuration 2 is longer"},
		"too long":          {"\x00\x30" + x25519, 0, "configuration 1 is longer"},
		"no KEM":            {"\x00\x02\x01\x00", 0, "end within the identifiers"},
		"short key":         {"\x00\x05\x01\x00\x20kk", 0, "ends within the public key"},
		"no algorithms":     {"\x00\x25" + x25519 + "\x00\x00", 0, "symmetric algorithms of 0 bytes"},
		"half an algorithm": {"\x00\x27" + x25519 + "\x00\x02\x00\x01", 0, "symmetric algorithms of 2 bytes"},
		"more":              {"\x00\x2a" + x25519 + "\x00\x04\x00\x01\x00\x01\x00", 0, "1 bytes after its end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys, err := ParseKeys([]byte(row.data))
			if row.says != "" && (!errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), row.says)) {
				t.Errorf("got error %v, want one that says %q", err, row.says)
			}
			if row.says == "" && err != nil || len(keys) != row.keys {
				t.Errorf("got %d keys, error %v, want %d", len(keys), err, row.keys)
			}
		})
	}
}

// TestRoundTrip: anything sealed is what is opened.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	const id = suite.X25519AES128GCMSHA256Ed25519
	g, config := gateway(t, id)
	s := seeded(t, id, "client")
	rapid.Check(t, func(t *rapid.T) {
		question := rapid.SliceOf(rapid.Byte()).Draw(t, "question")
		answer := rapid.SliceOf(rapid.Byte()).Draw(t, "answer")
		encapsulated, client, err := Encapsulate(s, config, question)
		if err != nil {
			t.Fatal(err)
		}
		got, server, err := g.Open(encapsulated)
		if err != nil || !bytes.Equal(got, question) {
			t.Fatalf("request %x, %v, want %x", got, err, question)
		}
		sealed, err := server.Seal(answer)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := client.Open(sealed); err != nil || !bytes.Equal(got, answer) {
			t.Fatalf("response %x, %v, want %x", got, err, answer)
		}
	})
}

// FuzzParseKeys: no input panics; what is read is written as it was, but for unknown
// KEMs.
func FuzzParseKeys(f *testing.F) {
	f.Add([]byte("\x00\x29\x01\x00\x20" + strings.Repeat("k", 32) + "\x00\x04\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := ParseKeys(data)
		if err != nil {
			return
		}
		out, err := MarshalKeys(keys)
		if err != nil || len(out) > len(data) {
			t.Fatalf("%x is written as %x, %v", data, out, err)
		}
		again, err := ParseKeys(out)
		if err != nil || len(again) != len(keys) {
			t.Fatalf("%x: %d keys, then %d, %v", data, len(keys), len(again), err)
		}
	})
}

// FuzzOpen: a gateway takes any bytes from strangers.
func FuzzOpen(f *testing.F) {
	g, config := gateway(f, suite.X25519AES128GCMSHA256Ed25519)
	encapsulated, _, err := Encapsulate(seeded(f, suite.X25519AES128GCMSHA256Ed25519, "client"), config, []byte("question"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encapsulated)
	f.Fuzz(func(t *testing.T, data []byte) {
		request, r, err := g.Open(data)
		if (err == nil) != (r != nil) || err != nil && request != nil {
			t.Fatalf("Open = %x, %v, %v", request, r, err)
		}
	})
}
