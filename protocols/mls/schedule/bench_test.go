package schedule

import (
	"bytes"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// The benchmarks are of suite 1 with the system's randomness; an operation is one
// message of 1 KiB where not said otherwise.

func benchSuite(b *testing.B) suite.Suite {
	s, err := suite.NewStd(suite1)
	noError(b, err)
	return s
}

// kib returns 1 KiB of application data, signed in a context of usual size.
func kib(b *testing.B, s suite.Suite) (c *message.AuthenticatedContent, signer suite.KeyPair, context []byte) {
	signer, err := s.GenerateSigner()
	noError(b, err)
	c = chat(3, string(bytes.Repeat([]byte("x"), 1024)))
	context = bytes.Repeat([]byte("c"), 150)
	noError(b, c.Sign(s, signer.Private, context))
	return c, signer, context
}

// BenchmarkSend signs, encrypts and encodes.
func BenchmarkSend(b *testing.B) {
	s := benchSuite(b)
	tree, _, senderData := trees(s, Limits{})
	c, signer, context := kib(b, s)
	b.ReportAllocs()
	for b.Loop() {
		noError(b, c.Sign(s, signer.Private, context))
		p, err := Protect(s, tree, senderData, c, 0)
		noError(b, err)
		if _, err := wire.Marshal(&message.Message{Private: p}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSign is the part of BenchmarkSend that is the signature's.
func BenchmarkSign(b *testing.B) {
	s := benchSuite(b)
	c, signer, context := kib(b, s)
	b.ReportAllocs()
	for b.Loop() {
		noError(b, c.Sign(s, signer.Private, context))
	}
}

// BenchmarkProtect is BenchmarkSend without the signature.
func BenchmarkProtect(b *testing.B) {
	s := benchSuite(b)
	tree, _, senderData := trees(s, Limits{})
	c, _, _ := kib(b, s)
	b.ReportAllocs()
	for b.Loop() {
		_, err := Protect(s, tree, senderData, c, 0)
		noError(b, err)
	}
}

// BenchmarkUnprotect decrypts and consumes, without the signature.
func BenchmarkUnprotect(b *testing.B) {
	s := benchSuite(b)
	ours, theirs, senderData := trees(s, Limits{})
	c, _, _ := kib(b, s)
	b.ReportAllocs()
	var batch []*message.PrivateMessage
	for b.Loop() {
		if len(batch) == 0 {
			b.StopTimer()
			for range 512 {
				p, err := Protect(s, ours, senderData, c, 0)
				noError(b, err)
				batch = append(batch, p)
			}
			b.StartTimer()
		}
		got, sd, err := Unprotect(s, theirs, senderData, batch[0], nil)
		noError(b, err)
		if !bytes.Equal(got.Content.Application, c.Content.Application) {
			b.Fatal("another text than was sent")
		}
		theirs.Consume(sd.LeafIndex, Application, sd.Generation)
		batch = batch[1:]
	}
}

// BenchmarkNext is one key.
func BenchmarkNext(b *testing.B) {
	s := benchSuite(b)
	tree, _, _ := trees(s, Limits{})
	b.ReportAllocs()
	for b.Loop() {
		k, err := tree.Next(0, Application)
		noError(b, err)
		k.Wipe()
	}
}

// BenchmarkFirst is the first key of a member of 10,000, in a fresh tree.
func BenchmarkFirst(b *testing.B) {
	s := benchSuite(b)
	root := testRoot(s)
	b.ReportAllocs()
	for b.Loop() {
		tree := NewSecretTree(s, root, 10000, Limits{})
		_, err := tree.Next(5000, Application)
		noError(b, err)
	}
}

// BenchmarkEpoch is the key schedule of one epoch.
func BenchmarkEpoch(b *testing.B) {
	s := benchSuite(b)
	secret, context := testRoot(s), make([]byte, 150)
	b.ReportAllocs()
	for b.Loop() {
		psk, err := PSKSecret(s, nil)
		noError(b, err)
		member := MemberSecret(s, JoinerSecret(s, secret, secret, context), psk)
		if e := NewEpoch(s, member, context); len(e.Init) != 32 {
			b.Fatal("no init_secret")
		}
	}
}

// TestAllocations: what a message allocates beyond what it consists of stays
// small. In the steady state a key takes its three derivations and itself.
func TestAllocations(t *testing.T) { // not parallel: others would be counted
	s, err := suite.NewStd(suite1)
	noError(t, err)
	ours, theirs, senderData := trees(s, Limits{})
	c := chat(3, "text")
	for _, tt := range []struct {
		name string
		most float64
		run  func()
	}{
		{"Next", 4, func() {
			_, err := ours.Next(0, Application)
			noError(t, err)
		}},
		{"Protect and Unprotect", 44, func() {
			p, err := Protect(s, ours, senderData, c, 0)
			noError(t, err)
			_, sd, err := Unprotect(s, theirs, senderData, p, nil)
			noError(t, err)
			theirs.Consume(sd.LeafIndex, Application, sd.Generation)
		}},
	} {
		tt.run() // opens the leaf
		if got := testing.AllocsPerRun(100, tt.run); got > tt.most {
			t.Errorf("%s allocates %v times, want at most %v", tt.name, got, tt.most)
		}
	}
}
