//go:build !nogpl

package v3

import (
	"fmt"
	"slices"
	"testing"

	"go.mau.fi/libsignal/state/record"

	"github.com/mimi-lab/mimi-lab/protocols"
)

const benchSize = 1024 // bytes of plaintext

func benchPair(b *testing.B) (alice, bob *client, text string) {
	alice, bob = pair(b)
	b.ReportAllocs()
	b.SetBytes(benchSize)
	return alice, bob, string(make([]byte, benchSize))
}

// BenchmarkSetUp is a session from bundle to the first opened message, prekeys
// included.
func BenchmarkSetUp(b *testing.B) {
	alice := newClient(b, Adapter{}, "alice")
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		bob := newClient(b, Adapter{}, protocols.Address(fmt.Sprint("bob", i)))
		i++
		establish(b, alice, bob)
		mustOpen(b, bob, "alice", mustSeal(b, alice, bob.address, "x"), "x")
	}
}

func BenchmarkSeal(b *testing.B) {
	alice, _, text := benchPair(b)
	for b.Loop() {
		mustSeal(b, alice, "bob", text)
	}
}

// BenchmarkOpen opens in order.
func BenchmarkOpen(b *testing.B) {
	benchOpen(b, 256, func(sealed []protocols.Sealed) {})
}

// BenchmarkOpenReversed opens a hundred messages last first, so that up to 99
// skipped keys are kept.
func BenchmarkOpenReversed(b *testing.B) {
	benchOpen(b, 100, slices.Reverse)
}

// benchOpen opens messages that were sealed n at a time and put in some order.
func benchOpen(b *testing.B, n int, order func([]protocols.Sealed)) {
	alice, bob, text := benchPair(b)
	var sealed []protocols.Sealed
	for b.Loop() {
		if len(sealed) == 0 {
			b.StopTimer()
			for range n {
				sealed = append(sealed, mustSeal(b, alice, "bob", text))
			}
			order(sealed)
			b.StartTimer()
		}
		mustOpen(b, bob, "alice", sealed[0], text)
		sealed = sealed[1:]
	}
}

// BenchmarkSealOpen is one way, in order: what a message costs both ends.
func BenchmarkSealOpen(b *testing.B) {
	alice, bob, text := benchPair(b)
	for b.Loop() {
		mustOpen(b, bob, "alice", mustSeal(b, alice, "bob", text), text)
	}
}

// BenchmarkPingPong seals and opens one message; each takes a step of the DH
// ratchet.
func BenchmarkPingPong(b *testing.B) {
	alice, bob, text := benchPair(b)
	from, to := alice, bob
	for b.Loop() {
		mustOpen(b, to, from.address, mustSeal(b, from, to.address, text), text)
		from, to = to, from
	}
}

// benchGroup is a group of two in which alice has spoken.
func benchGroup(b *testing.B) (p party, text string) {
	p = newParty(b, Adapter{}, "alice", "bob")
	p.gather(b, "alice")
	text = string(make([]byte, benchSize))
	p.deliver(b, "alice", p.say(b, "alice", text))
	b.ReportAllocs()
	b.SetBytes(benchSize)
	return p, text
}

func BenchmarkSenderKeySeal(b *testing.B) {
	p, text := benchGroup(b)
	for b.Loop() {
		p.say(b, "alice", text)
	}
}

func BenchmarkSenderKeyOpen(b *testing.B) {
	p, text := benchGroup(b)
	var sealed []protocols.Envelope
	for b.Loop() {
		if len(sealed) == 0 {
			b.StopTimer()
			for range 256 {
				sealed = append(sealed, p.say(b, "alice", text)...)
			}
			b.StartTimer()
		}
		o, err := p["bob"].OpenGroup(epoch, testGroup, "alice", sealed[0].Sealed)
		if err != nil || string(o.Plaintext) != text {
			b.Fatal(err)
		}
		sealed = sealed[1:]
	}
}

// BenchmarkLibrary is BenchmarkSealOpen with the library's own ciphers, over
// stores that serialise as its protobuf serializer does.
func BenchmarkLibrary(b *testing.B) {
	for _, way := range []string{"SealOpen", "PingPong"} {
		b.Run(way, func(b *testing.B) {
			alice, bob := barePair(b)
			text := string(make([]byte, benchSize))
			store := func(c *bare) {
				for name, s := range c.sessions {
					again, err := record.NewSessionFromBytes(s.Serialize(), c.serializer.Session, c.serializer.State)
					if err != nil {
						b.Fatal(err)
					}
					c.sessions[name] = again
				}
			}
			b.ReportAllocs()
			b.SetBytes(benchSize)
			from, to := alice, bob
			for b.Loop() {
				got, err := to.decrypt(from, from.encrypt(b, to, text))
				if err != nil || len(got) != benchSize {
					b.Fatal(err)
				}
				store(from)
				store(to)
				if way == "PingPong" {
					from, to = to, from
				}
			}
		})
	}
}
