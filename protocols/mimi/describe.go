package mimi

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Describe says in one line what a body is and does, for transcripts of a
// conversation between providers. What strangers wrote is quoted, and what is long is
// counted. A body is what ParseRequest and ParseResponse of an [Endpoint] return.
func Describe(body any) string {
	switch m := body.(type) {
	case *KeyMaterialRequest:
		return fmt.Sprintf("KeyMaterialRequest by %s for %s%s, suites %s", shown(m.RequestingUser), shown(m.TargetUser), inRoom(m.RoomID), suites(m.AcceptableCiphersuites))
	case *KeyMaterialResponse:
		return "KeyMaterialResponse for " + shown(m.UserURI) + ": " + m.UserStatus.String() + clients(m.Clients)
	case *UpdateRequest:
		return "UpdateRequest: " + bundle(&m.Bundle)
	case *UpdateRoomResponse:
		s := "UpdateRoomResponse: " + m.ResponseCode.String()
		switch m.ResponseCode {
		case UpdateSuccess:
			s += fmt.Sprintf(" at %d", m.AcceptedTimestamp)
		case UpdateWrongEpoch:
			s += fmt.Sprintf(", epoch is %d", m.CurrentEpoch)
		case UpdateInvalidProposal:
			s += fmt.Sprintf(", %d proposals", len(m.InvalidProposals))
		}
		if m.ErrorDescription != "" {
			s += ", " + quoted(m.ErrorDescription)
		}
		return s
	case *SubmitMessageRequest:
		return fmt.Sprintf("SubmitMessageRequest by %s: %s", shown(m.SendingURI), event(&message.Message{Private: m.AppMessage}))
	case *SubmitMessageResponse:
		s := "SubmitMessageResponse: " + m.StatusCode.String()
		switch m.StatusCode {
		case SubmitAccepted:
			s += fmt.Sprintf(" at %d", m.AcceptedTimestamp) + stamped(m.Frank)
		case SubmitEpochTooOld:
			s += fmt.Sprintf(", epoch is %d", m.CurrentEpoch)
		}
		return s
	case []FanoutMessage:
		var list []string
		for i := range m {
			list = append(list, fanout(&m[i]))
		}
		return "FanoutMessage: " + strings.Join(list, "; ")
	case *GroupInfoRequest:
		s := "GroupInfoRequest, suite " + suites([]suite.ID{m.CipherSuite})
		if len(m.JoiningCode) > 0 {
			s += ", with a joining code"
		}
		return s
	case *GroupInfoResponse:
		return "GroupInfoResponse" + inRoom(m.RoomID) + ": " + m.Status.String()
	case *ConsentEntry:
		s := fmt.Sprintf("ConsentEntry: %s by %s for %s", m.ConsentOperation, shown(m.RequesterURI), shown(m.TargetURI))
		if m.RoomID != nil {
			s += inRoom(*m.RoomID)
		}
		if n := len(m.ClientKeyPackages); n > 0 {
			s += fmt.Sprintf(", with %d key packages", n)
		}
		return s
	case *IdentifierRequest:
		var list []string
		for _, q := range m.QueryElements {
			list = append(list, q.SearchType.String()+" "+quoted(q.SearchValue))
		}
		return "IdentifierRequest: " + strings.Join(list, " and ")
	case *IdentifierResponse:
		return fmt.Sprintf("IdentifierResponse: %s, %d URIs, %d profiles", m.ResponseCode, len(m.URI), len(m.FoundProfiles))
	case *AbuseReport:
		return fmt.Sprintf("AbuseReport by %s of %s: %d messages", shown(m.ReportingUser), shown(m.AllegedAbuserURI), len(m.Messages))
	}
	return fmt.Sprintf("no body of MIMI: %T", body)
}

// shown writes a URI, quoted if it is none of MIMI.
func shown(u IdentifierURI) string {
	if u == "" {
		return "nobody"
	}
	if v, err := u.Ident(); err == nil {
		return v.String()
	}
	return quoted(string(u))
}

func quoted(s string) string { return strconv.QuoteToASCII(clip(s)) }

func inRoom(u IdentifierURI) string {
	if u == "" {
		return ""
	}
	return " in " + shown(u)
}

func suites(ids []suite.ID) string {
	list := make([]string, 0, min(len(ids), 8))
	for _, id := range ids[:min(len(ids), 8)] {
		list = append(list, strconv.Itoa(int(id)))
	}
	if len(ids) > len(list) {
		list = append(list, "...")
	}
	return strings.Join(list, " ")
}

// clients counts clients by their code.
func clients(list []ClientKeyMaterial) string {
	var counts [ClientNothingCompatible + 1]int
	for i := range list {
		counts[list[i].ClientStatus]++
	}
	s := ""
	for c, n := range counts {
		if n > 0 {
			s += fmt.Sprintf(", %d %s", n, KeyMaterialClientCode(c))
		}
	}
	return s
}

func stamped(f *Frank) string {
	if f == nil {
		return ""
	}
	return ", franked"
}

// bundle says what a HandshakeBundle has.
func bundle(h *HandshakeBundle) string {
	s := event(&h.ProposalOrCommit)
	if h.Type() != message.ContentCommit {
		return s + more(len(h.MoreProposals), "more proposals")
	}
	if h.Welcome != nil {
		s += fmt.Sprintf(", Welcome for %d", len(h.Welcome.Secrets))
	}
	return s + ", GroupInfo " + h.GroupInfoOption.Representation().String() + ", ratchet tree " + h.RatchetTreeOption.Representation.String()
}

func more(n int, what string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d %s", n, what)
}

// fanout says what a FanoutMessage has.
func fanout(m *FanoutMessage) string {
	s := event(&m.Message)
	if m.Kind() == FanoutWelcome {
		s += ", ratchet tree " + m.RatchetTreeOption.Representation.String()
	}
	s += stamped(m.Frank) + more(len(m.MoreProposals), "more proposals") + more(len(m.ExternalProposals), "external proposals")
	return s + fmt.Sprintf(" at %d", m.Timestamp)
}

// event says what an MLSMessage is and which epoch it is of.
func event(m *message.Message) string {
	switch {
	case m.Private != nil:
		return fmt.Sprintf("%s of epoch %d", m.Private.ContentType, m.Private.Epoch)
	case m.Public != nil:
		c := &m.Public.Content
		s := c.Type.String()
		switch {
		case c.Proposal != nil:
			s += " " + c.Proposal.Type.String()
		case c.Commit != nil:
			s += fmt.Sprintf(" of %d proposals", len(c.Commit.Proposals))
		}
		return fmt.Sprintf("%s by %s of epoch %d", s, c.Sender.Type, c.Epoch)
	case m.Welcome != nil:
		return fmt.Sprintf("welcome for %d", len(m.Welcome.Secrets))
	}
	return m.WireFormat().String()
}
