package bridge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/groups/gateway"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/sim/trace"
)

// Diagram returns the story's sequence diagram, with a mark wherever the gateway held
// plaintext.
func (s *Story) Diagram() *trace.Diagram {
	w := s.World
	d := &trace.Diagram{
		Level: true, Title: "A Signal user in an MLS room",
		Sub: fmt.Sprintf("gateway %v, Signal by the adapter %s, seed %d", w.cfg.Place, w.adapter.Name(), w.cfg.Seed),
		Actors: []trace.Actor{
			{Node: PhoneNode, Label: "Bob's app", Role: trace.Device, Note: "Signal"},
			{Node: GatekeeperNode, Role: trace.Gatekeeper},
		},
	}
	if w.cfg.Place == gateway.OnDevice {
		d.Actors = append(d.Actors, trace.Actor{Node: ProxyNode, Role: trace.Proxy, Note: "of g.example"},
			trace.Actor{Node: BridgeNode, Label: "Bob's gateway", Role: trace.Device, Note: "on his device"})
	} else {
		d.Actors = append(d.Actors, trace.Actor{Node: ServerNode, Role: trace.Partner, Note: "reads everything"})
	}
	d.Actors = append(d.Actors,
		trace.Actor{Node: OperatorDomain, Role: trace.Partner, Note: "follower"},
		trace.Actor{Node: HubDomain, Role: trace.Partner, Note: "hub and follower"},
		trace.Actor{Node: "alice", Role: trace.Device, Note: "MLS"}, trace.Actor{Node: "carol", Role: trace.Device, Note: "MLS"})
	var start = s.Sections[0].At
	for _, f := range w.frames {
		if f.Sent < start || f.Quiet() || f.Arrived < 0 {
			continue
		}
		d.Entries = append(d.Entries,
			trace.Entry{At: f.Sent, Node: f.From, Event: trace.Send, Peer: f.To, Kind: f.What, Size: len(f.Body)},
			trace.Entry{At: f.Arrived, Node: f.To, Event: trace.Receive, Peer: f.From, Kind: f.What, Size: len(f.Body)})
	}
	for _, e := range w.phone.Events {
		if e.Event.Kind == dma.MessageDelivered {
			d.Entries = append(d.Entries, trace.Entry{At: e.At, Node: PhoneNode, Event: trace.Deliver, Note: brief(e.Event.Content.Text)})
		}
	}
	for _, o := range s.devices() {
		for _, e := range o.Events {
			if m, ok := e.Event.(member.Message); ok {
				text, _ := m.Content.Body.PlainText()
				d.Entries = append(d.Entries, trace.Entry{At: e.At, Node: o.Name, Event: trace.Deliver, Note: brief(text)})
			}
		}
	}
	for _, e := range w.gateway.events {
		if h, ok := e.Event.(gateway.Held); ok {
			d.Entries = append(d.Entries, trace.Entry{At: e.At, Node: w.gateway.node, Event: "plaintext", Note: fmt.Sprintf("%d B", h.Size)})
		}
	}
	slices.SortStableFunc(d.Entries, func(a, b trace.Entry) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(rank(a.Event), rank(b.Event)))
	})
	for _, sec := range s.Sections {
		i := slices.IndexFunc(d.Entries, func(e trace.Entry) bool { return e.At >= sec.At })
		if i >= 0 && (len(d.Headings) == 0 || d.Headings[len(d.Headings)-1].Before < i) {
			d.Headings = append(d.Headings, trace.Heading{Before: i, Text: sec.Title + ": " + sec.Act})
		}
	}
	return d
}

func rank(e trace.Event) int {
	switch e {
	case trace.Receive:
		return 0
	case trace.Send:
		return 2
	}
	return 1
}

// brief is the beginning of a text, as it stands at a lifeline.
func brief(s string) string {
	const most = 28
	s = strings.ReplaceAll(s, "\n", " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
