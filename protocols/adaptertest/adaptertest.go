// Package adaptertest is the conformance suite that every adapter of package
// protocols passes: what the documentation of [protocols.Client] and
// [protocols.GroupClient] promises, as tests.
//
// An adapter's test calls
//
//	adaptertest.Run(t, signalv3.Adapter{}, adaptertest.Options{})
//
// and the test of a modelled adapter also [RunTwin], which holds it to the sizes
// and errors of the one it models.
//
// The suite knows no protocol. It asks for what Signal (X3DH, Double Ratchet) and
// MLS (RFC 9420, with a group of two in the place of a session) can both give:
// that messages between two clients open whatever order they arrive in, as long
// as none is more than a few turns of the conversation late; that each opens
// once; that nothing else opens. It does not judge secrecy, and a protocol's own
// test vectors are the business of its own tests.
package adaptertest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Options tell the suite what is particular to an adapter. The zero value suits
// one that authenticates every byte.
type Options struct {
	// Suite makes a client's suite. Clients with different seeds must draw
	// different randomness. The default is [suite.NewSeeded] for MLS's mandatory
	// cipher suite, seeded anew for each client.
	Suite func(seed uint64) suite.Suite
	// Unauthenticated returns the parts of a payload that the protocol leaves
	// without authentication when it opens the first message of a session: what
	// is changed there may be noticed or not, but the plaintext is the same. nil
	// means that there are none.
	Unauthenticated func(protocols.Sealed) []Range
}

// Range is a part of a payload: the bytes from From on and before To.
type Range struct{ From, To int }

// check is one demand on an adapter.
type check struct {
	name string
	run  func(*harness)
}

// Run tests an adapter as subtests of t. Checks of groups run if its clients are
// [protocols.GroupClient] values.
func Run(t *testing.T, a protocols.Adapter, o Options) {
	for _, c := range checksOf(newHarness(t, a, o)) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newHarness(t, a, o))
		})
	}
}

// checksOf returns the demands on the harness's adapter.
func checksOf(h *harness) []check {
	all := slices.Concat(metadataChecks, publishChecks, sessionChecks, hostileChecks, stateChecks, concurrentChecks, randomChecks)
	if _, ok := h.client("probe").Client.(protocols.GroupClient); ok {
		all = slices.Concat(all, groupChecks, groupChangeChecks)
	}
	if _, ok := h.client("probe").Client.(protocols.HostedGroupClient); ok {
		all = slices.Concat(all, hostedChecks)
	}
	return all
}

func defaultSuite(seed uint64) suite.Suite {
	s, err := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, [32]byte{}, fmt.Sprint(seed))
	if err != nil {
		panic("adaptertest: no seeded suite: " + err.Error())
	}
	return s
}

// harness is what a check works with.
type harness struct {
	testing.TB
	adapter protocols.Adapter
	opt     Options
	seed    uint64 // of the last suite made
	rand    *rand.Rand
}

func newHarness(t testing.TB, a protocols.Adapter, o Options) *harness {
	if o.Suite == nil {
		o.Suite = defaultSuite
	}
	if o.Unauthenticated == nil {
		o.Unauthenticated = func(protocols.Sealed) []Range { return nil }
	}
	return &harness{TB: t, adapter: a, opt: o, rand: rand.New(rand.NewPCG(1, 2))}
}

func (h *harness) config(address protocols.Address) protocols.Config {
	h.seed++
	return protocols.Config{Address: address, Suite: h.opt.Suite(h.seed)}
}

// client makes a device with a fresh identity.
func (h *harness) client(address protocols.Address) *device {
	h.Helper()
	c, err := h.adapter.New(h.config(address))
	if err != nil {
		h.Fatalf("New for %q: %v", address, err)
	}
	return &device{Client: c, h: h, address: address}
}

// pair makes two devices, the first of which has a session towards the second.
func (h *harness) pair() (a, b *device) {
	h.Helper()
	a, b = h.client("a"), h.client("b")
	a.establish(b, true)
	return a, b
}

// talking makes two devices that have heard of each other.
func (h *harness) talking() (a, b *device) {
	h.Helper()
	a, b = h.pair()
	b.open(a, a.seal(b, "hello b"), "hello b")
	a.open(b, b.seal(a, "hello a"), "hello a")
	return a, b
}

// text returns a plaintext of n bytes.
func (h *harness) text(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(h.rand.Uint32())
	}
	return string(b)
}

// describe says what a payload is.
func describe(s protocols.Sealed) string {
	return fmt.Sprintf("%s (version %d, %d bytes)", s.Type, s.Version, len(s.Payload))
}
