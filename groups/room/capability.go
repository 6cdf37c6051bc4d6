package room

import "fmt"

// Capability is something that the holders of a role may do (room-policy-04, Role
// Capabilities): uint16 CapabilityType. The draft's registry has no place at IANA
// yet.
type Capability uint16

// The capabilities of room-policy-04, New MIMI Role Capabilities registry. Those
// that the draft reserves for the future are marked.
const (
	CanAddParticipant      Capability = 0x0000
	CanRemoveParticipant   Capability = 0x0001
	CanAddOwnClient        Capability = 0x0002
	CanRemoveOwnClient     Capability = 0x0003
	CanOpenJoin            Capability = 0x0004
	CanJoinIfPreauthorized Capability = 0x0005
	CanRemoveSelf          Capability = 0x0006
	CanCreateJoinCode      Capability = 0x0007 // reserved
	CanDeleteJoinCode      Capability = 0x0008 // reserved
	CanUseJoinCode         Capability = 0x0009
	CanBan                 Capability = 0x000a
	CanUnBan               Capability = 0x000b
	CanKick                Capability = 0x000c
	CanKnock               Capability = 0x000d // reserved
	CanAcceptKnock         Capability = 0x000e // reserved
	CanChangeUserRole      Capability = 0x000f
	CanChangeOwnRole       Capability = 0x0010
	CanCreateSubgroup      Capability = 0x0011 // reserved

	CanSendMessage         Capability = 0x0100
	CanReceiveMessage      Capability = 0x0101
	CanCopyMessage         Capability = 0x0102
	CanReportAbuse         Capability = 0x0103
	CanReplyToMessage      Capability = 0x0104
	CanReactToMessage      Capability = 0x0105
	CanEditReaction        Capability = 0x0106
	CanDeleteOwnReaction   Capability = 0x0107
	CanDeleteOtherReaction Capability = 0x0108
	CanEditOwnMessage      Capability = 0x0109
	CanDeleteOwnMessage    Capability = 0x010a
	CanDeleteOtherMessage  Capability = 0x010b
	CanStartTopic          Capability = 0x010c
	CanReplyInTopic        Capability = 0x010d
	CanEditOwnTopic        Capability = 0x010e
	CanEditOtherTopic      Capability = 0x010f
	CanSendDirectMessage   Capability = 0x0110 // reserved
	CanTargetMessage       Capability = 0x0111 // reserved

	CanUploadImage        Capability = 0x0200
	CanUploadAudio        Capability = 0x0201
	CanUploadVideo        Capability = 0x0202
	CanUploadAttachment   Capability = 0x0203
	CanDownloadImage      Capability = 0x0204
	CanDownloadAudio      Capability = 0x0205
	CanDownloadVideo      Capability = 0x0206
	CanDownloadAttachment Capability = 0x0207
	CanSendLink           Capability = 0x0208
	CanSendLinkPreview    Capability = 0x0209
	CanFollowLink         Capability = 0x020a
	CanCopyLink           Capability = 0x020b

	CanChangeRoomName        Capability = 0x0300
	CanChangeRoomDescription Capability = 0x0301
	CanChangeRoomAvatar      Capability = 0x0302
	CanChangeRoomSubject     Capability = 0x0303
	CanChangeRoomMood        Capability = 0x0304

	CanChangeOwnName     Capability = 0x0380 // reserved
	CanChangeOwnPresence Capability = 0x0381 // reserved
	CanChangeOwnMood     Capability = 0x0382 // reserved
	CanChangeOwnAvatar   Capability = 0x0383 // reserved

	CanStartCall        Capability = 0x0400
	CanJoinCall         Capability = 0x0401
	CanSendAudio        Capability = 0x0402
	CanReceiveAudio     Capability = 0x0403
	CanSendVideo        Capability = 0x0404
	CanReceiveVideo     Capability = 0x0405
	CanShareScreen      Capability = 0x0406
	CanViewSharedScreen Capability = 0x0407

	CanCreateRoom                  Capability = 0x0500 // reserved
	CanDestroyRoom                 Capability = 0x0501
	CanChangeRoomMembershipStyle   Capability = 0x0502
	CanChangeRoleDefinitions       Capability = 0x0503
	CanChangePreauthorizedUserList Capability = 0x0504
	CanChangeOtherPolicyAttribute  Capability = 0x0505 // reserved

	CanChangeMlsOperationalPolicies Capability = 0x0600 // reserved
	CanSendMLSReinitProposal        Capability = 0x0601
	CanSendMLSUpdateProposal        Capability = 0x0602 // reserved
	CanSendMLSPSKProposal           Capability = 0x0603 // reserved
	CanSendMLSExternalProposal      Capability = 0x0604 // reserved
	CanSendMLSExternalCommit        Capability = 0x0605 // reserved
)

// capabilities is the registry, in the order of its values.
var capabilities = []struct {
	value    Capability
	name     string
	reserved bool
}{
	{CanAddParticipant, "canAddParticipant", false},
	{CanRemoveParticipant, "canRemoveParticipant", false},
	{CanAddOwnClient, "canAddOwnClient", false},
	{CanRemoveOwnClient, "canRemoveOwnClient", false},
	{CanOpenJoin, "canOpenJoin", false},
	{CanJoinIfPreauthorized, "canJoinIfPreauthorized", false},
	{CanRemoveSelf, "canRemoveSelf", false},
	{CanCreateJoinCode, "canCreateJoinCode", true},
	{CanDeleteJoinCode, "canDeleteJoinCode", true},
	{CanUseJoinCode, "canUseJoinCode", false},
	{CanBan, "canBan", false},
	{CanUnBan, "canUnBan", false},
	{CanKick, "canKick", false},
	{CanKnock, "canKnock", true},
	{CanAcceptKnock, "canAcceptKnock", true},
	{CanChangeUserRole, "canChangeUserRole", false},
	{CanChangeOwnRole, "canChangeOwnRole", false},
	{CanCreateSubgroup, "canCreateSubgroup", true},
	{CanSendMessage, "canSendMessage", false},
	{CanReceiveMessage, "canReceiveMessage", false},
	{CanCopyMessage, "canCopyMessage", false},
	{CanReportAbuse, "canReportAbuse", false},
	{CanReplyToMessage, "canReplyToMessage", false},
	{CanReactToMessage, "canReactToMessage", false},
	{CanEditReaction, "canEditReaction", false},
	{CanDeleteOwnReaction, "canDeleteOwnReaction", false},
	{CanDeleteOtherReaction, "canDeleteOtherReaction", false},
	{CanEditOwnMessage, "canEditOwnMessage", false},
	{CanDeleteOwnMessage, "canDeleteOwnMessage", false},
	{CanDeleteOtherMessage, "canDeleteOtherMessage", false},
	{CanStartTopic, "canStartTopic", false},
	{CanReplyInTopic, "canReplyInTopic", false},
	{CanEditOwnTopic, "canEditOwnTopic", false},
	{CanEditOtherTopic, "canEditOtherTopic", false},
	{CanSendDirectMessage, "canSendDirectMessage", true},
	{CanTargetMessage, "canTargetMessage", true},
	{CanUploadImage, "canUploadImage", false},
	{CanUploadAudio, "canUploadAudio", false},
	{CanUploadVideo, "canUploadVideo", false},
	{CanUploadAttachment, "canUploadAttachment", false},
	{CanDownloadImage, "canDownloadImage", false},
	{CanDownloadAudio, "canDownloadAudio", false},
	{CanDownloadVideo, "canDownloadVideo", false},
	{CanDownloadAttachment, "canDownloadAttachment", false},
	{CanSendLink, "canSendLink", false},
	{CanSendLinkPreview, "canSendLinkPreview", false},
	{CanFollowLink, "canFollowLink", false},
	{CanCopyLink, "canCopyLink", false},
	{CanChangeRoomName, "canChangeRoomName", false},
	{CanChangeRoomDescription, "canChangeRoomDescription", false},
	{CanChangeRoomAvatar, "canChangeRoomAvatar", false},
	{CanChangeRoomSubject, "canChangeRoomSubject", false},
	{CanChangeRoomMood, "canChangeRoomMood", false},
	{CanChangeOwnName, "canChangeOwnName", true},
	{CanChangeOwnPresence, "canChangeOwnPresence", true},
	{CanChangeOwnMood, "canChangeOwnMood", true},
	{CanChangeOwnAvatar, "canChangeOwnAvatar", true},
	{CanStartCall, "canStartCall", false},
	{CanJoinCall, "canJoinCall", false},
	{CanSendAudio, "canSendAudio", false},
	{CanReceiveAudio, "canReceiveAudio", false},
	{CanSendVideo, "canSendVideo", false},
	{CanReceiveVideo, "canReceiveVideo", false},
	{CanShareScreen, "canShareScreen", false},
	{CanViewSharedScreen, "canViewSharedScreen", false},
	{CanCreateRoom, "canCreateRoom", true},
	{CanDestroyRoom, "canDestroyRoom", false},
	{CanChangeRoomMembershipStyle, "canChangeRoomMembershipStyle", false},
	{CanChangeRoleDefinitions, "canChangeRoleDefinitions", false},
	{CanChangePreauthorizedUserList, "canChangePreauthorizedUserList", false},
	{CanChangeOtherPolicyAttribute, "canChangeOtherPolicyAttribute", true},
	{CanChangeMlsOperationalPolicies, "canChangeMlsOperationalPolicies", true},
	{CanSendMLSReinitProposal, "canSendMLSReinitProposal", false},
	{CanSendMLSUpdateProposal, "canSendMLSUpdateProposal", true},
	{CanSendMLSPSKProposal, "canSendMLSPSKProposal", true},
	{CanSendMLSExternalProposal, "canSendMLSExternalProposal", true},
	{CanSendMLSExternalCommit, "canSendMLSExternalCommit", true},
}

// PrivateCapability is the first value for private use. The draft has 0xF000 in both
// of its ranges; this package counts it among the private ones.
const PrivateCapability Capability = 0xf000

// String returns the registry's name, or the number.
func (c Capability) String() string {
	for i := range capabilities {
		if capabilities[i].value == c {
			return capabilities[i].name
		}
	}
	return fmt.Sprintf("%#04x", uint16(c))
}

// MarshalText writes the name.
func (c Capability) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Reserved reports whether the registry reserves the capability for the future.
func (c Capability) Reserved() bool {
	for i := range capabilities {
		if capabilities[i].value == c {
			return capabilities[i].reserved
		}
	}
	return false
}

// Registered reports whether the registry has the capability.
func (c Capability) Registered() bool {
	for i := range capabilities {
		if capabilities[i].value == c {
			return true
		}
	}
	return false
}

// Capabilities returns the registered capabilities in the order of their values.
func Capabilities() []Capability {
	all := make([]Capability, len(capabilities))
	for i := range capabilities {
		all[i] = capabilities[i].value
	}
	return all
}
