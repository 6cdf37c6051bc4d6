package bridge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/groups/gateway"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/sim/ledger"
)

// Finding is what was found of one promise.
type Finding struct {
	// Promise is what is to hold.
	Promise string
	// Broken says where it does not hold; empty if it holds.
	Broken []string
}

// Holds reports whether all promises hold.
func (s *Story) Holds() bool {
	return !slices.ContainsFunc(s.Findings, func(f Finding) bool { return len(f.Broken) > 0 })
}

// judge finds out what holds. played is what play returned.
func (s *Story) judge(played error) {
	who := "no server saw what a message says, and nobody but the ends held it"
	if s.World.cfg.Place == gateway.AtServer {
		who = "the gateway says that it held every message, and no other server saw one"
	}
	for _, p := range []struct {
		promise string
		broken  func() []string
	}{
		{"the story came to its end, and no machine met an error", func() []string { return s.troubles(played) }},
		{"every message reached each other end once", s.missed},
		{"members were warned before a message passed, Carol too", s.unwarned},
		{"nothing passed before Bob agreed, or after he asked to leave", s.outside},
		{"what could not be translated was told to Bob", s.untold},
		{who, s.leaks},
		{"no server has a key of the room or of Bob's member", s.keys},
	} {
		f := Finding{Promise: p.promise}
		if f.Broken = p.broken(); len(f.Broken) > maxBroken {
			f.Broken = append(f.Broken[:maxBroken:maxBroken], fmt.Sprintf("%d more", len(f.Broken)-maxBroken))
		}
		s.Findings = append(s.Findings, f)
	}
}

// maxBroken bounds what is told of a broken promise.
const maxBroken = 5

func (s *Story) devices() (list []*Device) {
	for _, d := range []*Device{s.alice, s.carol} {
		if d != nil {
			list = append(list, d)
		}
	}
	return list
}

func (s *Story) troubles(played error) (list []string) {
	if played != nil {
		list = append(list, played.Error())
	}
	for _, d := range s.devices() {
		for _, e := range d.Events {
			switch e := e.Event.(type) {
			case member.Failed:
				list = append(list, fmt.Sprintf("%s failed to %s: %v", d.Name, e.What, e.Why))
			case member.Refused:
				list = append(list, fmt.Sprintf("%s refused %s: %v", d.Name, e.What, e.Why))
			case member.Gap:
				list = append(list, d.Name+" misses events")
			}
		}
	}
	for _, e := range s.World.gateway.events {
		if x, ok := e.Event.(gateway.Trouble); ok {
			list = append(list, "gateway: "+Tell(x))
		}
	}
	return list
}

// missed counts, for every message, who got it.
func (s *Story) missed() (list []string) {
	for _, x := range s.said {
		for _, to := range []string{"alice", "carol", "bob"} {
			if to == x.by || to == "carol" && s.carol == nil {
				continue
			}
			want := 0
			if slices.Contains(x.to, to) {
				want = 1
			}
			if n := s.read(to, x); n != want {
				list = append(list, fmt.Sprintf("%s got %q of %s %d times, want %d", to, x.text, x.by, n, want))
			}
		}
	}
	if len(s.said) == 0 {
		list = append(list, "no message was sent")
	}
	return list
}

// unshown is what of the story Bob's app cannot show, by its type: he is told of it.
const (
	unshown     = "text/calendar"
	unshownText = "BEGIN:VEVENT tea"
)

// read counts how often somebody got a message.
func (s *Story) read(who string, x *saying) (n int) {
	if who == "bob" {
		for _, c := range s.World.shown(roomLine) {
			if strings.Contains(c.Text, x.text) || x.text == unshownText && strings.Contains(c.Text, unshown) {
				n++
			}
		}
		return n
	}
	for _, d := range s.devices() {
		for _, e := range d.Events {
			m, ok := e.Event.(member.Message)
			if d.Name != who || !ok || m.Content == nil {
				continue
			}
			if b, err := m.Content.Marshal(); err == nil && strings.Contains(string(b), x.text) {
				n++
			}
		}
	}
	return n
}

// shown returns what Bob's app has shown in the chat with a line.
func (w *World) shown(line int) (list []dma.Content) {
	for _, e := range w.phone.Events {
		if e.Event.Kind == dma.MessageDelivered && w.Line(e.Event.Peer) == line {
			list = append(list, *e.Event.Content)
		}
	}
	return list
}

// warning is what the gateway says in a room of itself, in either place.
const warning = "I take part with Signal"

// unwarned looks for messages that passed before a member was warned.
func (s *Story) unwarned() (list []string) {
	for _, d := range s.devices() {
		warned := false
		for _, e := range d.Events {
			m, ok := e.Event.(member.Message)
			if !ok || m.Content == nil || m.Sender != BobInRooms {
				continue
			}
			text, _ := m.Content.Body.PlainText()
			if strings.Contains(text, warning) {
				warned = true
			} else if !warned {
				list = append(list, fmt.Sprintf("%s read %q of Bob before a warning", d.Name, text))
			}
		}
		if !warned {
			list = append(list, d.Name+" was not warned")
		}
		for _, e := range s.World.gateway.events {
			if h, ok := e.Event.(gateway.Held); ok && h.Direction == gateway.ToSignal && !s.warnedBy(d, e) && s.wrote(d, h.ID) {
				list = append(list, fmt.Sprintf("a message of %s was opened before its warning", d.Name))
			}
		}
	}
	return list
}

// warnedBy reports whether a device's user was warned before something happened.
func (s *Story) warnedBy(d *Device, at GatewayEvent) bool {
	return slices.ContainsFunc(d.Events, func(e MemberEvent) bool {
		m, ok := e.Event.(member.Message)
		if !ok || m.Content == nil || e.At > at.At {
			return false
		}
		text, _ := m.Content.Body.PlainText()
		return m.Sender == BobInRooms && strings.Contains(text, warning)
	})
}

// wrote reports whether a message is a device's.
func (s *Story) wrote(d *Device, id string) bool {
	return slices.ContainsFunc(d.Events, func(e MemberEvent) bool {
		x, ok := e.Event.(member.Sent)
		return ok && x.Message.String() == id
	})
}

// outside looks for messages that passed when none should have.
func (s *Story) outside() (list []string) {
	agreed := false
	for _, e := range s.World.gateway.events {
		switch x := e.Event.(type) {
		case gateway.Agreed:
			agreed = true
		case gateway.Passed:
			if !agreed || s.left != 0 && e.At > s.left {
				list = append(list, fmt.Sprintf("a message passed %v at %v", x.Direction, e.At))
			}
		}
	}
	if !agreed || s.left == 0 {
		list = append(list, "Bob has not agreed, or not left")
	}
	return list
}

// untold looks for losses that are neither in the terms nor were told at once.
func (s *Story) untold() (list []string) {
	for _, e := range s.World.gateway.events {
		x, ok := e.Event.(gateway.Lost)
		if !ok || x.Loss.ByTerms() {
			continue
		}
		told := slices.ContainsFunc(s.World.phone.Events, func(p ChatEvent) bool {
			return p.Event.Kind == dma.MessageDelivered && s.World.Line(p.Event.Peer) == roomLine && p.At >= e.At && p.At < e.At+pause
		})
		if !told {
			list = append(list, fmt.Sprintf("%v, %v, at %v", x.Loss, x.Direction, e.At))
		}
	}
	return list
}

// leaks looks for the text of messages in all that servers sent, got and ever kept.
func (s *Story) leaks() (list []string) {
	held := s.heldIDs()
	n := 0
	for i, x := range s.said {
		if slices.Contains(x.to, "bob") || x.by == "bob" {
			n++
			if !held[s.idOf(x)] {
				list = append(list, fmt.Sprintf("message %d of %s passed, and the ledger has no line of it", i+1, x.by))
			}
		} else if held[s.idOf(x)] {
			list = append(list, fmt.Sprintf("message %d of %s is in the ledger, and was not for the gateway", i+1, x.by))
		}
		for _, p := range s.parties() {
			if p.role == ledger.GatewayServer {
				continue
			}
			if where := p.has([]byte(x.text)); where != "" {
				list = append(list, fmt.Sprintf("%s has %q in %s", p.name, x.text, where))
			}
		}
	}
	if n == 0 {
		list = append(list, "no message passed")
	}
	return list
}

// keys looks for secrets in the same.
func (s *Story) keys() (list []string) {
	secrets := append(slices.Clone(s.secrets), s.World.gateway.privateKeys()...)
	if len(secrets) < 3 {
		list = append(list, "there are no secrets to look for")
	}
	for i, k := range secrets {
		for _, p := range s.parties() {
			if p.role == ledger.GatewayServer {
				continue
			}
			if where := p.has(k); where != "" {
				list = append(list, fmt.Sprintf("%s has secret %d in %s", p.name, i+1, where))
			}
		}
	}
	return list
}
