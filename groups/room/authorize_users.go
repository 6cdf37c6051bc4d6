package room

import (
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// addParticipant is canAddParticipant, for others, and the three ways of adding
// oneself (room-policy-04, Adding).
func (r *request) addParticipant(name string, role uint32) error {
	d := r.d
	if b := d.old.Base(); b != nil {
		if b.FixedMembership {
			return r.deny(RuleFixedMembership, name)
		}
		if !b.PseudonymsAllowed && isPseudonym(name) {
			return r.deny(RulePseudonym, name)
		}
	}
	target := d.old.Roles().Role(role)
	if target == nil {
		den := r.deny(RuleUnknownRole, name)
		den.To = role
		return den
	}
	var err error
	if name == r.actor.User {
		err = r.addSelf(role, target)
	} else {
		err = r.addOther(name, role)
	}
	if err != nil {
		return err
	}
	u := d.user(name)
	u.addedBy, u.newRole, u.changed = r.actor, role, true
	return nil
}

// addOther adds another user. Who may ban may also put one on the list as banned
// who is not on it, if authorized_role_changes say so: the draft's policy_enforcer
// has an entry from 0 to 1 and canBan, and no canAddParticipant (deviation 19).
func (r *request) addOther(name string, role uint32) error {
	if role == RoleBanned && r.can(CanBan) && r.d.old.Roles().CanBan() {
		return r.move(CanBan, name, RoleNone, role)
	}
	return r.move(CanAddParticipant, name, RoleNone, role)
}

// addSelf lets one in who comes from outside. Role 0 says whether anybody may, or
// with a join code, and into which roles; the target role whether preauthorization
// is enough.
func (r *request) addSelf(role uint32, target *Role) error {
	if role == RoleBanned {
		return r.deny(RuleJoinBanned, r.actor.User)
	}
	zero := r.d.old.zero()
	if zero.Can(CanOpenJoin) && zero.CanChange(RoleNone, role) {
		return nil
	}
	matched := r.d.old.Preauth().Role(r.actor.Claims)
	if matched == role && target.Can(CanJoinIfPreauthorized) {
		return nil
	}
	if code := r.actor.JoinCode; code != nil {
		if !zero.Can(CanUseJoinCode) {
			return r.lacks(CanUseJoinCode, r.actor.User)
		}
		if (code.Role != RoleNone && code.Role != role) || !zero.CanChange(RoleNone, role) {
			den := r.deny(RuleTransition, r.actor.User)
			den.From, den.To = RoleNone, role
			return den
		}
		return nil
	}
	switch {
	case matched == role:
		return r.lacks(CanJoinIfPreauthorized, r.actor.User)
	case matched != RoleNone:
		den := r.deny(RulePreauthorized, r.actor.User)
		den.From, den.To = matched, role
		return den
	case zero.Can(CanOpenJoin):
		den := r.deny(RuleTransition, r.actor.User)
		den.From, den.To = RoleNone, role
		return den
	}
	return r.lacks(CanOpenJoin, r.actor.User)
}

// isPseudonym reports whether a user's URI is that of a pseudonym.
func isPseudonym(name string) bool {
	if !strings.HasPrefix(name, "mimi:") {
		return false
	}
	u, err := ident.ParseURI(name)
	return err == nil && u.Kind() == ident.KindPseudonym
}

// removeParticipant is canRemoveParticipant and, for oneself, canRemoveSelf
// (room-policy-04, Removing). That no client stays is checked at the end.
func (r *request) removeParticipant(name string) error {
	if b := r.d.old.Base(); b != nil && b.FixedMembership {
		return r.deny(RuleFixedMembership, name)
	}
	u := r.d.user(name)
	c := CanRemoveParticipant
	if name == r.actor.User {
		c = CanRemoveSelf
	}
	if err := r.move(c, name, u.role, RoleNone); err != nil {
		return err
	}
	u.removed = true
	return nil
}

// changeRole is canChangeUserRole, canBan and canUnban, and for oneself
// canChangeOwnRole (room-policy-04, Role Changes).
func (r *request) changeRole(name string, role uint32) error {
	u := r.d.user(name)
	if r.d.old.Roles().Role(role) == nil {
		den := r.deny(RuleUnknownRole, name)
		den.To = role
		return den
	}
	var err error
	switch {
	case name == r.actor.User:
		err = r.changeOwnRole(role)
	case role == RoleBanned:
		u.banned, err = r.ban(name, u.role)
	case u.role == RoleBanned:
		err = r.unban(name, role)
	default:
		err = r.move(CanChangeUserRole, name, u.role, role)
	}
	if err != nil {
		return err
	}
	u.newRole, u.changed = role, true
	return nil
}

// changeOwnRole looks at the preauthorizations and not at authorized_role_changes.
func (r *request) changeOwnRole(role uint32) error {
	if !r.can(CanChangeOwnRole) {
		return r.lacks(CanChangeOwnRole, r.actor.User)
	}
	if matched := r.d.old.Preauth().Role(r.actor.Claims); matched != role {
		den := r.deny(RulePreauthorized, r.actor.User)
		den.From, den.To = matched, role
		return den
	}
	return nil
}

// ban moves a user into role 1. canBan takes the clients with it; canChangeUserRole
// does as well for the role, and leaves the clients to canKick (deviation 20).
func (r *request) ban(name string, from uint32) (withClients bool, err error) {
	if r.can(CanBan) {
		if !r.d.old.Roles().CanBan() {
			return false, r.deny(RuleNoBanned, name)
		}
		return true, r.move(CanBan, name, from, RoleBanned)
	}
	if r.can(CanChangeUserRole) {
		return false, r.move(CanChangeUserRole, name, from, RoleBanned)
	}
	return false, r.lacks(CanBan, name)
}

// unban moves a user out of role 1. Clients come back by other capabilities.
func (r *request) unban(name string, to uint32) error {
	if r.can(CanUnBan) && r.d.old.Roles().CanBan() {
		return r.move(CanUnBan, name, RoleBanned, to)
	}
	if r.can(CanChangeUserRole) {
		return r.move(CanChangeUserRole, name, RoleBanned, to)
	}
	if r.can(CanUnBan) {
		return r.deny(RuleNoBanned, name)
	}
	return r.lacks(CanUnBan, name)
}

// addClient adds a client: one's own by canAddOwnClient, or with the entry in the
// participant list that one has made in the same Commit; another's by
// canAddParticipant, with or after the entry (room-policy-04, Adding; deviation 23).
func (r *request) addClient(name string) error {
	d, u := r.d, r.d.user(name)
	u.added++
	if u.addedBy != nil && u.addedBy.User == r.actor.User {
		return nil
	}
	if name == r.actor.User {
		if !u.listed {
			return r.deny(RuleParticipantFirst, name)
		}
		return r.need(CanAddOwnClient, name)
	}
	if !u.listed && u.addedBy == nil {
		return r.deny(RuleParticipantFirst, name)
	}
	if b := d.old.Base(); b != nil && b.FixedMembership && r.actor.Origin == FromMember {
		return nil // "clients of existing participants can be added"; whose, canAddParticipant cannot say there
	}
	return r.move(CanAddParticipant, name, RoleNone, u.newRole)
}

// removeClient removes a client: with its user, by whoever removes or bans it; one's
// own by canRemoveOwnClient, another's by canKick (room-policy-04, Removing). An
// external Commit may remove the client that it replaces (deviation 24).
func (r *request) removeClient(name string) error {
	u := r.d.user(name)
	if !u.listed && name == r.actor.User && r.actor.Origin == FromMember {
		return nil // of one who is off the list already
	}
	u.dropped++
	u.lastClient = r.at
	switch {
	case u.removed || u.banned:
		return nil
	case name != r.actor.User:
		return r.need(CanKick, name)
	case u.role == RoleBanned:
		return nil // all that is left to do
	case r.actor.Origin == FromNewMemberCommit:
		return r.need(CanAddOwnClient, name)
	}
	return r.need(CanRemoveOwnClient, name)
}

// zero returns role 0, empty if the room does not define it.
func (s *State) zero() *Role {
	if zero := s.Roles().Role(RoleNone); zero != nil {
		return zero
	}
	return &Role{}
}
