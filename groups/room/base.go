package room

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// BaseRoomPolicy is the data of the base_room_policy component, and what an update
// of it holds (room-policy-04, Base Room policy component syntax):
//
//	struct {
//	    bool fixed_membership;
//	    bool parent_dependant;
//	    Uri parent_room<V>;
//	    bool multi_device;
//	    optional uint32 max_clients;
//	    optional uint32 max_users;
//	    bool pseudonyms_allowed;
//	    bool persistent_room;
//	    bool discoverable;
//	    ComponentID policy_component_ids<V>; // the draft: Component
//	} BaseRoomPolicy;
type BaseRoomPolicy struct {
	FixedMembership   bool                  `json:"fixed_membership"`
	ParentDependent   bool                  `json:"parent_dependent"`
	ParentRoom        string                `json:"parent_room,omitempty"` // a list of one if there is one
	MultiDevice       bool                  `json:"multi_device"`
	MaxClients        *uint32               `json:"max_clients"` // nil: no limit
	MaxUsers          *uint32               `json:"max_users"`   // nil: no limit
	PseudonymsAllowed bool                  `json:"pseudonyms_allowed"`
	PersistentRoom    bool                  `json:"persistent_room"`
	Discoverable      bool                  `json:"discoverable"`
	Components        []message.ComponentID `json:"policy_component_ids"`
}

func (p *BaseRoomPolicy) UnmarshalTLS(r *wire.Reader) {
	p.FixedMembership = readBool(r)
	p.ParentDependent = readBool(r)
	switch parents := readURIs(r); len(parents) {
	case 0:
		p.ParentRoom = ""
	case 1:
		p.ParentRoom = parents[0]
	default:
		r.Fail(invalid("%d parent rooms, want at most 1", len(parents)))
	}
	p.MultiDevice = readBool(r)
	p.MaxClients = readOptional32(r)
	p.MaxUsers = readOptional32(r)
	p.PseudonymsAllowed = readBool(r)
	p.PersistentRoom = readBool(r)
	p.Discoverable = readBool(r)
	p.Components = readCodes[message.ComponentID](r, r.Uint16)
	readCheck(r, p)
}

func (p *BaseRoomPolicy) MarshalTLS(w *wire.Writer) {
	writeCheck(w, p)
	writeBool(w, p.FixedMembership)
	writeBool(w, p.ParentDependent)
	var parents []string
	if p.ParentRoom != "" {
		parents = []string{p.ParentRoom}
	}
	writeURIs(w, parents)
	writeBool(w, p.MultiDevice)
	writeOptional32(w, p.MaxClients)
	writeOptional32(w, p.MaxUsers)
	writeBool(w, p.PseudonymsAllowed)
	writeBool(w, p.PersistentRoom)
	writeBool(w, p.Discoverable)
	writeCodes(w, p.Components, w.Uint16)
}

// check wants a parent exactly if the room depends on one.
func (p *BaseRoomPolicy) check() error {
	if p.ParentDependent != (p.ParentRoom != "") {
		return invalid("parent_dependent is %t and parent_room %.80q", p.ParentDependent, p.ParentRoom)
	}
	return nil
}
