package signal

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func sampleMessage() Message {
	m := Message{Version: VersionByte, Counter: 300, PreviousCounter: 2, Ciphertext: make([]byte, 32)}
	m.RatchetKey[0], m.MAC[7] = 9, 1
	return m
}

func samplePreKeyMessage() PreKeyMessage {
	inner := sampleMessage()
	m := PreKeyMessage{
		Version: VersionByte, RegistrationID: 12345, HasPreKey: true, SignedPreKeyID: 1,
		Message: inner.Append(nil),
	}
	m.BaseKey[3], m.IdentityKey[5] = 1, 2
	return m
}

// TestMessageSize is what the package comment says of sizes.
func TestMessageSize(t *testing.T) {
	t.Parallel()
	m := sampleMessage()
	const want = 1 + 35 + 3 + 2 + 2 + 32 + MACSize
	if got := m.Append(nil); len(got) != want {
		t.Errorf("SignalMessage of %d bytes, want %d: %x", len(got), want, got)
	}
	p := samplePreKeyMessage()
	const wantPreKey = 1 + 2 + 35 + 35 + 2 + want + 3 + 2
	if got := p.Append(nil); len(got) != wantPreKey {
		t.Errorf("PreKeySignalMessage of %d bytes, want %d: %x", len(got), wantPreKey, got)
	}
}

// TestPreKeyIDZero is about an id that some implementations take for none.
func TestPreKeyIDZero(t *testing.T) {
	t.Parallel()
	for _, has := range []bool{false, true} {
		m := samplePreKeyMessage()
		m.HasPreKey = has
		got, err := ParsePreKeyMessage(m.Append(nil))
		if err != nil || got.HasPreKey != has || got.PreKeyID != 0 {
			t.Errorf("HasPreKey = %v, %v, want %v", got.HasPreKey, err, has)
		}
	}
}

func TestParseMessageRefuses(t *testing.T) {
	t.Parallel()
	valid := sampleMessage()
	b := valid.Append(nil)
	if _, err := ParseMessage(b); err != nil {
		t.Fatal(err)
	}
	// The fields between version byte and MAC, replaced or extended.
	body := b[1 : len(b)-MACSize]
	with := func(body ...[]byte) []byte {
		out := append([]byte{VersionByte}, bytes.Join(body, nil)...)
		return append(out, valid.MAC[:]...)
	}
	key := body[:35]
	counters := body[35:40]
	ciphertext := body[40:]
	varint := func(field protowire.Number, value ...byte) []byte {
		return append([]byte{byte(field)<<3 | byte(protowire.VarintType)}, value...)
	}
	blob := func(field protowire.Number, value []byte) []byte {
		return appendBytes(nil, field, value)
	}
	high := append([]byte{keyTypeDJB}, bytes.Repeat([]byte{0xff}, 32)...)
	prime := bytes.Clone(high)
	prime[1], prime[32] = 0xed, 0x7f
	tests := []struct {
		name string
		b    []byte
	}{
		{"empty", nil},
		{"one byte", []byte{VersionByte}},
		{"MAC only", b[len(b)-MACSize:]},
		{"version 2", append([]byte{0x23}, b[1:]...)},
		{"version 4", append([]byte{0x44}, b[1:]...)},
		{"no fields", with()},
		{"no ratchet key", with(counters, ciphertext)},
		{"no counters", with(key, ciphertext)},
		{"no ciphertext", with(key, counters)},
		{"ratchet key twice", with(key, key, counters, ciphertext)},
		{"empty ratchet key", with(blob(1, nil), counters, ciphertext)},
		{"ratchet key of one byte", with(blob(1, []byte{keyTypeDJB, 9}), counters, ciphertext)},
		{"ratchet key of 34 bytes", with(blob(1, make([]byte, 34)), counters, ciphertext)},
		{"key of another type", with(blob(1, append([]byte{6}, make([]byte, 32)...)), counters, ciphertext)},
		{"key with the top bit set", with(blob(1, high), counters, ciphertext)},
		{"key equal to the prime", with(blob(1, prime), counters, ciphertext)},
		{"empty ciphertext", with(key, counters, blob(4, nil))},
		{"ciphertext of 15 bytes", with(key, counters, blob(4, make([]byte, 15)))},
		{"ciphertext of 17 bytes", with(key, counters, blob(4, make([]byte, 17)))},
		{"unknown field", with(body, varint(5, 0))},
		{"field 0", with(body, varint(0, 0))},
		{"counter as bytes", with(key, blob(2, []byte{1}), varint(3, 0), ciphertext)},
		{"counter of 33 bits", with(key, varint(2, 0x80, 0x80, 0x80, 0x80, 0x10), varint(3, 0), ciphertext)},
		{"counter spelt too long", with(key, varint(2, 0x80, 0x00), varint(3, 0), ciphertext)},
		{"cut in a field", with(body[:len(body)-1])},
		{"trailing byte", with(body, []byte{0})},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if m, err := ParseMessage(test.b); !errors.Is(err, ErrFormat) {
				t.Errorf("parsed %+v, %v", m, err)
			}
		})
	}
}

func TestParsePreKeyMessageRefuses(t *testing.T) {
	t.Parallel()
	change := func(f func(m *PreKeyMessage)) []byte {
		m := samplePreKeyMessage()
		f(&m)
		return m.Append(nil)
	}
	tests := []struct {
		name string
		b    []byte
	}{
		{"empty", nil},
		{"version byte only", []byte{VersionByte}},
		{"no message", change(func(m *PreKeyMessage) { m.Message = nil })},
		{"message cut", change(func(m *PreKeyMessage) { m.Message = m.Message[:20] })},
		{"other version than the message", change(func(m *PreKeyMessage) { m.Version = VersionByteOfV4 })},
		{"base key beyond the prime", change(func(m *PreKeyMessage) { m.BaseKey[31] = 0x80 })},
		{"identity key beyond the prime", change(func(m *PreKeyMessage) { m.IdentityKey[31] = 0xff })},
		{"Kyber prekey id", appendInt(change(func(*PreKeyMessage) {}), 7, 1)},
		{"signed prekey id twice", appendInt(change(func(*PreKeyMessage) {}), 6, 1)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if m, err := ParsePreKeyMessage(test.b); !errors.Is(err, ErrFormat) {
				t.Errorf("parsed %+v, %v", m, err)
			}
		})
	}
}

// TestVersionByteOfV4 is about version 3 messages of clients that know version 4.
func TestVersionByteOfV4(t *testing.T) {
	t.Parallel()
	inner := sampleMessage()
	inner.Version = VersionByteOfV4
	m := samplePreKeyMessage()
	m.Version, m.Message = VersionByteOfV4, inner.Append(nil)
	got, err := ParsePreKeyMessage(m.Append(nil))
	if err != nil || got.Version != VersionByteOfV4 {
		t.Errorf("version %#x, %v", got.Version, err)
	}
}

func FuzzParseMessage(f *testing.F) {
	m := sampleMessage()
	f.Add(m.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMessage(b)
		if err != nil {
			if m.Ciphertext != nil {
				t.Error("a message and an error")
			}
			return
		}
		// Fields may come in any order, so the spelling may differ, not the size.
		again := m.Append(nil)
		if len(again) != len(b) {
			t.Errorf("%x parsed, written as %x", b, again)
		}
		if m2, err := ParseMessage(again); err != nil || !bytes.Equal(m2.Append(nil), again) {
			t.Errorf("%x does not parse as it was written: %v", again, err)
		}
	})
}

func FuzzParsePreKeyMessage(f *testing.F) {
	m := samplePreKeyMessage()
	f.Add(m.Append(nil))
	m.HasPreKey = false
	f.Add(m.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParsePreKeyMessage(b)
		if err != nil {
			return
		}
		again := m.Append(nil)
		if len(again) != len(b) {
			t.Errorf("%x parsed, written as %x", b, again)
		}
		if m2, err := ParsePreKeyMessage(again); err != nil || !bytes.Equal(m2.Append(nil), again) {
			t.Errorf("%x does not parse as it was written: %v", again, err)
		}
	})
}

func BenchmarkParsePreKeyMessage(b *testing.B) {
	m := samplePreKeyMessage()
	inner := sampleMessage()
	inner.Ciphertext = make([]byte, 1040)
	m.Message = inner.Append(nil)
	wire := m.Append(nil)
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParsePreKeyMessage(wire); err != nil {
			b.Fatal(err)
		}
	}
}
