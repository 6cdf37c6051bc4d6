package dma

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// group is a group at the gatekeeper.
type group struct {
	addr    ident.Address
	subject string
	wish    groupWish
	created int64  // Unix seconds
	version uint64 // counts the changes of its members
	members map[ident.Address]*membership

	sorted []*membership // by address; nil after a change
	hash   string        // of the members; "" after a change
}

// groupWish is how a query that is repeated is known to be about a group that is there.
type groupWish struct {
	by  ident.Address
	key string
}

type membership struct {
	account *account
	admin   bool
	since   uint64 // the version that made it a member
}

// firstGroup is the number of the first group: 18 digits, as those of public clients.
const firstGroup = 120363_000000_000001

// groupsServer is whom queries about no group in particular are addressed to.
var groupsServer = ident.Address{Server: ident.Group}

// list returns the members by their addresses.
func (gr *group) list() []*membership {
	if gr.sorted == nil {
		gr.sorted = make([]*membership, 0, len(gr.members))
		for _, m := range gr.members {
			gr.sorted = append(gr.sorted, m)
		}
		slices.SortFunc(gr.sorted, func(a, b *membership) int { return compareAddresses(a.account.addr, b.account.addr) })
	}
	return gr.sorted
}

// phash returns the hash of the members.
func (gr *group) phash() string {
	if gr.hash == "" {
		list := make([]ident.Address, 0, len(gr.members))
		for a := range gr.members {
			list = append(list, a)
		}
		gr.hash = ParticipantHash(list)
	}
	return gr.hash
}

func (gr *group) info() *stanza.GroupInfo {
	return &stanza.GroupInfo{Group: gr.addr, Subject: gr.subject, Creation: gr.created, Creator: gr.wish.by, Version: gr.version}
}

// roster is the group with its members.
func (gr *group) roster() *stanza.GroupInfo {
	info := gr.info()
	for _, m := range gr.list() {
		info.Participants = append(info.Participants, stanza.Participant{Address: m.account.addr, Admin: m.admin, Since: m.since})
	}
	return info
}

// together reports whether two users are in one group.
func together(a, b *account) bool {
	if len(b.groups) < len(a.groups) {
		a, b = b, a
	}
	for addr := range a.groups {
		if b.groups[addr] != nil {
			return true
		}
	}
	return false
}

// groupQuery serves a query about groups.
func (g *Gatekeeper) groupQuery(now time.Time, a *account, q *stanza.IQ) (stanza.Payload, stanza.Code) {
	switch p := q.Payload.(type) {
	case *stanza.GroupCreate:
		return g.createGroup(now, a, p)
	case stanza.GroupsQuery:
		list := new(stanza.GroupList)
		for _, gr := range a.sortedGroups() {
			list.Groups = append(list.Groups, *gr.info())
		}
		return list, 0
	case *stanza.GroupLeave:
		if gr := a.groups[p.Group]; gr != nil { // else it was repeated
			g.removeMembers(now, gr, a.addr, []*account{a})
		}
		return nil, 0
	}
	gr := a.groups[q.To]
	if gr == nil {
		return nil, stanza.Forbidden // whether it exists is its members' business
	}
	if p, change := q.Payload.(*stanza.GroupChange); change {
		return g.changeGroup(now, a, gr, p)
	}
	return gr.roster(), 0
}

func (a *account) sortedGroups() []*group {
	list := make([]*group, 0, len(a.groups))
	for _, gr := range a.groups {
		list = append(list, gr)
	}
	slices.SortFunc(list, func(x, y *group) int { return compareAddresses(x.addr, y.addr) })
	return list
}

// createGroup makes a group of a user and those of the others who may be in it.
func (g *Gatekeeper) createGroup(now time.Time, a *account, p *stanza.GroupCreate) (stanza.Payload, stanza.Code) {
	switch {
	case len(p.Key) > MaxID || len(p.Subject) > MaxSubject:
		return nil, stanza.NotAcceptable
	case len(p.Participants)+1 > g.cfg.GroupLimit:
		return nil, stanza.ResourceLimit
	}
	gr := g.groupsMade[groupWish{a.addr, p.Key}]
	if gr != nil && gr.members[a.addr] == nil {
		return nil, stanza.Forbidden // made, and left since
	}
	var refused []stanza.Participant
	if gr == nil {
		if len(a.groups) >= maxGroups {
			return nil, stanza.ResourceLimit
		}
		gr = &group{
			addr:    ident.Address{User: strconv.FormatUint(g.nextGroup, 10), Server: ident.Group},
			subject: string([]byte(p.Subject)), wish: groupWish{a.addr, string([]byte(p.Key))}, created: now.Unix(),
			members: make(map[ident.Address]*membership),
		}
		g.nextGroup++
		g.groups[gr.addr], g.groupsMade[gr.wish] = gr, gr
		g.join(gr, a, true)
		var added []*membership
		added, refused = g.joinAll(gr, a, p.Participants)
		g.changed(gr)
		g.tellMembers(now, gr, a.addr, stanza.GroupAdd, added)
	}
	info := gr.roster()
	info.Key = gr.wish.key
	info.Participants = append(info.Participants, refused...)
	return info, 0
}

// changeGroup does what an admin wants. Who is a member already, or is none, is what was
// wanted: the query may be a repetition.
func (g *Gatekeeper) changeGroup(now time.Time, a *account, gr *group, p *stanza.GroupChange) (stanza.Payload, stanza.Code) {
	if !gr.members[a.addr].admin {
		return nil, stanza.Forbidden
	}
	if len(p.Participants) > g.cfg.GroupLimit {
		return nil, stanza.ResourceLimit
	}
	answer := &stanza.GroupChange{Action: p.Action}
	if p.Action == stanza.GroupRemove {
		var gone []*account
		for i := range p.Participants {
			addr := p.Participants[i].Address
			if m := gr.members[addr]; m != nil && !slices.Contains(gone, m.account) {
				gone = append(gone, m.account)
			}
			answer.Participants = append(answer.Participants, stanza.Participant{Address: addr})
		}
		g.removeMembers(now, gr, a.addr, gone)
		answer.Version = gr.version
		return answer, 0
	}
	fresh := make(map[ident.Address]bool)
	for i := range p.Participants {
		if addr := p.Participants[i].Address; gr.members[addr] == nil {
			fresh[addr] = true
		}
	}
	if len(gr.members)+len(fresh) > g.cfg.GroupLimit {
		return nil, stanza.ResourceLimit
	}
	added, refused := g.joinAll(gr, a, p.Participants)
	if len(added) > 0 {
		g.changed(gr)
		g.tellMembers(now, gr, a.addr, stanza.GroupAdd, added)
	}
	answer.Version = gr.version
	for i := range p.Participants {
		if addr := p.Participants[i].Address; gr.members[addr] != nil {
			answer.Participants = append(answer.Participants, stanza.Participant{Address: addr})
		}
	}
	answer.Participants = append(answer.Participants, refused...)
	return answer, 0
}

// joinAll adds those who may be added, and says why the others may not.
func (g *Gatekeeper) joinAll(gr *group, by *account, list []stanza.Participant) (added []*membership, refused []stanza.Participant) {
	for i := range list {
		addr := list[i].Address
		if gr.members[addr] != nil {
			continue
		}
		if why := g.mayJoin(gr, by, addr); why != 0 {
			refused = append(refused, stanza.Participant{Address: addr, Error: why})
			continue
		}
		added = append(added, g.join(gr, g.accounts[addr], false))
	}
	return added, refused
}

// mayJoin says whether a user may be added to a group by another one.
func (g *Gatekeeper) mayJoin(gr *group, by *account, addr ident.Address) stanza.Code {
	a := g.accounts[addr]
	switch {
	case a == nil || a.keys.static == nil: // whom nobody could send the group's keys to
		return stanza.ItemNotFound
	case a.partner() && !g.agreements[a.addr.Integrator]:
		return stanza.AgreementRevoked
	case a.blocked[by.addr] || by.blocked[a.addr]:
		return stanza.Blocked
	case len(a.groups) >= maxGroups:
		return stanza.ResourceLimit
	}
	for _, m := range gr.members {
		if why := g.mayMeet(a, m.account); why != 0 {
			return why
		}
	}
	return 0
}

// mayMeet says whether messages in a group pass between two of its members.
func (g *Gatekeeper) mayMeet(a, b *account) stanza.Code {
	switch {
	case a.partner() == b.partner():
		return 0
	case a.partner():
		return g.mayReach(b, a)
	}
	return g.mayReach(a, b)
}

// join makes a user a member as of the group's next version.
func (g *Gatekeeper) join(gr *group, a *account, admin bool) *membership {
	m := &membership{account: a, admin: admin, since: gr.version + 1}
	gr.members[a.addr] = m
	if a.groups == nil {
		a.groups = make(map[ident.Address]*group)
	}
	a.groups[gr.addr] = gr
	g.saveMember(gr, m)
	return m
}

// changed ends a change of a group's members.
func (g *Gatekeeper) changed(gr *group) {
	gr.version++
	gr.sorted, gr.hash = nil, ""
	g.saveGroup(gr)
}

// removeMembers removes members. What waits for them in the group is dropped: they get
// nothing further of it but the notice that they are out.
func (g *Gatekeeper) removeMembers(now time.Time, gr *group, by ident.Address, gone []*account) {
	if len(gone) == 0 {
		return
	}
	var out []*membership
	for _, a := range gone {
		out = append(out, gr.members[a.addr])
		delete(gr.members, a.addr)
		delete(a.groups, gr.addr)
		g.deleteMember(gr, a.addr)
		g.dropWhere(a, "no member of the group any more", func(e *entry) bool {
			return e.group == gr.addr && e.kind != notificationEntry
		})
	}
	if len(gr.members) == 0 {
		delete(g.groups, gr.addr)
		delete(g.groupsMade, gr.wish)
		g.deleteGroup(gr)
	} else {
		g.changed(gr)
	}
	named := out
	if g.promote(gr) {
		named = nil // the notice does not say who is an admin now
	}
	g.tellMembers(now, gr, by, stanza.GroupRemove, named)
	for _, m := range out {
		g.tellMember(now, gr, m.account, by, &stanza.GroupChange{Action: stanza.GroupRemove, Version: gr.version, Participants: []stanza.Participant{{Address: m.account.addr}}})
	}
}

// promote makes a member an admin if there is none, and reports whether it did.
func (g *Gatekeeper) promote(gr *group) bool {
	var oldest *membership
	for _, m := range gr.list() {
		if m.admin {
			return false
		}
		if oldest == nil || cmp.Less(m.since, oldest.since) {
			oldest = m
		}
	}
	if oldest == nil {
		return false
	}
	oldest.admin = true
	g.saveMember(gr, oldest)
	return true
}

// tellMembers tells the members what somebody did to some. A long list is left out: each
// client asks for the group then.
func (g *Gatekeeper) tellMembers(now time.Time, gr *group, by ident.Address, action stanza.GroupAction, whom []*membership) {
	change := &stanza.GroupChange{Action: action, Version: gr.version}
	if len(whom) <= maxNamed {
		for _, m := range whom {
			change.Participants = append(change.Participants, stanza.Participant{Address: m.account.addr, Admin: m.admin})
		}
	}
	for _, m := range gr.list() {
		g.tellMember(now, gr, m.account, by, change)
	}
}

func (g *Gatekeeper) tellMember(now time.Time, gr *group, to *account, by ident.Address, change *stanza.GroupChange) {
	n := &stanza.Notification{
		ID: "n" + strconv.FormatUint(g.nextSeq+1, 10), To: to.addr, From: gr.addr, Participant: by, Timestamp: now.Unix(), Event: change,
	}
	g.limitNotices(to, gr.addr) // a client that misses one asks for the group
	g.accept(now, to, &entry{kind: notificationEntry, from: gr.addr, group: gr.addr, id: n.ID, frame: encode(n)})
	g.deliver(now, to)
}

// leaveAll removes a user from all groups.
func (g *Gatekeeper) leaveAll(a *account) {
	for _, gr := range a.sortedGroups() {
		g.removeMembers(g.now, gr, a.addr, []*account{a})
	}
}

// expel removes those users from all groups that cond picks.
func (g *Gatekeeper) expel(cond func(ident.Address) bool) {
	groups := make([]*group, 0, len(g.groups))
	for _, gr := range g.groups {
		groups = append(groups, gr)
	}
	slices.SortFunc(groups, func(a, b *group) int { return compareAddresses(a.addr, b.addr) })
	for _, gr := range groups {
		var gone []*account
		for _, m := range gr.list() {
			if cond(m.account.addr) {
				gone = append(gone, m.account)
			}
		}
		g.removeMembers(g.now, gr, gr.addr, gone)
	}
}
