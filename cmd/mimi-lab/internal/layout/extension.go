package layout

import (
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
	rooms "github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// maxDepth is how deep extensions are looked into: a ratchet tree has leaves, whose
// extensions hold application data. Deeper, a message would be read again and again.
const maxDepth = 2

// extensions reads an Extension extensions<V> (RFC 9420, Section 7.2).
func (d *decoder) extensions() {
	d.list("extensions", func() {
		t := d.code16("extension_type", extensionName, "uint16", nil)
		data := d.opaque("extension_data")
		if d.at == nil || d.r.Err() != nil || d.depth >= maxDepth {
			return
		}
		if read := content(message.ExtensionType(t)); read != nil {
			d.inside(extensionName(t), data, read)
		}
	})
}

// content returns what reads the data of a known extension, nil of others. All read
// into a node that has the extension's name.
func content(t message.ExtensionType) func(*decoder) {
	switch t {
	case message.ExtensionApplicationID: // RFC 9420, Section 5.3.3
		return func(d *decoder) { d.text("application_id") }
	case message.ExtensionRatchetTree:
		return func(d *decoder) { d.ratchetTree("ratchet_tree") }
	case message.ExtensionRequiredCapabilities:
		return (*decoder).requiredCapabilities
	case message.ExtensionExternalPub: // RFC 9420, Section 12.4.3.2
		return func(d *decoder) { d.opaque("external_pub") }
	case message.ExtensionExternalSenders: // RFC 9420, Section 12.1.8.1
		return func(d *decoder) {
			d.list("external_senders", func() {
				d.opaque("signature_key")
				d.group("credential", d.credential)
			})
		}
	case points.AppDataDictionary:
		return (*decoder).appDataDictionary
	case points.SupportedWireFormats, points.RequiredWireFormats:
		return func(d *decoder) { d.codes("wire_formats", wireFormatName) }
	}
	return nil
}

// requiredCapabilities reads a RequiredCapabilities (RFC 9420, Section 11.1).
func (d *decoder) requiredCapabilities() {
	d.codes("extension_types", extensionName)
	d.codes("proposal_types", proposalName)
	d.codes("credential_types", credentialName)
}

// appDataDictionary reads an AppDataDictionary (draft-ietf-mls-extensions-10,
// Attaching Application Data to MLS Messages).
func (d *decoder) appDataDictionary() { d.list("component_data", d.componentData) }

// componentData reads a ComponentData, and an AppEphemeral, which has the same
// fields.
func (d *decoder) componentData() {
	id := d.component()
	d.componentContent("data", id)
}

func (d *decoder) component() message.ComponentID {
	return message.ComponentID(d.code16("component_id", componentName, "uint16", nil))
}

// componentContent reads a component's data and looks into it if its layout is
// known.
func (d *decoder) componentContent(name string, id message.ComponentID) {
	data := d.text(name)
	if d.at == nil || d.r.Err() != nil {
		return
	}
	var read func(*decoder)
	switch id {
	case points.AppComponents, points.SafeAAD: // ComponentsList
		read = func(d *decoder) { d.codes("component_ids", componentName) }
	case points.ContentMediaTypes:
		read = (*decoder).mediaTypes
	case mimi.DefaultCodePoints.FrankingAgent:
		read = (*decoder).frankingAgentData
	case rooms.DefaultPoints.ParticipantList:
		read = (*decoder).participants
		if name == "update" {
			read = (*decoder).participantUpdate
		}
	case rooms.DefaultPoints.RoomMetadata:
		read = (*decoder).roomMetadata
	default:
		return
	}
	d.inside(componentName(uint16(id)), data, read)
}

// participants reads a ParticipantListData (draft-ietf-mimi-protocol-06, Participant
// List).
func (d *decoder) participants() { d.list("participants", d.userRolePair) }

func (d *decoder) userRolePair() {
	d.text("user")
	d.uint32("role_index")
}

// participantUpdate reads a ParticipantListUpdate, which is what changes that list.
func (d *decoder) participantUpdate() {
	d.list("changedRoleParticipants", func() {
		d.uint32("user_index")
		d.uint32("role_index")
	})
	d.numbers("removedIndices", "uint32<V>", d.r.Uint32)
	d.list("addedParticipants", d.userRolePair)
}

// roomMetadata reads a RoomMetaData (draft-ietf-mimi-protocol-06, Room Metadata).
func (d *decoder) roomMetadata() {
	d.text("room_uri")
	d.text("room_name")
	d.list("room_descriptions", func() {
		d.text("media_type")
		d.text("language_tag")
		d.text("description_content")
	})
	d.text("room_avatar")
	d.text("room_subject")
	d.text("room_mood")
}

// mediaTypes reads a MediaTypeList (draft-ietf-mls-extensions-10, Content
// Advertisement).
func (d *decoder) mediaTypes() {
	d.list("media_type_list", func() {
		d.text("type")
		d.list("parameters", func() {
			d.text("parameter_name")
			d.text("parameter_value")
		})
	})
}

// absentNode is a blank node of a ratchet tree.
const absentNode = outline.Absent("blank")
