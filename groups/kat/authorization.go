package kat

import (
	"errors"
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// verdictCase is one of authorization.json: may an actor make changes, all at once.
type verdictCase struct {
	head
	Policy     string   `json:"policy"` // for people; the roles are in the dictionary
	Dictionary octets   `json:"dictionary"`
	Clients    []string `json:"clients"` // the user of each leaf
	Actor      actor    `json:"actor"`
	Changes    []change `json:"changes"`
	Verdict    string   `json:"verdict"` // "allowed", "denied" or "impossible"
	Rule       string   `json:"rule"`
	Capability string   `json:"capability"`
	Cited      string   `json:"rule_section"`
	Failure    string   `json:"failure"` // of "impossible"
	After      []pair   `json:"participants_after"`
	Left       uint32   `json:"clients_after"`
}

type actor struct {
	User     string    `json:"user"`
	Origin   string    `json:"origin"` // RFC 9420's SenderType
	Claims   []claim   `json:"claims"`
	JoinCode *joinCode `json:"join_code"`
}

type claim struct {
	Credential uint16 `json:"credential_type"`
	ID         octets `json:"id"`
	Value      octets `json:"claim_value"`
}

type joinCode struct {
	Role uint32 `json:"role_index"`
}

// change is one change; which fields count follows from Kind.
type change struct {
	Kind      string  `json:"change"`
	User      *string `json:"user,omitempty"`
	Role      *uint32 `json:"role_index,omitempty"`
	Component *uint16 `json:"component_id,omitempty"`
	Update    *octets `json:"update,omitempty"`
}

const (
	allowed    = "allowed"
	denied     = "denied"
	impossible = "impossible"
)

var origins = map[string]room.Origin{
	"member": room.FromMember, "external": room.FromExternalSender,
	"new_member_proposal": room.FromNewMemberProposal, "new_member_commit": room.FromNewMemberCommit,
}

// change returns a change in the room's terms, false if it lacks what its kind needs or
// has more.
func (v *change) change() (room.Change, bool) {
	has := [4]bool{v.User != nil, v.Role != nil, v.Component != nil, v.Update != nil}
	none := [4]bool{}
	switch {
	case v.Kind == "add_participant" && has == [4]bool{true, true}:
		return room.AddParticipant{User: *v.User, Role: *v.Role}, true
	case v.Kind == "change_role" && has == [4]bool{true, true}:
		return room.ChangeRole{User: *v.User, Role: *v.Role}, true
	case v.Kind == "remove_participant" && has == [4]bool{true}:
		return room.RemoveParticipant{User: *v.User}, true
	case v.Kind == "add_client" && has == [4]bool{true}:
		return room.AddClient{User: *v.User}, true
	case v.Kind == "remove_client" && has == [4]bool{true}:
		return room.RemoveClient{User: *v.User}, true
	case v.Kind == "update_client" && has == [4]bool{true}:
		return room.UpdateClient{User: *v.User}, true
	case v.Kind == "update_component" && has == [4]bool{false, false, true, true}:
		return room.UpdateComponent{Component: message.ComponentID(*v.Component), Update: *v.Update}, true
	case v.Kind == "remove_component" && has == [4]bool{false, false, true}:
		return room.RemoveComponent{Component: message.ComponentID(*v.Component)}, true
	case v.Kind == "reinit" && has == none:
		return room.ReInit{}, true
	case v.Kind == "send_message" && has == none:
		return room.SendMessage{}, true
	case v.Kind == "report_abuse" && has == none:
		return room.ReportAbuse{}, true
	case v.Kind == "destroy_room" && has == none:
		return room.DestroyRoom{}, true
	}
	return nil, false
}

func checkVerdict(c *checker, v *verdictCase) {
	var dict message.AppDataDictionary
	if !c.ok("dictionary", wire.Unmarshal(v.Dictionary, &dict)) {
		return
	}
	state, err := room.Decode(nil, dict, slices.Values(v.Clients))
	if !c.ok("dictionary", err) {
		return
	}
	origin, ok := origins[v.Actor.Origin]
	if !ok {
		c.fail("actor.origin", "%.40q is no SenderType", v.Actor.Origin)
		return
	}
	a := &room.Actor{User: v.Actor.User, Origin: origin}
	for _, x := range v.Actor.Claims {
		a.Claims = append(a.Claims, room.Claim{ID: room.ClaimID{Credential: message.CredentialType(x.Credential), ID: room.Opaque(x.ID)}, Value: room.Opaque(x.Value)})
	}
	if v.Actor.JoinCode != nil {
		a.JoinCode = &room.JoinCode{Role: v.Actor.JoinCode.Role}
	}
	var changes []room.Change
	for i := range v.Changes {
		x, ok := v.Changes[i].change()
		if !ok {
			c.fail("changes", "[%d]: %.40q is none, or not with these fields", i, v.Changes[i].Kind)
			return
		}
		changes = append(changes, x)
	}
	next, err := room.Authorize(state, a, changes...)
	got := verdictCase{Verdict: allowed}
	var d *room.Denial
	switch {
	case errors.As(err, &d):
		got.Verdict, got.Rule, got.Cited = denied, string(d.Rule), d.Section
		if d.Rule == room.RuleCapability {
			got.Capability = d.Capability.String()
		}
	case err != nil:
		got.Verdict, got.Failure = impossible, kindOf(err)
	default:
		got.Left = uint32(next.Clients())
		var list []room.UserRolePair
		for p := range next.All() {
			list = append(list, room.UserRolePair{User: p.User, Role: p.Role})
		}
		c.pairs("participants_after", list, v.After)
	}
	if err != nil {
		same(c, "participants_after of what is not allowed", len(v.After), 0)
	}
	same(c, "verdict", got.Verdict, v.Verdict)
	same(c, "rule", got.Rule, v.Rule)
	same(c, "capability", got.Capability, v.Capability)
	same(c, "rule_section", got.Cited, v.Cited)
	same(c, "failure", got.Failure, v.Failure)
	same(c, "clients_after", got.Left, v.Left)
}
