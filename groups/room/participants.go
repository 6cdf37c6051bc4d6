package room

import (
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// UserRolePair is an entry of the participant list (mimi-protocol-06, Participant
// List):
//
//	struct {
//	    opaque user<V>;
//	    uint32 role_index;
//	} UserRolePair;
type UserRolePair struct {
	User string `json:"user"` // the user's URI, compared byte by byte
	Role uint32 `json:"role_index"`
}

func (p *UserRolePair) UnmarshalTLS(r *wire.Reader) {
	p.User = string(r.Opaque())
	p.Role = r.Uint32()
	readCheck(r, p)
}

func (p *UserRolePair) MarshalTLS(w *wire.Writer) {
	writeCheck(w, p)
	w.OpaqueString(p.User)
	w.Uint32(p.Role)
}

// check refuses role 0, which stands for those who are not in the list
// (room-policy-04, Role-Based Access Control).
func (p *UserRolePair) check() error {
	if p.User == "" {
		return invalid("participant without a name")
	}
	if p.Role == RoleNone {
		return invalid("participant %.80q in role 0, which is for those who are not in the list", p.User)
	}
	return nil
}

// ParticipantListData is the data of the participant_list component:
//
//	struct {
//	    UserRolePair participants<V>;
//	} ParticipantListData;
//
// Reading refuses a user that is there twice.
type ParticipantListData struct {
	Participants []UserRolePair `json:"participants"`
}

func (d *ParticipantListData) UnmarshalTLS(r *wire.Reader) { d.Participants, _ = readParticipants(r) }

// readParticipants reads UserRolePair participants<V> and makes its index.
func readParticipants(r *wire.Reader) ([]UserRolePair, index) {
	var list []UserRolePair
	var users []byte // of all, so that they share one string
	var ends []int
	r.Vector(func() {
		user := r.Opaque()
		role := r.Uint32()
		if r.Err() != nil {
			return
		}
		if len(user) == 0 || role == RoleNone {
			p := UserRolePair{string(user), role}
			r.Fail(p.check())
			return
		}
		users = append(users, user...)
		ends = append(ends, len(users))
		list = append(list, UserRolePair{Role: role})
	})
	all, begin := string(users), 0
	for i, end := range ends {
		list[i].User, begin = all[begin:end], end
	}
	if r.Err() != nil {
		return list, nil
	}
	x, err := indexUsers(list)
	if err != nil {
		r.Fail(err)
	}
	return list, x
}

func (d *ParticipantListData) MarshalTLS(w *wire.Writer) {
	if _, err := indexUsers(d.Participants); err != nil {
		w.Fail(err)
	}
	wire.PutList(w, d.Participants)
}

// UserIndexRolePair gives a participant another role; the participant is named by
// its place in the list:
//
//	struct {
//	    uint32 user_index;
//	    uint32 role_index;
//	} UserindexRolePair;
type UserIndexRolePair struct {
	Index uint32 `json:"user_index"`
	Role  uint32 `json:"role_index"`
}

func (p *UserIndexRolePair) UnmarshalTLS(r *wire.Reader) {
	p.Index = r.Uint32()
	p.Role = r.Uint32()
	readCheck(r, p)
}

func (p *UserIndexRolePair) MarshalTLS(w *wire.Writer) {
	writeCheck(w, p)
	w.Uint32(p.Index)
	w.Uint32(p.Role)
}

func (p *UserIndexRolePair) check() error {
	if p.Role == RoleNone {
		return invalid("participant %d gets role 0, which is for those who are not in the list", p.Index)
	}
	return nil
}

// ParticipantListUpdate is what an AppDataUpdate of the participant_list holds:
//
//	struct {
//	    UserindexRolePair changedRoleParticipants<V>;
//	    uint32 removedIndices<V>;
//	    UserRolePair addedParticipants<V>;
//	} ParticipantListUpdate;
//
// All indices are places in the list of the current epoch, before any change
// (deviation 16).
type ParticipantListUpdate struct {
	Changed []UserIndexRolePair `json:"changedRoleParticipants"`
	Removed []uint32            `json:"removedIndices"`
	Added   []UserRolePair      `json:"addedParticipants"`
}

func (u *ParticipantListUpdate) UnmarshalTLS(r *wire.Reader) {
	u.Changed = wire.List[UserIndexRolePair](r)
	u.Removed = readCodes[uint32](r, r.Uint32)
	u.Added = wire.List[UserRolePair](r)
}

func (u *ParticipantListUpdate) MarshalTLS(w *wire.Writer) {
	wire.PutList(w, u.Changed)
	writeCodes(w, u.Removed, w.Uint32)
	wire.PutList(w, u.Added)
}
