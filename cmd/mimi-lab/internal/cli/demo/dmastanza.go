package demo

import (
	"fmt"
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/inspect"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// stanzaColumns are those that a stanza has in a transcript.
const stanzaColumns = inspect.Columns - 6

// hanging is how far a line that goes on is set in.
const hanging = 4

// xmlOf writes a stanza in lines of XML: an element in one line where it fits, binary
// content as its length, and of many children that are alike the first and how many more
// there are.
func xmlOf(n *stanza.Node) (lines []string) {
	var write func(n *stanza.Node, indent string)
	put := func(indent, text string) {
		for i, line := range term.Wrap(text, stanzaColumns-len(indent)-hanging) {
			if i > 0 {
				line = strings.Repeat(" ", hanging) + line
			}
			lines = append(lines, indent+line)
		}
	}
	write = func(n *stanza.Node, indent string) {
		if whole := inline(n); len(n.Children) == 0 || len(indent)+len(whole) <= stanzaColumns-hanging {
			put(indent, whole)
			return
		}
		put(indent, opening(n)+">")
		for i := 0; i < len(n.Children); i++ {
			c := &n.Children[i]
			write(c, indent+"  ")
			more := 0
			for i+1 < len(n.Children) && len(n.Children) > few && n.Children[i+1].Tag == c.Tag {
				i, more = i+1, more+1
			}
			if more > 0 {
				lines = append(lines, fmt.Sprintf("%s  (%d more)", indent, more))
			}
		}
		lines = append(lines, indent+"</"+n.Tag+">")
	}
	write(n, "")
	return lines
}

// longValue is from where on the value of an attribute is shortened, as of tokens.
const longValue = 60

// few is how many children are always written out.
const few = 4

func opening(n *stanza.Node) string {
	open := "<" + n.Tag
	for _, a := range n.Attrs {
		value := a.Value
		if len(value) > longValue {
			value = fmt.Sprintf("%s...(%d letters)", value[:8], len(value))
		}
		open += fmt.Sprintf(" %s=%q", a.Name, value)
	}
	return open
}

// inline writes an element in one line.
func inline(n *stanza.Node) string {
	switch {
	case len(n.Children) > 0:
		text := opening(n) + ">"
		for i := range n.Children {
			text += inline(&n.Children[i])
		}
		return text + "</" + n.Tag + ">"
	case len(n.Data) > 0:
		return fmt.Sprintf("%s>[%d B]</%s>", opening(n), len(n.Data), n.Tag)
	}
	return opening(n) + "/>"
}

// acknowledges reports whether a stanza says no more than that another one was taken.
func acknowledges(n *stanza.Node) bool {
	if _, refused := n.Attr("error"); refused {
		return false
	}
	t, _ := n.Attr("type")
	return n.Tag == "ack" || n.Tag == "iq" && t == string(stanza.Result) && len(n.Children) == 0
}

// what names a stanza in a word or two.
func what(n *stanza.Node) string {
	name := n.Tag
	if t, ok := n.Attr("type"); ok && n.Tag != "iq" {
		name += " " + t
	}
	if len(n.Children) > 0 && n.Tag == "iq" {
		name += " " + n.Children[0].Tag
	}
	return name
}

// gloss says what a stanza is for. Who sends it is up if that is a device.
func gloss(n *stanza.Node, up bool) string {
	s, err := stanza.Parse(*n)
	if err != nil {
		return ""
	}
	switch s := s.(type) {
	case *stanza.IQ:
		return glossIQ(s)
	case *stanza.Message:
		return glossMessage(s, up)
	case *stanza.Receipt:
		switch {
		case s.Retry != nil:
			return "could not be decrypted: it is to be sealed anew"
		case s.Type == stanza.Delivered:
			return "the device has it"
		}
		return "the user has seen it"
	case *stanza.Notification:
		return glossNotification(s)
	case *stanza.Ack:
		if s.Error != 0 {
			return "the gatekeeper refuses it: " + s.Error.Error()
		}
	case *stanza.IB:
		switch {
		case s.Error != nil:
			return "the connection ends"
		case s.Offline != nil && s.Offline.Count > 0:
			return fmt.Sprintf("all %d that waited have been sent", s.Offline.Count)
		case s.Offline != nil:
			return "nothing waited"
		}
	}
	return ""
}

func glossIQ(s *stanza.IQ) string {
	switch p := s.Payload.(type) {
	case *stanza.KeyUpload:
		return fmt.Sprintf("identity, signed prekey and %d one-time prekeys, for who wants to write", len(p.Keys.OneTime))
	case *stanza.KeyFetch:
		return "the keys that a first message is sealed with (X3DH)"
	case *stanza.KeyBundles:
		return "one of the one-time prekeys is used up by this"
	case stanza.Delete:
		return "the account is deleted, with all that is kept for it"
	case *stanza.Settings:
		return "a choice of the user"
	case stanza.MediaConnQuery:
		return "where media are, and a token for there"
	case *stanza.GroupCreate:
		return "a new group; key makes a repetition known"
	case stanza.GroupQuery:
		return "who is in the group"
	case *stanza.GroupChange:
		return "its version counts the changes of its members"
	case *stanza.Block:
		if p.Unblock {
			return "off the blocklist"
		}
		return "onto the blocklist, which the gatekeeper keeps"
	}
	return ""
}

func glossNotification(s *stanza.Notification) string {
	switch s.Event.(type) {
	case stanza.Typing:
		return "typing; nobody acknowledges or keeps it"
	case *stanza.GroupChange:
		return "the group has other members now: who sends to it makes a new key if somebody is gone"
	case stanza.KeysLow:
		return "one-time prekeys run low: more are wanted"
	case stanza.IdentityChange:
		return "the user has another identity key"
	}
	return ""
}

func glossMessage(s *stanza.Message, up bool) string {
	if !up {
		if s.Offline > 0 {
			return fmt.Sprintf("number %d of those that waited", s.Offline)
		}
		return "passed on, with sender and time"
	}
	var parts []string
	for _, e := range s.Enc {
		switch e.Type {
		case "pkmsg":
			parts = append(parts, "begins a session: with it go the keys that the other side needs")
		case "msg":
			parts = append(parts, "sealed with a key for this one message (Double Ratchet)")
		case "skmsg":
			parts = append(parts, "sealed once for the group, with a key of the sender's")
		}
	}
	if len(s.Participants) > 0 {
		parts = append(parts, fmt.Sprintf("and that key, sealed for each of %d", len(s.Participants)))
	}
	return strings.Join(parts, "; ")
}
