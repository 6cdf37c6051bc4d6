package signal

import (
	"encoding/hex"
	"testing"
)

// TestSafetyNumber uses the values of signalapp/libsignal's own test
// (rust/protocol/src/fingerprint.rs, fingerprint_test_v1).
func TestSafetyNumber(t *testing.T) {
	t.Parallel()
	key := func(s string) (key [32]byte) {
		b, err := hex.DecodeString(s)
		if err != nil || len(b) != 32 {
			t.Fatal("bad test key")
		}
		return [32]byte(b)
	}
	alice := key("06863bc66d02b40d27b8d49ca7c09e9239236f9d7d25d6fcca5ce13c7064d868")
	bob := key("f781b6fb32fed9ba1cf2de978d4d5da28dc34046ae814402b5c0dbd96fda907b")
	const want = "300354477692869396892869876765458257569162576843440918079131"
	if got := SafetyNumber([]byte("+14152222222"), &alice, []byte("+14153333333"), &bob); got != want {
		t.Errorf("Alice sees %s, want %s", got, want)
	}
	if got := SafetyNumber([]byte("+14153333333"), &bob, []byte("+14152222222"), &alice); got != want {
		t.Errorf("Bob sees %s, want %s", got, want)
	}
}

func BenchmarkSafetyNumber(b *testing.B) {
	var key [32]byte
	b.ReportAllocs()
	for b.Loop() {
		SafetyNumber([]byte("a"), &key, []byte("b"), &key)
	}
}
