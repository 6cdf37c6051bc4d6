package room

// check looks at the Commit as a whole.
func (d *decision) check() error {
	if d.roles && (d.listAdds || d.listRemoves) {
		return wholeDenial(RuleRolesAlone)
	}
	if d.preauth && d.listAdds {
		return wholeDenial(RulePreauthAlone)
	}
	if d.coherence {
		if err := d.next.coherent(); err != nil {
			return err
		}
	}
	if len(d.users) == 0 {
		return nil
	}
	if err := d.checkBase(); err != nil {
		return err
	}
	if err := d.checkBanned(); err != nil {
		return err
	}
	return d.checkLimits()
}

func wholeDenial(rule Rule) *Denial {
	return &Denial{Rule: rule, Section: sections[rule], Proposal: -1}
}

// checkBanned sees to it that one who is banned keeps no client.
func (d *decision) checkBanned() error {
	for _, name := range sortedKeys(d.users) {
		u := d.users[name]
		if after := u.clients - u.dropped + u.added; after > 0 && u.newRole == RoleBanned && d.next.Roles().CanBan() && (u.changed || u.added > 0) {
			den := wholeDenial(RuleClientsRemain)
			den.User, den.To, den.Count = name, RoleBanned, after
			return den
		}
	}
	return nil
}

// checkBase is the numbers of the base_room_policy. They are asked for if they grow,
// so that a room above a limit that came later can shrink.
func (d *decision) checkBase() error {
	b := d.next.Base()
	if b == nil {
		return nil
	}
	if !b.MultiDevice {
		for _, name := range sortedKeys(d.users) {
			u := d.users[name]
			if after := u.clients - u.dropped + u.added; after > 1 && after > u.clients {
				den := wholeDenial(RuleMultiDevice)
				den.User, den.Limit, den.Count = name, 1, after
				return den
			}
		}
	}
	if b.MaxClients != nil && d.next.clients > d.old.clients && d.next.clients > *b.MaxClients {
		den := wholeDenial(RuleMaxClients)
		den.Limit, den.Count = *b.MaxClients, d.next.clients
		return den
	}
	before, after := d.old.unbanned(), d.next.unbanned()
	if b.MaxUsers != nil && after > before && after > *b.MaxUsers {
		den := wholeDenial(RuleMaxUsers)
		den.Limit, den.Count = *b.MaxUsers, after
		return den
	}
	return nil
}

// unbanned is how many "non-banned entries" the participant list has.
func (s *State) unbanned() uint32 {
	n := uint32(len(s.roster.list))
	if s.Roles().CanBan() {
		n -= s.tally(RoleBanned).participants
	}
	return n
}

// checkLimits is the constraints of the roles: a minimum is asked for of a role that
// loses, a maximum of one that gains (room-policy-04, Role-Based Access Control).
func (d *decision) checkLimits() error {
	roles := d.old.Roles()
	for _, after := range d.next.tallies {
		role := roles.Role(after.role)
		if role == nil {
			continue
		}
		before := d.old.tally(after.role)
		if after == before {
			continue
		}
		if den := role.limits(before, after, false); den != nil {
			return den
		}
	}
	return nil
}
