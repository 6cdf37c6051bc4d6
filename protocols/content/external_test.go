package content_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// ableSuites returns both suites that have AES-128-GCM, and one that has it by size
// alone.
func ableSuites(t *testing.T) []suite.Suite {
	t.Helper()
	one, err1 := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	two, err2 := suite.NewStd(suite.P256AES128GCMSHA256P256)
	sized, err3 := suite.NewSized(suite.X25519AES128GCMSHA256Ed25519, [32]byte{}, t.Name(), suite.CostModel{})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return []suite.Suite{one, two, sized}
}

// TestExternal encrypts an attachment, sends the part, and decrypts what was
// fetched.
func TestExternal(t *testing.T) {
	t.Parallel()
	for _, s := range ableSuites(t) {
		for _, size := range []int{0, 1, 100000} {
			plaintext := bytes.Repeat([]byte{7}, size)
			p, ciphertext, err := content.SealExternal(s, plaintext)
			if err != nil {
				t.Fatal(err)
			}
			if len(ciphertext) != size+16 || p.Size != uint64(size+16) || len(p.AAD) != 0 {
				t.Errorf("%d bytes became %d, and %d by the part", size, len(ciphertext), p.Size)
			}
			m := newMessage(t, s, alice, content.NestedPart{Disposition: content.DispositionAttachment, Part: p})
			b, err := m.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			got, err := content.Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			if opened, err := got.Body.Part.(content.ExternalPart).Open(s, ciphertext); err != nil || !bytes.Equal(opened, plaintext) {
				t.Errorf("opened %d bytes (%v), want %d", len(opened), err, size)
			}
			other, _, err := content.SealExternal(s, plaintext)
			if err != nil || bytes.Equal(other.Key, p.Key) || bytes.Equal(other.Nonce, p.Nonce) {
				t.Errorf("the same key or nonce twice (%v)", err)
			}
		}
	}
}

// TestAES128GCM decrypts test case 4 of the GCM specification (McGrew and Viega,
// The Galois/Counter Mode of Operation, Appendix B), which has an aad.
func TestAES128GCM(t *testing.T) {
	t.Parallel()
	p := content.ExternalPart{
		EncAlg: content.EncAES128GCM,
		Key:    content.SecretKey(raw("feffe9928665731c6d6a8f9467308308")),
		Nonce:  raw("cafebabefacedbaddecaf888"),
		AAD:    raw("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
	}
	ciphertext := raw("42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e" +
		"21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091" + "5bc94fbc3221a5db94fae95ae7121a47")
	want := raw("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" +
		"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")
	if got, err := p.Open(newSuite(t), ciphertext); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %x (%v), want %x", got, err, want)
	}
}

// TestExternalRefused changes what was sent and what was fetched.
func TestExternalRefused(t *testing.T) {
	t.Parallel()
	s := newSuite(t)
	sealed, ciphertext, err := content.SealExternal(s, []byte("attachment"))
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(ciphertext)
	flipped[0] ^= 1
	noHash := func(p *content.ExternalPart) { p.HashAlg, p.ContentHash = content.HashNone, nil }
	for _, tt := range []struct {
		name    string
		change  func(*content.ExternalPart)
		fetched []byte
		want    content.Check
	}{
		{"as sent", func(*content.ExternalPart) {}, ciphertext, 0},
		{"without a hash", noHash, ciphertext, 0},
		{"size of the plaintext", func(p *content.ExternalPart) { p.Size = 10 }, ciphertext, 0},
		{"without a size", func(p *content.ExternalPart) { p.Size = 0 }, ciphertext, 0},
		{"other size", func(p *content.ExternalPart) { p.Size = 11 }, ciphertext, content.CheckContentHash},
		{"size that would wrap", func(p *content.ExternalPart) { p.Size = 1<<64 - 8 }, ciphertext[:8], content.CheckContentHash},
		{"other content", func(*content.ExternalPart) {}, flipped, content.CheckContentHash},
		{"other content without a hash", noHash, flipped, content.CheckOpen},
		{"too short for a tag", func(p *content.ExternalPart) { noHash(p); p.Size = 0 }, ciphertext[:15], content.CheckOpen},
		{"other key", func(p *content.ExternalPart) { p.Key = make([]byte, 16) }, ciphertext, content.CheckOpen},
		{"other nonce", func(p *content.ExternalPart) { p.Nonce = make([]byte, 12) }, ciphertext, content.CheckOpen},
		{"other aad", func(p *content.ExternalPart) { p.AAD = []byte{1} }, ciphertext, content.CheckOpen},
		{"key of 32 bytes", func(p *content.ExternalPart) { p.Key = make([]byte, 32) }, ciphertext, content.CheckEncryption},
		{"no nonce", func(p *content.ExternalPart) { p.Nonce = nil }, ciphertext, content.CheckEncryption},
		{"other algorithm", func(p *content.ExternalPart) { p.EncAlg = 2 }, ciphertext, content.CheckEncryption},
		{"key without algorithm", func(p *content.ExternalPart) { p.EncAlg = content.EncNone }, ciphertext, content.CheckEncryption},
		{"other hash algorithm", func(p *content.ExternalPart) { p.HashAlg = 8 }, ciphertext, content.CheckHash},
		{"hash without algorithm", func(p *content.ExternalPart) { p.HashAlg = content.HashNone }, ciphertext, content.CheckHash},
		{"truncated hash", func(p *content.ExternalPart) { p.ContentHash = p.ContentHash[:31] }, ciphertext, content.CheckContentHash},
	} {
		p := sealed
		tt.change(&p)
		got, err := p.Open(s, tt.fetched)
		if tt.want == 0 && (err != nil || string(got) != "attachment") || tt.want != 0 && (got != nil || !errors.Is(err, tt.want)) {
			t.Errorf("%s: got %q, %v; want %v", tt.name, got, err, tt.want)
		}
	}
	long := make([]byte, content.MaxAttachment+1)
	if _, _, err := content.SealExternal(s, long); !errors.Is(err, content.CheckAttachment) {
		t.Errorf("sealing too much: %v", err)
	}
	if _, err := (content.ExternalPart{}).Open(s, long); !errors.Is(err, content.CheckAttachment) {
		t.Errorf("opening too much: %v", err)
	}
	if got, err := (content.ExternalPart{}).Open(s, []byte("public")); err != nil || string(got) != "public" {
		t.Errorf("what is not encrypted: %q, %v", got, err)
	}
	other, err := suite.NewSeeded(suite.X25519ChaCha20Poly1305SHA256Ed25519, [32]byte{}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := content.SealExternal(other, nil); !errors.Is(err, content.CheckEncryption) {
		t.Errorf("sealing with ChaCha20: %v", err)
	}
	if _, err := sealed.Open(other, ciphertext); !errors.Is(err, content.CheckEncryption) {
		t.Errorf("opening with ChaCha20: %v", err)
	}
	if _, _, err := content.SealExternal(noEntropy{s}, nil); !errors.Is(err, io.EOF) {
		t.Errorf("without entropy: %v, want %v", err, io.EOF)
	}
}

// TestSecretKey proves that no verb prints the key of a part.
func TestSecretKey(t *testing.T) {
	t.Parallel()
	p := content.ExternalPart{Key: []byte("secret")}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		got := fmt.Sprintf(verb, p.Key) + fmt.Sprintf(verb, content.NestedPart{Part: p})
		if !strings.Contains(got, "hidden") || strings.Contains(got, "secret") || strings.Contains(got, "736563") || strings.Contains(got, "115") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

func TestExternalExpired(t *testing.T) {
	t.Parallel()
	p := content.ExternalPart{Expires: uint32(base.Unix())}
	if p.Expired(base.Add(-time.Second)) || !p.Expired(base) || (content.ExternalPart{}).Expired(base) {
		t.Error("want it to expire when it says, or never")
	}
}
