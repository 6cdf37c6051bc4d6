package room

import (
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// Authorize says whether an actor may make changes, all of them at once, and returns
// the State that follows. It is [AuthorizeCommit] for the proposals of one sender,
// without a committer.
func Authorize(s *State, actor *Actor, changes ...Change) (*State, error) {
	list := make([]Proposal, len(changes))
	for i, c := range changes {
		list[i] = Proposal{actor, c}
	}
	return AuthorizeCommit(s, nil, list)
}

// AuthorizeCommit says whether the proposals of a Commit, in its order, may all be
// made, and returns the State that follows. Each is judged by the role that its own
// sender has before the Commit; numbers of participants and clients are judged by
// what they are after it. Components that are not a room's stay what they were in the
// State that follows, unless they are removed. An error is a [*Denial], if the room's policy does not
// allow it, or an [*UpdateError], if it cannot be done at all.
//
// The committer is nil if there is no Commit yet. A hub that has accepted proposals
// asks about those and new ones together, on the State of the epoch: that is what
// the next Commit will have to pass, and what indices into lists are of.
func AuthorizeCommit(s *State, committer *Actor, list []Proposal) (*State, error) {
	d := &decision{old: s, next: s.clone(), whole: whole{users: map[string]*user{}}}
	if committer != nil {
		if err := d.committer(committer); err != nil {
			return nil, err
		}
	}
	// What is taken off the list, or put on it, decides on clients too: so first the
	// list, then all else.
	for i := range list {
		if err := d.takeList(i, &list[i]); err != nil {
			return nil, err
		}
	}
	for i := range list {
		if err := d.take(i, &list[i]); err != nil {
			return nil, err
		}
	}
	if err := d.apply(); err != nil {
		return nil, err
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	return d.next, nil
}

// decision is the work on one Commit.
type decision struct {
	old, next *State
	list      []*ParticipantListUpdate
	updates   []componentUpdates
	removals  []message.ComponentID
	whole
}

// whole is what is known of a Commit when all its proposals were looked at.
type whole struct {
	users       map[string]*user // that it touches
	listAdds    bool             // participants are added, or their roles change
	listRemoves bool
	roles       bool // the roles_list changes
	preauth     bool // the preauth_list changes
	coherence   bool // a component changes that others refer to
}

// user is what a Commit does to one user.
type user struct {
	role    uint32 // before; RoleNone if not listed
	clients uint32 // before
	listed  bool   // before

	removed    bool   // from the list
	banned     bool   // by one who may remove the clients with it
	addedBy    *Actor // to the list
	changed    bool   // in role, or added: to newRole
	newRole    uint32
	added      uint32
	dropped    uint32
	lastClient int // the proposal that removed the last client so far
}

// componentUpdates are the updates of one component.
type componentUpdates struct {
	id   message.ComponentID
	list [][]byte
}

func (d *decision) user(name string) *user {
	u := d.users[name]
	if u == nil {
		u = &user{}
		u.role, u.clients, u.listed = d.old.roster.standing(name)
		u.newRole = u.role
		d.users[name] = u
	}
	return u
}

// request is one proposal with what is known of its sender.
type request struct {
	d     *decision
	at    int
	actor *Actor
	role  uint32
	what  *Role // nil if the role is not defined
}

// request finds the sender's role: that of the participant list; for those from
// outside who are not in it that of the first preauthorization they match; else role 0
// (room-policy-04, Preauthorized Users and Role Capabilities).
func (d *decision) request(at int, actor *Actor) *request {
	r := &request{d: d, at: at, actor: actor}
	role, _, listed := d.old.roster.standing(actor.User)
	if !listed && actor.Origin != FromMember {
		role = d.old.Preauth().Role(actor.Claims)
	}
	r.role, r.what = role, d.old.Roles().Role(role)
	return r
}

// deny makes a Denial of what the sender wants.
func (r *request) deny(rule Rule, user string) *Denial {
	return &Denial{Rule: rule, Section: sections[rule], Proposal: r.at, Actor: r.actor.User, Role: r.role, User: user}
}

// lacks makes the Denial for want of a capability.
func (r *request) lacks(c Capability, user string) *Denial {
	d := r.deny(RuleCapability, user)
	d.Capability, d.Section = c, c.Section()
	return d
}

func (r *request) can(c Capability) bool { return r.what != nil && r.what.Can(c) }

// need wants a capability.
func (r *request) need(c Capability, user string) error {
	if !r.can(c) {
		return r.lacks(c, user)
	}
	return nil
}

// move wants a capability and an entry of authorized_role_changes.
func (r *request) move(c Capability, user string, from, to uint32) error {
	if !r.can(c) {
		return r.lacks(c, user)
	}
	if !r.what.CanChange(from, to) {
		d := r.deny(RuleTransition, user)
		d.From, d.To = from, to
		return d
	}
	return nil
}

// standing wants the sender to be one who may propose: from outside if the room
// allows it, else with a client in the group. Who was removed or banned may do no
// more than remove its own clients.
func (r *request) standing(c Change) error {
	p := r.d.old.Operational()
	switch r.actor.Origin {
	case FromNewMemberCommit:
		if p != nil && !p.ExternalCommitAllowed {
			return r.deny(RuleExternal, "")
		}
		return nil
	case FromExternalSender, FromNewMemberProposal:
		if p != nil && !p.ExternalProposalAllowed {
			return r.deny(RuleExternal, "")
		}
		return nil
	}
	role, clients, listed := r.d.old.roster.standing(r.actor.User)
	if !listed || role == RoleBanned && r.d.old.Roles().CanBan() {
		if rm, ok := c.(RemoveClient); ok && rm.User == r.actor.User {
			return nil
		}
		return r.deny(RuleRestricted, "")
	}
	if clients == 0 {
		return r.deny(RuleNotMember, "")
	}
	return nil
}

// committer wants a Commit to come from a client in the group whose user may still
// do so, or from one that joins by it (mimi-protocol-06, Update Room State).
func (d *decision) committer(actor *Actor) error {
	r := d.request(-1, actor)
	if actor.Origin != FromMember && actor.Origin != FromNewMemberCommit {
		return r.deny(RuleNotMember, "")
	}
	return r.standing(nil)
}

// takeList takes what a proposal does to the participant list.
func (d *decision) takeList(at int, p *Proposal) error {
	r := d.request(at, p.Actor)
	var u *ParticipantListUpdate
	var err error
	switch c := p.Change.(type) {
	case AddParticipant:
		u, err = d.old.ListUpdate(nil, nil, []UserRolePair{{c.User, c.Role}})
	case RemoveParticipant:
		u, err = d.old.ListUpdate(nil, []string{c.User}, nil)
	case ChangeRole:
		u, err = d.old.ListUpdate([]UserRolePair{{c.User, c.Role}}, nil, nil)
	case UpdateComponent:
		if d.old.points.part(c.Component) != partParticipants {
			return nil
		}
		var list []*ParticipantListUpdate
		if list, err = readUpdates[ParticipantListUpdate]([][]byte{c.Update}); err == nil {
			u = list[0]
		} else {
			err = d.old.points.fail(c.Component, err)
		}
	default:
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.standing(p.Change); err != nil {
		return err
	}
	d.list = append(d.list, u)
	return d.entries(r, u)
}

// entries authorizes each change of an update of the participant list separately
// (mimi-protocol-06, Participant List).
func (d *decision) entries(r *request, u *ParticipantListUpdate) error {
	// Whether the update can be made at all is for roster.apply to say; indices that
	// point nowhere are left to it.
	list := d.old.roster.list
	for _, c := range u.Changed {
		if int64(c.Index) >= int64(len(list)) {
			continue
		}
		d.listAdds = true
		if err := r.changeRole(list[c.Index].User, c.Role); err != nil {
			return err
		}
	}
	for _, place := range u.Removed {
		if int64(place) >= int64(len(list)) {
			continue
		}
		d.listRemoves = true
		if err := r.removeParticipant(list[place].User); err != nil {
			return err
		}
	}
	for _, p := range u.Added {
		d.listAdds = true
		if err := r.addParticipant(p.User, p.Role); err != nil {
			return err
		}
	}
	return nil
}

// take takes what a proposal does besides.
func (d *decision) take(at int, p *Proposal) error {
	r := d.request(at, p.Actor)
	switch c := p.Change.(type) {
	case AddParticipant, RemoveParticipant, ChangeRole:
		return nil // taken
	case UpdateComponent:
		if d.old.points.part(c.Component) == partParticipants {
			return nil // taken
		}
	}
	switch p.Change.(type) {
	case ReportAbuse: // to the hub, by participants without clients too
		return r.need(CanReportAbuse, "")
	case DestroyRoom:
		return r.need(CanDestroyRoom, "")
	}
	if err := r.standing(p.Change); err != nil {
		return err
	}
	switch c := p.Change.(type) {
	case AddClient:
		return r.addClient(c.User)
	case RemoveClient:
		return r.removeClient(c.User)
	case UpdateClient:
		if c.User != r.actor.User {
			return r.deny(RuleOwnUser, c.User)
		}
		return nil
	case UpdateComponent:
		return r.updateComponent(c.Component, c.Update)
	case RemoveComponent:
		return r.removeComponent(c.Component)
	case ChangeExtensions:
		return r.changeExtensions(c.Dictionary)
	case ReInit:
		return r.need(CanSendMLSReinitProposal, "")
	case SendMessage:
		if r.actor.Origin != FromMember {
			return r.deny(RuleNotMember, "")
		}
		return r.need(CanSendMessage, "")
	}
	panic("room: a Change of another package")
}

// apply makes the next State.
func (d *decision) apply() error {
	for _, u := range d.updates {
		if err := d.next.apply(u.id, u.list); err != nil {
			return d.old.points.fail(u.id, err)
		}
	}
	for _, id := range d.removals {
		if slices.ContainsFunc(d.updates, func(u componentUpdates) bool { return u.id == id }) {
			return d.old.points.fail(id, invalidWith(ErrUpdates, "removed and updated"))
		}
		if err := d.next.remove(id); err != nil {
			return d.old.points.fail(id, err)
		}
	}
	if len(d.list) > 0 {
		if err := d.next.applyList(d.list); err != nil {
			return d.old.points.fail(d.old.points.ParticipantList, err)
		}
	}
	return d.applyUsers()
}

// applyUsers counts clients and roles anew where they change.
func (d *decision) applyUsers() error {
	if len(d.users) == 0 {
		return nil
	}
	s := d.next
	clients, own := s.roster.clients, false // made a copy at the first change
	s.tallies = slices.Clone(s.tallies)
	for _, name := range sortedKeys(d.users) {
		u := d.users[name]
		if u.dropped > u.clients {
			return d.noClient(u, name)
		}
		after := u.clients - u.dropped + u.added
		place, listed := s.roster.find(name)
		if !listed {
			if after > 0 {
				return d.stray(u, name)
			}
		} else if after != clients[place] {
			if !own {
				clients, own = slices.Clone(clients), true
			}
			clients[place] = after
		}
		s.clients += after - u.clients
		if u.listed {
			s.count(u.role, u.clients, -1)
		}
		if listed {
			s.count(s.roster.list[place].Role, after, 1)
		}
	}
	if own {
		s.roster = &roster{list: s.roster.list, clients: clients, index: s.roster.index}
	}
	return nil
}

func (d *decision) noClient(u *user, name string) error {
	return &Denial{Rule: RuleNoClient, Section: sections[RuleNoClient], Proposal: u.lastClient, User: name, Limit: u.clients, Count: u.dropped}
}

// stray denies a client whose user is no participant: not any more, or not yet.
func (d *decision) stray(u *user, name string) error {
	rule := RuleParticipantFirst
	if u.removed {
		rule = RuleClientsRemain
	}
	return &Denial{Rule: rule, Section: sections[rule], Proposal: -1, User: name}
}

func sortedKeys(users map[string]*user) []string {
	names := make([]string, 0, len(users))
	for name := range users {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
