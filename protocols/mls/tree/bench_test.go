package tree

import (
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Benchmarks run with suite 1, seeded. Trees are full: every parent has a key.
// Those of 100 000 are made with the sized suite, whose cryptography costs almost
// nothing: they show what the tree itself costs.

var benchSizes = []int{10, 100, 1000, 10000}

// benched caches populations, which take longer to make than to measure.
var benched = map[string]population{}

func benchTree(b *testing.B, kind string, n int) population {
	b.Helper()
	name := fmt.Sprint(kind, n)
	if p, ok := benched[name]; ok {
		return p
	}
	var s suite.Suite = sized(b)
	if kind == "real" {
		s = std(b, suite.X25519AES128GCMSHA256Ed25519)
	}
	p := full(b, s, n)
	benched[name] = p
	return p
}

func eachSize(b *testing.B, f func(b *testing.B, p population)) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			p := benchTree(b, "real", n)
			b.ReportAllocs()
			b.ResetTimer()
			f(b, p)
		})
	}
	b.Run("sized/members=100000", func(b *testing.B) {
		p := benchTree(b, "sized", 100000)
		b.ReportAllocs()
		b.ResetTimer()
		f(b, p)
	})
}

func BenchmarkParse(b *testing.B) {
	eachSize(b, func(b *testing.B, p population) {
		encoded := mustMarshal(b, p.tree)
		b.SetBytes(int64(len(encoded)))
		for b.Loop() {
			mustParse(b, p.tree.Suite(), encoded)
		}
	})
}

func BenchmarkVerifyParentHashes(b *testing.B) {
	eachSize(b, func(b *testing.B, p population) {
		for b.Loop() {
			if err := p.tree.VerifyParentHashes(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkVerifyKeys(b *testing.B) {
	eachSize(b, func(b *testing.B, p population) {
		for b.Loop() {
			if err := p.tree.VerifyKeys(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkAdd adds one member to the tree.
func BenchmarkAdd(b *testing.B) {
	eachSize(b, func(b *testing.B, p population) {
		leaf := newClient(b, p.tree.Suite(), 1).leaf
		for b.Loop() {
			e := p.tree.Edit()
			if err := add(e, leaf); err != nil {
				b.Fatal(err)
			}
			mustTree(b, e)
		}
	})
}

// BenchmarkRemove removes one member.
func BenchmarkRemove(b *testing.B) {
	eachSize(b, func(b *testing.B, p population) {
		for b.Loop() {
			e := p.tree.Edit()
			if err := e.Remove(3); err != nil {
				b.Fatal(err)
			}
			mustTree(b, e)
		}
	})
}

// BenchmarkCreatePath makes a path and encrypts it.
func BenchmarkCreatePath(b *testing.B) {
	eachSize(b, func(b *testing.B, p population) {
		for b.Loop() {
			e := p.tree.Edit()
			path, err := e.NewPath(0, p.clients[0].leaf, p.clients[0].signer.Private, groupID)
			if err != nil {
				b.Fatal(err)
			}
			t := mustTree(b, e)
			if _, err := path.Encrypt(t, t.Hash(), nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkProcessPath applies a path and opens it, as the members do that share
// the root alone with the sender: half of all.
func BenchmarkProcessPath(b *testing.B) {
	eachSize(b, func(b *testing.B, p population) {
		e := p.tree.Edit()
		path, err := e.NewPath(0, p.clients[0].leaf, p.clients[0].signer.Private, groupID)
		if err != nil {
			b.Fatal(err)
		}
		t := mustTree(b, e)
		sent, err := path.Encrypt(t, t.Hash(), nil)
		if err != nil {
			b.Fatal(err)
		}
		own := p.private[LeafIndex(len(p.clients)-1)]
		for b.Loop() {
			e := p.tree.Edit()
			if err := e.ApplyPath(0, sent, nil); err != nil {
				b.Fatal(err)
			}
			t := mustTree(b, e)
			if _, _, err := own.Open(t, 0, sent, t.Hash(), nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkAddAll adds all members to a group of one in one Edit.
func BenchmarkAddAll(b *testing.B) {
	eachSize(b, func(b *testing.B, p population) {
		for b.Loop() {
			t, err := New(p.tree.Suite(), p.clients[0].leaf)
			if err != nil {
				b.Fatal(err)
			}
			e := t.Edit()
			for _, c := range p.clients[1:] {
				if err := add(e, c.leaf); err != nil {
					b.Fatal(err)
				}
			}
			mustTree(b, e)
		}
	})
}

func BenchmarkPages(b *testing.B) {
	eachSize(b, func(b *testing.B, p population) {
		e := p.tree.Edit()
		if _, err := e.NewPath(0, p.clients[0].leaf, p.clients[0].signer.Private, groupID); err != nil {
			b.Fatal(err)
		}
		t := mustTree(b, e)
		size := 0
		for _, pg := range t.Pages(p.tree) {
			size += len(pg.Data)
		}
		b.ReportMetric(float64(size), "B/commit")
		for b.Loop() {
			t.Pages(p.tree)
		}
	})
}
