package room

import "fmt"

// Rule names what a [Denial] is about. Its text is stable.
type Rule string

// The rules, by the drafts' sections. Those of mimi-protocol-06 say so; all others
// are of room-policy-04.
const (
	RuleCapability Rule = "capability" // the actor's role has not the capability (Role Capabilities)

	RuleTransition      Rule = "role-change"      // authorized_role_changes do not allow it (Role-Based Access Control)
	RuleUnknownRole     Rule = "unknown-role"     // the target role is not defined (Role-Based Access Control)
	RuleMinParticipants Rule = "min-participants" // too few would be left in a role (Role-Based Access Control)
	RuleMaxParticipants Rule = "max-participants" // too many would be in a role (Role-Based Access Control)
	RuleMinActive       Rule = "min-active"       // too few active ones would be left in a role (Role-Based Access Control)
	RuleMaxActive       Rule = "max-active"       // too many active ones would be in a role (Role-Based Access Control)
	RuleRolesAlone      Rule = "roles-alone"      // roles and the participant list change together (Role-Based Access Control)
	RulePreauthAlone    Rule = "preauth-alone"    // preauthorizations change together with more than removals (Preauthorized Users)
	RulePreauthorized   Rule = "preauthorized"    // the first matching rule gives another role, or there is none (Preauthorized Users)
	RuleNoBanned        Rule = "no-banned-role"   // role 1 is not called "banned" (Role Changes)
	RuleJoinBanned      Rule = "join-banned"      // nobody joins as banned (Adding)
	RuleClientsRemain   Rule = "clients-remain"   // a removed or banned user keeps clients (Removing, Role Changes)

	RuleFixedMembership Rule = "fixed-membership" // the list of participants is fixed (Base Room policy component syntax)
	RuleMultiDevice     Rule = "multi-device"     // a user would have more than one client (Base Room policy component syntax)
	RuleMaxClients      Rule = "max-clients"      // too many clients (Base Room policy component syntax)
	RuleMaxUsers        Rule = "max-users"        // too many users (Base Room policy component syntax)
	RulePseudonym       Rule = "pseudonym"        // a pseudonym where they are not allowed (Base Room policy component syntax)
	RuleExternal        Rule = "external"         // external proposals or commits are not allowed (Operational policy component)

	RuleParticipantFirst Rule = "participant-first" // a client of one who is no participant (mimi-protocol-06, Update Room State)
	RuleRestricted       Rule = "restricted"        // who is removed or banned may only remove its own clients (mimi-protocol-06, Update Room State)
	RuleNotMember        Rule = "not-member"        // the actor has no client in the group (mimi-protocol-06, Submit a Message)
	RuleNoClient         Rule = "no-client"         // the user has no such client in the group (mimi-protocol-06, Participant List)
	RuleRoomURI          Rule = "room-uri"          // no capability changes room_uri (mimi-protocol-06, Room Metadata)
	RuleOwnUser          Rule = "own-user"          // a leaf is replaced by that of another user (mimi-protocol-06, Participant List)
	RuleDictionary       Rule = "dictionary"        // components change by AppDataUpdate alone (draft-ietf-mls-extensions-10)
)

// The drafts, for what a Denial cites.
const (
	policyDraft   = "draft-ietf-mimi-room-policy-04"
	protocolDraft = "draft-ietf-mimi-protocol-06"
)

// sections says where each rule is from; a capability's section is its own.
var sections = map[Rule]string{
	RuleTransition:       policyDraft + ", Role-Based Access Control",
	RuleUnknownRole:      policyDraft + ", Role-Based Access Control",
	RuleMinParticipants:  policyDraft + ", Role-Based Access Control",
	RuleMaxParticipants:  policyDraft + ", Role-Based Access Control",
	RuleMinActive:        policyDraft + ", Role-Based Access Control",
	RuleMaxActive:        policyDraft + ", Role-Based Access Control",
	RuleRolesAlone:       policyDraft + ", Role-Based Access Control",
	RulePreauthAlone:     policyDraft + ", Preauthorized Users",
	RulePreauthorized:    policyDraft + ", Preauthorized Users",
	RuleNoBanned:         policyDraft + ", Role Changes",
	RuleJoinBanned:       policyDraft + ", Adding",
	RuleClientsRemain:    policyDraft + ", Removing",
	RuleFixedMembership:  policyDraft + ", Base Room policy component syntax",
	RuleMultiDevice:      policyDraft + ", Base Room policy component syntax",
	RuleMaxClients:       policyDraft + ", Base Room policy component syntax",
	RuleMaxUsers:         policyDraft + ", Base Room policy component syntax",
	RulePseudonym:        policyDraft + ", Base Room policy component syntax",
	RuleExternal:         policyDraft + ", Operational policy component",
	RuleParticipantFirst: protocolDraft + ", Update Room State",
	RuleRestricted:       protocolDraft + ", Update Room State",
	RuleNotMember:        protocolDraft + ", Submit a Message",
	RuleNoClient:         protocolDraft + ", Participant List",
	RuleRoomURI:          protocolDraft + ", Room Metadata",
	RuleOwnUser:          protocolDraft + ", Participant List",
	RuleDictionary:       "draft-ietf-mls-extensions-10, Updating Application Data in the GroupContext",
}

// Denial says why a change is not allowed.
type Denial struct {
	Rule       Rule
	Section    string     // of the draft that the rule is from
	Proposal   int        // its place in the list that was asked about; -1: the list as a whole, or the committer
	Actor      string     // who wanted it; empty if the list as a whole does not pass
	Role       uint32     // the actor's role
	Capability Capability // what the role lacks, of RuleCapability
	User       string     // whom it concerns, if anybody
	From, To   uint32     // the roles of a change, of RuleTransition; To is the role of a limit
	Limit      uint32     // of the rules for numbers
	Count      uint32     // what there would be
}

// Error implements error.
func (d *Denial) Error() string {
	s := "room: "
	if d.Actor != "" {
		s += fmt.Sprintf("%s in role %d: ", d.Actor, d.Role)
	}
	switch d.Rule {
	case RuleCapability:
		s += fmt.Sprintf("lacks %v", d.Capability)
	case RuleTransition:
		s += fmt.Sprintf("may not move from role %d to %d", d.From, d.To)
	case RuleMinParticipants, RuleMinActive:
		s += fmt.Sprintf("%s: %d left in role %d, want at least %d", d.Rule, d.Count, d.To, d.Limit)
	case RuleMaxParticipants, RuleMaxActive:
		s += fmt.Sprintf("%s: %d in role %d, want at most %d", d.Rule, d.Count, d.To, d.Limit)
	case RuleMaxClients, RuleMaxUsers, RuleMultiDevice:
		s += fmt.Sprintf("%s: %d, want at most %d", d.Rule, d.Count, d.Limit)
	default:
		s += string(d.Rule)
	}
	if d.User != "" {
		s += " " + d.User
	}
	return s + " (" + d.Section + ")"
}
