package adaptertest

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/mimi-lab/mimi-lab/protocols"
)

var sessionChecks = []check{
	{"without a session there is nothing to seal or open with", func(h *harness) {
		a, b := h.talking()
		c := h.client("c")
		if c.Established("a") {
			h.Error("a fresh client reports a session")
		}
		c.refuses("sealing without a session", protocols.ErrNoSession, func() error {
			_, err := c.Seal("a", []byte("hello"))
			return err
		})
		c.refusesPayload(a, a.seal(b, "for b"), "another client's message", nil)
	}},
	{"both ends are established after the first message", func(h *harness) {
		a, b := h.client("a"), h.client("b")
		if n := a.establish(b, true); !n.Has(protocols.SessionStarted) || n.Has(protocols.IdentityChanged) {
			h.Errorf("notice %b of Establish, want SessionStarted and not IdentityChanged", n)
		}
		if !a.Established("b") || b.Established("a") {
			h.Errorf("after Establish: a %v, b %v, want true, false", a.Established("b"), b.Established("a"))
		}
		n := b.open(a, a.seal(b, "hello"), "hello")
		if want := protocols.SessionStarted | protocols.OneTimeKeyUsed; n != want {
			h.Errorf("notice %b of the first message, want %b", n, want)
		}
		if !b.Established("a") {
			h.Error("the responder has no session after it opened a message")
		}
		if n := a.open(b, b.seal(a, "hello"), "hello"); n != 0 {
			h.Errorf("notice %b of the first reply, want none", n)
		}
		if n := b.open(a, a.seal(b, "again"), "again"); n != 0 {
			h.Errorf("notice %b of a later message, want none", n)
		}
	}},
	{"plaintexts of any size open, both ways", func(h *harness) {
		a, b := h.pair()
		for _, n := range []int{0, 1, 14, 15, 16, 17, 31, 32, 33, 127, 128, 255, 256, 1000, 4096, 65535, 65536, 70000} {
			text := h.text(n)
			b.open(a, a.seal(b, text), text)
			a.open(b, b.seal(a, text), text)
		}
	}},
	{"a payload hides its plaintext", func(h *harness) {
		a, b := h.pair()
		text := []byte("a sentence that nobody on the way should be able to read")
		for range 3 {
			s := a.seal(b, string(text))
			for i := 0; i+8 <= len(text); i++ {
				if bytes.Contains(s.Payload, text[i:i+8]) {
					h.Fatalf("payload contains %q of the plaintext", text[i:i+8])
				}
			}
			again := a.seal(b, string(text))
			if bytes.Equal(s.Payload, again.Payload) {
				h.Fatal("one plaintext sealed twice gave the same payload")
			}
			b.open(a, s, string(text))
			a.open(b, b.seal(a, "-"), "-")
		}
	}},
	{"slices are neither kept nor written to", func(h *harness) {
		a, b := h.pair()
		for range 3 {
			spare := bytes.Repeat([]byte{0xaa}, 64)
			plaintext := append(spare[:0], "thirteen char"...)
			s, err := a.Seal("b", plaintext)
			if err != nil {
				h.Fatal(err)
			}
			if string(plaintext) != "thirteen char" || !bytes.Equal(spare[13:], bytes.Repeat([]byte{0xaa}, 51)) {
				h.Fatal("Seal wrote to the plaintext or the room behind it")
			}
			clear(plaintext)
			sent := protocols.Sealed{Type: s.Type, Version: s.Version, Payload: bytes.Clone(s.Payload)}
			clear(s.Payload)
			received := bytes.Clone(sent.Payload)
			o, err := b.Open("a", protocols.Sealed{Type: s.Type, Version: s.Version, Payload: received})
			if err != nil {
				h.Fatal(err)
			}
			if !bytes.Equal(received, sent.Payload) {
				h.Fatal("Open wrote to the payload")
			}
			clear(received)
			if string(o.Plaintext) != "thirteen char" {
				h.Fatalf("plaintext is %q after the payload was cleared", o.Plaintext)
			}
			clear(o.Plaintext)
			b.exchange(a)
		}
	}},
	{"messages open in any order", func(h *harness) {
		const n = 40
		orders := map[string]func([]int){
			"reversed":  slices.Reverse[[]int],
			"shuffled":  func(o []int) { h.rand.Shuffle(len(o), func(i, j int) { o[i], o[j] = o[j], o[i] }) },
			"odd first": func(o []int) { slices.SortStableFunc(o, func(i, j int) int { return j%2 - i%2 }) },
		}
		for _, name := range []string{"reversed", "shuffled", "odd first"} {
			a, b := h.pair()
			for turn := range 3 {
				sent := make([]protocols.Sealed, n)
				order := make([]int, n)
				for i := range sent {
					sent[i] = a.seal(b, name+strconv.Itoa(i))
					order[i] = i
				}
				orders[name](order)
				for _, i := range order {
					b.open(a, sent[i], name+strconv.Itoa(i))
				}
				if turn == 1 {
					a.open(b, b.seal(a, "meanwhile"), "meanwhile")
				}
			}
		}
	}},
	{"messages of earlier turns open late", func(h *harness) {
		a, b := h.talking()
		late := make(map[string]protocols.Sealed)
		for turn := range 3 {
			name := "turn " + strconv.Itoa(turn)
			late[name] = a.seal(b, name)
			b.open(a, a.seal(b, "in time"), "in time")
			a.open(b, b.seal(a, "reply"), "reply")
		}
		for name, s := range late {
			b.open(a, s, name)
		}
		a.exchange(b)
	}},
	{"lost messages are no obstacle", func(h *harness) {
		for _, lost := range []int{1, 10, 500} {
			a, b := h.pair()
			for range 3 {
				for range lost {
					a.seal(b, "lost")
				}
				b.open(a, a.seal(b, "found"), "found")
				b.seal(a, "lost")
				a.open(b, b.seal(a, "found"), "found")
			}
		}
	}},
	{"the first messages may be lost", func(h *harness) {
		a, b := h.pair()
		a.seal(b, "lost")
		a.seal(b, "lost")
		n := b.open(a, a.seal(b, "third"), "third")
		if !n.Has(protocols.SessionStarted | protocols.OneTimeKeyUsed) {
			h.Errorf("notice %b, want a new session and a used key", n)
		}
		a.exchange(b)
	}},
	{"a message opens once", func(h *harness) {
		a, b := h.pair()
		var sent []protocols.Sealed
		replay := func(why string) {
			h.Helper()
			for i, s := range sent {
				b.refusesPayload(a, s, "message "+strconv.Itoa(i)+" again "+why, protocols.ErrReplayed)
			}
		}
		for i := range 5 {
			s := a.seal(b, strconv.Itoa(i))
			b.open(a, s, strconv.Itoa(i))
			sent = append(sent, s)
			replay("at once")
		}
		a.open(b, b.seal(a, "reply"), "reply")
		replay("after a reply")
		b = b.restored(b.State())
		replay("after a restore")
		s := a.seal(b, "next turn")
		b.open(a, s, "next turn")
		sent = append(sent, s)
		replay("in the next turn")
	}},
	{"an old message does not open again much later", func(h *harness) {
		a, b := h.pair()
		var sent []protocols.Sealed
		for range 20 {
			s := a.seal(b, "once")
			b.open(a, s, "once")
			sent = append(sent, s)
			a.open(b, b.seal(a, "reply"), "reply")
		}
		a.establish(b, true)
		a.exchange(b)
		for _, s := range sent {
			b.refusesPayload(a, s, "an old message again", nil)
		}
	}},
	{"skipped messages open once", func(h *harness) {
		a, b := h.pair()
		var sent []protocols.Sealed
		for i := range 6 {
			sent = append(sent, a.seal(b, strconv.Itoa(i)))
		}
		for _, i := range []int{5, 2, 0, 3, 1, 4} {
			b.open(a, sent[i], strconv.Itoa(i))
			b.refusesPayload(a, sent[i], "a skipped message again", protocols.ErrReplayed)
		}
	}},
	{"a session is replaced by a newer one", func(h *harness) {
		a, b := h.talking()
		for i := range 5 {
			late := a.seal(b, "late")
			back := b.seal(a, "late back")
			if n := a.establish(b, i%2 == 0); n != protocols.SessionStarted {
				h.Errorf("notice %b of a second Establish, want SessionStarted alone", n)
			}
			first := a.seal(b, "first of the new one")
			if n := b.open(a, first, "first of the new one"); !n.Has(protocols.SessionStarted) {
				h.Errorf("notice %b, want SessionStarted", n)
			}
			b.open(a, late, "late")
			b.refusesPayload(a, late, "a message of the earlier session again", protocols.ErrReplayed)
			a.open(b, back, "late back")
			a.exchange(b)
			a.exchange(b)
		}
	}},
	{"both may start a session at once", func(h *harness) {
		for _, order := range []string{"crossing", "one first"} {
			a, b := h.client("a"), h.client("b")
			a.establish(b, true)
			b.establish(a, true)
			var toA, toB []protocols.Sealed
			for i := range 3 {
				toB = append(toB, a.seal(b, strconv.Itoa(i)))
				toA = append(toA, b.seal(a, strconv.Itoa(i)))
			}
			if order == "crossing" {
				a.open(b, toA[0], "0")
				b.open(a, toB[0], "0")
				a.open(b, toA[1], "1")
				b.open(a, toB[1], "1")
			} else {
				b.open(a, toB[0], "0")
				b.open(a, toB[1], "1")
				a.open(b, toA[0], "0")
				a.open(b, toA[1], "1")
			}
			cross := func() {
				x, y := a.seal(b, "x"), b.seal(a, "y")
				b.open(a, x, "x")
				a.open(b, y, "y")
			}
			cross()
			a.open(b, toA[2], "2")
			b.open(a, toB[2], "2")
			for range 6 { // crossing again and again
				cross()
			}
			for range 4 {
				a.exchange(b)
				b.exchange(a)
			}
		}
	}},
	{"a new identity of the peer is accepted and told", func(h *harness) {
		a, _ := h.talking()
		b := h.client("b") // installed anew
		if n := a.establish(b, true); !n.Has(protocols.IdentityChanged | protocols.SessionStarted) {
			h.Errorf("notice %b of Establish, want IdentityChanged and SessionStarted", n)
		}
		a.exchange(b)
		b = h.client("b")
		b.establish(a, true)
		n := a.open(b, b.seal(a, "me again"), "me again")
		if want := protocols.IdentityChanged | protocols.SessionStarted | protocols.OneTimeKeyUsed; n != want {
			h.Errorf("notice %b of the first message, want %b", n, want)
		}
		if n := a.open(b, b.seal(a, "and again"), "and again"); n != 0 {
			h.Errorf("notice %b of a later message, want none", n)
		}
		a.exchange(b)
	}},
	{"a client that lost its state is reached in a new session", func(h *harness) {
		a, _ := h.talking()
		b := h.client("b")
		b.refusesPayload(a, a.seal(b, "who?"), "a message for the client that was", protocols.ErrNoSession)
		a.establish(b, true)
		a.exchange(b)
	}},
	{"sessions with many peers do not mix", func(h *harness) {
		a := h.client("a")
		const n = 12
		peers := make([]*device, n)
		for i := range peers {
			peers[i] = h.client(protocols.Address("peer " + strconv.Itoa(i) + "/ü%"))
			if i%2 == 0 {
				a.establish(peers[i], true)
				a.exchange(peers[i])
			} else {
				peers[i].establish(a, true)
				peers[i].exchange(a)
			}
		}
		for i, p := range peers {
			s := p.seal(a, "mine")
			other := peers[(i+1)%n]
			a.refusesPayload(other, s, "one peer's message as another's", nil)
			a.open(p, s, "mine")
			a.exchange(p)
		}
	}},
}
