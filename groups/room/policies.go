package room

import (
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Policy is a set of roles that rooms are made with.
type Policy struct {
	Name    string // for command lines and scenarios
	Title   string // the draft's
	Section string // of room-policy-04
	Roles   RoleData
}

// Policies returns the four example policies of room-policy-04, Appendix "Role
// examples", in its order:
//
//	cooperative      Cooperatively administered room         A.1
//	administered     Strictly administered room              A.2
//	moderated        Moderated room                          A.3
//	multi-org        Multi-organization administered room    A.4
//
// Each has a policy_enforcer, of whom there is to be at least one: the hub. Where
// the appendix errs, DEVIATIONS.md says how it is read.
func Policies() []Policy {
	return []Policy{
		{"cooperative", "Cooperatively administered room", "A.1", RoleData{cooperative()}},
		{"administered", "Strictly administered room", "A.2", RoleData{administered()}},
		{"moderated", "Moderated room", "A.3", RoleData{moderated()}},
		{"multi-org", "Multi-organization administered room", "A.4", RoleData{multiOrg()}},
	}
}

// PolicyByName returns one of [Policies].
func PolicyByName(name string) (Policy, bool) {
	all := Policies()
	i := slices.IndexFunc(all, func(p Policy) bool { return p.Name == name })
	if i < 0 {
		return Policy{}, false
	}
	return all[i], true
}

// Dictionary makes the components of a room: the policy's roles, the metadata, the
// participants and, each if it is not nil, a base policy and preauthorizations.
func (p *Policy) Dictionary(points *Points, meta *RoomMetaData, participants []UserRolePair, base *BaseRoomPolicy, preauth *PreAuthData) (message.AppDataDictionary, error) {
	points = points.orDefault()
	var dict message.AppDataDictionary
	var err error
	put := func(id message.ComponentID, v wire.Marshaler) {
		data, e := wire.Marshal(v)
		if e != nil && err == nil {
			err = points.fail(id, e)
		}
		dict = dict.With(id, data)
	}
	put(points.ParticipantList, &ParticipantListData{participants})
	put(points.RoomMetadata, meta)
	put(points.RolesList, &p.Roles)
	if preauth != nil {
		put(points.PreauthList, preauth)
	}
	if base != nil {
		put(points.BaseRoomPolicy, base)
	}
	if err != nil {
		return nil, err
	}
	return dict, nil
}

// Role returns the index of a role by its name, RoleNone if the policy has none.
func (p *Policy) Role(name string) uint32 {
	for i := range p.Roles.Roles {
		if p.Roles.Roles[i].Name == name {
			return p.Roles.Roles[i].Index
		}
	}
	return RoleNone
}

// may writes authorized_role_changes as the draft does: may(0, 1, 2) is (0,[1,2]).
func may(from uint32, targets ...uint32) RoleChangeTargets {
	return RoleChangeTargets{From: from, Targets: targets}
}

// with joins lists of capabilities.
func with(base []Capability, more ...Capability) []Capability { return slices.Concat(base, more) }

// inactive is a maximum of no active participants.
func inactive() *uint32 { return new(uint32(0)) }

// noRole and banned are in all four policies; what of noRole differs is given.
func noRole(caps []Capability, maxActive *uint32, changes ...RoleChangeTargets) Role {
	return Role{Index: RoleNone, Name: "no_role", Capabilities: caps, MaxActive: maxActive, Changes: changes}
}

func banned() Role { return Role{Index: RoleBanned, Name: BannedName, MaxActive: inactive()} }

// enforcer is the policy_enforcer, who "can remove a banned user from the list
// (cleanup) but not restore them". The draft's canUnban is canUnBan of its registry.
func enforcer(index uint32, changes ...RoleChangeTargets) Role {
	return Role{
		Index: index, Name: "policy_enforcer",
		Capabilities: []Capability{
			CanRemoveParticipant, CanChangeUserRole, CanBan, CanUnBan, CanChangeRoleDefinitions, CanChangePreauthorizedUserList,
			CanChangeMlsOperationalPolicies, CanDestroyRoom, CanSendMLSReinitProposal,
		},
		Min: 1, Max: new(uint32(2)), MaxActive: inactive(), Changes: changes,
	}
}

// cooperative is A.1.
func cooperative() []Role {
	user := []Capability{
		CanAddParticipant, CanRemoveParticipant, CanAddOwnClient, CanRemoveOwnClient, CanRemoveSelf,
		CanSendMessage, CanReceiveMessage, CanCopyMessage, CanReportAbuse, CanReplyToMessage, CanReactToMessage,
		CanDeleteOwnReaction, CanEditOwnMessage, CanDeleteOwnMessage, CanStartTopic, CanReplyInTopic, CanEditOwnTopic,
		CanUploadImage, CanUploadVideo, CanUploadAudio, CanUploadAttachment,
		CanDownloadImage, CanDownloadVideo, CanDownloadAudio, CanDownloadAttachment,
		CanSendLink, CanSendLinkPreview, CanFollowLink, CanCopyLink,
		CanChangeRoomName, CanChangeRoomAvatar, CanChangeRoomSubject, CanChangeRoomMood,
		CanChangeOwnName, CanChangeOwnPresence, CanChangeOwnMood, CanChangeOwnAvatar,
	}
	// The draft gives canRevokeVoice and canGrantVoice as well, which its registry
	// does not have.
	admin := with(user, CanBan, CanUnBan, CanKick, CanChangeUserRole, CanDeleteOtherMessage, CanEditOtherTopic, CanChangeRoomDescription)
	super := with(admin, CanChangeRoomMembershipStyle, CanChangePreauthorizedUserList, CanDestroyRoom)
	return []Role{
		noRole(nil, inactive()),
		banned(),
		{Index: 2, Name: "ordinary_user", Capabilities: user, Changes: []RoleChangeTargets{may(0, 2), may(2, 0)}},
		{Index: 3, Name: "group_admin", Capabilities: admin, Min: 1, Changes: []RoleChangeTargets{
			may(0, 1, 2, 3), may(1, 0, 2, 3), may(2, 0, 1, 3), may(3, 0, 1, 2)}},
		{Index: 4, Name: "super_admin", Capabilities: super, Changes: []RoleChangeTargets{
			may(0, 1, 2, 3, 4), may(1, 0, 2, 3, 4), may(2, 0, 1, 3, 4), may(3, 0, 1, 2, 4), may(4, 0, 1, 2, 3)}},
		enforcer(5, may(0, 1), may(1, 0), may(2, 0, 1), may(3, 0, 1), may(4, 0, 1)),
	}
}

// administered is A.2.
func administered() []Role {
	user := []Capability{
		CanAddOwnClient, CanJoinIfPreauthorized, CanRemoveOwnClient, CanRemoveSelf, CanChangeOwnRole,
		CanSendMessage, CanReceiveMessage, CanCopyMessage, CanReportAbuse, CanReactToMessage,
		CanDeleteOwnReaction, CanEditOwnMessage, CanDeleteOwnMessage, CanStartTopic, CanReplyInTopic,
		CanUploadImage, CanUploadVideo, CanUploadAudio, CanUploadAttachment,
		CanDownloadImage, CanDownloadVideo, CanDownloadAudio, CanDownloadAttachment,
		CanSendLink, CanSendLinkPreview, CanFollowLink, CanCopyLink,
		CanChangeOwnName, CanChangeOwnPresence, CanChangeOwnMood, CanChangeOwnAvatar,
	}
	admin := with(user, CanAddParticipant, CanRemoveParticipant, CanBan, CanUnBan, CanKick, CanChangeUserRole,
		CanCreateJoinCode, CanDeleteJoinCode, CanDeleteOtherReaction, CanDeleteOtherMessage, CanEditOwnTopic, CanEditOtherTopic,
		CanChangeRoomDescription, CanChangeRoomName, CanChangeRoomAvatar, CanChangeRoomSubject, CanChangeRoomMood)
	super := with(admin, CanChangeRoomMembershipStyle, CanChangeRoleDefinitions, CanChangePreauthorizedUserList, CanDestroyRoom, CanSendMLSReinitProposal)
	return []Role{
		noRole([]Capability{CanUseJoinCode}, inactive(), may(0, 2)),
		banned(),
		{Index: 2, Name: "ordinary_user", Capabilities: user, Changes: []RoleChangeTargets{may(0, 2), may(2, 0)}},
		{Index: 3, Name: "group_admin", Capabilities: admin, Min: 1, Changes: []RoleChangeTargets{
			may(0, 1, 2, 3), may(1, 0, 2, 3), may(2, 0, 1, 3), may(3, 0, 1, 2)}},
		{Index: 4, Name: "super_admin", Capabilities: super, Changes: []RoleChangeTargets{
			may(0, 1, 2, 3, 4), may(1, 0, 2, 3, 4), may(2, 0, 1, 3, 4), may(3, 0, 1, 2, 4), may(4, 0, 1, 2, 3)}},
		enforcer(5, may(0, 1), may(1, 0), may(2, 0, 1), may(3, 0, 1), may(4, 0, 1)),
	}
}

// moderated is A.3. Its speaker includes "all the capabilities authorized for a
// speaker", read as those of an attendee, and its moderator those of "an
// ordinary_user", which the room has not, read as those of a speaker.
func moderated() []Role {
	guest := []Capability{
		CanRemoveSelf, CanReceiveMessage, CanCopyMessage, CanReactToMessage, CanDeleteOwnReaction,
		CanFollowLink, CanCopyLink, CanDownloadImage, CanDownloadVideo, CanDownloadAudio,
	}
	attendee := with(guest, CanAddOwnClient, CanJoinIfPreauthorized, CanRemoveOwnClient, CanChangeOwnRole, CanReportAbuse, CanReplyInTopic,
		CanDownloadAttachment, CanChangeOwnName, CanChangeOwnPresence, CanChangeOwnAvatar)
	speaker := with(attendee, CanSendMessage, CanEditOwnMessage, CanDeleteOwnMessage, CanStartTopic,
		CanUploadImage, CanUploadVideo, CanUploadAudio, CanUploadAttachment, CanSendLink, CanSendLinkPreview)
	moderator := with(speaker, CanAddParticipant, CanRemoveParticipant, CanBan, CanUnBan, CanKick, CanChangeUserRole,
		CanCreateJoinCode, CanDeleteJoinCode, CanDeleteOtherReaction, CanDeleteOtherMessage, CanEditOwnTopic, CanEditOtherTopic,
		CanChangeRoomName, CanChangeRoomAvatar, CanChangeRoomSubject, CanChangeRoomMood)
	super := with(moderator, CanChangeRoomDescription, CanChangeRoomMembershipStyle, CanChangeRoleDefinitions, CanChangePreauthorizedUserList,
		CanDestroyRoom, CanSendMLSReinitProposal)
	return []Role{
		noRole([]Capability{CanUseJoinCode}, nil, may(0, 2, 3)),
		banned(),
		{Index: 2, Name: "guest", Capabilities: guest, Changes: []RoleChangeTargets{may(0, 2), may(2, 0)}},
		{Index: 3, Name: "attendee", Capabilities: attendee, Changes: []RoleChangeTargets{may(0, 3), may(3, 0)}},
		{Index: 4, Name: "speaker", Capabilities: speaker, Changes: []RoleChangeTargets{may(0, 4), may(4, 0)}},
		{Index: 5, Name: "moderator", Capabilities: moderator, Min: 1, Changes: []RoleChangeTargets{
			may(0, 1, 2, 3, 4, 5), may(1, 0, 2, 3, 4, 5), may(2, 0, 1, 3, 4, 5), may(3, 0, 1, 2, 4, 5), may(4, 0, 1, 2, 3, 5), may(5, 0, 1, 2, 3, 4)}},
		{Index: 6, Name: "super_admin", Capabilities: super, Changes: []RoleChangeTargets{
			may(0, 1, 2, 3, 4, 5, 6), may(1, 0, 2, 3, 4, 5, 6), may(2, 0, 1, 3, 4, 5, 6), may(3, 0, 1, 2, 4, 5, 6),
			may(4, 0, 1, 2, 3, 5, 6), may(5, 0, 1, 2, 3, 4, 6), may(6, 0, 1, 2, 3, 4, 5)}},
		enforcer(7, may(0, 1), may(1, 0), may(2, 0, 1), may(3, 0, 1), may(4, 0, 1), may(5, 0, 1), may(6, 0, 1)),
	}
}

// multiOrg is A.4.
func multiOrg() []Role {
	userB := []Capability{
		CanRemoveSelf, CanAddOwnClient, CanRemoveOwnClient, CanSendMessage, CanReceiveMessage, CanCopyMessage, CanReportAbuse,
		CanReplyInTopic, CanReactToMessage, CanDeleteOwnReaction, CanEditOwnMessage,
		CanSendLink, CanSendLinkPreview, CanFollowLink, CanCopyLink,
		CanDownloadImage, CanDownloadVideo, CanDownloadAudio, CanDownloadAttachment,
		CanChangeOwnName, CanChangeOwnPresence, CanChangeOwnAvatar,
	}
	userA := with(userB, CanChangeOwnRole, CanJoinIfPreauthorized)
	adminB := with(userB, CanDeleteOwnMessage, CanStartTopic, CanUploadImage, CanUploadVideo, CanUploadAudio, CanUploadAttachment,
		CanAddParticipant, CanRemoveParticipant, CanBan, CanKick, CanChangeUserRole)
	adminA := with(adminB, CanChangeOwnRole, CanJoinIfPreauthorized)
	super := with(adminA, CanUnBan, CanDeleteOtherReaction, CanDeleteOtherMessage, CanEditOwnTopic, CanEditOtherTopic,
		CanChangeRoomDescription, CanChangeRoomName, CanChangeRoomAvatar, CanChangeRoomSubject, CanChangeRoomMood,
		CanChangeRoomMembershipStyle, CanChangeRoleDefinitions, CanChangePreauthorizedUserList, CanDestroyRoom, CanSendMLSReinitProposal)
	return []Role{
		noRole(nil, inactive()),
		banned(),
		{Index: 2, Name: "org_a_user", Capabilities: userA, Changes: []RoleChangeTargets{may(0, 2), may(2, 0)}},
		{Index: 3, Name: "org_b_user", Capabilities: userB, Changes: []RoleChangeTargets{may(0, 3), may(3, 0)}},
		{Index: 4, Name: "org_c_user", Capabilities: userB, Changes: []RoleChangeTargets{may(0, 4), may(4, 0)}},
		{Index: 5, Name: "org_a_admin", Capabilities: adminA, Changes: []RoleChangeTargets{may(0, 2, 5), may(2, 0, 1, 5), may(5, 0, 1, 2)}},
		{Index: 6, Name: "org_b_admin", Capabilities: adminB, Min: 1, Max: new(uint32(3)), MinActive: 1, Changes: []RoleChangeTargets{
			may(0, 3, 6), may(3, 0, 1, 6), may(6, 0, 1, 3)}},
		{Index: 7, Name: "org_c_admin", Capabilities: adminB, Min: 1, Max: new(uint32(3)), MinActive: 1, Changes: []RoleChangeTargets{
			may(0, 4, 7), may(4, 0, 1, 7), may(7, 0, 1, 4)}},
		{Index: 8, Name: "super_admin", Capabilities: super, Min: 1, MinActive: 1, Changes: []RoleChangeTargets{
			may(0, 1, 2, 3, 4, 5, 6, 7, 8), may(1, 0, 2, 3, 4, 5, 6, 7, 8), may(2, 0, 1, 5, 8), may(3, 0, 1, 6), may(4, 0, 1, 7),
			may(5, 0, 1, 2, 8), may(6, 0, 1, 3), may(7, 0, 1, 4), may(8, 0, 1, 2, 5)}},
		enforcer(9, may(0, 1), may(1, 0), may(3, 0, 1), may(4, 0, 1), may(5, 0, 1), may(6, 0, 1), may(7, 0, 1), may(8, 0, 1)),
	}
}
