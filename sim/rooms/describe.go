package rooms

import (
	"fmt"
	"strings"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// Short returns the name of a node as the draft has it: a provider's domain, or
// "ClientA1" of a device.
func Short(node string) string { return node[strings.LastIndexByte(node, '/')+1:] }

// Summary says in a few words what a frame is, as the draft's figures do:
// "POST /keyMaterial: for bob", "200: 2 KeyPackages", or of a provider's own
// "[[ Commit ]]".
func (f *Frame) Summary() string {
	what := f.Holds()
	join := func(lead, sep string) string {
		if what == "" {
			return lead
		}
		return lead + sep + what
	}
	switch f.Kind {
	case Request:
		e, _ := mimi.FindEndpoint(f.Endpoint)
		return join(e.Method+" /"+string(f.Endpoint), ": ")
	case Response:
		return join(fmt.Sprint(f.Status), " ")
	case Call:
		what = join(string(f.Endpoint), ": ")
	case Reply:
		if what == "" {
			what = "done"
		}
	case Publish:
		what = "store " + what
	case Creation:
		what = "new room: " + what
	case Created:
		what = join("room made", ", ")
	case Ack, Leave:
		what = string(f.Kind)
	}
	return "[[ " + what + " ]]"
}

// Holds says in a few words what is in the body of a frame, or why there is none.
func (f *Frame) Holds() string {
	if f.Reason != "" {
		return "refused: " + f.Reason
	}
	switch f.Kind {
	case Publish:
		return "KeyPackages"
	case Creation:
		return "GroupInfo, tree"
	case Delivery:
		if f.Struct == "ConsentEntry" {
			if e, err := mimi.ParseConsentEntry(f.Body); err == nil {
				return consent(e)
			}
		}
		return fanouts(f.Body)
	}
	e, ok := mimi.FindEndpoint(f.Endpoint)
	if !ok || f.Struct == "" {
		return ""
	}
	parse := e.ParseRequest
	if f.Kind == Response || f.Kind == Reply {
		parse = e.ParseResponse
	}
	body, err := parse(f.Body, nil)
	if err != nil {
		return "malformed"
	}
	switch m := body.(type) {
	case *mimi.KeyMaterialRequest:
		return "for " + last(string(m.TargetUser))
	case *mimi.KeyMaterialResponse:
		n := 0
		for i := range m.Clients {
			if m.Clients[i].ClientStatus == mimi.ClientSuccess {
				n++
			}
		}
		if m.UserStatus != mimi.UserSuccess {
			return m.UserStatus.String()
		}
		return plural(n, "KeyPackage")
	case *mimi.UpdateRequest:
		return bundle(&m.Bundle)
	case *mimi.UpdateRoomResponse:
		return m.ResponseCode.String()
	case *mimi.SubmitMessageRequest:
		return "PrivateMessage"
	case *mimi.SubmitMessageResponse:
		return franked(m.StatusCode.String(), m.Frank)
	case []mimi.FanoutMessage:
		return fanouts(f.Body)
	case *mimi.GroupInfoRequest:
		return ""
	case *mimi.ConsentEntry:
		return consent(m)
	case *mimi.IdentifierRequest:
		return query(m)
	case *mimi.IdentifierResponse:
		return found(m)
	case *mimi.AbuseReport:
		return "about " + last(string(m.AllegedAbuserURI))
	case *mimi.GroupInfoResponse:
		if m.Status == mimi.GroupInfoSuccess {
			return "encrypted GroupInfo"
		}
		return m.Status.String()
	}
	return f.Struct
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func franked(s string, f *mimi.Frank) string {
	if f != nil {
		s += ", franked"
	}
	return s
}

func last(uri string) string { return uri[strings.LastIndexByte(uri, '/')+1:] }

// bundle says what an update is.
func bundle(h *mimi.HandshakeBundle) string {
	p := h.ProposalOrCommit.Public
	switch {
	case h.Type() != message.ContentCommit:
		return plural(1+len(h.MoreProposals), "proposal")
	case p != nil && p.Content.Sender.Type == message.SenderNewMemberCommit:
		return "external Commit"
	case h.Welcome != nil:
		return fmt.Sprintf("Commit, Welcome for %d", len(h.Welcome.Secrets))
	}
	return "Commit"
}

// fanouts says what FanoutMessages are.
func fanouts(body []byte) string {
	list, err := mimi.ParseFanoutMessages(body, nil)
	if err != nil {
		return "malformed"
	}
	var out []string
	for i := range list {
		out = append(out, fanout(&list[i]))
	}
	return strings.Join(out, "; ")
}

func fanout(m *mimi.FanoutMessage) string {
	if m.Kind() == mimi.FanoutWelcome {
		return fmt.Sprintf("Welcome for %d, tree", len(m.Message.Welcome.Secrets))
	}
	p := m.Message.Public
	switch {
	case m.Message.Private != nil:
		return franked("PrivateMessage", m.Frank)
	case p == nil:
		return m.Kind().String()
	case p.Content.Type == message.ContentProposal:
		return plural(1+len(m.MoreProposals), "proposal")
	case p.Content.Sender.Type == message.SenderNewMemberCommit:
		return "external Commit"
	}
	return "Commit"
}

// Tell says what an event tells the user of a device, or "" if nothing new.
func Tell(e member.Event) string {
	switch e := e.(type) {
	case member.Joined:
		s := fmt.Sprintf("is in the room, epoch %d", e.Epoch)
		if !e.By.IsZero() {
			s += ", added by " + name(e.By)
		}
		return s
	case member.RoomChanged:
		return fmt.Sprintf("is in epoch %d:%s", e.Epoch, changes(e.Changes))
	case member.Proposed:
		return fmt.Sprintf("has proposals of %s waiting:%s", name(e.By), changes(e.Changes))
	case member.Leaving:
		return "knows that the hub will see it out"
	case member.Removed:
		return "is out of the room, by a Commit of " + name(e.By)
	case member.Message:
		text := "what it cannot read"
		if e.Content != nil {
			text, _ = e.Content.Body.PlainText()
			text = fmt.Sprintf("%q", text)
		}
		if e.Unfranked != nil {
			return fmt.Sprintf("reads %s, without a valid frank: %v", text, e.Unfranked)
		}
		return "reads " + text + ", frank verified"
	case member.Sent:
		if e.Frank == nil {
			return "knows that its message was accepted"
		}
		return "knows that its message was accepted and franked"
	case member.Found:
		if e.Response.ResponseCode == mimi.QueryNotFound {
			return "finds nobody"
		}
		return "finds " + found(e.Response)
	case member.ConsentChanged:
		return told(e.Entry)
	case member.Failed:
		return fmt.Sprintf("failed to %s: %s", e.What, strings.TrimPrefix(e.Why.Error(), "member: "))
	case member.Refused:
		return fmt.Sprintf("refuses %s: %v", e.What, e.Why)
	case member.Gap:
		return fmt.Sprintf("misses events before one of epoch %d", e.Epoch)
	}
	return ""
}

func name(u ident.URI) string { return last(u.String()) }

// changes writes changes as signs: " +bob +ClientB1".
func changes(list []member.Change) string {
	var b strings.Builder
	for _, c := range list {
		who := name(c.User)
		if !c.Client.IsZero() {
			who = name(c.Client)
		}
		switch c.Kind {
		case member.UserAdded, member.ClientAdded:
			b.WriteString(" +" + who)
		case member.UserRemoved, member.ClientRemoved:
			b.WriteString(" -" + who)
		default:
			b.WriteString(" " + string(c.Kind))
		}
	}
	if b.Len() == 0 {
		return " keys renewed"
	}
	return b.String()
}
