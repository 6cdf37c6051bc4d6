package rooms

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/sim/trace"
)

// Diagram returns the story's sequence diagram: its frames, but for acknowledgements
// and what was before the first section, and what the users were told.
func (s *Story) Diagram() *trace.Diagram {
	d := &trace.Diagram{
		Level: true,
		Title: "A room over three providers",
		Sub:   fmt.Sprintf("draft-ietf-mimi-protocol-06, %s, policy %s, seed %d", s.Parts(), s.Policy.Name, s.World.cfg.Seed),
	}
	if s.more != nil {
		d.Title = "A room over four providers"
	}
	for _, domain := range slices.Sorted(maps.Keys(s.World.providers)) {
		actor := trace.Actor{Node: domain, Role: trace.Partner, Note: "follower"}
		if domain == Clubhouse.Provider() {
			actor.Role, actor.Note = trace.Gatekeeper, "hub and follower"
		}
		var clients []trace.Actor
		for _, o := range s.World.Devices() {
			if o.provider.Domain == domain {
				clients = append(clients, trace.Actor{Node: o.Name, Label: Short(o.Name), Role: trace.Device, Note: Short(name(o.User)) + "'s"})
			}
		}
		if domain == Clubhouse.Provider() { // at the left of its provider
			d.Actors = append(append(d.Actors, clients...), actor)
		} else {
			d.Actors = append(append(d.Actors, actor), clients...)
		}
	}
	if len(s.Sections) < 2 {
		return d
	}
	start := s.Sections[1].At
	for _, f := range s.World.frames {
		if f.Sent < start || f.Kind == Ack || f.Kind == Leave {
			continue
		}
		e := trace.Entry{At: f.Sent, Node: f.From, Event: trace.Send, Peer: f.To, Kind: f.label(), Size: len(f.Body)}
		if f.Kind == Request || f.Kind == Call {
			e.Note = f.Holds()
		}
		d.Entries = append(d.Entries, e)
		if f.Arrived >= 0 {
			e.At, e.Node, e.Event, e.Peer = f.Arrived, f.To, trace.Receive, f.From
			d.Entries = append(d.Entries, e)
		}
	}
	for _, o := range s.World.Devices() {
		for _, x := range o.Events {
			if e, ok := chip(x.Event); ok && x.At >= start {
				e.At, e.Node = x.At, o.Name
				d.Entries = append(d.Entries, e)
			}
		}
	}
	for _, domain := range slices.Sorted(maps.Keys(s.World.providers)) {
		for _, r := range s.World.providers[domain].Reports {
			e := trace.Entry{At: r.At, Node: domain, Event: "report", Note: "the frank holds"}
			if slices.ContainsFunc(r.Franks, func(err error) bool { return err != nil }) {
				e.Event, e.Note = trace.Reject, "report that proves nothing"
			}
			d.Entries = append(d.Entries, e)
		}
	}
	// What arrives goes before what it leads to.
	slices.SortStableFunc(d.Entries, func(a, b trace.Entry) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(rank(a.Event), rank(b.Event)))
	})
	for _, sec := range s.Sections[1:] {
		i := slices.IndexFunc(d.Entries, func(e trace.Entry) bool { return e.At >= sec.At })
		if i >= 0 && (len(d.Headings) == 0 || d.Headings[len(d.Headings)-1].Before < i) {
			d.Headings = append(d.Headings, trace.Heading{Before: i, Text: sec.Heading() + ": " + sec.Act})
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

// label is what stands on a frame's arrow.
func (f *Frame) label() string {
	switch f.Kind {
	case Request:
		e, _ := mimi.FindEndpoint(f.Endpoint)
		return e.Method + " /" + string(f.Endpoint)
	case Response:
		return strings.TrimSpace(fmt.Sprintf("%d %s", f.Status, f.Holds()))
	case Call:
		return "[" + string(f.Endpoint) + "]"
	case Creation:
		return "[new room]"
	case Created:
		return "[room made]"
	case Publish:
		return "[KeyPackages]"
	}
	if f.Kind == Reply && f.Holds() == "" {
		return "[done]"
	}
	return "[" + strings.ReplaceAll(f.Holds(), "PrivateMessage", "Message") + "]" // as in the draft's figures
}

// chip is an event as it stands at a lifeline.
func chip(e member.Event) (trace.Entry, bool) {
	switch e := e.(type) {
	case member.Joined:
		return trace.Entry{Event: "joined", Note: fmt.Sprintf("epoch %d", e.Epoch)}, true
	case member.RoomChanged:
		return trace.Entry{Event: trace.Event(fmt.Sprintf("epoch-%d", e.Epoch)), Note: strings.TrimSpace(changes(e.Changes))}, true
	case member.Removed:
		return trace.Entry{Event: "left"}, true
	case member.Message:
		text := ""
		if e.Content != nil {
			text, _ = e.Content.Body.PlainText()
		}
		return trace.Entry{Event: trace.Deliver, Note: text}, true
	case member.Found:
		return trace.Entry{Event: "found", Note: strings.TrimPrefix(Tell(e), "finds ")}, true
	case member.ConsentChanged:
		return trace.Entry{Event: trace.Event(e.Entry.ConsentOperation.String()), Note: told(e.Entry)}, true
	case member.Proposed:
		return trace.Entry{Event: "proposals", Note: "wait for a Commit"}, true
	case member.Failed, member.Refused, member.Gap:
		return trace.Entry{Event: trace.Reject, Note: Tell(e)}, true
	}
	return trace.Entry{}, false
}
