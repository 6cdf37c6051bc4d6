package des

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var (
	_ rand.Source = (*Rand)(nil)
	_ io.Reader   = (*Rand)(nil)
)

// The output of the authors' reference implementation from the state 1, 2, 3, 4
// (https://prng.di.unimi.it/xoshiro256plusplus.c), which the tests of rand_xoshiro
// and others pin too.
func TestXoshiroReferenceOutput(t *testing.T) {
	t.Parallel()
	r := Rand{1, 2, 3, 4}
	for i, want := range []uint64{
		41943041, 58720359, 3588806011781223, 3591011842654386, 9228616714210784205,
		9973669472204895162, 14011001112246962877, 12406186145184390807,
		15849039046786891736, 10450023813501588000,
	} {
		if got := r.Uint64(); got != want {
			t.Fatalf("draw %d: %d, want %d", i, got, want)
		}
	}
}

// The values come from a second implementation of NewStream's formula, on
// Python's hashlib.
func TestNewStream(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		seed uint64
		name string
		want [2]uint64
	}{
		{1, "link/a/b/loss", [2]uint64{0x8079d39ea71825a5, 0xf1846887217dc0da}},
		{1, "link/a/b/delay", [2]uint64{0xf8d5e0532de7c3e9, 0xfcca5fadd625ea8e}},
		{2, "link/a/b/loss", [2]uint64{0xd59578f012c4ac48, 0x9a0bbce0080c9c28}},
		{0, "", [2]uint64{0x785ef8c14f69542b, 0x9f2bdd6831b03b8d}},
	} {
		r := NewStream(c.seed, c.name)
		if got := [2]uint64{r.Uint64(), r.Uint64()}; got != c.want {
			t.Errorf("stream %q under seed %d: %#x, want %#x", c.name, c.seed, got, c.want)
		}
	}
}

func TestStreamsDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	k := New(42)
	if k.Seed() != 42 {
		t.Errorf("seed %d, want 42", k.Seed())
	}
	alone := NewStream(42, "a")
	for i := range 100 {
		if i%10 == 0 {
			k.Stream("b").Uint64()
			k.Stream(string(rune('c' + i))).Uint64()
		}
		if got, want := k.Stream("a").Uint64(), alone.Uint64(); got != want {
			t.Fatalf("draw %d of a beside other streams: %#x, alone %#x", i, got, want)
		}
	}
}

func draws(n int, draw func() float64) []float64 {
	xs := make([]float64, n)
	for i := range xs {
		xs[i] = draw()
	}
	return xs
}

// checkKS fails if the sample's empirical distribution departs from cdf by more
// than a true sample does in one case of 10 000 (Kolmogorov's distribution:
// P(D sqrt(n) > 2.23) = 2 exp(-2 2.23^2)).
func checkKS(t *testing.T, xs []float64, cdf func(float64) float64) {
	t.Helper()
	slices.Sort(xs)
	n := float64(len(xs))
	d := 0.0
	for i, x := range xs {
		f := cdf(x)
		d = max(d, f-float64(i)/n, float64(i+1)/n-f)
	}
	if d*math.Sqrt(n) > 2.23 {
		t.Errorf("distance %g from the distribution at %d draws: %g of Kolmogorov's, want <= 2.23", d, len(xs), d*math.Sqrt(n))
	}
}

// checkShare fails if hits of n, each with probability p, lie more than 4
// standard deviations from n*p (one case of 16 000).
func checkShare(t *testing.T, what string, hits, n int, p float64) {
	t.Helper()
	want := float64(n) * p
	if dev := (float64(hits) - want) / math.Sqrt(want*(1-p)); math.Abs(dev) > 4 {
		t.Errorf("%s: %d of %d, want %.0f: %.1f standard deviations", what, hits, n, want, dev)
	}
}

func TestDistributions(t *testing.T) {
	t.Parallel()
	const n = 200_000
	phi := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	for _, c := range []struct {
		name string
		draw func(*Rand) float64
		cdf  func(float64) float64
	}{
		{"uniform", (*Rand).Float64, func(x float64) float64 { return x }},
		{"exponential", func(r *Rand) float64 { return r.Exp(3) }, func(x float64) float64 { return -math.Expm1(-x / 3) }},
		{"normal", func(r *Rand) float64 { return r.Normal(-2, 0.5) }, func(x float64) float64 { return phi((x + 2) / 0.5) }},
		{"normal tail", (*Rand).normalTail, func(x float64) float64 { return 1 - phi(-x)/phi(-normalR) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := NewStream(1, c.name)
			checkKS(t, draws(n, func() float64 { return c.draw(r) }), c.cdf)
		})
	}
}

// TestTails counts what lies beyond the rectangles of the ziggurats, which the
// distance of Kolmogorov hardly sees.
func TestTails(t *testing.T) {
	t.Parallel()
	const n = 5_000_000
	r := NewStream(1, "tails")
	var left, right, beyond, far int
	for range n {
		if x := r.Normal(0, 1); x > normalR {
			right++
		} else if x < -normalR {
			left++
		}
		if x := r.Exp(1); x > exponentialR {
			beyond++
			if x > exponentialR+1 {
				far++
			}
		}
	}
	p := math.Erfc(normalR/math.Sqrt2) / 2
	checkShare(t, "normal above r", right, n, p)
	checkShare(t, "normal below -r", left, n, p)
	checkShare(t, "exponential above r", beyond, n, math.Exp(-exponentialR))
	checkShare(t, "exponential above r+1", far, n, math.Exp(-exponentialR-1))
}

// TestLayersHaveOneArea: the layers are a ziggurat only if the last one, which
// closes it at f(0) = 1, has the area of the first.
func TestLayersHaveOneArea(t *testing.T) {
	t.Parallel()
	for name, z := range map[string]*ziggurat{"normal": normalLayers, "exponential": exponentialLayers} {
		v := z.x[0] * z.y[1]
		for i := 1; i < 256; i++ {
			if a := z.x[i] * (z.y[i+1] - z.y[i]); math.Abs(a-v) > 1e-9 {
				t.Errorf("%s: layer %d has area %g, want %g", name, i, a, v)
			}
		}
	}
}

func TestIntN(t *testing.T) {
	t.Parallel()
	const n = 100_000
	r := NewStream(1, "intn")
	var count [7]int
	low := 0
	for range n {
		count[r.IntN(7)]++
		// 2^64 is 2.67 times this: a plain remainder would be below a third of it
		// in 3 of 8 cases.
		if r.IntN(3<<61) < 1<<61 {
			low++
		}
		if x := r.IntN(1); x != 0 {
			t.Fatalf("IntN(1) = %d", x)
		}
	}
	for i, c := range count {
		checkShare(t, "IntN(7) = "+string(rune('0'+i)), c, n, 1./7)
	}
	checkShare(t, "IntN(3<<61) in the lowest third", low, n, 1./3)
}

func TestBool(t *testing.T) {
	t.Parallel()
	const n = 100_000
	r, same := NewStream(1, "bool"), NewStream(1, "bool")
	hits := 0
	for range n {
		if r.Bool(0.01) {
			hits++
		}
		if r.Bool(0) || r.Bool(-1) || !r.Bool(1) || !r.Bool(2) {
			t.Fatal("a certain outcome did not come")
		}
	}
	checkShare(t, "Bool(0.01)", hits, n, 0.01)
	for range 5 * n {
		same.Uint64()
	}
	if r.Uint64() != same.Uint64() {
		t.Error("Bool draws otherwise than once")
	}
}

func TestShuffle(t *testing.T) {
	t.Parallel()
	const n = 240_000
	r := NewStream(1, "shuffle")
	count := make(map[string]int)
	for range n {
		b := []byte("abcd")
		r.Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
		count[string(b)]++
	}
	if len(count) != 24 {
		t.Fatalf("%d orders of 4 elements, want 24", len(count))
	}
	for s, c := range count {
		checkShare(t, s, c, n, 1./24)
	}
	r.Shuffle(0, nil)
	r.Shuffle(1, nil)
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 7, 8, 9, 16, 100} {
		a, b := NewStream(1, "read"), NewStream(1, "read")
		got := make([]byte, n)
		if m, err := a.Read(got); m != n || err != nil {
			t.Fatalf("Read of %d bytes: %d, %v", n, m, err)
		}
		var want []byte
		for len(want) < n {
			want = binary.LittleEndian.AppendUint64(want, b.Uint64())
		}
		if !bytes.Equal(got, want[:n]) {
			t.Errorf("%d bytes: %x, want %x", n, got, want[:n])
		}
		if a.Uint64() != b.Uint64() {
			t.Errorf("%d bytes cost otherwise than %d draws", n, (n+7)/8)
		}
	}
}

func TestRefusedRanges(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(*Rand){
		"IntN(0)":     func(r *Rand) { r.IntN(0) },
		"IntN(-1)":    func(r *Rand) { r.IntN(-1) },
		"Shuffle(-1)": func(r *Rand) { r.Shuffle(-1, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f(NewStream(1, ""))
		})
	}
}

// TestFork: whatever is drawn from the fork, the parent is four draws on.
func TestFork(t *testing.T) {
	t.Parallel()
	a, b := NewStream(1, "fork"), NewStream(1, "fork")
	f := a.Fork()
	first := f.Uint64()
	for range 4 {
		if b.Uint64() == first {
			t.Error("the fork repeats its parent")
		}
	}
	if a.Uint64() != b.Uint64() {
		t.Error("Fork costs otherwise than four draws")
	}
	checkKS(t, draws(100_000, func() float64 { f := a.Fork(); return f.Float64() }), func(x float64) float64 { return x })
}
