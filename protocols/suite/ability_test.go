package suite

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// plain hides the abilities of a suite.
type plain struct{ Suite }

// TestOpenBaseWith: knowing the public key changes nothing but the time.
func TestOpenBaseWith(t *testing.T) {
	t.Parallel()
	for _, p := range providers {
		for _, id := range IDs() {
			s, err := p.make(id, t.Name())
			if err != nil {
				t.Fatal(err)
			}
			pair, other := generate(t, s.GenerateKeyPair), generate(t, s.GenerateKeyPair)
			enc, ct, err := s.SealBase(pair.Public, []byte("info"), []byte("aad"), []byte("plaintext"))
			if err != nil {
				t.Fatal(err)
			}
			for name, s := range map[string]Suite{"able": s, "plain": plain{s}} {
				t.Run(fmt.Sprintf("%s/%d/%s", p.name, id, name), func(t *testing.T) {
					open := func(pair KeyPair, enc, ct []byte) ([]byte, error) {
						return OpenBaseWith(s, enc, pair, []byte("info"), []byte("aad"), ct)
					}
					if got, err := open(pair, enc, ct); err != nil || string(got) != "plaintext" {
						t.Errorf("OpenBaseWith = %q, %v, want %q", got, err, "plaintext")
					}
					if got, err := open(other, enc, ct); got != nil || !errors.Is(err, ErrOpen) {
						t.Errorf("with another pair = %q, %v, want ErrOpen", got, err)
					}
					if got, err := open(pair, enc, flip(ct, 0)); got != nil || !errors.Is(err, ErrOpen) {
						t.Errorf("of another ciphertext = %q, %v, want ErrOpen", got, err)
					}
					if got, err := open(pair, enc[1:], ct); got != nil || !errors.Is(err, ErrKey) {
						t.Errorf("of a short enc = %q, %v, want ErrKey", got, err)
					}
					if got, err := open(KeyPair{pair.Private[1:], pair.Public}, enc, ct); got != nil || !errors.Is(err, ErrKey) {
						t.Errorf("with a short private key = %q, %v, want ErrKey", got, err)
					}
				})
			}
		}
	}
	s, err := NewStd(X25519AES128GCMSHA256Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	pair := generate(t, s.GenerateKeyPair)
	for _, public := range [][]byte{nil, pair.Public[1:]} {
		if _, err := OpenBaseWith(s, pair.Public, KeyPair{pair.Private, public}, nil, nil, nil); !errors.Is(err, ErrKey) {
			t.Errorf("with a public key of %d bytes: %v, want ErrKey", len(public), err)
		}
	}
}

// sealJobs makes n jobs, all different, for a few recipients.
func sealJobs(t *testing.T, s Suite, n int) (jobs []SealJob, pairs []KeyPair) {
	t.Helper()
	for range 3 {
		pairs = append(pairs, generate(t, s.GenerateKeyPair))
	}
	for i := range n {
		jobs = append(jobs, SealJob{Public: pairs[i%3].Public, Info: fmt.Append(nil, "info", i),
			AAD: fmt.Append(nil, "aad", i), Plaintext: bytes.Repeat([]byte{byte(i)}, i)})
	}
	return jobs, pairs
}

// TestSealMany compares with SealBase call by call, by two suites of one seed.
func TestSealMany(t *testing.T) {
	t.Parallel()
	for _, p := range providers {
		for _, id := range IDs() {
			for _, able := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%d/able=%v", p.name, id, able), func(t *testing.T) {
					t.Parallel()
					a, err := p.make(id, t.Name())
					if err != nil {
						t.Fatal(err)
					}
					b, err := p.make(id, t.Name())
					if err != nil {
						t.Fatal(err)
					}
					jobs, pairs := sealJobs(t, a, 4)
					sealJobs(t, b, 0) // for what it draws
					if !able {
						a = plain{a}
					}
					if err := SealMany(a, jobs); err != nil {
						t.Fatal(err)
					}
					for i, j := range jobs {
						enc, ct, err := b.SealBase(j.Public, j.Info, j.AAD, j.Plaintext)
						if err != nil {
							t.Fatal(err)
						}
						if p.name != "std" && (!bytes.Equal(enc, j.Enc) || !bytes.Equal(ct, j.Ciphertext)) {
							t.Errorf("job %d: %x, %x, SealBase gives %x, %x", i, j.Enc, j.Ciphertext, enc, ct)
						}
						if got, err := a.OpenBase(j.Enc, pairs[i%3].Private, j.Info, j.AAD, j.Ciphertext); err != nil || !bytes.Equal(got, j.Plaintext) {
							t.Errorf("job %d opens as %x, %v, want %x", i, got, err, j.Plaintext)
						}
					}
					// Both have drawn the same.
					if x, y := generate(t, a.GenerateKeyPair), generate(t, b.GenerateKeyPair); p.name != "std" && !bytes.Equal(x.Public, y.Public) {
						t.Error("SealMany draws more or less than SealBase")
					}
				})
			}
		}
	}
}

// TestSealManyFails: one bad job, and none has a result.
func TestSealManyFails(t *testing.T) {
	t.Parallel()
	for _, p := range providers {
		for _, bad := range [][]byte{nil, make([]byte, 31), make([]byte, 32)} { // the last is of low order
			s, err := p.make(X25519AES128GCMSHA256Ed25519, t.Name())
			if err != nil {
				t.Fatal(err)
			}
			for name, s := range map[string]Suite{"able": s, "plain": plain{s}} {
				jobs, _ := sealJobs(t, s, 5)
				jobs[3].Public, jobs[4].Public = bad, bad
				err := SealMany(s, jobs)
				if !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "sealing 4 of 5") {
					t.Errorf("%s, %s, %d bytes: %v, want ErrKey for the fourth of five", p.name, name, len(bad), err)
				}
				for i, j := range jobs {
					if j.Enc != nil || j.Ciphertext != nil {
						t.Errorf("%s, %s: job %d has a result", p.name, name, i)
					}
				}
			}
		}
	}
}

// atProcs calls f with GOMAXPROCS at several values. The caller must not be
// parallel.
func atProcs(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for _, n := range []int{1, 2, 3, 8} {
		runtime.GOMAXPROCS(n)
		t.Run(fmt.Sprintf("GOMAXPROCS=%d", n), f)
	}
}

// TestSealManyAnywhere: the outputs of a seeded suite are those of SealBase call by
// call, on any number of cores.
func TestSealManyAnywhere(t *testing.T) {
	seal := func(hide bool) []SealJob {
		var s Suite = newStdSuite(t, X25519AES128GCMSHA256Ed25519)
		jobs, _ := sealJobs(t, s, 100)
		if hide {
			s = plain{s}
		}
		if err := SealMany(s, jobs); err != nil {
			t.Fatal(err)
		}
		return jobs
	}
	want := seal(true)
	atProcs(t, func(t *testing.T) {
		got := seal(false)
		for i := range got {
			if !bytes.Equal(got[i].Enc, want[i].Enc) || !bytes.Equal(got[i].Ciphertext, want[i].Ciphertext) {
				t.Errorf("job %d differs from SealBase", i)
			}
		}
	})
}

// TestCountingAbilities: abilities are counted as what they do.
func TestCountingAbilities(t *testing.T) {
	t.Parallel()
	s, err := NewSeeded(X25519AES128GCMSHA256Ed25519, testSeed, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Suite{"able": s, "plain": plain{s}, "sized": newSized(t, s.ID(), "")} {
		c := NewCounting(s)
		jobs, pairs := sealJobs(t, s, 4)
		if err := SealMany(c, jobs); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenBaseWith(c, jobs[2].Enc, pairs[2], jobs[2].Info, jobs[2].AAD, jobs[2].Ciphertext); err != nil {
			t.Fatal(err)
		}
		if got, want := c.Counts().String(), "hpke-seal 4 (22 B), hpke-open-with 1 (22 B)"; got != want {
			t.Errorf("%s: counts %q, want %q", name, got, want)
		}
	}
}

func TestParallel(t *testing.T) {
	atProcs(t, func(t *testing.T) {
		for _, n := range []int{0, 1, 2, 100} {
			calls := make([]int, n)
			parallel(n, func(i int) { calls[i]++ })
			for i, c := range calls {
				if c != 1 {
					t.Errorf("of %d calls, %d was made %d times", n, i, c)
				}
			}
		}
	})
}
