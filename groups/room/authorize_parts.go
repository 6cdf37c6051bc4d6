package room

import (
	"bytes"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// partCapabilities says what an update of a component takes (room-policy-04,
// Disruptive Policy Changes). For those whose capability the draft only reserves it
// is the reserved one, so that nobody may change them but who was given it
// (deviation 25). The
// participant list, the metadata and the join links have rules of their own.
var partCapabilities = [parts]Capability{
	partNone:           CanChangeOtherPolicyAttribute,
	partOperational:    CanChangeMlsOperationalPolicies,
	partRoles:          CanChangeRoleDefinitions,
	partPreauth:        CanChangePreauthorizedUserList,
	partBase:           CanChangeRoomMembershipStyle,
	partStatus:         CanChangeOtherPolicyAttribute,
	partJoinLinkPolicy: CanChangeOtherPolicyAttribute,
	partLinkPreview:    CanChangeOtherPolicyAttribute,
	partAsset:          CanChangeOtherPolicyAttribute,
	partLogging:        CanChangeOtherPolicyAttribute,
	partHistory:        CanChangeOtherPolicyAttribute,
	partBot:            CanChangeOtherPolicyAttribute,
	partExpiration:     CanChangeOtherPolicyAttribute,
}

// updateComponent authorizes an update of what is not the participant list.
func (r *request) updateComponent(id message.ComponentID, update []byte) error {
	d := r.d
	which := d.old.points.part(id)
	var err error
	switch which {
	case partMetadata:
		err = r.updateMetadata(id, update)
	case partJoinLinks:
		err = r.updateJoinLinks(id, update)
	default:
		err = r.need(partCapabilities[which], "")
	}
	if err != nil {
		return err
	}
	if which == partNone {
		return nil // its bytes are for whoever knows the component to make
	}
	d.note(which)
	for i := range d.updates {
		if d.updates[i].id == id {
			d.updates[i].list = append(d.updates[i].list, update)
			return nil
		}
	}
	d.updates = append(d.updates, componentUpdates{id, [][]byte{update}})
	return nil
}

// note keeps which rules for the whole Commit a change of a component calls for.
func (d *decision) note(which part) {
	switch which {
	case partRoles:
		d.roles, d.coherence = true, true
	case partPreauth:
		d.preauth, d.coherence = true, true
	case partBase, partHistory, partBot, partJoinLinks, partJoinLinkPolicy:
		d.coherence = true
	}
}

// removeComponent authorizes a removal as it would an update.
func (r *request) removeComponent(id message.ComponentID) error {
	which := r.d.old.points.part(id)
	switch which {
	case partParticipants, partMetadata:
		return r.d.old.points.fail(id, invalidWith(ErrComponent, "removed"))
	case partJoinLinks:
		if err := r.need(CanDeleteJoinCode, ""); err != nil {
			return err
		}
	default:
		if err := r.need(partCapabilities[which], ""); err != nil {
			return err
		}
	}
	r.d.note(which)
	if slices.Contains(r.d.removals, id) {
		return r.d.old.points.fail(id, invalidWith(ErrUpdates, "removed twice"))
	}
	r.d.removals = append(r.d.removals, id)
	return nil
}

// updateMetadata wants the capability of each field that an update changes
// (room-policy-04, Adjust metadata). None is for room_uri: it is set once
// (deviation 27).
func (r *request) updateMetadata(id message.ComponentID, update []byte) error {
	var m RoomMetaData
	if err := wire.Unmarshal(update, &m); err != nil {
		return r.d.old.points.fail(id, err)
	}
	old := r.d.old.Metadata()
	if old == nil {
		old = &RoomMetaData{URI: m.URI}
	}
	if m.URI != old.URI {
		return r.deny(RuleRoomURI, "")
	}
	same := slices.EqualFunc(m.Descriptions, old.Descriptions, func(a, b RichDescription) bool {
		return a.MediaType == b.MediaType && a.LanguageTag == b.LanguageTag && bytes.Equal(a.Content, b.Content)
	})
	for _, field := range []struct {
		changed bool
		needs   Capability
	}{
		{m.Name != old.Name, CanChangeRoomName},
		{!same, CanChangeRoomDescription},
		{m.Avatar != old.Avatar, CanChangeRoomAvatar},
		{m.Subject != old.Subject, CanChangeRoomSubject},
		{m.Mood != old.Mood, CanChangeRoomMood},
	} {
		if field.changed {
			if err := r.need(field.needs, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// updateJoinLinks wants the capability, which the draft reserves and its examples
// give to administrators, of each kind of change.
func (r *request) updateJoinLinks(id message.ComponentID, update []byte) error {
	var u JoinLinksUpdate
	if err := wire.Unmarshal(update, &u); err != nil {
		return r.d.old.points.fail(id, err)
	}
	if len(u.Added) > 0 {
		if err := r.need(CanCreateJoinCode, ""); err != nil {
			return err
		}
	}
	if len(u.Removed) > 0 {
		return r.need(CanDeleteJoinCode, "")
	}
	return nil
}

// changeExtensions authorizes extensions of the GroupContext that are not the
// room's. No capability is for them, so it takes the reserved one for operational
// policies, or a provider that the group lists: it is the hub that keeps
// external_senders in step with the participants (mimi-protocol-06, Authenticating
// proposals; deviation 26).
func (r *request) changeExtensions(dictionary bool) error {
	if dictionary {
		return r.deny(RuleDictionary, "")
	}
	if r.actor.Origin == FromExternalSender {
		return nil
	}
	return r.need(CanChangeMlsOperationalPolicies, "")
}
