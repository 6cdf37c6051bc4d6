package suite

import (
	"bytes"
	"io"
	"sync"
	"testing"
	"time"
)

// TestCountingCounts calls each method once with inputs of different lengths.
func TestCountingCounts(t *testing.T) {
	t.Parallel()
	seeded, err := NewSeeded(X25519AES128GCMSHA256Ed25519, testSeed, "")
	if err != nil {
		t.Fatal(err)
	}
	c := NewCounting(seeded)
	pair, signer := generate(t, seeded.GenerateKeyPair), generate(t, seeded.GenerateSigner)
	aead, err := c.AEAD(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	sealed := aead.Seal(nil, make([]byte, 12), make([]byte, 10), make([]byte, 3))
	enc, ct, err := seeded.SealBase(pair.Public, nil, nil, make([]byte, 5))
	if err != nil {
		t.Fatal(err)
	}
	sig, err := seeded.Sign(signer.Private, make([]byte, 8))
	if err != nil {
		t.Fatal(err)
	}

	// Per operation the bytes that must be counted, and the call; [OpAEADKey] and
	// [OpAEADSeal] happened above.
	calls := map[Op]struct {
		bytes int64
		call  func() error
	}{
		OpRand:           {7, func() error { _, err := io.ReadFull(c.Rand(), make([]byte, 7)); return err }},
		OpHash:           {9, func() error { c.Hash(nil, make([]byte, 9)); return nil }},
		OpHMAC:           {11, func() error { c.HMAC(nil, make([]byte, 4), make([]byte, 11)); return nil }},
		OpExtract:        {12, func() error { c.Extract(nil, make([]byte, 12)); return nil }},
		OpExpand:         {14, func() error { c.Expand(make([]byte, 32), nil, 14); return nil }},
		OpAEADOpen:       {29, func() error { _, err := aead.Open(nil, make([]byte, 12), sealed, make([]byte, 3)); return err }},
		OpKeyGenerate:    {0, func() error { _, err := c.GenerateKeyPair(); return err }},
		OpKeyDerive:      {0, func() error { _, err := c.DeriveKeyPair(make([]byte, 32)); return err }},
		OpKeyPublic:      {0, func() error { _, err := c.PublicKey(pair.Private); return err }},
		OpDH:             {0, func() error { _, err := c.DH(pair.Private, pair.Public); return err }},
		OpHPKESeal:       {8, func() error { _, _, err := c.SealBase(pair.Public, nil, make([]byte, 2), make([]byte, 6)); return err }},
		OpHPKEOpen:       {21, func() error { _, err := c.OpenBase(enc, pair.Private, nil, nil, ct); return err }},
		OpHPKESend:       {15, func() error { _, _, err := c.SendExportBase(pair.Public, nil, nil, 15); return err }},
		OpHPKEReceive:    {16, func() error { _, err := c.ReceiveExportBase(enc, pair.Private, nil, nil, 16); return err }},
		OpSignerGenerate: {0, func() error { _, err := c.GenerateSigner(); return err }},
		OpSignerDerive:   {0, func() error { _, err := c.DeriveSigner(make([]byte, 32)); return err }},
		OpSignerPublic:   {0, func() error { _, err := c.SignerPublicKey(signer.Private); return err }},
		OpSign:           {17, func() error { _, err := c.Sign(signer.Private, make([]byte, 17)); return err }},
		OpVerify:         {8, func() error { return c.Verify(signer.Public, make([]byte, 8), sig) }},
		OpHPKEOpenWith:   {21, func() error { _, err := c.OpenBaseWith(enc, pair, nil, nil, ct); return err }},
	}
	var want Counts
	want[OpAEADKey], want[OpAEADSeal] = Count{1, 0}, Count{1, 13}
	if len(calls) != NumOps-4 { // TestCountingVerifyBatch has the two of batches
		t.Fatalf("the test calls %d operations, want %d", len(calls), NumOps-4)
	}
	for op, call := range calls {
		before := c.Counts()
		if err := call.call(); err != nil {
			t.Fatalf("%v: %v", op, err)
		}
		var one Counts
		one[op] = Count{1, call.bytes}
		if got := c.Counts().Sub(before); got != one {
			t.Errorf("%v counts as %v, want %v", op, got, one)
		}
		want = want.Add(one)
	}
	if got := c.Counts(); got != want {
		t.Errorf("Counts() = %v, want %v", got, want)
	}
}

// TestCountingFailures: what fails has been tried, and is counted.
func TestCountingFailures(t *testing.T) {
	t.Parallel()
	std, err := NewStd(X25519AES128GCMSHA256Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	c := NewCounting(std)
	if _, err := c.AEAD(nil); err == nil {
		t.Error("AEAD without a key succeeds")
	}
	if err := c.Verify(make([]byte, 32), nil, nil); err == nil {
		t.Error("Verify without a signature succeeds")
	}
	if got, want := c.Counts().String(), "aead-key 1, verify 1"; got != want {
		t.Errorf("Counts() = %q, want %q", got, want)
	}
}

// TestCountingIsTransparent: behind a counter a seeded suite puts out the same.
func TestCountingIsTransparent(t *testing.T) {
	t.Parallel()
	for _, id := range IDs() {
		a, err := NewSeeded(id, testSeed, "")
		if err != nil {
			t.Fatal(err)
		}
		b, err := NewSeeded(id, testSeed, "")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(transcript(t, a), transcript(t, NewCounting(b))) {
			t.Errorf("%v: counting changes the outputs", id)
		}
	}
}

func TestCountingConcurrently(t *testing.T) {
	t.Parallel()
	std, err := NewStd(X25519AES128GCMSHA256Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	c := NewCounting(std)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				c.Hash(nil, make([]byte, 3))
			}
		})
	}
	wg.Wait()
	if got, want := c.Counts()[OpHash], (Count{400, 1200}); got != want {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// TestCounterMoves: neither part of the word overflows into the other.
func TestCounterMoves(t *testing.T) {
	t.Parallel()
	var calls counter
	calls.recent.Store((recentCalls - 2) << recentBits)
	for range 5 {
		calls.add(1)
	}
	if calls.n.Load() != recentCalls {
		t.Errorf("moved %d calls, want %d", calls.n.Load(), recentCalls)
	}
	if got, want := calls.load(), (Count{recentCalls + 3, 5}); got != want {
		t.Errorf("counted %v, want %v", got, want)
	}
	var bytes counter
	for range 1000 {
		bytes.add(1 << 33)
	}
	if got, want := bytes.load(), (Count{1000, 1000 << 33}); got != want {
		t.Errorf("counted %v, want %v", got, want)
	}
}

func TestOpNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for op := range Op(NumOps) {
		name := op.String()
		if name == "" || seen[name] {
			t.Errorf("Op %d has the name %q, want one of its own", op, name)
		}
		seen[name] = true
	}
	if got := Op(NumOps).String(); got != "Op(24)" {
		t.Errorf("String() beyond the last = %q", got)
	}
}

// BenchmarkCounting seals 1 KiB with and without a counter, in turns, and
// reports the ratio of the medians: "ratio" with a key that is set up once,
// "fresh-ratio" with a new key per message, as MLS has it.
func BenchmarkCounting(b *testing.B) {
	std, err := NewStd(X25519AES128GCMSHA256Ed25519)
	if err != nil {
		b.Fatal(err)
	}
	counting := NewCounting(std)
	key, nonce, msg := make([]byte, 16), make([]byte, 12), make([]byte, 1024)
	dst := make([]byte, 0, 1040)
	const batch = 500
	once := func(s Suite) time.Duration {
		aead, err := s.AEAD(key)
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		for range batch {
			aead.Seal(dst, nonce, msg, nil)
		}
		return time.Since(start) / batch
	}
	fresh := func(s Suite) time.Duration {
		start := time.Now()
		for range batch {
			aead, err := s.AEAD(key)
			if err != nil {
				b.Fatal(err)
			}
			aead.Seal(dst, nonce, msg, nil)
		}
		return time.Since(start) / batch
	}
	var times [4][]time.Duration
	for b.Loop() {
		times[0] = append(times[0], once(std))
		times[1] = append(times[1], once(counting))
		times[2] = append(times[2], fresh(std))
		times[3] = append(times[3], fresh(counting))
	}
	b.ReportMetric(0, "ns/op") // a round of batches says nothing
	b.ReportMetric(median(times[0]), "ns/seal")
	b.ReportMetric(median(times[1])/median(times[0]), "ratio")
	b.ReportMetric(median(times[2]), "ns/fresh-seal")
	b.ReportMetric(median(times[3])/median(times[2]), "fresh-ratio")
}
