package suite

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"testing"
	"time"
)

func newSized(t testing.TB, id ID, label string) *Sized {
	t.Helper()
	s, err := NewSized(id, testSeed, label, reference(id))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lengths returns the lengths in a transcript, in order.
func lengths(transcript []byte) string {
	var b bytes.Buffer
	for _, line := range bytes.Split(transcript, []byte("\n")) {
		n, _, _ := bytes.Cut(line, []byte(":"))
		fmt.Fprintf(&b, "%s ", n)
	}
	return b.String()
}

// TestSizedSizes compares with the real suite.
func TestSizedSizes(t *testing.T) {
	t.Parallel()
	for _, id := range IDs() {
		switch registry[id].sign {
		case ed25519Sign, ed448Sign:
			seeded, err := NewSeeded(id, testSeed, "")
			if err != nil {
				t.Fatal(err)
			}
			if got, want := lengths(transcript(t, newSized(t, id, ""))), lengths(transcript(t, seeded)); got != want {
				t.Errorf("%v: sizes %s, want %s", id, got, want)
			}
		}
	}
}

// TestSizedSignatureSizes: ECDSA signatures vary in length as real ones do.
func TestSizedSignatureSizes(t *testing.T) {
	t.Parallel()
	n := 1000
	if testing.Short() {
		n = 300
	}
	for _, id := range []ID{P256AES128GCMSHA256P256, P384AES256GCMSHA384P384} {
		t.Run(id.String(), func(t *testing.T) {
			t.Parallel()
			seeded, err := NewSeeded(id, testSeed, "")
			if err != nil {
				t.Fatal(err)
			}
			longest := id.Sizes().Signature
			count := func(s Suite, n int) (shares [3]float64, most int) {
				pair := generate(t, s.GenerateSigner)
				for i := range n {
					sig, err := s.Sign(pair.Private, []byte{byte(i), byte(i >> 8)})
					if err != nil {
						t.Fatal(err)
					}
					shares[min(longest-len(sig), 2)] += 1 / float64(n)
					most = max(most, len(sig))
				}
				return shares, most
			}
			want, _ := count(seeded, n)
			got, most := count(newSized(t, id, ""), 10*n)
			if most != longest {
				t.Errorf("longest signature has %d bytes, want %d", most, longest)
			}
			for i := range got {
				// Four standard deviations of the real sample.
				if limit := 4 * math.Sqrt(want[i]*(1-want[i])/float64(n)); math.Abs(got[i]-want[i]) > limit {
					t.Errorf("share of signatures %d bytes short of the longest = %.3f, want %.3f +- %.3f", i, got[i], want[i], limit)
				}
			}
		})
	}
}

// TestSizedReplays: the outputs are a function of seed and label, and pinned, as
// those of a seeded suite are.
func TestSizedReplays(t *testing.T) {
	t.Parallel()
	all := sha256.New()
	for _, id := range IDs() {
		first := transcript(t, newSized(t, id, "a"))
		all.Write(first)
		if !bytes.Equal(first, transcript(t, newSized(t, id, "a"))) {
			t.Errorf("%v: the same seed and label give different outputs", id)
		}
		if bytes.Equal(first, transcript(t, newSized(t, id, "b"))) {
			t.Errorf("%v: different labels give the same outputs", id)
		}
	}
	const pinned = "cdd45eb324cbba0a773b79904af0c3e8a5e388f00e5727fe43be5e448c6cf62b"
	if got := hex.EncodeToString(all.Sum(nil)); got != pinned {
		t.Errorf("SHA-256 of the outputs = %s, want %s", got, pinned)
	}
}

// TestSizedLooksRandom: a compressor gains nothing on a ciphertext, as on a real
// one, whatever the plaintext.
func TestSizedLooksRandom(t *testing.T) {
	t.Parallel()
	s := newSized(t, X25519AES128GCMSHA256Ed25519, "")
	aead, err := s.AEAD(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"ciphertext of zeros": aead.Seal(nil, make([]byte, 12), make([]byte, 10000), nil),
		"expanded zeros":      s.Expand(make([]byte, 32), nil, 8000),
	} {
		var out bytes.Buffer
		w, err := flate.NewWriter(&out, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if out.Len() < len(b) {
			t.Errorf("%s: %d bytes compress to %d", name, len(b), out.Len())
		}
		var ones int
		for _, c := range b {
			for ; c > 0; c &= c - 1 {
				ones++
			}
		}
		if share := float64(ones) / float64(8*len(b)); math.Abs(share-0.5) > 0.01 {
			t.Errorf("%s: share of ones = %.3f, want 0.5", name, share)
		}
	}
}

// TestSizedCollisions: related inputs have different hashes, of which only 8 bytes
// are kept. By chance one of these 2^18 collides with a probability of 2e-9.
func TestSizedCollisions(t *testing.T) {
	t.Parallel()
	s := newSized(t, X25519AES128GCMSHA256Ed25519, "")
	seen := make(map[[8]byte]int, 1<<18)
	buf := make([]byte, 0, 32)
	for i := range 1 << 18 {
		data := make([]byte, 1+i%64)
		data[i%len(data)] = byte(i >> 6)
		copy(data[len(data)/2:], fmt.Sprint(i))
		data = append(data, byte(i), byte(i>>8), byte(i>>16))
		sum := [8]byte(s.Hash(buf, data))
		if j, ok := seen[sum]; ok {
			t.Fatalf("inputs %d and %d collide", i, j)
		}
		seen[sum] = i
	}
}

// TestSizedSpends: virtual time follows what was counted, and the same course of
// operations costs the same in a counted real suite.
func TestSizedSpends(t *testing.T) {
	t.Parallel()
	for _, id := range IDs() {
		sized := newSized(t, id, "")
		if sized.Spent() != 0 {
			t.Errorf("%v: spent %v before the first operation", id, sized.Spent())
		}
		transcript(t, sized)
		seeded, err := NewSeeded(id, testSeed, "")
		if err != nil {
			t.Fatal(err)
		}
		counting := NewCounting(seeded)
		transcript(t, counting)
		if sized.Counts() != counting.Counts() {
			t.Errorf("%v: counts %v, want %v", id, sized.Counts(), counting.Counts())
		}
		model := reference(id)
		if got, want := sized.Spent(), model.Time(counting.Counts()); got != want || got <= 0 {
			t.Errorf("%v: spent %v, want %v", id, got, want)
		}
	}
}

func TestCostModel(t *testing.T) {
	t.Parallel()
	m := CostModel{OpHash: {Fixed: 100, PerKiB: 2048}, OpDH: {Fixed: 1000}}
	var c Counts
	c[OpHash], c[OpDH] = Count{3, 512}, Count{2, 0}
	if got, want := m.Time(c), 300+1024+2000*time.Nanosecond; got != want {
		t.Errorf("Time = %v, want %v", got, want)
	}
	double := m.Scale(2)
	if got, want := double.Time(c), 2*m.Time(c); got != want {
		t.Errorf("Time of the doubled model = %v, want %v", got, want)
	}
	for _, id := range IDs() {
		server, err := NewCostModel(id, Server)
		if err != nil {
			t.Fatal(err)
		}
		for op, cost := range server {
			if cost.Fixed <= 0 {
				t.Errorf("%v: %v costs %v, want a positive time", id, Op(op), cost.Fixed)
			}
			if (cost.PerKiB > 0) != perByte(Op(op)) {
				t.Errorf("%v: %v costs %v per KiB, want a positive time exactly if it counts bytes", id, Op(op), cost.PerKiB)
			}
		}
		phone, err := NewCostModel(id, Phone)
		if err != nil {
			t.Fatal(err)
		}
		if phone != server.Scale(3) {
			t.Errorf("%v: a phone is not three times slower than a server", id)
		}
	}
	if _, err := NewCostModel(0, Server); err == nil {
		t.Error("NewCostModel of suite 0 succeeds")
	}
	if _, err := NewCostModel(1, 99); err == nil {
		t.Error("NewCostModel of device 99 succeeds")
	}
}

// perByte reports whether an operation counts bytes.
func perByte(op Op) bool {
	switch op {
	case OpRand, OpHash, OpHMAC, OpExtract, OpExpand, OpAEADSeal, OpAEADOpen,
		OpHPKESeal, OpHPKEOpen, OpHPKEOpenWith, OpHPKESend, OpHPKEReceive, OpSign, OpVerify, OpVerifyBatched:
		return true
	}
	return false
}

func TestDevice(t *testing.T) {
	t.Parallel()
	for d := range devices {
		if got, err := ParseDevice(Device(d).String()); err != nil || got != Device(d) {
			t.Errorf("ParseDevice(%v) = %v, %v", Device(d), got, err)
		}
	}
	if _, err := ParseDevice("toaster"); err == nil {
		t.Error("ParseDevice(toaster) succeeds")
	}
	if got := Device(99).String(); got != "Device(99)" {
		t.Errorf("String() = %q", got)
	}
}
