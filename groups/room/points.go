package room

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// Points are the component IDs of the parts of a room. The drafts suggest them and
// IANA has assigned none, so a room is run with one set of them.
type Points struct {
	ParticipantList      message.ComponentID // mimi-protocol-06, IANA Considerations
	RoomMetadata         message.ComponentID
	MLSOperationalPolicy message.ComponentID // room-policy-04, New MLS application components
	RolesList            message.ComponentID
	PreauthList          message.ComponentID
	BaseRoomPolicy       message.ComponentID
	StatusNotification   message.ComponentID
	JoinLinkPolicy       message.ComponentID
	JoinLinks            message.ComponentID
	LinkPreview          message.ComponentID
	Asset                message.ComponentID
	Logging              message.ComponentID
	ChatHistory          message.ComponentID
	Bot                  message.ComponentID
	MessageExpiration    message.ComponentID
}

// DefaultPoints are the values that the drafts suggest. It is not modified.
var DefaultPoints = Points{
	ParticipantList:      0x0022,
	RoomMetadata:         0x0023,
	MLSOperationalPolicy: 0x0024,
	RolesList:            0x0025,
	PreauthList:          0x0026,
	BaseRoomPolicy:       0x0027,
	StatusNotification:   0x0028,
	JoinLinkPolicy:       0x0029,
	JoinLinks:            0x002a,
	LinkPreview:          0x002b,
	Asset:                0x002c,
	Logging:              0x002d,
	ChatHistory:          0x002e,
	Bot:                  0x002f,
	MessageExpiration:    0x0030,
}

// orDefault returns p, or the default if p is nil.
func (p *Points) orDefault() *Points {
	if p == nil {
		return &DefaultPoints
	}
	return p
}

// part is a component of a room, whatever its number.
type part uint8

const (
	partNone part = iota // not of this package
	partParticipants
	partMetadata
	partOperational
	partRoles
	partPreauth
	partBase
	partStatus
	partJoinLinkPolicy
	partJoinLinks
	partLinkPreview
	partAsset
	partLogging
	partHistory
	partBot
	partExpiration
	parts // how many
)

// partNames are the names of the drafts' IANA considerations.
var partNames = [parts]string{
	partParticipants:   "participant_list",
	partMetadata:       "room_metadata",
	partOperational:    "mls_operational_policy",
	partRoles:          "roles_list",
	partPreauth:        "preauth_list",
	partBase:           "base_room_policy",
	partStatus:         "status_notification_policy",
	partJoinLinkPolicy: "join_link_policy",
	partJoinLinks:      "join_links",
	partLinkPreview:    "link_preview_policy",
	partAsset:          "asset_policy",
	partLogging:        "logging_policy",
	partHistory:        "chat_history_policy",
	partBot:            "bot_policy",
	partExpiration:     "message_expiration_policy",
}

// ids returns the component IDs by part.
func (p *Points) ids() [parts]message.ComponentID {
	return [parts]message.ComponentID{
		partParticipants:   p.ParticipantList,
		partMetadata:       p.RoomMetadata,
		partOperational:    p.MLSOperationalPolicy,
		partRoles:          p.RolesList,
		partPreauth:        p.PreauthList,
		partBase:           p.BaseRoomPolicy,
		partStatus:         p.StatusNotification,
		partJoinLinkPolicy: p.JoinLinkPolicy,
		partJoinLinks:      p.JoinLinks,
		partLinkPreview:    p.LinkPreview,
		partAsset:          p.Asset,
		partLogging:        p.Logging,
		partHistory:        p.ChatHistory,
		partBot:            p.Bot,
		partExpiration:     p.MessageExpiration,
	}
}

// part returns which part of a room a component is.
func (p *Points) part(id message.ComponentID) part {
	ids := p.ids()
	for which := partNone + 1; which < parts; which++ {
		if ids[which] == id {
			return which
		}
	}
	return partNone
}

// Components returns the component IDs of a room in the order of the drafts, for
// what a client says it supports.
func (p *Points) Components() []message.ComponentID {
	ids := p.orDefault().ids()
	return ids[1:]
}

// Name returns the draft's name of a component, or its number if it is none of a
// room's.
func (p *Points) Name(id message.ComponentID) string {
	if which := p.orDefault().part(id); which != partNone {
		return partNames[which]
	}
	return fmt.Sprintf("component %#04x", uint16(id))
}
