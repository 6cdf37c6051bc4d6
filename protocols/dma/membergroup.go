package dma

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// memberGroup is a group at the device of a member. The gatekeeper says who is in it, and
// the end-to-end client follows.
type memberGroup struct {
	Group
	id   protocols.GroupID
	hash string
	// excluded are members whose keys are of no use. Messages are sealed without them,
	// rather than not at all. It is forgotten when the members change or the device
	// restarts, and their keys are asked for once more.
	excluded map[ident.Address]bool
}

func (gr *memberGroup) has(a ident.Address) bool {
	return slices.ContainsFunc(gr.Members, func(m GroupMember) bool { return m.Address == a })
}

// addresses returns the members.
func (gr *memberGroup) addresses() []ident.Address {
	out := make([]ident.Address, len(gr.Members))
	for i, m := range gr.Members {
		out[i] = m.Address
	}
	return out
}

// wish is what a query about groups asks for.
type wish string

const (
	wishRoster wish = "roster" // a group's members
	wishKeys   wish = "keys"   // the keys of some of them
	wishCreate wish = "create"
	wishChange wish = "change"
	wishLeave  wish = "leave"
	wishList   wish = "list" // which groups there are
)

// Groups returns the groups that the user is in, by address.
func (d *Device) Groups() []Group {
	out := make([]Group, 0, len(d.groups))
	for _, gr := range d.groups {
		g := gr.Group
		g.Members = slices.Clone(g.Members)
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b Group) int { return compareAddresses(a.Address, b.Address) })
	return out
}

// wishGroup asks the gatekeeper for what the user wants of a group.
func (d *Device) wishGroup(in Input) error {
	if d.hosted == nil {
		return errors.New("dma: group: the end-to-end protocol has no groups that a server hosts")
	}
	switch in := in.(type) {
	case CreateGroup:
		list, err := d.participants(in.Members, false)
		if err != nil {
			return fmt.Errorf("dma: create group: %w", err)
		}
		if len(in.Subject) > MaxSubject || !utf8.ValidString(in.Subject) || slices.ContainsFunc([]rune(in.Subject), unicode.IsControl) {
			return fmt.Errorf("dma: create group: subject of %d bytes, want at most %d in UTF-8 without control characters", len(in.Subject), MaxSubject)
		}
		d.output.ID = d.newID()
		d.askGroup(wishCreate, ident.Address{}, stanza.Set, &stanza.GroupCreate{Subject: in.Subject, Key: d.output.ID, Participants: list})
	case AddMembers:
		return d.wishChange(in.Group, stanza.GroupAdd, in.Members, false)
	case RemoveMembers:
		return d.wishChange(in.Group, stanza.GroupRemove, in.Members, true)
	case LeaveGroup:
		if d.groups[in.Group] == nil {
			return fmt.Errorf("dma: leave group: %w: %v", errNotIn, in.Group)
		}
		d.askGroup(wishLeave, own(in.Group), stanza.Set, &stanza.GroupLeave{Group: in.Group})
	case FetchGroups:
		d.askGroup(wishList, ident.Address{}, stanza.Get, stanza.GroupsQuery{})
	}
	return nil
}

var errNotIn = errors.New("the user is in no such group")

func (d *Device) wishChange(group ident.Address, action stanza.GroupAction, members []ident.Address, self bool) error {
	if d.groups[group] == nil {
		return fmt.Errorf("dma: change group: %w: %v", errNotIn, group)
	}
	list, err := d.participants(members, self)
	if err == nil && len(list) == 0 {
		err = errors.New("nobody is named")
	}
	if err != nil {
		return fmt.Errorf("dma: change group %v: %w", group, err)
	}
	d.askGroup(wishChange, own(group), stanza.Set, &stanza.GroupChange{Action: action, Participants: list})
	return nil
}

// participants checks whom the user names.
func (d *Device) participants(list []ident.Address, self bool) ([]stanza.Participant, error) {
	if len(list) >= MaxGroupLimit {
		return nil, fmt.Errorf("%d users, want less than %d", len(list), MaxGroupLimit)
	}
	var out []stanza.Participant
	for _, a := range list {
		if err := a.Validate(); err != nil {
			return nil, err
		}
		if a.User == "" || a.Server == ident.Group || a == d.cfg.Address && !self {
			return nil, fmt.Errorf("%v is no other user", a)
		}
		out = append(out, stanza.Participant{Address: a})
	}
	return out, nil
}

// askGroup queues a query about a group, or about none in particular.
func (d *Device) askGroup(w wish, group ident.Address, typ stanza.IQType, payload stanza.Payload) *outgoing {
	q := &stanza.IQ{ID: "q" + strconv.FormatUint(d.nextSeq+1, 10), To: group, Type: typ, Payload: payload}
	if _, leave := payload.(*stanza.GroupLeave); leave || group.IsZero() {
		q.To = groupsServer
	}
	o := &outgoing{kind: outIQ, id: q.ID, group: group, groupState: groupState{wish: w}}
	switch p := payload.(type) {
	case *stanza.GroupCreate:
		o.ref = p.Key
	case *stanza.KeyFetch:
		q.To = ident.Address{}
		for _, a := range p.Users {
			o.users = append(o.users, d.peer(a))
		}
	}
	o.frame = encode(q)
	d.queue(o)
	return o
}

// askRoster asks who is in a group, unless that was asked and not answered yet.
func (d *Device) askRoster(group ident.Address) {
	if !d.asksRoster(group) {
		d.askGroup(wishRoster, own(group), stanza.Get, stanza.GroupQuery{})
	}
}

func (d *Device) asksRoster(group ident.Address) bool {
	return slices.ContainsFunc(d.out, func(o *outgoing) bool { return o.wish == wishRoster && o.group == group })
}

// groupResult ends a query about groups.
func (d *Device) groupResult(now time.Time, o *outgoing, q *stanza.IQ) error {
	var err error
	switch o.wish {
	case wishKeys:
		err = d.groupKeys(now, o, q)
	case wishRoster:
		err = d.rosterCame(o, q)
	case wishCreate:
		err = d.groupMade(o, q)
	case wishList:
		err = d.groupsListed(o, q)
	case wishLeave:
		if q.Error == nil {
			d.left(o.group)
		}
	}
	if err != nil {
		return err
	}
	if q.Error != nil && (o.wish == wishCreate || o.wish == wishChange || o.wish == wishLeave) {
		d.tell(Event{Kind: GroupRefused, ID: o.ref, Group: o.group, Reason: q.Error.Code.Sentence()})
	}
	if p, _ := q.Payload.(*stanza.GroupChange); p != nil && o.wish == wishChange && q.Error == nil {
		d.tellRefused(o, p.Participants) // who came and went is in a notification
	}
	d.remove(o)
	if o.wish == wishRoster {
		d.takeHeld(now, o.group)
	}
	return nil
}

// tellRefused tells of whom a wish was refused.
func (d *Device) tellRefused(o *outgoing, list []stanza.Participant) {
	for _, p := range list {
		if p.Error != 0 {
			d.tell(Event{Kind: GroupRefused, ID: o.ref, Group: o.group, Peer: own(p.Address), Reason: p.Error.Sentence()})
		}
	}
}

func (d *Device) rosterCame(o *outgoing, q *stanza.IQ) error {
	if q.Error != nil {
		if q.Error.Code == stanza.Forbidden || q.Error.Code == stanza.ItemNotFound {
			d.left(o.group)
		}
		return nil
	}
	info, _ := q.Payload.(*stanza.GroupInfo)
	if info == nil || info.Group != o.group {
		return fmt.Errorf("dma: iq %s: %w: a result without the group asked for", q.ID, protocols.ErrMalformed)
	}
	return d.learn(info)
}

func (d *Device) groupMade(o *outgoing, q *stanza.IQ) error {
	if q.Error != nil {
		return nil
	}
	info, _ := q.Payload.(*stanza.GroupInfo)
	if info == nil || info.Group.User == "" || info.Group.Server != ident.Group {
		return fmt.Errorf("dma: iq %s: %w: a result without the group that was made", q.ID, protocols.ErrMalformed)
	}
	if err := d.learn(info); err != nil {
		return err
	}
	o.group = own(info.Group)
	d.tell(Event{Kind: GroupCreated, ID: o.ref, Group: o.group})
	d.tellRefused(o, info.Participants)
	return nil
}

// groupsListed asks for the groups that are new or have changed, and forgets others.
func (d *Device) groupsListed(o *outgoing, q *stanza.IQ) error {
	if q.Error != nil {
		return nil
	}
	list, _ := q.Payload.(*stanza.GroupList)
	if list == nil || len(list.Groups) > maxGroups {
		return fmt.Errorf("dma: iq %s: %w: a result without a list of at most %d groups", q.ID, protocols.ErrMalformed, maxGroups)
	}
	in := make(map[ident.Address]bool)
	for i := range list.Groups {
		info := &list.Groups[i]
		in[info.Group] = true
		if gr := d.groups[info.Group]; gr == nil || gr.Version < info.Version {
			d.askRoster(info.Group)
		}
	}
	for _, gr := range d.Groups() {
		if !in[gr.Address] {
			d.left(gr.Address)
		}
	}
	return nil
}

// learn takes a group as the gatekeeper describes it.
func (d *Device) learn(info *stanza.GroupInfo) error {
	if d.hosted == nil {
		return nil
	}
	var members []GroupMember
	seen := make(map[ident.Address]bool)
	for _, p := range info.Participants {
		if p.Error != 0 {
			continue
		}
		a := p.Address
		if len(members) == MaxGroupLimit || seen[a] || a.User == "" || a.Server == ident.Group {
			return fmt.Errorf("dma: group %v: %w: participant %v, want at most %d different users", info.Group, protocols.ErrMalformed, a, MaxGroupLimit)
		}
		seen[a] = true
		members = append(members, GroupMember{own(a), p.Admin, p.Since})
	}
	gr := d.groups[info.Group]
	switch {
	case !seen[d.cfg.Address]:
		if gr == nil || info.Version > gr.Version {
			d.left(info.Group)
		}
		return nil
	case gr == nil && info.Version <= d.leftAt[info.Group]:
		return nil // an answer from before the user was out
	case gr == nil:
		gr = &memberGroup{Group: Group{Address: own(info.Group)}, id: protocols.GroupID(info.Group.String())}
		if len(d.groups) >= maxGroups {
			return fmt.Errorf("dma: group %v: %w: more than %d groups", info.Group, protocols.ErrMalformed, maxGroups)
		}
		if d.groups == nil {
			d.groups = make(map[ident.Address]*memberGroup)
		}
		d.groups[gr.Address] = gr
	case info.Version <= gr.Version:
		return nil // an answer that was overtaken
	}
	gr.Subject = string([]byte(info.Subject))
	d.setMembers(gr, info.Version, members, ident.Address{})
	return nil
}

// groupChanged takes a notice of what somebody did to the members of a group.
func (d *Device) groupChanged(n *stanza.Notification, e *stanza.GroupChange) {
	gr := d.groups[n.From]
	switch {
	case d.hosted == nil || n.From.User == "" || n.From.Server != ident.Group:
		return
	case gr == nil && e.Action == stanza.GroupRemove:
		return // of which the device knows that its user is out, or never was in
	case gr == nil || e.Version > gr.Version+1 || e.Version == gr.Version+1 && len(e.Participants) == 0:
		d.askGroup(wishRoster, own(n.From), stanza.Get, stanza.GroupQuery{})
		return
	case e.Version <= gr.Version:
		return // learnt otherwise
	}
	members := slices.Clone(gr.Members)
	for _, p := range e.Participants {
		members = slices.DeleteFunc(members, func(m GroupMember) bool { return m.Address == p.Address })
		if e.Action == stanza.GroupAdd && p.Address.User != "" && p.Address.Server != ident.Group {
			members = append(members, GroupMember{own(p.Address), p.Admin, e.Version})
		}
	}
	switch {
	case len(members) > MaxGroupLimit:
		return // of no gatekeeper that keeps to the bounds
	case !slices.ContainsFunc(members, func(m GroupMember) bool { return m.Address == d.cfg.Address }):
		d.left(gr.Address)
		d.leftAt[gr.Address] = e.Version
	default:
		d.setMembers(gr, e.Version, members, own(n.Participant))
	}
}

// setMembers has a group have these members.
func (d *Device) setMembers(gr *memberGroup, version uint64, members []GroupMember, by ident.Address) {
	slices.SortFunc(members, func(a, b GroupMember) int { return compareAddresses(a.Address, b.Address) })
	known := gr.Version
	if i := slices.IndexFunc(members, func(m GroupMember) bool { return m.Address == d.cfg.Address }); len(gr.Members) > 0 && members[i].Since > known {
		d.left(gr.Address) // and came back, as one who was never in it
		gr.Members = nil
		d.groups[gr.Address] = gr
	}
	// Who was away in between is out first, for the keys to be changed.
	gr.Members = slices.DeleteFunc(slices.Clone(members), func(m GroupMember) bool {
		return m.Since > known && m.Address != d.cfg.Address && gr.has(m.Address)
	})
	gr.excluded = nil
	if len(gr.Members) < len(members) {
		d.tellClient(gr)
	}
	gr.Members, gr.Version = members, version
	gr.hash = ParticipantHash(gr.addresses())
	d.tellClient(gr)
	for _, o := range d.ofGroup(gr.Address) {
		if d.sent[o.id] == o {
			d.release(o)
		}
	}
	d.dropRetries(gr)
	d.saveGroup(gr)
	d.tell(Event{Kind: GroupChanged, Group: gr.Address, Peer: by})
}

// tellClient has the end-to-end client know the members.
func (d *Device) tellClient(gr *memberGroup) {
	names := make([]protocols.Address, 0, len(gr.Members))
	for _, m := range gr.Members {
		if !gr.excluded[m.Address] {
			names = append(names, protocols.Address(m.Address.String()))
		}
	}
	if err := d.hosted.SetMembers(gr.id, names); err != nil {
		panic("dma: client does not take the members of a group: " + err.Error())
	}
}

// left forgets a group that the user is in no more.
func (d *Device) left(group ident.Address) {
	gr := d.groups[group]
	if gr == nil {
		return
	}
	delete(d.groups, group)
	if d.leftAt == nil {
		d.leftAt = make(map[ident.Address]uint64)
	}
	if len(d.leftAt) >= maxGroups {
		clear(d.leftAt) // of many, no old answer is still under way
	}
	d.leftAt[gr.Address] = gr.Version
	if err := d.hosted.SetMembers(gr.id, nil); err != nil {
		panic("dma: client does not forget a group: " + err.Error())
	}
	d.deleteGroup(gr)
	for _, o := range d.ofGroup(gr.Address) {
		switch {
		case d.sent[o.id] == o:
			d.forget(o)
		case o.frame != nil: // the gatekeeper answers
		case o.kind == outGroup:
			d.remove(o)
			d.tell(Event{Kind: MessageRefused, ID: o.id, Group: gr.Address, Reason: stanza.Forbidden.Sentence()})
		default:
			d.remove(o)
		}
	}
	d.tell(Event{Kind: GroupLeft, Group: gr.Address})
}

// dropRetries drops what members asked for again to whom it is not due any more.
func (d *Device) dropRetries(gr *memberGroup) {
	for _, o := range d.ofGroup(gr.Address) {
		if o.kind == outMessage && o.frame == nil && d.groupUnsettled(o.id, o.group, o.peer.addr) == nil {
			d.remove(o)
		}
	}
}

// release ends the wait for receipts that are not due, of a message that was accepted: of
// who is no member any more, or has been away since, and of all if that is the user.
func (d *Device) release(o *outgoing) {
	gr := d.groups[o.group]
	due := func(a ident.Address) bool {
		i := slices.IndexFunc(gr.Members, func(m GroupMember) bool { return m.Address == a })
		return i >= 0 && gr.Members[i].Since <= o.version
	}
	for _, a := range sortedAddresses(o.waiting) {
		if gr == nil || !due(a) || !due(d.cfg.Address) {
			d.got(o, a)
		}
	}
}

// ofGroup returns the messages of a group that wait for something, in order.
func (d *Device) ofGroup(group ident.Address) []*outgoing {
	var out []*outgoing
	for _, o := range d.out {
		if o.group == group && (o.kind == outGroup || o.kind == outMessage) {
			out = append(out, o)
		}
	}
	for _, o := range d.sent {
		if o.group == group {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b *outgoing) int { return int(int64(a.seq) - int64(b.seq)) })
	return out
}
