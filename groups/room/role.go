package room

import (
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Role indexes with a meaning of their own (room-policy-04, Role-Based Access
// Control and Role Changes).
const (
	RoleNone   uint32 = 0 // those who are not in the participant list
	RoleBanned uint32 = 1 // if its role_name is BannedName
)

// BannedName is the role_name that role 1 has for bans to be possible.
const BannedName = "banned"

// RoleChangeTargets says into which roles a participant of one role may be moved:
//
//	struct {
//	    uint32 from_role_index;
//	    uint32 target_role_indexes<V>;
//	} SingleSourceRoleChangeTargets;
type RoleChangeTargets struct {
	From    uint32   `json:"from_role_index"`
	Targets []uint32 `json:"target_role_indexes"`
}

func (t *RoleChangeTargets) UnmarshalTLS(r *wire.Reader) {
	t.From = r.Uint32()
	t.Targets = readCodes[uint32](r, r.Uint32)
}

func (t *RoleChangeTargets) MarshalTLS(w *wire.Writer) {
	w.Uint32(t.From)
	writeCodes(w, t.Targets, w.Uint32)
}

// Role is what participants of a kind may do, and how many of them there may be
// (room-policy-04, Role-Based Access Control):
//
//	struct {
//	    uint32 role_index;
//	    opaque role_name<V>;
//	    opaque role_description<V>;
//	    CapabilityType role_capabilities<V>;
//	    uint32 minimum_participants_constraint;
//	    optional uint32 maximum_participants_constraint;
//	    uint32 minimum_active_participants_constraint;
//	    optional uint32 maximum_active_participants_constraint;
//	    SingleSourceRoleChangeTargets authorized_role_changes<V>;
//	} Role;
type Role struct {
	Index        uint32              `json:"role_index"`
	Name         string              `json:"role_name"`
	Description  string              `json:"role_description,omitempty"`
	Capabilities []Capability        `json:"role_capabilities"`
	Min          uint32              `json:"minimum_participants_constraint"`
	Max          *uint32             `json:"maximum_participants_constraint"` // nil: no limit
	MinActive    uint32              `json:"minimum_active_participants_constraint"`
	MaxActive    *uint32             `json:"maximum_active_participants_constraint"` // nil: no limit
	Changes      []RoleChangeTargets `json:"authorized_role_changes"`
}

func (o *Role) UnmarshalTLS(r *wire.Reader) {
	o.Index = r.Uint32()
	o.Name = readText(r)
	o.Description = readText(r)
	o.Capabilities = readCodes[Capability](r, r.Uint16)
	o.Min = r.Uint32()
	o.Max = readOptional32(r)
	o.MinActive = r.Uint32()
	o.MaxActive = readOptional32(r)
	o.Changes = wire.List[RoleChangeTargets](r)
	readCheck(r, o)
}

func (o *Role) MarshalTLS(w *wire.Writer) {
	writeCheck(w, o)
	w.Uint32(o.Index)
	writeText(w, o.Name)
	writeText(w, o.Description)
	writeCodes(w, o.Capabilities, w.Uint16)
	w.Uint32(o.Min)
	writeOptional32(w, o.Max)
	w.Uint32(o.MinActive)
	writeOptional32(w, o.MaxActive)
	wire.PutList(w, o.Changes)
}

// check refuses canOpenJoin where it "MUST NOT appear" (Adding), and limits that
// no number keeps.
func (o *Role) check() error {
	if o.Index != RoleNone && o.Can(CanOpenJoin) {
		return invalid("role %d %.40q has canOpenJoin, which belongs to role 0 alone", o.Index, o.Name)
	}
	if o.Max != nil && *o.Max < o.Min {
		return invalid("role %d %.40q wants at least %d and at most %d participants", o.Index, o.Name, o.Min, *o.Max)
	}
	if o.MaxActive != nil && *o.MaxActive < o.MinActive {
		return invalid("role %d %.40q wants at least %d and at most %d active participants", o.Index, o.Name, o.MinActive, *o.MaxActive)
	}
	return nil
}

// Can reports whether the role has a capability.
func (o *Role) Can(c Capability) bool { return slices.Contains(o.Capabilities, c) }

// CanChange reports whether a holder of the role may move a participant from one
// role to another, by authorized_role_changes alone.
func (o *Role) CanChange(from, to uint32) bool {
	for i := range o.Changes {
		if t := &o.Changes[i]; t.From == from && slices.Contains(t.Targets, to) {
			return true
		}
	}
	return false
}

// RoleData is the data of the roles_list component, and as RoleUpdate what an
// update of it holds:
//
//	struct {
//	    Role roles<V>;
//	} RoleData;
//
// Reading refuses an index that is there twice.
type RoleData struct {
	Roles []Role `json:"roles"`
}

func (d *RoleData) UnmarshalTLS(r *wire.Reader) {
	d.Roles = wire.List[Role](r)
	readCheck(r, d)
}

func (d *RoleData) MarshalTLS(w *wire.Writer) {
	writeCheck(w, d)
	wire.PutList(w, d.Roles)
}

func (d *RoleData) check() error {
	seen := make(map[uint32]bool, len(d.Roles))
	for i := range d.Roles {
		at := d.Roles[i].Index
		if seen[at] {
			return invalid("role_index %d is in the list twice", at)
		}
		seen[at] = true
	}
	return nil
}

// Role returns the role of an index, nil if there is none.
func (d *RoleData) Role(i uint32) *Role {
	if d == nil {
		return nil
	}
	for at := range d.Roles {
		if d.Roles[at].Index == i {
			return &d.Roles[at]
		}
	}
	return nil
}

// CanBan reports whether the room has the role that bans need: role 1 by the name
// of "banned" (Role Changes).
func (d *RoleData) CanBan() bool {
	banned := d.Role(RoleBanned)
	return banned != nil && banned.Name == BannedName
}
