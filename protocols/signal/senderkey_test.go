package signal

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

var layouts = map[string]Layout{"whatsapp": LayoutWhatsApp, "official": LayoutOfficial}

func sampleSenderKeyMessage(l Layout) SenderKeyMessage {
	m := SenderKeyMessage{ChainID: 1 << 30, Iteration: 300, Ciphertext: make([]byte, 16)}
	if l == LayoutOfficial {
		m.DistributionID[0] = 1
	}
	m.Signature[63] = 1
	return m
}

func sampleDistribution(l Layout) SenderKeyDistribution {
	d := SenderKeyDistribution{ChainID: 1 << 30, Iteration: 300}
	if l == LayoutOfficial {
		d.DistributionID[0] = 1
	}
	d.ChainKey[0], d.SigningKey[0] = 2, 3
	return d
}

func TestSenderKeySizes(t *testing.T) {
	t.Parallel()
	for name, l := range layouts {
		m, d := sampleSenderKeyMessage(l), sampleDistribution(l)
		uuid := int(l) * 18
		if got, want := len(l.AppendSenderKeyMessage(nil, &m)), 1+uuid+6+3+18+SignatureSize; got != want {
			t.Errorf("%s: SenderKeyMessage of %d bytes, want %d", name, got, want)
		}
		if got, want := len(l.AppendDistribution(nil, &d)), 1+uuid+6+3+34+35; got != want {
			t.Errorf("%s: SenderKeyDistributionMessage of %d bytes, want %d", name, got, want)
		}
	}
}

func TestSenderKeyRoundTrip(t *testing.T) {
	t.Parallel()
	for name, l := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, d := sampleSenderKeyMessage(l), sampleDistribution(l)
			b := l.AppendSenderKeyMessage(nil, &m)
			if got, err := l.ParseSenderKeyMessage(b); err != nil || !bytes.Equal(l.AppendSenderKeyMessage(nil, &got), b) {
				t.Errorf("%+v, %v", got, err)
			}
			if signed := l.AppendSigned(nil, &m); !bytes.Equal(signed, b[:len(b)-SignatureSize]) {
				t.Errorf("signed part is %x of %x", signed, b)
			}
			if got, err := l.ParseDistribution(l.AppendDistribution(nil, &d)); err != nil || got != d {
				t.Errorf("distribution: %v, %v", got.ChainID, err)
			}
		})
	}
}

func TestSenderKeyRefused(t *testing.T) {
	t.Parallel()
	for name, l := range layouts {
		m, d := sampleSenderKeyMessage(l), sampleDistribution(l)
		message, distribution := l.AppendSenderKeyMessage(nil, &m), l.AppendDistribution(nil, &d)
		other := LayoutOfficial - l
		tests := []struct {
			name string
			err  func() error
		}{
			{"empty message", func() error { _, err := l.ParseSenderKeyMessage(nil); return err }},
			{"message of the other layout", func() error { _, err := other.ParseSenderKeyMessage(message); return err }},
			{"message of another version", func() error {
				_, err := l.ParseSenderKeyMessage(append([]byte{0x34}, message[1:]...))
				return err
			}},
			{"message without its signature", func() error {
				_, err := l.ParseSenderKeyMessage(message[:len(message)-SignatureSize])
				return err
			}},
			{"ciphertext of 17 bytes", func() error {
				m := m
				m.Ciphertext = make([]byte, 17)
				_, err := l.ParseSenderKeyMessage(l.AppendSenderKeyMessage(nil, &m))
				return err
			}},
			{"empty distribution", func() error { _, err := l.ParseDistribution(nil); return err }},
			{"distribution of the other layout", func() error { _, err := other.ParseDistribution(distribution); return err }},
			{"distribution of another version", func() error {
				_, err := l.ParseDistribution(append([]byte{0x23}, distribution[1:]...))
				return err
			}},
			{"distribution cut short", func() error { _, err := l.ParseDistribution(distribution[:len(distribution)-1]); return err }},
			{"distribution without signing key", func() error { _, err := l.ParseDistribution(distribution[:len(distribution)-35]); return err }},
			{"signing key beyond the prime", func() error {
				d := d
				d.SigningKey[31] = 0x80
				_, err := l.ParseDistribution(l.AppendDistribution(nil, &d))
				return err
			}},
		}
		for _, test := range tests {
			t.Run(name+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				if err := test.err(); !errors.Is(err, ErrFormat) {
					t.Errorf("error %v", err)
				}
			})
		}
	}
}

func TestDistributionHidesItsKey(t *testing.T) {
	t.Parallel()
	d := sampleDistribution(LayoutWhatsApp)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		if got := fmt.Sprintf(verb, d); got != "signal.SenderKeyDistribution(hidden)" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

func FuzzParseSenderKeyMessage(f *testing.F) {
	for _, l := range layouts {
		m := sampleSenderKeyMessage(l)
		f.Add(uint8(l), l.AppendSenderKeyMessage(nil, &m))
	}
	f.Fuzz(func(t *testing.T, layout uint8, b []byte) {
		l := Layout(layout % 2)
		m, err := l.ParseSenderKeyMessage(b)
		if err != nil {
			return
		}
		again := l.AppendSenderKeyMessage(nil, &m)
		if len(again) != len(b) {
			t.Errorf("%x parsed, written as %x", b, again)
		}
		if m2, err := l.ParseSenderKeyMessage(again); err != nil || !bytes.Equal(l.AppendSenderKeyMessage(nil, &m2), again) {
			t.Errorf("%x does not parse as it was written: %v", again, err)
		}
	})
}

func FuzzParseDistribution(f *testing.F) {
	for _, l := range layouts {
		d := sampleDistribution(l)
		f.Add(uint8(l), l.AppendDistribution(nil, &d))
	}
	f.Fuzz(func(t *testing.T, layout uint8, b []byte) {
		l := Layout(layout % 2)
		d, err := l.ParseDistribution(b)
		if err != nil {
			return
		}
		again := l.AppendDistribution(nil, &d)
		if len(again) != len(b) {
			t.Errorf("%x parsed, written as %x", b, again)
		}
		if d2, err := l.ParseDistribution(again); err != nil || d2 != d {
			t.Errorf("%x does not parse as it was written: %v", again, err)
		}
	})
}
