package bridge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/groups/gateway"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
	"github.com/mimi-lab/mimi-lab/sim/des"
)

func send(text string) member.Send {
	return member.Send{Room: Clubhouse, Message: &content.Message{Body: content.Text(text)}}
}

// texts returns what a device has read, but for what the gateway says itself.
func (d *Device) texts() (list []string) {
	for _, e := range d.Events {
		if m, ok := e.Event.(member.Message); ok && m.Content != nil {
			if s, _ := m.Content.Body.PlainText(); !strings.HasPrefix(s, "[gateway]") {
				list = append(list, s)
			}
		}
	}
	return list
}

// of returns the texts of one sender, which their beginning tells.
func of(list []string, who string) (own []string) {
	for _, s := range list {
		if strings.HasPrefix(s, who) {
			own = append(own, s)
		}
	}
	return own
}

// TestCrashes stops the gateway at random moments, before and after its records are
// durable and between its Steps, and starts it from its records. The model: every
// message that one end wrote in the room is with each other end once, in the order in
// which its author wrote it.
func TestCrashes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, randomCrashes)
}

func randomCrashes(t *rapid.T) {
	rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
	rate := rapid.IntRange(2, 40).Draw(t, "steps from stop to stop")
	crashing := rapid.Bool().Draw(t, "while joining")
	stops := 0
	cfg := Config{
		Seed: rapid.Uint64().Draw(t, "world"), Place: gateway.Place(rapid.IntRange(0, 1).Draw(t, "place")),
		Native: rapid.Bool().Draw(t, "native"), Adapter: sized.Adapter{},
		Crash: func(int) Crash {
			if !crashing || rnd.IntN(rate) > 0 {
				return NoCrash
			}
			stops++
			return Crash(1 + rnd.IntN(2))
		},
	}
	// The lines of a gateway that stops at every other step are hardly ever up.
	if crashing {
		rate = max(rate, 8)
	}
	w, alice, carol := joinRandom(t, cfg)
	crashing = true
	said := map[string][]string{}
	for range rapid.IntRange(1, 25).Draw(t, "acts") {
		var err error
		switch who := rapid.SampledFrom([]string{"bob", "bob", "alice", "carol", "stop"}).Draw(t, "who"); who {
		case "stop":
			stops++
			w.Crash()
		case "bob":
			s := fmt.Sprintf("bob: %d", len(said[who]))
			said[who] = append(said[who], s)
			_, err = w.Say(1, s)
		default:
			s := fmt.Sprintf("%s (a.example): %d", who, len(said[who]))
			said[who] = append(said[who], s)
			d := map[string]*Device{"alice": alice, "carol": carol}[who]
			_, err = w.Do(d, send(strings.TrimPrefix(s, who+" (a.example): ")+" by "+who))
		}
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			w.Step()
		}
	}
	crashing = false
	crashing = false
	if err := w.Settle(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d stops", stops)
	for who, list := range said {
		if who != "bob" {
			var want []string
			for _, s := range list {
				want = append(want, s+" by "+who)
			}
			if got := of(w.passed(1), who); !slices.Equal(got, want) {
				t.Fatalf("after %d stops Bob got %q, want %q", stops, got, want)
			}
			continue
		}
		for _, d := range []*Device{alice, carol} {
			if got := of(d.texts(), "bob"); !slices.Equal(got, list) {
				t.Fatalf("after %d stops %s got %q, want %q", stops, d.Name, got, list)
			}
		}
	}
	if n := strings.Count(strings.Join(notices(alice), "\n"), "I take part with Signal"); n == 0 {
		t.Fatalf("after %d stops Alice was not warned", stops)
	}
}

// notices returns what the gateway has said in the room.
func notices(d *Device) (list []string) {
	for _, e := range d.Events {
		if m, ok := e.Event.(member.Message); ok && m.Content != nil {
			if s, _ := m.Content.Body.PlainText(); strings.HasPrefix(s, "[gateway]") {
				list = append(list, s)
			}
		}
	}
	return list
}

// joinRandom is inRoom for a gateway that may stop meanwhile.
func joinRandom(t *rapid.T, cfg Config) (w *World, alice, carol *Device) {
	w, err := New(cfg)
	must := func(err error) {
		t.Helper()
		if err == nil {
			err = w.Settle()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	alice, err = w.AddDevice("alice", "A1")
	must(err)
	carol, err = w.AddDevice("carol", "C1")
	must(err)
	_, err = w.Say(0, "/agree bob")
	must(err)
	p := w.providers[HubDomain]
	_, err = w.Do(alice, member.CreateRoom{
		Room: Clubhouse, Policy: "administered", Metadata: room.RoomMetaData{Name: "Clubhouse"},
		Hub: p.externalSender(), FrankingAgent: p.frankingAgent(),
	})
	must(err)
	for _, in := range []member.Input{
		member.AddUser{Room: Clubhouse, User: carol.User, Role: 2},
		member.Consent{Operation: mimi.ConsentRequest, User: BobInRooms, Room: Clubhouse},
	} {
		_, err = w.Do(alice, in)
		must(err)
	}
	_, err = w.Say(0, "/accept 1")
	must(err)
	_, err = w.Do(alice, member.AddUser{Room: Clubhouse, User: BobInRooms, Role: 2})
	must(err)
	must(w.Pass(des.Minute))
	if len(w.shown(1)) == 0 {
		t.Fatal("Bob got no chat for the room")
	}
	return w, alice, carol
}
