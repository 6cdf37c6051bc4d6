package stanza_test

import (
	"bytes"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// kibMessage is a message whose binary form is about 1 KiB.
func kibMessage() *stanza.Message {
	payload := make([]byte, 920)
	for i := range payload {
		payload[i] = byte(i * 167)
	}
	return &stanza.Message{
		ID: "3EB0C431C26A1916E2C3", To: alice, From: bob.WithDevice(1), Type: stanza.TextMessage, Notify: "Joséphine", Timestamp: 1700000000,
		Enc: []stanza.Enc{{Type: "msg", Version: 2, Payload: payload}},
	}
}

// small are the stanzas that are most frequent beside messages.
var small = []struct {
	name   string
	stanza stanza.Stanza
}{
	{"ack", &stanza.Ack{Class: stanza.AckMessage, ID: "3EB0C431C26A1916E2C3", To: bob, Timestamp: 1700000000}},
	{"receipt", &stanza.Receipt{ID: "3EB0C431C26A1916E2C3", To: bob, From: alice, Type: stanza.Read, Timestamp: 1700000000}},
	{"message", kibMessage()},
}

func binaryOf(b *testing.B, s stanza.Stanza) []byte {
	b.Helper()
	out, err := stanza.AppendBinary(nil, s.Node())
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func BenchmarkAppendBinary(b *testing.B) {
	n := kibMessage().Node()
	buf := binaryOf(b, n)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = stanza.AppendBinary(buf[:0], n); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseBinary(b *testing.B) {
	buf := binaryOf(b, kibMessage())
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := stanza.ParseBinary(buf); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParse goes from a tree to a typed stanza.
func BenchmarkParse(b *testing.B) {
	for _, s := range small {
		b.Run(s.name, func(b *testing.B) {
			n := s.stanza.Node()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := stanza.Parse(n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEncode goes from a typed stanza to bytes.
func BenchmarkEncode(b *testing.B) {
	for _, s := range small {
		b.Run(s.name, func(b *testing.B) {
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if buf, err = stanza.AppendBinary(buf[:0], s.stanza.Node()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecode goes from bytes to a typed stanza.
func BenchmarkDecode(b *testing.B) {
	for _, s := range small {
		b.Run(s.name, func(b *testing.B) {
			buf := binaryOf(b, s.stanza)
			b.ReportAllocs()
			for b.Loop() {
				n, err := stanza.ParseBinary(buf)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := stanza.Parse(n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompressed(b *testing.B) {
	n := (&stanza.IQ{ID: "1", Type: stanza.Set, Payload: &stanza.KeyUpload{Keys: signalKeys(1, 2, 3, 4, 5, 6, 7, 8)}}).Node()
	buf, err := stanza.AppendCompressed(nil, n)
	if err != nil {
		b.Fatal(err)
	}
	plain := int64(len(binaryOf(b, n)))
	b.Run("append", func(b *testing.B) {
		b.SetBytes(plain)
		b.ReportAllocs()
		for b.Loop() {
			if buf, err = stanza.AppendCompressed(buf[:0], n); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.SetBytes(plain)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := stanza.ParseBinary(buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkXML(b *testing.B) {
	n := kibMessage().Node()
	buf, err := stanza.MarshalXML(n)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("append", func(b *testing.B) {
		b.SetBytes(int64(len(buf)))
		b.ReportAllocs()
		for b.Loop() {
			if buf, err = stanza.AppendXML(buf[:0], n); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.SetBytes(int64(len(buf)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := stanza.ParseXML(buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestAllocations holds the numbers that the package promises.
func TestAllocations(t *testing.T) {
	n := kibMessage().Node()
	buf, err := stanza.AppendBinary(nil, n)
	if err != nil || len(buf) < 1000 || len(buf) > 1048 {
		t.Fatalf("the message has %d bytes, %v; want about 1024", len(buf), err)
	}
	want := bytes.Clone(buf)
	if got := testing.AllocsPerRun(100, func() { buf, err = stanza.AppendBinary(buf[:0], n) }); got > 0 || err != nil || !bytes.Equal(buf, want) {
		t.Errorf("AppendBinary allocates %v times, %v; want none", got, err)
	}
	if got := testing.AllocsPerRun(100, func() { _, err = stanza.ParseBinary(buf) }); got > 10 || err != nil {
		t.Errorf("ParseBinary allocates %v times, %v; want at most 10", got, err)
	}
}
