package suite

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"
)

// littleEndian returns n in size bytes, the lowest first.
func littleEndian(n *big.Int, size int) []byte {
	b := n.FillBytes(make([]byte, size))
	slices.Reverse(b)
	return b
}

// TestCheckPublicKey: a key is refused exactly if it can't be used, which a DH tells
// (RFC 9180, Sections 7.1.4 and 7.1.2).
func TestCheckPublicKey(t *testing.T) {
	t.Parallel()
	one := big.NewInt(1)
	p25519 := new(big.Int).Sub(new(big.Int).Lsh(one, 255), big.NewInt(19))
	p448 := new(big.Int).Sub(new(big.Int).Sub(new(big.Int).Lsh(one, 448), new(big.Int).Lsh(one, 224)), one)
	for _, id := range IDs() {
		s, err := NewStd(id)
		if err != nil {
			t.Fatal(err)
		}
		pair := generate(t, s.GenerateKeyPair)
		good := generate(t, s.GenerateKeyPair).Public
		keys := map[string][]byte{"good": good, "empty": {}, "short": good[1:], "long": append(slices.Clone(good), 0)}
		add := func(name string, key []byte) { keys[name] = key }
		size := len(good)
		switch registry[id].kem {
		case kemX25519, kemX448:
			p := p25519
			if size == 56 {
				p = p448
			}
			for d := int64(-3); d <= 3; d++ {
				add(fmt.Sprintf("p%+d", d), littleEndian(new(big.Int).Add(p, big.NewInt(d)), size))
				if d >= 0 {
					add(fmt.Sprint(d), littleEndian(big.NewInt(d), size))
				}
			}
			if size == 32 {
				for i, k := range x25519LowOrder {
					high := []byte(k)
					high[31] |= 0x80
					add(fmt.Sprintf("low order %d", i), []byte(k))
					add(fmt.Sprintf("low order %d with the bit that does not count", i), high)
				}
			} else {
				for i, k := range x448LowOrder {
					add(fmt.Sprintf("low order %d", i), []byte(k))
				}
			}
		default:
			for i := range good {
				add(fmt.Sprintf("off the curve at byte %d", i), flip(good, i))
			}
			add("infinity", make([]byte, size))
			add("compressed", append([]byte{2}, good[1:1+size/2]...))
		}
		refused := 0
		for name, key := range keys {
			_, dh := s.DH(pair.Private, key)
			err := CheckPublicKey(s, key)
			if (dh == nil) != (err == nil) || err != nil && !errors.Is(err, ErrKey) {
				t.Errorf("suite %d, %s %x: error %v, DH says %v", id, name, key, err, dh)
			}
			if err != nil {
				refused++
			}
			if got := CheckPublicKey(NewCounting(s), key); (got == nil) != (err == nil) {
				t.Errorf("suite %d, %s, counted: error %v, want %v", id, name, got, err)
			}
			if got := CheckPublicKey(plain{s}, key); (got == nil) != (len(key) == size) {
				t.Errorf("suite %d, %s of a suite that can't check: error %v", id, name, got)
			}
		}
		if refused < 6 {
			t.Errorf("suite %d: %d keys refused, want those of low order or off the curve", id, refused)
		}
	}
}

func FuzzCheckPublicKey(f *testing.F) {
	f.Add(uint8(0), []byte(x25519LowOrder[5]))
	f.Add(uint8(3), []byte(x448LowOrder[2]))
	f.Fuzz(func(t *testing.T, which uint8, key []byte) {
		id := IDs()[int(which)%len(IDs())]
		s, err := NewStd(id)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := s.DeriveKeyPair(make([]byte, 66))
		if err != nil {
			t.Fatal(err)
		}
		_, dh := s.DH(pair.Private, key)
		if err := CheckPublicKey(s, key); (err == nil) != (dh == nil) {
			t.Fatalf("suite %d, key %x: error %v, DH says %v", id, key, err, dh)
		}
	})
}
