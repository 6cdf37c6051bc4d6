package mls

import (
	"runtime"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
)

// TestCostOfNesting takes messages of vectors with as many and as small elements as
// there can be, of a sixteenth of a megabyte and of a whole one. The larger must not
// take much more than 16 times as long, where a product of two lengths would take 256
// times, and either no more memory than in proportion to its size.
func TestCostOfNesting(t *testing.T) { // not parallel: it measures
	if testing.Short() {
		t.Skip("the race detector, which runs with -short, allocates too")
	}
	const small, large, mostRatio = 1 << 16, 1 << 20, 64
	for _, c := range []struct {
		name string
		make func(x *scene, size int) func() error // the call of those who receive it
	}{
		{"KeyPackage of extensions", func(x *scene, size int) func() error {
			k := x.keyPackage("9")
			caps := &k.Public.LeafNode.Capabilities
			for len(caps.Extensions) < size/4 { // before what is looked for
				caps.Extensions = append(caps.Extensions, 0xf000)
			}
			for i := range size / 16 {
				e := message.ExtensionType(0x100 + i)
				caps.Extensions = append(caps.Extensions, e)
				k.Public.LeafNode.Extensions = append(k.Public.LeafNode.Extensions, message.Extension{Type: e})
			}
			b := encode(x.t, &resign(x.t, x.cfg.Suite, k).Public)
			return func() error {
				var k message.KeyPackage
				if err := decode(b, &k); err != nil {
					return err
				}
				return x.cfg.CheckKeyPackage(now, &k)
			}
		}},
		{"commit of references", func(x *scene, size int) func() error {
			list := make([]message.ProposalOrRef, size/2)
			return x.receiving(forgery{content: func(c *message.FramedContent) { c.Commit.Proposals = list }})
		}},
		{"commit of pre-shared keys", func(x *scene, size int) func() error {
			f := forgery{psk: x.anyPSK}
			for i := range size / 48 {
				id := message.PreSharedKeyID{Type: message.PSKExternal, ID: []byte{byte(i), byte(i >> 8)}, Nonce: make([]byte, 32)}
				f.all = append(f.all, x.mine(x.psk(id)))
			}
			return x.receiving(f)
		}},
		{"commit of removes", func(x *scene, size int) func() error {
			var f forgery
			for range size / 7 {
				f.all = append(f.all, x.mine(RemoveProposal(3)))
			}
			return x.receiving(f)
		}},
		{"commit of custom proposals", func(x *scene, size int) func() error {
			var f forgery
			for range size / 4 {
				f.all = append(f.all, x.mine(message.Proposal{Type: 0xf001, Body: &message.Custom{}}))
			}
			return x.receiving(f)
		}},
		{"path of nodes", func(x *scene, size int) func() error {
			return x.receiving(forgery{path: func(p *message.UpdatePath) { p.Nodes = make([]message.UpdatePathNode, size/2) }})
		}},
		{"node of ciphertexts", func(x *scene, size int) func() error {
			return x.receiving(forgery{path: func(p *message.UpdatePath) {
				n, err := message.NewUpdatePathNode(p.Nodes[0].EncryptionKey, make([]message.HPKECiphertext, size/2))
				if err != nil {
					x.t.Fatal(err)
				}
				p.Nodes[0] = n
			}})
		}},
		{"Welcome of secrets", func(x *scene, size int) func() error {
			k := x.keyPackage("9")
			w := forgeWelcome(x.t, x.in, k, welcomeForgery{})
			w.Secrets = make([]message.EncryptedGroupSecrets, size/3)
			b := encode(x.t, &message.Message{Welcome: w})
			return func() error {
				m, err := message.Parse(b, nil)
				if err != nil {
					return err
				}
				_, err = OpenWelcome(x.cfg, now, m.Welcome, []*KeyPackage{k}, JoinOptions{})
				return err
			}
		}},
		{"tree of blanks", func(x *scene, size int) func() error {
			b := writeNodes(x.t, append(make([]node, size&^1), node{leaf: x.to.Tree().Leaf(0)}))
			return func() error {
				_, err := tree.Parse(x.cfg.Suite, b)
				return err
			}
		}},
		{"extensions of a GroupContext", func(x *scene, size int) func() error {
			var list message.Extensions
			for i := range size / 16 {
				list = append(list, message.Extension{Type: message.ExtensionType(0x100 + i)})
			}
			return x.receiving(forgery{all: []Committed{x.mine(ExtensionsProposal(list))}})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newScene(t, new(row))
			first, big := c.make(x, small), c.make(x, large)
			limit := 5 * time.Millisecond // what takes no longer is in the noise
			for range 2 {
				limit = max(limit, measure(t, first, small))
			}
			limit *= mostRatio
			// The shortest of several runs is what the call takes; others are what the
			// machine did besides.
			var took time.Duration
			for range 8 {
				if took = measure(t, big, large); took <= limit {
					return
				}
			}
			t.Errorf("a message of %d times the size takes %v, want %v at most", large/small, took, limit)
		})
	}
}

// receiving returns the call by which a victim refuses a forgery.
func (x *scene) receiving(f forgery) func() error {
	x.t.Helper()
	b := forge(x.t, x.in, f)
	return func() error {
		_, err := x.to.Process(now, b)
		return err
	}
}

// measure returns how long a call keeps its thread busy, and checks what it allocates.
func measure(t *testing.T, call func() error, size int) time.Duration {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpuTime()
	_ = call() // most are refused, but that is for other tests
	took := cpuTime() - start
	runtime.ReadMemStats(&after)
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(150*size); got > most {
		t.Errorf("%d bytes allocated for a message of about %d, want %d at most", got, size, most)
	}
	return took
}
