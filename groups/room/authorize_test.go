package room

import (
	"errors"
	"slices"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// grant is a change that needs a capability.
type grant struct {
	capability Capability
	house      house
	granted    *Actor
	denied     *Actor
	changes    func(t *testing.T, s *State, a *Actor) []Change
	without    bool // who is denied is the granted, without the capability
}

// grants has two rows for each capability that decides on a change: one that has it
// and one that lacks it, all else being equal. Where the draft's policies give no
// such pair, the row changes a role.
var grants = []grant{
	{capability: CanAddParticipant, house: house{policy: "administered"}, granted: member("ada"), denied: member("mia"),
		changes: is(AddParticipant{u("new"), 2}, AddClient{u("new")}, AddClient{u("new")})},
	{capability: CanAddOwnClient, house: house{policy: "moderated"}, granted: joiner("att"), denied: joiner("gus"),
		changes: ofActor(func(a *Actor) []Change { return []Change{AddClient{a.User}} })},
	{capability: CanOpenJoin, house: house{policy: "cooperative", more: zeroCan(may(0, 2), CanOpenJoin)}, granted: joiner("new"), without: true,
		changes: is(AddParticipant{u("new"), 2}, AddClient{u("new")})},
	{capability: CanJoinIfPreauthorized, house: house{policy: "moderated", preauth: preauth(3, staff)}, granted: joiner("new").claiming(staff), without: true,
		changes: is(AddParticipant{u("new"), 3}, AddClient{u("new")})},
	{capability: CanUseJoinCode, house: house{policy: "administered"}, granted: joiner("new").showing(&JoinCode{Role: 2}), without: true,
		changes: is(AddParticipant{u("new"), 2}, AddClient{u("new")})},
	{capability: CanRemoveParticipant, house: house{policy: "administered"}, granted: member("ada"), denied: member("mia"),
		changes: is(RemoveParticipant{u("max")}, RemoveClient{u("max")})},
	{capability: CanRemoveOwnClient, house: house{policy: "moderated"}, granted: member("att"), denied: member("gus"),
		changes: ofActor(func(a *Actor) []Change { return []Change{RemoveClient{a.User}} })},
	{capability: CanRemoveSelf, house: house{policy: "cooperative"}, granted: member("mia"), without: true,
		changes: ofActor(func(a *Actor) []Change { return []Change{RemoveParticipant{a.User}, RemoveClient{a.User}} })},
	{capability: CanKick, house: house{policy: "cooperative"}, granted: member("ada"), denied: member("mia"),
		changes: is(RemoveClient{u("max")})},
	{capability: CanChangeUserRole, house: house{policy: "cooperative"}, granted: member("ada"), denied: member("mia"),
		changes: is(ChangeRole{u("max"), 3})},
	{capability: CanChangeOwnRole, house: house{policy: "moderated", preauth: preauth(4, staff)}, granted: member("att").claiming(staff), denied: member("gus").claiming(staff),
		changes: ofActor(func(a *Actor) []Change { return []Change{ChangeRole{a.User, 4}} })},
	{capability: CanBan, house: house{policy: "cooperative"}, granted: member("ada"), denied: member("mia"),
		changes: is(ChangeRole{u("max"), RoleBanned}, RemoveClient{u("max")})},
	{capability: CanUnBan, house: house{policy: "cooperative"}, granted: member("ada"), denied: member("mia"),
		changes: is(ChangeRole{u("bad"), 2})},
	{capability: CanSendMessage, house: house{policy: "moderated"}, granted: member("spy"), denied: member("att"), changes: is(SendMessage{})},
	{capability: CanReportAbuse, house: house{policy: "moderated"}, granted: member("att"), denied: member("gus"), changes: is(ReportAbuse{})},
	{capability: CanChangeRoomName, house: house{policy: "administered"}, granted: member("ada"), denied: member("mia"),
		changes: metadata(func(m *RoomMetaData) { m.Name = "Salon" })},
	{capability: CanChangeRoomDescription, house: house{policy: "moderated"}, granted: member("sue"), denied: member("mod"),
		changes: metadata(func(m *RoomMetaData) { m.Descriptions = []RichDescription{{Content: Opaque("talk")}} })},
	{capability: CanChangeRoomAvatar, house: house{policy: "administered"}, granted: member("ada"), denied: member("mia"),
		changes: metadata(func(m *RoomMetaData) { m.Avatar = "https://x.example/i" })},
	{capability: CanChangeRoomSubject, house: house{policy: "administered"}, granted: member("ada"), denied: member("mia"),
		changes: metadata(func(m *RoomMetaData) { m.Subject = "tea" })},
	{capability: CanChangeRoomMood, house: house{policy: "administered"}, granted: member("ada"), denied: member("mia"),
		changes: metadata(func(m *RoomMetaData) { m.Mood = "calm" })},
	{capability: CanCreateJoinCode, house: house{policy: "administered"}, granted: member("ada"), denied: member("mia"),
		changes: update(DefaultPoints.JoinLinks, &JoinLinksUpdate{Added: []JoinLink{{Opaque("l")}}})},
	{capability: CanDeleteJoinCode, house: house{policy: "administered", parts: map[uint16]wire.Marshaler{0x2a: &JoinLinksData{[]JoinLink{{Opaque("l")}}}}}, granted: member("ada"), denied: member("mia"),
		changes: update(DefaultPoints.JoinLinks, &JoinLinksUpdate{Removed: []uint32{0}})},
	{capability: CanChangeRoomMembershipStyle, house: house{policy: "cooperative"}, granted: member("sue"), denied: member("ada"),
		changes: update(DefaultPoints.BaseRoomPolicy, &BaseRoomPolicy{MultiDevice: true})},
	{capability: CanChangeRoleDefinitions, house: house{policy: "administered"}, granted: member("sue"), denied: member("ada"),
		changes: update(DefaultPoints.RolesList, &RoleData{administered()})},
	{capability: CanChangePreauthorizedUserList, house: house{policy: "administered"}, granted: member("sue"), denied: member("ada"),
		changes: update(DefaultPoints.PreauthList, preauth(2, staff))},
	{capability: CanChangeMlsOperationalPolicies, house: house{policy: "administered"}, granted: provider(), denied: member("sue"),
		changes: update(DefaultPoints.MLSOperationalPolicy, &OperationalParameters{})},
	{capability: CanChangeOtherPolicyAttribute, house: house{policy: "administered", more: roleCan(4, CanChangeOtherPolicyAttribute)}, granted: member("sue"), denied: member("ada"),
		changes: update(DefaultPoints.MessageExpiration, &MessageExpiration{Expiring: Forbidden})},
	{capability: CanSendMLSReinitProposal, house: house{policy: "administered"}, granted: member("sue"), denied: member("ada"), changes: is(ReInit{})},
	{capability: CanDestroyRoom, house: house{policy: "administered"}, granted: member("sue"), denied: member("ada"), changes: is(DestroyRoom{})},
}

// TestGrants: with the capability a change is allowed, without it it is denied for
// want of that capability.
func TestGrants(t *testing.T) {
	t.Parallel()
	for _, tt := range grants {
		t.Run(tt.capability.String(), func(t *testing.T) {
			t.Parallel()
			s := tt.house.build(t)
			if _, err := Authorize(s, tt.granted, tt.changes(t, s, tt.granted)...); err != nil {
				t.Fatalf("%s has the capability: %v", tt.granted.User, err)
			}
			who, without := tt.denied, tt.house
			if tt.without {
				who = tt.granted
				more := tt.house.more
				without.more = func(p *Policy) {
					if more != nil {
						more(p)
					}
					for i := range p.Roles.Roles {
						o := &p.Roles.Roles[i]
						o.Capabilities = slices.DeleteFunc(slices.Clone(o.Capabilities), func(c Capability) bool { return c == tt.capability })
					}
				}
			}
			s = without.build(t)
			_, err := Authorize(s, who, tt.changes(t, s, who)...)
			if d := denied(t, err, RuleCapability); d.Capability != tt.capability || d.Section != tt.capability.Section() || d.Actor != who.User {
				t.Errorf("denied by %+v, want for want of %v, %s", d, tt.capability, tt.capability.Section())
			}
		})
	}
}

// TestGrantsComplete: each capability that hub and members decide on has its pair,
// and so have those of the hub that are asked by a Change. Of all others a user has
// it who was given it, and another has not, which is all that Can says.
func TestGrantsComplete(t *testing.T) {
	t.Parallel()
	for _, c := range Capabilities() {
		if slices.ContainsFunc(grants, func(g grant) bool { return g.capability == c }) {
			continue
		}
		if c.EnforcedBy() == ByAll {
			t.Errorf("%v decides on changes and has no row", c)
		}
		s := house{policy: "multi-org", more: roleCan(2, c)}.build(t)
		if !s.Can(u("ua"), c) {
			t.Errorf("%v: a user of role 2, which has it, cannot", c)
		}
		s = house{policy: "multi-org", more: roleCannot(2, c)}.build(t)
		if s.Can(u("ua"), c) {
			t.Errorf("%v: a user of role 2, which has it not, can", c)
		}
	}
}

// is, and those that follow, make the changes of a row.
func is(list ...Change) func(*testing.T, *State, *Actor) []Change {
	return func(*testing.T, *State, *Actor) []Change { return list }
}

func ofActor(f func(a *Actor) []Change) func(*testing.T, *State, *Actor) []Change {
	return func(_ *testing.T, _ *State, a *Actor) []Change { return f(a) }
}

func update(id message.ComponentID, v wire.Marshaler) func(*testing.T, *State, *Actor) []Change {
	return func(t *testing.T, _ *State, _ *Actor) []Change { return []Change{UpdateComponent{id, must(t, v)}} }
}

func metadata(f func(*RoomMetaData)) func(*testing.T, *State, *Actor) []Change {
	return func(t *testing.T, s *State, _ *Actor) []Change {
		m := *s.Metadata()
		f(&m)
		return []Change{UpdateComponent{DefaultPoints.RoomMetadata, must(t, &m)}}
	}
}

// roleCan gives a role a capability, roleCannot takes it away, and zeroCan gives role
// 0 capabilities and changes.
func roleCan(index uint32, c Capability) func(*Policy) {
	return func(p *Policy) { o := p.Roles.Role(index); o.Capabilities = append(slices.Clip(o.Capabilities), c) }
}

func roleCannot(index uint32, c Capability) func(*Policy) {
	return func(p *Policy) {
		o := p.Roles.Role(index)
		o.Capabilities = slices.DeleteFunc(slices.Clone(o.Capabilities), func(x Capability) bool { return x == c })
	}
}

func zeroCan(change RoleChangeTargets, c ...Capability) func(*Policy) {
	return func(p *Policy) {
		o := p.Roles.Role(RoleNone)
		o.Capabilities, o.Changes = c, []RoleChangeTargets{change}
	}
}

// preauth has one rule: claims that give a role.
func preauth(role uint32, claims ...Claim) *PreAuthData {
	return &PreAuthData{[]PreAuthRoleEntry{{claims, Role{Index: role}}}}
}

// TestRules has a change for each rule that is not about a capability: one that it
// denies, and one that is as near as can be and allowed.
func TestRules(t *testing.T) {
	t.Parallel()
	base := func(f func(*BaseRoomPolicy)) *BaseRoomPolicy {
		b := &BaseRoomPolicy{MultiDevice: true}
		f(b)
		return b
	}
	noBanned := func(p *Policy) { p.Roles.Role(RoleBanned).Name = "shunned" }
	limit := func(role uint32, f func(*Role)) func(*Policy) { return func(p *Policy) { f(p.Roles.Role(role)) } }
	fixed := func(p *Policy) {
		roleCannot(2, CanAddParticipant)(p)
		roleCannot(3, CanAddParticipant)(p)
		roleCannot(4, CanAddParticipant)(p)
	}
	extern := func(proposals, commits bool) map[uint16]wire.Marshaler {
		return map[uint16]wire.Marshaler{0x24: &OperationalParameters{ExternalProposalAllowed: proposals, ExternalCommitAllowed: commits}}
	}
	pseudonym := "mimi://x.example/p/koala"
	tests := []struct {
		name    string
		house   house
		actor   *Actor
		changes []Change
		rule    Rule // empty: allowed
	}{
		{"adding to a role without an entry", house{policy: "multi-org"}, member("b1"), []Change{AddParticipant{u("new"), 2}}, RuleTransition},
		{"adding to a role with an entry", house{policy: "multi-org"}, member("b1"), []Change{AddParticipant{u("new"), 3}}, ""},
		{"moving from a role without an entry", house{policy: "multi-org"}, member("b1"), []Change{ChangeRole{u("uc"), 3}}, RuleTransition},
		{"moving to a role without an entry", house{policy: "multi-org"}, member("b1"), []Change{ChangeRole{u("ub"), 4}}, RuleTransition},
		{"moving with an entry", house{policy: "multi-org", users: append(people("multi-org")[:4:4], people("multi-org")[5:]...)}, member("b1"), []Change{ChangeRole{u("ub"), 6}}, ""},
		{"removing from a role without an entry", house{policy: "multi-org"}, member("b1"), []Change{RemoveParticipant{u("uc")}, RemoveClient{u("uc")}}, RuleTransition},
		{"leaving a role without an entry", house{policy: "cooperative", more: limit(2, func(o *Role) { o.Changes = []RoleChangeTargets{may(0, 2)} })}, member("mia"),
			[]Change{RemoveParticipant{u("mia")}, RemoveClient{u("mia")}}, RuleTransition},
		{"opening to a role without an entry", house{policy: "cooperative", more: zeroCan(may(0, 2), CanOpenJoin)}, joiner("new"), []Change{AddParticipant{u("new"), 3}, AddClient{u("new")}}, RuleTransition},
		{"join code for a role without an entry", house{policy: "administered"}, joiner("new").showing(Unseen), []Change{AddParticipant{u("new"), 3}, AddClient{u("new")}}, RuleTransition},
		{"join code for another role", house{policy: "moderated"}, joiner("new").showing(&JoinCode{Role: 3}), []Change{AddParticipant{u("new"), 2}, AddClient{u("new")}}, RuleTransition},
		{"join code that only the hub has seen", house{policy: "moderated"}, joiner("new").showing(Unseen), []Change{AddParticipant{u("new"), 2}, AddClient{u("new")}}, ""},
		{"adding to no role", house{policy: "cooperative"}, member("sue"), []Change{AddParticipant{u("new"), 9}}, RuleUnknownRole},
		{"moving to no role", house{policy: "cooperative"}, member("sue"), []Change{ChangeRole{u("mia"), 9}}, RuleUnknownRole},
		{"the last administrator is demoted", house{policy: "cooperative", users: []UserRolePair{{hub, 5}, {u("sue"), 4}, {u("ada"), 3}}}, member("sue"), []Change{ChangeRole{u("ada"), 2}}, RuleMinParticipants},
		{"the last administrator is replaced", house{policy: "cooperative", users: []UserRolePair{{hub, 5}, {u("sue"), 4}, {u("ada"), 3}, {u("mia"), 2}}}, member("sue"), []Change{ChangeRole{u("ada"), 2}, ChangeRole{u("mia"), 3}}, ""},
		{"a fourth administrator", house{policy: "multi-org"}, member("b1"), []Change{AddParticipant{u("b3"), 6}, AddParticipant{u("b4"), 6}}, RuleMaxParticipants},
		{"a third administrator", house{policy: "multi-org"}, member("b1"), []Change{AddParticipant{u("b3"), 6}}, ""},
		{"the last active one goes", house{policy: "multi-org"}, member("c1"), []Change{RemoveClient{u("c1")}}, RuleMinActive},
		{"one active one stays", house{policy: "multi-org"}, member("b1"), []Change{RemoveClient{u("b1")}}, ""},
		{"one active one too many", house{policy: "cooperative", more: limit(2, func(o *Role) { o.MaxActive = new(uint32(2)) })}, member("sue"), []Change{AddParticipant{u("new"), 2}, AddClient{u("new")}}, RuleMaxActive},
		{"an inactive one more", house{policy: "cooperative", more: limit(2, func(o *Role) { o.MaxActive = new(uint32(2)) })}, member("sue"), []Change{AddParticipant{u("new"), 2}}, ""},
		{"roles with a participant", house{policy: "administered"}, member("sue"), []Change{UpdateComponent{DefaultPoints.RolesList, must(t, &RoleData{administered()})}, AddParticipant{u("new"), 2}}, RuleRolesAlone},
		{"roles with a removal", house{policy: "administered"}, member("sue"), []Change{RemoveParticipant{u("mia")}, RemoveClient{u("mia")}, UpdateComponent{DefaultPoints.RolesList, must(t, &RoleData{administered()})}}, RuleRolesAlone},
		{"preauthorizations with a change of role", house{policy: "administered"}, member("sue"), []Change{UpdateComponent{DefaultPoints.PreauthList, must(t, preauth(2, staff))}, ChangeRole{u("mia"), 3}}, RulePreauthAlone},
		{"preauthorizations with an addition", house{policy: "administered"}, member("sue"), []Change{UpdateComponent{DefaultPoints.PreauthList, must(t, preauth(2, staff))}, AddParticipant{u("new"), 2}}, RulePreauthAlone},
		{"preauthorizations with a removal", house{policy: "administered"}, member("sue"), []Change{UpdateComponent{DefaultPoints.PreauthList, must(t, preauth(2, staff))}, RemoveParticipant{u("mia")}, RemoveClient{u("mia")}}, ""},
		{"preauthorized for another role", house{policy: "moderated", preauth: preauth(4, staff)}, joiner("new").claiming(staff), []Change{AddParticipant{u("new"), 3}, AddClient{u("new")}}, RulePreauthorized},
		{"own role without a rule", house{policy: "moderated"}, member("att").claiming(staff), []Change{ChangeRole{u("att"), 4}}, RulePreauthorized},
		{"ban without the role by its name", house{policy: "cooperative", more: noBanned}, member("ada"), []Change{ChangeRole{u("mia"), 1}, RemoveClient{u("mia")}}, RuleNoBanned},
		{"joining as banned", house{policy: "cooperative", more: zeroCan(may(0, 1), CanOpenJoin)}, joiner("new"), []Change{AddParticipant{u("new"), 1}}, RuleJoinBanned},
		{"ban before there is an entry", house{policy: "cooperative"}, provider(), []Change{AddParticipant{u("new"), 1}}, ""},
		{"removal that leaves a client", house{policy: "administered", clients: map[string]int{u("ada"): 1, u("mia"): 2}}, member("ada"), []Change{RemoveParticipant{u("mia")}, RemoveClient{u("mia")}}, RuleClientsRemain},
		{"removal of all clients", house{policy: "administered", clients: map[string]int{u("ada"): 1, u("mia"): 2}}, member("ada"), []Change{RemoveClient{u("mia")}, RemoveParticipant{u("mia")}, RemoveClient{u("mia")}}, ""},
		{"removal of one who is not active", house{policy: "administered", clients: map[string]int{u("ada"): 1}}, member("ada"), []Change{RemoveParticipant{u("mia")}}, ""},
		{"ban that leaves a client", house{policy: "cooperative"}, member("ada"), []Change{ChangeRole{u("mia"), 1}}, RuleClientsRemain},
		{"client of one who is banned", house{policy: "cooperative"}, member("ada"), []Change{AddClient{u("bad")}}, RuleClientsRemain},
		{"adding to a fixed list", house{policy: "cooperative", more: fixed, base: base(func(b *BaseRoomPolicy) { b.FixedMembership = true })}, member("sue"), []Change{AddParticipant{u("new"), 2}}, RuleFixedMembership},
		{"leaving a fixed list", house{policy: "cooperative", more: fixed, base: base(func(b *BaseRoomPolicy) { b.FixedMembership = true })}, member("mia"), []Change{RemoveParticipant{u("mia")}, RemoveClient{u("mia")}}, RuleFixedMembership},
		{"leaving the group of a fixed list", house{policy: "cooperative", more: fixed, base: base(func(b *BaseRoomPolicy) { b.FixedMembership = true })}, member("mia"), []Change{RemoveClient{u("mia")}}, ""},
		{"clients of those on a fixed list", house{policy: "cooperative", more: fixed, base: base(func(b *BaseRoomPolicy) { b.FixedMembership = true })}, member("mia"), []Change{AddClient{u("max")}}, ""},
		{"client of one not on a fixed list", house{policy: "cooperative", more: fixed, base: base(func(b *BaseRoomPolicy) { b.FixedMembership = true })}, member("mia"), []Change{AddClient{u("new")}}, RuleParticipantFirst},
		{"a second device", house{policy: "cooperative", base: &BaseRoomPolicy{}}, member("mia"), []Change{AddClient{u("mia")}}, RuleMultiDevice},
		{"a second device where many are allowed", house{policy: "cooperative", base: &BaseRoomPolicy{MultiDevice: true}}, member("mia"), []Change{AddClient{u("mia")}}, ""},
		{"a device in place of another", house{policy: "cooperative", base: &BaseRoomPolicy{}}, joiner("mia"), []Change{AddClient{u("mia")}, RemoveClient{u("mia")}}, ""},
		{"a device in place of another, of one who may not remove it", house{policy: "cooperative", more: roleCannot(2, CanRemoveOwnClient)}, joiner("mia"), []Change{AddClient{u("mia")}, RemoveClient{u("mia")}}, ""},
		{"a client too many", house{policy: "cooperative", base: base(func(b *BaseRoomPolicy) { b.MaxClients = new(uint32(5)) })}, member("mia"), []Change{AddClient{u("mia")}}, RuleMaxClients},
		{"a room with too many clients loses one", house{policy: "cooperative", base: base(func(b *BaseRoomPolicy) { b.MaxClients = new(uint32(3)) })}, member("mia"), []Change{RemoveClient{u("mia")}}, ""},
		{"a room with too many clients changes one", house{policy: "cooperative", base: base(func(b *BaseRoomPolicy) { b.MaxClients = new(uint32(3)) })}, joiner("mia"), []Change{AddClient{u("mia")}, RemoveClient{u("mia")}}, ""},
		{"a room with too many users changes a role", house{policy: "cooperative", base: base(func(b *BaseRoomPolicy) { b.MaxUsers = new(uint32(3)) })}, member("sue"), []Change{ChangeRole{u("mia"), 3}}, ""},
		{"the last client that fits", house{policy: "cooperative", base: base(func(b *BaseRoomPolicy) { b.MaxClients = new(uint32(6)) })}, member("mia"), []Change{AddClient{u("mia")}}, ""},
		{"a user too many", house{policy: "cooperative", base: base(func(b *BaseRoomPolicy) { b.MaxUsers = new(uint32(6)) })}, member("sue"), []Change{AddParticipant{u("new"), 2}}, RuleMaxUsers},
		{"a user in place of a banned one", house{policy: "cooperative", base: base(func(b *BaseRoomPolicy) { b.MaxUsers = new(uint32(6)) })}, member("sue"), []Change{ChangeRole{u("mia"), 1}, RemoveClient{u("mia")}, AddParticipant{u("new"), 2}}, ""},
		{"a pseudonym", house{policy: "cooperative", base: base(func(*BaseRoomPolicy) {})}, member("sue"), []Change{AddParticipant{pseudonym, 2}}, RulePseudonym},
		{"a pseudonym where they are allowed", house{policy: "cooperative", base: base(func(b *BaseRoomPolicy) { b.PseudonymsAllowed = true })}, member("sue"), []Change{AddParticipant{pseudonym, 2}}, ""},
		{"external commit", house{policy: "cooperative", parts: extern(true, false)}, joiner("mia"), []Change{AddClient{u("mia")}}, RuleExternal},
		{"external commit that is allowed", house{policy: "cooperative", parts: extern(false, true)}, joiner("mia"), []Change{AddClient{u("mia")}}, ""},
		{"external proposal", house{policy: "cooperative", parts: extern(false, true)}, provider(), []Change{RemoveParticipant{u("mia")}, RemoveClient{u("mia")}}, RuleExternal},
		{"external proposal that is allowed", house{policy: "cooperative", parts: extern(true, false)}, provider(), []Change{RemoveParticipant{u("mia")}, RemoveClient{u("mia")}}, ""},
		{"client of a stranger", house{policy: "cooperative"}, member("sue"), []Change{AddClient{u("new")}}, RuleParticipantFirst},
		{"external commit of a stranger", house{policy: "cooperative"}, joiner("new"), []Change{AddClient{u("new")}}, RuleParticipantFirst},
		{"client of one who came without", house{policy: "administered", clients: map[string]int{u("ada"): 1}}, member("ada"), []Change{AddClient{u("mia")}}, ""},
		{"message of the banned", house{policy: "cooperative", clients: map[string]int{u("bad"): 1}}, member("bad"), []Change{SendMessage{}}, RuleRestricted},
		{"the banned take their clients away", house{policy: "cooperative", clients: map[string]int{u("bad"): 1}}, member("bad"), []Change{RemoveClient{u("bad")}}, ""},
		{"those off the list take their clients away", house{policy: "cooperative"}, member("old"), []Change{RemoveClient{u("old")}}, ""},
		{"those off the list kick", house{policy: "cooperative"}, member("old"), []Change{RemoveClient{u("mia")}}, RuleRestricted},
		{"message without a client", house{policy: "cooperative", clients: map[string]int{u("ada"): 1}}, member("mia"), []Change{SendMessage{}}, RuleNotMember},
		{"message from outside", house{policy: "administered", preauth: preauth(2, staff)}, (&Actor{User: "mimi://other.example", Origin: FromExternalSender}).claiming(staff), []Change{SendMessage{}}, RuleNotMember},
		{"report of one without a client", house{policy: "cooperative", clients: map[string]int{u("ada"): 1}}, member("mia"), []Change{ReportAbuse{}}, ""},
		{"report of one off the list, by claims", house{policy: "administered", preauth: preauth(2, staff)}, member("old").claiming(staff), []Change{ReportAbuse{}}, RuleCapability},
		{"component of another package", house{policy: "cooperative", more: roleCan(2, CanChangeOtherPolicyAttribute)}, member("mia"), []Change{UpdateComponent{0x8001, []byte{0}}}, ""},
		{"component of another package without the capability", house{policy: "cooperative"}, member("mia"), []Change{UpdateComponent{0x8001, []byte{0}}}, RuleCapability},
		{"removing more clients than there are", house{policy: "cooperative"}, member("ada"), []Change{RemoveClient{u("mia")}, RemoveClient{u("mia")}}, RuleNoClient},
		{"another room", house{policy: "cooperative"}, member("sue"), []Change{UpdateComponent{DefaultPoints.RoomMetadata, must(t, &RoomMetaData{URI: "mimi://hub.example/r/other", Name: "Clubhouse"})}}, RuleRoomURI},
		{"leaf of another user", house{policy: "cooperative"}, member("mia"), []Change{UpdateClient{u("max")}}, RuleOwnUser},
		{"leaf of one's own", house{policy: "cooperative"}, member("mia"), []Change{UpdateClient{u("mia")}}, ""},
		{"dictionary by extensions", house{policy: "cooperative"}, provider(), []Change{ChangeExtensions{Dictionary: true}}, RuleDictionary},
		{"extensions by the hub", house{policy: "cooperative"}, provider(), []Change{ChangeExtensions{}}, ""},
	}
	seen := map[Rule]bool{RuleCapability: true}
	names := map[string]bool{}
	for _, tt := range tests {
		seen[tt.rule] = true
		if names[tt.name] {
			t.Errorf("two rows are called %q", tt.name)
		}
		names[tt.name] = true
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := tt.house.build(t)
			next, err := Authorize(s, tt.actor, tt.changes...)
			if tt.rule != "" {
				denied(t, err, tt.rule)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkState(t, next)
		})
	}
	for rule := range sections {
		if !seen[rule] {
			t.Errorf("no row is denied by %s", rule)
		}
	}
}

// checkState wants a State to be what Decode makes of its own dictionary and clients:
// what was counted as it went along, and what is counted anew, are the same.
func checkState(t testing.TB, s *State) {
	t.Helper()
	again, err := Decode(s.points, s.dict, func(yield func(string) bool) {
		for p := range s.All() {
			for range p.Clients {
				if !yield(p.User) {
					return
				}
			}
		}
	})
	if err != nil {
		t.Fatalf("decoding the state that follows: %v", err)
	}
	if again.clients != s.clients || !slices.Equal(again.roster.list, s.roster.list) || !slices.Equal(again.roster.index, s.roster.index) || !slices.Equal(again.roster.clients, s.roster.clients) {
		t.Errorf("state has %d clients, list %v, index %v; decoded anew %d, %v, %v", s.clients, s.roster.list, s.roster.index, again.clients, again.roster.list, again.roster.index)
	}
	for role := range uint32(12) {
		if a, b := s.tally(role), again.tally(role); a != b {
			t.Errorf("role %d is counted as %v, anew as %v", role, a, b)
		}
	}
}

// TestUpdatesThatCannotBe: what cannot be done at all is an UpdateError, and not a
// Denial, whoever asks.
func TestUpdatesThatCannotBe(t *testing.T) {
	t.Parallel()
	list := DefaultPoints.ParticipantList
	listUpdate := func(u *ParticipantListUpdate) Change { return UpdateComponent{list, must(t, u)} }
	roles := must(t, &RoleData{cooperative()[:4]})
	tests := []struct {
		name    string
		changes []Change
		want    error
	}{
		{"index behind the end", []Change{listUpdate(&ParticipantListUpdate{Removed: []uint32{7}})}, ErrIndex},
		{"largest index", []Change{listUpdate(&ParticipantListUpdate{Changed: []UserIndexRolePair{{1<<32 - 1, 2}}})}, ErrIndex},
		{"no participant of that name", []Change{RemoveParticipant{u("new")}}, ErrIndex},
		{"removed twice", []Change{listUpdate(&ParticipantListUpdate{Removed: []uint32{4, 4}})}, ErrSameUser},
		{"changed and removed", []Change{listUpdate(&ParticipantListUpdate{Changed: []UserIndexRolePair{{4, 3}}, Removed: []uint32{4}})}, ErrSameUser},
		{"changed and removed by two updates", []Change{listUpdate(&ParticipantListUpdate{Changed: []UserIndexRolePair{{4, 3}}}), listUpdate(&ParticipantListUpdate{Removed: []uint32{4}})}, ErrSameUser},
		{"removed and added", []Change{RemoveParticipant{u("mia")}, AddParticipant{u("mia"), 2}}, ErrSameUser},
		{"added twice", []Change{AddParticipant{u("new"), 2}, AddParticipant{u("new"), 2}}, ErrSameUser},
		{"added who is there", []Change{AddParticipant{u("mia"), 2}}, ErrPresent},
		{"added by another spelling", []Change{AddParticipant{"mimi://X.example/u/mia", 2}}, ErrUser},
		{"added a room", []Change{AddParticipant{"mimi://x.example/r/room", 2}}, ErrUser},
		{"added what is no URI", []Change{AddParticipant{"mimi://", 2}}, ErrUser},
		{"update cut short", []Change{UpdateComponent{list, []byte{0}}}, wire.ErrTruncated},
		{"metadata twice", append(metadata(func(m *RoomMetaData) { m.Name = "a" })(t, house{policy: "cooperative"}.build(t), nil), metadata(func(m *RoomMetaData) { m.Name = "b" })(t, house{policy: "cooperative"}.build(t), nil)...), ErrUpdates},
		{"metadata cut short", []Change{UpdateComponent{DefaultPoints.RoomMetadata, []byte{0}}}, wire.ErrTruncated},
		{"participant list removed", []Change{RemoveComponent{list}}, ErrComponent},
		{"metadata removed", []Change{RemoveComponent{DefaultPoints.RoomMetadata}}, ErrComponent},
		{"roles removed", []Change{RemoveComponent{DefaultPoints.RolesList}}, ErrComponent},
		{"policy removed that there is not", []Change{RemoveComponent{DefaultPoints.Asset}}, ErrComponent},
		{"policy removed twice", []Change{RemoveComponent{DefaultPoints.PreauthList}, RemoveComponent{DefaultPoints.PreauthList}}, ErrUpdates},
		{"policy removed and updated", []Change{RemoveComponent{DefaultPoints.PreauthList}, UpdateComponent{DefaultPoints.PreauthList, must(t, preauth(3))}}, ErrUpdates},
		{"history shared by those who cannot be active", []Change{UpdateComponent{DefaultPoints.ChatHistory, must(t, &HistoryPolicy{Roles: []uint32{2, 5}})}}, ErrIncoherent},
		{"history shared by no role", []Change{UpdateComponent{DefaultPoints.ChatHistory, must(t, &HistoryPolicy{Roles: []uint32{9}})}}, ErrIncoherent},
		{"bot in no role", []Change{UpdateComponent{DefaultPoints.Bot, must(t, &BotPolicy{[]Bot{{Name: "b", Role: 9}}})}}, ErrIncoherent},
		{"two join links on request", []Change{UpdateComponent{DefaultPoints.JoinLinkPolicy, must(t, &JoinLinkPolicy{OnRequest: true})},
			UpdateComponent{DefaultPoints.JoinLinks, must(t, &JoinLinksUpdate{Added: []JoinLink{{Opaque("a")}, {Opaque("b")}}})}}, ErrIncoherent},
		{"roles that participants miss", []Change{UpdateComponent{DefaultPoints.RolesList, roles}}, ErrIncoherent},
		{"preauthorization for no role", []Change{UpdateComponent{DefaultPoints.PreauthList, must(t, preauth(9))}}, ErrIncoherent},
		{"fixed membership with canAddParticipant", []Change{UpdateComponent{DefaultPoints.BaseRoomPolicy, must(t, &BaseRoomPolicy{FixedMembership: true})}}, ErrIncoherent},
	}
	everything := func(p *Policy) {
		o := p.Roles.Role(4)
		o.Capabilities = Capabilities()
		o.Capabilities = slices.DeleteFunc(o.Capabilities, func(c Capability) bool { return c == CanOpenJoin })
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := house{policy: "cooperative", more: everything, preauth: preauth(2, staff)}.build(t)
			_, err := Authorize(s, member("sue"), tt.changes...)
			var ue *UpdateError
			if !errors.As(err, &ue) || !errors.Is(err, tt.want) || ue.Name == "" {
				t.Fatalf("got %v, want an UpdateError that wraps %v", err, tt.want)
			}
		})
	}
}

// TestCoherentChanges: what is a step away from the rows that contradict
// themselves can be, and what is removed is gone.
func TestCoherentChanges(t *testing.T) {
	t.Parallel()
	everything := func(p *Policy) {
		p.Roles.Role(4).Capabilities = slices.DeleteFunc(Capabilities(), func(c Capability) bool { return c == CanOpenJoin })
	}
	s := house{policy: "cooperative", more: everything, preauth: preauth(2, staff)}.build(t)
	next, err := Authorize(s, member("sue"),
		RemoveComponent{DefaultPoints.PreauthList},
		UpdateComponent{DefaultPoints.ChatHistory, must(t, &HistoryPolicy{Roles: []uint32{2, 3}})},
		UpdateComponent{DefaultPoints.Bot, must(t, &BotPolicy{[]Bot{{Name: "b", Role: 2}, {Name: "c"}}})},
		UpdateComponent{DefaultPoints.JoinLinkPolicy, must(t, &JoinLinkPolicy{OnRequest: true})},
		UpdateComponent{DefaultPoints.JoinLinks, must(t, &JoinLinksUpdate{Added: []JoinLink{{Opaque("a")}}})})
	if err != nil {
		t.Fatal(err)
	}
	if next.Preauth() != nil || len(next.ChatHistory().Roles) != 2 || len(next.Bots().Bots) != 2 || !next.JoinLinkPolicy().OnRequest || len(next.JoinLinks().Links) != 1 {
		t.Errorf("the state that follows is %s", next.Outline())
	}
	if s.Preauth() == nil || s.JoinLinks() != nil {
		t.Error("the state before has changed")
	}
}

// TestRemovals: to remove a component takes what an update of it takes.
func TestRemovals(t *testing.T) {
	t.Parallel()
	links := map[uint16]wire.Marshaler{0x2a: &JoinLinksData{[]JoinLink{{Opaque("l")}}}}
	other := func(p *Policy) {
		roleCan(4, CanChangeOtherPolicyAttribute)(p)
		roleCannot(4, CanDeleteJoinCode)(p)
	}
	s := house{policy: "administered", parts: links, preauth: preauth(2), more: other}.build(t)
	if next, err := Authorize(s, member("ada"), RemoveComponent{DefaultPoints.JoinLinks}); err != nil || next.JoinLinks() != nil {
		t.Errorf("join links by canDeleteJoinCode: %v", err)
	}
	_, err := Authorize(s, member("sue"), RemoveComponent{DefaultPoints.JoinLinks})
	if d := denied(t, err, RuleCapability); d.Capability != CanDeleteJoinCode {
		t.Errorf("join links without it: %v", d)
	}
	if next, err := Authorize(s, member("sue"), RemoveComponent{DefaultPoints.PreauthList}); err != nil || next.Preauth() != nil {
		t.Errorf("preauthorizations by canChangePreauthorizedUserList: %v", err)
	}
	_, err = Authorize(s, member("ada"), RemoveComponent{DefaultPoints.PreauthList})
	denied(t, err, RuleCapability)
	_, err = Authorize(s, member("sue"), RemoveComponent{DefaultPoints.PreauthList}, ChangeRole{u("mia"), 3})
	denied(t, err, RulePreauthAlone)
}
