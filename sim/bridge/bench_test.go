package bridge

import (
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
)

// BenchmarkMessage takes the time of all machines together for one message of 100 bytes,
// with real cryptography: from Alice to Carol without Bob in the room, from Alice to Bob
// by the gateway, and from Bob to Alice. Compare them with each other.
func BenchmarkMessage(b *testing.B) {
	for _, way := range []string{"room", "to Signal", "to the room"} {
		b.Run(way, func(b *testing.B) {
			s := &scene{t: b}
			if way == "room" {
				s.start(Config{Seed: 1})
				s.room(Clubhouse, "administered")
				carol, err := s.AddDevice("carol", "C1")
				s.ok(0, err)
				s.ok(s.Do(s.alice, member.AddUser{Room: Clubhouse, User: carol.User, Role: 2}))
			} else {
				s.enter(Config{Seed: 1, Adapter: BestAdapter()}, "administered", 2)
			}
			n := 0
			for b.Loop() {
				n++
				text := fmt.Sprintf("%0100d", n)
				var err error
				if way == "to the room" {
					_, err = s.Write(1, dma.Content{Kind: dma.Text, Text: text})
				} else {
					_, err = s.Do(s.alice, member.Send{Room: Clubhouse, Message: &content.Message{Body: content.Text(text)}})
				}
				if err == nil {
					err = s.Settle()
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			got := len(s.passed(1))
			switch way {
			case "room":
				got = len(s.devices["carol"].texts())
			case "to the room":
				got = len(s.alice.texts())
			}
			if got != n {
				b.Fatalf("%d messages came, want %d", got, n)
			}
		})
	}
}
