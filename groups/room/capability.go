package room

import (
	"fmt"
	"strconv"
)

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

// Enforcement says who can keep a user without a capability from what it stands for.
type Enforcement uint8

// The values of Enforcement.
const (
	ByNobody    Enforcement = iota // nothing in the drafts does it yet
	ByAll                          // the hub refuses it and so do members: Authorize
	ByHub                          // the hub refuses it, or does not deliver
	ByReceivers                    // the clients that open the message ignore it
	ByItself                       // the user's own client, as far as it is honest
)

var enforcements = enum{"nobody", "hub and members", "hub", "receiving clients", "own client"}

// String returns who it is, in words.
func (e Enforcement) String() string { return enforcements.name(uint8(e)) }

// capabilities is the registry, in the order of its values.
var capabilities = []struct {
	value    Capability
	name     string
	reserved bool
	enforced Enforcement
}{
	{CanAddParticipant, "canAddParticipant", false, ByAll},
	{CanRemoveParticipant, "canRemoveParticipant", false, ByAll},
	{CanAddOwnClient, "canAddOwnClient", false, ByAll},
	{CanRemoveOwnClient, "canRemoveOwnClient", false, ByAll},
	{CanOpenJoin, "canOpenJoin", false, ByAll},
	{CanJoinIfPreauthorized, "canJoinIfPreauthorized", false, ByAll},
	{CanRemoveSelf, "canRemoveSelf", false, ByAll},
	{CanCreateJoinCode, "canCreateJoinCode", true, ByAll},
	{CanDeleteJoinCode, "canDeleteJoinCode", true, ByAll},
	{CanUseJoinCode, "canUseJoinCode", false, ByAll},
	{CanBan, "canBan", false, ByAll},
	{CanUnBan, "canUnBan", false, ByAll},
	{CanKick, "canKick", false, ByAll},
	{CanKnock, "canKnock", true, ByNobody},
	{CanAcceptKnock, "canAcceptKnock", true, ByNobody},
	{CanChangeUserRole, "canChangeUserRole", false, ByAll},
	{CanChangeOwnRole, "canChangeOwnRole", false, ByAll},
	{CanCreateSubgroup, "canCreateSubgroup", true, ByNobody},
	{CanSendMessage, "canSendMessage", false, ByAll},
	{CanReceiveMessage, "canReceiveMessage", false, ByHub},
	{CanCopyMessage, "canCopyMessage", false, ByItself},
	{CanReportAbuse, "canReportAbuse", false, ByHub},
	{CanReplyToMessage, "canReplyToMessage", false, ByReceivers},
	{CanReactToMessage, "canReactToMessage", false, ByReceivers},
	{CanEditReaction, "canEditReaction", false, ByReceivers},
	{CanDeleteOwnReaction, "canDeleteOwnReaction", false, ByReceivers},
	{CanDeleteOtherReaction, "canDeleteOtherReaction", false, ByReceivers},
	{CanEditOwnMessage, "canEditOwnMessage", false, ByReceivers},
	{CanDeleteOwnMessage, "canDeleteOwnMessage", false, ByReceivers},
	{CanDeleteOtherMessage, "canDeleteOtherMessage", false, ByReceivers},
	{CanStartTopic, "canStartTopic", false, ByReceivers},
	{CanReplyInTopic, "canReplyInTopic", false, ByReceivers},
	{CanEditOwnTopic, "canEditOwnTopic", false, ByReceivers},
	{CanEditOtherTopic, "canEditOtherTopic", false, ByReceivers},
	{CanSendDirectMessage, "canSendDirectMessage", true, ByNobody},
	{CanTargetMessage, "canTargetMessage", true, ByNobody},
	{CanUploadImage, "canUploadImage", false, ByReceivers},
	{CanUploadAudio, "canUploadAudio", false, ByReceivers},
	{CanUploadVideo, "canUploadVideo", false, ByReceivers},
	{CanUploadAttachment, "canUploadAttachment", false, ByReceivers},
	{CanDownloadImage, "canDownloadImage", false, ByItself},
	{CanDownloadAudio, "canDownloadAudio", false, ByItself},
	{CanDownloadVideo, "canDownloadVideo", false, ByItself},
	{CanDownloadAttachment, "canDownloadAttachment", false, ByItself},
	{CanSendLink, "canSendLink", false, ByReceivers},
	{CanSendLinkPreview, "canSendLinkPreview", false, ByReceivers},
	{CanFollowLink, "canFollowLink", false, ByItself},
	{CanCopyLink, "canCopyLink", false, ByItself},
	{CanChangeRoomName, "canChangeRoomName", false, ByAll},
	{CanChangeRoomDescription, "canChangeRoomDescription", false, ByAll},
	{CanChangeRoomAvatar, "canChangeRoomAvatar", false, ByAll},
	{CanChangeRoomSubject, "canChangeRoomSubject", false, ByAll},
	{CanChangeRoomMood, "canChangeRoomMood", false, ByAll},
	{CanChangeOwnName, "canChangeOwnName", true, ByNobody},
	{CanChangeOwnPresence, "canChangeOwnPresence", true, ByNobody},
	{CanChangeOwnMood, "canChangeOwnMood", true, ByNobody},
	{CanChangeOwnAvatar, "canChangeOwnAvatar", true, ByNobody},
	{CanStartCall, "canStartCall", false, ByNobody},
	{CanJoinCall, "canJoinCall", false, ByNobody},
	{CanSendAudio, "canSendAudio", false, ByNobody},
	{CanReceiveAudio, "canReceiveAudio", false, ByNobody},
	{CanSendVideo, "canSendVideo", false, ByNobody},
	{CanReceiveVideo, "canReceiveVideo", false, ByNobody},
	{CanShareScreen, "canShareScreen", false, ByNobody},
	{CanViewSharedScreen, "canViewSharedScreen", false, ByNobody},
	{CanCreateRoom, "canCreateRoom", true, ByNobody},
	{CanDestroyRoom, "canDestroyRoom", false, ByHub},
	{CanChangeRoomMembershipStyle, "canChangeRoomMembershipStyle", false, ByAll},
	{CanChangeRoleDefinitions, "canChangeRoleDefinitions", false, ByAll},
	{CanChangePreauthorizedUserList, "canChangePreauthorizedUserList", false, ByAll},
	{CanChangeOtherPolicyAttribute, "canChangeOtherPolicyAttribute", true, ByAll},
	{CanChangeMlsOperationalPolicies, "canChangeMlsOperationalPolicies", true, ByAll},
	{CanSendMLSReinitProposal, "canSendMLSReinitProposal", false, ByAll},
	{CanSendMLSUpdateProposal, "canSendMLSUpdateProposal", true, ByNobody},
	{CanSendMLSPSKProposal, "canSendMLSPSKProposal", true, ByNobody},
	{CanSendMLSExternalProposal, "canSendMLSExternalProposal", true, ByNobody},
	{CanSendMLSExternalCommit, "canSendMLSExternalCommit", true, ByNobody},
}

// PrivateCapability is the first value for private use (deviation 13).
const PrivateCapability Capability = 0xf000

// Private reports whether the capability is one for private use.
func (c Capability) Private() bool { return c >= PrivateCapability }

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

// ParseCapability returns the capability of a name, or of a number as String
// writes it.
func ParseCapability(name string) (Capability, error) {
	for i := range capabilities {
		if capabilities[i].name == name {
			return capabilities[i].value, nil
		}
	}
	if v, err := strconv.ParseUint(name, 0, 16); err == nil && Capability(v).String() == name {
		return Capability(v), nil
	}
	return 0, fmt.Errorf("room: no capability is called %.40q", name)
}

// UnmarshalText reads what MarshalText writes.
func (c *Capability) UnmarshalText(text []byte) (err error) {
	*c, err = ParseCapability(string(text))
	return err
}

// Reserved reports whether the registry reserves the capability for the future.
func (c Capability) Reserved() bool {
	for i := range capabilities {
		if capabilities[i].value == c {
			return capabilities[i].reserved
		}
	}
	return false
}

// EnforcedBy says who keeps those who lack the capability from what it stands for
// (room-policy-04, Message Capabilities: what the hub can enforce).
func (c Capability) EnforcedBy() Enforcement {
	for i := range capabilities {
		if capabilities[i].value == c {
			return capabilities[i].enforced
		}
	}
	return ByNobody
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

// Section returns where the draft describes a capability, by the block of values
// that it is in.
func (c Capability) Section() string {
	switch {
	case c == CanAddParticipant, c == CanAddOwnClient, c == CanOpenJoin, c == CanJoinIfPreauthorized, c == CanUseJoinCode:
		return policyDraft + ", Adding"
	case c == CanRemoveParticipant, c == CanRemoveOwnClient, c == CanRemoveSelf, c == CanKick:
		return policyDraft + ", Removing"
	case c == CanBan, c == CanUnBan, c == CanChangeUserRole, c == CanChangeOwnRole:
		return policyDraft + ", Role Changes"
	case c.Reserved():
		return policyDraft + ", Reserved Capabilities"
	case c>>8 == 0x03:
		return policyDraft + ", Adjust metadata"
	case c>>8 == 0x01, c == CanSendLink, c == CanSendLinkPreview, c == CanFollowLink, c == CanCopyLink:
		return policyDraft + ", Message Capabilities"
	case c>>8 == 0x02:
		return policyDraft + ", Asset Capabilities"
	case c>>8 == 0x04:
		return policyDraft + ", Real-time media"
	case c>>8 == 0x05, c>>8 == 0x06:
		return policyDraft + ", Disruptive Policy Changes"
	}
	return policyDraft + ", Role Capabilities"
}
