//go:build !nogpl

package v3

import (
	"fmt"
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

// BenchmarkSealOpen is one way, in order.
func BenchmarkSealOpen(b *testing.B) {
	alice, bob, text := benchPair(b)
	for b.Loop() {
		mustOpen(b, bob, "alice", mustSeal(b, alice, "bob", text), text)
	}
}

// BenchmarkReversed seals 100 messages and opens them last first. The time is of
// one message.
func BenchmarkReversed(b *testing.B) {
	alice, bob, text := benchPair(b)
	var sealed []protocols.Sealed
	for b.Loop() {
		if len(sealed) == 0 {
			for range 100 {
				sealed = append(sealed, mustSeal(b, alice, "bob", text))
			}
		}
		last := len(sealed) - 1
		mustOpen(b, bob, "alice", sealed[last], text)
		sealed = sealed[:last]
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

// BenchmarkSenderKeySealOpen seals to a group and opens at one member.
func BenchmarkSenderKeySealOpen(b *testing.B) {
	p := newParty(b, Adapter{}, "alice", "bob")
	p.gather(b, "alice")
	text := string(make([]byte, benchSize))
	p.deliver(b, "alice", p.say(b, "alice", text))
	b.ReportAllocs()
	b.SetBytes(benchSize)
	for b.Loop() {
		s := p.say(b, "alice", text)[0].Sealed
		if _, err := p["bob"].OpenGroup(epoch, testGroup, "alice", s); err != nil {
			b.Fatal(err)
		}
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
