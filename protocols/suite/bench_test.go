package suite

import (
	"crypto/cipher"
	"fmt"
	"slices"
	"testing"
	"time"
)

// opRunner calls one operation, which has been given all it needs.
type opRunner struct {
	op    Op
	bytes int // as counted
	run   func() error
}

// runners returns a runner per operation of s, those that take bytes twice: for
// a few and for 1 KiB.
func runners(b *testing.B, s Suite) []opRunner {
	b.Helper()
	fatal := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	size := s.ID().Sizes()
	pair, err := s.GenerateKeyPair()
	fatal(err)
	signer, err := s.GenerateSigner()
	fatal(err)
	aead, err := s.AEAD(make([]byte, size.AEADKey))
	fatal(err)
	key, nonce, ikm, dst := make([]byte, size.AEADKey), make([]byte, size.AEADNonce), make([]byte, size.Hash), make([]byte, 0, 2048)

	all := []opRunner{
		{OpAEADKey, 0, func() error { _, err := s.AEAD(key); return err }},
		{OpKeyGenerate, 0, func() error { _, err := s.GenerateKeyPair(); return err }},
		{OpKeyDerive, 0, func() error { _, err := s.DeriveKeyPair(ikm); return err }},
		{OpKeyPublic, 0, func() error { _, err := s.PublicKey(pair.Private); return err }},
		{OpDH, 0, func() error { _, err := s.DH(pair.Private, pair.Public); return err }},
		{OpSignerGenerate, 0, func() error { _, err := s.GenerateSigner(); return err }},
		{OpSignerDerive, 0, func() error { _, err := s.DeriveSigner(ikm); return err }},
		{OpSignerPublic, 0, func() error { _, err := s.SignerPublicKey(signer.Private); return err }},
	}
	for _, n := range []int{32, 1024} {
		msg := make([]byte, n)
		sealed := aead.Seal(nil, nonce, msg, nil)
		enc, ct, err := s.SealBase(pair.Public, nil, nil, msg)
		fatal(err)
		exportEnc, _, err := s.SendExportBase(pair.Public, nil, nil, n)
		fatal(err)
		sig, err := s.Sign(signer.Private, msg)
		fatal(err)
		open := func(a cipher.AEAD) error { _, err := a.Open(dst, nonce, sealed, nil); return err }
		all = append(all,
			opRunner{OpRand, n, func() error { _, err := s.Rand().Read(dst[:n]); return err }},
			opRunner{OpHash, n, func() error { s.Hash(dst, msg); return nil }},
			opRunner{OpHMAC, n, func() error { s.HMAC(dst, ikm, msg); return nil }},
			opRunner{OpExtract, n, func() error { s.Extract(ikm, msg); return nil }},
			opRunner{OpExpand, n, func() error { s.Expand(ikm, nil, n); return nil }},
			opRunner{OpAEADSeal, n, func() error { aead.Seal(dst, nonce, msg, nil); return nil }},
			opRunner{OpAEADOpen, len(sealed), func() error { return open(aead) }},
			opRunner{OpHPKESeal, n, func() error { _, _, err := s.SealBase(pair.Public, nil, nil, msg); return err }},
			opRunner{OpHPKEOpen, len(ct), func() error { _, err := s.OpenBase(enc, pair.Private, nil, nil, ct); return err }},
			opRunner{OpHPKEOpenWith, len(ct), func() error { _, err := OpenBaseWith(s, enc, pair, nil, nil, ct); return err }},
			opRunner{OpHPKESend, n, func() error { _, _, err := s.SendExportBase(pair.Public, nil, nil, n); return err }},
			opRunner{OpHPKEReceive, n, func() error { _, err := s.ReceiveExportBase(exportEnc, pair.Private, nil, nil, n); return err }},
			opRunner{OpSign, n, func() error { _, err := s.Sign(signer.Private, msg); return err }},
			opRunner{OpVerify, n, func() error { return s.Verify(signer.Public, msg, sig) }},
		)
	}
	return all
}

// BenchmarkOps measures every operation of the real suites. The cost model's
// reference figures come from it:
//
//	go test -run='^$' -bench=Ops/std -benchtime=50ms ./protocols/suite
func BenchmarkOps(b *testing.B) {
	for _, p := range providers {
		if p.name == "counting" { // BenchmarkCounting says what it adds
			continue
		}
		for _, id := range IDs() {
			s, err := p.make(id, "")
			if err != nil {
				b.Fatal(err)
			}
			for _, r := range runners(b, s) {
				b.Run(fmt.Sprintf("%s/%d/%v-%d", p.name, id, r.op, r.bytes), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if err := r.run(); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

// BenchmarkVerifyBatch verifies batches of Ed25519 signatures and, in turns, single
// ones. It reports the time per signature of a batch, and its ratio to that of
// Verify, by the medians. With -cpu=1 both have one core.
//
//	go test -run='^$' -bench=VerifyBatch -cpu=1,2 ./protocols/suite
func BenchmarkVerifyBatch(b *testing.B) {
	s := newStdSuite(b, X25519AES128GCMSHA256Ed25519)
	all := signatures(b, s, 10_000)
	for _, n := range []int{1, 2, 3, 4, 6, 8, 16, 32, 64, 96, 128, 256, 1000, 4000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			var together, single []time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := VerifyBatch(s, all[:n]); err != nil {
					b.Fatal(err)
				}
				middle := time.Now()
				if err := s.Verify(all[0].Public, all[0].Message, all[0].Signature); err != nil {
					b.Fatal(err)
				}
				together, single = append(together, middle.Sub(start)), append(single, time.Since(middle))
			}
			per := median(together) / float64(n)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(per, "ns/signature")
			b.ReportMetric(per/median(single), "ratio")
		})
	}
}

// BenchmarkHPKE reports by the medians of one run what a seal costs beyond the two
// multiplications of X25519 in it ("seal-ratio"), an open that knows the public key
// beyond its one ("open-ratio"), and an open that does not beyond its two.
//
//	go test -run='^$' -bench='HPKE$' ./protocols/suite
func BenchmarkHPKE(b *testing.B) {
	for _, id := range []ID{X25519AES128GCMSHA256Ed25519, X25519ChaCha20Poly1305SHA256Ed25519} {
		b.Run(fmt.Sprint(id), func(b *testing.B) {
			s := newStdSuite(b, id)
			pair, err := s.GenerateKeyPair()
			if err != nil {
				b.Fatal(err)
			}
			info, plaintext := make([]byte, 100), make([]byte, 32)
			enc, ciphertext, err := s.SealBase(pair.Public, info, nil, plaintext)
			if err != nil {
				b.Fatal(err)
			}
			steps := []func() error{
				func() error { _, err := s.PublicKey(pair.Private); return err },
				func() error { _, err := s.DH(pair.Private, pair.Public); return err },
				func() error { _, _, err := s.SealBase(pair.Public, info, nil, plaintext); return err },
				func() error { _, err := s.OpenBaseWith(enc, pair, info, nil, ciphertext); return err },
				func() error { _, err := s.OpenBase(enc, pair.Private, info, nil, ciphertext); return err },
			}
			times := make([][]time.Duration, len(steps))
			for b.Loop() {
				for i, step := range steps {
					start := time.Now()
					if err := step(); err != nil {
						b.Fatal(err)
					}
					times[i] = append(times[i], time.Since(start))
				}
			}
			base, dh := median(times[0]), median(times[1])
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(base, "ns/base")
			b.ReportMetric(dh, "ns/dh")
			b.ReportMetric(median(times[2])/(base+dh), "seal-ratio")
			b.ReportMetric(median(times[3])/dh, "open-ratio")
			b.ReportMetric(median(times[4])/(base+dh), "open-alone-ratio")
		})
	}
}

// BenchmarkSealMany seals to many recipients on the cores there are.
//
//	go test -run='^$' -bench=SealMany -cpu=1,2 ./protocols/suite
func BenchmarkSealMany(b *testing.B) {
	s := newStdSuite(b, X25519AES128GCMSHA256Ed25519)
	for _, n := range []int{1, 10, 1000} {
		jobs := make([]SealJob, n)
		for i := range jobs {
			pair, err := s.GenerateKeyPair()
			if err != nil {
				b.Fatal(err)
			}
			jobs[i] = SealJob{Public: pair.Public, Info: make([]byte, 100), Plaintext: make([]byte, 32)}
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := SealMany(s, jobs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/seal")
		})
	}
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2])
}
