package room

import (
	"fmt"
	"iter"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// State is a room at one epoch: the components of its GroupContext and who of the
// participants has how many clients in the group. A State does not change; what
// changes it returns another, which shares with it what stayed.
type State struct {
	points  *Points
	dict    message.AppDataDictionary // of all components, byte by byte
	parts   [parts]value              // what this package reads; nil: absent. partParticipants is in roster.
	roster  *roster
	tallies []tally // ascending by role
	clients uint32  // of all
}

// tally counts the participants of a role.
type tally struct{ role, participants, active uint32 }

// Decode makes a State of the app_data_dictionary of a GroupContext and the users
// that the leaves of the ratchet tree belong to, one for each leaf. It refuses a
// client whose user is no participant ([ErrStray]). A nil points is
// [DefaultPoints]. The State keeps the dictionary and reads it no more.
func Decode(points *Points, dict message.AppDataDictionary, users iter.Seq[string]) (*State, error) {
	s := &State{points: points.orDefault(), dict: dict, roster: new(roster)}
	for _, c := range dict {
		if err := s.decode(c.Component, c.Data); err != nil {
			return nil, s.points.fail(c.Component, err)
		}
	}
	if users != nil {
		for user := range users {
			place, ok := s.roster.find(user)
			if !ok {
				return nil, s.points.fail(s.points.ParticipantList, invalidWith(ErrStray, "%.80q", user))
			}
			s.roster.clients[place]++
			s.clients++
		}
	}
	for place := range s.roster.list {
		s.count(s.roster.list[place].Role, s.roster.clients[place], 1)
	}
	return s, nil
}

// decode reads a component's data into s. What is not of a room is left alone.
func (s *State) decode(id message.ComponentID, data []byte) error {
	which := s.points.part(id)
	if which == partNone {
		return nil
	}
	if which == partParticipants {
		r, err := readRoster(data)
		if err == nil {
			s.roster = r
		}
		return err
	}
	v := newPart(which)
	if err := wire.Unmarshal(data, v); err != nil {
		return err
	}
	s.parts[which] = v
	return nil
}

// count adds n participants of a role, with clients each, to the tallies, which are
// s's own.
func (s *State) count(role, clients uint32, n int32) {
	at, ok := slices.BinarySearchFunc(s.tallies, role, func(t tally, role uint32) int { return int(int64(t.role) - int64(role)) })
	if !ok {
		s.tallies = slices.Insert(s.tallies, at, tally{role: role})
	}
	s.tallies[at].participants += uint32(n)
	if clients > 0 {
		s.tallies[at].active += uint32(n)
	}
}

// Counts returns how many participants have a role, and how many of them have a
// client in the group.
func (s *State) Counts(role uint32) (participants, active int) {
	t := s.tally(role)
	return int(t.participants), int(t.active)
}

func (s *State) tally(role uint32) tally {
	for _, t := range s.tallies {
		if t.role == role {
			return t
		}
	}
	return tally{role: role}
}

// Points returns the component IDs that the room is run with.
func (s *State) Points() *Points { return s.points }

// Dictionary returns the components as the GroupContext has them. It is not
// modified.
func (s *State) Dictionary() message.AppDataDictionary { return s.dict }

// Participants is how many users are in the participant list, banned ones among
// them, and Clients how many clients are in the group.
func (s *State) Participants() int { return len(s.roster.list) }

// Clients is how many clients are in the group.
func (s *State) Clients() int { return int(s.clients) }

// All returns the participants in the order of the list.
func (s *State) All() iter.Seq[Participant] {
	return func(yield func(Participant) bool) {
		for i, p := range s.roster.list {
			if !yield(Participant{User: p.User, Role: p.Role, Index: uint32(i), Clients: int(s.roster.clients[i])}) {
				return
			}
		}
	}
}

// Participant is an entry of the participant list, with what is known of the user.
type Participant struct {
	User    string
	Role    uint32
	Index   uint32 // in the participant list
	Clients int    // in the group; 0: not an active participant
}

// Find returns a user's entry in the participant list.
func (s *State) Find(user string) (Participant, bool) {
	place, ok := s.roster.find(user)
	if !ok {
		return Participant{}, false
	}
	p := s.roster.list[place]
	return Participant{User: p.User, Role: p.Role, Index: place, Clients: int(s.roster.clients[place])}, true
}

// get returns a part that was read, nil if the room has none.
func get[T any](s *State, which part) *T {
	v, _ := any(s.parts[which]).(*T)
	return v
}

// Metadata returns the room_metadata; nil, as for all that follow, if the room has
// none. None of them is modified.
func (s *State) Metadata() *RoomMetaData { return get[RoomMetaData](s, partMetadata) }

// Operational returns the mls_operational_policy.
func (s *State) Operational() *OperationalParameters {
	return get[OperationalParameters](s, partOperational)
}

// Roles returns the roles_list.
func (s *State) Roles() *RoleData { return get[RoleData](s, partRoles) }

// Preauth returns the preauth_list.
func (s *State) Preauth() *PreAuthData { return get[PreAuthData](s, partPreauth) }

// Base returns the base_room_policy.
func (s *State) Base() *BaseRoomPolicy { return get[BaseRoomPolicy](s, partBase) }

// StatusNotification returns the status_notification_policy.
func (s *State) StatusNotification() *StatusNotificationPolicy {
	return get[StatusNotificationPolicy](s, partStatus)
}

// JoinLinkPolicy returns the join_link_policy.
func (s *State) JoinLinkPolicy() *JoinLinkPolicy { return get[JoinLinkPolicy](s, partJoinLinkPolicy) }

// JoinLinks returns the join_links.
func (s *State) JoinLinks() *JoinLinksData { return get[JoinLinksData](s, partJoinLinks) }

// LinkPreview returns the link_preview_policy.
func (s *State) LinkPreview() *LinkPreviewPolicy { return get[LinkPreviewPolicy](s, partLinkPreview) }

// Asset returns the asset_policy.
func (s *State) Asset() *AssetPolicy { return get[AssetPolicy](s, partAsset) }

// Logging returns the logging_policy.
func (s *State) Logging() *LoggingPolicy { return get[LoggingPolicy](s, partLogging) }

// ChatHistory returns the chat_history_policy.
func (s *State) ChatHistory() *HistoryPolicy { return get[HistoryPolicy](s, partHistory) }

// Bots returns the bot_policy.
func (s *State) Bots() *BotPolicy { return get[BotPolicy](s, partBot) }

// MessageExpiration returns the message_expiration_policy.
func (s *State) MessageExpiration() *MessageExpiration {
	return get[MessageExpiration](s, partExpiration)
}

// Role returns the role of a user: that of its entry in the participant list, or
// role 0, which is nil if the room defines none.
func (s *State) Role(user string) *Role {
	role, _, _ := s.roster.standing(user)
	return s.Roles().Role(role)
}

// Can reports whether a user's role has a capability. That is all there is to ask of
// most capabilities; those that change the room have conditions, see [Authorize].
func (s *State) Can(user string, c Capability) bool {
	role := s.Role(user)
	return role != nil && role.Can(c)
}

// Apply returns the State after a Commit that updates one component, as [Points.Merge]
// does. Participants who leave the list take their clients with them. It does not
// ask who does it; errors are an [*UpdateError].
func (s *State) Apply(id message.ComponentID, updates ...[]byte) (*State, error) {
	next := s.clone()
	if err := next.apply(id, updates); err != nil {
		return nil, s.points.fail(id, err)
	}
	if s.points.part(id) == partParticipants {
		next.recount()
	}
	return next, nil
}

// clone returns a State whose dictionary and roster are still those of s.
func (s *State) clone() *State {
	next := *s
	return &next
}

// apply updates a component of s, which is new. Tallies are left to the caller.
func (s *State) apply(id message.ComponentID, updates [][]byte) error {
	which := s.points.part(id)
	if which == partParticipants && len(updates) > 0 {
		list, err := readUpdates[ParticipantListUpdate](updates)
		if err != nil {
			return err
		}
		return s.applyList(list)
	}
	old, _ := s.dict.Find(id)
	data, err := s.points.merge(which, old, updates)
	if err != nil {
		return err
	}
	s.dict = s.dict.With(id, data)
	return s.decode(id, data)
}

func (s *State) applyList(updates []*ParticipantListUpdate) error {
	r, err := s.roster.apply(updates)
	if err != nil {
		return err
	}
	data, err := r.encode()
	if err != nil {
		return err
	}
	s.dict, s.roster = s.dict.With(s.points.ParticipantList, data), r
	return nil
}

// recount makes the tallies of s, which is new, from nothing.
func (s *State) recount() {
	s.tallies, s.clients = nil, 0
	for place := range s.roster.list {
		clients := s.roster.clients[place]
		s.clients += clients
		s.count(s.roster.list[place].Role, clients, 1)
	}
}

// Remove returns the State after a Commit that removes one component. The participant
// list, the metadata and the roles cannot be removed: a room is none without them.
func (s *State) Remove(id message.ComponentID) (*State, error) {
	next := s.clone()
	if err := next.remove(id); err != nil {
		return nil, s.points.fail(id, err)
	}
	return next, nil
}

func (s *State) remove(id message.ComponentID) error {
	if _, ok := s.dict.Find(id); !ok {
		return fmt.Errorf("no data to remove: %w", ErrComponent)
	}
	which := s.points.part(id)
	switch which {
	case partParticipants, partMetadata, partRoles:
		return fmt.Errorf("removed: %w", ErrComponent)
	}
	s.dict, s.parts[which] = s.dict.Without(id), nil
	return nil
}

// ListUpdate makes the ParticipantListUpdate that changes users by their names:
// those in change get the role there, those in add are appended.
func (s *State) ListUpdate(change []UserRolePair, remove []string, add []UserRolePair) (*ParticipantListUpdate, error) {
	u := &ParticipantListUpdate{Added: add}
	for _, p := range change {
		place, ok := s.roster.find(p.User)
		if !ok {
			return nil, s.points.fail(s.points.ParticipantList, invalidWith(ErrIndex, "no participant %.80q", p.User))
		}
		u.Changed = append(u.Changed, UserIndexRolePair{Index: place, Role: p.Role})
	}
	for _, user := range remove {
		place, ok := s.roster.find(user)
		if !ok {
			return nil, s.points.fail(s.points.ParticipantList, invalidWith(ErrIndex, "no participant %.80q", user))
		}
		u.Removed = append(u.Removed, place)
	}
	return u, nil
}

// Check reports what in the room contradicts itself: roles that participants,
// preauthorizations, bots or the sharing of history name and that are not defined,
// canAddParticipant in a room of fixed membership, more than one join link where they
// are made on request; and numbers of participants beyond the limits of their roles.
// A room is created only if it has none of them. In a room that exists, Authorize
// sees to it that no change brings the first kind, and asks for the limits only of
// the roles that it touches.
func (s *State) Check() error {
	if err := s.coherent(); err != nil {
		return err
	}
	if roles := s.Roles(); roles != nil {
		for i := range roles.Roles {
			o := &roles.Roles[i]
			if o.Index == RoleNone {
				continue // counts those who are not in the list
			}
			t := s.tally(o.Index)
			if den := o.limits(tally{}, t, true); den != nil {
				return den
			}
		}
	}
	return nil
}

// coherent checks what holds between components.
func (s *State) coherent() error {
	roles := s.Roles()
	ids := s.points.ids()
	fail := func(which part, format string, args ...any) error {
		return s.points.fail(ids[which], invalidWith(ErrIncoherent, format, args...))
	}
	defined := make(map[uint32]*Role)
	if roles != nil {
		for i := range roles.Roles {
			defined[roles.Roles[i].Index] = &roles.Roles[i]
		}
	}
	for _, t := range s.tallies {
		if t.participants > 0 && defined[t.role] == nil {
			return fail(partRoles, "%d participants have role %d, which is not defined", t.participants, t.role)
		}
	}
	if p := s.Preauth(); p != nil {
		for i, e := range p.Entries {
			if defined[e.Target.Index] == nil {
				return fail(partPreauth, "preauthorization %d is for role %d, which is not defined", i, e.Target.Index)
			}
		}
	}
	if b := s.Base(); b != nil && b.FixedMembership && roles != nil {
		for i := range roles.Roles {
			if o := &roles.Roles[i]; o.Index != RoleNone && o.Index != RoleBanned && o.Can(CanAddParticipant) {
				return fail(partBase, "role %d %.40q has canAddParticipant and membership is fixed", o.Index, o.Name)
			}
		}
	}
	if h := s.ChatHistory(); h != nil {
		for _, i := range h.Roles {
			if o := defined[i]; o == nil || o.MaxActive != nil && *o.MaxActive == 0 {
				return fail(partHistory, "role %d shares history and cannot be active", i)
			}
		}
	}
	if b := s.Bots(); b != nil {
		for _, bot := range b.Bots {
			if bot.Role != RoleNone && defined[bot.Role] == nil {
				return fail(partBot, "bot %.40q has role %d, which is not defined", bot.Name, bot.Role)
			}
		}
	}
	if p, l := s.JoinLinkPolicy(), s.JoinLinks(); p != nil && l != nil && p.OnRequest && len(l.Links) > 1 {
		return fail(partJoinLinks, "%d join links, want at most 1 of those made on request", len(l.Links))
	}
	return nil
}

// limits returns a Denial if the numbers that follow others break a constraint of the
// role: a minimum that is lost and a maximum that is gained, or, if all is set, one
// at all, but for the minimum of active ones, which a group of one member can't have
// (deviation 32).
func (o *Role) limits(before, after tally, all bool) *Denial {
	var rule Rule
	var limit, count uint32
	switch {
	case (all || after.participants < before.participants) && after.participants < o.Min:
		rule, limit, count = RuleMinParticipants, o.Min, after.participants
	case after.active < before.active && after.active < o.MinActive:
		rule, limit, count = RuleMinActive, o.MinActive, after.active
	case o.Max != nil && (all || after.participants > before.participants) && after.participants > *o.Max:
		rule, limit, count = RuleMaxParticipants, *o.Max, after.participants
	case o.MaxActive != nil && (all || after.active > before.active) && after.active > *o.MaxActive:
		rule, limit, count = RuleMaxActive, *o.MaxActive, after.active
	default:
		return nil
	}
	den := wholeDenial(rule)
	den.To, den.Limit, den.Count = o.Index, limit, count
	return den
}
