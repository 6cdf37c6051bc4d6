package kat

import (
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/room"
)

// A house is the room of a verdict: a policy and who is there, each but the hub and
// the banned with one client.
type house struct {
	policy string
	roles  []room.Role
	people []pair
	more   []entry // components besides
}

// houses are rooms of the four policies. Names say what a user is: sue is a super
// admin, ada and alf are admins, mod is a moderator, mia and max are members.
func houses() []*house {
	who := map[string][]pair{
		"cooperative":  {{hubURI, 5}, {user("sue"), 4}, {user("ada"), 3}, {user("alf"), 3}, {user("mia"), 2}, {user("max"), 2}, {user("bad"), 1}},
		"administered": {{hubURI, 5}, {user("sue"), 4}, {user("ada"), 3}, {user("alf"), 3}, {user("mia"), 2}, {user("max"), 2}, {user("bad"), 1}},
		"moderated":    {{hubURI, 7}, {user("sue"), 6}, {user("mod"), 5}, {user("mel"), 5}, {user("spy"), 4}, {user("att"), 3}, {user("gus"), 2}, {user("max"), 2}, {user("bad"), 1}},
		"multi-org":    {{hubURI, 9}, {user("sue"), 8}, {user("ann"), 5}, {user("ben"), 6}, {user("bea"), 6}, {user("cem"), 7}, {user("cyd"), 7}, {user("una"), 2}, {user("ulf"), 2}, {user("ute"), 3}, {user("uwe"), 4}, {user("bad"), 1}},
	}
	var all []*house
	for _, p := range room.Policies() {
		all = append(all, &house{policy: p.Name, roles: p.Roles.Roles, people: who[p.Name]})
	}
	return all
}

func (h *house) dictionary() octets {
	list := []entry{
		{0x22, listObject(h.people).bytes()},
		{0x23, metadataObject(clubhouse, "Clubhouse", "", "", "").bytes()},
		{0x25, rolesObject(h.roles).bytes()},
	}
	return dictionary(append(list, h.more...)...)
}

func (h *house) clients() []string {
	all := []string{}
	for _, p := range h.people {
		if p.User != hubURI && p.Role != room.RoleBanned {
			all = append(all, p.User)
		}
	}
	return all
}

func (h *house) role(index uint32) *room.Role {
	i := slices.IndexFunc(h.roles, func(r room.Role) bool { return r.Index == index })
	if i < 0 {
		return &room.Role{Index: index}
	}
	return &h.roles[i]
}

func (h *house) roleOf(who string) uint32 {
	for _, p := range h.people {
		if p.User == who {
			return p.Role
		}
	}
	return room.RoleNone
}

// can and may are what the tables of a policy say: that a role has a capability, and
// that one in it may move another from a role to one of others.
func (h *house) can(role uint32, c room.Capability) bool {
	return slices.Contains(h.role(role).Capabilities, c)
}

func (h *house) may(role, from, to uint32) bool {
	for _, t := range h.role(role).Changes {
		if t.From == from && slices.Contains(t.Targets, to) {
			return true
		}
	}
	return false
}

// want is what a case of a verdict expects.
type want struct {
	rule       room.Rule
	capability room.Capability
	failure    string
	after      []pair
	left       int
}

// of makes the case.
func (h *house) of(name string, a actor, changes []change, w want, because ...string) *verdictCase {
	v := &verdictCase{head: newHead(name, policySection+"Role-Based Access Control", because...), Policy: h.policy, Dictionary: h.dictionary(), Clients: h.clients(), Actor: a, Changes: changes, Verdict: allowed, After: []pair{}}
	switch {
	case w.failure != "":
		v.Verdict, v.Failure = impossible, w.failure
	case w.rule == room.RuleCapability:
		v.Verdict, v.Rule, v.Capability, v.Cited = denied, string(w.rule), w.capability.String(), w.capability.Section()
		v.Section = v.Cited
	case w.rule != "":
		v.Verdict, v.Rule, v.Cited = denied, string(w.rule), cited[w.rule]
		v.Section = v.Cited
	default:
		v.After, v.Left = append(v.After, w.after...), uint32(w.left)
	}
	return v
}

// cited says where the rules are from that cases are denied by.
var cited = map[room.Rule]string{
	room.RuleTransition:       policySection + "Role-Based Access Control",
	room.RuleUnknownRole:      policySection + "Role-Based Access Control",
	room.RuleMinParticipants:  policySection + "Role-Based Access Control",
	room.RuleMaxParticipants:  policySection + "Role-Based Access Control",
	room.RuleMinActive:        policySection + "Role-Based Access Control",
	room.RuleRolesAlone:       policySection + "Role-Based Access Control",
	room.RulePreauthAlone:     policySection + "Preauthorized Users",
	room.RulePreauthorized:    policySection + "Preauthorized Users",
	room.RuleClientsRemain:    policySection + "Removing",
	room.RuleMultiDevice:      policySection + "Base Room policy component syntax",
	room.RuleMaxClients:       policySection + "Base Room policy component syntax",
	room.RuleMaxUsers:         policySection + "Base Room policy component syntax",
	room.RuleParticipantFirst: protocolSection + "Update Room State",
	room.RuleRestricted:       protocolSection + "Update Room State",
	room.RuleNotMember:        protocolSection + "Submit a Message",
	room.RuleRoomURI:          protocolSection + "Room Metadata",
	room.RuleOwnUser:          protocolSection + "Participant List",
	room.RuleNoClient:         protocolSection + "Participant List",
}

func member(name string) actor { return actor{User: user(name), Origin: "member", Claims: []claim{}} }
func joiner(name string) actor {
	return actor{User: user(name), Origin: "new_member_commit", Claims: []claim{}}
}

func withUser(kind, who string) change { return change{Kind: kind, User: &who} }
func withRole(kind, who string, role uint32) change {
	return change{Kind: kind, User: &who, Role: &role}
}
func withUpdate(id uint16, b octets) change {
	return change{Kind: "update_component", Component: &id, Update: &b}
}

// drop and set are what becomes of a list of participants.
func drop(list []pair, who string) []pair {
	return slices.DeleteFunc(slices.Clone(list), func(p pair) bool { return p.User == who })
}

func set(list []pair, who string, role uint32) []pair {
	list = slices.Clone(list)
	for i := range list {
		if list[i].User == who {
			list[i].Role = role
		}
	}
	return list
}

// matrix asks for the same changes on behalf of one user of each role. What is
// expected follows from the tables of the policy alone: the capability that a change
// takes, and the change of role if it is one.
func (h *house) matrix() []any {
	var cases []any
	n := len(h.clients())
	seen := map[uint32]bool{}
	victim := user("max") // an ordinary user of the lowest role
	if h.policy == "multi-org" {
		victim = user("ulf")
	}
	low := h.roleOf(victim)
	for _, p := range h.people {
		if seen[p.Role] || p.Role == room.RoleBanned {
			continue
		}
		seen[p.Role] = true
		a := actor{User: p.User, Origin: "member", Claims: []claim{}}
		if p.User == hubURI {
			a.Origin = "external"
		}
		role := h.role(p.Role)
		ask := func(what string, w want, changes ...change) {
			cases = append(cases, h.of(h.policy+": "+role.Name+" "+what, a, changes, w))
		}
		// takes is what a change that takes a capability and a move comes to.
		takes := func(c room.Capability, from, to uint32, after []pair, left int) want {
			switch {
			case !h.can(p.Role, c):
				return want{rule: room.RuleCapability, capability: c}
			case from != to && !h.may(p.Role, from, to):
				return want{rule: room.RuleTransition}
			}
			return want{after: after, left: left}
		}
		fresh := user("new")
		ask("adds a user", takes(room.CanAddParticipant, 0, low, append(slices.Clone(h.people), pair{fresh, low}), n+1), withRole("add_participant", fresh, low), withUser("add_client", fresh))
		ask("removes a user", takes(room.CanRemoveParticipant, low, 0, drop(h.people, victim), n-1), withUser("remove_participant", victim), withUser("remove_client", victim))
		ask("bans a user", takes(room.CanBan, low, 1, set(h.people, victim, 1), n-1), withRole("change_role", victim, 1), withUser("remove_client", victim))
		unban, because := room.CanUnBan, []string(nil)
		if !h.can(p.Role, unban) && h.can(p.Role, room.CanChangeUserRole) {
			unban, because = room.CanChangeUserRole, []string{deviation(room1, 20)} // role 1 is not excepted
		}
		ask("lets a banned user back in", takes(unban, 1, low, set(h.people, user("bad"), low), n), withRole("change_role", user("bad"), low))
		last := cases[len(cases)-1].(*verdictCase)
		last.Deviations = append(last.Deviations, because...)
		ask("removes the client of a user", takes(room.CanKick, 0, 0, h.people, n-1), withUser("remove_client", victim))
		ask("renames the room", takes(room.CanChangeRoomName, 0, 0, h.people, n), withUpdate(0x23, metadataObject(clubhouse, "Salon", "", "", "").bytes()))
		ask("describes the room", takes(room.CanChangeRoomDescription, 0, 0, h.people, n), withUpdate(0x23, metadataObject(clubhouse, "Clubhouse", "", "", "", description("", "", "talk")).bytes()))
		ask("changes the roles", takes(room.CanChangeRoleDefinitions, 0, 0, h.people, n), withUpdate(0x25, rolesObject(h.roles).bytes()))
		ask("preauthorizes users", takes(room.CanChangePreauthorizedUserList, 0, 0, h.people, n), withUpdate(0x26, object{vector("", preauthObject(low, roomClaim("staff")))}.bytes()))
		ask("limits the room", takes(room.CanChangeRoomMembershipStyle, 0, 0, h.people, n), withUpdate(0x27, baseObject(false, nil, true, nil, nil).bytes()))
		ask("replaces the group", takes(room.CanSendMLSReinitProposal, 0, 0, h.people, n), change{Kind: "reinit"})
		ask("destroys the room", takes(room.CanDestroyRoom, 0, 0, h.people, n), change{Kind: "destroy_room"})
		if p.User == hubURI {
			continue // it has no client, by which it could do the rest
		}
		ask("adds a client of its own", takes(room.CanAddOwnClient, 0, 0, h.people, n+1), withUser("add_client", p.User))
		ask("removes a client of its own and stays a participant", h.own(takes(room.CanRemoveOwnClient, 0, 0, h.people, n-1), role), withUser("remove_client", p.User))
		ask("sends a message", takes(room.CanSendMessage, 0, 0, h.people, n), change{Kind: "send_message"})
		ask("reports abuse", takes(room.CanReportAbuse, 0, 0, h.people, n), change{Kind: "report_abuse"})
	}
	return cases
}

// own turns what a user's last client takes into a denial where too few of the role
// would have one.
func (h *house) own(w want, role *room.Role) want {
	active := 0
	for _, p := range h.people {
		if p.Role == role.Index {
			active++
		}
	}
	if w.rule == "" && uint32(active-1) < role.MinActive {
		return want{rule: room.RuleMinActive}
	}
	return w
}

func makeVerdicts(*maker) []any {
	var cases []any
	all := houses()
	for _, h := range all {
		cases = append(cases, h.matrix()...)
	}
	coop, admin, mod, multi := all[0], all[1], all[2], all[3]
	d := func(n ...int) (list []string) {
		for _, i := range n {
			list = append(list, deviation(room1, i))
		}
		return list
	}
	add := func(h *house, name string, a actor, w want, because []string, changes ...change) {
		cases = append(cases, h.of(name, a, changes, w, because...))
	}
	with := func(h *house, more ...entry) *house {
		g := *h
		g.more = more
		return &g
	}
	of := func(h *house, people ...pair) *house {
		g := *h
		g.people = people
		return &g
	}
	rule := func(r room.Rule) want { return want{rule: r} }
	lacks := func(c room.Capability) want { return want{rule: room.RuleCapability, capability: c} }
	ok := func(h *house, after []pair, more int) want { return want{after: after, left: len(h.clients()) + more} }
	staff := claim{1, octets("org"), octets("staff")}
	claiming := func(a actor, c ...claim) actor { a.Claims = c; return a }
	showing := func(a actor, role uint32) actor { a.JoinCode = &joinCode{role}; return a }
	pre := func(role uint32) entry {
		return entry{0x26, object{vector("", preauthObject(role, roomClaim("staff")))}.bytes()}
	}
	fresh := user("new")
	come := func(role uint32) []change {
		return []change{withRole("add_participant", fresh, role), withUser("add_client", fresh)}
	}
	joined := func(h *house, role uint32) []pair { return append(slices.Clone(h.people), pair{fresh, role}) }
	base := func(multi bool, clients, users *uint32) entry {
		return entry{0x27, baseObject(false, nil, multi, clients, users).bytes()}
	}
	limit := func(n int) *uint32 { m := uint32(n); return &m }

	// Who comes without being asked.
	add(with(mod, pre(3)), "preauthorized, in the role that the list gives", claiming(joiner("new"), staff), ok(mod, joined(mod, 3), 1), nil, come(3)...)
	add(with(mod, pre(3)), "preauthorized, in another role", claiming(joiner("new"), staff), rule(room.RulePreauthorized), nil, come(2)...)
	add(with(admin, pre(2)), "a join code", showing(joiner("new"), 2), ok(admin, joined(admin, 2), 1), nil, come(2)...)
	add(mod, "a join code that is for another role", showing(joiner("new"), 3), rule(room.RuleTransition), d(22), come(2)...)
	add(mod, "a join code, and it is not said for which role", showing(joiner("new"), 0), ok(mod, joined(mod, 2), 1), d(22), come(2)...)
	add(admin, "a join code for a role that is not open to it", showing(joiner("new"), 3), rule(room.RuleTransition), d(22), come(3)...)

	// Roles and their limits.
	add(coop, "an administrator promotes a user", member("ada"), ok(coop, set(coop.people, user("mia"), 3), 0), nil, withRole("change_role", user("mia"), 3))
	add(coop, "a user promotes another", member("mia"), lacks(room.CanChangeUserRole), nil, withRole("change_role", user("max"), 3))
	add(coop, "an administrator makes a super admin", member("ada"), rule(room.RuleTransition), nil, withRole("change_role", user("mia"), 4))
	add(coop, "a role that there is not", member("sue"), rule(room.RuleUnknownRole), nil, withRole("change_role", user("mia"), 9))
	few := of(coop, pair{hubURI, 5}, pair{user("sue"), 4}, pair{user("ada"), 3}, pair{user("mia"), 2})
	add(few, "the last administrator is demoted", member("sue"), rule(room.RuleMinParticipants), nil, withRole("change_role", user("ada"), 2))
	add(few, "the last administrator is replaced", member("sue"), ok(few, []pair{{hubURI, 5}, {user("sue"), 4}, {user("ada"), 2}, {user("mia"), 3}}, 0), d(18), withRole("change_role", user("ada"), 2), withRole("change_role", user("mia"), 3))
	add(multi, "an administrator adds to another organization", member("ben"), rule(room.RuleTransition), nil, withRole("add_participant", fresh, 2))
	add(multi, "an administrator adds to the own organization", member("ben"), ok(multi, joined(multi, 3), 0), nil, withRole("add_participant", fresh, 3))
	add(multi, "an administrator removes a user of another organization", member("ben"), rule(room.RuleTransition), nil, withUser("remove_participant", user("uwe")), withUser("remove_client", user("uwe")))
	add(multi, "a third administrator", member("ben"), ok(multi, joined(multi, 6), 0), nil, withRole("add_participant", fresh, 6))
	add(multi, "a fourth administrator", member("ben"), rule(room.RuleMaxParticipants), nil, withRole("add_participant", fresh, 6), withRole("add_participant", user("nil"), 6))
	lone := of(multi, drop(multi.people, user("cyd"))...)
	add(lone, "the last active administrator takes the client away", member("cem"), rule(room.RuleMinActive), nil, withUser("remove_client", user("cem")))

	// What belongs together, and what does not.
	add(coop, "a user is removed and its client stays", member("ada"), rule(room.RuleClientsRemain), nil, withUser("remove_participant", user("max")))
	add(coop, "a user is banned and its client stays", member("ada"), want{rule: room.RuleClientsRemain}, nil, withRole("change_role", user("max"), 1))
	add(coop, "a client before its user", member("ada"), rule(room.RuleParticipantFirst), nil, withUser("add_client", fresh))
	add(coop, "a user before its client", member("ada"), ok(coop, joined(coop, 2), 0), nil, withRole("add_participant", fresh, 2))
	add(coop, "a user leaves", member("mia"), ok(coop, drop(coop.people, user("mia")), -1), nil, withUser("remove_participant", user("mia")), withUser("remove_client", user("mia")))
	add(admin, "roles with a new user", member("sue"), rule(room.RuleRolesAlone), nil, withUpdate(0x25, rolesObject(admin.roles).bytes()), withRole("add_participant", fresh, 2))
	add(admin, "preauthorizations with a change of role", member("sue"), rule(room.RulePreauthAlone), nil, withUpdate(0x26, pre(2).Data), withRole("change_role", user("mia"), 3))
	add(coop, "another URI of the room", member("sue"), rule(room.RuleRoomURI), d(27), withUpdate(0x23, metadataObject("mimi://h.example/r/other", "Clubhouse", "", "", "").bytes()))
	add(coop, "a leaf of one's own", member("mia"), ok(coop, coop.people, 0), d(25), withUser("update_client", user("mia")))
	add(coop, "a leaf of another", member("mia"), rule(room.RuleOwnUser), nil, withUser("update_client", user("max")))
	add(coop, "more clients are removed than there are", member("ada"), rule(room.RuleNoClient), nil, withUser("remove_client", user("mia")), withUser("remove_client", user("mia")))

	// Those who are banned, and strangers.
	add(coop, "a message of one who is not there", member("new"), rule(room.RuleRestricted), nil, change{Kind: "send_message"})
	add(coop, "a message of one who is banned", member("bad"), rule(room.RuleRestricted), nil, change{Kind: "send_message"})
	add(coop, "a message of a participant without a client", actor{User: hubURI, Origin: "external", Claims: []claim{}}, rule(room.RuleNotMember), nil, change{Kind: "send_message"})
	add(coop, "one who is not there removes a client", member("new"), rule(room.RuleRestricted), nil, withUser("remove_client", user("mia")))

	// Limits of the room.
	n, users := len(coop.clients()), len(coop.people)-1 // of whom one is banned and does not count
	add(with(coop, base(false, nil, nil)), "a second client where one is allowed", joiner("mia"), rule(room.RuleMultiDevice), nil, withUser("add_client", user("mia")))
	add(with(coop, base(true, nil, nil)), "a second client where many are allowed", joiner("mia"), ok(coop, coop.people, 1), nil, withUser("add_client", user("mia")))
	add(with(coop, base(true, limit(n), nil)), "a client more than the room holds", joiner("mia"), rule(room.RuleMaxClients), nil, withUser("add_client", user("mia")))
	add(with(coop, base(true, limit(n+1), nil)), "the last client that the room holds", joiner("mia"), ok(coop, coop.people, 1), nil, withUser("add_client", user("mia")))
	add(with(coop, base(true, nil, limit(users))), "a user more than the room holds", member("ada"), rule(room.RuleMaxUsers), nil, withRole("add_participant", fresh, 2))
	add(with(coop, base(true, nil, limit(users+1))), "the last user that the room holds", member("ada"), ok(coop, joined(coop, 2), 0), nil, withRole("add_participant", fresh, 2))

	// What can't be at all.
	no := func(kind string) want { return want{failure: kind} }
	add(coop, "added who is there", member("ada"), no("present"), d(17), withRole("add_participant", user("mia"), 2))
	add(coop, "added twice", member("ada"), no("changed-twice"), d(17), withRole("add_participant", fresh, 2), withRole("add_participant", fresh, 2))
	add(coop, "removed who is not there", member("ada"), no("no-such-index"), nil, withUser("remove_participant", fresh))
	add(admin, "roles that participants miss", member("sue"), no("incoherent"), d(30), withUpdate(0x25, rolesObject(admin.roles[:3]).bytes()))
	add(coop, "metadata cut short", member("sue"), no("truncated"), nil, withUpdate(0x23, octets{0}))
	id := uint16(0x22)
	add(coop, "the participant list is removed", member("sue"), no("component"), d(29), change{Kind: "remove_component", Component: &id})
	return cases
}
