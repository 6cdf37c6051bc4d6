package suite

import (
	"crypto/cipher"
	"fmt"
	"testing"
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
