package signal

import (
	"bytes"
	"errors"
	"testing"
)

// TestStaticLayout is the drawing at Static.
func TestStaticLayout(t *testing.T) {
	t.Parallel()
	s := Static{RegistrationID: 0x01020304, SignedPreKeyID: 0x050607}
	s.IdentityKey[0], s.SignedPreKey[0], s.Signature[0] = 8, 9, 10
	want := make([]byte, StaticSize)
	copy(want, []byte{1, 2, 3, 4, 8})
	copy(want[36:], []byte{5, 6, 7, 9})
	want[71] = 10
	b := s.Append(nil)
	if !bytes.Equal(b, want) {
		t.Errorf("written %x, want %x", b, want)
	}
	if got, err := ParseStatic(b); err != nil || got != s {
		t.Errorf("parsed %+v, %v", got, err)
	}
}

func TestMaterialRefused(t *testing.T) {
	t.Parallel()
	static := func(f func(b []byte)) []byte {
		b := make([]byte, StaticSize)
		f(b)
		return b
	}
	for name, b := range map[string][]byte{
		"empty":                          nil,
		"short":                          make([]byte, StaticSize-1),
		"long":                           make([]byte, StaticSize+1),
		"identity beyond the prime":      static(func(b []byte) { b[35] = 0x80 }),
		"signed prekey beyond the prime": static(func(b []byte) { b[70] = 0x80 }),
		"reserved id":                    static(func(b []byte) { b[36], b[37], b[38] = 0xff, 0xff, 0xff }),
	} {
		if _, err := ParseStatic(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{
		"empty":            nil,
		"with type byte":   make([]byte, PublicKeySize),
		"beyond the prime": bytes.Repeat([]byte{0xff}, 32),
	} {
		if _, err := ParseOneTime(b); !errors.Is(err, ErrFormat) {
			t.Errorf("one-time key %s: %v", name, err)
		}
	}
	if _, err := ParseOneTime(make([]byte, 32)); err != nil {
		t.Error(err)
	}
}

func FuzzParseStatic(f *testing.F) {
	f.Add(make([]byte, StaticSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseStatic(b)
		if err == nil && !bytes.Equal(s.Append(nil), b) {
			t.Errorf("%x parsed, written as %x", b, s.Append(nil))
		}
	})
}

func TestPadding(t *testing.T) {
	t.Parallel()
	for n := 1; n <= MaxPadding; n++ {
		content := []byte("content")
		padded := Pad(content[:3], n)
		if string(content) != "content" {
			t.Fatalf("Pad wrote behind its argument: %q", content)
		}
		got, err := Unpad(padded)
		if err != nil || string(got) != "con" || len(padded) != 3+n {
			t.Errorf("n = %d: %q of %q, %v", n, got, padded, err)
		}
	}
	for name, b := range map[string]string{
		"empty":          "",
		"length 0":       "abc\x00",
		"length 17":      "0123456789abcdefgh\x11",
		"beyond content": "\x02",
		"inconsistent":   "abc\x01\x02",
	} {
		if got, err := Unpad([]byte(b)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, n := range []int{0, MaxPadding + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Pad by %d does not panic", n)
				}
			}()
			Pad(nil, n)
		}()
	}
}

func FuzzUnpad(f *testing.F) {
	f.Add([]byte("abc\x02\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		content, err := Unpad(b)
		if err == nil && !bytes.Equal(Pad(content, len(b)-len(content)), b) {
			t.Errorf("%x unpadded to %x", b, content)
		}
	})
}
