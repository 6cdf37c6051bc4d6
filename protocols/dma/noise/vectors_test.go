package noise

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// fixed is a suite whose next key pair is known.
type fixed struct {
	suite.Suite
	private string // in hex
}

func (f fixed) GenerateKeyPair() (suite.KeyPair, error) { return pairOf(f.Suite, f.private) }

func pairOf(s suite.Suite, private string) (suite.KeyPair, error) {
	p, err := hex.DecodeString(private)
	if err != nil {
		return suite.KeyPair{}, err
	}
	public, err := s.PublicKey(p)
	return suite.KeyPair{Private: p, Public: public}, err
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestVector compares with the vector of Noise_XX_25519_AESGCM_SHA256 that
// github.com/haskell-cryptography/cacophony publishes (vectors/cacophony.txt at
// 8ee9d41e34a1a596cfa3ab12aa4069ff87dc1247; it is in the public domain), which
// github.com/mcginty/snow verifies too.
func TestVector(t *testing.T) {
	t.Parallel()
	const prologue = "John Galt"
	side := func(static, ephemeral string) Config {
		s := newSuite(t, "vector")
		k, err := pairOf(s, static)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := Config{Dialect: Dialect{"vector", prologue, Plain}, Suite: fixed{s, ephemeral}, Static: k}.complete()
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	init := side("e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1", "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a")
	resp := side("4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893", "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b")
	messages := []struct{ payload, ciphertext string }{
		{"4c756477696720766f6e204d69736573", "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d69736573"},
		{"4d757272617920526f746862617264", "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843757117acceb05bd7a45733bc22015c97a9d0cbaf41b80446d5988ff5127235d76b79eade70f473d6a4ef521fdcbeda5340d01e028ba793fc059f2724a83af05f12dda0448a7621a926b379a92477fd"},
		{"462e20412e20486179656b", "c90f1cf77eba4e50edb038991565e36c9758943a989229b6051244dc4fbecb6946744b401af2ee1a5881b65fbb87fd07cb6a328ececc9ce6ce84c399dc332d4fd521fa4bb7f467ce909395"},
		{"4361726c204d656e676572", "bc3fa77f6aca3e8466d7dc6bea10013e88a6a29add5132b461806c"},
		{"4a65616e2d426170746973746520536179", "250b01074cdfe0df2ecf8ccbf1737b15a2ddb5b52fd9a396604e9c793cee3b3bb9"},
		{"457567656e2042f6686d20766f6e2042617765726b", "449d4d433b3cdc3d02bf6fc881774b9df54366ebcffb9689bb13f14709822cd7ef42bcdb4d"},
	}
	i, err := init.start(true)
	if err != nil {
		t.Fatal(err)
	}
	r, err := resp.start(false)
	if err != nil {
		t.Fatal(err)
	}
	var initiator, responder *Channel
	for n, m := range messages[:3] {
		from, to := i, r
		if n == 1 {
			from, to = r, i
		}
		out, send, receive, err := from.WriteMessage(nil, unhex(t, m.payload))
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(out); got != m.ciphertext {
			t.Fatalf("message %d: got %s, want %s", n, got, m.ciphertext)
		}
		got, receiveOther, sendOther, err := to.ReadMessage(nil, out)
		if err != nil || !bytes.Equal(got, unhex(t, m.payload)) {
			t.Fatalf("message %d: read %x, %v", n, got, err)
		}
		if n == 2 {
			initiator = newChannel(send, receive, init.Limits, from.ChannelBinding())
			responder = newChannel(sendOther, receiveOther, resp.Limits, to.ChannelBinding())
		}
	}
	const hash = "1b7aefb1125762aa21a252890d00af54519638b76437444538f9a52f21e2e0dc"
	if got := hex.EncodeToString(initiator.Binding()); got != hash {
		t.Errorf("handshake hash: got %s, want %s", got, hash)
	}
	for n, m := range messages[3:] {
		from, to := responder, initiator
		if n == 1 {
			from, to = initiator, responder
		}
		frame, err := from.Seal(nil, unhex(t, m.payload))
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(frame[HeaderSize:]); got != m.ciphertext {
			t.Errorf("message %d: got %s, want %s", n+3, got, m.ciphertext)
		}
		if got, err := to.Open(frame[HeaderSize:]); err != nil || !bytes.Equal(got, unhex(t, m.payload)) {
			t.Errorf("message %d: opened %x, %v", n+3, got, err)
		}
	}
}
