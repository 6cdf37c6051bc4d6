package chat

import (
	"bytes"
	"testing"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// kib is application data of about 1 KiB with a Frank, as members get it.
func kib() follower.Delivery {
	frank := &mimi.Frank{FrankingSignatureCiphersuite: 1, FrankingIntegritySignature: make([]byte, 64)}
	return follower.Delivery{Client: alice, Room: clubhouse, Seq: 123456, Body: must(wire.Marshal(&mimi.FanoutMessage{
		Timestamp: 1764541571195, Frank: frank,
		Message: message.Message{Private: &message.PrivateMessage{
			GroupID: make([]byte, 32), ContentType: message.ContentApplication,
			AuthenticatedData: make([]byte, 40), EncryptedSenderData: make([]byte, 28), Ciphertext: bytes.Repeat([]byte{0xA5}, 800),
		}},
	}))}
}

// BenchmarkDeliver writes one delivery as the server does, in bytes of the FanoutMessage.
func BenchmarkDeliver(b *testing.B) {
	d := kib()
	var e stanza.Encoder
	var buf []byte
	b.SetBytes(int64(len(d.Body)))
	b.ReportAllocs()
	for b.Loop() {
		s, err := Deliver(d, nil)
		if err == nil {
			buf, err = e.Append(buf[:0], s)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(buf)), "stanza-bytes")
}

// BenchmarkReadDelivery reads one as the client does.
func BenchmarkReadDelivery(b *testing.B) {
	d := kib()
	buf := must(new(stanza.Encoder).Append(nil, must(Deliver(d, nil))))
	b.SetBytes(int64(len(d.Body)))
	b.ReportAllocs()
	for b.Loop() {
		s, ok := parse(buf)
		if !ok {
			b.Fatal("no stanza")
		}
		got, ok, err := ReadDelivery(alice, s, nil)
		if err != nil || !ok || !bytes.Equal(got.Body, d.Body) {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkAsk writes a request and reads it, for each kind.
func BenchmarkAsk(b *testing.B) {
	for _, tt := range asked {
		b.Run(tt.name, func(b *testing.B) {
			var e stanza.Encoder
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				s, err := Encode("a7", tt.in)
				if err == nil {
					buf, err = e.Append(buf[:0], s)
				}
				if err != nil {
					b.Fatal(err)
				}
				s, ok := parse(buf)
				if !ok {
					b.Fatal("no stanza")
				}
				if _, err := Read(alice, 7, s, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(buf)), "stanza-bytes")
		})
	}
}
