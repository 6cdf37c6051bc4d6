package rooms

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Finding is what was found of one promise.
type Finding struct {
	// Promise is what is to hold.
	Promise string
	// Broken says where it does not hold, the first places of it; empty if it holds.
	Broken []string
}

// Holds reports whether all promises hold.
func (s *Story) Holds() bool {
	return !slices.ContainsFunc(s.Findings, func(f Finding) bool { return len(f.Broken) > 0 })
}

// promise is what is to hold, and what finds out where it does not.
type promise struct {
	text   string
	broken func() []string
}

// judge finds out what holds. played is what play returned.
func (s *Story) judge(played error) {
	promises := []promise{
		{"the flow came to its end, and no client met an error", func() []string { return s.troubles(played) }},
		{"ClientA1, ClientC1 and ClientC3 are in the room, and no others", s.strangers},
		{"they agree on the epoch authenticator and the room state", s.disagreements},
		{"every message reached each client once that was in the room", s.missed},
		{"the hub's frank verifies at every recipient and sender", s.unfranked},
		{"Bob's proposals waited at the hub until Cathy committed them", s.unleft},
		{"b.example and Bob's clients got nothing after he had left", s.afterwards},
		{"no provider saw a message's plaintext, sent or stored", s.leaks},
	}
	if s.more != nil {
		promises[len(promises)-1].text = "no provider saw plaintext of a message but of the one reported"
		promises = append(promises, s.promisesMore()...)
	}
	for _, p := range promises {
		f := Finding{Promise: p.text}
		if f.Broken = p.broken(); len(f.Broken) > maxBroken {
			f.Broken = append(f.Broken[:maxBroken:maxBroken], fmt.Sprintf("%d more", len(f.Broken)-maxBroken))
		}
		s.Findings = append(s.Findings, f)
	}
}

// maxBroken bounds what is told of a broken promise.
const maxBroken = 5

// troubles are an early end, and events that none should have had.
func (s *Story) troubles(played error) (list []string) {
	if played != nil {
		list = append(list, fmt.Sprintf("%s: %v", s.Sections[len(s.Sections)-1].Heading(), played))
	}
	for _, d := range s.World.Devices() {
		for _, x := range d.Events {
			switch e := x.Event.(type) {
			case member.Failed:
				if s.more != nil && d == s.alice && slices.Contains(s.more.refused, e.ID) {
					continue // as it is to be
				}
				list = append(list, fmt.Sprintf("%s failed to %s: %v", d.Name, e.What, e.Why))
			case member.Refused:
				list = append(list, fmt.Sprintf("%s refused %s: %v", d.Name, e.What, e.Why))
			case member.Gap:
				list = append(list, fmt.Sprintf("%s misses events before one of epoch %d", d.Name, e.Epoch))
			}
		}
	}
	return list
}

// inRoom returns the devices that are in the room.
func (s *Story) inRoom() (list []*Device) {
	for _, d := range s.World.Devices() {
		if r, ok := d.Room(Clubhouse); ok && r.State != nil {
			list = append(list, d)
		}
	}
	return list
}

func (s *Story) strangers() (list []string) {
	in := s.inRoom()
	for _, want := range []*Device{s.alice, s.cathy1, s.cathy3} {
		if want == nil {
			list = append(list, "not all devices came to be")
		} else if !slices.Contains(in, want) {
			list = append(list, want.Name+" is not in the room")
		}
	}
	for _, d := range in {
		if d != s.alice && d != s.cathy1 && d != s.cathy3 {
			list = append(list, d.Name+" is in the room")
		}
	}
	return list
}

// disagreements compares what each device knows with what the first knows, and the
// clients in the group with the devices.
func (s *Story) disagreements() (list []string) {
	in := s.inRoom()
	var first member.Room
	for i, d := range in {
		r, _ := d.Room(Clubhouse)
		if i == 0 {
			first = r
		}
		a, err := wire.Marshal(r.State.Dictionary())
		b, err1 := wire.Marshal(first.State.Dictionary())
		switch {
		case err != nil || err1 != nil:
			list = append(list, fmt.Sprintf("%s: room state: %v %v", d.Name, err, err1))
		case r.Epoch != first.Epoch || !bytes.Equal(r.Authenticator, first.Authenticator):
			list = append(list, fmt.Sprintf("%s is in epoch %d (%.4x), %s in epoch %d (%.4x)", d.Name, r.Epoch, r.Authenticator, in[0].Name, first.Epoch, first.Authenticator))
		case !bytes.Equal(a, b):
			list = append(list, fmt.Sprintf("%s and %s have other room states", d.Name, in[0].Name))
		case r.State.Clients() != len(in):
			list = append(list, fmt.Sprintf("%s sees %d clients, and %d are in the room", d.Name, r.State.Clients(), len(in)))
		}
	}
	if len(in) == 0 {
		list = append(list, "nobody is in the room")
	}
	return list
}

// missed counts, for every message, who got it.
func (s *Story) missed() (list []string) {
	if len(s.said) == 0 {
		return []string{"no message was sent"}
	}
	for _, m := range s.said {
		var sent *member.Sent
		for _, x := range m.by.Events {
			if e, ok := x.Event.(member.Sent); ok && e.ID == m.id {
				sent = &e
			}
		}
		if sent == nil {
			list = append(list, fmt.Sprintf("%s does not know that %q was accepted", m.by.Name, m.text))
		}
		for _, d := range s.World.Devices() {
			n, want := 0, 0
			for _, x := range d.Events {
				if e, ok := x.Event.(member.Message); ok && e.Content != nil {
					text, _ := e.Content.Body.PlainText()
					if text == m.text && e.Sender == m.by.User && e.SenderClient == m.by.URI && (sent == nil || e.ID == sent.Message) {
						n++
					}
				}
			}
			if slices.Contains(m.to, d) {
				want = 1
			}
			if n != want {
				list = append(list, fmt.Sprintf("%s got %q %d times, want %d", d.Name, m.text, n, want))
			}
		}
	}
	return list
}

func (s *Story) unfranked() (list []string) {
	n := 0
	for _, d := range s.World.Devices() {
		for _, x := range d.Events {
			switch e := x.Event.(type) {
			case member.Message:
				n++
				if e.Unfranked != nil || e.Evidence == nil {
					list = append(list, fmt.Sprintf("%s: message by %v: %v", d.Name, e.SenderClient, e.Unfranked))
				}
			case member.Sent:
				n++
				if e.Frank == nil {
					list = append(list, d.Name+": no frank with the answer")
				}
			}
		}
	}
	if n == 0 {
		list = append(list, "there was no frank")
	}
	return list
}

// unleft says what was not as the draft wants a user to leave.
func (s *Story) unleft() (list []string) {
	if !s.waited {
		list = append(list, "no proposal waited at ClientC1")
	}
	for _, d := range []*Device{s.bob1, s.bob2} {
		if d == nil {
			continue
		}
		if e, ok := Find[member.Removed](d); !ok {
			list = append(list, d.Name+" was not removed")
		} else if e.By != s.cathy1.User {
			list = append(list, fmt.Sprintf("%s was removed by %v", d.Name, e.By))
		}
	}
	return list
}

// afterwards looks for events of the room that went to Bob's provider or clients
// after he had left. What they had before may come again, if its answer got lost.
func (s *Story) afterwards() (list []string) {
	if s.gone == 0 {
		return []string{"he has not left"}
	}
	had := make(map[string]bool)
	for _, f := range s.World.frames[:s.gone] {
		had[f.To+string(f.Body)] = true
	}
	for _, f := range s.World.frames[s.gone:] {
		if had[f.To+string(f.Body)] {
			continue
		}
		toProvider := f.To == "b.example" && f.Endpoint == mimi.EndpointNotify
		toClient := f.Kind == Delivery && (f.To == s.bob1.Name || f.To == s.bob2.Name)
		if toProvider || toClient {
			list = append(list, fmt.Sprintf("%s to %s at %v", f.Kind, f.To, f.Sent))
		}
	}
	return list
}

// leaks looks for the plaintext of messages in all that providers sent, got and
// keep: in every frame, since a provider is at one end at least, and every record.
func (s *Story) leaks() (list []string) {
	for _, m := range s.said {
		text := []byte(m.text)
		for _, f := range s.World.frames {
			if s.more != nil && f.Endpoint == mimi.EndpointReportAbuse && m.text == s.more.reported {
				continue // which discloses it
			}
			if bytes.Contains(f.Body, text) {
				list = append(list, fmt.Sprintf("%q in frame %d, from %s to %s", m.text, f.Number, f.From, f.To))
			}
		}
		for _, domain := range slices.Sorted(maps.Keys(s.World.providers)) {
			p := s.World.providers[domain]
			for _, r := range slices.Concat(p.hubStore.records(), p.followerStore.records()) {
				if bytes.Contains(r.Value, text) || strings.Contains(r.Key, m.text) {
					list = append(list, fmt.Sprintf("%q in a record of %s", m.text, domain))
				}
			}
		}
	}
	return list
}
